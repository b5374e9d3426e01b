# SPDX-License-Identifier: GPL-2.0-only
"""The figures of bench.py: what a case is, what was measured in it, and what
is made of that: tables, the CSV file, the plot, the README's block, and the
judgement of the targets. Measures nothing.

Results are a dict: Case -> tree -> metric -> value. Beside TREES there may be one
more tree, an earlier state of ours, which nothing is judged by.
"""
import collections
import csv
import dataclasses
import re
import subprocess

TREES = ("stock", "ours")
GIB = 1 << 30
BEGIN = "<!-- begin: scripts/bench.sh --readme -->\n"
END = "<!-- end: scripts/bench.sh --readme -->\n"

BOOT = ("boot", "init")
COLD = ("cold_boot", "cold_init")

# What a case is about: a file that is retrieved, one that is left to finish, or
# the module that calls KHO; and what is measured. Tables are in this order.
METRICS = {
    "file": (*BOOT, "preserve", "retrieve", "finish", "metadata"),
    "sparse": ("preserve", "retrieve", "metadata"),
    "left": ("discard",),
    "module": tuple(f"{call}_{way}" for way in ("many", "one")
                    for call in ("preserve", "unpreserve", "restore")),
}

KINDS = {"file": "memfd", "sparse": "memfd of which a 1024th is in use", "left": "memfd that is not retrieved",
         "module": "calls"}
UNITS = {
    "file": "boot, init: G instructions; preserve, retrieve: instructions a "
            "folio; finish: instructions; metadata: pages",
    "sparse": "preserve, retrieve: instructions a folio; metadata: pages",
    "left": "instructions a folio",
    "module": "instructions a call",
}

# Nothing may be slower than stock by more than this part of it; boots are not
# compared any finer than the kernel's clock allows, see bench.py (G).
TOLERANCE = 0.01
BOOT_RESOLUTION = 0.0005


@dataclasses.dataclass(frozen=True, order=True)
class Case:
    """What is preserved, and in which machine. eager: all struct pages are
    initialized at once, not deferred. kind: one of METRICS."""
    eager: bool
    nodes: int
    kind: str
    huge: bool
    fragmented: bool
    folios: int

    def page(self):
        return "2M" if self.huge else "4K"

    def layout(self):
        return "fragmented" if self.fragmented else "contiguous"

    def machine(self):
        return (f"{'one node' if self.nodes == 1 else 'two nodes'}, struct "
                f"pages {'all at once' if self.eager else 'deferred'}")

    def files(self):
        """The cost of a small file, and of freeing one, depends on chance, such
        as the state of an allocator: it is the median of some."""
        few = self.folios <= 64 and self.file_size() <= 16 << 20
        return 9 if few or self.kind == "left" else 1

    def file_size(self):
        return self.folios << (21 if self.huge else 12)

    def size_text(self):
        return f"{self.files()} x {self.folios}" if self.files() > 1 else \
            f"{self.folios:,}"

    def label(self):
        return (f"{KINDS[self.kind]}, {self.size_text()} {self.page()} "
                f"{self.layout()}, {self.machine()}")

    def memory(self):
        """Bytes. With less to spare the kernel would put pages into scratch
        memory, and have to move them when they are preserved. A file goes to
        one zone: what is more than 3 GiB lies above 4 GiB and is used first."""
        size = self.files() * self.file_size() * (2 if self.fragmented else 1)
        if size <= GIB:
            return 3 * GIB
        return 3 * GIB + size * 5 // 4 + GIB // 2

    def parameters(self):
        if self.kind == "module":
            return (f"nr={self.folios} order={9 if self.huge else 0} "
                    f"fragmented={int(self.fragmented)}")
        return (f"files={self.files()} folios={self.folios} "
                f"retrieve={int(self.kind != 'left')} huge={int(self.huge)} "
                f"fragmented={int(self.fragmented)} nodes={self.nodes} "
                f"sparse={1023 if self.kind == 'sparse' else 0}")


def number(metric, value):
    if value is None:
        return "-"
    if metric in BOOT + COLD:
        return f"{value:.4f}"
    return f"{value:,.0f}"


def ratio(stock, ours):
    """None if there is nothing to compare, or nothing to divide by."""
    if stock is None or ours is None or stock <= 0:
        return None
    return ours / stock


def ratio_text(stock, ours):
    value = ratio(stock, ours)
    if value is None:
        return "-"
    if value < 0:
        return "< 0"
    return f"{value:.3f}" if value >= 0.1 else f"{value:.5f}"


def trees(results):
    """Those that were measured, in the order of columns."""
    more = {tree for values in results.values() for tree in values}
    return "stock", *sorted(more - set(TREES)), "ours"


def compared(values):
    """Whether a case was measured in both of those that are judged."""
    return all(tree in values for tree in TREES)


def get(results, case, tree, metric):
    return results.get(case, {}).get(tree, {}).get(metric)


def aligned(rows):
    """First columns to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        cells = [cell.ljust(width) if i in (0, 1, 3) else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(row, widths))]
        yield "  ".join(cells).rstrip()


def table_rows(results, selected, metrics):
    yield ("page", "layout", "folios", "kernel", *metrics)
    for case in selected:
        found = {tree: [get(results, case, tree, metric) for metric in metrics]
                 for tree in trees(results) if results[case].get(tree)}
        names = (case.page(), case.layout(), case.size_text())
        for tree, values in found.items():
            yield (*names, tree, *map(number, metrics, values))
            names = ("", "", "")
        if compared(found):
            yield (*names, "ratio",
                   *map(ratio_text, *(found[tree] for tree in TREES)))


def tables(results):
    """Lines: for each machine, one table of each kind."""
    groups = collections.defaultdict(list)
    for case in sorted(results):
        groups[case.machine(), case.kind].append(case)
    for (machine, kind), selected in groups.items():
        yield ""
        yield f"{machine}, {KINDS[kind]}; {UNITS[kind]}"
        yield from aligned(list(table_rows(results, selected, METRICS[kind])))


def slower(metric, stock, ours):
    """Whether ours is: stock and ours are all values of one case."""
    allowed = TOLERANCE * max(stock[metric], 0)
    if metric in BOOT:
        allowed = max(allowed, BOOT_RESOLUTION)
    elif metric == "metadata":
        allowed = 0
    return ours[metric] - stock[metric] > allowed


def all_slower(results):
    """(metric, case) of all that is slower than stock; None if nothing was
    compared."""
    cases = [case for case in sorted(results) if compared(results[case])]
    if not cases:
        return None
    found = []
    for case in cases:
        stock, ours = (results[case][tree] for tree in TREES)
        found += [(metric, case) for metric in METRICS[case.kind]
                  if metric in stock and metric in ours
                  and slower(metric, stock, ours)]
    return found


def slower_lines(results, found):
    """One for each metric, with the case that is furthest from stock."""
    cases = collections.defaultdict(list)
    for metric, case in found:
        stock, ours = (results[case][tree][metric] for tree in TREES)
        cases[metric].append((ours - stock, case))
    for metric, differences in cases.items():
        _, worst = max(differences)
        yield (f"{metric}: {len(differences)}, at most "
               f"{number(metric, results[worst]['ours'][metric])} where stock has "
               f"{number(metric, results[worst]['stock'][metric])}: {worst.label()}")


def plain(folios, fragmented):
    """A case that a target speaks of: 4 KiB pages in the simplest machine."""
    return Case(False, 1, "file", False, fragmented, folios)


@dataclasses.dataclass
class Target:
    """found and limit are None if the run has nothing to judge it by."""
    what: str
    found: float | None
    limit: float | None
    details: list = dataclasses.field(default_factory=list)

    def met(self):
        return None if self.found is None else self.found <= self.limit

    def lines(self):
        verdict = {None: "not measured", True: "met", False: "MISSED"}
        if self.met() is None:
            yield f"{verdict[None]:<12}  {self.what}"
            return
        yield (f"{verdict[self.met()]:<12}  {self.what}: {self.found:.4g}, "
               f"at most {self.limit:.4g}")
        yield from ("              " + line for line in self.details)


def doublings(results):
    """(folios, growth) for each fragmented size that has its double."""
    for case in sorted(results):
        if case != plain(case.folios, True) or case.folios < 65536:
            continue
        costs = [get(results, plain(folios, True), "ours", "boot")
                 for folios in (case.folios, 2 * case.folios)]
        if None not in costs:
            yield case.folios, ratio(*costs) or float("inf")


def targets(results):
    """What our kernel has to reach: about a 2000th and a 100th of what stock
    costs, time in proportion to the fragments, a third of stock where many
    folios are passed at once, and nothing that is worse than stock."""
    yield Target("boot cost of 65,536 fragmented pages, G",
                 get(results, plain(65536, True), "ours", "boot"), 0.05)
    yield Target("boot cost of 262,144 contiguous pages, G",
                 get(results, plain(262144, False), "ours", "boot"), 0.0045)
    growth = list(doublings(results))
    yield Target("growth of boot cost when fragments double, from 65,536",
                 max((factor for _, factor in growth), default=None), 2.1,
                 [f"{folios:,} to {2 * folios:,}: {factor:.3f}"
                  for folios, factor in growth])
    for name in ("preserve_many", "restore_many"):
        shares = [ratio(*(get(results, case, tree, name) for tree in TREES))
                  for case in sorted(results)
                  if case.kind == "module" and not case.huge]
        shares = [share for share in shares if share is not None]
        yield Target(f"{name}, ratio to stock, 4 KiB pages",
                     max(shares, default=None), 1 / 3)
    slow = all_slower(results)
    yield Target("figures worse than stock", None if slow is None
                 else len(slow), 0, list(slower_lines(results, slow or [])))
    for folios, limit in ((131072, 0.04), (1048576, 0.33)):
        yield Target(f"boot cost of {folios:,} fragmented pages, G",
                     get(results, plain(folios, True), "ours", "boot"), limit)
    yield Target("taking over 2,048 huge pages, instructions",
                 get(results, Case(False, 1, "file", True, False, 2048), "ours",
                     "takeover"), 500000)
    yield Target("scratch for 10 GiB that are preserved as a whole, pages",
                 get(results, Case(False, 1, "file", True, False, 5120), "ours",
                     "scratch"), 2)


def format_targets(results):
    """What the newest format of memfds has to reach: nothing in proportion to the
    size of a file, and little for what follows one another."""
    for fragmented, folios, calls in ((False, 262144, (110, 350)),
                                      (True, 65536, (200, 600))):
        case = plain(folios, fragmented)
        for metric, limit in zip(("preserve", "retrieve"), calls):
            yield Target(f"{metric}, {folios:,} {case.layout()} pages, "
                         "instructions a page", get(results, case, "ours", metric),
                         limit)
    full = plain(262144, False)
    yield Target("metadata of 262,144 contiguous pages, pages",
                 get(results, full, "ours", "metadata"), 16)
    sparse = Case(False, 1, "sparse", False, False, 262144)
    shares = [ratio(*(get(results, case, "ours", metric) for case in (full, sparse)))
              for metric in ("preserve", "retrieve")]
    yield Target("1 GiB of 1 TiB, ratio to a full file of 1 GiB",
                 None if None in shares else max(shares), 1.2)


def all_targets(results):
    return [*targets(results), *format_targets(results)]


def unit(metric):
    return {"boot": "G instructions", "init": "G instructions",
            "cold_boot": "G instructions", "cold_init": "G instructions",
            "finish": "instructions", "takeover": "instructions",
            "metadata": "pages", "scratch": "pages", "runs": "runs",
            }.get(metric, "instructions a folio")


FIELDS = ("eager", "nodes", "kind", "huge", "fragmented", "folios",
          "metric", "unit")


def write_csv(path, results):
    with open(path, "w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow((*FIELDS, *trees(results), "ratio"))
        for case in sorted(results):
            metrics = {metric: None for values in results[case].values()
                       for metric in values}
            for metric in metrics:
                every = [get(results, case, tree, metric)
                         for tree in trees(results)]
                share = ratio(*(get(results, case, tree, metric)
                                for tree in TREES))
                rows.writerow([
                    *(int(v) if isinstance(v, bool) else v
                      for v in dataclasses.astuple(case)),
                    metric, unit(metric),
                    *("" if v is None else f"{v:.6f}" for v in every),
                    "" if share is None else f"{share:.6f}"])


def read_csv(path):
    results = collections.defaultdict(dict)
    with open(path, encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            case = Case(row["eager"] == "1", int(row["nodes"]),
                        row["kind"], row["huge"] == "1",
                        row["fragmented"] == "1", int(row["folios"]))
            for tree in set(row) - {*FIELDS, "ratio"}:
                if row[tree]:
                    results[case].setdefault(tree, {})[row["metric"]] = \
                        float(row[tree])
    return results


def series(results, tree, fragmented):
    """Points of a line in the plot. A cost of nothing has no logarithm: what
    cannot be told from it lies on the bottom line."""
    points = [(case.files() * case.folios, get(results, case, tree, "boot"))
              for case in sorted(results)
              if case == plain(case.folios, fragmented)]
    return [(x, max(y, BOOT_RESOLUTION)) for x, y in points if y is not None]


def gnuplot_script(results, output):
    lines = [(f"{tree}, {'fragmented' if fragmented else 'contiguous'}",
              series(results, tree, fragmented))
             for tree in trees(results) for fragmented in (True, False)]
    lines = [(title, points) for title, points in lines if points]
    script = [
        "set terminal svg size 800,560 background '#ffffff'",
        f"set output '{output}'",
        "set logscale xy", "set format xy '10^{%T}'", "set grid",
        "set key left", "set xlabel 'preserved pages of 4 KiB'",
        "set ylabel 'boot cost, 10^9 instructions "
        f"({BOOT_RESOLUTION} or less at the bottom)'",
        f"set yrange [{BOOT_RESOLUTION}:*]",
    ]
    for i, (_, points) in enumerate(lines):
        script += [f"$line{i} << EOD", *(f"{x} {y}" for x, y in points), "EOD"]
    script.append("plot " + ", ".join(
        f"$line{i} with linespoints linewidth 2 title '{title}'"
        for i, (title, _) in enumerate(lines)))
    return "\n".join(script) + "\n" if lines else ""


def write_plot(path, results):
    script = gnuplot_script(results, path)
    if script:
        subprocess.run(["gnuplot"], input=script, text=True, check=True)


def markdown(rows):
    rows = [f"| {' | '.join(row)} |" for row in rows]
    return [rows[0], re.sub(r"[^|]+", " --- ", rows[0]), *rows[1:]]


def with_ratio(results, case, metric, columns=TREES):
    return (*(number(metric, get(results, case, tree, metric))
              for tree in columns),
            ratio_text(*(get(results, case, tree, metric) for tree in TREES)))


def in_readme(case):
    return case == plain(case.folios, case.fragmented) and case.folios >= 1024


def readme_memfds(results):
    """The simplest machine and the usual pages."""
    columns = {"boot": trees(results), "preserve": TREES, "retrieve": TREES}
    yield ("pages", *(head for metric, names in columns.items()
                      for head in (f"{metric}, stock", *names[1:], "ratio")))
    for case in sorted(results):
        if in_readme(case):
            yield (f"{case.folios:,} {case.layout()}",
                   *(cell for metric, names in columns.items()
                     for cell in with_ratio(results, case, metric, names)))


def readme_calls(results):
    yield "call, 4 KiB pages, contiguous", "stock", "ours", "ratio"
    for case in sorted(results):
        if case == Case(False, 1, "module", False, False, case.folios):
            for metric in METRICS[case.kind]:
                yield metric, *with_ratio(results, case, metric)


def readme_block(results, day, plot):
    return "\n".join([
        f"![Boot cost of preserved pages]({plot})", "",
        f"Measured {day}. boot: 10^9 instructions, preserve and retrieve: "
        "instructions a page.", "",
        *markdown(list(readme_memfds(results))), "",
        *markdown(list(readme_calls(results))), "", "```",
        *(line for target in all_targets(results) for line in target.lines()),
        "```"]) + "\n"


def split_at_marks(text):
    """What stands before the two marks, between them, and after."""
    before, begin, rest = text.partition(BEGIN)
    block, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the lines {BEGIN.strip()} and {END.strip()} are "
                         "not there, in this order")
    return before, block, after


def marked_block(text):
    return split_at_marks(text)[1]


def replace_block(text, block):
    """What stands between the two marks becomes block."""
    before, _, after = split_at_marks(text)
    return before + BEGIN + block + END + after

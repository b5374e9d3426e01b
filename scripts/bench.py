#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Measure what a live update costs in a stock kernel and in ours.

Each case is a virtual machine that boots cold, preserves something and kexecs
into the same kernel. QEMU counts instructions: one guest nanosecond is one of
them, and a repeated run gives the same figures whatever else the host does.
scripts/bench.sh builds what runs here.

What is measured:

    boot        instructions (10^9) until the kernel's line "Memory:", less
                those of the cold boot before it
    init        the same, until the first program runs
    preserve    instructions a folio: what the ioctl of LUO takes, divided
    retrieve    by the number of folios
    finish      what the ioctl takes, with the file retrieved
    discard     instructions a folio: finish, with the file not retrieved
    metadata    pages that are preserved beside those of the file
    *_one       instructions of one call of kho_*_folio(), median
    *_many      the same a folio, as memfd calls KHO for many folios

Prints a table with the ratio to stock and says which of the targets are met;
writes bench.csv and boot-cost.svg to build/results/, with --quick bench-quick.csv
and boot-cost-quick.svg, and console logs to build/results/bench/. Only the former
has the cold boots themselves (cold_boot, cold_init), the runs of preserved pages
that follow one another (runs), and how many instructions our kernel takes memory
over in, which is the part that one processor does alone (takeover), and the pages
that this takes from scratch (scratch). Exit status 1 if a machine failed or a
target is missed.

With --processors it measures something else: wall time, on this host, of the
take-over and of what all processors of the machine do together.
"""
import argparse
import collections
import concurrent.futures
import contextlib
import dataclasses
import datetime
import os
import pathlib
import re
import statistics
import sys
import tempfile
import threading

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tools/testing/selftests/kho"))

import benchfigures as figures  # noqa: E402  (needs the path above)
import khotest  # noqa: E402
import run  # noqa: E402
import vm  # noqa: E402

ARCH = "x86_64"
RESULTS = khotest.BUILD / "results"
CSV = RESULTS / "bench.csv"
PLOT = RESULTS / "boot-cost.svg"
# A part of the figures must not take the place of all of them.
QUICK_CSV = RESULTS / "bench-quick.csv"
QUICK_PLOT = RESULTS / "boot-cost-quick.svg"
README = TOP / "README.md"
README_PLOT = "boot-cost.svg"

# The clock that measures is told what it counts rather than left to find out.
PARAMETERS = "nokaslr tsc=reliable tsc_early_khz=1000000"
# Files are preserved before the next kernel is loaded, which is when a kernel of
# ours would find out by itself what that one reads.
OURS = "kho_write=memfd:3"
DEADLINE = 3 * 3600

MEMORY_LINE = re.compile(r"^\[ *(\d+\.\d+)\] Memory: ")
FIRST_LINE = re.compile(r"^\[ *(\d+\.\d+)\] khotest: # \w+, boot (\d+) ")
STABLE = re.compile(r"sched_clock: Marking stable \(.*\)->\(-?\d+, (-?\d+)\)")
TAKEN = re.compile(r"KHO: took over \d+ pages in \d+ runs, (\d+) us\b"
                   r"(?:, (\d+) KiB of scratch)?")
LATER = re.compile(r"node \d+ deferred pages initialised in (\d+)ms")
VALUE = re.compile(r"^# bench (\w+)=(\d+)$")
CALL = re.compile(r"\bkho_bench: (\w+) (\d+) (\d+)$")


def cases(quick, before=None):
    """(tree, case), the long ones first. A stock kernel needs hours for the
    largest fragmented files, so these are for ours alone. Of an earlier state
    of ours, named before, only what the README shows side by side."""
    found = machine_cases(False, 1, SIZES_QUICK if quick else SIZES)
    if before:
        found += [(before, case) for tree, case in found
                  if tree == "ours" and figures.in_readme(case)]
    if not quick:
        for eager, nodes in ((False, 2), (True, 1), (True, 2)):
            found += machine_cases(eager, nodes, SIZES_OTHER)
    found.append(SPARSE)
    return sorted(found, key=lambda found: -expected_work(*found))


# page and layout -> folios in both kernels, and in ours alone
SIZES = {
    ("4K", "contiguous"): ([4 ** i for i in range(10)], []),
    ("4K", "fragmented"): ([4 ** i for i in range(9)],
                           [2 ** i for i in range(17, 21)]),
    ("2M", "contiguous"): ([1, 8, 64, 512, 2048], [5120]),
    ("2M", "fragmented"): ([1, 8, 64, 512], []),
}
SIZES_OTHER = {
    ("4K", "contiguous"): ([1024, 65536, 262144], []),
    ("4K", "fragmented"): ([1024, 4096, 16384], [65536]),
    ("2M", "contiguous"): ([64], []),
    ("2M", "fragmented"): ([64], []),
}
SIZES_QUICK = {
    ("4K", "contiguous"): ([1, 4096, 65536, 262144], []),
    ("4K", "fragmented"): ([256, 1024, 4096], [65536, 131072]),
    ("2M", "fragmented"): ([64], []),
}
SIZES_LEFT = {("4K", "contiguous"): 4096, ("4K", "fragmented"): 4096,
              ("2M", "contiguous"): 64}
SIZES_MODULE = {("4K", "contiguous"): 4096, ("4K", "fragmented"): 2048,
                ("2M", "contiguous"): 32}


# 1 GiB of 1 TiB, which the format of stock kernels cannot hand over
SPARSE = ("ours", figures.Case(False, 1, "sparse", False, False, 262144))


def machine_cases(eager, nodes, sizes):
    wanted = [("file", what, *folios) for what, folios in sizes.items()]
    wanted += [(kind, what, [folios], [])
               for kind, table in (("left", SIZES_LEFT),
                                   ("module", SIZES_MODULE))
               for what, folios in table.items()]
    found = []
    for kind, (page, layout), both, ours in wanted:
        for folios in both + ours:
            case = figures.Case(eager, nodes, kind, page == "2M",
                                layout == "fragmented", folios)
            found += [(tree, case) for tree in figures.TREES
                      if tree == "ours" or folios in both]
    return found


def expected_work(tree, case):
    """A rough number, to start long cases first: stock has a square in it."""
    work = case.folios * (512 if case.huge else 1)
    if tree == "stock" and case.fragmented:
        work += case.folios ** 2 // 40
    return work


class Console:
    """Collects what one machine reports."""

    def __init__(self, case):
        self.case = case
        self.values = collections.defaultdict(list)
        self.memory_lines = []
        self.clock_offsets = []
        self.first_lines = []
        self.boots = run.Boots()

    def line(self, line):
        self.boots.line(line)
        for pattern, stamps in ((MEMORY_LINE, self.memory_lines),
                                (FIRST_LINE, self.first_lines)):
            found = pattern.match(line)
            if found:
                stamps.append(float(found[1]))
        found = STABLE.search(line)
        if found:
            self.clock_offsets.append(int(found[1]) / 1e9)
        found = TAKEN.search(line)
        if found:
            self.values["takeover"].append(int(found[1]) * 1000)
        if found and found[2]:
            self.values["scratch"].append(int(found[2]) // 4)
        found = CALL.search(line)
        if found:
            self.values[found[1]].append(int(found[2]) / int(found[3]))
        found = VALUE.match(khotest.result_line(line) or "")
        if found:
            self.values[found[1]].append(int(found[2]))

    def measured(self):
        """Metric -> value. Nothing if it is not complete."""
        values = {name: statistics.median(found)
                  for name, found in self.values.items()}
        if self.case.kind != "module":
            values = self.memfd_values(values)
        wanted = figures.METRICS[self.case.kind]
        return {} if set(wanted) - set(values) else values

    def memfd_values(self, values):
        """Before the line STABLE the kernel's clock follows its ticks, from
        one boot to the next within 0.0005 s. After it, it is that of the
        processor, and the line says how far ahead."""
        stamps = self.memory_lines, self.clock_offsets, self.first_lines
        if any(len(both) != 2 for both in stamps):
            return {}
        values = {name: value / self.case.folios
                  if name in ("preserve", "retrieve", "discard") else value
                  for name, value in values.items()}
        first = [stamp - offset for stamp, offset in
                 zip(self.first_lines, self.clock_offsets)]
        for name, (cold, second) in (("boot", self.memory_lines),
                                     ("init", first)):
            values["cold_" + name] = cold
            values[name] = second - cold
        return values


# The kernel of an earlier state of ours: name -> directory
BEFORE = {}


def kernel_directory(tree, case):
    if tree in BEFORE:
        return BEFORE[tree]
    fragment = "+bench-nodefer" if case.eager else ""
    return khotest.BUILD / f"kernels/{tree}-{ARCH}-bench{fragment}"


def measure(tree, case):
    """(metric -> value, reasons why not)"""
    logs = RESULTS / "bench"
    logs.mkdir(parents=True, exist_ok=True)
    scenario = "bench_calls" if case.kind == "module" else "bench_memfd"
    name = "-".join(str(value) for value in dataclasses.astuple(case))
    log = logs / f"{tree}-{name}.log"
    built = kernel_directory(tree, case)
    files = {"bench": case.parameters().encode()}
    if case.kind == "module":
        files["kho_bench.ko"] = built / "bench/kho_bench.ko"
    console = Console(case)
    with tempfile.TemporaryDirectory(prefix="kho-") as directory:
        machine = khotest.machine(
            ARCH, scenario, {tree: built / "image"}, directory, str(log),
            seed=1, cmdline=f"{PARAMETERS} {OURS if tree == 'ours' else ''}".strip(),
            files=files, smp=1, nodes=case.nodes,
            memory=f"{case.memory() >> 20}M", deadline=DEADLINE, icount=True)
        ended = vm.run(machine, console.line)
    values = console.measured()
    faults = list(console.boots.complaints()) + list(console.boots.failures())
    faults += khotest.problems(log, [])
    if ended.status != "exited":
        faults += [f"the machine {ended.status}, its last lines:",
                   *ended.last_lines[-6:]]
    if not values and not faults:
        faults = [f"results are missing, there are {sorted(console.values)}"]
    if faults:
        faults.append(f"log: {log}")
    return values, faults, ended.seconds


# Wall time: 4 GiB in huge pages, in machines of so many processors. What the host
# does beside it can only make a boot longer, so the shortest one counts.
PROCESSORS = (1, 2, 8)
BOOTS = 5


# Nothing says yet how fast the clock of such a machine is: it counts cycles.
TAKEN_CYCLES = re.compile(r"KHO: took over \d+ pages in \d+ runs, (\d+) cycles")


def processor_times(smp):
    """(cycles of the take-over, milliseconds of deferred initialization)"""
    case = figures.Case(False, 1, "file", True, False, 2048)
    found = {TAKEN_CYCLES: [], LATER: []}

    def line(text):
        for pattern, values in found.items():
            match = pattern.search(text)
            if match:
                values.append(int(match[1]))

    with tempfile.TemporaryDirectory(prefix="kho-") as directory:
        machine = khotest.machine(
            ARCH, "bench_memfd", {"ours": kernel_directory("ours", case) / "image"},
            directory, str(RESULTS / f"bench-processors-{smp}.log"), seed=1,
            cmdline=f"nokaslr tsc=reliable {OURS}",
            files={"bench": case.parameters().encode()}, smp=smp,
            memory=f"{case.memory() >> 20}M", deadline=DEADLINE)
        vm.run(machine, line)
    if len(found[TAKEN_CYCLES]) != 1 or len(found[LATER]) != 2:
        sys.exit(f"bench: no figures, see {machine.log}")
    return found[TAKEN_CYCLES][0], found[LATER][1]


def measure_processors():
    RESULTS.mkdir(parents=True, exist_ok=True)
    khotest.say("processors  take-over, cycles  other struct pages, ms")
    for smp in PROCESSORS:
        boots = [processor_times(smp) for _ in range(BOOTS)]
        best = [min(values) for values in zip(*boots)]
        khotest.say(f"{smp:<10}  {best[0]:>17,}  {best[1]:>21,}")


class Run:
    """All cases, as many at a time as there are processors for and as free,
    bytes of memory, holds; says which, and how each went."""

    def __init__(self, todo, csv, free):
        self.todo = todo
        self.csv = csv
        self.free = free
        self.freed = threading.Condition()
        self.results = collections.defaultdict(dict)
        self.failed = 0
        self.started = 0
        self.lock = threading.Lock()

    @contextlib.contextmanager
    def memory(self, size):
        with self.freed:
            self.freed.wait_for(lambda: size <= self.free)
            self.free -= size
        try:
            yield
        finally:
            with self.freed:
                self.free += size
                self.freed.notify_all()

    def one(self, job):
        with self.memory(job[1].memory()):
            self.measure(*job)

    def measure(self, tree, case):
        with self.lock:
            self.started += 1
            number = f"[{self.started} of {len(self.todo)}] {tree}"
            khotest.say(f"{number}: {case.label()}")
        values, faults, seconds = measure(tree, case)
        with self.lock:
            khotest.say(f"{number}: {brief(values) or 'FAILED'}, "
                        f"{seconds:.0f} s")
            for fault in faults:
                khotest.say(f"    {fault}")
            if faults:
                self.failed += 1
            else:
                self.results[case][tree] = values
                figures.write_csv(self.csv.with_suffix(".part"), self.results)

    def all(self):
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(self.one, self.todo))
        figures.write_csv(self.csv, self.results)
        self.csv.with_suffix(".part").unlink(missing_ok=True)
        return self.results


def brief(values):
    return ", ".join(f"{name} {figures.number(name, values[name])}"
                     for name in ("boot", "preserve", "retrieve", "discard",
                                  "preserve_many", "restore_many")
                     if name in values)


def update_readme():
    if not CSV.exists():
        sys.exit(f"bench: there is no {CSV}; run make bench")
    day = datetime.date.fromtimestamp(CSV.stat().st_mtime).isoformat()
    text = README.read_text(encoding="utf-8")
    block = figures.readme_block(figures.read_csv(CSV), day,
                                 README_PLOT)
    README.write_text(figures.replace_block(text, block), encoding="utf-8")
    # gnuplot ends some lines with a blank.
    lines = PLOT.read_text(encoding="utf-8").splitlines()
    (TOP / README_PLOT).write_text("".join(f"{line.rstrip()}\n" for line in lines),
                                   encoding="utf-8")
    khotest.say(f"bench: figures of {day} are in {README} and {README_PLOT}")


def free_memory():
    with open("/proc/meminfo", encoding="ascii") as lines:
        return next(int(line.split()[1]) << 10 for line in lines
                    if line.startswith("MemAvailable:"))


def plan(todo, free):
    """What fits into memory, and what does not."""
    fits = [job for job in todo if job[1].memory() <= free]
    return fits, [job for job in todo if job not in fits]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--readme", action="store_true",
                        help="take the results of the last run into README.md")
    parser.add_argument("--processors", action="store_true",
                        help="measure only what more processors change")
    parser.add_argument("--before", nargs=2, metavar=("NAME", "DIRECTORY"),
                        help="measure the kernel in DIRECTORY as well, an "
                        "earlier state of ours that NAME says")
    args = parser.parse_args()
    if args.readme:
        update_readme()
        return 0
    if args.before:
        BEFORE[args.before[0]] = pathlib.Path(args.before[1])
    khotest.require_tools(ARCH)
    khotest.guest(ARCH)
    if args.processors:
        measure_processors()
        return 0
    free = free_memory()
    todo, too_large = plan(cases(args.quick, next(iter(BEFORE), None)), free)
    for tree, case in too_large:
        khotest.say(f"left out, needs {case.memory() >> 30} GiB of memory: "
                    f"{tree}, {case.label()}")
    khotest.say(f"{len(todo)} machines")
    csv, plot = (QUICK_CSV, QUICK_PLOT) if args.quick else (CSV, PLOT)
    bench = Run(todo, csv, free)
    results = bench.all()
    figures.write_plot(plot, results)
    for line in figures.tables(results):
        khotest.say(line)
    khotest.say("")
    judged = figures.all_targets(results)
    for target in judged:
        for line in target.lines():
            khotest.say(line)
    khotest.say(f"{bench.failed} of {len(todo)} machines failed; results: "
                f"{csv}, {plot}")
    missed = any(target.met() is False for target in judged)
    return 1 if bench.failed or missed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of scripts/bench.py and benchfigures.py: what they read from a console,
and what they make of figures. Boots nothing.
"""
import pathlib
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import bench  # noqa: E402
import benchfigures as figures  # noqa: E402

CASE = figures.Case(False, 1, "file", False, True, 4)
LEFT = figures.Case(False, 1, "left", False, True, 4)
MODULE = figures.Case(False, 1, "module", False, False, 4)
MEMFD_LOG = """[    0.250000] Memory: 3000K/4000K available
[    0.300000] sched_clock: Marking stable (9, -9)->(8, 50000000)
[    0.400000] khotest: # bench_memfd, boot 1 of 2, kernel ours
[    0.500000] khotest: # bench preserve=1000
[    0.500000] khotest: # bench metadata=9
[    0.500000] khotest: # bench runs=5
[    0.350000] Memory: 3000K/4000K available
[    0.360000] sched_clock: Marking stable (9, 9)->(8, -10000000)
[    0.600000] khotest: # bench_memfd, boot 2 of 2, kernel ours
[    0.700000] khotest: # bench retrieve=2000
[    0.700000] khotest: # bench finish=400
"""
MEMFD_VALUES = {
    "cold_boot": 0.25, "boot": 0.1, "cold_init": 0.35, "init": 0.26,
    "preserve": 250, "retrieve": 500, "finish": 400, "metadata": 9, "runs": 5}
CALLS_LOG = "".join(f"[    0.1] kho_bench: {name} {cycles} {calls}\n"
                    for name, cycles, calls in (
                        ("preserve_many", 400, 4), ("unpreserve_many", 200, 4),
                        ("preserve_one", 160, 1), ("unpreserve_one", 150, 1),
                        ("restore_many", 40, 4), ("restore_one", 280, 1)))
MODULE_METRICS = figures.METRICS["module"]
CALLS_VALUES = {"preserve_many": 100, "unpreserve_many": 50,
                "preserve_one": 160, "unpreserve_one": 150,
                "restore_many": 10, "restore_one": 280}


def measured(case, log):
    console = bench.Console(case)
    for line in log.splitlines():
        console.line(line)
    return {name: round(value, 6)
            for name, value in console.measured().items()}


def without(log, text):
    return "".join(line for line in log.splitlines(True) if text not in line)


def console_cases():
    yield ("the median of several files counts", measured(
        CASE, MEMFD_LOG + "[    0.8] khotest: # bench retrieve=2400\n" +
        "[    0.8] khotest: # bench retrieve=99999\n")["retrieve"] == 600)
    yield "console of a memfd", measured(CASE, MEMFD_LOG) == MEMFD_VALUES
    took = "[    0.0] KHO: took over 9 pages in 5 runs, 310 us"
    for tail, scratch in (("", None), (", 8 KiB of scratch", 2)):
        found = measured(CASE, f"{MEMFD_LOG}{took}{tail}\n")
        yield (f"take-over: {took}{tail}", found["takeover"] == 310000 and
               found.get("scratch") == scratch)
    left = without(MEMFD_LOG, "retrieve=").replace("finish=", "discard=")
    yield ("console of a memfd that is not retrieved",
           measured(LEFT, left)["discard"] == 100)
    yield "console of the module", measured(MODULE, CALLS_LOG) == CALLS_VALUES
    for text in ("preserve=", "retrieve=", "finish=", "metadata=",
                 "0.350000", "0.360000", "boot 2 of 2"):
        yield (f"nothing without the line with {text}",
               not measured(CASE, without(MEMFD_LOG, text)))
    yield ("nothing without a call",
           not measured(MODULE, without(CALLS_LOG, "restore_one")))
    yield ("a third boot is a fault", not measured(
        CASE, MEMFD_LOG + "[    0.2] Memory: 1K/2K available\n"))
    yield ("a program cannot speak for the kernel", not measured(
        MODULE, without(CALLS_LOG, "restore_one") +
        "[    0.1] khotest: # kho_bench: restore_one many 1\n"))


def memfd_values(boot=0.1, preserve=1000.0, metadata=9.0):
    return {**MEMFD_VALUES, "boot": boot, "preserve": preserve,
            "metadata": metadata}


def is_slower(metric, stock, ours):
    return figures.slower(metric, memfd_values(**{metric: stock}),
                          memfd_values(**{metric: ours}))


def slower_cases():
    yield "1 % slower is not slower", not is_slower("preserve", 1000, 1010)
    yield "more than 1 % is", is_slower("preserve", 1000, 1011)
    yield "faster is not", not is_slower("preserve", 1000, 10)
    yield "boot: 1 % is not", not is_slower("boot", 100, 101)
    yield "boot: more is", is_slower("boot", 100, 101.1)
    yield ("boot: what the clock cannot tell is not",
           not is_slower("boot", -0.0004, 0))
    yield "boot: more than that is", is_slower("boot", -0.0004, 0.0002)
    yield "one more page of metadata is", is_slower("metadata", 9, 10)
    yield "as many are not", not is_slower("metadata", 9, 9)


def slower_line_cases():
    results = {figures.plain(folios, False): {
        "stock": memfd_values(preserve=100), "ours": memfd_values(preserve=ours)}
        for folios, ours in ((1, 100), (2, 200), (4, 150))}
    found = figures.all_slower(results)
    yield "what is slower, by case", found == [
        ("preserve", figures.plain(folios, False)) for folios in (2, 4)]
    yield "a line for each metric names the worst", \
        list(figures.slower_lines(results, found)) == [
            "preserve: 2, at most 200 where stock has 100: "
            + figures.plain(2, False).label()]


def results_of(*rows):
    """rows: folios, fragmented, boot cost of stock and of ours"""
    return {figures.plain(folios, fragmented): {
        tree: memfd_values(boot=cost)
        for tree, cost in zip(figures.TREES, costs) if cost is not None}
        for folios, fragmented, *costs in rows}


def verdicts(results):
    return [target.met() for target in figures.targets(results)]


def target_cases():
    good = results_of((65536, True, 97, 0.02), (131072, True, None, 0.04),
                      (262144, True, None, 0.084), (262144, False, 1, 0.0045),
                      (1 << 20, True, None, 0.33))
    huge = figures.Case(False, 1, "file", True, False, 2048)
    good[huge] = {"ours": {"takeover": 500000}}
    largest = figures.Case(False, 1, "file", True, False, 5120)
    good[largest] = {"ours": {"scratch": 2}}
    calls = {"stock": {name: 300 for name in MODULE_METRICS},
             "ours": {name: 99 for name in MODULE_METRICS}}
    good[MODULE] = calls
    yield "targets met", verdicts(good) == [True] * 10
    yield "targets not measured", verdicts({}) == [None] * 10
    bad = results_of((65536, True, 97, 0.051), (131072, True, None, 0.12),
                     (262144, False, 0.001, 0.0046), (1 << 20, True, None, 0.34))
    bad[huge] = {"ours": {"takeover": 500001}}
    bad[largest] = {"ours": {"scratch": 3}}
    bad[MODULE] = {"stock": calls["stock"],
                  "ours": {name: 101 for name in MODULE_METRICS}}
    yield "targets missed", verdicts(bad) == [False] * 10
    large = figures.Case(False, 1, "module", True, False, 4)
    huge_only = {large: bad[MODULE]}
    yield ("a share of huge pages is no target",
           verdicts(huge_only)[3:5] == [None, None])
    yield ("a doubling needs both ends", verdicts(results_of(
        (65536, True, 97, 0.01), (262144, True, None, 9)))[2] is None)
    yield ("the worst doubling counts", verdicts(results_of(
        (65536, True, 97, 0.01), (131072, True, None, 0.03),
        (262144, True, None, 0.03)))[2] is False)
    yield "ratio by nothing", figures.ratio(0, 1) is None
    yield "ratio to nothing", figures.ratio(None, 1) is None


def output_cases(directory):
    results = results_of((1, True, -0.0004, -0.0003),
                         (65536, True, 97.39, 0.03), (1 << 20, True, None, 0.5))
    path = directory / "bench.csv"
    figures.write_csv(path, results)
    yield "what the CSV file says is what was measured", \
        figures.read_csv(path) == results
    lines = "\n".join(figures.tables(results))
    yield "the table has both figures and the ratio", all(
        text in lines for text in ("97.3900", "0.0300", "0.00031"))
    yield "the table does not invent figures of stock", \
        lines.count("stock") == 2 and lines.count("ours") == 3
    script = figures.gnuplot_script(results, "x.svg")
    yield "the plot has a place for what has no logarithm", \
        "65536 97.39" in script and "\n9 0.0005\n" in script
    yield "a ratio of less than nothing", figures.ratio_text(1, -1) == "< 0"
    yield "no plot of nothing", figures.gnuplot_script({}, "x.svg") == ""
    for case in results:
        results[case]["abc"] = memfd_values(boot=7, preserve=9e9)
    figures.write_csv(path, results)
    yield "an earlier state of ours is in the CSV file", \
        figures.read_csv(path) == results
    yield "and is judged by nobody", figures.all_slower(results) == []
    yield "and has a line in the plot", \
        "abc, fragmented" in figures.gnuplot_script(results, "x.svg")
    yield "and a column in the README", \
        "| boot, stock | abc | ours |" in figures.readme_block(results, "", "")
    yield "but none without it", "boot, stock | ours" in figures.readme_block(
        results_of((65536, True, 97.39, 0.03)), "", "")


def readme_cases():
    text = f"a\n{figures.BEGIN}old\n{figures.END}b\n"
    new = figures.replace_block(text, "new\n")
    yield "the block is replaced", \
        new == f"a\n{figures.BEGIN}new\n{figures.END}b\n"
    yield "and can be again", figures.replace_block(new, "old\n") == text
    for name, broken in (("begin", figures.END), ("end", figures.BEGIN),
                         ("order", figures.END + figures.BEGIN)):
        try:
            figures.replace_block(broken, "new\n")
            yield f"marks without {name} are an error", False
        except ValueError:
            yield f"marks without {name} are an error", True


def format_target_cases():
    full, sparse = figures.plain(262144, False), bench.SPARSE[1]
    good = {full: {"ours": {"preserve": 110, "retrieve": 350, "metadata": 16}},
            figures.plain(65536, True): {"ours": {"preserve": 200, "retrieve": 600}},
            sparse: {"ours": {"preserve": 132, "retrieve": 420, "metadata": 9}}}
    bad = {case: {"ours": {name: value + 1 for name, value in ours["ours"].items()}}
           for case, ours in good.items()}
    bad[sparse]["ours"]["retrieve"] = 422
    for results, met in ((good, True), (bad, False), ({}, None)):
        yield f"targets of the format: {met}", [
            target.met() for target in figures.format_targets(results)] == [met] * 6
    yield "they are judged", figures.all_targets(good)[-1].met()
    yield "a sparse file", "retrieve=1 " in sparse.parameters() and \
        sparse.parameters().endswith(" sparse=1023") and \
        full.parameters().endswith(" sparse=0")


def plan_cases():
    gib = figures.GIB
    todo = bench.cases(False)
    yield "plenty of memory", bench.plan(todo, 1000 * gib) == (todo, [])
    fits, too_large = bench.plan(todo, 4 * gib)
    yield "little memory: what is too large is named", \
        fits and too_large and sorted(fits + too_large) == sorted(todo)
    yield "each case once", len(set(todo)) == len(todo)
    yield "a part is quick", set(bench.cases(True)) < set(todo)
    both = bench.cases(False, "abc")
    yield "what the README shows of an earlier state", \
        {case for tree, case in both if tree == "abc"} == \
        {case for tree, case in todo if figures.in_readme(case)}


class WouldWait(threading.Condition):
    def wait_for(self, predicate, timeout=None):
        if not predicate():
            raise BlockingIOError


def memory_cases():
    job = ("ours", figures.Case(False, 1, "file", False, False, 4096))
    size = job[1].memory()
    for free, waits in ((2 * size, False), (2 * size - 1, True)):
        machines = bench.Run([job], None, free)
        machines.freed = WouldWait()

        def run_another(*_):
            with machines.memory(size):
                pass

        machines.measure = run_another
        try:
            machines.one(job)
            waited = False
        except BlockingIOError:
            waited = True
        yield f"{free - size} bytes left, another machine waits: {waits}", \
            waited == waits
        yield "what the machines had is free again", machines.free == free


def main():
    with tempfile.TemporaryDirectory() as directory:
        cases = [*console_cases(), *slower_cases(), *slower_line_cases(),
                 *target_cases(),
                 *format_target_cases(), *output_cases(pathlib.Path(directory)), *readme_cases(),
                 *plan_cases(), *memory_cases()]
    print("TAP version 13")
    print(f"1..{len(cases)}")
    for number, (name, holds) in enumerate(cases, 1):
        print(f"{'ok' if holds else 'not ok'} {number} - {name}")
    return 0 if all(holds for _, holds in cases) else 1


if __name__ == "__main__":
    sys.exit(main())

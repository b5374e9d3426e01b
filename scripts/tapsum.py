#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Sums up TAP and KTAP files.

tapsum.py layer TOTALS NAME STATUS SECONDS LOG [FILE...]
    Reads what one layer wrote, prints a line with its counts and one for each
    test that did not pass, and adds the counts to the file TOTALS.
tapsum.py total TOTALS
    Prints what failed once more, where the time went, and the sum of all layers;
    exit status 1 if anything failed.

Leaf tests are counted, a suite is not. The comments before a test that failed,
or if there are none those after it, say why. What keeps a result from being trusted
counts as a failure of its own: no file, no plan, no tests, a plan that was not
kept, or an exit status that no failed test explains.
"""
import collections
import re
import sys

PREFIX = re.compile(r"^\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ")
PLAN = re.compile(r"^( *)1\.\.(\d+)\s*(#\s*SKIP\b.*)?$", re.IGNORECASE)
RESULT = re.compile(r"^( *)(ok|not ok) (\d+)(?: -)? ?(.*)$")
SKIP = re.compile(r"\s*#\s*SKIP\b\s*(.*)$", re.IGNORECASE)
COMMENT = re.compile(r"^ *# *(.*\S)")
FAILED = "failed: "
VERSION = re.compile(r"^K?TAP version \d+\s*$")
COMMENTS = 3    # as many of them tell enough; the log has all


class Level:
    """The tests at one indentation that belong to one parent."""

    def __init__(self, indent):
        self.indent = indent
        self.plan = None
        self.count = 0
        self.results = []

    def broken_plan(self):
        if self.plan is not None and self.plan != self.count:
            return f"{self.plan} tests planned, {self.count} ran"
        return None


class Parser:
    """results: (test, "passed" | "failed" | "skipped", reason) of each leaf."""

    def __init__(self):
        self.results = []
        self.levels = [Level(0)]
        self.comments = []
        self.unexplained = None     # the level whose last test failed, without

    def children(self, indent):
        """Close the levels deeper than indent; return the outermost one."""
        child = None
        while self.levels[-1].indent > indent:
            inner, child = child, self.levels.pop()
            if inner:
                child.results += inner.results
        return child

    def level(self, indent):
        if self.levels[-1].indent < indent:
            self.levels.append(Level(indent))
        return self.levels[-1]

    def plan(self, indent, number, skip):
        unclosed = self.children(indent)
        level = self.level(indent)
        if unclosed:
            level.results += unclosed.results
        level.plan = number
        if skip and not number:
            level.results.append(("all", "skipped", skip))

    def result(self, indent, passed, text):
        child = self.children(indent)
        level = self.level(indent)
        level.count += 1
        skip = SKIP.search(text)
        name = SKIP.sub("", text).strip() or f"test {level.count}"
        if skip and not (child and child.results):
            level.results.append((name, "skipped", skip.group(1)))
            return
        if not child:
            self.leaf(level, name, passed)
            return
        leaves = [(f"{name}: {n}", v, why) for n, v, why in child.results]
        if child.broken_plan():
            leaves.append((name, "failed", child.broken_plan()))
        if not passed and all(v != "failed" for _, v, _ in leaves):
            leaves.append((name, "failed", "no test in it failed"))
        level.results += leaves

    def leaf(self, level, name, passed):
        if passed:
            level.results.append((name, "passed", ""))
            return
        why = "; ".join(self.comments[:COMMENTS])
        level.results.append((name, "failed", why))
        if not why:
            self.unexplained = level

    def comment(self, text):
        self.comments.append(text)
        if self.unexplained and len(self.comments) <= COMMENTS:
            name, verdict, _ = self.unexplained.results.pop()
            self.unexplained.results.append(
                (name, verdict, "; ".join(self.comments)))

    def end_stream(self):
        unclosed = self.children(0)
        top = self.levels[0]
        if unclosed:
            top.results += unclosed.results
            top.results.append(("end", "failed", "stopped inside a suite"))
        if top.plan is None:
            top.results.append(("plan", "failed", "no plan"))
        elif top.broken_plan():
            top.results.append(("plan", "failed", top.broken_plan()))
        elif not top.results:
            top.results.append(("plan", "failed", "no tests"))
        self.results += top.results
        self.levels = [Level(0)]

    def line(self, text):
        text = PREFIX.sub("", text.rstrip())
        top = self.levels[0]
        if VERSION.match(text):
            if top.count or top.plan is not None:
                self.end_stream()
            return
        if text.startswith("Bail out!"):
            top.results.append(("bail out", "failed", text[9:].strip()))
            return
        plan = PLAN.match(text)
        if plan:
            self.unexplained = None
            self.plan(len(plan[1]), int(plan[2]), plan[3])
            return
        comment = COMMENT.match(text)
        if comment:
            self.comment(comment[1])
            return
        result = RESULT.match(text)
        if result:
            if self.unexplained:
                self.comments = []
            self.unexplained = None
            self.result(len(result[1]), result[2] == "ok", result[4])
            self.comments = []


def parse(lines):
    parser = Parser()
    for line in lines:
        parser.line(line)
    parser.end_stream()
    return parser.results


def read_layer(files, status):
    results = [] if files else [("results", "failed", "no TAP file")]
    for path in files:
        try:
            with open(path, encoding="utf-8", errors="replace") as tap:
                results += parse(tap)
        except OSError as err:
            results.append((path, "failed", err.strerror))
    if status and all(v != "failed" for _, v, _ in results):
        results.append(("exit status", "failed", f"it was {status}"))
    return results


def counts(passed, failed, skipped):
    text = f"{passed} passed, {failed} failed"
    return text + f", {skipped} skipped" if skipped else text


def layer(totals, name, status, seconds, log, *files):
    results = read_layer(files, int(status))
    number = [sum(v == verdict for _, v, _ in results)
              for verdict in ("passed", "failed", "skipped")]
    print(f"{name}: {counts(*number)} ({seconds} s)")
    for test, verdict, why in results:
        if verdict != "passed":
            print(f"    {verdict}: {test}" + (f" ({why})" if why else ""))
    if number[1]:
        print(f"    log: {log}")
    sys.stdout.flush()
    with open(totals, "a", encoding="utf-8") as out:
        print(*number, seconds, name, file=out)
        for test, verdict, why in results:
            if verdict == "failed":
                print(f"{FAILED}{name}: {test}"
                      + (f" ({why})" if why else ""), file=out)


Row = collections.namedtuple("Row", "number seconds name")


def read_totals(lines):
    """A row for each layer; its number is that of tests passed, failed, skipped."""
    rows = (line.split() for line in lines if not line.startswith(FAILED))
    return [Row([int(n) for n in number], int(seconds), name)
            for *number, seconds, name in rows]


def total(totals):
    with open(totals, encoding="utf-8") as lines:
        lines = lines.read().splitlines()
    for line in lines:
        if line.startswith(FAILED):
            print(line)
    rows = read_totals(lines)
    times = sorted(((row.seconds, row.name) for row in rows), reverse=True)
    print(f"{sum(seconds for seconds, _ in times) / 60:.0f} minutes: "
          + ", ".join(f"{name} {seconds} s" for seconds, name in times))
    number = [sum(row.number[i] for row in rows) for i in range(3)] \
        if rows else [0, 1, 0]
    print(counts(*number))
    return 1 if number[1] else 0


def main(argv):
    if len(argv) >= 6 and argv[0] == "layer":
        return layer(*argv[1:])
    if len(argv) == 2 and argv[0] == "total":
        return total(argv[1])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Prints every line that was compiled and never run.

uncovered.py SOURCE_TREE [--only FUNCTION_PATTERN FILE]... < LCOV

LCOV is what "llvm-cov export --format=lcov" prints. For a FILE that --only
names, a path from the top of SOURCE_TREE, just the functions that match the
pattern count.
"""
import argparse
import pathlib
import re
import sys


class Source:
    def __init__(self, path):
        self.path = path
        self.functions = []     # (first line, name), in the order of lines
        self.runs = {}          # by line

    def function_at(self, line):
        names = [name for first, name in self.functions if first <= line]
        return names[-1] if names else ""

    def lines(self, pattern):
        return [line for line in sorted(self.runs)
                if not pattern or re.search(pattern, self.function_at(line))]


def read_lcov(stream):
    source = None
    for record in stream:
        key, _, value = record.strip().partition(":")
        if key == "SF":
            source = Source(value)
        elif key == "FN":
            first, name = value.split(",", 1)
            source.functions.append((int(first), name.rpartition(":")[2]))
        elif key == "DA":
            line, runs = value.split(",")[:2]
            source.runs[int(line)] = int(runs)
        elif key == "end_of_record":
            source.functions.sort()
            yield source


def report(source, name, pattern):
    text = pathlib.Path(source.path).read_text(encoding="utf-8").splitlines()
    lines = source.lines(pattern)
    missed = [line for line in lines if not source.runs[line]]
    print(f"{name}: {len(lines) - len(missed)} of {len(lines)} lines run")
    for line in missed:
        print(f"    {name}:{line}: {text[line - 1].strip()}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tree", type=pathlib.Path)
    parser.add_argument("--only", nargs=2, action="append", default=[])
    args = parser.parse_args()
    patterns = {name: pattern for pattern, name in args.only}

    for source in read_lcov(sys.stdin):
        path = pathlib.Path(source.path).resolve()
        name = str(path.relative_to(args.tree.resolve()))
        report(source, name, patterns.get(name))


if __name__ == "__main__":
    main()

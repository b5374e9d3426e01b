#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of scripts/tapsum.py: what it makes of good and of broken TAP."""
import contextlib
import io
import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tapsum  # noqa: E402

# name, input, (passed, failed, skipped)
PARSED = [
    ("flat", "TAP version 13\n1..2\nok 1 - a\nnot ok 2 - b\n", (1, 1, 0)),
    ("plan at the end", "ok 1 a\nok 2 b\n1..2\n", (2, 0, 0)),
    ("skip", "1..2\nok 1 a # SKIP no KVM\nok 2 b\n", (1, 0, 1)),
    ("everything skipped", "1..0 # SKIP no compiler\n", (0, 0, 1)),
    ("empty", "", (0, 1, 0)),
    ("no plan", "ok 1 a\n", (1, 1, 0)),
    ("no tests", "1..0\n", (0, 1, 0)),
    ("fewer tests than planned", "1..3\nok 1 a\n", (1, 1, 0)),
    ("more tests than planned", "1..1\nok 1 a\nok 2 b\n", (2, 1, 0)),
    ("bail out", "1..1\nok 1 a\nBail out! no disk\n", (1, 1, 0)),
    ("noise is ignored", "boot\n# not ok 1 x\n1..1\nok, go\nok 1 a\n",
     (1, 0, 0)),
    ("two streams", "TAP version 13\n1..1\nok 1 a\n"
     "TAP version 13\n1..2\nok 1 b\n", (2, 1, 0)),
    ("leaves of a suite", "KTAP version 1\n1..1\n    KTAP version 1\n"
     "    1..2\n    ok 1 a\n    ok 2 b\nok 1 suite\n", (2, 0, 0)),
    ("three levels", "1..1\n    1..1\n        ok 1 p\n        not ok 2 q\n"
     "    not ok 1 case\nnot ok 1 suite\n", (1, 1, 0)),
    ("two suites", "1..2\n    1..1\n    ok 1 a\nok 1 s\n    1..1\n"
     "    ok 1 a\nok 2 t\n", (2, 0, 0)),
    ("suite fails, no test in it does", "1..1\n    1..1\n    ok 1 a\n"
     "not ok 1 suite\n", (1, 1, 0)),
    ("suite breaks its plan", "1..1\n    1..2\n    ok 1 a\nok 1 suite\n",
     (1, 1, 0)),
    ("crash inside a suite", "1..1\n    1..2\n    ok 1 a\nOops\n", (1, 2, 0)),
    ("printk times", "[    0.10] KTAP version 1\n[    0.10] 1..1\n"
     "[    0.20]     1..1\n[    0.30]     ok 1 a\n[    1.00] ok 1 s\n",
     (1, 0, 0)),
    ("skipped suite", "1..1\n    1..1\n    ok 1 a # SKIP x\n"
     "ok 1 s # SKIP x\n", (0, 0, 1)),
]


def verdicts(results):
    found = [v for _, v, _ in results]
    return tuple(found.count(v) for v in ("passed", "failed", "skipped"))


# name, input, why each test failed
EXPLAINED = [
    ("comments after a failed test", "not ok 1 a\n# x\n# y\nok 2 b\n1..2\n",
     ["x; y"]),
    ("comments before it", "1..2\n# x\nnot ok 1 a\n# of the next\nok 2 b\n",
     ["x"]),
    ("comments of a test that passed", "ok 1 a\n# x\nok 2 b\nnot ok 3 c\n"
     "1..3\n", [""]),
    ("comments in a suite", "1..1\n    1..2\n    # x\n    not ok 1 a\n"
     "    not ok 2 b\n    # y\nnot ok 1 s\n", ["x", "y"]),
    ("many comments", "not ok 1 a\n# 1\n# 2\n# 3\n# 4\n1..1\n", ["1; 2; 3"]),
]


def layer_cases(directory):
    """name, whether it holds: exit status and files of a whole layer."""
    good = directory / "good.tap"
    good.write_text("1..1\nok 1 a\n", encoding="utf-8")
    bad = directory / "bad.tap"
    bad.write_text("1..1\nnot ok 1 a\n", encoding="utf-8")

    def layer(status, *files):
        return verdicts(tapsum.read_layer(files, status))

    yield "layer passes", layer(0, good) == (1, 0, 0)
    yield "status without a failed test", layer(2, good) == (1, 1, 0)
    yield "status with a failed test", layer(1, good, bad) == (1, 1, 0)
    yield "missing file", layer(0, directory / "none") == (0, 1, 0)
    yield "no file", layer(0) == (0, 1, 0)
    yield "skips are named only if there are any", (
        tapsum.counts(3, 0, 0) == "3 passed, 0 failed"
        and tapsum.counts(3, 1, 2) == "3 passed, 1 failed, 2 skipped")


def total_cases(directory):
    """name, whether it holds: what the end of a run says."""
    tap = directory / "two.tap"
    tap.write_text("1..2\nok 1 a\nnot ok 2 - b c\n# x\n", encoding="utf-8")
    totals = str(directory / "totals")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        for name, seconds in (("one", "9"), ("two", "200")):
            tapsum.layer(totals, name, "1", seconds, "log", str(tap))
        out.truncate(0)
        out.seek(0)
        status = tapsum.total(totals)
    yield "the end names what failed, the time, then the sum", (
        out.getvalue() == "failed: one: b c (x)\nfailed: two: b c (x)\n"
        "3 minutes: two 200 s, one 9 s\n"
        "2 passed, 2 failed\n")
    yield "and has the exit status of a failure", status == 1


def main():
    cases = []
    for name, text, expected in PARSED:
        cases.append((name, verdicts(tapsum.parse(text.splitlines())) == expected))
    for name, text, expected in EXPLAINED:
        failed = [why for _, verdict, why in tapsum.parse(text.splitlines())
                  if verdict == "failed"]
        cases.append((name, failed == expected))
    with tempfile.TemporaryDirectory() as directory:
        cases += layer_cases(pathlib.Path(directory))
        cases += total_cases(pathlib.Path(directory))
    print("TAP version 13")
    print(f"1..{len(cases)}")
    for number, (name, holds) in enumerate(cases, 1):
        print(f"{'ok' if holds else 'not ok'} {number} - {name}")
    return 0 if all(holds for _, holds in cases) else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of the judgement in tools/testing/selftests/kho: which console logs
run.py takes for a failure. Boots nothing.
"""
import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] /
                       "tools/testing/selftests/kho"))
import khotest  # noqa: E402
import run  # noqa: E402

FIRST = """khotest: # x, boot 1 of 2, kernel ours
khotest: ok 1 a
khotest: 1..1
"""
SECOND = """khotest: # x, boot 2 of 2, kernel ours
khotest: ok 1 b
khotest: 1..1
khotest: # end of scenario
"""

# name, console log, does it pass?
LOGS = [
    ("all well", FIRST + SECOND, True),
    ("no boot at all", "QEMU: no such file\n", False),
    ("second boot missing", FIRST, False),
    ("first boot twice", FIRST + FIRST + SECOND, False),
    ("failed test", FIRST + SECOND.replace("ok 1", "not ok 1"), False),
    ("plan missing", FIRST.replace("khotest: 1..1\n", "") + SECOND, False),
    ("test lost", FIRST.replace("khotest: ok 1 a\n", "") + SECOND, False),
    ("end missing", FIRST + SECOND.replace("# end of scenario", "#"), False),
    ("warning", FIRST + "[ 0.1] WARNING: mm/page_alloc.c:1\n" + SECOND, False),
    ("panic", FIRST + "[ 0.1] Kernel panic - not syncing: x\n" + SECOND, False),
    ("arm64 trace", FIRST + "[ 0.1] Call trace:\n" + SECOND, False),
    ("expected warning", FIRST + "WARNING: expected\n" + SECOND, True),
    ("a race elsewhere",
     FIRST + "BUG: KCSAN: data-race in do_a / kthread\n" + SECOND, True),
    ("a race with KHO",
     FIRST + "BUG: KCSAN: data-race in do_a / kho_b\n" + SECOND, False),
    ("a race of LUO alone",
     FIRST + "BUG: KCSAN: data-race in luo_a+0x1/0x2\n" + SECOND, False),
    ("the guest's own words", FIRST + SECOND.replace("ok 1 b", "ok 1 WARNING"),
     True),
    ("time stamps", "".join("[    1.234567] " + line + "\n" for line in
                            (FIRST + SECOND).splitlines()), True),
    ("caller stamps", "".join("[    1.234567][    T1] " + line + "\n"
                              for line in (FIRST + SECOND).splitlines()), True),
]


def passes(log):
    boots = run.Boots()
    for line in log.splitlines():
        boots.line(line)
    with tempfile.NamedTemporaryFile("w+") as file:
        file.write(log)
        file.flush()
        trouble = khotest.problems(
            file.name, ["WARNING: expected"] + run.CONFIGS["kcsan"].log)
    return not (trouble or list(boots.failures()) or list(boots.complaints()))


def main():
    failed = 0
    print("TAP version 13")
    print(f"1..{len(LOGS)}")
    for number, (name, log, expected) in enumerate(LOGS, 1):
        good = passes(log) == expected
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} run.py: {name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

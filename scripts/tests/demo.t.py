#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of scripts/demoguest.py: what it reads from a console, and what it makes
of it. Boots nothing. TAP.
"""
import pathlib
import sys
import types

sys.dont_write_bytecode = True
SCRIPTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCRIPTS))
sys.path.insert(0, str(SCRIPTS.parent / "tools/testing/selftests/kho"))
import demoguest  # noqa: E402

# A processor of 1 GHz that ran for 100 s before its first kernel did.
FIRST = [
    (1.0, "init up=1000000000 release=one"),
    (1.1, "kho-guest: demo: QEMU 7.2.22 runs the guest"),
    (2.0, "tick 1 clock 100 bad 0"), (3.0, "tick 2 clock 200 bad 0"),
    (3.0, "kho-guest: demo: stops the guest"),
    (3.1, "tick 3 clock 300 bad 0"),
    (3.5, "kho-guest: demo: saved the device state, 9 bytes"),
    (4.5, "kho-guest: demo: looked at the memory: crc32 0000abcd"),
    (4.75, "kho-guest: demo: ready for the kexec")]
SECOND = [
    (0.5, "init up=500000000 release=two"), (0.9, "kho-guest: demo: starts"),
    (1.0, "kho-guest: demo: looks for what was preserved"),
    (1.5, "kho-guest: demo: retrieved the memory and the device state"),
    (2.5, "kho-guest: demo: the memory is what it was: crc32 0000abcd"),
    (2.75, "kho-guest: demo: QEMU 7.2.22 is up"),
    (3.0, "kho-guest: demo: resumed the guest"),
    (3.1, "tick 4 clock 400 bad 0")]
BETWEEN = 5.0


def console(first=FIRST, second=SECOND, end="# end of scenario"):
    seen = demoguest.Console()
    for base, lines in ((100.0, first), (100.0 + BETWEEN, second)):
        for seconds, text in lines:
            seen.line(f"[{seconds:12.6f}] khotest: # guest "
                      f"{int((base + seconds) * 1e9)} {text}")
        if lines is first:
            seen.line("[    0.0] KHO: took over 9 pages in 2 runs, 250000000 cycles,"
                      " 4 KiB of scratch")
            seen.line("[    0.1] KHO: exec from: one (count 1)")
    seen.line(f"[    9.000000] khotest: {end}")
    return seen


def without(lines, text):
    return [line for line in lines if text not in line[1]]


def last_row(takeover):
    seen = console()
    seen.line("[    0.0] KHO: took over 9 pages in 2 runs, "
              f"{takeover}, 4 KiB of scratch")
    return demoguest.gap_rows(seen, True)[-1]


def replaced(lines, old, new):
    return [(seconds, text.replace(old, new)) for seconds, text in lines]


def faults(seen, status="exited"):
    ended = types.SimpleNamespace(status=status, seconds=1, last_lines=[])
    return "\n".join(demoguest.judge(seen, ended, "/dev/null"))


def gap_fails(seen):
    try:
        demoguest.gap_rows(seen, False)
    except demoguest.Fault:
        return True
    return False


def cases():
    good = console()
    yield "nothing speaks against a good run", faults(good) == ""
    rows = demoguest.gap_rows(good, True)
    yield ("the parts of the gap", [row[1] for row in rows[1:]] == [
        "0.50", "1.00", "0.25", "0.25", "0.50", "0.50", "0.50", "1.00", "0.25",
        "0.25", "3.00", "1.00"])
    yield "instructions on request", rows[1][2] == "500.0 M" and \
        len(demoguest.gap_rows(good, False)[1]) == 2
    yield ("the take-over in either unit",
           last_row("2000 us")[2] == last_row("2000000 cycles")[2] == "752.0 M")
    result = list(demoguest.result_rows(good))
    yield ("ticks on both sides", result[3] ==
           ("ticks of the guest", "1 to 3", "4 to 4"))
    yield "sums on both sides", result[5][1:] == ("0000abcd", "0000abcd")
    yield ("a missing tick",
           "1 2 4" in faults(console(without(FIRST, "tick 3"))))
    yield ("a tick that comes twice",
           "1 2 3 3" in faults(console(second=replaced(SECOND, "tick 4", "tick 3"))))
    yield ("a guest that started anew", "out of order" in faults(
        console(second=replaced(SECOND, "tick 4", "tick 1"))))
    yield ("bad memory", "2 pages" in faults(
        console(second=replaced(SECOND, "bad 0", "bad 2"))))
    yield ("sums that differ", "sums differ" in faults(
        console(second=replaced(SECOND, "0000abcd", "00000000"))))
    yield "a test that failed", "not ok 3" in faults(console(end="not ok 3 x"))
    yield "no end", "last lines" in faults(console(end="# note"))
    yield "a machine that hung", "hung" in faults(good, "hung")
    for text in ("stops the guest", "saved", "ready"):
        yield f"no gap without '{text}'", gap_fails(console(without(FIRST, text)))
    for text in ("init", "retrieved", "resumed"):
        yield (f"no gap without '{text}' later",
               gap_fails(console(second=without(SECOND, text))))


def main():
    failed = number = 0
    print("TAP version 13")
    for number, (text, held) in enumerate(cases(), 1):
        print(f"{'ok' if held else 'not ok'} {number} {text}")
        failed += not held
    print(f"1..{number}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

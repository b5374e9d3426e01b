# SPDX-License-Identifier: GPL-2.0-only
"""For tests that read files: each is a function that gives a line for each fault."""


def judge(suite, tests, *args):
    """Call each test with args, print TAP, and return the exit status."""
    failed = 0
    print("TAP version 13")
    print(f"1..{len(tests)}")
    for number, test in enumerate(tests, 1):
        faults = list(test(*args))
        print("".join(f"# {fault}\n" for fault in faults), end="")
        print(f"{'not ok' if faults else 'ok'} {number} {suite}: {test.__name__}")
        failed += bool(faults)
    return 1 if failed else 0

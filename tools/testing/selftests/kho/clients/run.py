#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""run.py [CASE...]: what the software that people use does over a kexec.

Each case is a function in cases.py, with virtual machines of its own whose root
is made from Debian's packages; scripts/clients.sh makes it, and the images. Writes
build/results/clients.tap, and what each machine said to build/clients/logs.
"""
import argparse
import concurrent.futures
import os
import pathlib
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import cases  # noqa: E402  (needs the path above)
import host as hosts  # noqa: E402
import khotest  # noqa: E402

CASES = [cases.guests, cases.agent, cases.fdstore, cases.refused]
BY_NAME = [cases.stock, cases.upstream]     # make systemd-test


class Test:
    """The checks of one case, and the machines that it boots."""

    def __init__(self, name, images, files):
        self.name = name
        self.images = images
        self.files = files
        self.lines = []
        self.count = 0
        self.failed = False
        self.hosts = []

    def check(self, good, what, found=""):
        self.count += 1
        if not good:
            self.failed = True
            self.lines += [f"# {line}" for line in str(found).splitlines()[-8:]]
        self.lines.append(f"{'ok' if good else 'not ok'} {self.count} {what}")

    def equal(self, found, expected, what):
        self.check(found == expected, what, f"{found}, expected {expected}")

    def contains(self, text, part, what):
        self.check(part in text, what, f"{text}\nexpected: {part}")

    def host(self, kernel, **properties):
        host = hosts.Host(self.files, f"{self.name}-{len(self.hosts)}",
                          self.images[kernel], **properties)
        self.hosts.append(host)
        return host

    def run(self, case):
        started = time.monotonic()
        try:
            case(self)
        except hosts.Lost as lost:
            self.check(False, "the machine is there", lost)
        except Exception:  # pylint: disable=broad-except
            # The machines have to be stopped, or nothing ends
            self.check(False, "the case itself", traceback.format_exc())
        for host in self.hosts:
            host.end()
            problems = host.problems()
            self.check(not problems, "the kernel log has no trouble",
                       "\n".join(problems))
        khotest.say(f"{self.name:12} {'FAILED' if self.failed else 'ok':6} "
                    f"{self.count} tests, {time.monotonic() - started:.0f} s")
        return (not self.failed, self.name,
                ["KTAP version 1", f"1..{self.count}", *self.lines])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image", action="append", default=[],
                        metavar="NAME=FILE")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("case", nargs="*")
    options = parser.parse_args()
    wanted = [case for case in CASES + BY_NAME
              if case.__name__ in options.case] if options.case else CASES
    images = dict(pair.split("=", 1) for pair in options.image)
    files = khotest.BUILD / "clients/logs"
    files.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(
            lambda case: Test(case.__name__, images, files).run(case), wanted))
    khotest.write_results("clients.tap", results)
    return 0 if all(passed for passed, *_ in results) else 1


if __name__ == "__main__":
    sys.exit(main())

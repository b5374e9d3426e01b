#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run the base tree's own KHO and liveupdate selftests on our kernel.

Their sources are compiled as they are, with the flags of the base's scripts;
those scripts are not used, as they build kernels of their own and put KVM
first. What counts as passed is what counts there: a line in the console log,
or the KTAP output of a program. A kernel warning fails a test here.

series-check.sh runs single tests of another tree on a kernel of its own: one of
these, PATH for selftests/PATH.c, or kunit:SUITE for a suite in the kernel.

Writes build/results/base-selftests-ARCH.tap, and the console logs to
build/results/base-selftests/, or what --results says instead of base-selftests.
Exit status 1 if one failed.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tools/testing/selftests/kho"))

import khotest  # noqa: E402  (needs the path above)
import vm  # noqa: E402

BASE = khotest.BUILD / "base"
NOLIBC = ["-static", "-nostdinc", "-nostdlib"]
INIT = [*NOLIBC, "-s", "-Os", "-fno-asynchronous-unwind-tables", "-fno-ident",
        "-fno-stack-protector"]
MOUNT_POINTS = {"proc": None, "debugfs": None}
TESTS = ["kho", "liveupdate/liveupdate", "luo_kexec_simple", "luo_multi_session",
         "luo_stress_files", "luo_stress_sessions"]

# Without it the suite is skipped, and a skip is no pass.
KUNIT_PARAMETERS = {"reserve_mem": "kho=on reserve_mem=64K:4K:kunit"}

# The second kernel of the KHO test, and one with KUnit suites, gets no init.
NO_INIT = ["Kernel panic - not syncing: (VFS|No working init found)",
           "Call [Tt]race:"]


class Suite:
    def __init__(self, args):
        self.arch = args.arch
        self.deadline = args.deadline
        self.compiler = khotest.require_tools(args.arch)
        self.image = args.image or khotest.kernel(args.kernel, args.arch)
        self.headers = str(khotest.headers(args.arch))
        self.selftests = args.source / "tools/testing/selftests"
        self.nolibc = str(args.source / "tools/include/nolibc")
        self.programs = khotest.BUILD / "guest" / args.arch / "base"
        self.programs.mkdir(parents=True, exist_ok=True)
        self.logs = khotest.BUILD / "results" / args.results
        self.logs.mkdir(parents=True, exist_ok=True)

    def compile(self, name, flags, *sources):
        output = self.programs / name
        include = [self.nolibc] if "-nostdinc" in flags else []
        include += [self.selftests, self.selftests / "liveupdate/lib/include",
                    self.headers]
        subprocess.run([self.compiler, *flags, *(f"-I{path}" for path in include),
                        "-o", output,
                        *(self.selftests / source for source in sources)],
                       check=True)
        return output

    def kho_files(self):
        init = self.compile("kho-init", INIT, "kho/init.c")
        return {"init": init, "kernel": self.image, **MOUNT_POINTS}

    def luo_files(self, name, directory):
        """The archive for the second boot stands in that for the first."""
        files = {
            "init": self.compile(f"{name}-init", INIT, "liveupdate/init.c"),
            "test_binary": self.compile(
                name, [*NOLIBC, "-O2"], f"liveupdate/{name}.c",
                "liveupdate/lib/lu_utils.c"),
            **MOUNT_POINTS}
        inner = f"{directory}/inner.cpio"
        khotest.write_initramfs(inner, files)
        return {**files, "kernel": self.image,
                "initrd.img": pathlib.Path(inner)}

    def program_files(self, path):
        """One that needs no kexec: our init runs it as it is."""
        library = ["liveupdate/lib/lu_utils.c"] \
            if path.startswith("liveupdate/") else []
        program = self.compile(
            os.path.basename(path),
            ["-static", "-O2", "-Wall", "-Wno-unused-function", "-D_GNU_SOURCE="],
            f"{path}.c", *library)
        return {"init": khotest.guest(self.arch), "program": program}

    def boot(self, name, files, cmdline, on_line, directory):
        initrd = f"{directory}/initrd.cpio"
        khotest.write_initramfs(initrd, files)
        machine = vm.Machine(
            self.arch, str(self.image), initrd,
            f"{vm.PARAMETERS[self.arch]} {cmdline}",
            str(self.logs / f"{name}.log"), "1G", deadline=self.deadline)
        return vm.run(machine, on_line)

    def until_line(self, name, files, cmdline, wanted, directory, allowed=()):
        """A test that passes when a line of its console log matches."""
        seen = []

        def look(line):
            if re.search(wanted, line):
                seen.append(line)

        ended = self.boot(name, files, cmdline, look, directory)
        reasons = [] if seen else [f"no line '{wanted}'"]
        return self.outcome(name, ended, reasons, [], allowed)

    def kho(self, directory):
        return self.until_line("kho", self.kho_files(), "kho=on",
                               "KHO restore succeeded", directory, NO_INIT)

    def luo(self, name, directory):
        return self.until_line(
            name, self.luo_files(name, directory), "kho=on liveupdate=on",
            "TEST PASSED", directory)

    def kunit(self, suite, directory):
        return self.until_line(f"kunit-{suite}", {},
                               KUNIT_PARAMETERS.get(suite, ""),
                               rf"(^|\] )ok \d+ {suite}$", directory, NO_INIT)

    def program(self, path, directory):
        name = os.path.basename(path)
        output = []

        def collect(line):
            text = khotest.result_line(line)
            if text is not None:
                output.append(text)

        handover = "kho=on liveupdate=on " \
            if path.startswith("liveupdate/") else ""
        ended = self.boot(
            name, self.program_files(path), f"{handover}printk.devkmsg=on "
            "-- program=/program", collect, directory)
        return self.outcome(name, ended, harness_faults(output), output)

    def run(self, name):
        with tempfile.TemporaryDirectory(prefix="kho-") as directory:
            if name == "kho":
                return self.kho(directory)
            if name.startswith("kunit:"):
                return self.kunit(name.removeprefix("kunit:"), directory)
            if "/" in name:
                return self.program(name, directory)
            return self.luo(name, directory)

    def outcome(self, name, ended, reasons, nested, allowed=()):
        if ended.status != "exited":
            reasons.append(f"the machine {ended.status}")
        log = self.logs / f"{name}.log"
        reasons += khotest.problems(log, allowed)
        text = f"{name:<20} {'FAILED' if reasons else 'ok':<6} " \
               f"{ended.seconds:.0f} s"
        for reason in reasons[:8]:
            text += f"\n    {reason}"
        if reasons:
            text += f"\n    log: {log}"
        khotest.say(text)
        return not reasons, name, nested


def harness_faults(output):
    faults = [text for text in output if text.startswith("not ok")]
    plan = next((re.match(r"1\.\.(\d+)$", text) for text in output
                 if text.startswith("1..")), None)
    ran = sum(bool(re.match(r"(not )?ok \d+", text)) for text in output)
    if not plan or int(plan[1]) != ran:
        faults.append(f"{ran} tests ran, plan {plan[0] if plan else 'missing'}")
    if "# /program: exit status 0" not in output:
        faults.append("exit status is not 0")
    return faults


def main():
    parser = argparse.ArgumentParser(
        description="Run the base's own selftests on our kernel.")
    parser.add_argument("--arch", choices=vm.QEMU,
                        default=os.environ.get("ARCH", "x86_64"))
    parser.add_argument("--kernel", default="ours", choices=["ours", "stock"])
    parser.add_argument("--image", type=pathlib.Path,
                        help="a kernel, instead of one that is built here")
    parser.add_argument("--source", type=pathlib.Path, default=BASE,
                        help="the tree with the tests, instead of the base")
    parser.add_argument("--results", default="base-selftests")
    parser.add_argument("--deadline", type=int, default=900)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("tests", nargs="*", metavar="TEST", default=TESTS)
    args = parser.parse_args()
    suite = Suite(args)
    khotest.guest(args.arch)    # before threads ask for it
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        results = list(pool.map(suite.run, args.tests))
    path = khotest.write_results(f"{args.results}-{args.arch}.tap", results)
    failed = sum(not passed for passed, _, _ in results)
    khotest.say(f"{len(results) - failed} base selftests passed, {failed} "
                f"failed; results: {path}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

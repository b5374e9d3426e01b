#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Show two live updates: of a host with a guest on it, see demoguest.py, and of
memfds in two LUO sessions.

Builds our kernel and the programs if they are not up to date, boots virtual
machines, tells what happens as it happens, and ends each with a table. The
machine's side of the second is tools/testing/selftests/kho/scenarios/demo.c.
Exit status 0 only if the guest and every file came through unchanged.
"""
import argparse
import os
import pathlib
import random
import re
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tools/testing/selftests/kho"))

import demoguest  # noqa: E402  (needs the path above)
import guestroot  # noqa: E402
import khotest  # noqa: E402
import vm  # noqa: E402

MEMORY = "1G"
COUNT = re.compile(r"KHO: exec from: (\S+) \(count (\d+)\)")
STEPS = {
    (1, "create"): "created the memfds and filled them",
    (1, "checksum"): "computed their checksums",
    (1, "preserve"): "preserved them in sessions vm-1 and vm-2",
    (1, "load"): "loaded the next kernel; kexec now",
    (2, "retrieve"): "retrieved both sessions and all files",
    (2, "checksum"): "computed the checksums again",
    (2, "verify"): "compared every byte, position and seal",
    (2, "finish"): "finished both sessions",
}


class Boot:
    def __init__(self):
        self.kernel = {}
        self.kexecs = 0
        self.came_from = None
        self.files = {}
        self.steps = {}


class Story:
    """Follows the console: tells each event and keeps what the table needs."""

    def __init__(self):
        self.boots = []
        self.failed = []
        self.started = time.monotonic()
        self.step_started = self.started
        self.kexec_seconds = None
        self.ended = False
        self.came_from = (None, 0)

    def tell(self, text):
        seconds = time.monotonic() - self.started
        print(f"[{seconds:6.1f} s] {text}", flush=True)

    def line(self, line):
        count = COUNT.search(line)
        if count:
            self.came_from = (count[1], int(count[2]))
        text = khotest.result_line(line)
        if text is None:
            return
        if text.startswith("not ok"):
            self.failed.append(text)
            self.tell(text)
        elif text == "# end of scenario":
            self.ended = True
        elif text.startswith("# demo "):
            pairs = dict(part.split("=", 1) for part in text.split()[2:]
                         if "=" in part)
            self.event(text.split()[2], pairs)

    def event(self, kind, pairs):
        if kind == "kernel":
            self.kernel(pairs)
        elif "step" in pairs:
            self.step(pairs["step"])
        elif "file" in pairs:
            self.file(pairs)

    def kernel(self, pairs):
        boot = Boot()
        boot.kernel = pairs
        boot.came_from, boot.kexecs = self.came_from
        self.boots.append(boot)
        seconds = self.lap()
        if len(self.boots) == 1:
            self.tell(f"booted Linux {pairs['release']}")
            return
        self.kexec_seconds = seconds
        self.tell(f"Linux {pairs['release']} took over from {boot.came_from}, "
                  f"kexec count {boot.kexecs}")

    def lap(self):
        """Seconds since the last call."""
        before, self.step_started = self.step_started, time.monotonic()
        return self.step_started - before

    def step(self, name):
        seconds = self.lap()
        self.boots[-1].steps[name] = seconds
        self.tell(f"{STEPS[len(self.boots), name]}: {seconds:.2f} s")

    def file(self, pairs):
        self.boots[-1].files[pairs["session"], pairs["file"]] = pairs
        self.tell(f"  {pairs['session']}: {pairs['file']}, "
                  f"{pairs['kind'].replace('-', ' ')}, "
                  f"{size(int(pairs['bytes']))}, xxh64 {pairs['sum']}")


def size(count):
    if count % (1 << 20) == 0:
        return f"{count >> 20} MiB"
    return f"{count} bytes"


def table(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width)
                        for cell, width in zip(row, widths)).rstrip())


def file_rows(before, after):
    yield ("session", "file", "kind", "bytes", "xxh64 before", "xxh64 after",
           "")
    for key, old in before.files.items():
        new = after.files.get(key, {}).get("sum", "missing")
        yield (old["session"], old["file"], old["kind"].replace("-", " "),
               old["bytes"], old["sum"], new,
               "same" if new == old["sum"] else "DIFFERS")


def kernel_rows(before, after):
    yield ("", "before", "after")
    for key in ("release", "version"):
        yield ("kernel " + key, before.kernel[key].replace("_", " "),
               after.kernel[key].replace("_", " "))
    yield "kexec count", str(before.kexecs), str(after.kexecs)


def time_rows(story, before, after):
    yield "step", f"seconds, QEMU with {vm.accelerator()}"
    for number, boot in ((1, before), (2, after)):
        if number == 2:
            yield "kexec, until programs run", f"{story.kexec_seconds:.2f}"
        for name, seconds in boot.steps.items():
            yield STEPS[number, name].split(";")[0], f"{seconds:.2f}"


def summary(story):
    before, after = story.boots
    total = sum(int(f["bytes"]) for f in before.files.values())
    sessions = {f["session"] for f in before.files.values()}
    print()
    table(list(file_rows(before, after)))
    print(f"{len(sessions)} sessions, {len(before.files)} files, "
          f"{total} bytes ({total / (1 << 20):.0f} MiB)")
    print()
    table(list(kernel_rows(before, after)))
    print()
    table(list(time_rows(story, before, after)))
    print(f"(Times of QEMU with {vm.accelerator()}, not of real hardware.)")
    return all(row[-1] == "same" for row in list(file_rows(before, after))[1:])


def judge(story, ended, log):
    """Everything that speaks against success, as lines."""
    faults = list(story.failed)
    if ended.status != "exited":
        faults.append(f"the machine {ended.status} after {ended.seconds:.0f} s")
    if not story.ended:
        faults.append("the guest program did not reach its end; last lines:")
        faults += ended.last_lines[-8:]
    return faults + khotest.problems(log, [])


def show_files(arch, image):
    log = str(khotest.BUILD / f"results/demo-{arch}.log")
    with tempfile.TemporaryDirectory(prefix="kho-") as directory:
        guest = khotest.machine(arch, "demo", {"ours": image}, directory, log,
                                seed=random.getrandbits(62), memory=MEMORY)
        print(f"demo: memfds in two sessions, {arch}, {MEMORY} of memory, "
              f"QEMU with {vm.accelerator()}", flush=True)
        story = Story()
        ended = vm.run(guest, story.line)
    held = len(story.boots) == 2 and story.kexec_seconds and summary(story)
    faults = judge(story, ended, log)
    print()
    for fault in faults:
        print(f"demo: {fault}")
    if held and not faults:
        print("demo: everything came through the kexec unchanged")
        return True
    print(f"demo: FAILED, console log: {log}")
    return False


def main():
    parser = argparse.ArgumentParser(description="Show two live updates.")
    parser.add_argument("--arch", choices=vm.QEMU,
                        default=os.environ.get("ARCH", "x86_64"))
    parser.add_argument("--icount", action="store_true",
                        help="count instructions, for the parts of the gap; "
                        "slower, and the same each time")
    parser.add_argument("--gap", action="store_true",
                        help="only the parts of the gap, with --icount")
    parser.add_argument("--config", action="append", default=[],
                        help="options of the kernel on top of the demo's")
    options = parser.parse_args()
    arch = options.arch
    if options.gap and arch != "x86_64":
        sys.exit("demo: the gap is measured on x86_64 only")
    khotest.require_tools(arch)
    if arch == "x86_64":
        guestroot.require_tools()
    print(f"demo: building what is not up to date ({arch})", flush=True)
    fragments = [str(demoguest.CONFIG)] if arch == "x86_64" else []
    image = khotest.kernel("ours", arch, *fragments, *options.config)
    (khotest.BUILD / "results").mkdir(parents=True, exist_ok=True)
    guest_held = True
    if arch == "x86_64":
        guest_held = demoguest.show(image, table, options.icount or options.gap)
        print()
    else:
        print("demo: the guest is shown on x86_64 only", flush=True)
    if options.gap:
        return 0 if guest_held else 1
    return 0 if show_files(arch, image) and guest_held else 1


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: GPL-2.0-only
"""The first part of make demo: a guest goes on after its host's kernel was
replaced.

A virtual machine stands for the host. In it this system's QEMU runs a small
guest under tools/kho/guest/kho-guest. The machine's side is
tools/testing/selftests/kho/scenarios/guest.c, which reports what the guest and
kho-guest say, each line with the cycle counter of the machine's processor. That
goes on through a kexec, other clocks do not.
"""
import re
import sys
import tempfile
import time

import guestroot
import khotest
import vm

MEMORY = "2G"
DEADLINE = 1800     # for a machine that hangs; on a busy one it takes 600 s and more

# Without the test modules, which would preserve and retrieve in the gap, and for
# an image and a machine that start fast.
CONFIG = khotest.TOP / "scripts/configs/clients.config"

# The processor that is emulated has no deadline timer, as real ones have, and the
# kernel takes 217 M instructions to calibrate the timer that it has.
COUNTING = "nolapic_timer"
STAMPED = re.compile(r"^# guest (\d+) (.*)$")
PRINTK = re.compile(r"^\[ *(\d+\.\d+)\]")
TICK = re.compile(r"^tick (\d+) clock (\d+) bad (\d+)$")
TAKEN_OVER = re.compile(r"KHO: took over .*, (\d+) (us|cycles)")
COUNT = re.compile(r"KHO: exec from: \S+ \(count (\d+)\)")
SUM = re.compile(r"crc32 ([0-9a-f]{8})")
LAUNCHER = "kho-guest: demo: "

# What ends each part of the gap, and its name. Those in brackets are there for
# the table of the demo; they are no part of the gap.
PARTS = [
    ("saved the device state", "device state saved"),
    ("looked at the memory", "(sum of all memory)"),
    ("ready for the kexec", "preserved"),
    ("kernel", "kexec, until the clock of the new kernel starts"),
    ("init", "until the first program runs"),
    ("looks for what was preserved", "until kho-guest runs"),
    ("retrieved", "memory and device state retrieved"),
    ("the memory is what it was", "(sum of all memory)"),
    ("is up", "QEMU started"),
    ("resumed the guest", "device state loaded, guest resumed"),
]
# What KHO, LUO and memfd do in these, and before the clock of the new kernel starts
OURS = {"preserved", "memory and device state retrieved"}
STOP = "stops the guest"

# What is worth telling while it happens
TOLD = {
    "starts": None,
    "runs the guest": "{}; it boots",
    STOP: "the guest stops",
    "ready for the kexec": "its files are preserved; the host kexecs now",
    "resumed the guest": "the guest goes on",
}


class Fault(Exception):
    """The console does not have what the table needs."""


class Console:
    """What the machine reported."""

    def __init__(self, tell=lambda text: None):
        self.tell = tell
        self.ticks = []         # boot, number, clock in ms
        self.bad = 0
        self.boots = []         # release of the kernel, cycles, up in ns
        self.events = []        # boot, cycles, text
        self.clocks = {}        # boot: printk's time and cycles, first and last
        self.count = 0
        self.takeover = (0, "cycles")
        self.failed = []
        self.ended = False

    def line(self, line):
        count = COUNT.search(line)
        if count:
            self.count = int(count[1])
        takeover = TAKEN_OVER.search(line)
        if takeover:
            self.takeover = (int(takeover[1]), takeover[2])
        text = khotest.result_line(line)
        if text is None:
            return
        stamped = STAMPED.match(text)
        if stamped:
            self.stamped(PRINTK.match(line), int(stamped[1]), stamped[2])
        elif text.startswith("not ok"):
            self.failed.append(text)
        elif text == "# end of scenario":
            self.ended = True

    def stamped(self, printk, cycles, text):
        if text.startswith("init "):
            self.init(cycles, dict(pair.split("=") for pair in text.split()[1:]))
        if printk:
            clock = (float(printk[1]), cycles)
            first = self.clocks.get(len(self.boots), (clock, clock))[0]
            self.clocks[len(self.boots)] = (first, clock)
        tick = TICK.match(text)
        if tick:
            self.tick(*map(int, tick.groups()))
        elif text.startswith(LAUNCHER):
            self.launcher(cycles, text[len(LAUNCHER):])

    def init(self, cycles, pairs):
        self.boots.append((pairs["release"], cycles, int(pairs["up"])))
        if len(self.boots) == 1:
            self.tell(f"the host runs Linux {pairs['release']}")
        else:
            self.tell(f"the host runs Linux {pairs['release']}, "
                      f"kexec count {self.count}")

    def tick(self, number, clock, bad):
        if number in (1, 10):
            self.tell(f"the guest counts, every 100 ms: {number}")
        self.ticks.append((len(self.boots), number, clock))
        self.bad = max(self.bad, bad)

    def launcher(self, cycles, text):
        self.events.append((len(self.boots), cycles, text))
        for key, words in TOLD.items():
            if key in text and words:
                self.tell(words.format(text))

    def cycles_per_second(self):
        (begin, first), (end, last) = self.clocks[1]
        if end <= begin:
            raise Fault("the first boot has no clock")
        return (last - first) / (end - begin)

    def takeover_cycles(self):
        """The kernel says cycles where its clock does not run yet."""
        time, unit = self.takeover
        return time * self.cycles_per_second() / 1e6 if unit == "us" else time

    def moments(self):
        """Of the gap, in cycles: its start, then the end of each part."""
        at = [cycles for boot, cycles, text in self.events
              if boot == 1 and text == STOP]
        if not at or len(self.boots) != 2:
            raise Fault("the guest was not stopped, or the host did not kexec")
        _, init, up = self.boots[1]
        special = {"kernel": init - up * self.cycles_per_second() / 1e9,
                   "init": init}
        for key, name in PARTS:
            found = [cycles for _, cycles, text in self.events
                     if key in text and cycles > at[-1]]
            if key not in special and not found:
                raise Fault(f"nothing was reported about: {name}")
            at.append(special[key] if key in special else found[0])
        return at

    def sums(self):
        return [sum_[1] for sum_ in (SUM.search(text) for *_, text in self.events)
                if sum_]


def in_order(ticks):
    return bool(ticks) and \
        [number for _, number, _ in ticks] == list(range(1, len(ticks) + 1))


def gap_rows(console, instructions):
    """Parts, and their sum without those in brackets."""
    rate = console.cycles_per_second()
    at = console.moments()
    rows = [("the gap", "seconds") + (("instructions",) if instructions else ())]
    total = 0
    ours = console.takeover_cycles()

    def row(name, cycles):
        count = (f"{cycles / 1e6:.1f} M",) if instructions else ()
        return (name, f"{cycles / rate:.2f}") + count

    for (_, name), begin, end in zip(PARTS, at, at[1:]):
        rows.append(row(name, end - begin))
        total += 0 if name.startswith("(") else end - begin
        ours += end - begin if name in OURS else 0
    return rows + [row("all but the sums", total),
                   row("of it KHO, LUO and memfd", ours)]


def result_rows(console):
    before = [tick for tick in console.ticks if tick[0] == 1]
    after = [tick for tick in console.ticks if tick[0] == 2]
    sums = console.sums()
    if not before or not after or len(sums) != 2:
        raise Fault("the guest was not seen on both sides of the kexec")
    yield "", "before", "after"
    yield ("kernel of the host", *(release for release, _, _ in console.boots))
    yield "kexec count of the host", "0", str(console.count)
    yield ("ticks of the guest", f"{before[0][1]} to {before[-1][1]}",
           f"{after[0][1]} to {after[-1][1]}")
    yield ("its clock at the kexec", f"{before[-1][2] / 1000:.3f} s",
           f"{after[0][2] / 1000:.3f} s")
    yield ("sum of its memory", *sums)


def judge(console, ended, log):
    """Everything that speaks against success, as lines."""
    faults = list(console.failed)
    if not in_order(console.ticks):
        faults.append("ticks are missing or out of order: " + " ".join(
            str(number) for _, number, _ in console.ticks))
    if console.bad:
        faults.append(f"the guest found {console.bad} pages of memory changed")
    if len(set(console.sums())) != 1:
        faults.append(f"the sums differ: {' '.join(console.sums())}")
    if console.count != 1:
        faults.append(f"the kexec count is {console.count}, expected 1")
    if not console.ended or ended.status != "exited":
        faults.append(f"the machine {ended.status} after {ended.seconds:.0f} s; "
                      "last lines:")
        faults += ended.last_lines[-8:]
    return faults + khotest.problems(log, [r"khotest: # guest"])


def run(image, log, tell, icount):
    console = Console(tell)
    with tempfile.TemporaryDirectory(prefix="kho-") as directory:
        machine = khotest.machine(
            "x86_64", "guest", {"ours": image}, directory, log, seed=0,
            memory=MEMORY, smp=1 if icount else 2, icount=icount, deadline=DEADLINE,
            cmdline=COUNTING if icount else "",
            files=guestroot.files(directory))
        return console, vm.run(machine, console.line)


def show(image, table, icount):
    """Returns whether all went well."""
    log = str(khotest.BUILD / "results/demo-guest.log")
    how = "tcg, counting instructions" if icount else vm.accelerator()
    started = time.monotonic()

    def tell(text):
        print(f"[{time.monotonic() - started:6.1f} s] {text}", flush=True)

    print(f"demo: a host with {MEMORY} of memory, QEMU with {how}; in it "
          f"QEMU runs a guest with {guestroot.MEMORY}", flush=True)
    console, ended = run(image, log, tell, icount)
    faults = judge(console, ended, log)
    try:
        print()
        table(list(result_rows(console)))
        print()
        table(gap_rows(console, icount))
    except Fault as fault:
        faults.append(str(fault))
    print()
    if faults:
        print("\n".join(f"demo: {fault}" for fault in faults))
        print(f"demo: FAILED, console log: {log}", file=sys.stdout)
        return False
    print(f"demo: the guest counted {len(console.ticks)} ticks, in order and "
          "none missing; its memory is unchanged")
    return True

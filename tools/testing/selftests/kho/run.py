#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run the KHO scenarios, each in a virtual machine of its own.

A scenario is a file under scenarios/. What its machine needs stands in the
comment at the top of it, as lines " * needs KEY: VALUE":

    memory: 512M       smp: 2       nodes: 1    (NUMA nodes)
    hotplug: 256M      so much more in a module that firmware reports after boot;
                       only x86_64, skipped elsewhere
    cmdline: ...       added to the kernel command line of every boot; may be
                       repeated
    kernels: ours      images on offer; the first one is booted first.
                       ours:EDIT,... is ours with another note, see edit_note.py,
                       ours:signed-KEY is ours, signed with a key of KEYS;
                       debian the cloud kernel that scripts/kho-images.sh fetches,
                       other what --with names
    firmware: uefi     only when it is named or with --uefi. OVMF or AAVMF
                       starts the first kernel by its EFI stub instead of QEMU;
                       "uefi grub", "uefi uki": from a disk, as they are packaged;
                       "uefi PROGRAM": efi/PROGRAM.c does;
                       "secure": with Secure Boot, and the key "firmware";
                       "device tree": on arm64 with that instead of ACPI
    arch: x86_64       only on that one
    log: REGEX         a line of trouble in the kernel log that is expected
    panic: REGEX       the kernel that comes after the end panics with that
    run: by hand       only when it is named
    config: NAME       only with --config NAME

With --config debug our kernel is one with scripts/configs/debug.config: KASAN
and many other checkers, whose reports make a scenario fail; with kcsan it is
one that watches for races of plain accesses, scripts/configs/kcsan.config; with
clients that of scripts/clients.sh, which has name spaces; with signed one that can be
locked down, and trusts the key "kexec".

In a kernel tree "make headers" and "make", with the options in the file config
beside this, come first. "stock" is a kernel of Linux 7.3 there, without this
series, and --stock IMAGE; scenarios that want it are skipped without.

Writes build/results/vm-ARCH.tap, with --config NAME vm-NAME-ARCH.tap, and to a
directory of that name the kernel log of each scenario. Exit status 1 if one
failed.
"""
import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import random
import re
import sys
import tempfile

import edit_note
import khotest
import vm

NEEDS = re.compile(r"^ \* needs (\w+): (.*)$", re.MULTILINE)
BOOT = re.compile(r"^# \w+, boot (\d+) of (\d+), kernel")
TEST = re.compile(r"^(ok|not ok) (\d+) (.*)$")
KEYS = ("kexec", "firmware")
SIGNED = re.compile(rf"signed-({'|'.join(KEYS)})$")
PANIC_TRACE = r"Call Trace:|end Kernel panic"
PLAN = re.compile(r"^1\.\.(\d+)$")


@dataclasses.dataclass
class Config:
    """What a configuration needs beyond what the scenarios ask for."""
    results: str
    fragments: list
    stock: list = dataclasses.field(default_factory=list)   # fragments of stock
    memory: int = 1     # times as much
    least: str = "0K"   # but no less
    deadline: int = 1   # times as long
    stock_part: int = 0 # 1/n of memory for scratch of a stock kernel before ours
    cmdline: str = ""
    log: list = dataclasses.field(default_factory=list)

    def memory_for(self, scenario):
        wanted = vm.kib(scenario.memory) * self.memory
        return f"{max(wanted, vm.kib(self.least))}K"


def fragments(name):
    return [str(khotest.TOP / f"scripts/configs/{name}.config")]


# A processor of an emulated machine may wait for one of the host for long.
PATIENT = "rcupdate.rcu_cpu_stall_timeout=200"

CONFIGS = {
    "vm": Config("vm", []),
    # Of what boot allocates, shadow memory is an eighth of all, which a stock
    # kernel without it does not know. And x86 forgets for a moment that its page
    # tables have five levels, which KASAN reports if an interrupt comes just then.
    "debug": Config("vm-debug", fragments("debug"), memory=3, least="1G",
                    deadline=4, stock_part=4,
                    cmdline=f"page_poison=1 no5lvl {PATIENT}"),
    # arm64 only. Boot allocates page tables and the like in pages, and scratch,
    # which is CMA, comes in blocks of 512 MiB.
    "64k": Config("vm-64k", fragments("64k"), fragments("64k"), memory=2,
                  least="4G"),
    # vm.memfd_noexec comes with name spaces.
    "clients": Config("vm-clients", fragments("clients")),
    # Races in the rest of the kernel are not what is looked for.
    "kcsan": Config("vm-kcsan", fragments("kcsan"), deadline=4,
                    cmdline=PATIENT,
                    log=[r"KCSAN: data-race in (?!.*(kho|luo|liveupdate)_)"]),
    # x86 only. The key is made before the kernel that trusts it.
    "signed": Config("vm-signed", fragments("signed")),
}


@dataclasses.dataclass
class Scenario:
    name: str
    memory: str = "512M"
    smp: int = 2
    nodes: int = 1
    hotplug: str = ""
    cmdline: str = ""
    kernels: list = dataclasses.field(default_factory=list)
    log: list = dataclasses.field(default_factory=list)
    by_hand: bool = False
    uefi: bool = False
    secure: bool = False
    device_tree: bool = False
    efi_program: str = ""
    arch: str = ""
    panic: str = ""
    config: str = ""


def read_scenario(path):
    scenario = Scenario(path.stem)
    for key, value in NEEDS.findall(path.read_text(encoding="utf-8")):
        if key in ("memory", "hotplug"):
            setattr(scenario, key, value)
        elif key == "cmdline":
            scenario.cmdline = f"{scenario.cmdline} {value}".strip()
        elif key in ("smp", "nodes"):
            setattr(scenario, key, int(value))
        elif key == "kernels":
            scenario.kernels += value.split()
        elif key == "log":
            scenario.log.append(value)
        elif key == "arch":
            scenario.arch = value
        elif key == "panic":
            scenario.panic = f"Kernel panic - not syncing: {value}"
        elif key == "config" and value in CONFIGS:
            scenario.config = value
        elif key == "firmware" and value.split()[0] == "uefi":
            scenario.uefi = True
            scenario.efi_program = value[len("uefi"):].strip()
        elif (key, value) == ("firmware", "secure"):
            scenario.uefi = scenario.secure = True
        elif (key, value) == ("firmware", "device tree"):
            scenario.uefi = scenario.device_tree = True
        elif (key, value) == ("run", "by hand"):
            scenario.by_hand = True
        else:
            sys.exit(f"{path}: 'needs {key}: {value}' is not known")
    scenario.kernels = scenario.kernels or ["ours"]
    return scenario


def find_scenarios(names, arch, config, uefi):
    paths = (khotest.HERE / "scenarios").glob("*.c")
    known = {path.stem: read_scenario(path) for path in sorted(paths)}
    unknown = sorted(set(names) - set(known))
    if unknown:
        sys.exit(f"run.py: no scenario {' '.join(unknown)}; there are: "
                 + " ".join(known))
    return [known[name] for name in names] if names else \
        [scenario for scenario in known.values() if not scenario.by_hand
         and scenario.uefi == uefi and scenario.config in ("", config)
         and scenario.arch in ("", arch)]


def without(kernel, scenarios):
    """Those that do not need that kernel, and the names of the others."""
    wanted = [s for s in scenarios if kernel not in s.kernels]
    return wanted, [s.name for s in scenarios if s not in wanted]


def debian_image(arch):
    """The newest cloud kernel that scripts/kho-images.sh has fetched, or None."""
    flavour = {"x86_64": "amd64", "arm64": "arm64"}[arch]
    images = (khotest.BUILD / "images" / flavour).glob(
        f"linux-binary-7.3.*-cloud-{flavour}/**/vmlinuz*")
    return max(images, default=None)


class Boots:
    """Collects the guest's lines: one list of tests for each boot."""

    def __init__(self):
        self.boots = []
        self.expected = 0
        self.ended = False

    def line(self, console_line):
        text = khotest.result_line(console_line)
        if text is None:
            return
        boot = BOOT.match(text)
        if boot:
            self.start_boot(*map(int, boot.groups()))
        elif text == "# end of scenario":
            self.ended = True
        elif self.boots:
            self.boots[-1]["lines"].append(text)

    def start_boot(self, number, expected):
        self.expected = expected
        self.boots.append({"number": number, "lines": []})

    def complaints(self):
        """Why the results cannot be trusted although no test failed."""
        numbers = [boot["number"] for boot in self.boots]
        if numbers != list(range(1, self.expected + 1)) or not numbers:
            yield f"boots {numbers} seen, {self.expected or 'some'} expected"
        for boot in self.boots:
            tests, plan = count_tests(boot["lines"])
            if plan != tests:
                yield (f"boot {boot['number']}: {tests} tests seen, "
                       f"{'no plan' if plan is None else plan}")
        if self.boots and not self.ended:
            yield "the scenario did not reach its end"

    def failures(self):
        """The failed tests, each with the notes that follow it."""
        for boot in self.boots:
            failed = False
            for text in boot["lines"]:
                if TEST.match(text):
                    failed = text.startswith("not ok")
                if failed and not PLAN.match(text):
                    yield f"boot {boot['number']}: {text}"

    def results(self):
        return [(not any(t.startswith("not ok") for t in boot["lines"]),
                 f"boot {boot['number']}", boot_ktap(boot["lines"]))
                for boot in self.boots]


def count_tests(lines):
    plans = [int(PLAN.match(text)[1]) for text in lines if PLAN.match(text)]
    tests = sum(bool(TEST.match(text)) for text in lines)
    return tests, plans[0] if plans else None


def boot_ktap(lines):
    """KTAP wants the plan first; a lost one is reported by complaints()."""
    return ["KTAP version 1", f"1..{count_tests(lines)[0]}"] + \
        [text for text in lines if not PLAN.match(text)]


class Runner:
    def __init__(self, args):
        self.arch = args.arch
        self.config = CONFIGS[args.config]
        self.kernel = args.kernel
        self.stock = args.stock
        self.other = args.other
        self.seed = args.seed
        self.deadline = args.deadline * self.config.deadline
        self.results = args.results or \
            f"{self.config.results}-{args.arch}"
        self.logs = khotest.BUILD / "results" / self.results
        self.logs.mkdir(parents=True, exist_ok=True)
        self.images = {}

    def prepare(self, scenarios):
        khotest.require_tools(self.arch)
        for secure in {s.secure for s in scenarios if s.uefi}:
            vm.require_firmware(self.arch, secure)
        for program in sorted({s.efi_program for s in scenarios} - {""}):
            khotest.require_efi_program(program)
        if self.config is CONFIGS["signed"]:
            khotest.make_key()
        for name in sorted({n for s in scenarios for n in s.kernels}):
            self.images[name] = self.image(name)
        khotest.guest(self.arch)
        khotest.kho_compat(self.arch)

    def image(self, name):
        """--kernel names another tree, or an image, to use as ours."""
        if name in self.images:
            return self.images[name]
        tree, _, edits = name.partition(":")
        if SIGNED.match(edits):
            path = self.logs / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            return khotest.sign(self.image(tree), SIGNED.match(edits)[1], path)
        if edits:
            return self.edited(self.image(tree), name, edits.split(","))
        tree = {"ours": self.kernel, "stock": self.stock, "other": self.other,
                "debian": debian_image(self.arch)}.get(tree, tree)
        if os.path.exists(tree):
            return pathlib.Path(tree).absolute()
        wanted = self.config.fragments if tree == "ours" else self.config.stock
        return khotest.kernel(tree, self.arch, *wanted)

    def edited(self, image, name, edits):
        path = self.logs / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.write_bytes(edit_note.edit_note(image.read_bytes(), edits))
        except ValueError as error:
            sys.exit(f"run.py: kernel {name}: {error}")
        return path

    def cmdline(self, scenario):
        """A stock kernel does not know how much ours with the checkers needs."""
        wanted = f"{scenario.cmdline} {self.config.cmdline}"
        if self.config.stock_part and scenario.kernels[0] == "stock":
            scratch = vm.kib(self.config.memory_for(scenario)) // self.config.stock_part
            wanted += f" kho_scratch={scratch}K,16M,16M"
        return wanted.strip()

    def machine(self, scenario, directory):
        images = {name: self.images[name] for name in scenario.kernels}
        machine = khotest.machine(
            self.arch, scenario.name, images, directory,
            str(self.logs / f"{scenario.name}.log"), seed=self.seed,
            cmdline=self.cmdline(scenario),
            files={"bin/kho-compat": khotest.kho_compat(self.arch)},
            memory=self.config.memory_for(scenario),
            smp=scenario.smp, nodes=scenario.nodes, hotplug=scenario.hotplug,
            uefi=scenario.uefi, secure=scenario.secure,
            device_tree=scenario.device_tree and self.arch in vm.DEVICE_TREE,
            deadline=self.deadline)
        if scenario.efi_program:
            machine.disk = khotest.efi_disk(machine, scenario.efi_program,
                                            directory)
        return machine

    def run(self, scenario):
        """(passed, name, KTAP) for the results file; says how it went."""
        boots = Boots()
        with tempfile.TemporaryDirectory(prefix="kho-") as directory:
            machine = self.machine(scenario, directory)
            ended = vm.run(machine, boots.line)
        trouble = self.judge(scenario, machine, boots, ended)
        failures = list(boots.failures())
        self.tell(scenario, boots, ended, failures + trouble)
        results = boots.results()
        results.append((not trouble, "machine",
                        ["# " + line for line in trouble]))
        return (not failures and not trouble, scenario.name,
                khotest.ktap(results))

    def judge(self, scenario, machine, boots, ended):
        trouble = list(boots.complaints())
        if ended.status != "exited":
            trouble.append(f"the machine {ended.status} after "
                           f"{ended.seconds:.0f} s, its last lines:")
            trouble += ended.last_lines[-6:]
        if machine.uefi:
            found = khotest.log_has(machine.log, "ACPI: RSDP")
            if found == machine.device_tree:
                trouble.append(f"ACPI tables: {found}, expected {not found}")
        expected = scenario.log + self.config.log
        if scenario.panic:
            expected += [scenario.panic, PANIC_TRACE]
            if not khotest.log_has(machine.log, scenario.panic):
                trouble.append(f"the log has no '{scenario.panic}'")
        return trouble + khotest.problems(machine.log, expected)[:8]

    def tell(self, scenario, boots, ended, lines):
        tests = sum(count_tests(boot["lines"])[0] for boot in boots.boots)
        verdict = "FAILED" if lines else "ok"
        text = (f"{scenario.name:<18} {verdict:<6} {len(boots.boots)} boots, "
                f"{tests} tests, {ended.seconds:.0f} s")
        for line in lines[:16]:
            text += f"\n    {line}"
        if lines:
            text += f"\n    log: {self.logs / scenario.name}.log"
        khotest.say(text)


def arguments():
    parser = argparse.ArgumentParser(
        description="Run KHO scenarios in virtual machines.")
    parser.add_argument("--arch", choices=vm.QEMU,
                        default=os.environ.get("ARCH", "x86_64"))
    parser.add_argument("--config", choices=CONFIGS, default="vm",
                        help="how our kernel is configured")
    parser.add_argument("--kernel", default="ours", metavar="TREE|IMAGE",
                        help="run this instead of our kernel: stock, or the "
                        "path of an image")
    parser.add_argument("--stock", default="stock", metavar="IMAGE",
                        help="a kernel of Linux 7.3 without this series")
    parser.add_argument("--with", default="stock", metavar="IMAGE", dest="other",
                        help="the other kernel of interop_with, any that can "
                        "hand over to ours")
    parser.add_argument("--uefi", action="store_true",
                        help="all scenarios that need UEFI firmware, instead "
                        "of all others")
    parser.add_argument("--seed", type=int, default=random.getrandbits(62),
                        help="of the contents; the default is a random one")
    parser.add_argument("--deadline", type=int, default=600,
                        help="seconds until a machine counts as hung")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--results", metavar="NAME",
                        help="of the files in build/results; the default is "
                        "vm-ARCH or vm-CONFIG-ARCH")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    return parser.parse_args()


def main():
    args = arguments()
    scenarios = find_scenarios(args.scenarios, args.arch, args.config, args.uefi)
    if khotest.IN_KERNEL and args.stock == "stock":
        scenarios, skipped = without("stock", scenarios)
        if skipped:
            khotest.say(f"skipped without --stock IMAGE: {' '.join(skipped)}")
    unfetched = []
    if not debian_image(args.arch):
        scenarios, unfetched = without("debian", scenarios)
    for name in unfetched:
        khotest.say(f"{name} is skipped: scripts/kho-images.sh fetches its kernel")
    runner = Runner(args)
    runner.prepare(scenarios)
    khotest.say(f"{len(scenarios)} scenarios on {args.arch}, kernel "
                f"{args.kernel}, configuration {args.config}, seed {args.seed}")
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        results = list(pool.map(runner.run, scenarios))
    results += [(True, f"{name} # SKIP no kernel of Debian in build/images", [])
                for name in unfetched]
    path = khotest.write_results(f"{runner.results}.tap", results)
    failed = [name for passed, name, _ in results if not passed]
    khotest.say(f"{len(results) - len(failed)} scenarios passed, "
                f"{len(failed)} failed; results: {path}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

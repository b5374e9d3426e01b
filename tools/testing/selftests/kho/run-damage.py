#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Damage what is handed over in a virtual machine, many times.

Each number leads to one or several damages, made right before a kexec; see
scenarios/damage.c, which verifies what the next kernel makes of them, and
kernel/liveupdate/tests/kho_damage.c, which makes them. One machine kexecs from
number to number; where it does not survive one, another goes on with the next.

The numbers from 0 on aim at each field in turn, all others are seeds of random
damages. Writes build/results/damage-ARCH.tap, with --config NAME
damage-NAME-ARCH.tap, a test for each number, and to a directory of that name the
consoles. The last lines tell how many damages there were to which structure, and
what became of it:

    unharmed   all was retrieved and is what it was
    refused    something could not be retrieved, and whoever asked was told
    altered    a memfd differs whose own description was damaged; there are
               no checksums

Exit status 1 if the kernel did anything else.
"""
import argparse
import collections
import concurrent.futures
import dataclasses
import os
import random
import re
import sys
import tempfile

import khotest
import run
import vm

# Numbers that aim. A guest says how many its kernel has.
AIMS = 340

KERNEL_AIMS = re.compile(r"^# aims (\d+)$")
NEXT = re.compile(r"^# next (\d+)$")
OUTCOME = re.compile(r"^# outcome (\d+) (\S+) (\S+)$")
OUTCOMES = ("unharmed", "refused", "altered")

# A machine is started anew after so many, for two to share the work.
SHARE = 25


@dataclasses.dataclass
class Trial:
    """What one number led to."""
    number: int
    outcomes: list = dataclasses.field(default_factory=list)
    faults: list = dataclasses.field(default_factory=list)
    done: bool = False


class Console:
    """Sorts the lines of a machine by the number they belong to."""

    def __init__(self):
        self.trials = []

    def line(self, line):
        text = khotest.result_line(line)
        if text is None:
            if khotest.PROBLEM.search(line):
                self.fault(line)
            return
        if match := KERNEL_AIMS.match(text):
            if int(match[1]) != AIMS:
                sys.exit(f"run-damage.py: the kernel has {match[1]} aims, "
                         f"AIMS says {AIMS}")
        elif match := NEXT.match(text):
            self.trials.append(Trial(int(match[1])))
        elif match := OUTCOME.match(text):
            self.outcome(*match.groups())
        elif text.startswith("not ok") or text.startswith("# file "):
            self.fault(text)
        elif text == "# end of scenario" and self.trials:
            self.trials[-1].done = True

    def outcome(self, number, structure, outcome):
        trial = self.trials[-1]
        if trial.number != int(number):
            self.fault(f"outcome of {number} during {trial.number}")
        trial.outcomes.append((structure, outcome))

    def fault(self, text):
        if not self.trials:
            self.trials.append(Trial(-1))
        self.trials[-1].faults.append(text)


class Runner:
    def __init__(self, args):
        self.args = args
        self.config = run.CONFIGS[args.config]
        name = self.config.results.replace("vm", "damage", 1)
        self.results = f"{name}-{args.arch}"
        self.logs = khotest.BUILD / "results" / self.results
        self.logs.mkdir(parents=True, exist_ok=True)
        self.scenario = run.read_scenario(
            khotest.HERE / "scenarios/damage.c")
        self.image = None

    def prepare(self):
        khotest.require_tools(self.args.arch)
        self.image = khotest.kernel("ours", self.args.arch,
                                    *self.config.fragments)
        khotest.guest(self.args.arch)

    def machine(self, numbers, directory):
        scenario, first, count = self.scenario, numbers[0], len(numbers)
        step = numbers[1] - first if count > 1 else 1
        return khotest.machine(
            self.args.arch, scenario.name, {"ours": self.image}, directory,
            str(self.logs / f"{first}.log"), seed=self.args.contents,
            cmdline=f"{self.config.cmdline} {scenario.cmdline}",
            arguments=f"boots={count + 1} number={first} step={step}",
            memory=self.config.memory_for(scenario),
            smp=scenario.smp,
            deadline=(600 + 10 * count) * self.config.deadline)

    def part(self, numbers):
        """Trials for consecutive numbers, with as many machines as it takes."""
        trials = []
        while numbers:
            new = self.one_machine(numbers)
            trials += new
            numbers = [n for n in numbers if n > new[-1].number]
        return trials

    def one_machine(self, numbers):
        console, first = Console(), numbers[0]
        with tempfile.TemporaryDirectory(prefix="kho-") as directory:
            machine = self.machine(numbers, directory)
            ended = vm.run(machine, console.line)
        trials = console.trials or [Trial(first)]
        last = trials[-1]
        if not last.done or ended.status != "exited":
            last.faults.append(f"the machine {ended.status} after "
                               f"{ended.seconds:.0f} s, its last lines:")
            last.faults += ended.last_lines[-8:]
        for trial in trials:
            if not trial.outcomes:
                trial.faults.append("the next kernel did not get to the end")
            self.tell(trial, machine.log)
        if trials[0].number < 0:
            sys.exit("run-damage.py: the machine failed before any damage; "
                     f"log: {machine.log}")
        return trials

    def again(self, trial):
        return (f"{sys.argv[0]} --arch {self.args.arch} "
                f"--config {self.args.config} --contents {self.args.contents} "
                f"--seed {trial.number} --seeds 1")

    def tell(self, trial, log):
        if not trial.faults:
            return
        text = f"damage {trial.number:<20} FAILED"
        for line in trial.faults[:16]:
            text += f"\n    {line}"
        text += f"\n    log: {log}\n    again: {self.again(trial)}"
        khotest.say(text)

    def run(self):
        parts = list(shares(self.args))
        with concurrent.futures.ThreadPoolExecutor(self.args.jobs) as pool:
            trials = sum(pool.map(self.part, parts), [])
        khotest.write_results(f"{self.results}.tap", [
            (not trial.faults, f"damage {trial.number}",
             [f"# {structure} {outcome}" for structure, outcome
              in trial.outcomes] + [f"# {line}" for line in trial.faults])
            for trial in trials])
        return trials


def shares(args):
    """Lists of consecutive numbers, or of every n-th one that aims."""
    aims = range(args.seed % args.aimed, AIMS, args.aimed) if args.aimed else []
    seeds = range(args.seed, args.seed + args.seeds)
    for numbers in (aims, seeds):
        for i in range(0, len(numbers), SHARE):
            yield numbers[i:i + SHARE]


def summary(trials):
    """How often each outcome was seen, a line for each structure."""
    seen = collections.Counter(o for trial in trials for o in trial.outcomes)
    yield f"{'structure':<14}{'damages':>9}" + \
        "".join(f"{outcome:>10}" for outcome in OUTCOMES)
    for name in sorted({structure for structure, _ in seen}):
        counts = [seen[name, outcome] for outcome in OUTCOMES]
        yield f"{name:<14}{sum(counts):>9}" + \
            "".join(f"{count:>10}" for count in counts)
    counts = [sum(n for (_, o), n in seen.items() if o == outcome)
              for outcome in OUTCOMES]
    yield f"{'all':<14}{sum(counts):>9}" + \
        "".join(f"{count:>10}" for count in counts)


def arguments():
    parser = argparse.ArgumentParser(
        description="Damage what is handed over, and see what happens.")
    parser.add_argument("--arch", choices=vm.QEMU,
                        default=os.environ.get("ARCH", "x86_64"))
    parser.add_argument("--config", choices=run.CONFIGS, default="vm",
                        help="how our kernel is configured")
    parser.add_argument("--seed", type=int, metavar="FIRST",
                        default=random.getrandbits(40),
                        help="the first number; by default a random one")
    parser.add_argument("--seeds", type=int, default=100, metavar="COUNT",
                        help="how many numbers, each a kexec")
    parser.add_argument("--aimed", type=int, default=0, metavar="N",
                        help="before them, every N-th number that aims")
    parser.add_argument("--contents", type=int, default=1,
                        help="seed of the contents")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    return parser.parse_args()


def main():
    args = arguments()
    runner = Runner(args)
    runner.prepare()
    khotest.say(f"{args.seeds} kexecs from number {args.seed} on"
                + (f", and every {args.aimed}. of {AIMS} that aim"
                   if args.aimed else "")
                + f", configuration {args.config}")
    trials = runner.run()
    failed = [trial for trial in trials if trial.faults]
    for line in summary(trials):
        khotest.say(line)
    khotest.say(f"{len(trials) - len(failed)} kexecs survived, "
                f"{len(failed)} not as they should")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: GPL-2.0-only
"""A virtual machine with systemd in it, and a line to type commands into.

The second serial line leads to the program "agent", which runs until the very
end of a shutdown; what it prints is described there. Nothing here waits for a
time: a command ends, the next kernel is up, or QEMU ends. The deadline is for a
machine that hangs.
"""
import dataclasses
import pathlib
import queue
import re
import subprocess
import threading

import khotest
import vm

CMDLINE = (f"{vm.PARAMETERS['x86_64']} root=/dev/vda rw kho=on liveupdate=on "
           "systemd.service_watchdogs=no systemd.condition_needs_update=no")
DEADLINE = 1200
READY = "@ready"
DONE = re.compile(r"@done (\d+)")


class Lost(Exception):
    """The machine is not there any more."""


@dataclasses.dataclass
class Answer:
    """What a command printed, and its exit status. None: the next kernel came
    before it ended."""
    status: int
    text: str


class Host:
    def __init__(self, files, name, kernel, *, services=(), cmdline="",
                 memory="1G"):
        """files: a directory for what is written; "disk" beside it is the root.
        services: units that are started with the system."""
        self.console_log = pathlib.Path(files, f"{name}.console")
        self.said = open(pathlib.Path(files, f"{name}.log"), "w",
                         encoding="utf-8")
        words = [CMDLINE, *(f"systemd.wants={unit}" for unit in services), cmdline]
        program, _, board = vm.QEMU["x86_64"]
        self.qemu = subprocess.Popen(
            [program, *board, "-accel", vm.accelerator(), "-m", memory,
             "-smp", "1", "-nodefaults", "-display", "none", "-no-reboot",
             "-serial", f"file:{self.console_log}",
             "-chardev", "stdio,id=agent,signal=off", "-serial", "chardev:agent",
             "-drive", f"file={pathlib.Path(files).parent / 'disk'},format=raw,"
             "if=virtio,snapshot=on",
             "-kernel", str(kernel), "-append", " ".join(filter(None, words))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, bufsize=0)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        self.watchdog = threading.Timer(DEADLINE, self.qemu.kill)
        self.watchdog.start()
        self.up()

    def read(self):
        for line in self.qemu.stdout:
            self.lines.put(line.decode(errors="replace").rstrip("\r\n"))
        self.lines.put(None)

    def line(self):
        line = self.lines.get()
        if line is None:
            raise Lost(f"the machine was reset, it hung for {DEADLINE} s, or QEMU"
                       f" failed: status {self.qemu.wait()}")
        print(line, file=self.said, flush=True)
        return line

    def up(self):
        while READY not in self.line():
            pass

    def send(self, command):
        print(f"# {command}", file=self.said, flush=True)
        self.qemu.stdin.write(command.encode() + b"\n")

    def run(self, command):
        """journalctl ignores a file that is being enlarged: once more then."""
        answer = self.run_once(command)
        while "is truncated, ignoring file" in answer.text:
            answer = self.run_once(command)
        return answer

    def run_once(self, command):
        self.send(command)
        text = []
        while True:
            line = self.line()
            done = DONE.search(line)
            if done:
                return Answer(int(done[1]), "\n".join(filter(None, text)))
            if READY in line:
                raise Lost(f"the machine was booted anew by: {command}")
            text.append(line)

    def text(self, command):
        return self.run(command).text

    def started(self):
        """Wait for all units that are started with the system."""
        return self.text("systemctl is-system-running --wait")

    def kexec(self, command, wait=True):
        """Run what starts the next kernel, and wait until its units are up."""
        self.send(command)
        answer = Answer(None, "")
        while True:
            line = self.line()
            if READY in line:
                break
            done = DONE.search(line)
            if done:
                answer.status = int(done[1])
                if answer.status:
                    return answer
            elif answer.status is None:
                answer.text += line + "\n"
        if wait:
            self.started()
        return answer

    def soft_reboot(self):
        """Only userspace starts anew. /run stays."""
        self.kexec("rm -rf /run/keeper; systemctl soft-reboot")

    def kept(self, service):
        """What a keeper says of its files: name -> verdict."""
        lines = self.text(f"cat /run/keeper/{service}").splitlines()
        return dict(line.split(": ", 1) for line in lines if ": " in line)

    def console(self):
        return self.console_log.read_text(encoding="utf-8", errors="replace")

    def problems(self, allowed=()):
        """Trouble in the kernel log. systemd writes there, too."""
        return [line for line in khotest.problems(self.console_log, allowed)
                if khotest.STAMP.match(line) and "systemd" not in line]

    def end(self):
        self.watchdog.cancel()
        self.qemu.kill()
        self.qemu.wait()
        self.said.close()

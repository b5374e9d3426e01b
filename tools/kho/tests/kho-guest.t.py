#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of kho-guest: what it tells QEMU and systemd, both of which are played
here, and what it makes of files that come back from the fd store. TAP.
"""
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
TESTS = pathlib.Path(__file__).resolve().parent
PROGRAM = TESTS.parent / "guest/kho-guest"
FAKE_QEMU = TESTS / "fake-qemu.py"
SECONDS = 60


def load_module():
    loader = importlib.machinery.SourceFileLoader("kho_guest", str(PROGRAM))
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader("kho_guest", loader))
    loader.exec_module(module)
    return module


class Systemd:
    """The end of NOTIFY_SOCKET: keeps files, answers barriers."""

    def __init__(self, directory):
        self.address = str(directory / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.address)
        self.store = {}
        self.messages = []
        self.ready = threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            data, fds, _, _ = socket.recv_fds(self.socket, 4096, 8)
            message = data.decode()
            name = message.partition("FDNAME=")[2]
            self.messages.append(message.replace("\n", " "))
            if message.startswith("FDSTORE=1"):
                self.store[name] = fds.pop()
            elif message.startswith("FDSTOREREMOVE"):
                self.store.pop(name, None)
            elif message == "READY=1":
                self.ready.set()
            for fd in fds:
                os.close(fd)


class Service:
    """kho-guest, as systemd would run it."""

    def __init__(self, directory, systemd, files=None, version="11.1", fault="",
                 jobs="", memory="1M"):
        self.log = directory / "qemu.log"
        self.log.write_text("")
        self.systemd = systemd
        systemd.messages.clear()
        systemd.ready.clear()
        (directory / "systemctl").write_text(
            f'#!/bin/sh\ncase "$4" in {jobs or "none"}) echo 7;; esac\n')
        (directory / "systemctl").chmod(0o755)
        files = files or {}
        environment = {
            **os.environ, "PATH": f"{directory}:{os.environ['PATH']}",
            "NOTIFY_SOCKET": systemd.address, "FAKE_LOG": str(self.log),
            "FAKE_FAULT": fault, "FAKE_VERSION": version,
            "LISTEN_FDS": str(len(files)), "LISTEN_FDNAMES": ":".join(files)}
        self.process = subprocess.Popen(
            ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", str(PROGRAM),
             f"--memory={memory}", "--console", "web", str(FAKE_QEMU), "-smp", "2"],
            env=environment, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, close_fds=False,
            preexec_fn=lambda: self.hand_over(list(files.values())))
        self.errors = []

    @staticmethod
    def hand_over(fds):
        high = [os.dup2(os.dup(fd), 100 + i) for i, fd in enumerate(fds)]
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i)

    def is_ready(self):
        return self.systemd.ready.wait(SECONDS)

    def wait_for(self, text):
        for line in self.process.stderr:
            self.errors.append(line)
            if text in line:
                return True
        return False

    def end(self, *signals):
        """Send these, then see how it ends: status, output."""
        for number in signals:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=SECONDS)
        self.errors.append(err)
        return self.process.returncode, out

    def said(self, text):
        return text in "".join(self.errors)

    def told(self):
        return self.log.read_text().splitlines()

    def commands(self):
        return [line for line in self.told()
                if not line.startswith(("command", "environment", "query"))]


def taken(store):
    """The files of a store, which is empty after that."""
    files = dict(store)
    store.clear()
    return files


def saved(directory, systemd, **more):
    service = Service(directory, systemd, jobs="kexec.target", **more)
    service.is_ready()
    status, _ = service.end(signal.SIGTERM)
    return service, status


def start_cases(directory, systemd):
    service = Service(directory, systemd)
    yield "a guest starts", service.is_ready()
    told = service.told()
    yield ("its memory is a file that QEMU has open",
           "memory-backend-file,id=kho-ram,share=on,size=1048576,"
           "mem-path=/proc/self/fd/" in told[0])
    yield "its own arguments come first", told[0].startswith("command -smp 2 ")
    yield "QEMU hears nothing of systemd", told[1] == "environment []"
    yield "nothing is stored while it runs", systemd.messages == ["READY=1"]
    status, _ = service.end(signal.SIGTERM)
    yield ("a stop without a kexec powers it down", status == 0 and
           service.commands()[-1] == "system_powerdown" and not systemd.store)


def hand_over_cases(directory, systemd):
    for version, mode, uri in (("11.1", ["migrate-set-parameters "
                                         '{"mode": "cpr-reboot"}'], "file:"),
                               ("7.2", [], "exec:cat ")):
        service, status = saved(directory, systemd, version=version)
        sequence = ["qmp_capabilities", 'migrate-set-capabilities {"capabilities": '
                    '[{"capability": "x-ignore-shared", "state": true}]}', *mode]
        told = service.commands()
        yield (f"QEMU {version} saves the guest",
               status == 0 and told[:-2] == sequence and
               told[-2].startswith(f'migrate {{"uri": "{uri}'))
        yield (f"QEMU {version}: three files, then a barrier",
               systemd.messages[-4:] == [
                   "FDSTORE=1 FDNAME=ram", "FDSTORE=1 FDNAME=state",
                   "FDSTORE=1 FDNAME=note", "BARRIER=1"])
        files = taken(systemd.store)
        os.fchmod(files["ram"], 0o777)
        service = Service(directory, systemd, files, version=version)
        yield f"QEMU {version} resumes it", service.is_ready()
        told = service.commands()
        yield (f"QEMU {version} is told the same",
               "-incoming defer" in service.told()[0] and
               told[:-2] == sequence and
               told[-2].startswith(f'migrate-incoming {{"uri": "{uri}') and
               told[-1] == "state=b'device state' memory=b'guest'")
        yield (f"QEMU {version}: the store is empty after that",
               systemd.messages == [
                   *(f"FDSTOREREMOVE=1 FDNAME={name}" for name in files),
                   "BARRIER=1", "READY=1"])
        yield "the memory has its mode", os.fstat(files["ram"]).st_mode & 0o777 == 0o600
        _, out = service.end(signal.SIGTERM)
        yield "a line begun before is completed", out == "last words, first words\n"
    service = Service(directory, systemd, jobs="soft-reboot.target")
    service.is_ready()
    yield ("a soft reboot keeps it, too",
           service.end(signal.SIGTERM)[0] == 0 and len(systemd.store) == 3)
    taken(systemd.store)


def starts_anew(directory, systemd, files, why, **more):
    """files cannot be resumed: is that said, and does a guest start?"""
    service = Service(directory, systemd, files, **more)
    ready = service.is_ready()
    service.end(signal.SIGTERM)
    commands = [line for line in service.told() if line.startswith("command")]
    return ready and service.said(why) and "-incoming" not in commands[-1] \
        and not systemd.store


def emptied(files):
    files["ram"] = os.memfd_create("empty")
    os.ftruncate(files["ram"], 1 << 20)
    return files


def renoted(files, **changes):
    note = {**json.loads(os.pread(files["note"], 4096, 0)), **changes}
    os.ftruncate(files["note"], 0)
    os.pwrite(files["note"], json.dumps(note).encode(), 0)
    return files


def without(files, name):
    return {key: fd for key, fd in files.items() if key != name}


def refused_cases(directory, systemd):
    for what, change, why, more in (
            ("empty memory is noticed", emptied, "is not that of the guest", {}),
            ("a note of another version", lambda f: renoted(f, version=9),
             "has version 9, expected 1", {}),
            ("a note that is none", lambda f: {**f, "note": f["ram"]},
             "cannot be read", {}),
            ("another size", dict, "--memory says 2097152", {"memory": "2M"}),
            ("a file is missing", lambda f: without(f, "state"),
             "state is missing", {}),
            ("QEMU cannot load it", dict, "refuses migrate-incoming",
             {"fault": "migrate-incoming"}),
            ("QEMU ends when it loads it", dict, "QEMU ended",
             {"fault": "exit-migrate-incoming"})):
        saved(directory, systemd)
        files = change(taken(systemd.store))
        yield f"{what}: it starts anew", starts_anew(directory, systemd, files,
                                                     why, **more)


def goes_on_cases(directory, systemd):
    service = Service(directory, systemd, fault="migrate")
    service.is_ready()
    service.process.send_signal(signal.SIGUSR1)
    yield "a failed save is told", service.wait_for("cannot hand the guest over")
    yield "and the guest goes on", service.wait_for("goes on here") and \
        service.commands()[-1] == "cont" and not systemd.store
    service.end(signal.SIGTERM)
    service = Service(directory, systemd)
    service.is_ready()
    service.process.send_signal(signal.SIGUSR1)
    yield ("SIGUSR1 saves at once",
           service.wait_for("ready for the kexec") and len(systemd.store) == 3)
    service.process.send_signal(signal.SIGUSR2)
    yield "SIGUSR2 lets it go on", service.wait_for("goes on here") and \
        service.commands()[-1] == "cont" and not systemd.store
    service.end(signal.SIGTERM)
    service = Service(directory, systemd, fault="exit-migrate")
    service.is_ready()
    status, _ = service.end(signal.SIGUSR1)
    yield "QEMU's end is the service's", status == 1 and not systemd.store


class Device:
    """/dev/liveupdate, as ioctls: keeps what was asked for."""

    def __init__(self, module, answers):
        self.asked = []
        self.answers = list(answers)
        module.fcntl = self

    def ioctl(self, _fd, request, data):
        self.asked.append((request, len(data), *struct.unpack_from("=Ii", data)))
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        if answer is not None:
            struct.pack_into("=i", data, 4, answer)


def session_cases():
    module = load_module()
    said = []

    def device(*answers):
        asked = Device(module, answers)
        return asked, module.Session("web", said.append, os.devnull)

    def spare():
        return os.open(os.devnull, os.O_RDONLY)

    asked, session = device(FileNotFoundError(2, "none"), spare(), None, None)
    yield "no session: nothing to resume", not session.files and not said
    session.keep_memory(5)
    session.keep({"ram": 5, "state": 6})
    yield ("memory first, and each file once", asked.asked == [
        (0xBA01, 72, 72, 0), (0xBA00, 72, 72, 0),
        (0xBA40, 16, 16, 5), (0xBA40, 16, 16, 6)])
    session.give_up()
    yield "giving up closes the session", session.outgoing is None
    asked, session = device(spare(), spare(), spare(), spare(), None)
    yield "a session is retrieved", set(session.files) == set(module.FILES)
    session.taken()
    yield ("and finished once", asked.asked[-1] == (0xBA42, 8, 8, 0) and
           session.incoming is None)
    _, session = device(spare(), OSError(93, "Protocol not supported"))
    yield ("what cannot be retrieved is said", not session.files and
           "Protocol not supported" in said[-1])
    try:
        module.Session("a" * 54, said.append)
        yield "a name that is too long", False
    except module.Failed as error:
        yield "a name that is too long", "at most 53" in str(error)


def usage_cases():
    for arguments, why in ((["--memory=0", "web", "qemu"], "--memory is '0'"),
                           (["--memory=4X", "web", "qemu"], "'4X'"),
                           (["--fast", "web", "qemu"], "unknown option --fast"),
                           (["web"], "usage"),
                           (["../web", "qemu"], "name of the guest")):
        run = subprocess.run([str(PROGRAM), *arguments], text=True,
                             capture_output=True, check=False)
        yield f"refused: {why}", run.returncode == 2 and why in run.stderr


def cases(directory, systemd):
    yield from usage_cases()
    yield from session_cases()
    yield from start_cases(directory, systemd)
    yield from hand_over_cases(directory, systemd)
    yield from refused_cases(directory, systemd)
    yield from goes_on_cases(directory, systemd)


def main():
    failed = number = 0
    print("TAP version 13")
    with tempfile.TemporaryDirectory(prefix="kho-") as name:
        directory = pathlib.Path(name)
        for number, (text, held) in enumerate(
                cases(directory, Systemd(directory)), 1):
            print(f"{'ok' if held else 'not ok'} {number} {text}", flush=True)
            failed += not held
    print(f"1..{number}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

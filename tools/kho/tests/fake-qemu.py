#!/usr/bin/python3 -IS
# SPDX-License-Identifier: GPL-2.0-only
"""As much of QEMU as kho-guest sees: a monitor on stdin and stdout, a memory
file that it writes to, a serial line. FAKE_LOG names the file for the command
line and what the monitor was told, FAKE_FAULT a command that fails ("exit-NAME":
ends QEMU), FAKE_VERSION the version."""
import json
import os
import re
import subprocess
import sys

arguments = " ".join(sys.argv[1:])
fault = os.environ.get("FAKE_FAULT", "")
major, minor = map(int, os.environ["FAKE_VERSION"].split("."))
log = open(os.environ["FAKE_LOG"], "a", encoding="utf-8")
incoming = "-incoming" in sys.argv
memory = re.search(r"mem-path=(\S+)", arguments)[1]
serial = open(re.search(r"-serial file:(\S+)", arguments)[1], "w",
              encoding="utf-8")


def note(text):
    print(text, file=log, flush=True)


def tell(message):
    print(json.dumps(message), flush=True)


def transfer(uri, data):
    """Write data, or read it if there is none."""
    kind, _, rest = uri.partition(":")
    if kind == "exec":
        return subprocess.run(["sh", "-c", rest], input=data, check=True,
                              stdout=subprocess.PIPE).stdout
    with open(rest, "wb" if data else "rb") as file:
        return file.write(data) if data else file.read()


def migrate(uri):
    tell({"event": "STOP"})
    transfer(uri, b"device state")
    print("last words, ", file=serial, end="", flush=True)


def migrate_incoming(uri):
    with open(memory, "rb") as ram:
        note(f"state={transfer(uri, None)} memory={ram.read(5)}")
    tell({"event": "RESUME"})
    print("first words", file=serial, flush=True)


with open(memory, "r+b") as ram:
    if not incoming:
        ram.write(b"guest")
note(f"command {arguments}")
note(f"environment {sorted(k for k in os.environ if 'NOTIFY' in k or 'LISTEN' in k)}")
tell({"QMP": {"version": {"qemu": {"major": major, "minor": minor, "micro": 0}}}})
for line in sys.stdin:
    request = json.loads(line)
    name, given = request["execute"], request.get("arguments", {})
    note(f"{name} {json.dumps(given)}" if given else name)
    answer = {}
    if fault == f"exit-{name}":
        sys.exit(1)
    if fault == name:
        tell({"error": {"class": "GenericError", "desc": "fault"}})
        continue
    if name == "migrate":
        migrate(given["uri"])
    elif name == "migrate-incoming":
        migrate_incoming(given["uri"])
    elif name == "query-migrate":
        answer = {"status": "completed"}
    elif name == "query-status":
        answer = {"running": True}
    tell({"return": answer})
    if name in ("quit", "system_powerdown"):
        break

# SPDX-License-Identifier: GPL-2.0-only
"""Boot one QEMU virtual machine and watch its serial console.

Owns: the QEMU command line for each architecture, the deadline, the console
log. Knows nothing of KHO or of tests: a caller gets each console line as it
comes, and how the machine ended.

Emulation (-accel tcg) is the default, because a /dev/kvm that opens may still
hang its guests; ACCEL=kvm in the environment chooses otherwise.
"""
import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

TOP = pathlib.Path(__file__).resolve().parents[4]
NEED = TOP / "scripts/lib.sh"    # not there in a kernel tree

# pauth-impdef: the architected pointer authentication is slow to emulate.
QEMU = {
    "x86_64": ("qemu-system-x86_64", "qemu-system-x86",
               ["-M", "pc", "-cpu", "max"]),
    "arm64": ("qemu-system-aarch64", "qemu-system-arm",
              ["-M", "virt", "-cpu", "max,pauth-impdef=on"]),
}

# The interrupt controller of real hosts. Its tables stay where the first kernel has
# put them, and UEFI tells later ones where that is.
UEFI_BOARD = {"arm64": ["-M", "virt,gic-version=3,its=on",
                        "-cpu", "max,pauth-impdef=on"]}

# Firmware hands the device tree on only where there are no ACPI tables.
DEVICE_TREE = {"arm64": ["-M", "acpi=off"]}

# UEFI firmware: code, variables as they are delivered, Debian package. What is
# written to the variables goes when the machine does.
FIRMWARE = {
    "x86_64": ("/usr/share/OVMF/OVMF_CODE_4M.fd",
               "/usr/share/OVMF/OVMF_VARS_4M.fd", "ovmf"),
    "arm64": ("/usr/share/AAVMF/AAVMF_CODE.fd",
              "/usr/share/AAVMF/AAVMF_VARS.fd", "qemu-efi-aarch64"),
}

# The same with Secure Boot, which takes a machine with system management mode
SECURE_FIRMWARE = {
    "x86_64": ("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd",
               "/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd", "ovmf"),
}
SECURE_BOARD = {
    "x86_64": ["-M", "q35,smm=on", "-cpu", "max", "-global",
               "driver=cfi.pflash01,property=secure,value=on"],
}

# What every kernel needs to be told. The PC's timer check counts ticks in real
# time, which an emulated processor on a busy host fails.
PARAMETERS = {"x86_64": "console=ttyS0 no_timer_check panic=-1",
              "arm64": "console=ttyAMA0 earlycon panic=-1"}
UNITS = {"K": 1, "M": 1024, "G": 1024 * 1024}


@dataclasses.dataclass
class Machine:
    arch: str
    kernel: str
    initrd: str
    cmdline: str
    log: str
    memory: str = "512M"
    smp: int = 2
    nodes: int = 1
    hotplug: str = ""   # memory in a module, see hotplug_options()
    deadline: int = 600
    icount: bool = False
    uefi: bool = False
    secure: bool = False
    device_tree: bool = False   # not ACPI, where UEFI has the choice
    disk: str = ""      # a directory; UEFI boots from it, not from kernel


@dataclasses.dataclass
class Ended:
    """status: 'exited' (the guest rebooted), 'hung' or 'failed' (QEMU did)."""
    status: str
    seconds: float
    last_lines: list


def require_tools(*pairs):
    """Commands or files, each followed by the package that it is in."""
    if NEED.exists():
        script = '. "$(dirname "$0")/lib.sh"; need "$@"'
        subprocess.run(["sh", "-eu", "-c", script, str(TOP / "scripts/vm"),
                        *pairs], check=True, stdout=sys.stderr)
        return
    missing = [f"{what} (Debian: {package})"
               for what, package in zip(pairs[::2], pairs[1::2])
               if not shutil.which(what) and not os.path.isfile(what)]
    if missing:
        sys.exit(f"vm: missing: {', '.join(missing)}")


def require_firmware(arch, secure):
    code, variables, package = (SECURE_FIRMWARE if secure else FIRMWARE)[arch]
    require_tools(code, package, variables, package)


def accelerator():
    return os.environ.get("ACCEL", "tcg")


def kib(memory):
    return int(memory[:-1]) * UNITS[memory[-1].upper()]


def node_options(machine):
    """Equal parts of the memory; processors, each a socket, by turns."""
    if machine.nodes == 1:
        return []
    size = kib(machine.memory) // machine.nodes
    options = []
    for node in range(machine.nodes):
        options += ["-object", f"memory-backend-ram,id=m{node},size={size}K",
                    "-numa", f"node,nodeid={node},memdev=m{node}"]
    for cpu in range(machine.smp):
        node = cpu % machine.nodes
        options += ["-numa", f"cpu,node-id={node},socket-id={cpu}"]
    return options


def hotplug_options(machine):
    """Memory that the map of the firmware does not have, but ACPI."""
    if not machine.hotplug:
        return []
    size = f"{kib(machine.hotplug)}K"
    return ["-object", f"memory-backend-ram,id=dimm0,size={size}",
            "-device", "pc-dimm,memdev=dimm0"]


def memory_size(machine):
    if not machine.hotplug:
        return machine.memory
    most = kib(machine.memory) + kib(machine.hotplug)
    return f"{machine.memory},slots=1,maxmem={most}K"


def clock_options(machine):
    """icount: a guest nanosecond is one instruction, and waiting takes none.
    Only emulation can count."""
    if not machine.icount:
        return ["-accel", accelerator()]
    return ["-accel", "tcg", "-icount", "shift=0,sleep=off"]


def firmware_options(machine):
    """UEFI starts the kernel by its EFI stub, or what is on the disk."""
    if not machine.uefi:
        return []
    code, variables, _ = (SECURE_FIRMWARE if machine.secure else
                          FIRMWARE)[machine.arch]
    flash = "if=pflash,format=raw"
    return ["-drive", f"{flash},unit=0,readonly=on,file={code}",
            "-drive", f"{flash},unit=1,snapshot=on,file={variables}"]


def boot_options(machine):
    if machine.disk:
        drive = f"if=none,id=disk,format=raw,readonly=on,file=fat:{machine.disk}"
        return ["-drive", drive, "-device", "virtio-blk-pci,drive=disk"]
    return ["-kernel", machine.kernel, "-initrd", machine.initrd,
            "-append", machine.cmdline]


def command(machine):
    program, _, board = QEMU[machine.arch]
    if machine.secure:
        board = SECURE_BOARD[machine.arch]
    elif machine.uefi:
        board = UEFI_BOARD.get(machine.arch, board)
    if machine.device_tree:
        board = board + DEVICE_TREE[machine.arch]
    return [program, *board, *clock_options(machine),
            "-m", memory_size(machine), *hotplug_options(machine),
            "-smp", f"{machine.smp},sockets={machine.smp}",
            *node_options(machine), *firmware_options(machine),
            "-nodefaults", "-display", "none", "-no-reboot",
            "-serial", "stdio", *boot_options(machine)]


def run(machine, on_line=lambda line: None):
    """Boot, wait until the guest reboots for good; return an Ended."""
    started = time.monotonic()
    late = threading.Event()
    with open(machine.log, "w", encoding="utf-8") as log, subprocess.Popen(
            command(machine), stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            errors="replace") as qemu:

        def expire():
            late.set()
            qemu.kill()

        watchdog = threading.Timer(machine.deadline, expire)
        watchdog.start()
        try:
            lines = follow(qemu.stdout, log, on_line)
            qemu.wait()
        finally:
            watchdog.cancel()
            qemu.kill()
    status = "hung" if late.is_set() else \
        "exited" if qemu.returncode == 0 else "failed"
    return Ended(status, time.monotonic() - started, lines)


def follow(console, log, on_line):
    last = []
    for line in console:
        line = line.rstrip("\r\n")
        print(line, file=log, flush=True)
        last = last[-19:] + [line]
        on_line(line)
    return last

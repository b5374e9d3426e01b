# SPDX-License-Identifier: GPL-2.0-only
"""What a virtual machine needs to run a guest of its own: this system's QEMU and
kho-guest, with the libraries, modules and firmware that they load, and the guest.

Names no library and no module of Python: the loader and Python say what they
load.
"""
import glob
import json
import os
import pathlib
import subprocess

import khotest
import vm

QEMU = "/usr/bin/qemu-system-x86_64"
PYTHON = "/usr/bin/python3"
LOADER = "/lib64/ld-linux-x86-64.so.2"
KHO_GUEST = khotest.TOP / "tools/kho/guest/kho-guest"
FIRMWARE = ["/usr/share/qemu/qboot.rom", "/usr/share/qemu/linuxboot_dma.bin"]
# QEMU before 8.2 saves through them
SHELL = ["/bin/sh", "/bin/cat"]
MEMORY = "64M"

# A machine without firmware tables boots fastest.
BOARD = ["-M", "microvm,acpi=off,pit=on,pic=on", "-cpu", "max", "-accel", "tcg",
         "-nodefaults", "-no-user-config", "-display", "none"]
CMDLINE = "console=ttyS0 no_timer_check panic=-1 quiet"

# Run by the Python that is packed: load the program, compile what that loaded.
# Without sources Python starts with half of the instructions.
PACK = """
import importlib.machinery, importlib.util, json, sys
program, directory = sys.argv[1:]
loader = importlib.machinery.SourceFileLoader("kho_guest", program)
module = importlib.util.module_from_spec(
    importlib.util.spec_from_loader("kho_guest", loader))
loader.exec_module(module)
import zlib
paths = {m.__file__ for m in sys.modules.values() if getattr(m, "__file__", None)}
import py_compile
files = {}
for number, path in enumerate(sorted(paths - {program}) + [program]):
    if not path.endswith(".so"):
        code = f"{directory}/{number}.pyc"
        py_compile.compile(path, code, doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
        name = path[:-3] if path.endswith(".py") else "/usr/bin/kho-guest"
        files[name + ".pyc"] = code
    else:
        files[path] = path
print(json.dumps(files))
"""


def require_tools():
    vm.require_tools(*vm.QEMU["x86_64"][:2], PYTHON, "python3",
                     *(word for path in FIRMWARE
                       for word in (path, "qemu-system-data")))


def libraries(program):
    """Paths of the libraries that a program or library loads."""
    done = subprocess.run([LOADER, "--list", program], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    words = [line.split() for line in done.stdout.splitlines()]
    return {word[2] for word in words if len(word) > 2 and word[1] == "=>"}


def python_files(directory):
    done = subprocess.run([PYTHON, "-IS", "-c", PACK, str(KHO_GUEST), directory],
                          text=True, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def command(python):
    """kho-guest's command line, a word a line."""
    words = [python, "-IS", "/usr/bin/kho-guest.pyc", "--memory", MEMORY,
             "--console", "--sum", "demo", QEMU, *BOARD,
             "-kernel", "/kernels/ours", "-initrd", "/guest/initrd", "-append",
             CMDLINE]
    return "\n".join(words).encode()


def files(directory):
    """For khotest.machine(): name in the archive -> path or contents."""
    initrd = f"{directory}/guest.cpio"
    khotest.write_initramfs(initrd, {
        "init": pathlib.Path(khotest.guest("x86_64")).with_name("counter")})
    python = os.path.realpath(PYTHON)
    modules = glob.glob("/usr/lib/*/qemu/accel-tcg-x86_64.so")
    packed = {path: path for path in
              [QEMU, python, LOADER, *SHELL, *FIRMWARE, *modules]}
    packed |= python_files(directory)
    for source in list(packed.values()):
        packed |= {path: path for path in libraries(source)}
    return {**{name.lstrip("/"): path for name, path in packed.items()},
            "guest/initrd": initrd, "guest/command": command(python)}

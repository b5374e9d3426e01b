# SPDX-License-Identifier: GPL-2.0-only
"""What run.py and others share: kernels, the guest program, initramfs archives,
and the judgement of a kernel log.

In a kernel tree the kernel is the one that was built there, in place, and all
that is written goes to build/ here. The repository that this comes from builds
its kernels with scripts/kernel.sh and has build/ at its top.
"""
import functools
import pathlib
import re
import shutil
import stat
import subprocess
import sys

import vm

TOP = pathlib.Path(__file__).resolve().parents[4]
HERE = TOP / "tools/testing/selftests/kho"
IN_KERNEL = (TOP / "Kbuild").is_file()
BUILD = HERE / "build" if IN_KERNEL else TOP / "build"

IMAGE = {"x86_64": "arch/x86/boot/bzImage", "arm64": "arch/arm64/boot/Image"}
COMPILER = {"x86_64": ("x86_64-linux-gnu-gcc", "gcc-x86-64-linux-gnu"),
            "arm64": ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu")}
LIBC = {"x86_64": ("/usr/lib/x86_64-linux-gnu/libc.a", "libc6-dev",
                   "/usr/x86_64-linux-gnu/lib/libc.a", "libc6-dev-amd64-cross"),
        "arm64": ("/usr/lib/aarch64-linux-gnu/libc.a", "libc6-dev",
                  "/usr/aarch64-linux-gnu/lib/libc.a", "libc6-dev-arm64-cross")}
MACHINE = {"x86_64": "x86_64", "arm64": "aarch64"}

# Firmware may interrupt where it likes.
EFI_FLAGS = {"x86_64": ["-mno-red-zone"], "arm64": []}

# The last two are for main.c, which finds the initramfs in sysfs and writes its
# results to /dev/kmsg.
PARAMETERS = "kho=on liveupdate=on retain_initrd printk.devkmsg=on"

STAMP = re.compile(r"^\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?")
TAG = "khotest: "
PROBLEM = re.compile(
    r"WARNING|\bBUG\b|\bOops\b|KASAN|UBSAN|KCSAN|KFENCE|Kernel panic"
    r"|Call [Tt]race:|possible recursive locking|possible circular locking"
    r"|suspicious RCU usage|INFO: task .* blocked|self-detected stall"
    r"|detected stalls|general protection fault|Unable to handle kernel"
    r"|Internal error|lock held when returning"
    r"|scheduling while atomic|invoked oom-killer|Bad page state")


def say(text):
    print(text, flush=True)


def native(arch):
    return subprocess.run(["uname", "-m"], capture_output=True, text=True,
                          check=True).stdout.strip() == MACHINE[arch]


def require_tools(arch):
    """Compiler, static C library and QEMU; returns the compiler's name."""
    if native(arch):
        compiler, libc = ("gcc", "gcc"), LIBC[arch][:2]
    else:
        compiler, libc = COMPILER[arch], LIBC[arch][2:]
    vm.require_tools(*compiler, *libc, "make", "make", *vm.QEMU[arch][:2])
    return compiler[0]


def built_kernel(arch):
    image = TOP / IMAGE[arch]
    if not image.is_file():
        sys.exit(f"kho: there is no {image}; build it with the options in "
                 f"{HERE / 'config'}, or name another one with --kernel")
    return image


def kernel(tree, arch, *fragments):
    """Build it, or find it up to date; the path of its image."""
    if IN_KERNEL:
        return built_kernel(arch)
    done = subprocess.run([str(TOP / "scripts/kernel.sh"), tree, arch, "vm",
                           *fragments],
                          stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"kho: building kernel {tree} for {arch} failed")
    return pathlib.Path(done.stdout.split()[-1])


def headers(arch):
    """User headers of a kernel that is built; the interface is the same."""
    if IN_KERNEL:
        if not (TOP / "usr/include/linux/liveupdate.h").is_file():
            sys.exit(f"kho: no user headers in {TOP}; run make headers")
        return TOP / "usr/include"
    found = sorted(BUILD.glob(f"kernels/*-{arch}-*/headers/include"))
    if not found:
        sys.exit(f"kho: no kernel headers for {arch}; run "
                 f"scripts/kernel.sh ours {arch} vm")
    return found[0]


@functools.cache
def guest(arch):
    """Build the guest's init. Before threads ask for it, if there are any."""
    output = BUILD / "guest" / arch
    output.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["make", "-s", "-C", str(HERE), f"OUTPUT={output}",
         f"CC={require_tools(arch)}", f"HEADERS={headers(arch)}"],
        stdout=sys.stderr, check=False)
    if done.returncode:
        sys.exit(f"kho: building the guest program for {arch} failed")
    return output / "khotest"


@functools.cache
def kho_compat(arch):
    """Build the command for the guest. As for guest()."""
    output = BUILD / "guest" / arch / "kho-compat"
    output.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["make", "-s", "-C", str(TOP / "tools/kho"), f"OUTPUT={output}/",
         f"CC={require_tools(arch)}", "LDFLAGS=-static"],
        stdout=sys.stderr, check=False)
    if done.returncode:
        sys.exit(f"kho: building kho-compat for {arch} failed")
    return output / "kho-compat"


KEYS = BUILD / "keys"

# The key that is enrolled in vm.SECURE_FIRMWARE, as it is packaged
SNAKEOIL = "/usr/share/ovmf/PkKek-1-snakeoil"


def make_key():
    """A key of one's own, kexec.key, with the certificate that kernels trust, and
    that of the firmware without its passphrase."""
    vm.require_tools("openssl", "openssl", "sbsign", "sbsigntool",
                     f"{SNAKEOIL}.key", "ovmf")
    KEYS.mkdir(parents=True, exist_ok=True)
    if (KEYS / "firmware.pem").exists():
        return
    for command in (
            ["req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256",
             "-days", "36500", "-subj", "/CN=kexec/", "-keyout",
             str(KEYS / "kexec.key"), "-out", str(KEYS / "kexec.pem")],
            ["rsa", "-in", f"{SNAKEOIL}.key", "-passin", "pass:snakeoil", "-out",
             str(KEYS / "firmware.key")]):
        subprocess.run(["openssl", *command], stdout=sys.stderr,
                       stderr=subprocess.DEVNULL, check=True)
    shutil.copy(f"{SNAKEOIL}.pem", KEYS / "firmware.pem")


def sign(image, key, path):
    subprocess.run(["sbsign", f"--key={KEYS / key}.key", f"--cert={KEYS / key}.pem",
                    f"--output={path}", str(image)], stdout=sys.stderr, check=True)
    return path


EFI_BOOT = {"x86_64": "BOOTX64.EFI", "arm64": "BOOTAA64.EFI"}


def grub_program(machine, disk, program):
    shutil.copy(machine.kernel, disk / "kernel")
    (program.parent / "grub.cfg").write_text(
        f"linux /kernel {machine.cmdline}\ninitrd /initrd\nboot\n",
        encoding="ascii")
    subprocess.run(["grub-mkimage", "-O", "x86_64-efi", "-p", "/EFI/BOOT", "-o",
                    str(program), "part_msdos", "fat", "linux", "normal"],
                   stdout=sys.stderr, check=True)


UKI_STUB = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"


def uki_program(machine, disk, program):
    """Sections where systemd's ukify puts them."""
    (disk / "cmdline").write_text(machine.cmdline, encoding="ascii")
    sections = ((".cmdline", disk / "cmdline", 0x30000),
                (".linux", machine.kernel, 0x2000000),
                (".initrd", machine.initrd, 0x3000000))
    arguments = [argument for name, path, address in sections for argument in (
        f"--add-section={name}={path}", f"--change-section-vma={name}={address:#x}")]
    subprocess.run(["objcopy", *arguments, UKI_STUB, str(program)],
                   stdout=sys.stderr, check=True)


# Boot programs as they are packaged: how to make one, and what that takes
EFI_PROGRAMS = {
    "grub": (grub_program, ["grub-mkimage", "grub-common",
                            "/usr/lib/grub/x86_64-efi/linux.mod",
                            "grub-efi-amd64-bin"]),
    "uki": (uki_program, [UKI_STUB, "systemd-boot-efi"]),
}


def require_efi_program(name):
    vm.require_tools(*EFI_PROGRAMS.get(
        name, (None, ["clang", "clang", "lld-link", "lld"]))[1])


def efi_disk(machine, name, directory):
    """A disk from which firmware starts one of EFI_PROGRAMS or efi/NAME.c."""
    disk = pathlib.Path(directory, "disk")
    program = disk / "EFI/BOOT" / EFI_BOOT[machine.arch]
    program.parent.mkdir(parents=True)
    shutil.copy(machine.initrd, disk / "initrd")
    make = EFI_PROGRAMS.get(name, (None,))[0]
    if make:
        make(machine, disk, program)
    else:
        own_program(machine, f"{directory}/{name}", HERE / f"efi/{name}.c", program)
    return str(disk)


def own_program(machine, base, source, program):
    """Built around the kernel and the command line of the machine."""
    pathlib.Path(f"{base}.options").write_bytes(
        f"{machine.cmdline} initrd=initrd".encode("utf-16-le"))
    subprocess.run(
        ["clang", f"--target={MACHINE[machine.arch]}-unknown-windows",
         "-ffreestanding", "-fno-stack-protector", "-O2", "-Wall", "-Wextra",
         "-Werror", "-std=gnu11", *EFI_FLAGS[machine.arch],
         f'-DIMAGE="{machine.kernel}"', f'-DOPTIONS="{base}.options"', "-c",
         "-o", f"{base}.o", str(source)],
        stdout=sys.stderr, check=True)
    subprocess.run(
        ["lld-link", "/subsystem:efi_application", "/entry:efi_main",
         "/nodefaultlib", f"/out:{program}", f"{base}.o"],
        stdout=sys.stderr, check=True)


def cpio_record(number, name, mode, data=b"", device=(0, 0)):
    """One member of a "newc" archive, the format that initramfs takes."""
    fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, *device,
              len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields)
    head += name.encode() + b"\0"
    return (head + bytes(-len(head) % 4), data + bytes(-len(data) % 4))


def write_initramfs(path, files):
    """files: name in the archive -> path, bytes, or None for a directory."""
    directories = {"dev"} | {n for n, source in files.items() if source is None}
    directories |= {str(parent) for name in files
                    for parent in pathlib.PurePath(name).parents}
    members = [(name, stat.S_IFDIR | 0o755, b"", (0, 0))
               for name in sorted(directories - {"."})]
    members.append(("dev/console", stat.S_IFCHR | 0o600, b"", (5, 1)))
    members += [(name, stat.S_IFREG | 0o755,
                 source if isinstance(source, bytes)
                 else pathlib.Path(source).read_bytes(), (0, 0))
                for name, source in files.items() if source is not None]
    members.append(("TRAILER!!!", 0, b"", (0, 0)))
    with open(path, "wb") as out:
        for number, member in enumerate(members, 1):
            out.writelines(cpio_record(number, *member))


def machine(arch, scenario, images, directory, log, *, seed, cmdline="",
            files=None, arguments="", **properties):
    """Write the initramfs of a scenario to a directory and return the virtual
    machine, which boots the first of images, name -> path. arguments are more
    of those that main.c takes, properties are those of vm.Machine."""
    initrd = f"{directory}/{scenario}.cpio"
    first = next(iter(images))
    common = f"{vm.PARAMETERS[arch]} {PARAMETERS} {cmdline}".strip()
    write_initramfs(initrd, {
        "init": guest(arch), "cmdline": common.encode(), **(files or {}),
        **{f"kernels/{name}": path for name, path in images.items()}})
    return vm.Machine(
        arch, str(images[first]), initrd, f"{common} -- scenario={scenario} "
        f"kernel={first} seed={seed} boot=1 {arguments}", log, **properties)


def message(line):
    """A console line without printk's time stamp."""
    return STAMP.sub("", line)


def result_line(line):
    """What the guest program reported, or None if the kernel said it."""
    text = message(line)
    return text[len(TAG):] if text.startswith(TAG) else None


def log_has(log, pattern):
    with open(log, encoding="utf-8", errors="replace") as lines:
        return any(re.search(pattern, line) for line in lines)


def problems(log, allowed):
    """Lines of a kernel log that tell of trouble and that nobody expects."""
    with open(log, encoding="utf-8", errors="replace") as lines:
        return [line.rstrip() for line in lines
                if result_line(line) is None and PROBLEM.search(line)
                and not any(re.search(pattern, line) for pattern in allowed)]


def indent(lines):
    return ["    " + line for line in lines]


def ktap(results):
    """results: (passed, name, lines of a nested stream); a KTAP stream."""
    lines = ["KTAP version 1", f"1..{len(results)}"]
    for number, (passed, name, nested) in enumerate(results, 1):
        lines += indent(nested)
        lines.append(f"{'ok' if passed else 'not ok'} {number} {name}")
    return lines


def write_results(name, results):
    directory = BUILD / "results"
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_text("\n".join(ktap(results)) + "\n", encoding="utf-8")
    return path

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What kho-compat says of images that people have: real-images.t.py KHO_COMPAT
DIRECTORY [KHO_COMPAT_WITHOUT_LIBRARIES]. DIRECTORY has Debian's packages, unpacked,
each in ARCHITECTURE/NAME. What is not there is skipped. TAP.
"""
import gzip
import json
import pathlib
import resource
import shutil
import struct
import subprocess
import sys
import tempfile

LINUX, OTHER = "without-kho", "not-linux"
FLAVOURS = ("amd64", "cloud-amd64", "rt-amd64")

# package, file in it, kind, format, machine; None: whatever it is
PACKAGES = [
    *((f"amd64/linux-binary-{series}.*-{flavour}", "vmlinuz*", LINUX, "bzImage",
       "x86_64")
      for series in ("7.0", "7.1", "7.2", "7.3") for flavour in FLAVOURS),
    ("amd64/linux-image-6.1.0-*", "vmlinuz*", LINUX, "bzImage", "x86_64"),
    ("amd64/linux-binary-unsigned-7.3*", "vmlinuz*", LINUX, "bzImage", "x86_64"),
    *((f"arm64/linux-binary-7.3.*-{flavour}", "vmlinuz*", LINUX, "Image", "aarch64")
      for flavour in ("arm64", "arm64-16k", "cloud-arm64", "rt-arm64")),
    ("arm64/linux-binary-7.2.*-arm64", "vmlinuz*", LINUX, "Image", "aarch64"),
    ("loong64/linux-binary-7.*", "vmlinuz*", LINUX, "EFI program in zboot",
     "loongarch64"),
    ("amd64/memtest86+", "mt86+x64", OTHER, "bzImage", None),
    ("amd64/memtest86+", "mt86+ia32", OTHER, "bzImage", None),
    ("amd64/u-boot-qemu", "u-boot.rom", OTHER, "other", None),
    ("amd64/u-boot-qemu", "uboot.elf", OTHER, "ELF", None),
    ("amd64/u-boot-qemu", "u-boot.bin", OTHER, "other", None),
    ("amd64/shim-unsigned", "shimx64.efi", OTHER, "EFI program", "x86_64"),
    ("amd64/shim-signed", "shimx64.efi.signed", OTHER, "EFI program", "x86_64"),
    ("arm64/shim-unsigned", "shimaa64.efi", OTHER, "EFI program", "aarch64"),
    ("amd64/xen-hypervisor-*", "xen-*.gz", OTHER, "ELF in gzip", None),
    ("amd64/xen-hypervisor-*", "xen-*.efi", OTHER, "EFI program", "x86_64"),
    ("amd64/systemd-boot-efi", "systemd-bootx64.efi", OTHER, "EFI program",
     "x86_64"),
    ("amd64/systemd-boot-efi", "linuxx64.efi.stub", OTHER, "EFI program", "x86_64"),
    ("amd64/linux-image-6.1.0-*", "xen-gntdev.ko", OTHER, "ELF", "x86_64"),
]


class Skip(Exception):
    """With the reason"""


class Images:
    def __init__(self, program, directory, scratch):
        self.program = program
        self.directory = directory
        self.scratch = scratch

    def find(self, package, name):
        found = [path for directory in sorted(self.directory.glob(package))
                 for path in sorted(directory.rglob(name))
                 if path.is_file() and not path.is_symlink()]
        if not found:
            raise Skip(f"no {name} in {package}")
        return found[0]

    def show(self, path, program=None):
        run = subprocess.run([program or self.program, "--json", "show", path],
                             capture_output=True, check=False)
        return run.returncode, json.loads(run.stdout)["images"]

    def check(self, before, after):
        return subprocess.run([self.program, "check", before, after],
                              capture_output=True, check=False).returncode

    def run(self, *command):
        if not shutil.which(command[0]) and not pathlib.Path(command[0]).exists():
            raise Skip(f"no {command[0]} here")
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            raise Skip(f"{command[0]}: {(run.stderr.strip() or '?').splitlines()[-1]}")


def name_of(package, name):
    return f"{package} {name}"


def as_packaged(images):
    for package, name, *expected in PACKAGES:
        def judge(package=package, name=name, expected=expected):
            path = images.find(package, name)
            status, (shown,) = images.show(path)
            found = [shown["kind"], shown["format"], shown["machine"]]
            if expected[2] is None:
                found[2] = None
            # The release of a kernel is in the name of its package
            release = shown["release"] is not None and shown["release"] in str(path)
            return status, found, release == (shown["kind"] == LINUX)
        yield name_of(package, name), judge, (0, expected, True)


def host(images):
    return images.find("amd64/linux-binary-7.3.*-amd64", "vmlinuz*")


def page_sizes(images):
    for flavour, expected in (("arm64", 12), ("arm64-16k", 14)):
        def judge(flavour=flavour):
            return images.show(images.find(f"arm64/linux-binary-7.3.*-{flavour}",
                                           "vmlinuz*"))[1][0]["page_shift"]
        yield f"page size of {flavour}", judge, expected


def make_uki(images, *arguments):
    """By ukify, as it is packaged."""
    stub = images.find("amd64/systemd-boot-efi", "linuxx64.efi.stub")
    ukify = images.find("amd64/systemd-ukify", "ukify")
    path = images.scratch / "uki.efi"
    images.run("/usr/bin/python3", ukify, "build", f"--stub={stub}", f"--output={path}",
               "--os-release=ID=test", "--uname=7.3", *arguments)
    return path


def make_initrd(images, pack=gzip.compress):
    path = images.scratch / "initrd"
    path.write_bytes(pack(b"070701" + b"0" * 104 + bytes(1 << 20)))
    return path


def made(images):
    """From the packages' files, by tools that people use."""
    def uki():
        status, (shown,) = images.show(make_uki(
            images, f"--linux={host(images)}", f"--initrd={make_initrd(images)}",
            "--cmdline=root=/dev/sda1 kho=on"))
        return status, shown["kind"], shown["format"], shown["cmdline"]
    expected = (0, LINUX, "bzImage in UKI", "root=/dev/sda1 kho=on")
    yield "UKI", uki, expected

    def profiles():
        options = []
        stub = images.find("amd64/systemd-boot-efi", "addonx64.efi.stub")
        for name in ("main", "debug"):
            profile = images.scratch / f"profile-{name}"
            images.run("/usr/bin/python3", images.find("amd64/systemd-ukify", "ukify"),
                       "build", f"--stub={stub}", f"--profile=ID={name}",
                       f"--cmdline={name}", f"--output={profile}")
            options.append(f"--join-profile={profile}")
        _, shown = images.show(make_uki(images, f"--linux={host(images)}", *options,
                                        "--profile=ID=base", "--cmdline=base"))
        return [(i["kind"], i["profile"], i["cmdline"]) for i in shown]
    yield "UKI with three profiles", profiles, [
        (LINUX, name, name) for name in ("base", "main", "debug")]

    def signed():
        key, certificate = images.scratch / "key", images.scratch / "certificate"
        images.run("openssl", "req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes",
                   "-subj", "/CN=test/", "-keyout", key, "-out", certificate)
        unsigned = images.find("amd64/linux-binary-unsigned-7.3*", "vmlinuz*")
        result = []
        for path in (unsigned, make_uki(images, f"--linux={unsigned}")):
            images.run("sbsign", f"--key={key}", f"--cert={certificate}",
                       f"--output={images.scratch / 'signed'}", path)
            result.append(images.show(images.scratch / "signed")[1][0]["kind"])
        return result
    yield "signed bzImage and UKI", signed, [LINUX, LINUX]

    def initrd():
        result = []
        for pack in (gzip.compress, bytes):
            _, (shown,) = images.show(make_initrd(images, pack))
            result.append(shown["kind"])
        return result
    yield "initrd, packed and not", initrd, [OTHER, OTHER]

    def packed():
        path = images.scratch / "Image.gz"
        image = images.find("arm64/linux-binary-7.3.*-arm64", "vmlinuz*")
        path.write_bytes(gzip.compress(image.read_bytes(), 1))
        shown = images.show(path)[1][0]
        return shown["kind"], shown["format"], shown["machine"]
    yield "gzip'ed Image", packed, (LINUX, "Image in gzip", "aarch64")

    def vmlinux():
        data = host(images).read_bytes()
        setup = (data[0x1f1] + 1) * 512
        offset, length = struct.unpack_from("<II", data, 0x248)
        payload = images.scratch / "payload.xz"
        payload.write_bytes(data[setup + offset:setup + offset + length])
        shown = images.show(payload)[1][0]
        return shown["kind"], shown["format"].split()[0], shown["machine"]
    yield "vmlinux, packed", vmlinux, (LINUX, "vmlinux", "x86_64")

    def truncated():
        path = images.scratch / "truncated"
        path.write_bytes(host(images).read_bytes()[:5_000_000])
        status, (shown,) = images.show(path)
        return status, shown["kind"]
    yield "truncated kernel", truncated, (2, "damaged")

    def flipped():
        path = images.scratch / "flipped"
        data = bytearray(host(images).read_bytes())
        data[len(data) // 2] ^= 0x10
        path.write_bytes(data)
        status, (shown,) = images.show(path)
        return status, shown["kind"]
    yield "kernel with a bit that is wrong", flipped, (2, "damaged")
    yield "/bin/ls", lambda: images.show("/bin/ls")[1][0]["kind"], OTHER


def cpu_seconds(*command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def large(images):
    """More than 400 MB, unpacked: time in relation to unpacking alone."""
    def judge(pack, unpack):
        image = images.find("arm64/linux-binary-7.3.*-arm64", "vmlinuz*")
        path = images.scratch / "large"
        with open(path, "wb") as out:
            packer = subprocess.Popen(pack, stdin=subprocess.PIPE, stdout=out)
            with packer.stdin:
                for _ in range(400_000_000 // image.stat().st_size + 1):
                    packer.stdin.write(image.read_bytes())
            packer.wait()
        alone = min(cpu_seconds(*unpack, path) for _ in range(2))
        found = min(cpu_seconds(images.program, "show", path) for _ in range(2))
        return found <= 2 * alone
    for program in ("gzip", "zstd", "lz4"):
        def each(program=program):
            if not shutil.which(program):
                raise Skip(f"no {program} here")
            return judge((program, "-1", "-c"), (program, "-d", "-c"))
        yield f"400 MB packed with {program}: twice the time at most", each, True


def verdicts(images):
    """No pair of these can hand over, and that is known."""
    for package, name in (("amd64/memtest86+", "mt86+x64"),
                          ("amd64/linux-binary-7.3.*-cloud-amd64", "vmlinuz*"),
                          ("arm64/linux-binary-7.3.*-arm64", "vmlinuz*")):
        def judge(package=package, name=name):
            return images.check(host(images), images.find(package, name))
        yield f"check {name_of(package, name)}", judge, 1

    def assumed():
        return subprocess.run([images.program, "assume", host(images)],
                              capture_output=True, check=False).returncode
    yield "assume a kernel without KHO", assumed, 1

    def fleet():
        paths = sorted({path for path in images.directory.rglob("vmlinuz*")
                        if path.is_file() and not path.is_symlink()})
        if not paths:
            raise Skip("no kernels")
        run = subprocess.run([images.program, "--json", "matrix", *paths],
                             capture_output=True, check=False)
        pairs = json.loads(run.stdout)["pairs"]
        return len(pairs) == len(paths) ** 2, {p["verdict"] for p in pairs}
    yield "matrix of all kernels", fleet, (True, {"incompatible"})


def without_libraries(images, program):
    def judge():
        status, (shown,) = images.show(host(images), program)
        return (status, shown["kind"], "was built without" in shown["error"],
                shown["release"] in str(host(images)))
    yield "a kernel without the libraries", judge, (2, "unknown", True, True)


def run(cases):
    number = failures = 0
    for name, judge, expected in cases:
        number += 1
        try:
            found = judge()
        except Skip as skip:
            print(f"ok {number} - {name} # SKIP {skip}")
            continue
        print(f"{'ok' if found == expected else 'not ok'} {number} - {name}")
        if found != expected:
            failures += 1
            print(f"# found {found!r}, expected {expected!r}")
    print(f"1..{number}")
    return failures


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: real-images.t.py KHO_COMPAT DIRECTORY [KHO_COMPAT_BARE]")
    print("TAP version 13")
    with tempfile.TemporaryDirectory() as scratch:
        images = Images(sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(scratch))
        cases = [*as_packaged(images), *page_sizes(images), *made(images),
                 *large(images), *verdicts(images)]
        if len(sys.argv) == 4:
            cases += without_libraries(images, sys.argv[3])
        return 1 if run(cases) else 0


if __name__ == "__main__":
    sys.exit(main())

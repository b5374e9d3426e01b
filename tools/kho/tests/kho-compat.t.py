#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of kho-compat: kho-compat.t.py KHO_COMPAT. Images, and what sysfs says,
are made here. TAP.
"""
import gzip
import json
import os
import pathlib
import platform
import re
import resource
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
TESTS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS))
import images  # noqa: E402

COMPATIBLE, INCOMPATIBLE, UNKNOWN, ERROR = 0, 1, 2, 3
VERDICTS = {"compatible": COMPATIBLE, "incompatible": INCOMPATIBLE,
            "unknown": UNKNOWN, "none": UNKNOWN}
MACHINE = platform.machine()
PAGE_SHIFT = os.sysconf("SC_PAGESIZE").bit_length() - 1


class Tool:
    """The program, a directory for its files, and all keys it has printed."""

    def __init__(self, program, directory):
        self.program = program
        self.directory = directory
        self.sysfs = directory / "sys/kernel/kho"
        self.keys = set()
        # In KiB. AddressSanitizer, which some builds have, takes much of its own
        with open(program, "rb") as file:
            sanitized = b"__asan_init" in file.read()
        self.memory_limit = 400 << 10 if sanitized else 100 << 10

    def write(self, name, data):
        path = self.directory / name
        path.write_bytes(data)
        return str(path)

    def run(self, *arguments):
        run = subprocess.run([self.program, f"--sysfs={self.sysfs}", *arguments],
                             capture_output=True, text=True, check=False)
        return run.returncode, run.stdout, run.stderr

    def json(self, *arguments):
        """Exit status and what was printed; nothing may be on stderr."""
        status, out, err = self.run("--json", *arguments)
        if err:
            return status, {"stderr": err}
        printed = json.loads(out)
        self.note_keys(printed)
        return status, printed

    def note_keys(self, value):
        if isinstance(value, dict):
            self.keys |= value.keys()
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                self.note_keys(item)

    def show(self, data):
        """What show makes of one image: its keys, or the text of the error."""
        path = self.write("shown", data)
        status, printed = self.json("show", path)
        shown = printed["images"][0]
        if shown["kind"] in ("note", "stock"):
            return shown if status == COMPATIBLE else status
        expected = UNKNOWN if shown["error"] else COMPATIBLE
        if status != expected:
            return status
        return f'{shown["kind"]}: {shown["error"] or shown["reason"]}'

    def check(self, before, after):
        """Exit status and JSON; before is an image, or None for running."""
        before = "running" if before is None else self.write("before", before)
        status, printed = self.json("check", before, self.write("after", after))
        if VERDICTS[printed["verdict"]] != status:
            return None, printed
        return status, printed

    def write_sysfs(self, users, components=None, check="enforce", loaded="none",
                    readable=None, potential=None, writes=None):
        """What the running kernel says; users, readable, writes: by component."""
        readable = readable or {}
        components = images.COMPONENTS if components is None else components
        files = {"check": check, "next/status": loaded, "next/assume": "",
                 "next/potential": potential or loaded}
        for name, (min_version, version) in components.items():
            files |= {f"components/{name}/{attribute}": value
                      for attribute, value in (
                          ("version", version), ("min_version", min_version),
                          ("incoming", version), ("status", "ok"),
                          ("users", users.get(name, 0)))}
            files[f"next/{name}"] = readable.get(name, "-")
        for name, (min_write, write) in (writes or {}).items():
            files[f"components/{name}/min_write"] = min_write
            files[f"components/{name}/write"] = write
        for name, value in files.items():
            path = self.sysfs / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{value}\n", encoding="ascii")


def running_image(*pieces):
    """An image for the machine that this runs on."""
    if MACHINE == images.X86_64:
        return images.bzimage(*pieces)
    return images.image(*pieces)


def running_note(components=None, **arguments):
    return images.note(components, page_shift=PAGE_SHIFT, **arguments)


def without(*names):
    return {name: versions for name, versions in images.COMPONENTS.items()
            if name not in names}


def broken(note, offset, value):
    """The note with one word changed and a sum that is right again."""
    changed = note[:offset] + struct.pack("<I", value) + note[offset + 4:]
    return images.with_sum(changed)


# Each of these is one case: its name, what was found, what was expected. A
# regular expression may stand for a text that is found.

def shapes(tool):
    """Where a good note may be, in every kind of file."""
    good = images.note()
    filler = bytes(range(256)) * 8
    for name, data, form, machine in (
            ("bzImage", images.bzimage(good), "bzImage", "x86_64"),
            ("bzImage, 4 sectors by default",
             images.bzimage(good, setup_sects=0), "bzImage", "x86_64"),
            ("bzImage with a signature behind it",
             images.bzimage(good) + filler, "bzImage", "x86_64"),
            ("Image", images.image(good), "Image", "aarch64"),
            ("Image without EFI", images.image(good, efi=False), "Image",
             "aarch64"),
            ("vmlinux of x86", images.vmlinux("x86_64", good), "vmlinux",
             "x86_64"),
            ("vmlinux of arm64", images.vmlinux("aarch64", good), "vmlinux",
             "aarch64"),
            ("note at the end", images.image(filler, good, size=0), "Image",
             "aarch64"),
            ("the same note twice", images.bzimage(good, filler, good),
             "bzImage", "x86_64")):
        shown = tool.show(data)
        if isinstance(shown, dict):
            shown = shown["format"], shown["machine"], len(shown["components"])
        yield name, shown, (form, machine, 6)


def contents(tool):
    """What is decoded from a note."""
    shown = tool.show(images.bzimage(images.note(
        {"radix": (1, 1), "memfd": (2, 7)}, page_shift=14, flags=0)))
    yield "versions", shown["components"], [
        {"name": "radix", "version": 1, "min_version": 1},
        {"name": "memfd", "version": 7, "min_version": 2}]
    yield "page shift", shown["page_shift"], 14
    yield "no flag", (shown["kho_on"], shown["liveupdate"]), (False, False)
    for name, flags, expected in (
            ("KHO on", images.KHO_ON, (True, False)),
            ("live update", images.LIVEUPDATE, (False, True)),
            ("flags that are not known yet", 0xfffffffc, (False, False))):
        shown = tool.show(images.image(images.note(flags=flags)))
        yield name, (shown["kho_on"], shown["liveupdate"]), expected

    shown = tool.show(images.image(images.note(reserved=(1, 2, 3))))
    yield "reserved words are ignored", shown["page_shift"], 12
    shown = tool.show(images.image(images.note({})))
    yield "no components", shown["components"], []
    entries = [images.entry("x" * 15, 2**32 - 1, 2**32 - 1)] + [
        images.entry(f"{i}", 1, 1) for i in range(images.MAX_ENTRIES - 1)]
    shown = tool.show(images.image(images.note(entries=entries)))
    yield "as much as a note can hold", (
        len(shown["components"]), shown["components"][0]), (
        images.MAX_ENTRIES, {"name": "x" * 15, "version": 2**32 - 1,
                             "min_version": 2**32 - 1})


def bad_notes(tool):
    """Notes, or what looks like one, of which nothing is believed."""
    good = images.note()
    no_magic = b"\x88" + good[1:]
    entry = images.entry
    for name, pieces, reason in (
            ("no note", [], "not-linux: not Linux"),
            ("magic not whole", [images.with_sum(no_magic)],
             "not-linux: not Linux"),
            ("at another alignment", [bytes(256) + good],
             "not-linux: not Linux"),
            ("notes that differ", [good, images.note({"radix": (1, 2)})],
             "KHO notes that differ"),
            ("notes of which one is shorter",
             [good, images.note(without("memfd"))], "KHO notes that differ"),
            ("good note, then a bad one", [good, good[:-1] + b"\1"],
             "add up to"),
            ("wrong sum", [broken(good, 32, 0)[:28] + good[28:]],
             "add up to 0x.*, expected 0"),
            ("newer note version", [images.note(version=2)],
             "unknown: .*version 2, expected 1"),
            ("note version 0", [images.note(version=0)], "version 0, expected 1"),
            ("too many entries", [images.note(nr=33)],
             "33 entries, expected at most 32"),
            ("as many entries as can be written", [images.note(nr=2**32 - 1)],
             "4294967295 entries"),
            ("name without end", [images.note(entries=[entry("x" * 16, 1, 1)])],
             "entry 0 .* no valid name"),
            ("empty name", [images.note(entries=[entry("", 1, 1)])],
             "entry 0 .* no valid name"),
            ("bytes behind the name",
             [images.note(entries=[entry(b"radix\0x", 1, 1)])],
             "entry 0 .* no valid name"),
            ("name that controls a terminal",
             [images.note(entries=[entry(b"\x1b[2J", 1, 1)])],
             "entry 0 .* no valid name"),
            ("name with a quote", [images.note(entries=[entry('a"b', 1, 1)])],
             "entry 0 .* no valid name"),
            ("name twice", [images.note(entries=[entry("luo", 1, 1),
                                                 entry("luo", 1, 2)])],
             "names luo twice"),
            ("min_version 0", [images.note({"luo": (0, 1)})],
             "versions 0 to 1 of luo"),
            ("min_version above version", [images.note({"luo": (3, 2)})],
             "versions 3 to 2 of luo")):
        yield name, tool.show(images.bzimage(*pieces)), re.compile(reason)

    whole = images.image(good, efi=False, size=0)
    end = len(whole) - len(whole) % 16
    yield "file ends within the header of the note", tool.show(
        whole[:1024 + 40]), re.compile("ends within its KHO note")
    yield "file ends within the last entry", tool.show(
        whole[:end - 24]), re.compile("ends within its KHO note")


def bad_files(tool):
    """Files that are no kernels, or no whole ones."""
    good = images.note()
    bzimage = images.bzimage(good)
    image = images.image(good)
    vmlinux = images.vmlinux("x86_64", good)
    empty = images.image()
    hostile_pe = empty[:0x46] + b"\xff\xff" + empty[0x48:]
    hostile_elf = vmlinux[:56] + b"\xff\xff" + vmlinux[58:]
    elf_far = vmlinux[:40] + b"\xff" * 8 + vmlinux[48:]
    segments_far = vmlinux[:32] + b"\x7f" * 8 + vmlinux[40:]
    segment_far = vmlinux[:64 + 8] + b"\xff" * 8 + vmlinux[64 + 16:]
    for name, data, reason in (
            ("empty", b"", "damaged: empty"),
            ("one byte", b"\x7f", "not-linux: not Linux: no kernel image"),
            ("text", b"hello\n" * 1000, "no kernel image"),
            ("note and nothing else", good, "no kernel image"),
            ("bzImage, last byte missing", bzimage[:-1],
             "truncated: it has 5119 bytes, expected 5120"),
            ("bzImage, setup only", bzimage[:0x210], "truncated"),
            ("bzImage, default of sectors, last byte missing",
             images.bzimage(good, setup_sects=0)[:-1],
             "truncated: it has 6655 bytes, expected 6656"),
            ("bzImage of 32 bits", images.bzimage(good, xloadflags=0x3e),
             "without-kho: there is no KHO for i386"),
            ("Image, last byte missing", image[:-1], "truncated"),
            ("Image, header only", image[:64], "truncated"),
            ("Image, big endian", images.image(good, flags=1), "big-endian"),
            ("Image with 65535 sections", hostile_pe, "truncated"),
            ("vmlinux, last byte missing", vmlinux[:-1], "truncated"),
            ("vmlinux, half of the header", vmlinux[:40], "truncated"),
            ("vmlinux of 32 bits", images.vmlinux(3, good, bits=1),
             "without-kho: there is no KHO for i386"),
            ("vmlinux, big endian", images.vmlinux(183 << 8, good, order=2),
             "big-endian"),
            ("vmlinux of another machine", images.vmlinux(243, good),
             "no KHO for riscv64"),
            ("vmlinux with 65535 segments", hostile_elf, "truncated"),
            ("vmlinux, sections at the end of the world", elf_far, "truncated"),
            ("vmlinux, segments there", segments_far, "truncated"),
            ("vmlinux, one of them there", segment_far, "truncated"),
            ("a module", images.vmlinux("x86_64", good, kind=1),
             "not-linux: .*relocatable object"),
            ("a core dump", images.vmlinux("x86_64", good, kind=4),
             "not-linux: .*core dump"),
            ("a program", images.vmlinux("x86_64"), "not-linux"),
            ("an initrd", b"070701" + bytes(100), "cpio"),
            ("an initrd, packed", gzip.compress(b"070701" + bytes(100)), "cpio"),
            ("an EFI program", images.pe([(b".text", bytes(512))]), "not-linux"),
            ("a bzImage without a kernel", images.bzimage(b"Memtest86+"),
             "not-linux"),
            ("packed in an unknown way",
             images.bzimage(payload=b"what is this" + bytes(500)),
             "unknown: compressed in an unknown way")):
        yield name, tool.show(data), re.compile(reason)

    status, printed = tool.json("show", "/proc/self/mem")
    yield "read error", (status, printed["images"][0]["error"]), (
        ERROR, "Input/output error")
    fifo = tool.directory / "fifo"
    os.mkfifo(fifo)
    for name, path, reason in (
            ("FIFO", fifo, "not a regular file"),
            ("directory", tool.directory, "not a regular file"),
            ("missing file", tool.directory / "none", "No such file")):
        status, printed = tool.json("show", str(path))
        yield name, printed["images"][0]["error"], re.compile(reason)
        yield f"{name}, exit status", status, ERROR

    huge = tool.directory / "huge"
    with open(huge, "wb") as file:
        file.write(bzimage)
        file.truncate(2**32)
    _, printed = tool.json("show", str(huge))
    yield "4 GiB", printed["images"][0]["error"], re.compile("4 GiB or more")
    huge.unlink()


def pairs(tool):
    """check with two images."""
    plain = images.bzimage(images.note())
    for name, changes, expected in (
            ("the same", {}, "ok"),
            ("reads older ones, too", {"memfd": (1, 2)}, "ok"),
            ("reads newer ones, too", {"memfd": (1, 9)}, "ok"),
            ("reads only newer ones", {"memfd": (3, 4)}, "too-old"),
            ("reads only older ones", {"memfd": (1, 1)}, "too-new"),
            ("a component more", {"greeting": (1, 1)}, "ok")):
        after = images.bzimage(images.note(images.COMPONENTS | changes))
        status, printed = tool.check(plain, after)
        memfd = printed["components"][-1]
        yield name, (status, memfd["next_status"]), (
            COMPATIBLE if expected == "ok" else INCOMPATIBLE, expected)

    status, printed = tool.check(plain, images.bzimage(
        images.note(without("memblock"))))
    yield "reserve_mem= regions are best effort", (
        status, printed["reason"], printed["warnings"]), (
        COMPATIBLE, None, ["regions of reserve_mem= would be lost"])
    status, printed = tool.check(plain, images.bzimage(
        images.note(without("memfd", "block"))))
    yield "components missing", (status, printed["reason"]), (
        INCOMPATIBLE, "cannot read block memfd")
    yield "a missing component has no range", [
        (c["next_min_version"], c["next_version"], c["next_status"])
        for c in printed["components"] if c["name"] == "memfd"], [
        (None, None, "absent")]

    status, printed = tool.check(plain, images.bzimage(images.note(page_shift=14)))
    yield "other page size", (status, printed["reason"]), (
        INCOMPATIBLE, "page shift 14, expected 12")
    status, printed = tool.check(plain, images.image(images.note()))
    yield "other machine", (status, printed["reason"]), (
        INCOMPATIBLE, "for aarch64, expected x86_64")
    status, printed = tool.check(plain, images.vmlinux("x86_64", images.note()))
    yield "bzImage to vmlinux", (status, printed["reason"]), (COMPATIBLE, None)

    status, printed = tool.check(plain, images.bzimage(
        images.note(flags=images.KHO_ON)))
    yield "live update not built in", (status, printed["reason"]), (
        INCOMPATIBLE, "cannot read luo")

    for name, flags, expected in (
            ("KHO on by default", 3, ["liveupdate=on"]),
            ("KHO off by default", 2, ["kho=on", "liveupdate=on"])):
        _, printed = tool.check(plain, images.bzimage(images.note(flags=flags)))
        yield f"needs, {name}", printed["needs"], expected
    _, printed = tool.check(images.bzimage(images.note(without("luo"))), plain)
    yield "needs, no live update", printed["needs"], []

    nothing = images.bzimage()
    for name, before, after, who in (
            ("to no Linux", plain, nothing, "the next kernel"),
            ("from no Linux", nothing, plain, "the kernel before"),
            ("both no Linux", nothing, nothing, "the next kernel")):
        status, printed = tool.check(before, after)
        yield name, (status, printed["reason"]), (
            INCOMPATIBLE, f"{who} is not Linux")
    status, printed = tool.check(plain, images.bzimage(images.note(version=2)))
    yield "to a newer note", (status, printed["verdict"]), (UNKNOWN, "unknown")
    status, printed = tool.check(plain, images.image(images.note(version=2)))
    yield "other machine before what is not known", (status, printed["reason"]), (
        INCOMPATIBLE, "for aarch64, expected x86_64")
    status, _ = tool.check(plain, plain[:-1])
    yield "to a damaged one", status, INCOMPATIBLE
    for arguments in (["check", plain_path(tool, plain), "/nowhere"],
                      ["check", "/nowhere", plain_path(tool, plain)]):
        status, printed = tool.json(*arguments)
        yield f"{arguments[1:]} unreadable", (status, printed["verdict"]), (
            ERROR, "error")


def plain_path(tool, data):
    return tool.write("plain", data)


STOCK = [b"kho-v4", b"luo-v5", b"memfd-v2", b"memblock-v1"]
NO_KHO = b"\x014Passed KHO data, but CONFIG_KEXEC_HANDOVER not set. Ignoring.\n"


def kernel(*strings, release="7.3.4-amd64", machine="x86_64", **arguments):
    """An unpacked kernel with these strings, each with its NUL."""
    banner = f"Linux version {release} (who@where) #1 SMP\n".encode()
    text = b"\0" + b"\0".join([banner, *strings]) + b"\0"
    if machine == "Image":
        return images.image(text, **arguments)
    return images.vmlinux(machine, text, **arguments)


def strings(tool):
    """What an unpacked kernel tells without a note."""
    def kind(data):
        shown = tool.show(data)
        if isinstance(shown, dict):
            return [(c["name"], c["version"]) for c in shown["components"]]
        return shown
    baseline = [("radix", 1), ("vmalloc", 1), ("block", 1), ("memblock", 1),
                ("luo", 5), ("memfd", 2)]
    yield "stock", kind(kernel(*STOCK)), baseline
    yield "stock, release", tool.show(kernel(*STOCK))["release"], "7.3.4-amd64"
    yield "stock without memfd", kind(kernel(b"kho-v4", b"luo-v5")), (
        baseline[:3] + baseline[4:5])
    yield "an older format", kind(kernel(b"kho-v3")), [("kho", 3)]
    for name, text in (("behind other letters", b"xkho-v4"),
                       ("with more behind it", b"kho-v4x"),
                       ("without a number", b"kho-v"),
                       ("in a sentence", b"see kho-v4 there")):
        yield f"kho-v4 {name}", kind(kernel(text)), "without-kho: it is built without KHO"
    yield "x86 without KHO", kind(kernel(NO_KHO, *STOCK)), re.compile("without-kho")
    yield "older than KHO", kind(kernel(release="6.1.0")), re.compile("without-kho")
    yield "a text that begins as a banner", kind(images.vmlinux(
        "x86_64", b"\0Linux version 2 is here\0")), re.compile("not-linux")
    yield "a note counts more", len(tool.show(images.bzimage(
        images.note({"radix": (1, 1)}), payload=kernel(*STOCK)))["components"]), 1

    # Wherever pieces of the file begin and end
    for at in (65536, 131072, 132096, 262144):
        for shift in range(-12, 4, 3):
            data = images.vmlinux("x86_64", bytes(at + shift - 1024) + b"\0kho-v4\0"
                                  b"Linux version 7.3 (x\0")
            yield f"string at {at + shift}", kind(data), baseline[:3]
    for at in (65536, 131072, 131584, 132096):
        data = images.vmlinux("x86_64", bytes(at - 1024) + images.note())
        yield f"note at {at}", kind(data), [
            (name, high) for name, (_, high) in images.COMPONENTS.items()]

    stock, noted = images.bzimage(payload=kernel(*STOCK)), images.bzimage(images.note())
    for name, before, after in (("to stock", noted, stock),
                                ("from stock", stock, noted),
                                ("both stock", stock, stock)):
        status, printed = tool.check(before, after)
        yield name, (status, printed["needs"]), (
            COMPATIBLE, ["kho=on", "liveupdate=on"] if after is stock else
            ["liveupdate=on"])
    without_kho = images.bzimage(payload=kernel(NO_KHO))
    status, printed = tool.check(noted, without_kho)
    yield "to one without KHO", (status, printed["reason"]), (
        INCOMPATIBLE, "the next kernel has no KHO: Linux 7.3.4-amd64 for x86_64, "
        "it is built without KHO")
    status, printed = tool.check(noted, images.bzimage(payload=kernel(b"kho-v3")))
    yield "to an older format", status, INCOMPATIBLE
    # The machine of no other image is arm64, and its page size is in its header
    for pages, expected in ((1, COMPATIBLE), (2, INCOMPATIBLE), (0, UNKNOWN)):
        status, _ = tool.check(images.image(images.note()), kernel(
            *STOCK, machine="Image", flags=pages << 1))
        yield f"to pages of kind {pages}", status, expected


def packed(tool):
    """Every compression, and what else images come in."""
    inner = kernel(*STOCK, size=300_000)
    for name, pack in images.PACKERS.items():
        data = pack(inner)
        if data is None:
            yield f"{name} # SKIP no {name} here", None, None
            continue
        shown = tool.show(data)
        if isinstance(shown, str) and "was built without" in shown:
            yield f"{name} # SKIP not built in", None, None
            continue
        yield name, (shown["format"], shown["kind"]), (f"vmlinux in {name.split()[0]}", "stock")
        yield f"{name}, half of it", tool.show(data[:len(data) // 2]), (
            re.compile("damaged: "))
        shown = tool.show(images.bzimage(payload=data + struct.pack("<I", len(inner))))
        yield f"{name} in a bzImage", (shown["format"], shown["release"]), (
            "bzImage", "7.3.4-amd64")
        shown = tool.show(images.zboot(pack(kernel(*STOCK, machine="Image"))))
        yield f"{name} in zboot", (shown["format"], shown["machine"]), (
            "Image in zboot", "aarch64")
        shown = tool.show(images.bzimage(payload=data[:-20]))
        yield f"{name} in a bzImage, cut", shown, re.compile("damaged: ")
    shown = tool.show(images.zboot(gzip.compress(images.pe([(
        b".text", b"\0Linux version 7.3 (a\0")], machine=0x6264)), machine=0x6264))
    yield "zboot of loong64", shown, "without-kho: there is no KHO for loongarch64"
    yield "an EFI program of an unknown machine", tool.show(images.pe([(
        b".text", b"\0Linux version 7.3 (a\0kho-v4\0")], machine=1)), (
        "without-kho: there is no KHO for an unknown machine")
    deep = inner
    for _ in range(9):
        deep = gzip.compress(deep)
    yield "packed nine times", tool.show(deep), re.compile("unknown: packed more")


def unified(tool):
    """UKIs: kernels in sections, with their command lines."""
    stock = images.bzimage(payload=kernel(*STOCK))
    noted = images.bzimage(images.note())
    other = images.bzimage(payload=kernel(NO_KHO))
    initrd = b"070701" + bytes(70_000)

    def shown(*sections):
        path = tool.write("shown", images.pe([(b".text", bytes(600)), *sections]))
        _, printed = tool.json("show", path)
        return [(i["kind"], i["profile"], i["cmdline"]) for i in printed["images"]]
    yield "one kernel", shown((b".linux", noted), (b".initrd", initrd)), [
        ("note", None, None)]
    yield "the kernel behind its initrd", shown(
        (b".initrd", initrd), (b".linux", stock), (b".cmdline", b"kho=on\0")), [
        ("stock", None, "kho=on")]
    yield "profiles", shown(
        (b".linux", noted), (b".cmdline", b"a"), (b".profile", b"ID=main\n"),
        (b".profile", b"TITLE=Other\nID=two\n"), (b".linux", other),
        (b".profile", b""), (b".cmdline", b"c")), [
        ("note", "main", "a"), ("without-kho", "two", "a"), ("note", "2", "c")]
    uki = images.pe([(b".linux", noted), (b".initrd", initrd)])
    yield "cut", tool.show(uki[:-1]), re.compile("damaged: truncated")
    yield "cut in the kernel", tool.show(uki[:2000]), re.compile("damaged: truncated")
    yield "its kernel is damaged", tool.show(images.pe([(b".linux", noted[:-20])])), (
        re.compile("damaged: truncated"))

    for cmdline, expected in ((b"", INCOMPATIBLE), (b"kho=on", INCOMPATIBLE),
                              (b"kho=on liveupdate=1", COMPATIBLE),
                              (b"kho=off liveupdate=on", INCOMPATIBLE),
                              (b"kho=off kho=on liveupdate=on\n", COMPATIBLE)):
        status, _ = tool.check(noted, images.pe([(b".linux", stock),
                                                 (b".cmdline", cmdline)]))
        yield f"command line {cmdline}", status, expected
    status, printed = tool.check(noted, images.pe([
        (b".linux", noted), (b".profile", b"ID=a\n"),
        (b".profile", b"ID=b\n"), (b".linux", other)]))
    yield "one profile cannot take over", (status, printed["reason"]), (
        INCOMPATIBLE, re.compile("^profile b: the next kernel has no KHO"))
    status, printed = tool.check(images.pe([(b".linux", noted)]), noted)
    yield "from a UKI", status, COMPATIBLE


def fleet(tool):
    """matrix and path."""
    directory = tool.directory / "fleet"
    directory.mkdir()
    paths = {}
    for name, changes in (("a", {}), ("b", {"memfd": (2, 3)}),
                          ("c", {"memfd": (3, 3)})):
        paths[name] = str(directory / name)
        (directory / name).write_bytes(images.bzimage(
            images.note(images.COMPONENTS | changes)))
    (directory / "config").write_text("no kernel", encoding="ascii")
    (directory / "link").symlink_to("a")

    status, printed = tool.json("matrix", str(directory))
    yield "matrix: images of a directory", [
        i["path"] for i in printed["images"]], list(paths.values())
    yield "matrix: pairs", (status, {
        os.path.basename(p["from"]) + os.path.basename(p["to"]): p["verdict"][0]
        for p in printed["pairs"]}), (COMPATIBLE, {
            "aa": "c", "ab": "c", "ac": "i", "ba": "c", "bb": "c", "bc": "c",
            "ca": "i", "cb": "c", "cc": "c"})
    status, out, _ = tool.run("matrix", *paths.values())
    yield "matrix: table", out.splitlines()[-6:-2], [
        "from\\to   1   2   3", "      1   +   +   -", "      2   +   +   +",
        "      3   -   +   +"]
    status, _, err = tool.run("matrix", str(directory), "/nowhere")
    yield "matrix: a file that is missing", (status, "/nowhere: No such" in err), (
        ERROR, True)

    status, printed = tool.json("path", paths["a"], paths["c"], str(directory))
    yield "path: by way of another", (status, printed["path"]), (
        COMPATIBLE, [paths["a"], paths["b"], paths["c"]])
    status, out, _ = tool.run("path", paths["a"], paths["b"], str(directory))
    yield "path: direct", (status, out), (COMPATIBLE, f"{paths['a']} -> {paths['b']}\n")
    status, printed = tool.json("path", paths["c"], paths["a"], str(directory))
    yield "path: back, too", (status, printed["path"]), (
        COMPATIBLE, [paths["c"], paths["b"], paths["a"]])
    status, printed = tool.json("path", paths["c"], paths["a"])
    yield "path: none", (status, printed["path"]), (INCOMPATIBLE, [])
    newer = tool.write("newer", images.bzimage(images.note(version=2)))
    status, printed = tool.json("path", newer, paths["a"])
    yield "path: not known", status, UNKNOWN
    status, out, _ = tool.run("path", paths["a"], paths["a"])
    yield "path: to itself", (status, out), (COMPATIBLE, f"{paths['a']}\n")

    many = tool.directory / "many"
    many.mkdir()
    for i in range(200):
        (many / f"{i}").write_bytes(images.bzimage(images.note(), size=1_000_000))
    start = cpu_seconds()
    status, printed = tool.json("matrix", str(many))
    yield "matrix: 200 images", (status, len(printed["pairs"])), (COMPATIBLE, 40_000)
    yield "matrix: 200 images in seconds", cpu_seconds() - start < 20, True

    packed = gzip.compress(kernel(NO_KHO, size=2**20))
    ends = tool.write("ends", images.bzimage(payload=packed[:-8] + bytes(8)))
    status, printed = tool.json("matrix", ends)
    yield "matrix: reads no more of a kernel without KHO than says so", (
        status, printed["images"][0]["kind"]), (COMPATIBLE, "without-kho")
    status, printed = tool.json("show", ends)
    yield "show: reads all of it", (status, printed["images"][0]["kind"]), (
        UNKNOWN, "damaged")


def assumed(tool):
    tool.write_sysfs({})
    stock = images.bzimage(payload=kernel(*STOCK))
    for name, data, expected, reason in (
            ("stock", stock, COMPATIBLE, None),
            ("a note", images.bzimage(images.note()), INCOMPATIBLE, "has a KHO note"),
            ("no KHO", images.bzimage(payload=kernel(NO_KHO)), INCOMPATIBLE,
             "no stock Linux"),
            ("no memfd", images.bzimage(payload=kernel(*STOCK[:2])), INCOMPATIBLE,
             "memfd is 0, expected 2"),
            ("older", images.bzimage(payload=kernel(b"kho-v3")), INCOMPATIBLE,
             "radix is 0, expected 1")):
        status, printed = tool.json("assume", tool.write("assumed", data))
        yield name, (status, printed["reason"]), (
            expected, re.compile(reason) if reason else None)
        written = (tool.sysfs / "next/assume").read_text(encoding="ascii").strip()
        yield f"{name}: written", written, "" if reason else "7.3"
        tool.write_sysfs({})
    status, printed = tool.json("assume", "/nowhere")
    yield "no file", status, ERROR
    (tool.sysfs / "next/assume").unlink()
    status, printed = tool.json("assume", tool.write("assumed", stock))
    yield "not in this kernel", (status, printed["reason"]), (
        ERROR, re.compile("next/assume: No such file"))


def names(tool):
    """Names of any bytes, and files that fail while others do not."""
    data = images.bzimage(images.note())
    name = os.fsencode(tool.directory) + b"/\xff\x1b[2J\xc3\xa4"
    with open(name, "wb") as file:
        file.write(data)
    run = subprocess.run([tool.program, "show", name], capture_output=True, check=False)
    yield "on a terminal", run.stdout.split(b": ")[0], (
        os.fsencode(tool.directory) + b"/\\xff\\x1b[2J\xc3\xa4")
    run = subprocess.run([tool.program, "--json", "show", name],
                         capture_output=True, check=False)
    shown = json.loads(run.stdout.decode("utf-8"))["images"][0]
    tool.note_keys(shown)
    yield "in JSON", shown["path"][-6:], "\ufffd\x1b[2J\u00e4"
    yield "in JSON, all bytes", bytes.fromhex(shown["path_hex"]), name

    long = tool.write("x" * 250, b"no kernel")
    _, printed = tool.json("check", long, "y" * 3000)
    yield "long names", printed["to"], "y" * 3000


def limits(tool):
    """A large file: memory, and a file that becomes shorter."""
    large = tool.directory / "large"
    with open(large, "wb") as file:
        file.write(kernel(*STOCK, size=2**20))
        file.truncate(400 * 2**20)
    _, peak = peak_memory([tool.program, "show", str(large)])
    yield "400 MiB take less than 100", peak < tool.memory_limit, True
    subprocess.run(["gzip", "-1", "-f", str(large)], check=True)
    status, peak = peak_memory([tool.program, "show", f"{large}.gz"])
    yield "400 MiB that are packed", (status, peak < tool.memory_limit), (0, True)

    path = tool.directory / "shrinking"
    fifo_like = subprocess.run(
        ["sh", "-c", 'head -c 100000000 /dev/zero >"$2"; "$1" show "$2" & p=$!; '
         ': >"$2"; wait $p', "sh", tool.program, str(path)],
        capture_output=True, text=True, check=False)
    yield "a file that shrinks is no signal", fifo_like.returncode in (0, 2, 3), True


def cpu_seconds():
    """Of all programs that have ended. A busy host does not change it much."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def peak_memory(command):
    """Exit status and the most memory, in KiB, that it had."""
    pid = os.spawnv(os.P_NOWAIT, "/bin/sh",
                    ["sh", "-c", 'exec "$@" >/dev/null', "sh", *command])
    _, status, usage = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_maxrss


def from_running(tool):
    """check running TO: what is in use counts, nothing else."""
    good = running_image(running_note())
    no_memfd = running_image(running_note(without("memfd")))

    tool.write_sysfs({})
    for name, after, expected in (
            ("good image", good, (COMPATIBLE, None)),
            ("image that lacks memfd", no_memfd,
             (INCOMPATIBLE, "cannot read memfd"))):
        status, printed = tool.check(None, after)
        yield f"nothing in use, {name}", (status, printed["reason"]), expected
        yield f"nothing in use, {name}: nothing counts", any(
            c["counts"] for c in printed["components"]), False
    other = images.image if MACHINE == images.X86_64 else images.bzimage
    for name, after, expected in (
            ("other pages", running_image(images.note(page_shift=PAGE_SHIFT + 2)),
             INCOMPATIBLE),
            ("other machine", other(running_note()), INCOMPATIBLE),
            ("no Linux", running_image(), INCOMPATIBLE)):
        status, printed = tool.check(None, after)
        yield f"nothing in use, {name}", (
            status, printed["in_use"], printed["potential"]), (
            expected, "compatible", "incompatible")

    tool.write_sysfs({"radix": 1, "luo": 2})
    status, printed = tool.check(None, no_memfd)
    yield "memfd is not in use", (
        status, printed["in_use"], printed["potential"], printed["reason"]), (
        INCOMPATIBLE, "compatible", "incompatible", "cannot read memfd")
    yield "what counts", [c["name"] for c in printed["components"] if c["counts"]], [
        "luo", "radix"]
    status, printed = tool.check(None, running_image(images.note(
        page_shift=PAGE_SHIFT + 2)))
    yield "in use, other pages", (status, printed["reason"]), (
        INCOMPATIBLE, f"page shift {PAGE_SHIFT + 2}, expected {PAGE_SHIFT}")

    write = tool.sysfs / "components/memfd/write"
    write.write_text("1\n", encoding="ascii")
    status, printed = tool.check(None, good)
    yield "the version that is written counts", (
        status, printed["components"][3]["next_status"]), (INCOMPATIBLE, "too-old")

    (tool.sysfs / "components/memfd/min_write").write_text("1\n", encoding="ascii")
    status, printed = tool.check(None, good)
    yield "it can be another one for another image", (
        status, printed["components"][3]["next_status"], printed["potential"]), (
        COMPATIBLE, "ok", "compatible")
    (tool.sysfs / "components/memfd/users").write_text("1\n", encoding="ascii")
    status, printed = tool.check(None, good)
    yield "but not while it is in use", (
        status, printed["components"][3]["next_status"], printed["potential"]), (
        INCOMPATIBLE, "too-old", "incompatible")
    (tool.sysfs / "components/memfd/min_write").unlink()
    write.unlink()

    (tool.sysfs / "next/memfd").unlink()
    status, printed = tool.check(None, good)
    yield "a component of a module", status, COMPATIBLE

    tool.write_sysfs({"radix": 2, "memblock": 1})
    _, printed = tool.check(None, running_image())
    yield "reserve_mem= alone refuses nothing", printed["in_use"], "compatible"
    tool.write_sysfs({"radix": 3, "memblock": 1})
    _, printed = tool.check(None, running_image())
    yield "another subtree does", printed["in_use"], "incompatible"

    tool.write_sysfs({"radix": 1, "luo": 2, "memfd": 1})
    status, printed = tool.check(None, no_memfd)
    yield "memfd is in use", (status, printed["reason"]), (
        INCOMPATIBLE, "cannot read memfd")
    status, printed = tool.check(None, good)
    yield "everything can be read", (status, printed["reason"]), (COMPATIBLE, None)
    _, out, _ = tool.run("check", "running", tool.write(
        "off", running_image(running_note(flags=images.LIVEUPDATE))))
    yield "needs, in words", out, re.compile(
        "needs on its command line: kho=on liveupdate=on\n")


def loaded(tool):
    """status: the verdict is the kernel's."""
    users = {"radix": 3, "memfd": 2**40}
    for verdict, expected in VERDICTS.items():
        tool.write_sysfs(users, loaded=verdict, check="warn",
                         readable={"radix": "1-4"})
        status, printed = tool.json("status")
        yield f"status: {verdict}", (status, printed["verdict"],
                                     printed["check"]), (
            expected, verdict, "warn")
        status, out, _ = tool.run("status")
        yield f"status: {verdict}, in words", (status, out.splitlines()[-2:]), (
            expected, [f"loaded kernel, what is in use: {verdict}",
                       f"loaded kernel, all that can be preserved: {verdict}"])
    for in_use, potential, expected in (
            ("compatible", "incompatible", INCOMPATIBLE),
            ("incompatible", "unknown", INCOMPATIBLE),
            ("compatible", "unknown", UNKNOWN)):
        tool.write_sysfs(users, loaded=in_use, potential=potential,
                         readable={"radix": "1-4"})
        status, printed = tool.json("status")
        yield f"status: {in_use}, {potential}", (
            status, printed["in_use"], printed["potential"]), (
            expected, in_use, potential)
    yield "status: components", printed["components"][3:5], [
        {"name": "memfd", "version": 2, "min_version": 2, "incoming": 2,
         "status": "ok", "users": 2**40, "unfinished": 0,
         "next_min_version": None, "next_version": None},
        {"name": "radix", "version": 1, "min_version": 1, "incoming": 1,
         "status": "ok", "users": 3, "unfinished": 0, "next_min_version": 1,
         "next_version": 4}]

    for name, path, text, reason in (
            ("a number that is none", "components/luo/users", "many\n",
             "luo/users: 'many', expected a number"),
            ("a number and more", "components/luo/users", "5x\n",
             "luo/users: '5x', expected a number"),
            ("a number that is too large", "components/luo/version",
             f"{2**32}\n", "expected a number up to 4294967295"),
            ("an empty file", "check", "", "check: cannot be read, or empty"),
            ("a range that is none", "next/luo", "5\n",
             "next/luo: '5', expected MIN-MAX or -")):
        (tool.sysfs / path).write_text(text, encoding="ascii")
        status, printed = tool.json("status")
        yield f"status, {name}", (status, printed["verdict"]), (
            UNKNOWN, "unknown")
        yield f"status, {name}: reason", printed["reason"], re.compile(reason)
        tool.write_sysfs(users)

    tool.sysfs = tool.directory / "elsewhere"
    for arguments in (["status"], ["check", "running", tool.write(
            "good", running_image(running_note()))]):
        status, printed = tool.json(*arguments)
        yield f"{arguments[0]} without sysfs", (status, printed["verdict"]), (
            UNKNOWN, "unknown")
        yield f"{arguments[0]} without sysfs: reason", printed["reason"], (
            re.compile("elsewhere/components: No such file.*have KHO"))
        status, out, err = tool.run(*arguments)
        yield f"{arguments[0]} without sysfs, in words", (status, out), (
            UNKNOWN, "")
        yield f"{arguments[0]} without sysfs, on stderr", err, re.compile(
            "kho-compat: .*No such file")


def command_line(tool):
    good = tool.write("good", images.bzimage(images.note()))
    bad = tool.write("bad", b"no kernel")
    for arguments, mistake in (
            ([], "a command is missing"), (["show"], "show needs an image"),
            (["check", good], "check needs"), (["path", good], "path needs"),
            (["check", good, good, good], "check needs"), (["matrix"], "matrix needs"),
            (["status", good], "nothing follows"), (["assume"], "assume needs"),
            (["compare", good], "unknown command 'compare'"),
            (["--what"], "unknown option '--what'"),
            (["--sysfs"], "a value is missing behind '--sysfs'")):
        status, out, err = run_bare(tool, *arguments)
        yield f"usage: {arguments}", (status, out, mistake in err, err.count("\n")), (
            ERROR, "", True, 1)
    status, out, _ = tool.run("--version")
    yield "--version", (status, out.startswith("kho-compat ")), (0, True)
    status, out, _ = tool.run("--help")
    yield "--help", (status, out.startswith("usage:")), (0, True)

    status, out, err = tool.run("show", good, "/nowhere", bad, good)
    yield "show goes on after an error", (
        status, out.count(f"{good}: bzImage, "), err), (
        ERROR, 2, "kho-compat: /nowhere: No such file or directory\n")
    status, printed = tool.json("show", good, "/nowhere", bad)
    yield "show, JSON of three", (status, [i["path"] for i in printed["images"]],
                                  [i["kind"] for i in printed["images"]]), (
        ERROR, [good, "/nowhere", bad], ["note", "unreadable", "not-linux"])
    odd = tool.write('a "b"\n\\c', images.bzimage(images.note()))
    _, printed = tool.json("show", odd)
    yield "odd path in JSON", printed["images"][0]["path"], odd

    with open("/dev/full", "w", encoding="ascii") as full:
        run = subprocess.run([tool.program, "check", good, good], stdout=full,
                             stderr=subprocess.PIPE, check=False)
    yield "verdict that cannot be written", run.returncode, ERROR


def write_firmware(tool, entries, blocks):
    """The memory map, (start, size, type), and memory blocks, number: state."""
    def packed(some):
        return b"".join(struct.pack("<QQI", *entry) for entry in some)
    params = bytearray(4096)
    first = packed(entries[:128])
    params[0x1e8] = len(entries[:128])
    params[0x2d0:0x2d0 + len(first)] = first
    boot = tool.sysfs.parent / "boot_params"
    memory = tool.sysfs.parents[1] / "devices/system/memory"
    for number, (kind, data) in enumerate(((9, b"x"), (1, packed(entries[128:])))):
        setup_data = boot / f"setup_data/{number}"
        setup_data.mkdir(parents=True, exist_ok=True)
        (setup_data / "type").write_text(f"0x{kind:x}\n", encoding="ascii")
        (setup_data / "data").write_bytes(data)
    (boot / "data").write_bytes(params)
    for number, state in blocks.items():
        block = memory / f"memory{number}"
        block.mkdir(parents=True, exist_ok=True)
        (block / "state").write_text(f"{state}\n", encoding="ascii")
    (memory / "block_size_bytes").write_text("8000000\n", encoding="ascii")


def firmware(tool):
    """status: what is known of the host."""
    keys = ("memory_map_entries", "memory_added_kib")
    tool.sysfs = tool.directory / "firmware/kernel/kho"
    tool.write_sysfs({})
    _, printed = tool.json("status")
    yield "status: no memory map", [printed[key] for key in keys], [None, None]

    mib = 2**20
    entries = [(0, 256 * mib, 1), (256 * mib, mib, 2)] + [
        ((300 + i) * mib, mib // 2, 2) for i in range(198)]
    write_firmware(tool, entries, {0: "online", 1: "online", 2: "online",
                                   8: "online", 9: "offline"})
    _, printed = tool.json("status")
    yield "status: 200 entries, memory added", [printed[key] for key in keys], [
        200, 2 * 128 * 1024]
    _, out, _ = tool.run("status")
    yield "status: 200 entries, in words", out, re.compile(
        "memory map: 200 entries; a kernel built for one node has room for 131\n"
        "memory added since boot: 262144 KiB")
    write_firmware(tool, entries[:100], {})
    _, out, _ = tool.run("status")
    yield "status: 100 entries", "memory map: 100 entries\n" in out, True

    (tool.sysfs / "components/luo/unfinished").write_text("2\n", encoding="ascii")
    _, out, _ = tool.run("status")
    yield "status: not finished", out, re.compile(
        "luo: 2 of the previous kernel not finished, a kexec would lose them\n")


def run_bare(tool, *arguments):
    """Without --sysfs, so that the last word is the one that is tried."""
    run = subprocess.run([tool.program, *arguments], capture_output=True,
                         text=True, check=False)
    return run.returncode, run.stdout, run.stderr


def example(page, command):
    """What a page shows after the command, without the indentation."""
    shown = re.search(rf"^ *(?:[#$]|\$ \\fB) ?{re.escape(command)}[^\n]*\n"
                      r"((?:(?!\.fi)[^\n]+\n)+)", page, re.MULTILINE)
    return "\n".join(line.strip() for line in shown.group(1).splitlines())


def documented(tool):
    """Comes last: the pages show what is true, and know all keys that have been
    printed."""
    manual = (TESTS.parent / "kho-compat.1").read_text(encoding="utf-8")
    guide = (TESTS.parents[2] / "Documentation/admin-guide/mm/kho.rst").read_text(
        encoding="utf-8")
    described = set(re.findall(r"^\.(?:BR? |TQ\n\.B )(\w+)", manual, re.MULTILINE))
    yield "keys that the manual page lacks", tool.keys - described, set()

    tool.sysfs = tool.directory / "example"
    tool.write_sysfs(dict.fromkeys(without("memblock"), 1))
    _, out, _ = tool.run("check", "running", tool.write("next", running_image(
        running_note(images.COMPONENTS | {"memfd": (3, 3)}))))
    yield "check in the manual page", out.strip(), example(
        manual, "kho-compat check running")

    newer = images.COMPONENTS | {"vmalloc": (1, 2), "memfd": (2, 3)}
    tool.write_sysfs({}, newer, writes={"vmalloc": (1, 1), "memfd": (2, 2)})
    _, out, _ = tool.run("check", "running", tool.write("next", running_image(
        running_note(newer, flags=images.LIVEUPDATE))))
    yield "check in the operator's guide", out.strip(), example(
        guide, "kho-compat check running")

    tool.write_sysfs({"luo": 1, "memfd": 1, "vmalloc": 1, "block": 2, "radix": 5},
                     newer, loaded="compatible",
                     readable={name: f"{low}-{high}"
                               for name, (low, high) in newer.items()},
                     writes={"vmalloc": (1, 2), "memfd": (2, 3)})
    _, out, _ = tool.run("status")
    out = "\n".join(line.strip() for line in out.splitlines())
    yield "status in the operator's guide", out, example(
        guide, "kho-compat status")


def matches(found, expected):
    if isinstance(expected, tuple) and isinstance(found, tuple):
        return len(found) == len(expected) and all(map(matches, found, expected))
    if isinstance(expected, re.Pattern):
        return isinstance(found, str) and bool(expected.search(found))
    return found == expected


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: kho-compat.t.py KHO_COMPAT")
    number = failures = 0
    print("TAP version 13")
    with tempfile.TemporaryDirectory() as directory:
        tool = Tool(os.path.abspath(sys.argv[1]), pathlib.Path(directory))
        for group in (shapes, contents, bad_notes, bad_files, pairs, strings,
                      packed, unified, from_running, loaded, assumed, fleet,
                      names, limits, command_line, firmware, documented):
            for name, found, expected in group(tool):
                number += 1
                holds = matches(found, expected)
                failures += not holds
                print(f"{'ok' if holds else 'not ok'} {number} - "
                      f"{group.__name__}: {name}")
                if not holds:
                    print(f"# found {found!r}, expected {expected!r}")
    print(f"1..{number}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

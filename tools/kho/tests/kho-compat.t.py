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
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
TESTS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS))
import images  # noqa: E402

COMPATIBLE, INCOMPATIBLE, UNKNOWN = 0, 1, 2
VERDICTS = {"compatible": COMPATIBLE, "incompatible": INCOMPATIBLE,
            "unknown": UNKNOWN, "none": UNKNOWN}
MACHINE = platform.machine()
PAGE_SHIFT = os.sysconf("SC_PAGESIZE").bit_length() - 1


class Tool:
    """The program, a directory for its files, and all keys it has printed."""

    def __init__(self, program, directory):
        self.program = program
        self.directory = directory
        self.sysfs = directory / "sysfs"
        self.keys = set()

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
        if shown["error"] is None:
            return shown if status == COMPATIBLE else status
        if status != UNKNOWN or not shown["error"].startswith(path + ": "):
            return status
        return shown["error"][len(path) + 2:]

    def check(self, before, after):
        """Exit status and JSON; before is an image, or None for running."""
        before = "running" if before is None else self.write("before", before)
        status, printed = self.json("check", before, self.write("after", after))
        if VERDICTS[printed["verdict"]] != status:
            return None, printed
        return status, printed

    def write_sysfs(self, users, components=None, check="enforce", loaded="none",
                    readable=None):
        """What the running kernel says; users, readable: by component."""
        readable = readable or {}
        components = images.COMPONENTS if components is None else components
        files = {"check": check, "next/status": loaded}
        for name, (min_version, version) in components.items():
            files |= {f"components/{name}/{attribute}": value
                      for attribute, value in (
                          ("version", version), ("min_version", min_version),
                          ("incoming", version), ("status", "ok"),
                          ("users", users.get(name, 0)))}
            files[f"next/{name}"] = readable.get(name, "-")
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
            ("no note", [], "there is no KHO note"),
            ("magic not whole", [images.with_sum(no_magic)],
             "there is no KHO note"),
            ("at another alignment", [bytes(256) + good],
             "there is no KHO note"),
            ("notes that differ", [good, images.note({"radix": (1, 2)})],
             "KHO notes that differ"),
            ("notes of which one is shorter",
             [good, images.note(without("memfd"))], "KHO notes that differ"),
            ("good note, then a bad one", [good, good[:-1] + b"\1"],
             "add up to"),
            ("wrong sum", [broken(good, 32, 0)[:28] + good[28:]],
             "add up to 0x.*, expected 0"),
            ("newer note version", [images.note(version=2)],
             "version 2, expected 1"),
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
            ("empty", b"", "empty"),
            ("one byte", b"\x7f", "not a kernel"),
            ("text", b"hello\n" * 1000, "not a kernel"),
            ("note and nothing else", good, "not a kernel"),
            ("bzImage, last byte missing", bzimage[:-1],
             "truncated: it has 5119 bytes, expected 5120"),
            ("bzImage, setup only", bzimage[:0x210], "truncated"),
            ("bzImage, default of sectors, last byte missing",
             images.bzimage(good, setup_sects=0)[:-1],
             "truncated: it has 6655 bytes, expected 6656"),
            ("bzImage of 32 bits", images.bzimage(good, xloadflags=0x3e),
             "32 bits"),
            ("Image, last byte missing", image[:-1], "truncated"),
            ("Image, header only", image[:64], "no KHO note"),
            ("Image, big endian", images.image(good, flags=1), "big-endian"),
            ("Image with 65535 sections", hostile_pe, "truncated"),
            ("vmlinux, last byte missing", vmlinux[:-1], "truncated"),
            ("vmlinux, half of the header", vmlinux[:40], "truncated"),
            ("vmlinux of 32 bits", images.vmlinux("x86_64", good, bits=1),
             "64 bits"),
            ("vmlinux, big endian", images.vmlinux("aarch64", good, order=2),
             "little endian"),
            ("vmlinux of another machine", images.vmlinux(243, good),
             "ELF machine 243"),
            ("vmlinux with 65535 segments", hostile_elf, "truncated"),
            ("vmlinux, sections at the end of the world", elf_far, "truncated"),
            ("vmlinux, segments there", segments_far, "truncated"),
            ("vmlinux, one of them there", segment_far, "truncated"),
            ("Image.gz", gzip.compress(image), r"compressed \(gzip\); unpack"),
            ("Image.zst", b"\x28\xb5\x2f\xfd" + bytes(60), r"\(zstd\); unpack"),
            ("vmlinuz.efi", b"MZ\0\0zimg" + bytes(60), r"\(EFI zboot\); unpack")):
        yield name, tool.show(data), re.compile(reason)

    fifo = tool.directory / "fifo"
    os.mkfifo(fifo)
    for name, path, reason in (
            ("FIFO", fifo, "not a regular file"),
            ("directory", tool.directory, "not a regular file"),
            ("missing file", tool.directory / "none", "No such file")):
        status, printed = tool.json("show", str(path))
        yield name, printed["images"][0]["error"], re.compile(reason)
        yield f"{name}, exit status", status, UNKNOWN

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

    stock = images.bzimage()
    for name, before, after, culprit in (("to stock", plain, stock, "after"),
                                         ("from stock", stock, plain, "before"),
                                         ("both stock", stock, stock, "before")):
        status, printed = tool.check(before, after)
        yield name, (status, printed["reason"]), (
            UNKNOWN, f"{tool.directory}/{culprit}: "
            "there is no KHO note: stock Linux, or without KHO")


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
        yield f"nothing in use, {name}: all counts", all(
            c["counts"] for c in printed["components"]), True
    other = images.image if MACHINE == images.X86_64 else images.bzimage
    for name, after, expected in (
            ("other pages", running_image(images.note(page_shift=PAGE_SHIFT + 2)),
             INCOMPATIBLE),
            ("other machine", other(running_note()), INCOMPATIBLE),
            ("no note", running_image(), UNKNOWN)):
        yield f"nothing in use, {name}", tool.check(None, after)[0], expected

    tool.write_sysfs({"radix": 1, "luo": 2})
    status, printed = tool.check(None, no_memfd)
    yield "memfd is not in use", (status, printed["reason"]), (COMPATIBLE, None)
    yield "what counts", [c["name"] for c in printed["components"] if c["counts"]], [
        "luo", "radix"]
    status, printed = tool.check(None, running_image(images.note(
        page_shift=PAGE_SHIFT + 2)))
    yield "in use, other pages", (status, printed["reason"]), (
        INCOMPATIBLE, f"page shift {PAGE_SHIFT + 2}, expected {PAGE_SHIFT}")

    tool.write_sysfs({"radix": 1, "memblock": 1})
    status, printed = tool.check(None, good)
    yield "no sessions, no needs", printed["needs"], []

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
        tool.write_sysfs(users, loaded=verdict, check="strict",
                         readable={"radix": "1-4"})
        status, printed = tool.json("status")
        yield f"status: {verdict}", (status, printed["verdict"],
                                     printed["check"]), (
            expected, verdict, "strict")
        status, out, _ = tool.run("status")
        yield f"status: {verdict}, in words", (status, out.splitlines()[-1]), (
            expected, f"loaded kernel: {verdict}")
    yield "status: components", printed["components"][3:5], [
        {"name": "memfd", "version": 2, "min_version": 2, "incoming": 2,
         "status": "ok", "users": 2**40, "next_min_version": None,
         "next_version": None},
        {"name": "radix", "version": 1, "min_version": 1, "incoming": 1,
         "status": "ok", "users": 3, "next_min_version": 1,
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
    for arguments in ([], ["show"], ["check", good], ["check", good, good, good],
                      ["status", good], ["compare", good], ["--what"]):
        status, out, err = tool.run(*arguments)
        yield f"usage: {arguments}", (status, out, "usage:" in err), (
            UNKNOWN, "", True)
    status, out, _ = tool.run("--help")
    yield "--help", (status, out.startswith("usage:")), (0, True)

    status, out, err = tool.run("show", good, bad, good)
    yield "show goes on after an error", (
        status, out.count(f"{good}: bzImage for x86_64"), err), (
        UNKNOWN, 2, f"kho-compat: {bad}: not a kernel: "
        "expected bzImage, arm64 Image or vmlinux\n")
    status, printed = tool.json("show", good, bad)
    yield "show, JSON of two", (status, [i["path"] for i in printed["images"]],
                                printed["images"][0]["error"]), (
        UNKNOWN, [good, bad], None)
    odd = tool.write('a "b"\n\\c', images.bzimage(images.note()))
    _, printed = tool.json("show", odd)
    yield "odd path in JSON", printed["images"][0]["path"], odd

    with open("/dev/full", "w", encoding="ascii") as full:
        run = subprocess.run([tool.program, "check", good, good], stdout=full,
                             stderr=subprocess.PIPE, check=False)
    yield "verdict that cannot be written", run.returncode, UNKNOWN


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
    described = set(re.findall(r"^\.BR? (\w+)", manual, re.MULTILINE))
    yield "keys that the manual page lacks", tool.keys - described, set()

    tool.sysfs = tool.directory / "example"
    tool.write_sysfs(dict.fromkeys(without("memblock"), 1))
    _, out, _ = tool.run("check", "running", tool.write("next", running_image(
        running_note(images.COMPONENTS | {"memfd": (3, 3)}))))
    yield "check in the manual page", out.strip(), example(
        manual, "kho-compat check running")

    tool.write_sysfs({})
    _, out, _ = tool.run("check", "running", tool.write("next", running_image(
        running_note(flags=images.LIVEUPDATE))))
    yield "check in the operator's guide", out.strip(), example(
        guide, "kho-compat check running")

    tool.write_sysfs({"luo": 1, "memfd": 1, "vmalloc": 1, "block": 2, "radix": 5},
                     loaded="compatible", readable={
                         name: f"{low}-{high}"
                         for name, (low, high) in images.COMPONENTS.items()})
    _, out, _ = tool.run("status")
    out = "\n".join(line.strip() for line in out.splitlines())
    yield "status in the operator's guide", out, example(
        guide, "kho-compat status")


def matches(found, expected):
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
        for group in (shapes, contents, bad_notes, bad_files, pairs,
                      from_running, loaded, command_line, documented):
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

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Change what the image of a kernel says it can read of a handover.

    edit_note.py IN OUT [EDIT...]

copies the image IN to OUT with each EDIT done to its note, in this order:

    NAME=MIN-MAX   the range that it reads of a component which it has
    NAME=-         it does not have that component
    page-shift=N   the size of its pages, as a power of two; the header of an
                   arm64 Image has it, too
    flags=N        bit 0: KHO on by default, bit 1: live update built in
    version=N      of the note itself
    sum=N          a wrong sum, unless it happens to be the right one
    drop           no note
    duplicate      one more note, at the end of the file, as this one is by
                   now; later edits change the first one only

The sum is made right again after every edit but the one that sets it. The
layout is in include/linux/kho/abi/image.h.
"""
import re
import struct
import sys

MAGIC = b"\x89KHO image note\0"
ALIGN = 512
HEADER = struct.Struct("<16s5I12x")
ENTRY = struct.Struct("<16s2I")
ARM64_PAGES = {12: 1, 14: 2, 16: 3}
FIELDS = ("version", "nr", "sum", "page-shift", "flags")


class Note:
    """The first note of an image, taken apart."""

    def __init__(self, image):
        self.image = bytearray(image)
        self.at = self.find()
        _, *values = HEADER.unpack_from(self.image, self.at)
        self.fields = dict(zip(FIELDS, values))
        self.entries = {}
        start = self.at + HEADER.size
        for i in range(self.fields["nr"]):
            name, least, most = ENTRY.unpack_from(self.image,
                                                  start + i * ENTRY.size)
            self.entries[name.rstrip(b"\0").decode()] = (least, most)
        self.size = HEADER.size + len(self.entries) * ENTRY.size

    def find(self):
        at = self.image.find(MAGIC)
        while at % ALIGN and at >= 0:
            at = self.image.find(MAGIC, at + 1)
        if at < 0:
            raise ValueError("the image has no note")
        return at

    def pack(self):
        self.fields["nr"] = len(self.entries)
        return HEADER.pack(MAGIC, *(self.fields[name] for name in FIELDS)) + \
            b"".join(ENTRY.pack(name.encode(), *versions)
                     for name, versions in self.entries.items())

    def balance(self):
        self.fields["sum"] = 0
        packed = self.pack()
        words = struct.unpack(f"<{len(packed) // 4}I", packed)
        self.fields["sum"] = -sum(words) % 2**32

    def write(self, packed):
        """Never longer than the note that was there."""
        self.image[self.at:self.at + self.size] = packed.ljust(self.size, b"\0")

    def duplicate(self):
        self.image += bytes(-len(self.image) % ALIGN) + self.pack()

    def set_arm64_pages(self, shift):
        if self.image[0x38:0x3c] == b"ARM\x64" and shift in ARM64_PAGES:
            self.image[0x18] = self.image[0x18] & ~6 | ARM64_PAGES[shift] << 1

    def set(self, name, value):
        entry = re.fullmatch(r"(\d+)-(\d+)", value)
        if name in FIELDS and name != "nr":
            self.fields[name] = int(value, 0)
            if name == "page-shift":
                self.set_arm64_pages(self.fields[name])
        elif name in self.entries and value == "-":
            del self.entries[name]
        elif name in self.entries and entry:
            self.entries[name] = (int(entry[1]), int(entry[2]))
        else:
            raise ValueError(f"'{name}={value}' is no edit of a note with "
                             f"{' '.join(self.entries)}")

    def edit(self, edit):
        name, equals, value = edit.partition("=")
        if edit == "drop":
            self.write(b"")
            return
        if edit == "duplicate":
            self.duplicate()
            return
        if not equals:
            raise ValueError(f"'{edit}' is not an edit")
        self.set(name, value)
        if name != "sum":
            self.balance()
        self.write(self.pack())


def edit_note(image, edits):
    """The image, bytes, with those edits; ValueError if that cannot be."""
    note = Note(image)
    for edit in edits:
        note.edit(edit)
    return bytes(note.image)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    source, target, *edits = sys.argv[1:]
    try:
        with open(source, "rb") as image:
            edited = edit_note(image.read(), edits)
        with open(target, "wb") as out:
            out.write(edited)
    except (OSError, ValueError) as error:
        sys.exit(f"edit_note.py: {source}: {error}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of tools/testing/selftests/kho/edit_note.py, on images made here."""
import pathlib
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] /
                       "tools/testing/selftests/kho"))
import edit_note  # noqa: E402

AT = 1024
SIZE = 3072


def note(*entries, version=1, page_shift=12, flags=3):
    """By the description of the layout, not with the code under test."""
    body = b"".join(struct.pack("<16sII", name.encode(), least, most)
                    for name, least, most in entries)
    rest = struct.pack("<II12x", page_shift, flags) + body
    start = b"\x89KHO image note\0" + struct.pack("<II", version, len(entries))
    total = sum(struct.unpack(f"<{len(start + rest) // 4}I", start + rest))
    return start + struct.pack("<I", -total % 2**32) + rest


def image(what, at=AT):
    return bytes(at) + what + b"\xff" * (SIZE - at - len(what))


A_AND_B = note(("a", 1, 2), ("b", 3, 3))
ENTRY = 24


# edits of an image with A_AND_B, what the image is then; None: refused
EDITS = [
    ([], image(A_AND_B)),
    (["a=4-5"], image(note(("a", 4, 5), ("b", 3, 3)))),
    (["b=-"], image(note(("a", 1, 2)) + bytes(ENTRY))),
    (["a=-", "b=-"], image(note() + bytes(2 * ENTRY))),
    (["page-shift=16", "flags=0"],
     image(note(("a", 1, 2), ("b", 3, 3), page_shift=16, flags=0))),
    (["version=2"], image(note(("a", 1, 2), ("b", 3, 3), version=2))),
    (["sum=7"], image(A_AND_B[:24] + struct.pack("<I", 7) + A_AND_B[28:])),
    (["sum=7", "a=1-2"], image(A_AND_B)),
    (["drop"], image(bytes(len(A_AND_B)))),
    (["duplicate"], image(A_AND_B) + A_AND_B),
    (["duplicate", "a=1-9"], image(note(("a", 1, 9), ("b", 3, 3))) + A_AND_B),
    (["c=1-2"], None),
    (["c=-"], None),
    (["a=1"], None),
    (["nr=1"], None),
    (["nonsense"], None),
]

# where a note is, whether it is found
PLACES = [(0, True), (512, True), (768, False), (513, False)]


def edited(source, edits):
    try:
        return edit_note.edit_note(source, edits)
    except ValueError:
        return None


def cases():
    for edits, expected in EDITS:
        yield (" ".join(edits) or "no edit",
               edited(image(A_AND_B), edits) == expected)
    for at, found in PLACES:
        yield (f"note at {at}",
               (edited(image(A_AND_B, at), ["drop"]) is not None) == found)
    yield ("an aligned note behind one that is not",
           edited(image(A_AND_B, 4)[:AT] + image(A_AND_B)[AT:], ["drop"]) ==
           image(A_AND_B, 4)[:AT] + image(bytes(len(A_AND_B)))[AT:])
    yield "no note", edited(bytes(SIZE), ["drop"]) is None


def main():
    results = list(cases())
    print("TAP version 13")
    print(f"1..{len(results)}")
    for number, (name, good) in enumerate(results, 1):
        print(f"{'ok' if good else 'not ok'} {number} - edit_note.py: {name}")
    return 0 if all(good for _, good in results) else 1


if __name__ == "__main__":
    sys.exit(main())

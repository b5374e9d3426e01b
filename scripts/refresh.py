#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""make refresh: brings what was edited in build/linux into the repository.

refresh.py [PATCH]

A file of the repository is copied back. An edit of a file of the base goes
into that diff in patches/ which last changed the lines in question. Where that
leaves a choice the diffs are named, and nothing is written: PATCH, the start
of a name in patches/, decides. A PATCH that does not exist becomes a new diff;
it still needs a reason and an entry in series/manifest.

Owns which diff an edit belongs to. What was edited, and what build/linux is
made of, is tree.sh's business.
"""
import difflib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import series

TOP = series.TOP
BASE = series.BUILD / "base"
LINUX = series.BUILD / "linux"


def say(text):
    print(f"refresh: {text}", file=sys.stderr)


def edited_files():
    run = subprocess.run([TOP / "scripts/tree.sh", "edited"], check=True,
                         stdout=subprocess.PIPE, text=True)
    return run.stdout.splitlines()


def read(path):
    return path.read_text(encoding="utf-8") if path.exists() else ""


# One file and the diffs that change it

class File:
    """A file of the base: diffs are those that change it, in their order, and
    texts what it is before the first and after each."""

    def __init__(self, path, diffs):
        self.path = path
        self.new = read(LINUX / path)
        self.diffs = [diff for diff in diffs if path in changed_paths(diff)]
        self.texts = [read(BASE / path)]
        for diff in self.diffs:
            self.texts.append(apply_part(self.texts[-1], path,
                                         part_of(diff, path)))

    def owners(self):
        """The diffs that brought the lines which the edit changes, or those
        beside it if it only adds some."""
        lines = [None] * len(self.texts[0].splitlines())
        for diff, old, new in zip(self.diffs, self.texts, self.texts[1:]):
            lines = carry(lines, old, new, diff)
        found = set()
        for tag, start, end, *_ in opcodes(self.texts[-1], self.new):
            if tag == "insert":
                start, end = max(start - 1, 0), end + 1
            if tag != "equal":
                found.update(lines[start:end])
        return sorted(found - {None})

    def changed(self, chosen):
        """What each diff has to say for the edit to be part of the chosen one;
        None if those after it would not apply."""
        texts = list(self.texts)
        at = self.diffs.index(chosen) + 1
        texts[at] = merge(self.texts[at], self.texts[-1], self.new)
        for i in range(at + 1, len(texts)):
            if texts[i - 1] is None:
                return None
            texts[i] = merge(texts[i - 1], self.texts[i - 1], self.texts[i])
        if texts[-1] != self.new:
            return None
        return {diff: (texts[i], texts[i + 1])
                for i, diff in enumerate(self.diffs) if i + 1 >= at}


def opcodes(old, new):
    return difflib.SequenceMatcher(None, old.splitlines(), new.splitlines(),
                                   autojunk=False).get_opcodes()


def carry(lines, old, new, diff):
    """Who brought each line of new. lines: the same of old"""
    result = []
    for tag, start, end, first, last in opcodes(old, new):
        result += lines[start:end] if tag == "equal" else \
            [diff] * (last - first)
    return result


def merge(ours, base, theirs):
    """The change from base to theirs made to ours, or None."""
    if ours == base:
        return theirs
    with tempfile.TemporaryDirectory(prefix="kho-") as name:
        paths = [pathlib.Path(name) / n for n in ("ours", "base", "theirs")]
        for path, text in zip(paths, (ours, base, theirs)):
            path.write_text(text, encoding="utf-8")
        run = subprocess.run(["git", "merge-file", "-p", *paths], check=False,
                             capture_output=True, encoding="utf-8")
    return None if run.returncode else run.stdout


# Diffs in patches/

def all_diffs():
    """In the order in which tree.sh applies them."""
    directory = TOP / "patches"
    return [*sorted((directory / series.FIXES).glob("*.patch")),
            *sorted(directory.glob("*.patch"))]


def changed_paths(diff):
    return [new or old for old, new in series.diff_paths(read(diff))]


def split_parts(text):
    """What stands above the diffs, and then each file's."""
    start = re.search(r"^(?:diff --git |--- (?:a/|/dev/null))", text,
                      re.MULTILINE).start()
    head, rest = text[:start], text[start:]
    mark = "diff --git " if rest.startswith("diff --git ") else "--- "
    parts = re.split(rf"^(?={mark})", rest, flags=re.MULTILINE)
    return [head, *filter(None, parts)]


def concerns(part, path):
    return path in [new or old for old, new in series.diff_paths(part)]


def part_of(diff, path):
    return "".join(part for part in split_parts(read(diff))[1:]
                   if concerns(part, path))


def apply_part(text, path, part):
    """What the text becomes, None if the diff does not apply to it."""
    with tempfile.TemporaryDirectory(prefix="kho-") as name:
        file = pathlib.Path(name) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if text:
            file.write_text(text, encoding="utf-8")
        run = subprocess.run(
            ["patch", "-s", "-p1", "-F0", "-N", "-r", "-",
             "--no-backup-if-mismatch"], input=part, cwd=name, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return None if run.returncode else read(file)


def make_part(path, old, new):
    """A diff in the form of git's."""
    with tempfile.TemporaryDirectory(prefix="kho-") as name:
        for side, text in (("a", old), ("b", new)):
            file = pathlib.Path(name) / side / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if text:
                file.write_text(text, encoding="utf-8")
        run = subprocess.run(
            ["git", "diff", "--no-index", "--no-prefix", "a", "b"], cwd=name,
            check=False, stdout=subprocess.PIPE, encoding="utf-8")
    return run.stdout


def write_part(diff, path, old, new):
    """Make the diff say of this file what leads from old to new."""
    head, *parts = split_parts(read(diff))
    made = make_part(path, old, new)
    if part_of(diff, path):
        parts = [made if concerns(part, path) else part for part in parts]
    else:
        parts.append(made)
    write_diff(diff, head.partition("\n---\n")[0], "".join(parts))


def write_diff(diff, message, body):
    """With a new list of files between message and body."""
    run = subprocess.run(["git", "apply", "--stat", "--summary", "-"],
                         cwd=TOP, check=True, input=body,
                         stdout=subprocess.PIPE, encoding="utf-8")
    diff.write_text(f"{message.rstrip()}\n---\n{run.stdout}\n{body}",
                    encoding="utf-8")
    say(f"wrote {diff.relative_to(TOP)}")


# What becomes of an edit

def ours(path):
    """Is it a file of the repository, or one that can become one?"""
    return (TOP / path).exists() or (
        not (BASE / path).exists() and path.split("/")[0] in series.TREES and
        not any(path in changed_paths(diff) for diff in all_diffs()))


def take_back(path):
    content = (LINUX / path).read_bytes()
    if (TOP / path).exists() and (TOP / path).read_bytes() == content:
        return
    (TOP / path).parent.mkdir(parents=True, exist_ok=True)
    (TOP / path).write_bytes(content)
    say(f"wrote {path}")


def choose(file, wanted):
    """The diff that the edit goes into."""
    owners = file.owners()
    fitting = [diff for diff in file.diffs if file.changed(diff)]
    if wanted:
        found = [diff for diff in fitting if diff.name.startswith(wanted)]
    elif len(file.diffs) == 1:
        found = fitting
    else:
        found = [diff for diff in owners if diff in fitting]
        found = found if len(owners) == 1 else []
    if len(found) == 1:
        return found[0]
    names = ", ".join(diff.name[:4] if len(fitting) > 3 else diff.name
                      for diff in owners or fitting)
    raise series.Fault(f"{file.path}: the edit could belong to "
                       f"{names or 'a new diff'}; 'make refresh PATCH=...' "
                       "says which, or names a new one")


def start_diff(name, path, old, new):
    title = name.partition("-")[2].replace("-", " ")
    message = ("From 0000000000000000000000000000000000000000 Mon Sep 17 "
               "00:00:00 2001\nFrom: KHO <kho@localhost>\n"
               f"Subject: [PATCH] {title}\n\nThe reason.\n")
    write_diff(TOP / "patches" / f"{name}.patch", message,
               make_part(path, old, new))


def put_into_diff(path, wanted):
    file = File(path, all_diffs())
    known = [diff for diff in all_diffs()
             if wanted and diff.name.startswith(wanted)]
    if wanted and not known:
        start_diff(wanted.removesuffix(".patch"), path, file.texts[-1],
                   file.new)
    elif known and not file.diffs:
        write_part(known[0], path, file.texts[-1], file.new)
    else:
        for diff, (old, new) in file.changed(choose(file, wanted)).items():
            if apply_part(old, path, part_of(diff, path)) != new:
                write_part(diff, path, old, new)


def main(argv):
    wanted = os.path.basename(argv[0]) if argv else ""
    paths = edited_files()
    if not paths:
        say("nothing was edited in build/linux")
    status = 0
    for path in paths:
        try:
            if ours(path):
                take_back(path)
            else:
                put_into_diff(path, wanted)
        except series.Fault as fault:
            say(fault)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Makes the two patch series that are sent to mailing lists.

series.py BASE OUTPUT

BASE is a Linux tree, only read. OUTPUT/fixes gets the faults of BASE, each of
which applies alone, and OUTPUT/kho the rest, on top of them; both get a cover
letter. OUTPUT/boots names the mails after which series-check.sh boots a kernel,
and OUTPUT/tests the test that a fix brings.

series/manifest says what each patch brings; a patch that applies a diff of
patches/fixes/ is a fix. The code itself comes from where
it is kept, the files of this repository and patches/; what stands in series/
beside the messages are edits of the base's files that last for a few patches
only, until a file of ours takes their place.

Owns the manifest, how the tree at each patch follows from it, and the mails.
Does not build or judge anything: that is series-check.sh.
"""
import dataclasses
import email
import email.policy
import fnmatch
import hashlib
import os
import pathlib
import re
import shlex
import shutil
import string
import subprocess
import sys
import tempfile
import textwrap

import benchfigures
import tapsum

TOP = pathlib.Path(__file__).resolve().parent.parent
BUILD = TOP / "build"
FIXES = "fixes/"
TREES = ["kernel", "include", "lib", "mm", "arch", "tools", "Documentation"]


class Fault(Exception):
    """Something that the user has to mend; the text names it."""


@dataclasses.dataclass
class Patch:
    """One patch of the series, as the manifest has it; all of a mail later."""
    name: str
    mail: str = ""
    files: list = dataclasses.field(default_factory=list)
    lines: list = dataclasses.field(default_factory=list)
    declares: list = dataclasses.field(default_factory=list)
    edits: list = dataclasses.field(default_factory=list)
    leaves: list = dataclasses.field(default_factory=list)
    boot: bool = False
    test: tuple = ()

    def add(self, other):
        self.files += other.files
        self.lines += other.lines
        self.declares += other.declares
        self.edits += other.edits
        self.leaves += other.leaves
        self.boot |= other.boot

    def diffs(self):
        """Those of patches/ that it applies."""
        return [target for keyword, target, _ in self.edits
                if keyword == "apply"]

    def is_fix(self):
        return any(target.startswith(FIXES) for target in self.diffs())


# The manifest

def parse_manifest(text):
    patches, mail = [], ""
    for number, line in enumerate(text.splitlines(), 1):
        words = shlex.split(line, comments=True)
        if not words:
            continue
        try:
            if words[0] == "mail":
                _, mail = words
            elif words[0] == "patch":
                patches.append(Patch(words[1], mail))
            else:
                parse_line(patches, words[0], words[1:])
        except (IndexError, ValueError, re.error):
            raise Fault(f"series/manifest:{number}: cannot read '{line}'") \
                from None
    return patches


def parse_line(patches, keyword, words):
    patch = patches[-1]
    if keyword == "file":
        patch.files += words
    elif keyword == "lines":
        path, regex, *count = words
        count, = map(int, count or [1])
        patch.lines.append((path, re.compile(regex), count))
    elif keyword == "declare":
        path, *names = words
        patch.declares.append((path, names))
    elif keyword == "boot" and not words:
        patch.boot = True
    elif keyword == "test":
        name, regex = words
        patch.test = (name, re.compile(regex))
    elif keyword == "leave":
        patch.leaves += words
    elif keyword == "cut":
        patch.edits.append((keyword, words[0], words[1:]))
    elif keyword in ("bridge", "apply"):
        path, = words
        patch.edits.append((keyword, path, []))
    else:
        raise ValueError


def matches(path, pattern):
    """A pattern that ends in '/' stands for all that is below."""
    if pattern.endswith("/"):
        return path.startswith(pattern)
    return fnmatch.fnmatchcase(path, pattern)


def assign(paths, patches):
    """The patch that brings each path: the first one that names it. A path that
    is left out has none."""
    bringer = {}
    leaves = [pattern for patch in patches for pattern in patch.leaves]
    for pattern in leaves:
        if not any(matches(path, pattern) for path in paths):
            raise Fault(f"leave {pattern} is not in the repository")
    paths = [path for path in paths
             if not any(matches(path, pattern) for pattern in leaves)]
    for number, patch in enumerate(patches):
        for pattern in patch.files:
            found = [p for p in paths if matches(p, pattern)]
            if not found:
                raise Fault(f"patch {patch.name}: file {pattern} "
                            "is not in the repository")
            for path in found:
                bringer.setdefault(path, number)
    for path in paths:
        if path not in bringer:
            raise Fault(f"series/manifest: no patch brings {path}")
    return bringer


def check_patches_used(patches, available):
    """Each diff in patches/ comes with exactly one patch; give it its name,
    with the directory if it is a fix."""
    left = set(available)
    for patch in patches:
        for i, (keyword, pattern, names) in enumerate(patch.edits):
            if keyword != "apply":
                continue
            found = sorted(p for p in left if fnmatch.fnmatchcase(
                os.path.basename(p), pattern))
            if len(found) != 1:
                raise Fault(f"patch {patch.name}: apply {pattern} matches "
                            f"{len(found)} files in patches/ that no other "
                            "patch applies, expected 1")
            left.remove(found[0])
            patch.edits[i] = (keyword, found[0], names)
    for name in sorted(left):
        raise Fault(f"series/manifest: no patch applies patches/{name}")


def fixes_first(patches):
    """In the order of the manifest otherwise."""
    for patch in patches:
        if patch.is_fix() and (len(patch.edits) > 1 or patch.files or
                               patch.lines):
            raise Fault(f"patch {patch.name}: a fix brings one diff of "
                        "patches/fixes/ and nothing else")
        if patch.test and not patch.is_fix():
            raise Fault(f"patch {patch.name}: test is for fixes only")
    return sorted(patches, key=lambda patch: not patch.is_fix())


def join_mails(patches):
    """One patch for all of a mail, with the name of that."""
    mails = []
    for patch in patches:
        if patch.is_fix() or not patch.mail:
            mails.append(patch)
        elif mails and mails[-1].mail == patch.mail:
            mails[-1].add(patch)
        else:
            mails.append(dataclasses.replace(patch, name=patch.mail))
    return mails


# Definitions in C files

def without_strings(line):
    return re.sub(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'', '""', line)


def split_definitions(text):
    """Pieces of a C file: each ends with a blank line outside of all braces
    and comments."""
    pieces, piece = [], []
    depth, comment = 0, False
    for line in text.splitlines(keepends=True):
        piece.append(line)
        for token in re.findall(r"/\*|\*/|[{}]", without_strings(line)):
            if token in ("/*", "*/"):
                comment = token == "/*"
            elif not comment:
                depth += 1 if token == "{" else -1
        if not line.strip() and not depth and not comment:
            pieces.append("".join(piece))
            piece = []
    return pieces + ["".join(piece)] if piece else pieces


def defined_names(piece):
    """What a piece defines; for a comment alone what it is about."""
    names = re.findall(r"^ \* (DOC: .*)$", piece, re.MULTILINE)
    code = re.sub(r"/\*.*?\*/", "", piece, flags=re.DOTALL)
    names += re.findall(r"^#define (\w+)", code, re.MULTILINE)
    code = re.sub(r"^#(?:.*\\\n)*.*$", "", code, flags=re.MULTILINE)
    return set(names + re.findall(r"(\w+)\s*(?:\[.*?\])?\s*[({=;]", code)[:1])


def cut(text, names, path):
    """The text without the definitions of these names."""
    left = set(names)
    kept = []
    for piece in split_definitions(text):
        found = defined_names(piece) & set(names)
        left -= found
        if not found:
            kept.append(piece)
    if left:
        raise Fault(f"{path} has no definition of {', '.join(sorted(left))} "
                    "to cut")
    return "".join(kept)


# Declarations in headers

PROTOTYPE = r"(?!static|typedef)\w[^\n;{{}}()]*\b{0}(?:\([^;{{}}]*\))?;\n"
COMMENT = r"/\*(?!\*)[^\n]*\*/\n"
DECLARATIONS = (
    rf"^(?:{COMMENT}{PROTOTYPE}(?=\n)|{PROTOTYPE})",
    r"^static inline [^;{{}}#]*\b{0}\([^;{{}}]*\)\s*\{{[^{{}}]*\}}\n",
    r"^(?:/\*\*\n(?: \*.*\n)*? \*/\n)?#define {0}\((?:.*\\\n)*.*\n",
)


def undeclare(text, names, path):
    """A header without the declarations of these names: prototypes and extern
    variables, with a line of comment that is theirs alone, stubs, and macros."""
    for name in names:
        before = text
        for pattern in DECLARATIONS:
            text = re.sub(pattern.format(name), "", text, flags=re.MULTILINE)
        if text == before:
            raise Fault(f"{path} does not declare {name}")
    text = re.sub(r"^#ifdef .*\n+#else\n+#endif.*\n\n?", "", text,
                  flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text)


# Diffs

def diff_paths(text):
    """Files that a diff changes; None instead of one that is not there."""
    olds = re.findall(r"^--- (?:a/)?(\S+)", text, re.MULTILINE)
    news = re.findall(r"^\+\+\+ (?:b/)?(\S+)", text, re.MULTILINE)
    for pair in zip(olds, news):
        yield tuple(None if p == "/dev/null" else p for p in pair)


def failed_hunks(output):
    path = "?"
    for line in output.splitlines():
        name = re.match(r"(?:checking|patching) file (\S+)", line)
        hunk = re.match(r"Hunk #(\d+) (?:FAILED|ignored) at (\d+)", line)
        path = name[1] if name else path
        if hunk:
            yield f"{path}, hunk #{hunk[1]} at line {hunk[2]}"


def apply_diff(tree, diff, label):
    """Change tree; returns what does not apply, a line for each hunk."""
    text = diff.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="kho-") as name:
        work = pathlib.Path(name)
        missing = []
        for old, _ in diff_paths(text):
            if old and tree.read(old) is None:
                missing.append(f"{label}: there is no {old}")
            elif old:
                (work / old).parent.mkdir(parents=True, exist_ok=True)
                (work / old).write_bytes(tree.read(old))
        if missing:
            return missing
        run = subprocess.run(
            ["patch", "-p1", "-F0", "-N", "-E", "-r", "-",
             "--no-backup-if-mismatch", "-i", diff], cwd=work, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if run.returncode:
            return [f"{label}: {hunk}" for hunk in failed_hunks(run.stdout)] \
                or [f"{label}: {run.stdout.strip()}"]
        for old, new in diff_paths(text):
            path = new or old
            file = work / path
            tree.write(path, file.read_bytes() if file.exists() else None)
    return []


# The tree at each patch

class Tree:
    """The files that differ from the base, or did at some patch before."""

    def __init__(self, base):
        self.base = base
        self.contents = {}
        self.modes = {}

    def original(self, path):
        file = self.base / path
        return file.read_bytes() if file.is_file() else None

    def read(self, path):
        if path in self.contents:
            return self.contents[path]
        return self.original(path)

    def write(self, path, content, mode=None):
        self.contents[path] = content
        if mode:
            self.modes[path] = mode

    def mode(self, path):
        executable = os.access(self.base / path, os.X_OK)
        return self.modes.get(path, "100755" if executable else "100644")


class Series:
    """patches: list of Patch; trouble: what does not fit this base."""

    def __init__(self, base):
        self.tree = Tree(base)
        self.patches = parse_manifest(
            (TOP / "series/manifest").read_text(encoding="utf-8"))
        check_patches_used(self.patches, repository_diffs())
        self.patches = join_mails(fixes_first(self.patches))
        self.fixes = sum(patch.is_fix() for patch in self.patches)
        self.bringer = assign(repository_files(), self.patches)
        self.paths = sorted(self.bringer)
        self.check_lines()
        self.trouble = []
        for patch in self.patches[:self.fixes]:
            target, = patch.diffs()
            self.trouble += apply_diff(Tree(base), TOP / "patches" / target,
                                       f"patches/{target} alone")

    def check_lines(self):
        for patch in self.patches:
            for path, regex, _ in patch.lines:
                if path not in self.bringer:
                    raise Fault(f"patch {patch.name}: lines {path}: "
                                "the file is not in the repository")
                if not any(map(regex.search, read_text(TOP / path))):
                    raise Fault(f"patch {patch.name}: no line of {path} "
                                f"matches '{regex.pattern}'")

    def content(self, path, number):
        """Our file at a patch: without the lines that come with later ones."""
        later = [(regex, count) for patch in self.patches[number + 1:]
                 for name, regex, count in patch.lines if name == path]
        names = [name for patch in self.patches[number + 1:]
                 for declared, found in patch.declares if declared == path
                 for name in found]
        if not later and not names:
            return (TOP / path).read_bytes()
        text = "".join(without_lines(read_text(TOP / path), later))
        return (undeclare(text, names, path) if names else text).encode()

    def step(self, number):
        """Bring the tree to the patch of this number."""
        patch = self.patches[number]
        for edit in patch.edits:
            self.edit(patch, number, *edit)
        for path in self.paths:
            if self.bringer[path] <= number:
                executable = os.access(TOP / path, os.X_OK)
                self.tree.write(path, self.content(path, number),
                                "100755" if executable else "100644")

    def check_headers(self, number, changes):
        """What a patch includes comes with it, or is there already."""
        for path, _, content in changes:
            for header in included_files(path, content or b""):
                later = self.bringer.get(header, number)
                if later > number and self.tree.read(header) is None:
                    self.trouble.append(
                        f"patch {self.patches[number].name}: {path} includes "
                        f"{header}, which comes with patch "
                        f"{self.patches[later].name}")

    def edit(self, patch, number, keyword, target, names):
        if keyword == "cut":
            self.check_still_base(patch, number, target)
            text = (self.tree.read(target) or b"").decode()
            try:
                self.tree.write(target, cut(text, names, target).encode())
            except Fault as fault:
                self.trouble.append(f"patch {patch.name}: {fault}")
            return
        directory = {"bridge": "series", "apply": "patches"}[keyword]
        diff = TOP / directory / target
        if not diff.is_file():
            raise Fault(f"patch {patch.name}: "
                        f"there is no {directory}/{target}")
        for old, new in diff_paths(diff.read_text(encoding="utf-8")):
            self.check_still_base(patch, number, new or old)
        self.trouble += apply_diff(self.tree, diff, f"{directory}/{target}")

    def check_still_base(self, patch, number, path):
        if self.bringer.get(path, number) < number:
            raise Fault(f"patch {patch.name}: {path} is the repository's "
                        "already, edit it there")


def included_files(path, content):
    """Where the headers of a C file would be, if they are ours."""
    if not path.endswith((".c", ".h")):
        return
    directory = os.path.dirname(path)
    for start, name in re.findall(rb'^#include ([<"])([^>"]+)', content,
                                  re.MULTILINE):
        name = name.decode()
        if start == b'"':
            yield os.path.normpath(os.path.join(directory, name))
        yield f"include/{name}"


def without_lines(lines, later):
    """later: (regex, how many lines from one that matches are left out)"""
    left_out = 0
    for line in lines:
        left_out = max([left_out - 1] + [count for regex, count in later
                                         if regex.search(line)])
        if left_out <= 0:
            yield line


def read_text(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.readlines()


def repository_files():
    """What is laid over the base, committed or not yet."""
    listed = git("ls-files", "-co", "--exclude-standard", "--", *TREES)
    return sorted(p for p in listed.splitlines() if (TOP / p).is_file())


def repository_diffs():
    """Those of patches/, by their names there."""
    directory = TOP / "patches"
    return [str(p.relative_to(directory)) for pattern in ("", FIXES)
            for p in directory.glob(f"{pattern}*.patch")]


# Files of the base that ours replace

def blob_id(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def hunks(old, new):
    """Headers of the hunks between two contents."""
    with tempfile.NamedTemporaryFile() as first, \
         tempfile.NamedTemporaryFile() as second:
        first.write(old)
        second.write(new)
        first.flush()
        second.flush()
        run = subprocess.run(["diff", "-U0", "-p", first.name, second.name],
                             stdout=subprocess.PIPE, check=False,
                             encoding="utf-8", errors="replace")
    return re.findall(r"^@@.*", run.stdout, re.MULTILINE)


def replaced_files(series):
    """Files of the base of which nothing is left at the end."""
    for path in sorted(series.paths):
        content = series.tree.original(path)
        if content is not None:
            yield path, content


def changes_lost(series, known, reference):
    """A file that we replace has changed since we wrote ours: say where.
    known: path -> id of the blob that ours was written to replace."""
    for path, content in replaced_files(series):
        if blob_id(content) == known.get(path):
            continue
        yield (f"{path}: not the file that ours replaces "
               f"({known.get(path, 'none is recorded')}), "
               f"but {blob_id(content)}; its changes are lost")
        old = reference / path
        if old.is_file() and blob_id(old.read_bytes()) == known.get(path):
            yield from (f"{path}: lost {hunk}"
                        for hunk in hunks(old.read_bytes(), content))


def read_replaced():
    rows = (TOP / "series/replaced").read_text(encoding="utf-8").splitlines()
    return {path: blob for blob, path in
            (row.split() for row in rows if row and row[0] != "#")}


# Messages

def message(patch):
    """Subject and body; a patch that only applies a diff has the diff's."""
    file = TOP / f"series/{patch.name}.txt"
    if file.is_file():
        subject, _, body = file.read_text(encoding="utf-8").partition("\n\n")
        return f"{' '.join(subject.split())}\n\n{body.strip()}\n"
    diffs = patch.diffs()
    if len(diffs) != 1:
        raise Fault(f"patch {patch.name}: there is no {file.name} in series/")
    mail = email.message_from_bytes((TOP / "patches" / diffs[0]).read_bytes(),
                                    policy=email.policy.default)
    if not mail["Subject"]:
        raise Fault(f"patches/{diffs[0]} has no line 'Subject:' at its top")
    subject = re.sub(r"^\[PATCH[^]]*\]\s*", "", " ".join(
        mail["Subject"].split()))
    body = re.split(r"^---$", mail.get_content(), maxsplit=1,
                    flags=re.MULTILINE)[0]
    return f"{subject}\n\n{body.strip()}\n"


# Git

def git(*args, repository=TOP, **kwargs):
    run = subprocess.run(["git", "-C", str(repository), *args], check=False,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         **kwargs)
    if run.returncode:
        raise Fault(f"git {' '.join(args[:6])}: {run.stderr.decode().strip()}")
    return run.stdout.decode()


class Stream:
    """Commits for git fast-import, all by one author at one time."""

    def __init__(self, author, seconds):
        self.author = author
        self.seconds = seconds
        self.out = []

    def data(self, content):
        self.out.append(b"data %d\n%s\n" % (len(content), content))

    def commit(self, text, changes):
        """changes: (path, mode, content or None)"""
        self.out.append(b"commit refs/heads/all\n")
        for role in ("author", "committer"):
            self.out.append(f"{role} {self.author} {self.seconds} +0000\n"
                            .encode())
        self.data(text.encode())
        for path, mode, content in changes:
            if content is None:
                self.out.append(f"D {path}\n".encode())
                continue
            self.out.append(f"M {mode} inline {path}\n".encode())
            self.data(content)

    def branch(self, name):
        """One that ends with the last commit."""
        self.out.append(f"reset refs/heads/{name}\nfrom refs/heads/all\n\n"
                        .encode())


def identity():
    """Name and address of whoever makes the series, and signs it off."""
    ident = re.match(r"(.*) <(.*)> \d+ ", git("var", "GIT_COMMITTER_IDENT"))
    return ident[1], ident[2]


def touched_paths(series):
    paths = set(series.paths)
    for patch in series.patches:
        for keyword, target, _ in patch.edits:
            if keyword == "cut":
                paths.add(target)
                continue
            directory = {"bridge": "series", "apply": "patches"}[keyword]
            text = (TOP / directory / target).read_text(encoding="utf-8")
            paths.update(p for pair in diff_paths(text) for p in pair if p)
    return sorted(paths)


def write_commits(series, release):
    """A repository with one commit for the base and one for each patch. The
    base is represented by the files that the series touches."""
    tree = series.tree
    paths = touched_paths(series)
    stream = Stream("%s <%s>" % identity(),
                    int(git("log", "-1", "--format=%ct")))
    stream.commit(f"Linux {release}\n",
                  [(p, tree.mode(p), tree.original(p)) for p in paths
                   if tree.original(p) is not None])
    before = {p: tree.original(p) for p in paths}
    tails = {series.fixes - 1: "fixes", len(series.patches) - 1: "series"}
    for number, patch in enumerate(series.patches):
        series.step(number)
        after = {p: tree.read(p) for p in paths}
        changes = [(p, tree.mode(p), after[p]) for p in paths
                   if after[p] != before[p]]
        series.check_headers(number, changes)
        if not changes and not series.trouble:
            raise Fault(f"patch {patch.name} changes nothing")
        stream.commit(message(patch), changes)
        if number in tails:
            stream.branch(tails[number])
        before = after
    return b"".join(stream.out)


def import_commits(stream, repository):
    shutil.rmtree(repository, ignore_errors=True)
    git("init", "-q", "--bare", str(repository))
    git("fast-import", "--quiet", repository=repository, input=stream)


def write_mails(repository, output, branch, count, cover):
    name, address = identity()
    git("config", f"branch.{branch}.description", cover, repository=repository)
    git("-c", f"user.name={name}", "-c", f"user.email={address}",
        "format-patch", "--quiet", "--cover-letter",
        "--cover-from-description=subject", "--signoff", "--no-renames",
        "--no-base", "--thread", "--break-rewrites", "-o", str(output),
        f"-{count}", branch, repository=repository)
    shorten_cover(output / "0000-cover-letter.patch")


def shorten_cover(letter):
    """Without a line for each file; each patch has its own."""
    text = letter.read_text(encoding="utf-8")
    letter.write_text(re.sub(
        r"^ (?:\S.* +\| .*|(?:create|delete|rewrite|mode) .*)\n", "", text,
        flags=re.MULTILINE), encoding="utf-8")


def write_lists(output, parts):
    """parts: (name of the directory, its patches)"""
    mails = [(mail.relative_to(output), patch) for name, patches in parts
             for number, patch in enumerate(patches, 1)
             for mail in (output / name).glob(f"{number:04}-*.patch")]
    (output / "boots").write_text("".join(
        f"{mail}\n" for mail, patch in mails if patch.boot))
    (output / "tests").write_text("".join(
        f"{mail} {patch.test[0]} {patch.test[1].pattern}\n"
        for mail, patch in mails if patch.test))


# The cover letter

def table(rows):
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(cell.rjust(width) if i else cell.ljust(width)
                               for i, (cell, width)
                               in enumerate(zip(row, widths))).rstrip()
                     for row in rows)


def markdown_tables(text):
    """Each as rows of cells, without the line below the heads."""
    for lines in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        head, _, *rows = ([cell.strip() for cell in line[1:-1].split("|")]
                          for line in lines.splitlines())
        yield [head, *rows]


def narrow(rows):
    """Fit for a mail: without ratios, and with heads on two lines."""
    kept = [i for i, head in enumerate(rows[0]) if head != "ratio"]
    head, *rows = [[row[i] for i in kept] for row in rows]
    first, *columns = [cell.rpartition(", ") for cell in head]
    return [[first[2], *(over for over, _, _ in columns)],
            ["", *(under for _, _, under in columns)], *rows]


def figures():
    """Those of the README, where "bench.sh --readme" puts them."""
    block = benchfigures.marked_block(
        (TOP / "README.md").read_text(encoding="utf-8"))
    tables = list(markdown_tables(block))
    if len(tables) != 2:
        raise Fault(f"README.md has {len(tables)} tables of figures for the "
                    "cover letter, expected 2; scripts/bench.sh --readme "
                    "writes them")
    memfds, calls = tables
    # The small files tell a reviewer nothing more
    memfds = [row for row in memfds
              if row[0].split()[0] not in ("1,024", "4,096")]
    units, = re.findall(r"^Measured .*$", block, re.MULTILINE)
    return "\n\n".join([textwrap.fill(units, 75), table(narrow(memfds)),
                        table(calls)])


def test_results():
    """Of the last complete "make test" for each architecture, see test.sh."""
    runs = []
    for path in sorted((BUILD / "results").glob("complete-*")):
        arch = path.name.removeprefix("complete-")
        with open(path, encoding="utf-8") as lines:
            commit = next(lines).strip()
            rows = tapsum.read_totals(lines)
        runs.append(f"{arch}, {commit}:\n" + "\n".join(
            f"  {row.name}: {tapsum.counts(*row.number)}" for row in rows))
    if runs:
        return "\n\n".join(runs)
    say("the cover letter has no test results: make test has not been run")
    return "  no results: the tests were not run where this series was made"


def cover_letter(name, patches, **values):
    """Its first paragraph becomes the subject. $NAME is the number of a patch,
    with '_' for '-'."""
    path = f"series/cover-{name}.txt"
    text = (TOP / path).read_text(encoding="utf-8")
    numbers = {patch.name.replace("-", "_"): number
               for number, patch in enumerate(patches, 1)}
    try:
        return string.Template(text).substitute(numbers, **values)
    except KeyError as missing:
        raise Fault(f"{path}: no patch is called {missing}") from None


# The whole

def say(text):
    print(f"series: {text}", file=sys.stderr)


def release_of(base):
    try:
        makefile = (base / "Makefile").read_text(encoding="utf-8")
        values = dict(re.findall(
            r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION) *= *(\S*)",
            makefile, re.MULTILINE))
        return (f"{values['VERSION']}.{values['PATCHLEVEL']}"
                f".{values['SUBLEVEL']}{values['EXTRAVERSION']}")
    except (OSError, KeyError):
        raise Fault(f"{base} is not a Linux source tree") from None


def make(base, output):
    release = release_of(base)
    series = Series(base)
    lost = list(changes_lost(series, read_replaced(), BUILD / "base"))
    stream = write_commits(series, release)
    for line in series.trouble + lost:
        say(line)
    if series.trouble:
        raise Fault(f"the series does not apply to Linux {release} "
                    f"({base}): {len(series.trouble)} places named above")
    values = {"release": release, "figures": figures(),
              "tests": test_results()}
    parts = [("fixes", "fixes", series.patches[:series.fixes]),
             ("kho", "series", series.patches[series.fixes:])]
    parts = [part for part in parts if part[2]]
    covers = [cover_letter(name, patches, **values)
              for name, _, patches in parts]
    repository = BUILD / "series.git"
    import_commits(stream, repository)
    shutil.rmtree(output, ignore_errors=True)
    for (name, branch, patches), cover in zip(parts, covers):
        write_mails(repository, output / name, branch, len(patches), cover)
    write_lists(output, [(name, patches) for name, _, patches in parts])
    if lost:
        say(f"Linux {release} is not what ours was written for, see above")
    say(f"{series.fixes} fixes and {len(series.patches) - series.fixes} more "
        f"patches for Linux {release} are in {output}")


def main(argv):
    if len(argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        make(pathlib.Path(argv[0]).resolve(), pathlib.Path(argv[1]).resolve())
    except Fault as fault:
        say(fault)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

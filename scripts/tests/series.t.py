#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of scripts/series.py on a miniature kernel tree and a miniature
repository. Prints TAP.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import traceback

sys.dont_write_bytecode = True
SCRIPTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCRIPTS))
import benchfigures  # noqa: E402
import series  # noqa: E402

OLD_CORE = """#include <linux/kho.h>

/* The brace in "{" is none. */
static int used(void)
{
	return '}';
}

/**
 * gone - moves to a file of its own
 */
int gone(struct thing *thing)
{
	if (thing)
		return 1;

	return 0;
}
EXPORT_SYMBOL(gone);

#define LEFT \\
	(gone + 1)
"""

MEMORY = "".join(f"{n}\n" for n in range(1, 61))

MANIFEST = """
patch parts
file kernel/part.c kernel/Makefile
cut kernel/core.c gone

patch core
file kernel/core.c
lines kernel/Makefile second

patch memory
apply *-memory.patch
"""


def memory_patch(old, new, line=20, subject="mm: change a line"):
    context = [n for n in range(line - 2, line + 3) if n != line]
    return "\n".join([
        "From 0 Mon Sep 17 00:00:00 2001", "From: Somebody <else@localhost>",
        f"Subject: [PATCH] {subject}", "", f"Why {new} is better.", "---",
        " mm/memory.c | 2 +-", "", "--- a/mm/memory.c", "+++ b/mm/memory.c",
        f"@@ -{line - 2},5 +{line - 2},5 @@", f" {context[0]}",
        f" {context[1]}", f"-{old}", f"+{new}", f" {context[2]}",
        f" {context[3]}", ""])


class Repository:
    """A directory with what series.py needs, and a base tree."""

    def __init__(self, directory):
        self.top = directory / "repo"
        self.base = directory / "linux"
        self.output = directory / "out"
        for name in ("series.py", "tapsum.py", "benchfigures.py"):
            self.write(f"scripts/{name}", (SCRIPTS / name).read_text())
        self.write_base("Makefile",
                        "VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\n"
                        "EXTRAVERSION =\n")
        self.write_base("kernel/core.c", OLD_CORE)
        self.write_base("mm/memory.c", MEMORY)
        self.write("kernel/core.c", "our core\n")
        self.write("kernel/part.c", "our part\n")
        self.write("kernel/Makefile", "first\nsecond\n")
        self.write("patches/0001-memory.patch", memory_patch(20, "twenty"))
        self.write("series/manifest", MANIFEST)
        self.write("series/parts.txt", "kho: take\n  apart\n\nBecause.\n")
        self.write("series/core.txt", "kho: rewrite\n\nFor this reason.\n")
        self.write_readme({})
        self.write("series/cover-fixes.txt", "kho: faults\n\nOf $release.\n")
        self.write("series/cover-kho.txt",
                   "kho: all of it\n\nOn $release, see $memory:\n\n$figures\n\n$tests\n")
        self.record_replaced()
        self.git("init", "-q")
        self.git("config", "user.name", "A. Author")
        self.git("config", "user.email", "author@localhost")
        self.git("add", ".")
        self.git("commit", "-q", "-m", "all")

    def write(self, path, text):
        file = self.top / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def write_base(self, path, text):
        file = self.base / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def write_readme(self, results):
        """With figures, as scripts/bench.sh --readme does it."""
        self.write("README.md", benchfigures.BEGIN + benchfigures.readme_block(
            results, "today", "plot.svg") + benchfigures.END)

    def add_to_manifest(self, text):
        with open(self.top / "series/manifest", "a", encoding="utf-8") as file:
            file.write(text)

    def record_replaced(self):
        core = series.blob_id((self.base / "kernel/core.c").read_bytes())
        self.write("series/replaced", f"# as of 7.3.4\n{core} kernel/core.c\n")

    def git(self, *args, directory=None):
        home = {**os.environ, "HOME": str(self.top), "GIT_CONFIG_NOSYSTEM": "1"}
        return subprocess.run(["git", "-C", str(directory or self.top), *args],
                              check=True, capture_output=True, text=True,
                              env=home).stdout

    def make(self, status=0):
        """Run series.py; what it says."""
        run = subprocess.run(
            [sys.executable, "-B", str(self.top / "scripts/series.py"),
             str(self.base), str(self.output)], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, check=False, text=True,
            env={**os.environ, "HOME": str(self.top)})
        assert run.returncode == status, \
            f"status {run.returncode}: {run.stdout}"
        return run.stdout

    def at(self, number, path):
        """A file as it is after that many patches, None without it."""
        listed = self.git("log", "--format=%H", "--reverse", "series",
                          directory=self.top / "build/series.git").split()
        try:
            return self.git("show", f"{listed[number]}:{path}",
                            directory=self.top / "build/series.git")
        except subprocess.CalledProcessError:
            return None

    def mail(self, number, part="kho"):
        found, = (self.output / part).glob(f"{number:04}-*.patch")
        return found.read_text(encoding="utf-8")


def says(text, *parts):
    for part in parts:
        assert part in text, f"'{part}' is not in: {text}"


def file_comes_with_its_patch(repo):
    repo.make()
    assert repo.at(0, "kernel/part.c") is None
    assert repo.at(1, "kernel/part.c") == "our part\n"
    assert repo.at(2, "kernel/core.c") == "our core\n"


def lines_come_with_their_patch(repo):
    repo.make()
    assert repo.at(1, "kernel/Makefile") == "first\n"
    assert repo.at(2, "kernel/Makefile") == "first\nsecond\n"


def lines_may_bring_those_that_follow(repo):
    repo.write("kernel/Makefile", "first\nsecond\nthird\nfourth\n")
    repo.write("series/manifest", MANIFEST.replace("second\n", "second 2\n"))
    repo.make()
    assert repo.at(1, "kernel/Makefile") == "first\nfourth\n"
    assert repo.at(2, "kernel/Makefile") == "first\nsecond\nthird\nfourth\n"


def lines_that_match_nothing_are_named(repo):
    repo.add_to_manifest("lines kernel/Makefile third\n")
    says(repo.make(1), "no line of kernel/Makefile matches 'third'")


def declarations_come_with_their_patch(repo):
    late = ("/* Theirs */\nint late(void);\n", "/* Both */\nextern int late_too;\n",
            "static inline int late(void)\n{\n\treturn 0;\n}\n",
            "/**\n * all_late - a macro\n */\n#define all_late(x)\t\\\n\tlate(x)\n")
    text = ("int early(void);\n\n{0}\n{1}int other;\n\n#else\n\n{2}\n"
            "static inline int early(void) {{ return 0; }}\n\n{3}\n#endif\n")
    repo.write("include/linux/ours.h", text.format(*late))
    repo.write("series/manifest", MANIFEST.replace(
        "file kernel/part.c", "file kernel/part.c include/linux/ours.h").replace(
        "file kernel/core.c",
        "file kernel/core.c\ndeclare include/linux/ours.h late late_too all_late"))
    repo.make()
    assert repo.at(1, "include/linux/ours.h") == \
        "int early(void);\n\n/* Both */\nint other;\n\n#else\n\n" \
        "static inline int early(void) { return 0; }\n\n#endif\n"
    assert repo.at(2, "include/linux/ours.h") == text.format(*late)


def declaration_that_is_not_there_is_named(repo):
    repo.write("include/linux/ours.h", "int early(void);\n")
    repo.write("series/manifest", MANIFEST.replace(
        "file kernel/part.c", "file kernel/part.c include/linux/ours.h").replace(
        "file kernel/core.c",
        "file kernel/core.c\ndeclare include/linux/ours.h late"))
    says(repo.make(1), "include/linux/ours.h does not declare late")


def test_of_a_fix_is_listed(repo):
    add_fix(repo, memory_patch(40, "forty", 40, "mm: fix a line"))
    repo.add_to_manifest("test memblock 'not ok .*forty'\n")
    repo.make()
    assert (repo.output / "tests").read_text() == \
        "fixes/0001-mm-fix-a-line.patch memblock not ok .*forty\n"


def test_of_another_patch_is_named(repo):
    repo.add_to_manifest("test memblock forty\n")
    says(repo.make(1), "test is for fixes only")


def cut_takes_comment_and_export_along(repo):
    repo.make()
    left = repo.at(1, "kernel/core.c")
    assert "gone(" not in left and "moves to" not in left, left
    assert "EXPORT_SYMBOL" not in left, left
    says(left, "static int used(void)", "#define LEFT \\\n\t(gone + 1)\n")


def cut_of_an_unknown_name_is_named(repo):
    repo.write("series/manifest", MANIFEST.replace(" gone", " used gnoe"))
    says(repo.make(1), "patch parts: kernel/core.c has no definition of gnoe")


def bridge_lasts_until_the_file_comes(repo):
    repo.write("series/parts.diff",
               "--- a/kernel/core.c\n+++ b/kernel/core.c\n@@ -1,2 +1,3 @@\n"
               " #include <linux/kho.h>\n+#include <linux/part.h>\n \n")
    repo.write("series/manifest", MANIFEST.replace(
        "\npatch core", "bridge parts.diff\n\npatch core"))
    repo.make()
    says(repo.at(1, "kernel/core.c"), "part.h")
    assert repo.at(2, "kernel/core.c") == "our core\n"


def edit_of_our_own_file_is_refused(repo):
    repo.add_to_manifest("cut kernel/core.c used\n")
    says(repo.make(1), "kernel/core.c is the repository's already")


def diff_brings_its_own_message(repo):
    repo.make()
    says(repo.mail(3), "Subject: [PATCH 3/3] mm: change a line",
         "Why twenty is better.", "From: \"A. Author\" <author@localhost>")


def message_is_the_file(repo):
    repo.make()
    says(repo.mail(1), "Subject: [PATCH 1/3] kho: take apart\n", "\nBecause.\n",
         "\nSigned-off-by: A. Author <author@localhost>\n---\n")


def missing_message_is_named(repo):
    (repo.top / "series/core.txt").unlink()
    says(repo.make(1), "patch core: there is no core.txt")


def forgotten_file_is_named(repo):
    repo.write("lib/test.c", "ours\n")
    says(repo.make(1), "no patch brings lib/test.c")


def file_is_left_out(repo):
    repo.write("lib/test.c", "ours\n")
    repo.write("lib/bench/a.c", "ours\n")
    repo.add_to_manifest("leave lib/test.c lib/bench/\n")
    repo.make()
    assert repo.at(-1, "lib/test.c") is None
    assert repo.at(-1, "lib/bench/a.c") is None


def left_out_file_must_be_there(repo):
    repo.add_to_manifest("leave lib/test.c\n")
    says(repo.make(1), "leave lib/test.c is not in the repository")


def add_fix(repo, text):
    repo.write("patches/fixes/0002-fix.patch", text)
    repo.add_to_manifest("\npatch fix\napply *-fix.patch\n")


def fix_is_mailed_first(repo):
    add_fix(repo, memory_patch(40, "forty", 40, "mm: fix a line"))
    repo.make()
    says(repo.mail(1, "fixes"), "[PATCH 1/1] mm: fix a line", "+forty")
    says(repo.mail(0, "fixes"), "[PATCH 0/1] kho: faults", "Of 7.3.4.")
    says(repo.mail(1), "[PATCH 1/3] kho: take apart")
    says(repo.at(1, "mm/memory.c"), "forty")
    assert repo.at(1, "kernel/part.c") is None
    mails_make_a_tree(repo, MEMORY.replace("\n20\n", "\ntwenty\n").replace(
        "\n40\n", "\nforty\n"))


def fix_that_needs_another_is_named(repo):
    add_fix(repo, memory_patch(40, "forty", 40))
    repo.write("patches/fixes/0003-more.patch", memory_patch("forty", "XL", 40))
    repo.add_to_manifest("\npatch more\napply *-more.patch\n")
    says(repo.make(1), "patches/fixes/0003-more.patch alone: mm/memory.c, "
         "hunk #1 at line 38")


def fix_with_a_file_is_named(repo):
    add_fix(repo, memory_patch(40, "forty", 40))
    repo.write("lib/test.c", "ours\n")
    repo.add_to_manifest("file lib/test.c\n")
    says(repo.make(1), "patch fix: a fix brings one diff of patches/fixes/")


def mails_to_boot_are_listed(repo):
    add_fix(repo, memory_patch(40, "forty", 40, "mm: fix a line"))
    repo.write("series/manifest",
               (repo.top / "series/manifest").read_text().replace(
                   "lines kernel", "boot\nlines kernel"))
    repo.add_to_manifest("boot\n")
    repo.make()
    assert (repo.output / "boots").read_text() == \
        "fixes/0001-mm-fix-a-line.patch\nkho/0002-kho-rewrite.patch\n"


def patches_of_a_mail_are_one(repo):
    repo.write("patches/0002-more.patch", memory_patch(30, "thirty", 30))
    add_fix(repo, memory_patch(40, "forty", 40, "mm: fix a line"))
    repo.write("series/manifest", "mail parts\n" + MANIFEST.replace(
        "\npatch memory", "boot\nmail memory\npatch memory") +
        "patch fix\napply *-fix.patch\npatch more\napply *-more.patch\n")
    repo.write("series/memory.txt", "mm: change lines\n\nAt once.\n")
    repo.make()
    says(repo.mail(1), "[PATCH 1/2] kho: take apart", "our core", "our part")
    says(repo.mail(2), "[PATCH 2/2] mm: change lines", "+twenty", "+thirty")
    says(repo.mail(1, "fixes"), "+forty")
    says((repo.output / "boots").read_text(), "kho/0001-kho-take-apart.patch")


def diff_without_a_subject_is_named(repo):
    repo.write("patches/0001-memory.patch", "--- a/mm" + memory_patch(
        20, "twenty").partition("--- a/mm")[2])
    says(repo.make(1), "patches/0001-memory.patch has no line 'Subject:'")


def header_that_comes_later_is_named(repo):
    repo.write("kernel/part.c", "#include <linux/new.h>\n#include \"own.h\"\n")
    repo.write("include/linux/new.h", "ours\n")
    repo.write("kernel/own.h", "ours\n")
    repo.write("series/manifest", MANIFEST.replace(
        "file kernel/core.c", "file kernel/core.c kernel/own.h include/"))
    says(repo.make(1),
         "patch parts: kernel/part.c includes include/linux/new.h, which comes "
         "with patch core",
         "patch parts: kernel/part.c includes kernel/own.h, which comes")


def cover_letter_lists_no_files(repo):
    repo.make()
    says(repo.mail(0), " 4 files changed, ", "kho: take apart")
    assert "kernel/core.c |" not in repo.mail(0), repo.mail(0)


def forgotten_diff_is_named(repo):
    repo.write("patches/0002-more.patch", memory_patch(30, "thirty", 30))
    says(repo.make(1), "no patch applies patches/0002-more.patch")


def pattern_without_files_is_named(repo):
    repo.add_to_manifest("file arch/\n")
    says(repo.make(1), "file arch/ is not in the repository")


def unreadable_line_is_named(repo):
    repo.add_to_manifest("\nfrobnicate kernel/core.c\n")
    says(repo.make(1), "series/manifest:13: cannot read")


def every_failing_hunk_is_named(repo):
    second = memory_patch("YY", "fifty", 50).partition("+++ b/mm/memory.c\n")[2]
    repo.write("patches/0001-memory.patch",
               memory_patch("XX", "twenty") + second)
    says(repo.make(1),
         "patches/0001-memory.patch: mm/memory.c, hunk #1 at line 18",
         "patches/0001-memory.patch: mm/memory.c, hunk #2 at line 48",
         "does not apply to Linux 7.3.4", "2 places")
    assert not repo.output.exists()


def missing_target_is_named(repo):
    (repo.base / "mm/memory.c").unlink()
    says(repo.make(1), "patches/0001-memory.patch: there is no mm/memory.c")


def changes_that_get_lost_are_named(repo):
    shutil.copytree(repo.base, repo.top / "build/base")
    repo.write_base("kernel/core.c",
                    OLD_CORE.replace("return 0", "return 2"))
    says(repo.make(), "kernel/core.c: not the file that ours replaces",
         "kernel/core.c: lost @@ -17 +17 @@ int gone(struct thing *thing)")


def known_files_are_not_mentioned(repo):
    assert "not the file" not in repo.make()


def patch_without_changes_is_named(repo):
    repo.add_to_manifest("\npatch empty\n")
    repo.write("series/empty.txt", "kho: nothing\n\nAt all.\n")
    says(repo.make(1), "patch empty changes nothing")


def mode_comes_along(repo):
    os.chmod(repo.top / "kernel/part.c", 0o755)
    repo.make()
    says(repo.mail(1), "new file mode 100755")


def mails_make_the_end_state(repo):
    repo.make()
    mails_make_a_tree(repo, MEMORY.replace("\n20\n", "\ntwenty\n"))


def mails_make_a_tree(repo, memory):
    repo.git("init", "-q", str(repo.base))
    for args in (["add", "."], ["commit", "-q", "-m", "base"],
                 ["am", "-q", *sorted(map(str, repo.output.glob(
                     "*/000[1-9]-*.patch")))]):
        repo.git("-c", "user.name=x", "-c", "user.email=x@localhost", *args,
                 directory=repo.base)
    for path in ("kernel/core.c", "kernel/part.c", "kernel/Makefile"):
        assert (repo.base / path).read_bytes() == \
            (repo.top / path).read_bytes(), path
    assert (repo.base / "mm/memory.c").read_text() == memory


def cover_letter_has_figures_of_the_readme(repo):
    repo.write_readme({benchfigures.plain(65536, True):
                       {"stock": {"boot": 97.4}, "ours": {"boot": 0.05}}})
    repo.make()
    says(repo.mail(0), "Subject: [PATCH 0/3] kho: all of it", "On 7.3.4, see 3:",
         "Measured today. boot: 10^9 instructions, preserve and retrieve:\n",
         "\npages                 boot          preserve        retrieve\n"
         "                     stock    ours     stock  ours     stock  ours\n"
         "65,536 fragmented  97.4000  0.0500 ",
         "\ncall, 4 KiB pages, contiguous  stock  ours  ratio\n")


def readme_without_figures_is_named(repo):
    repo.write("README.md", benchfigures.BEGIN + benchfigures.END)
    says(repo.make(1), "README.md has 0 tables")


def cover_letter_has_results(repo):
    repo.write("build/results/complete-x86_64",
               "commit abc\n3 1 0 5 vm\nfailed: vm: x (for a reason)\n")
    repo.write("build/results/vm-by-hand.tap", "TAP version 13\nok 1 x\n1..1\n")
    repo.make()
    says(repo.mail(0), "x86_64, commit abc:\n  vm: 3 passed, 1 failed")
    if "by-hand" in repo.mail(0):
        raise AssertionError("the letter has a result of another run")


def cover_letter_without_results_says_so(repo):
    says(repo.make(), "no test results")
    says(repo.mail(0), "no results:")


TESTS = [
    file_comes_with_its_patch,
    lines_come_with_their_patch,
    lines_may_bring_those_that_follow,
    lines_that_match_nothing_are_named,
    declarations_come_with_their_patch,
    declaration_that_is_not_there_is_named,
    test_of_a_fix_is_listed,
    test_of_another_patch_is_named,
    cut_takes_comment_and_export_along,
    cut_of_an_unknown_name_is_named,
    bridge_lasts_until_the_file_comes,
    edit_of_our_own_file_is_refused,
    diff_brings_its_own_message,
    message_is_the_file,
    missing_message_is_named,
    forgotten_file_is_named,
    file_is_left_out,
    left_out_file_must_be_there,
    fix_is_mailed_first,
    fix_that_needs_another_is_named,
    fix_with_a_file_is_named,
    mails_to_boot_are_listed,
    patches_of_a_mail_are_one,
    diff_without_a_subject_is_named,
    header_that_comes_later_is_named,
    cover_letter_lists_no_files,
    forgotten_diff_is_named,
    pattern_without_files_is_named,
    unreadable_line_is_named,
    every_failing_hunk_is_named,
    missing_target_is_named,
    changes_that_get_lost_are_named,
    known_files_are_not_mentioned,
    patch_without_changes_is_named,
    mode_comes_along,
    mails_make_the_end_state,
    cover_letter_has_figures_of_the_readme,
    readme_without_figures_is_named,
    cover_letter_has_results,
    cover_letter_without_results_says_so,
]


def main():
    failed = 0
    print("TAP version 13")
    print(f"1..{len(TESTS)}")
    for number, test in enumerate(TESTS, 1):
        try:
            with tempfile.TemporaryDirectory(prefix="kho-") as directory:
                test(Repository(pathlib.Path(directory)))
        except Exception:
            failed += 1
            print("".join("# " + line + "\n" for line in
                          traceback.format_exc().splitlines()), end="")
            print(f"not ok {number} series.py: {test.__name__}")
        else:
            print(f"ok {number} series.py: {test.__name__}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

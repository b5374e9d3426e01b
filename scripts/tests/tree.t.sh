#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Tests of scripts/base.sh and scripts/tree.sh on a miniature kernel tree and a
# miniature repository. Prints TAP.
# shellcheck disable=SC2317 # the tests are called by their names
set -eu

scripts=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
repo=$work/repo
src=$work/src
linux=$repo/build/linux
messages=$work/messages

# kernel_tree DIR SUBLEVEL [EXTRAVERSION]
kernel_tree()
{
	mkdir -p "$1/kernel" "$1/mm" "$1/include/linux"
	printf 'VERSION = 7\nPATCHLEVEL = %s\nSUBLEVEL = %s\nEXTRAVERSION =%s\nNAME = x\n' \
		"${2%.*}" "${2#*.}" "${3:-}" >"$1/Makefile"
	echo 'base fork' >"$1/kernel/fork.c"
	seq 1 40 >"$1/mm/memory.c"
	echo 'old' >"$1/include/linux/old.h"
}

# fresh: a repository without files of its own, on a 7.3.4 tree
fresh()
{
	rm -rf "$repo" "$src"
	mkdir -p "$repo/scripts" "$repo/kernel" "$repo/patches"
	cp "$scripts/lib.sh" "$scripts/apt.sh" "$scripts/base.sh" \
		"$scripts/tree.sh" "$repo/scripts/"
	kernel_tree "$src" 3.4
}

tree()
{
	KERNEL_SRC=$src "$repo/scripts/tree.sh" >"$messages" 2>&1
}

# "!" would not count as a failure under "set -e"
refused()
{
	if tree; then
		return 1
	fi
}

# All files are made old, so that what the next run writes can be told.
age()
{
	find "$linux" -exec touch -d '2020-01-01' {} +
}

written()
{
	find "$linux" -type f -newermt '2021-01-01' | sed "s,^$linux/,," | sort
}

# line_patch FILE OLD NEW: a patch that changes line 20 of mm/memory.c
line_patch()
{
	cat >"$1" <<PATCH
--- a/mm/memory.c
+++ b/mm/memory.c
@@ -18,5 +18,5 @@
 18
 19
-$2
+$3
 21
 22
PATCH
}

says()
{
	grep -q "$1" "$messages" && [ "$(wc -l <"$messages")" -eq 1 ]
}

overlay_is_laid_over_the_base()
{
	fresh
	echo ours >"$repo/kernel/ours.c"
	tree
	[ "$(cat "$linux/kernel/ours.c")" = ours ]
	[ "$(cat "$linux/kernel/fork.c")" = 'base fork' ]
}

nothing_changed_writes_nothing()
{
	fresh
	echo ours >"$repo/kernel/ours.c"
	line_patch "$repo/patches/a.patch" 20 twenty
	tree
	age
	tree
	[ -z "$(written)" ]
}

edit_writes_one_file()
{
	fresh
	echo ours >"$repo/kernel/ours.c"
	echo other >"$repo/kernel/other.c"
	tree
	age
	echo edited >"$repo/kernel/ours.c"
	tree
	[ "$(written)" = kernel/ours.c ]
	[ "$(cat "$linux/kernel/ours.c")" = edited ]
}

vanished_file_is_removed()
{
	fresh
	mkdir "$repo/kernel/sub"
	echo ours >"$repo/kernel/sub/ours.c"
	tree
	rm -r "$repo/kernel/sub"
	tree
	[ ! -e "$linux/kernel/sub" ]
}

vanished_replacement_is_the_base_file_again()
{
	fresh
	echo ours >"$repo/kernel/fork.c"
	tree
	[ "$(cat "$linux/kernel/fork.c")" = ours ]
	age
	rm "$repo/kernel/fork.c"
	tree
	[ "$(cat "$linux/kernel/fork.c")" = 'base fork' ]
	[ "$(written)" = kernel/fork.c ]
}

patch_applies_and_is_taken_back()
{
	fresh
	line_patch "$repo/patches/a.patch" 20 twenty
	tree
	grep -qx twenty "$linux/mm/memory.c"
	grep -qx 20 "$repo/build/base/mm/memory.c"
	rm "$repo/patches/a.patch"
	tree
	cmp "$linux/mm/memory.c" "$src/mm/memory.c"
}

patches_apply_in_name_order()
{
	fresh
	line_patch "$repo/patches/2.patch" twenty zwanzig
	line_patch "$repo/patches/1.patch" 20 twenty
	tree
	grep -qx zwanzig "$linux/mm/memory.c"
}

patch_adds_and_removes_files()
{
	fresh
	cat >"$repo/patches/a.patch" <<-'PATCH'
	--- /dev/null
	+++ b/mm/new.c
	@@ -0,0 +1 @@
	+new
	--- a/include/linux/old.h
	+++ /dev/null
	@@ -1 +0,0 @@
	-old
	PATCH
	tree
	[ "$(cat "$linux/mm/new.c")" = new ]
	[ ! -e "$linux/include/linux/old.h" ]
	rm "$repo/patches/a.patch"
	tree
	[ ! -e "$linux/mm/new.c" ]
	[ "$(cat "$linux/include/linux/old.h")" = old ]
}

failing_patch_is_named_and_changes_nothing()
{
	fresh
	tree
	age
	line_patch "$repo/patches/bad.patch" 21 twenty
	echo ours >"$repo/kernel/ours.c"
	refused
	says 'patches/bad.patch does not apply to Linux 7.3.4: mm/memory.c, hunk #1 at line 18'
	[ -z "$(written)" ]
}

patch_to_a_missing_file_is_named()
{
	fresh
	line_patch "$repo/patches/bad.patch" 20 twenty
	rm "$src/mm/memory.c"
	refused
	grep -q 'patches/bad.patch does not apply to Linux 7.3.4: there is no mm/memory.c' \
		"$messages"
}

patch_to_a_repository_file_is_refused()
{
	fresh
	mkdir "$repo/mm"
	seq 1 40 >"$repo/mm/memory.c"
	line_patch "$repo/patches/a.patch" 20 twenty
	refused
	grep -q 'a.patch: mm/memory.c belongs to the repository' "$messages"
}

other_version_is_refused()
{
	fresh
	kernel_tree "$src" 2.9
	refused
	says "$src is Linux 7.2.9, a release 7.3.y is needed"
}

release_candidate_is_refused()
{
	fresh
	kernel_tree "$src" 3.0 ' -rc7'
	refused
	says "$src is Linux 7.3.0-rc7, a release 7.3.y is needed"
}

another_base_replaces_the_first()
{
	fresh
	echo ours >"$repo/kernel/ours.c"
	tree
	src=$work/src5
	kernel_tree "$src" 3.5
	echo 'newer fork' >"$src/kernel/fork.c"
	tree
	[ "$(cat "$repo/build/base.version")" = 7.3.5 ]
	[ "$(cat "$linux/kernel/fork.c")" = 'newer fork' ]
	[ "$(cat "$linux/kernel/ours.c")" = ours ]
}

base_is_a_copy_without_objects()
{
	fresh
	mkdir "$src/.git"
	echo object >"$src/kernel/fork.o"
	tree
	echo changed >"$src/kernel/fork.c"
	[ "$(cat "$repo/build/base/kernel/fork.c")" = 'base fork' ]
	[ ! -e "$repo/build/base/.git" ]
	[ ! -e "$repo/build/base/kernel/fork.o" ]
}

tests="overlay_is_laid_over_the_base
	nothing_changed_writes_nothing
	edit_writes_one_file
	vanished_file_is_removed
	vanished_replacement_is_the_base_file_again
	patch_applies_and_is_taken_back
	patches_apply_in_name_order
	patch_adds_and_removes_files
	failing_patch_is_named_and_changes_nothing
	patch_to_a_missing_file_is_named
	patch_to_a_repository_file_is_refused
	other_version_is_refused
	release_candidate_is_refused
	another_base_replaces_the_first
	base_is_a_copy_without_objects"

# run_test NAME, with "set -e" in force: as a condition it would be ignored
run_test()
{
	set +e
	(set -e; "$1")
	result=$?
	set -e
	number=$((number + 1))
	if [ "$result" -eq 0 ]; then
		echo "ok $number - $1"
		return
	fi
	sed 's/^/# /' "$messages"
	echo "not ok $number - $1"
	failed=1
}

failed=0
number=0
echo 'TAP version 13'
# shellcheck disable=SC2086 # a list of words
set -- $tests
echo "1..$#"
for name; do
	run_test "$name"
done
exit $failed

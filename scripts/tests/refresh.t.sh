#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Tests of scripts/refresh.py, and of what scripts/tree.sh does with edits in
# build/linux, on a miniature kernel tree and repository. Prints TAP.
# shellcheck disable=SC2317 # the tests are called by their names
set -eu

scripts=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
repo=$work/repo
src=$work/src
linux=$repo/build/linux
messages=$work/messages

# fresh: two diffs of mm/memory.c, at lines 20 and 60, and a file of our own
fresh()
{
	rm -rf "$repo" "$src"
	mkdir -p "$repo/scripts" "$repo/kernel" "$repo/patches/fixes" \
		"$src/mm" "$src/kernel"
	for file in lib.sh apt.sh base.sh tree.sh refresh.py series.py tapsum.py \
		benchfigures.py; do
		cp "$scripts/$file" "$repo/scripts/"
	done
	printf 'VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\nEXTRAVERSION =\nNAME = x\n' \
		>"$src/Makefile"
	seq 1 80 >"$src/mm/memory.c"
	echo base >"$src/mm/slab.c"
	echo ours >"$repo/kernel/ours.c"
	line_patch fixes/0002-fix 20 twenty
	line_patch 0001-more 60 sixty
	tree
}

# line_patch NAME LINE NEW
line_patch()
{
	cat >"$repo/patches/$1.patch" <<-PATCH
	From: Somebody <else@localhost>
	Subject: [PATCH] mm: change line $2

	Because of $3.
	---
	diff --git a/mm/memory.c b/mm/memory.c
	--- a/mm/memory.c
	+++ b/mm/memory.c
	@@ -$(($2 - 2)),5 +$(($2 - 2)),5 @@
	 $(($2 - 2))
	 $(($2 - 1))
	-$2
	+$3
	 $(($2 + 1))
	 $(($2 + 2))
	PATCH
}

tree()
{
	KERNEL_SRC=$src "$repo/scripts/tree.sh" "$@" >"$messages" 2>&1
}

# "!" would not count as a failure under "set -e"
refused()
{
	if tree; then
		return 1
	fi
}

refresh()
{
	KERNEL_SRC=$src python3 -B "$repo/scripts/refresh.py" "$@" >"$messages" 2>&1
}

undecided()
{
	if refresh; then
		return 1
	fi
}

# edit FILE OLD NEW: a line in build/linux
edit()
{
	sed -i "s/^$2\$/$3/" "$linux/$1"
}

says()
{
	grep -q -- "$1" "$messages" && [ "$(wc -l <"$messages")" -eq 1 ]
}

# What the repository makes is what stands in build/linux
is_back()
{
	cp -r "$linux" "$work/edited"
	tree
	diff -r "$work/edited" "$linux" >>"$messages"
	rm -r "$work/edited"
}

edit_of_our_file_stops_the_build()
{
	fresh
	edit kernel/ours.c ours better
	refused
	says "build/linux/kernel/ours.c was edited: 'make refresh' brings that"
	[ "$(cat "$linux/kernel/ours.c")" = better ]
}

edit_of_a_patched_file_stops_the_build()
{
	fresh
	edit mm/memory.c twenty XX
	line_patch 0001-more 60 LX
	refused
	says 'build/linux/mm/memory.c was edited'
	grep -qx sixty "$linux/mm/memory.c"
}

edit_of_a_base_file_stops_the_build()
{
	fresh
	edit mm/slab.c base better
	refused
	says 'build/linux/mm/slab.c was edited'
}

new_source_stops_the_build()
{
	fresh
	echo new >"$linux/mm/new.c"
	refused
	says 'build/linux/mm/new.c was edited'
}

what_tools_leave_behind_is_no_edit()
{
	fresh
	mkdir "$linux/mm/__pycache__"
	touch "$linux/mm/__pycache__/x.pyc" "$linux/mm/memory.o" \
		"$linux/.checkpatch-camelcase.git" "$linux/mm/memory.c"
	tree
	[ ! -s "$messages" ]
}

same_edit_in_both_places_is_none()
{
	fresh
	edit kernel/ours.c ours better
	echo better >"$repo/kernel/ours.c"
	tree
}

interrupted_run_is_no_edit()
{
	fresh
	echo better >"$repo/kernel/ours.c"
	cp "$repo/build/linux.sums" "$work/sums"
	tree
	cat "$work/sums" >>"$repo/build/linux.sums"
	echo best >"$repo/kernel/ours.c"
	tree
	[ "$(cat "$linux/kernel/ours.c")" = best ]
}

discard_drops_edits()
{
	fresh
	edit kernel/ours.c ours better
	edit mm/memory.c twenty XX
	edit mm/slab.c base better
	echo new >"$linux/mm/new.c"
	tree discard build/linux/kernel/ours.c mm/memory.c mm/slab.c mm/new.c
	[ "$(cat "$linux/kernel/ours.c")" = ours ]
	grep -qx twenty "$linux/mm/memory.c"
	[ "$(cat "$linux/mm/slab.c")" = base ]
	[ ! -e "$linux/mm/new.c" ]
}

our_file_is_copied_back()
{
	fresh
	edit kernel/ours.c ours better
	echo new >"$linux/kernel/new.c"
	refresh
	[ "$(cat "$repo/kernel/ours.c")" = better ]
	[ "$(cat "$repo/kernel/new.c")" = new ]
	is_back
}

edit_goes_into_the_diff_that_brought_the_line()
{
	fresh
	edit mm/memory.c twenty XX
	refresh
	says 'wrote patches/fixes/0002-fix.patch'
	grep -qx '+XX' "$repo/patches/fixes/0002-fix.patch"
	grep -qx 'Because of twenty.' "$repo/patches/fixes/0002-fix.patch"
	is_back
	edit mm/memory.c sixty LX
	refresh
	says 'wrote patches/0001-more.patch'
	is_back
}

line_beside_one_goes_with_it()
{
	fresh
	edit mm/memory.c sixty 'sixty\nsixty-one'
	refresh
	grep -qx '+sixty-one' "$repo/patches/0001-more.patch"
	is_back
}

choice_is_left_to_the_user()
{
	fresh
	edit mm/memory.c 40 forty
	undecided
	says 'mm/memory.c: the edit could belong to 0002-fix.patch, 0001-more.patch; '
	refused
	refresh 0001
	grep -qx '+forty' "$repo/patches/0001-more.patch"
	is_back
}

edit_in_two_diffs_is_undecided()
{
	fresh
	edit mm/memory.c twenty XX
	edit mm/memory.c sixty LX
	undecided
	says 'could belong to 0001-more.patch, 0002-fix.patch'
}

diffs_after_it_are_adapted()
{
	fresh
	line_patch 0003-again 22 twenty-two
	sed -i 's/^ 20$/ twenty/' "$repo/patches/0003-again.patch"
	tree
	edit mm/memory.c twenty XX
	refresh
	grep -qx ' XX' "$repo/patches/0003-again.patch"
	is_back
}

new_diff_is_named_by_the_user()
{
	fresh
	edit mm/slab.c base better
	undecided
	says 'mm/slab.c: the edit could belong to a new diff'
	refresh 0004-mm-make-it-better
	grep -qx 'Subject: \[PATCH\] mm make it better' \
		"$repo/patches/0004-mm-make-it-better.patch"
	is_back
}

file_joins_a_diff()
{
	fresh
	edit mm/slab.c base better
	refresh 0001
	grep -qx '+++ b/mm/slab.c' "$repo/patches/0001-more.patch"
	grep -qx '+sixty' "$repo/patches/0001-more.patch"
	is_back
}

nothing_edited_says_so()
{
	fresh
	refresh
	says 'nothing was edited'
}

tests=$(sed -n 's/^\([a-z_]*\)()$/\1/p' "$0" | sed '1,/^is_back$/d; /^run_test$/,$d')

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

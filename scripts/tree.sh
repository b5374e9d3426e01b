#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# tree.sh [edited | discard FILE...]
#
# Makes build/linux: the base tree, with this repository's files laid over it, and
# patches/fixes/*.patch and then patches/*.patch applied to the base's files.
#
# Everything that differs from the base is composed in build/stage first. Only
# files that changed are then written to build/linux, with a new time, so that
# kbuild rebuilds just what depends on them. build/linux.manifest lists the
# paths that are not the base's, to find those that go back to it.
#
# A file that somebody has edited in build/linux is not overwritten: this script
# stops and names it. build/linux.sums has the checksums of what was written there,
# and the time of build/linux.stamp tells which files of the base may have changed
# since. "edited" only prints the paths of such files, "discard" drops the edits
# first.
set -eu
. "$(dirname "$0")/lib.sh"

base=$build/base
linux=$build/linux
stage=$build/stage
manifest=$build/linux.manifest
sums=$build/linux.sums
stamp=$build/linux.stamp

case ${1:-} in
''|edited|discard)	;;
*)	die "usage: tree.sh [edited | discard FILE...]" ;;
esac
"$top/scripts/base.sh"
need rsync rsync patch patch
lock tree
release=$(cat "$build/base.version")

# Paths that a git-style patch adds, changes or removes.
patched_paths()
{
	awk '/^--- / || /^\+\+\+ / {
		if ($2 != "/dev/null" && sub(/^[ab]\//, "", $2))
			print $2
	}' "$1" | sort -u
}

# The base's file, unless an earlier patch has changed or made it.
stage_target()
{
	[ ! -e "$top/$2" ] ||
		die "$1: $2 belongs to the repository, edit it there"
	[ ! -e "$stage/$2" ] || return 0
	mkdir -p "$stage/$(dirname "$2")"
	if [ -e "$base/$2" ]; then
		cp -p "$base/$2" "$stage/$2"
	elif grep -q "^--- a/$2" "$top/$1"; then
		die "$1 does not apply to Linux $release: there is no $2"
	fi
}

apply_patch()
{
	name=${1#"$top/"}
	for path in $(patched_paths "$1"); do
		stage_target "$name" "$path"
	done
	patch -d "$stage" -p1 -F0 -N -E -r - --no-backup-if-mismatch -i "$1" \
		>"$logs/patch.log" 2>&1 && return
	failed=$(awk '
		/^(checking|patching) file / { file = $3 }
		/^Hunk #[0-9]+ (FAILED|ignored)/ {
			at = $NF
			sub(/\.$/, "", at)
			print file ", hunk " $2 " at line " at
			exit
		}' "$logs/patch.log")
	die "$name does not apply to Linux $release:" \
		"${failed:-$(tail -n 1 "$logs/patch.log")}"
}

compose_stage()
{
	rm -rf "$stage"
	mkdir -p "$stage"
	for dir in kernel include lib mm arch tools Documentation; do
		[ ! -d "$top/$dir" ] || rsync -a --exclude=__pycache__ \
			--exclude='*~' --exclude='.*.swp' \
			--filter=':- .gitignore' "$top/$dir" "$stage/"
	done
	for file in "$top"/patches/fixes/*.patch "$top"/patches/*.patch; do
		[ ! -e "$file" ] || apply_patch "$file"
	done
}

# A path that was listed and is in the stage no more: removed by a patch, or the
# base's again.
restore_path()
{
	if grep -qxF "$1" "$stage.removed" || [ ! -e "$base/$1" ]; then
		rm -f "$linux/$1"
		(cd "$linux" && rmdir -p "$(dirname "$1")" 2>/dev/null) || :
		return
	fi
	cmp -s "$base/$1" "$linux/$1" && return
	mkdir -p "$linux/$(dirname "$1")"
	cp "$base/$1" "$linux/$1.new"
	mv "$linux/$1.new" "$linux/$1"
}

list_removed()
{
	for file in "$top"/patches/fixes/*.patch "$top"/patches/*.patch; do
		[ -e "$file" ] || continue
		for path in $(patched_paths "$file"); do
			[ -e "$stage/$path" ] || echo "$path"
		done
	done
}

# Files that were written here and have other contents now; one that is gone has
# none. An interrupted run leaves the sums of what it meant to write, too.
edited_files()
{
	cut -d ' ' -f 3- "$sums" | sort -u |
	(cd "$linux" && xargs -d '\n' sha1sum 2>/dev/null) |
	grep -vxFf "$sums" | cut -d ' ' -f 3-
}

# Files of the base that have changed, and sources that are new. Others are what
# tools leave behind.
edited_base_files()
{
	find "$linux" -name .git -prune -o -type f -newer "$stamp" -print |
	sed "s,^$linux/,," | grep -vxFf "$manifest" | while read -r path; do
		if [ -e "$base/$path" ]; then
			cmp -s "$base/$path" "$linux/$path" || echo "$path"
			continue
		fi
		case $path in
		*.mod.c)	;;
		*.[chS]|*.rst|*/Makefile|*/Kconfig)	echo "$path" ;;
		esac
	done
}

list_edited()
{
	[ ! -e "$sums" ] || { edited_files; edited_base_files; }
}

# discard PATH...: what is written here is written again below, the base is not
discard()
{
	for path; do
		path=${path#build/linux/}
		[ -e "$linux/$path" ] || die "there is no build/linux/$path"
		rm "$linux/$path"
		[ ! -e "$base/$path" ] || grep -qxF "$path" "$manifest" ||
			cp "$base/$path" "$linux/$path"
	done
}

# What is going to be written there anyway is no edit
refuse_to_overwrite()
{
	list_edited >"$stage.edited"
	while read -r path; do
		kept=$stage/$path
		[ -e "$kept" ] || kept=$base/$path
		cmp -s "$kept" "$linux/$path" || die "build/linux/$path was edited:" \
			"'make refresh' brings that into the repository," \
			"'make tree DISCARD=$path' drops it"
	done <"$stage.edited"
}

# Edits of the next second are newer
record_written()
{
	(cd "$stage" && find . -type f -exec sha1sum {} +) | sed 's,  \./,  ,' >"$sums"
	touch -d '1 second ago' "$stamp"
}

if [ "${1:-}" = edited ]; then
	list_edited
	exit
elif [ $# -gt 0 ]; then
	shift
	discard "$@"
fi

if ! cmp -s "$build/base.source" "$build/linux.source"; then
	say "copying the base tree to $linux"
	rm -rf "$linux" "$linux.new" "$manifest" "$build/linux.source" "$sums"
	cp -a "$base/." "$linux.new"
	mv "$linux.new" "$linux"
	cp "$build/base.source" "$build/linux.source"
	: >"$manifest"
fi

compose_stage
refuse_to_overwrite
list_removed | sort -u >"$stage.removed"
{
	(cd "$stage" && find . -type f -o -type l) | sed 's,^\./,,'
	cat "$stage.removed"
} | sort -u >"$stage.list"

# While files change the manifest is the union of old and new, so that the next
# run can finish what is interrupted here.
sort -u "$manifest" "$stage.list" >"$manifest.new"
mv "$manifest.new" "$manifest"
[ ! -e "$sums" ] || cp "$sums" "$sums.old"
record_written
[ ! -e "$sums.old" ] || cat "$sums.old" >>"$sums"
rsync -rlpc "$stage/" "$linux/"
while read -r path; do
	[ -e "$stage/$path" ] || restore_path "$path"
done <"$manifest"
mv "$stage.list" "$manifest"
record_written
rm -f "$sums.old"

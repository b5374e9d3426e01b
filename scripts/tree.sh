#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Makes build/linux: the base tree, with this repository's files laid over it, and
# patches/fixes/*.patch and then patches/*.patch applied to the base's files.
#
# Everything that differs from the base is composed in build/stage first. Only
# files that changed are then written to build/linux, with a new time, so that
# kbuild rebuilds just what depends on them. build/linux.manifest lists the
# paths that are not the base's, to find those that go back to it.
set -eu
. "$(dirname "$0")/lib.sh"

base=$build/base
linux=$build/linux
stage=$build/stage
manifest=$build/linux.manifest

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
	for dir in kernel include lib arch tools Documentation; do
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

if ! cmp -s "$build/base.source" "$build/linux.source"; then
	say "copying the base tree to $linux"
	rm -rf "$linux" "$linux.new" "$manifest" "$build/linux.source"
	cp -a "$base/." "$linux.new"
	mv "$linux.new" "$linux"
	cp "$build/base.source" "$build/linux.source"
	: >"$manifest"
fi

compose_stage
list_removed | sort -u >"$stage.removed"
{
	(cd "$stage" && find . -type f -o -type l) | sed 's,^\./,,'
	cat "$stage.removed"
} | sort -u >"$stage.list"

# While files change the manifest is the union of old and new, so that the next
# run can finish what is interrupted here.
sort -u "$manifest" "$stage.list" >"$manifest.new"
mv "$manifest.new" "$manifest"
rsync -rlpc "$stage/" "$linux/"
while read -r path; do
	[ -e "$stage/$path" ] || restore_path "$path"
done <"$manifest"
mv "$stage.list" "$manifest"

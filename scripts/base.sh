#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Puts a pristine Linux 7.3.y source tree into build/base and its release into
# build/base.version. It comes from Debian's linux-source-7.3, see apt.sh, or as a
# copy of KERNEL_SRC. Once there it is kept, until KERNEL_SRC names another
# directory or build/base.source is deleted.
set -eu
. "$(dirname "$0")/lib.sh"
. "$top/scripts/apt.sh"

series=7.3
package=linux-source-$series
unpack=$build/base.unpack

unpack_package()
{
	open_archive $package
	version=$(newest_version $package)
	[ -n "$version" ] || [ "$updated" = yes ] ||
		die "cannot read $mirror: $(apt_error)"
	[ -n "$version" ] || die "$mirror offers no release of $package," \
		"give a tree with KERNEL_SRC=dir"
	download $package "$version" all
	rm -rf "$apt/files"
	dpkg-deb -x "$deb" "$apt/files" 2>"$logs/base-unpack.log" ||
		die "corrupted package, removed: $(discard_package)"
	say "unpacking $package $version"
	tar -C "$unpack" --strip-components=1 -xJf \
		"$apt/files/usr/src/$package.tar.xz" 2>>"$logs/base-unpack.log" ||
		die "corrupted package, removed: $(discard_package)"
	rm -rf "$apt/files"
}

discard_package()
{
	rm -rf "$deb" "$apt/files"
	echo "$deb ($(tail -n 1 "$logs/base-unpack.log"))"
}

# A copy, because build/base must stay pristine whatever happens to the
# directory. Artefacts of a build in it would disturb ours and are cleaned out
# of the copy.
copy_directory()
{
	say "copying $KERNEL_SRC"
	need rsync rsync
	rsync -a --exclude=/.git --exclude='*.o' "$KERNEL_SRC/" "$unpack/"
	if [ -e "$unpack/.config" ] || [ -e "$unpack/include/config" ]; then
		run_logged "make mrproper in the copy" base-mrproper.log \
			make -C "$unpack" mrproper
	fi
}

# release_of DIR: "7.3.4", or with the suffix of a release candidate.
release_of()
{
	awk -F' *= *' '
		/^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION) *=/ { v[$1] = $2 }
		v["EXTRAVERSION"] != "" { exit }
		/^NAME *=/ { exit }
		END {
			print v["VERSION"] "." v["PATCHLEVEL"] \
				"." v["SUBLEVEL"] v["EXTRAVERSION"]
		}' "$1/Makefile"
}

check_release()
{
	if [ ! -f "$1/Makefile" ] || [ ! -d "$1/kernel" ]; then
		die "$2 is not a Linux source tree"
	fi
	release=$(release_of "$1")
	case $release in
	"$series".*[!0-9.]*) ;;
	"$series".[0-9]*) return ;;
	esac
	die "$2 is Linux $release, a release $series.y is needed"
}

if [ -n "${KERNEL_SRC:-}" ]; then
	[ -d "$KERNEL_SRC" ] || die "KERNEL_SRC=$KERNEL_SRC is not a directory"
	KERNEL_SRC=$(cd "$KERNEL_SRC" && pwd)
	source="directory $KERNEL_SRC"
	check_release "$KERNEL_SRC" "$KERNEL_SRC"
else
	source="package $package"
fi

lock base
if [ -d "$build/base" ] && [ -f "$build/base.source" ]; then
	[ -n "${KERNEL_SRC:-}" ] || exit 0
	[ "$(head -n 1 "$build/base.source")" != "$source" ] || exit 0
fi

rm -rf "$unpack"
mkdir -p "$unpack"
if [ -n "${KERNEL_SRC:-}" ]; then
	copy_directory
else
	unpack_package
fi
check_release "$unpack" "${KERNEL_SRC:-$package ${version:-}}"

# base.source goes first and comes back last: whoever is interrupted here
# starts over. Its date tells the users of build/base that the tree is another.
rm -f "$build/base.source"
rm -rf "$build/base.old"
[ ! -e "$build/base" ] || mv "$build/base" "$build/base.old"
mv "$unpack" "$build/base"
echo "$release" >"$build/base.version"
printf '%s\n%s\n' "$source" "$(date +%s)" >"$build/base.source"
rm -rf "$build/base.old"
say "Linux $release is in $build/base"

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# series.sh: make series. The patches go to build/series/fixes and build/series/kho;
# they are for build/base, or for the tree in KERNEL_SRC, which is only read.
# KERNEL_SRC=newest is the newest kernel source in Debian's archive, be it 7.3.y or
# beyond.
set -eu
. "$(dirname "$0")/lib.sh"
. "$top/scripts/apt.sh"

newest=$build/newest

fetch_newest()
{
	open_archive 'the newest kernel source'
	package=$(private_apt apt-cache search --names-only '^linux-source-[0-9.]+$' |
		awk '{ print $1 }' | sort -rV | head -n 1)
	[ -n "$package" ] || die "$mirror offers no kernel source"
	version=$(versions "$package" | head -n 1)
	[ "$(cat "$newest/version" 2>/dev/null)" != "$package $version" ] || return 0
	download "$package" "$version" all
	say "unpacking $package $version"
	rm -rf "$newest"
	mkdir -p "$newest/linux"
	dpkg-deb --fsys-tarfile "$deb" |
		tar -xOf - "./usr/src/$package.tar.xz" |
		tar -C "$newest/linux" --strip-components=1 -xJf -
	echo "$package $version" >"$newest/version"
	rm -f "$deb"
}

lock series
need git git patch patch diff diffutils python3 python3
base=${KERNEL_SRC:-$build/base}
if [ "$base" = newest ]; then
	fetch_newest
	base=$newest/linux
elif [ -z "${KERNEL_SRC:-}" ]; then
	"$top/scripts/base.sh"
fi
[ -d "$base" ] || die "KERNEL_SRC=$base is not a directory"
exec "$top/scripts/series.py" "$base" "$build/series"

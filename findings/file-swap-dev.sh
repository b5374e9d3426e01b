#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# file 5.44 (Debian 12): "swap_dev 0XD" of a kernel is its size.
#
# file(1) prints a swap device for every x86 kernel of more than a MiB. No kernel has
# one: the boot protocol dropped that field long ago. file reads the two bytes at
# offset 502 of the image, which are the upper half of the field syssize at 500 now,
# the size of the protected-mode code in units of 16 bytes. So the "device" is the
# number of whole MiB of the kernel, and changes with each build.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# get PACKAGE=VERSION...: from Debian 12, into this folder, without installing
get()
{
	apt-get -qq download "$@" >apt.log 2>&1 || {
		apt-get -qq update >apt.log 2>&1
		apt-get -qq download "$@" >apt.log 2>&1
	} || { cat apt.log; echo "cannot be tried: no $*"; exit 2; }
	for package in ./*.deb; do
		dpkg -x "$package" .
	done
	rm ./*.deb
	LD_LIBRARY_PATH=$work/usr/lib/x86_64-linux-gnu:$work/lib/x86_64-linux-gnu
	PATH=$work/usr/bin:$work/bin:$work/sbin:$work/usr/sbin:$PATH
	export LD_LIBRARY_PATH PATH
}

# expect WHAT EXPECTED SEEN
expect()
{
	echo "$1: $3"
	[ "$2" = "$3" ] || { echo "changed, it was: $2"; exit 1; }
}

get linux-image-6.1.0-50-cloud-amd64=6.1.176-1 file=1:5.44-3 libmagic1=1:5.44-3 \
	libmagic-mgc=1:5.44-3
image=$(echo boot/vmlinuz-*)

syssize=$(od -An -t u4 -j 500 -N 4 "$image")
mib=$((syssize * 16 >> 20))
expect 'MiB of protected-mode code' 13 "$mib"
expect 'file says' "swap_dev $(printf '0X%X' "$mib")" \
	"$(file -m usr/lib/file/magic.mgc "$image" | grep -o 'swap_dev 0X[0-9A-F]*')"

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# gzip 1.12, bzip2 1.0.8, xz 5.4.1, zstd 1.5.4, lz4 1.9.4, lzop 1.04 (Debian 12): what
# they make of the compressed kernel in an image.
#
# The kernel's build appends the size of the kernel, four bytes, to what these programs
# wrote. All six then decompress all of it, byte for byte; but the exit status is 0 for
# bzip2, 2 (a warning) for gzip and lzop, 1 for xz and zstd, 53 for lz4, and the last
# three report a read error or corrupt data. "xz -l" and "zstd -l" do not recognize the
# file at all. So neither status nor messages tell a complete kernel from a damaged one:
# cut the size off first.
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

get gzip=1.12-1 bzip2=1.0.8-5+b1 xz-utils=5.4.1-1+deb12u1 liblzma5=5.4.1-1+deb12u1 \
	zstd=1.5.4+dfsg2-5 lz4=1.9.4-1 lzop=1.04-2

# 300,000 bytes that compress, as a kernel would; the size is 0x000493e0
seq 1 60000 | head -c 300000 >kernel

# payload NAME COMMAND...: with the options that the kernel's Makefile.lib uses
payload()
{
	name=$1
	shift
	"$@" <kernel >"$name" 2>errors
	printf '\340\223\004\000' >>"$name"
}

# unpack NAME COMMAND...: status, and whether everything is there
unpack()
{
	name=$1
	shift
	status=0
	"$@" -dc <"$name" >unpacked 2>errors || status=$?
	cmp -s kernel unpacked && echo "$status, complete" || echo "$status, not complete"
}

payload gzip gzip -n -f -9
payload bzip2 bzip2 -9
payload xz xz --check=crc32 --x86 --lzma2=dict=32MiB
payload zstd zstd -q -22 --ultra
payload lz4 lz4 -l -9 - -
payload lzop lzop -9

expect bzip2 '0, complete' "$(unpack bzip2 bzip2)"
expect gzip '2, complete' "$(unpack gzip gzip)"
expect lzop '2, complete' "$(unpack lzop lzop)"
expect xz '1, complete' "$(unpack xz xz)"
expect zstd '1, complete' "$(unpack zstd zstd)"
expect lz4 '53, complete' "$(unpack lz4 lz4)"
mv zstd kernel.zst
expect 'zstd -l' 'File "kernel.zst" not compressed by zstd' \
	"$(zstd -l kernel.zst 2>/dev/null | sed -n '/^File/s/ *$//p')"

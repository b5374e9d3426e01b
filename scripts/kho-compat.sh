#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kho-compat.sh [test]: builds build/kho-compat/kho-compat; needs no kernel tree.
# With test, builds it with sanitizers, runs its tests, also without the libraries
# that unpack images and on images from Debian's packages where they can be had, and
# then fuzzes its reader of images for a minute. TAP.
set -eu
. "$(dirname "$0")/lib.sh"

source=$top/tools/kho
out=$build/kho-compat
fuzz_seconds=60

# build_in DIRECTORY MAKE_ARGUMENT...
build_in()
{
	dir=$1
	shift
	mkdir -p "$dir"
	run_logged "building kho-compat" kho-compat.log \
		make -C "$source" OUTPUT="$dir/" "$@"
}

# What unpacks images; kho-compat can be built without
need_unpackers()
{
	need /usr/include/zlib.h zlib1g-dev /usr/include/lzma.h liblzma-dev \
		/usr/include/zstd.h libzstd-dev /usr/include/lz4frame.h liblz4-dev \
		/usr/include/lzo/lzo1x.h liblzo2-dev /usr/include/bzlib.h libbz2-dev
}

need make make gcc gcc /usr/include/stdio.h libc6-dev
(need_unpackers) || say "some images cannot be unpacked then"
lock kho-compat
case ${1-} in
'')
	build_in "$out"
	say "built $out/kho-compat"
	exit
	;;
test)
	;;
*)
	die "unknown argument: '$1', expected test or none"
	;;
esac

need python3 python3
(need zstd zstd lz4 lz4 lzop lzop) || say "no tests of what these pack"
need_libfuzzer
build_in "$out/test" CC=clang all "$out/test/fuzz-image" \
	CFLAGS='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all'

build_in "$out/bare" WITHOUT="zlib lzma zstd lz4 lzo bzip2"
build_in "$out"

# What could not be fetched in time is skipped, and fetched by the next run
timeout 120 "$top/scripts/kho-images.sh" || say "not all images could be fetched"

status=0
"$source/tests/kho-compat.t.py" "$out/test/kho-compat" || status=$?
"$source/tests/real-images.t.py" "$out/kho-compat" "$build/images" "$out/bare/kho-compat" ||
	status=$?
"$source/tests/kho-guest.t.py" || status=$?
"$source/tests/fuzz.py" "$out/test/fuzz-image" "$out/fuzz" $fuzz_seconds ||
	status=$?
exit $status

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kho-compat.sh [test]: builds build/kho-compat/kho-compat; needs no kernel tree.
# With test, builds it with sanitizers, runs its tests, and then fuzzes its
# reader of images for a minute. TAP.
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

need make make gcc gcc /usr/include/stdio.h libc6-dev
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
need_libfuzzer
build_in "$out/test" CC=clang all "$out/test/fuzz-image" \
	CFLAGS='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all'

status=0
"$source/tests/kho-compat.t.py" "$out/test/kho-compat" || status=$?
"$source/tests/fuzz.py" "$out/test/fuzz-image" "$out/fuzz" $fuzz_seconds ||
	status=$?
exit $status

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# userspace.sh test: builds tools/testing/kho with the sanitizers and runs the
# unit tests. TAP.
set -eu
. "$(dirname "$0")/lib.sh"

out=$build/userspace

# build_programs DIR [MAKE_ARGUMENT...]
build_programs()
{
	dir=$1
	shift
	run_logged "building the components for userspace" userspace.log \
		make -C "$build/linux/tools/testing/kho" OUTPUT="$dir" \
		-j "${JOBS:-$(nproc)}" "$@" || exit 1
}

"$top/scripts/tree.sh"
need clang clang
need "$(clang -print-resource-dir)/lib/linux/libclang_rt.fuzzer-$(uname -m).a" \
	libclang-rt-dev
lock userspace

case ${1:-} in
test)
	build_programs "$out"
	exec "$out/unit"
	;;
*)
	die "what to do is '${1:-}', expected test"
	;;
esac

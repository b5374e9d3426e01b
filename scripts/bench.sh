#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# bench.sh [--readme|--processors]: make bench. In the environment QUICK=1 for a part of it;
# BEFORE=DIR, a worktree of an earlier commit, to measure that one's kernel, too.
#
# Builds a stock kernel and ours, alike, each with the module that times calls,
# and has bench.py measure them. --readme measures nothing: it takes the table
# and the plot of the last run into the documentation. --processors has ours alone
# take over memory in machines of one processor and of several, and times it.
set -eu
. "$(dirname "$0")/lib.sh"
. "$top/scripts/kbuild.sh"

# Cycles of QEMU's PC are what is counted.
arch=x86_64
nodefer=$top/scripts/configs/bench-nodefer.config

# build TREE [FRAGMENT]: the kernel and, in its directory, bench/kho_bench.ko
build()
{
	tree=$1
	shift
	image=$("$top/scripts/kernel.sh" "$tree" $arch bench "$@") || exit 1
	out=$(dirname "$image")
	name=$(basename "$out")
	release_suffix=-$tree
	case $tree in
	ours)	source=$build/linux ;;
	stock)	source=$build/stock/linux ;;
	esac
	lock "kernel-$name"
	mkdir -p "$out/bench"
	run_logged "the module for $name" "$name-bench.log" kmake modules \
		M="$top/tools/testing/selftests/kho/bench" MO="$out/bench" ||
		exit 1
}

need python3 python3 gnuplot gnuplot-nox
case ${1-} in
'')	;;
--readme) exec "$top/scripts/bench.py" --readme ;;
--processors) ;;
*)	die "'$1' is not known, only --readme and --processors" ;;
esac
[ "${ARCH:-$arch}" = $arch ] || die "ARCH is '$ARCH', only $arch is measured"
need_build_tools

if [ $# != 0 ]; then
	build ours
	exec "$top/scripts/bench.py" "$@"
fi

for tree in stock ours; do
	build "$tree"
	[ "${QUICK:-0}" != 0 ] || build "$tree" "$nodefer"
done
if [ "${QUICK:-0}" != 0 ]; then
	set -- --quick
fi
if [ "${BEFORE:-}" ]; then
	image=$("$BEFORE/scripts/kernel.sh" ours $arch bench) || exit 1
	set -- "$@" --before "$(git -C "$BEFORE" rev-parse --short HEAD)" \
		"$(dirname "$image")"
fi
exec "$top/scripts/bench.py" "$@"

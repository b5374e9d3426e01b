#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# memblock.sh: builds the memblock simulator of the base tree with our changes
# to mm/memblock.c and runs its tests, ours among them, without and with NUMA.
# Prints TAP; exit status 1 if it did not build or a test failed.
set -eu
. "$(dirname "$0")/lib.sh"

"$top/scripts/tree.sh"
need gcc gcc make make /usr/include/stdio.h libc6-dev
need /usr/share/doc/liburcu-dev liburcu-dev
simulator=$build/linux/tools/testing/memblock
log=$logs/memblock.log
lock memblock
count=0
failed=0

# The simulator's lines lack a plan, and an assertion ends it.
run_tests()
{
	"$simulator/main" -v >>"$log" 2>&1 && status=0 || status=$?
	sed -n "s/^ok [0-9]* : //p" "$log" >"$log.passed"
	while read -r name; do
		count=$((count + 1))
		echo "ok $count $1: $name"
	done <"$log.passed"
	[ "$status" != 0 ] || return 0
	count=$((count + 1))
	failed=1
	echo "not ok $count $1: $(tail -n 1 "$log")"
}

for numa in '' NUMA=1; do
	if ! make -s -C "$simulator" clean >"$log" 2>&1 ||
	   ! make -s -C "$simulator" $numa >>"$log" 2>&1; then
		die "the memblock simulator did not build, see $log:" \
			"$(grep -m 1 -i error "$log")"
	fi
	run_tests "${numa:-one node}"
done
make -s -C "$simulator" clean
echo "1..$count"
exit $failed

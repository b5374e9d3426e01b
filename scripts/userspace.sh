#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# userspace.sh test
#	Builds tools/testing/kho with the sanitizers, runs the unit tests, once
#	more with the newest versions written, then each fuzzer on all inputs that
#	have ever been a finding and for a few seconds from the seeds. TAP.
# userspace.sh fuzz SECONDS [READER...]
#	Runs the fuzzers, or those of the readers named, each so long, and prints
#	a table. What they learn stays in build/fuzz/READER/corpus, findings in
#	.../findings.
# userspace.sh coverage [SECONDS]
#	Runs the unit tests, and the fuzzers each so long after what they know,
#	and names every line of the files under test that was never run.
set -eu
. "$(dirname "$0")/lib.sh"

out=$build/userspace
fuzz=$build/fuzz
regressions=$top/tools/testing/kho/regressions
smoke_seconds=3

usage()
{
	die "expected: test, fuzz SECONDS [READER...], or coverage [SECONDS]"
}

# build_programs [MAKE_ARGUMENT...]
build_programs()
{
	run_logged "building the components for userspace" userspace.log \
		make -C "$build/linux/tools/testing/kho" OUTPUT="$out" \
		-j "${JOBS:-$(nproc)}" "$@" || exit 1
}

all_readers()
{
	for file in "$top"/tools/testing/kho/fuzz/*.c; do
		reader=$(basename "$file" .c)
		[ "$reader" = fuzz ] || echo "$reader"
	done
}

# The seeds of a reader are what its writer has written, anew each time.
write_seeds()
{
	rm -rf "$fuzz/$1/seeds"
	mkdir -p "$fuzz/$1/seeds" "$fuzz/$1/findings" "$fuzz/$1/corpus"
	FUZZ_SEEDS=$fuzz/$1/seeds "$out/fuzz-$1" ||
		die "fuzz-$1 cannot write its seeds"
}

# The inputs of a reader that have been findings, if there are any.
regression_inputs()
{
	find "$regressions/$1" -type f 2>/dev/null | sort
}

# run_fuzzer READER ARGUMENT...: says in $executions and $findings how it went.
# An input that takes ten seconds is a loop that does not end.
run_fuzzer()
{
	name=$1
	shift
	log=$logs/fuzz-$name.log
	findings=0
	"$out/fuzz-$name" -timeout=10 -print_final_stats=1 \
		-artifact_prefix="$fuzz/$name/findings/" "$@" >"$log" 2>&1 ||
		findings=1
	executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	[ $findings -eq 0 ] || explain_finding
}

# What was found is in the log; which input it was, too, unless it was named.
explain_finding()
{
	grep -E '^(SUMMARY|BUG:|ALARM:)|runtime error:' "$log" |
		sed 's/^/# /' >&2
	input=$(sed -n 's/.*Test unit written to //p' "$log")
	[ -z "$input" ] || say "the input is $input"
	say "fuzz-$name has a finding, see $log"
}

result()
{
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $number - $2"
	else
		failures=$((failures + 1))
		echo "not ok $number - $2"
	fi
}

# shellcheck disable=SC2046 # no path in the repository has a blank
smoke_test()
{
	write_seeds "$1"
	set -- "$1" $(regression_inputs "$1")
	reader=$1
	shift
	if [ $# -gt 0 ]; then
		run_fuzzer "$reader" "$@"
		result $findings "$reader: $# former findings"
	fi

	rm -rf "$fuzz/$reader/smoke"
	mkdir "$fuzz/$reader/smoke"
	run_fuzzer "$reader" -seed=1 -max_total_time=$smoke_seconds \
		"$fuzz/$reader/smoke" "$fuzz/$reader/seeds"
	result $findings \
		"$reader: fuzzed, ${executions:-0} executions, $findings findings"
}

run_tests()
{
	number=0
	"$out/unit" || failures=1
	UNIT_NEWEST=1 "$out/unit" || failures=1
	echo 'TAP version 13'
	for reader in $(all_readers); do
		smoke_test "$reader"
	done
	echo "1..$number"
	[ $failures -eq 0 ]
}

table_line()
{
	printf '%-12s %12s %9s\n' "$@"
}

# fuzz_readers SECONDS READER...: the table comes when all are done.
# shellcheck disable=SC2046
fuzz_readers()
{
	seconds=$1
	shift
	all_executions=0
	all_findings=0
	table_line reader executions findings >"$logs/fuzz.table"
	for reader; do
		write_seeds "$reader"
		say "$reader for $seconds s"
		run_fuzzer "$reader" -max_total_time="$seconds" \
			"$fuzz/$reader/corpus" "$fuzz/$reader/seeds" \
			$([ ! -d "$regressions/$reader" ] ||
				echo "$regressions/$reader")
		table_line "$reader" "${executions:-0}" $findings \
			>>"$logs/fuzz.table"
		all_executions=$((all_executions + ${executions:-0}))
		all_findings=$((all_findings + findings))
	done
	cat "$logs/fuzz.table"
	table_line all $all_executions $all_findings
	[ $all_findings -eq 0 ]
}

# Where one file is compiled into several programs, a line that one of them runs
# is run. Of memblock only the reader of reserve_mem is ours to look at.
measure_coverage()
{
	out=$build/userspace-coverage
	profiles=$out/profiles
	build_programs COVERAGE=1
	rm -rf "$profiles"
	export LLVM_PROFILE_FILE="$profiles/%p.profraw"
	"$out/unit" >"$logs/coverage-unit.tap" || failures=1
	# shellcheck disable=SC2046 # names of files of ours
	fuzz_readers "$1" $(all_readers) >&2 || failures=1

	llvm-profdata merge -o "$out/profile" "$profiles"/*.profraw
	set -- "$out/unit"
	for reader in $(all_readers); do
		set -- "$@" -object "$out/fuzz-$reader"
	done
	llvm-cov export -format=lcov -instr-profile "$out/profile" "$@" \
		"$out/kernel" "$out/mm" |
		"$top/scripts/uncovered.py" "$build/linux" \
			--only '^(sim_)?reserve(d)?_mem' mm/memblock.c
	[ $failures -eq 0 ]
}

# seconds_given ARGUMENT: is it a number?
seconds_given()
{
	case $1 in
	'' | *[!0-9]*) usage ;;
	esac
}

[ $# -gt 0 ] || usage
mode=$1
shift

"$top/scripts/tree.sh"
need_libfuzzer
lock userspace
failures=0

case $mode in
test)
	build_programs
	run_tests
	;;
fuzz)
	seconds_given "${1:-}"
	seconds=$1
	shift
	build_programs
	# shellcheck disable=SC2046 # names of files of ours
	[ $# -gt 0 ] || set -- $(all_readers)
	fuzz_readers "$seconds" "$@"
	;;
coverage)
	need llvm-cov llvm python3 python3
	seconds_given "${1:-10}"
	measure_coverage "${1:-10}"
	;;
*)
	usage
	;;
esac

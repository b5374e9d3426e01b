# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Sourced by the other scripts: paths, messages, missing tools, locks and
# long commands. What is built, and how, is the business of those scripts; only
# how far make has come is read in its log here.

top=$(cd "$(dirname "$0")/.." && pwd)
build=$top/build
logs=$build/logs
self=$(basename "$0" .sh)
mkdir -p "$logs" "$build/locks"

say()
{
	echo "$self: $*" >&2
}

die()
{
	say "$*"
	exit 1
}

# have WHAT: is the command, or the file named by an absolute path, there?
have()
{
	case $1 in
	/*) [ -e "$1" ] ;;
	*) command -v "$1" >/dev/null 2>&1 ;;
	esac
}

# need WHAT PACKAGE [WHAT PACKAGE...]: install what is missing or name it.
need()
{
	missing=
	while [ $# -gt 0 ]; do
		have "$1" || missing="$missing $2"
		shift 2
	done
	[ -n "$missing" ] || return 0

	if [ "$(id -u)" != 0 ] || ! have apt-get; then
		die "missing packages; install them with: apt-get install$missing"
	fi
	say "installing$missing (log: $logs/packages.log)"
	# shellcheck disable=SC2086 # a list of package names
	install_packages $missing >>"$logs/packages.log" 2>&1 ||
		die "could not install$missing, see $logs/packages.log"
}

# clang, and the library of libFuzzer, which is in a package of its own
need_libfuzzer()
{
	need clang clang
	need "$(clang -print-runtime-dir)/libclang_rt.fuzzer-$(uname -m).a" \
		libclang-rt-dev
}

# The lists of a fresh machine are empty, those of an old one stale: either
# way the first attempt fails, and only then are they fetched.
install_packages()
(
	export DEBIAN_FRONTEND=noninteractive
	set -- apt-get -y --no-install-recommends -o DPkg::Lock::Timeout=600 \
		install "$@"
	"$@" && return
	apt-get update && "$@"
)

# lock NAME: wait for, then hold until this script ends or locks something else,
# an exclusive lock.
lock()
{
	exec 9>"$build/locks/$1"
	flock -n 9 && return
	say "waiting for another run that holds $build/locks/$1"
	flock 9
}

# Child of run_logged, without its lock: every half minute say how far the log
# has come.
report_progress()
{
	seconds=0
	while sleep 1 && kill -0 $$ 2>/dev/null; do
		seconds=$((seconds + 1))
		[ $((seconds % 30)) -eq 0 ] || continue
		objects=$(grep -cE '^  (CC|AS|LD|AR|HOSTCC) ' "$2") || :
		[ "$objects" = 0 ] || say "$1: $objects objects, $seconds s"
		[ "$objects" != 0 ] || say "$1: $seconds s"
	done
}

# run_logged WHAT LOG COMMAND...: output goes to build/logs/LOG; of a failure
# the lines that tell the reason are shown. A script that has its own use for
# stderr sets progress to another file descriptor.
run_logged()
{
	what=$1
	log=$logs/$2
	shift 2
	mkdir -p "$(dirname "$log")"
	: >"$log"
	report_progress "$what" "$log" >&"${progress:-2}" 2>&1 9>&- &
	reporter=$!
	status=0
	"$@" >>"$log" 2>&1 || status=$?
	kill "$reporter" 2>/dev/null || :
	wait "$reporter" 2>/dev/null || :
	[ "$status" -ne 0 ] || return 0

	{
		grep -E '(error|Error|ERROR|undefined reference|No rule)' \
			"$log" || tail -n 15 "$log"
	} | tail -n 15 >&2
	say "$what failed with status $status, full log: $log"
	return "$status"
}

# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # for lib.sh, set by lib.sh
#
# Sourced after lib.sh by the scripts whose tests are commands: TAP on stdout,
# progress on stderr, that of commands in a test included.

start_tap()
{
	tap_number=0
	tap_failures=0
	tap_output=$logs/$self-test.log
	exec 3>&2
	progress=3
	echo 'TAP version 13'
}

# check NAME COMMAND...: ok if it exits with 0 and prints nothing; 4 is a skip.
check()
{
	title=$1
	shift
	tap_number=$((tap_number + 1))
	say "$title"
	status=0
	"$@" >"$tap_output" 2>&1 || status=$?
	if [ $status -eq 4 ]; then
		echo "ok $tap_number - $title # SKIP $(cat "$tap_output")"
	elif [ $status -eq 0 ] && [ ! -s "$tap_output" ]; then
		echo "ok $tap_number - $title"
	else
		tap_failures=$((tap_failures + 1))
		echo "not ok $tap_number - $title"
		echo "# status $status"
		sed 's/^/# /' "$tap_output"
	fi
}

# end_tap: with status 1 if anything failed
end_tap()
{
	echo "1..$tap_number"
	[ "$tap_failures" -eq 0 ]
}

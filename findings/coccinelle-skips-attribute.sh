#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Coccinelle 1.1.1 (Debian 12): functions with certain attributes are skipped, and no
# one is told.
#
# A local variable that has an attribute with an argument and an initializer, such as
# cleanup() or aligned(), is valid for GCC and not for spatch, which then leaves out
# the whole function: a semantic patch changes and reports nothing there. There is no
# message, with --very-quiet or without, and the exit status is 0, as for a file in
# which everything was looked at. Only --parse-c tells. An attribute without an
# argument does no harm.
#
# "coccicheck found nothing" therefore says nothing about functions that use these.
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
	PATH=$work/usr/bin:$PATH
	COCCINELLE_HOME=$work/usr/lib/coccinelle
	export LD_LIBRARY_PATH PATH COCCINELLE_HOME
}

# expect WHAT EXPECTED SEEN
expect()
{
	echo "$1: $3"
	[ "$2" = "$3" ] || { echo "changed, it was: $2"; exit 1; }
}

get coccinelle=1.1.1.deb-2+b1 libpcre3

cat >rule.cocci <<'RULE'
@@
expression E;
@@
- put(E);
+ release(E);
RULE

# replaced DECLARATION: how often spatch finds put() in a function with it
replaced()
{
	cat >file.c <<-FILE
		void put(void *p);
		void drop(void *p);

		void f(void *q)
		{
			$1;

			put(q);
		}
	FILE
	if command -v gcc >gcc.path; then
		gcc -Wall -Wno-unused-variable -Werror -fsyntax-only file.c >&2
	fi
	spatch --sp-file rule.cocci file.c >changes 2>errors || { echo failed; return; }
	echo "$(grep -c '^+.*release' changes || :), message: $(
		grep -v -e '^init_defs' -e '^HANDLING' -e '^diff =' errors || echo none)"
}

expect 'no attribute' '1, message: none' "$(replaced 'char s[8] = { 0 }')"
expect 'unused' '1, message: none' \
	"$(replaced 'char s[8] __attribute__((unused)) = { 0 }')"
expect 'aligned()' '0, message: none' \
	"$(replaced 'char s[8] __attribute__((aligned(8))) = { 0 }')"
expect 'cleanup()' '0, message: none' \
	"$(replaced 'void *p __attribute__((cleanup(drop))) = q')"
expect '--parse-c of the last one, lines of f() that are bad' '1' \
	"$(spatch --parse-c file.c 2>&1 | grep -c '^bad: void f(void \*q)')"

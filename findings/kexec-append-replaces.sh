#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# kexec-tools 2.0.25 (Debian 12): --append= does not append.
#
# The manual page says "Append string to the kernel command line" of --append, and
# "Set the kernel command line to string" of --command-line. Both set it: the last one
# wins, without a message, and what came before is lost. So a second --append drops
# the first, and one after --command-line drops all of that. Only --reuse-cmdline adds
# to it, in whatever order the options come.
#
# What reaches the kernel is read from the system call, which strace makes fail, so
# that nothing is loaded.
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

xen='libxenmisc4.17 libxencall1 libxendevicemodel1 libxenevtchn1
	libxenforeignmemory1 libxengnttab1 libxenhypfs1 libxenstore4
	libxentoolcore1 libxentoollog1'
# shellcheck disable=SC2086 # a list of libraries that kexec is linked with
get kexec-tools=1:2.0.25-3+deb12u3 linux-image-6.1.0-50-cloud-amd64=6.1.176-1 \
	strace=6.1-0.1 libunwind8 $xen
image=$(echo boot/vmlinuz-*)

# passed OPTION...: the command line that the kernel gets
passed()
{
	strace -o calls -s 4096 -e trace=kexec_file_load \
		-e inject=kexec_file_load:error=EPERM \
		kexec -s -l "$image" "$@" >output 2>&1 || :
	sed -n 's/^kexec_file_load([^"]*"\(.*\)\\0".*/\1/p' calls
}

expect 'one --append' 'quiet' "$(passed --append=quiet)"
expect 'two --append' 'kho=on' "$(passed --append=quiet --append=kho=on)"
expect '--command-line, --append' 'kho=on' \
	"$(passed --command-line=quiet --append=kho=on)"
expect '--append, --command-line' 'quiet' \
	"$(passed --append=kho=on --command-line=quiet)"
case $(passed --append=kho=on --reuse-cmdline) in
*?' kho=on')	echo '--append, --reuse-cmdline: that of this system, then kho=on' ;;
*)		echo 'changed: --append, --reuse-cmdline'; exit 1 ;;
esac

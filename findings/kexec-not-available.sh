#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# kexec-tools 2.0.25 (Debian 12): "syscall kexec_file_load not available" is what it
# says when the kernel has rejected an image.
#
# The message and status 253 come for ENOSYS, but for EINVAL, ENOEXEC and EOPNOTSUPP as
# well, which a kernel with the system call returns if it does not like the image or
# its command line. The error itself is not shown. Other errors are shown by name,
# with status 255. A script that takes 253 for "try -c instead" then loads by
# kexec_load() what kexec_file_load() has rejected.
#
# strace stands for the kernel and returns the error, nothing is loaded.
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

# load ERROR: the status, and the first line that is printed
load()
{
	status=0
	strace -o calls -e trace=kexec_file_load \
		-e inject=kexec_file_load:error="$1" \
		kexec -s -l "$image" --append=quiet >output 2>&1 || status=$?
	grep -q '^kexec_file_load(.*(INJECTED)' calls || status="no call, $status"
	echo "$status, $(head -n 1 output)"
}

for error in ENOSYS EINVAL ENOEXEC EOPNOTSUPP; do
	expect "$error" '253, syscall kexec_file_load not available.' \
		"$(load $error)"
done
expect EPROTONOSUPPORT '255, kexec_file_load failed: Protocol not supported' \
	"$(load EPROTONOSUPPORT)"
expect EBUSY '255, kexec_file_load failed: Device or resource busy' "$(load EBUSY)"

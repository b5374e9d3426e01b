#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# QEMU 7.2.22 (Debian 12): /dev/fdset/N names a file for a serial port, but not for
# the memory of a guest.
#
# QEMU's manual says of -add-fd that such a descriptor can be named wherever QEMU
# opens a file. memory-backend-file opens its path by itself and reports "can't open
# backing store /dev/fdset/1 for guest RAM: No such file or directory". The same
# descriptor works as /proc/self/fd/N, so nothing is wrong with the file. And a
# descriptor serves only what wants exactly its access mode: one for reading and
# writing is refused to a serial port, which only writes, with "Permission denied".
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# QEMU with all libraries, for a system that has no package yet
mkdir -p apt/partial root
: >status
install()
{
	apt-get -qq -y --download-only --no-install-recommends \
		-o Dir::State::status="$work/status" -o Dir::Cache::archives="$work/apt" \
		install 'qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3' >apt.log 2>&1
}
install || { apt-get -qq update >apt.log 2>&1; install; } ||
	{ cat apt.log; echo 'cannot be tried: no QEMU 7.2.22'; exit 2; }
for package in apt/*.deb; do
	dpkg -x "$package" root
done
QEMU_MODULE_DIR=$work/root/usr/lib/x86_64-linux-gnu/qemu
export QEMU_MODULE_DIR
libraries=$(find root -name '*.so*' -printf '%h\n' | sort -u | paste -s -d :)

# run OPTION...: a guest that is not started; what QEMU says before it is ended
run()
{
	timeout 20 root/lib64/ld-linux-x86-64.so.2 --library-path "$libraries" \
		root/usr/bin/qemu-system-x86_64 -L root/usr/share/qemu \
		-L root/usr/share/seabios -display none -nodefaults -S -m 64M \
		-machine q35,memory-backend=ram -monitor stdio "$@" 8>serial 9<>file \
		>output 2>&1 <<-'MONITOR' || :
	info status
	quit
	MONITOR
	grep -om 1 "VM status: paused\|can't open.*\|Could not open.*" output || cat output
}

# expect WHAT EXPECTED SEEN
expect()
{
	echo "$1: $3"
	[ "$2" = "$3" ] || { echo "changed, it was: $2"; exit 1; }
}

truncate -s 64M file
ram=memory-backend-file,id=ram,size=64M,share=on,mem-path

expect 'serial port to /dev/fdset/1, opened for writing' 'VM status: paused' \
	"$(run -add-fd fd=8,set=1 -serial file:/dev/fdset/1 \
		-object memory-backend-ram,id=ram,size=64M)"
expect 'serial port to /dev/fdset/1, opened for reading and writing' \
	"Could not open '/dev/fdset/1': Permission denied" \
	"$(run -add-fd fd=9,set=1 -serial file:/dev/fdset/1 \
		-object memory-backend-ram,id=ram,size=64M)"
expect 'memory from /proc/self/fd/9' 'VM status: paused' \
	"$(run -object $ram=/proc/self/fd/9)"
expect 'memory from /dev/fdset/1' \
	"can't open backing store /dev/fdset/1 for guest RAM: No such file or directory" \
	"$(run -add-fd fd=9,set=1 -object $ram=/dev/fdset/1)"

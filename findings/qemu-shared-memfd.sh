#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# QEMU 10.0.13 (Debian 13): x-ignore-shared is ignored for memory-backend-memfd.
#
# With the migration capability x-ignore-shared, memory with share=on stays out of
# the stream. For memory-backend-file it does; for memory-backend-memfd all of it is
# written, without a warning, since only memory with a file name counts. QEMU 7.2
# leaves both out. Who saves the device state of a guest to a small file, and keeps
# the memory in a memfd, finds all of the memory in that file as well: name the memfd
# to memory-backend-file as /proc/self/fd/N instead.
#
# Half of the memory is filled with data that do not compress; the size of the
# stream tells.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# QEMU with all libraries, from Debian's mirror of this system
mkdir -p apt/partial lists/partial root
: >status
# shellcheck disable=SC2016 # apt expands it
mirror=$(apt-get indextargets 'Created-By: Packages' 'Origin: Debian' \
	--format '$(SITE)' | head -n 1)
[ -n "$mirror" ] || { echo 'cannot be tried: apt-get update first'; exit 2; }
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keyring] $mirror trixie main" >sources
private_apt()
{
	apt-get -qq -o Dir::Etc::sourcelist="$work/sources" \
		-o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$work/lists" \
		-o Dir::State::status="$work/status" -o Dir::Cache::archives="$work/apt" \
		-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= "$@" >apt.log 2>&1
}
fetch()
{
	private_apt update || return
	private_apt -y --download-only --no-install-recommends \
		install 'qemu-system-x86=1:10.0.13+ds-0+deb13u1'
}
fetch || { cat apt.log; echo 'cannot be tried: no QEMU 10.0.13'; exit 2; }
for package in apt/*.deb; do
	dpkg -x "$package" root
done
QEMU_MODULE_DIR=$work/root/usr/lib/x86_64-linux-gnu/qemu
export QEMU_MODULE_DIR
libraries=$(find root -name '*.so*' -printf '%h\n' | sort -u | paste -s -d :)
loader=$(find root -name 'ld-linux-x86-64.so.2' -type f | head -n 1)

# shellcheck disable=SC2094 # QEMU's answers are read while it runs
# save BACKEND: the device state of a guest that is not started; its size in MiB
save()
{
	rm -f state
	{
		echo 'migrate_set_capability x-ignore-shared on'
		echo 'migrate file:state'
		for _ in 1 2 3 4 5 6 7 8 9 10; do
			sleep 1
			echo 'info migrate'
			! grep -q 'status: \(completed\|failed\)' output || break
		done
		echo quit
	} | timeout 60 "$loader" --library-path "$libraries" \
		root/usr/bin/qemu-system-x86_64 -L root/usr/share/qemu \
		-L root/usr/share/seabios -display none -nodefaults -S -m 64M \
		-object "$1,id=ram,size=64M,share=on" -machine q35,memory-backend=ram \
		-device loader,file=data,addr=0x2000000,force-raw=on \
		-monitor stdio >output 2>&1 || { tail -n 1 output; return; }
	grep -i 'warning\|error:' output || :
	rm -f output
	echo "$(($(stat -c %s state) >> 20)) MiB"
}

# expect WHAT EXPECTED SEEN
expect()
{
	echo "$1: $3"
	[ "$2" = "$3" ] || { echo "changed, it was: $2"; exit 1; }
}

head -c 30M /dev/urandom >data
truncate -s 64M file

expect 'memory-backend-file, mem-path=file' '0 MiB' \
	"$(save memory-backend-file,mem-path=file)"
expect 'memory-backend-memfd' '30 MiB' "$(save memory-backend-memfd)"

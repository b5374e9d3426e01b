#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# clients.sh [CASE...]: what systemd, QEMU and kexec-tools, unmodified, do with our
# kernel, in virtual machines. Their root is made from Debian's packages, of
# unstable for a systemd that knows live update, and is kept in build/clients; on
# this system nothing of it is installed, but only root can make it. The cases are in
# tools/testing/selftests/kho/clients.
set -eu
. "$(dirname "$0")/lib.sh"
. "$top/scripts/apt.sh"

clients=$build/clients
root=$clients/root
selftests=$top/tools/testing/selftests/kho
source=$selftests/clients
configs=$top/scripts/configs
suite=unstable
packages=systemd,systemd-sysv,dbus,kexec-tools,python3,qemu-system-x86
packages=$packages,jq,libpam-systemd,dbus-user-session	# for TEST-91-LIVEUPDATE
unwanted="serial-getty@ttyS0.service getty@tty1.service console-getty.service
	apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer
	e2scrub_all.timer e2scrub_reap.service
	modprobe@configfs.service modprobe@drm.service modprobe@fuse.service
	modprobe@efi_pstore.service modprobe@dm_mod.service modprobe@loop.service"

# The one test of systemd that is wanted, without what the others depend on, and a
# kernel of Debian, without its modules
# shellcheck disable=SC2016 # for the shell in the new root
fetch='cd /tmp && apt-get download systemd-tests &&
	dpkg-deb --fsys-tarfile systemd-tests_*.deb | tar -xC / --wildcards \
		"*/testdata/units/TEST-91-LIVEUPDATE.*" \
		"*/testdata/units/util.sh" "*/testdata/units/post.sh" \
		"*/manual/test-luo" "./usr/lib/systemd/tests/mkosi/*/fdstore.conf" &&
	rm systemd-tests_*.deb
	kernel=$(apt-cache pkgnames linux-binary- | grep -xE "linux-binary-[0-9].*-cloud-amd64" |
		sort -V | tail -n 1)
	apt-get download "$kernel" && mkdir kernel && dpkg-deb -x "$kernel"_*.deb kernel &&
	find kernel -name "vmlinuz*" -exec mv {} /usr/lib/debian-kernel ";" &&
	rm -r kernel "$kernel"_*.deb && test -s /usr/lib/debian-kernel'

# What /etc/apt of this system says of old release files holds here, too.
make_root()
{
	mirror=$(debian_mirror)
	[ -n "$mirror" ] || die "the system's apt sources name no Debian mirror"
	valid=$(apt-config dump --format '%f "%v";%n' Acquire::Check-Valid-Until)
	say "making a root of Debian $suite from $mirror"
	rm -rf "$root" "$root.new"
	run_logged "making the root" clients-root.log \
		mmdebstrap --variant=minbase --include="$packages" \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt=force-unsafe-io \
		--aptopt='APT::Install-Recommends "false"' \
		--customize-hook="chroot \"\$1\" sh -ec '$fetch'" \
		${valid:+"--aptopt=$valid"} --keyring="$(debian_keyring)" \
		$suite "$root.new" "$mirror" || exit 1
	mv "$root.new" "$root"
}

update_root()
{
	wanted="$suite $packages $fetch"
	[ "$(cat "$clients/root.made" 2>/dev/null)" != "$wanted" ] || return 0
	make_root
	echo "$wanted" >"$clients/root.made"
}

# A host whose services are started by its command line, see keeper and host.py
set_up_root()
{
	units=$root/etc/systemd/system
	echo clients >"$root/etc/hostname"
	echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
	: >"$root/etc/fstab"
	mkdir -p "$root/var/log/journal"
	for unit in $unwanted; do
		ln -sfn /dev/null "$units/$unit"
	done
	ln -sfn /lib/systemd/system/multi-user.target "$units/default.target"

	# An emulated machine is slow
	mkdir -p "$root/etc/systemd/system.conf.d"
	cat >"$root/etc/systemd/system.conf.d/clients.conf" <<-END
		[Manager]
		DefaultTimeoutStartSec=infinity
		DefaultTimeoutStopSec=infinity
		DefaultDeviceTimeoutSec=infinity
	END

	install -D -t "$root/usr/lib/kho-clients" "$source/agent" \
		"$source/keeper" "$source/session" "$source/spoil"
	install -m 644 -t "$units" "$source"/*.service
	mkdir -p "$units/sysinit.target.wants" "$root/etc/keeper"
	ln -sfn ../agent.service "$units/sysinit.target.wants/agent.service"
	keeper a 'mem:guest:8 sealed:firmware:1 cursor:log:1'
	keeper mixed 'mem:before:1 unix:listener pipe:pipe event:event mem:after:1'
	keeper handed 'session:vm1:1' LUOSession=vm1
	set_up_systemd_test
	make -s -C "$top/tools/kho" OUTPUT="$clients/kho-compat/" CC=gcc \
		LDFLAGS=-static DESTDIR="$root" install
	set_up_guests
}

# All pages of a guest of so little memory are compared after the kexec
set_up_guests()
{
	gcc -m32 -march=i686 -mgeneral-regs-only -std=gnu11 -O2 -Wall -Wextra -Werror \
		-ffreestanding -fno-pic -fno-stack-protector -fcf-protection=none \
		-fno-asynchronous-unwind-tables -nostdlib -static -no-pie \
		-Wl,--build-id=none,-Ttext-segment=0x100000,-e,start \
		-o "$root/usr/lib/kho-clients/bare" "$source/entry.S" "$source/bare.c"
	guest one 7M
	guest two 64M
}

# guest NAME MEMORY: for kho-guest@NAME
guest()
{
	mkdir -p "$root/etc/kho-guest"
	cat >"$root/etc/kho-guest/$1.conf" <<-END
		MEMORY=$2
		QEMU=qemu-system-x86_64 -machine microvm,acpi=off,pit=on,pic=on \\
		     -accel tcg,tb-size=32 -nodefaults -no-user-config -display none \\
		     -kernel /usr/lib/kho-clients/bare
	END
}

# Changes to the test: no container, whose template is not packaged; the image is
# loaded before, because systemctl does so on EFI alone; no limits of time; and in
# the end the machine stays.
set_up_systemd_test()
{
	tests=$root/usr/lib/systemd/tests
	chroot "$root" id testuser >/dev/null 2>&1 ||
		chroot "$root" useradd -u 4711 -m -s /bin/bash testuser
	cp "$tests/testdata/units/TEST-91-LIVEUPDATE.service" "$units"
	mkdir -p "$units/user@.service.d"
	cp "$tests/mkosi/mkosi.extra/usr/lib/systemd/system/user@.service.d/fdstore.conf" \
		"$units/user@.service.d"
	# shellcheck disable=SC2016 # for the shell that runs the test
	sed -i -e 's|/util.sh$|&; create_dummy_container() { mkdir -p "$1"; }|' \
	    -e 's|timeout [0-9]*s |timeout 1200 |' \
	    -e 's|systemctl kexec --kernel-cmdline=\(.*\)|LOAD\1 \&\& systemctl kexec|' \
	    -e 's|LOAD|kexec -s -l /boot/ours --append=|' \
	    -e '/^systemctl --no-block exit 123/d' \
		"$tests/testdata/units/TEST-91-LIVEUPDATE.sh"
}

# keeper NAME FILES [SETTING]
keeper()
{
	echo "FILES=$2" >"$root/etc/keeper/$1"
	[ -z "${3:-}" ] || {
		mkdir -p "$units/keeper@$1.service.d"
		printf '[Service]\n%s\n' "$3" >"$units/keeper@$1.service.d/clients.conf"
	}
}

edit_note()
{
	"$selftests/edit_note.py" "$root/boot/ours" \
		"$root/boot/$1" "$2"
}

set_up_boot()
{
	rm -rf "${root:?}/boot"
	mkdir -p "$root/boot"
	cp -L "$ours" "$root/boot/ours"
	[ -z "$stock" ] || cp -L "$stock" "$root/boot/stock"
	ln "$root/usr/lib/debian-kernel" "$root/boot/debian"
	# The names of the operator's page; the initramfs is empty
	ln "$root/boot/ours" "$root/boot/vmlinuz-next"
	cpio -o -H newc </dev/null >"$root/boot/initrd-next" 2>/dev/null
	edit_note memfd-newer memfd=9-9
	edit_note luo-none luo=-
	edit_note no-note drop
}

make_disk()
{
	truncate -s 1G "$clients/disk.new"
	mke2fs -q -F -t ext2 -d "$root" "$clients/disk.new"
	mv "$clients/disk.new" "$clients/disk"
}

if [ "$(id -u)" != 0 ]; then
	mkdir -p "$build/results"
	echo '1..0 # SKIP only root can make a root of Debian' >"$build/results/clients.tap"
	say 'skipped, only root can make a root of Debian'
	exit
fi
need mmdebstrap mmdebstrap mke2fs e2fsprogs python3 python3 make make gcc gcc \
	cpio cpio qemu-system-x86_64 qemu-system-x86 /usr/include/stdio.h libc6-dev
[ -n "$(debian_keyring)" ] || need /usr/share/keyrings/debian-archive-keyring.gpg \
	debian-archive-keyring
lock clients
mkdir -p "$clients/kho-compat"
update_root &
ours=$("$top/scripts/kernel.sh" ours x86_64 vm "$configs/clients.config")
stock=
case " $* " in
*" stock "*)
	stock=$("$top/scripts/kernel.sh" stock x86_64 vm "$configs/clients.config") ;;
esac
wait $! || exit 1
set_up_root
set_up_boot
make_disk
"$source/run.py" --image "ours=$ours" ${stock:+--image "stock=$stock"} "$@"

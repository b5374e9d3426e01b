#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kho-images.sh: fetches boot images of all kinds from Debian's packages into
# build/images/ARCHITECTURE/PACKAGE, for the tests of kho-compat. What is there
# is kept. Names those that cannot be had and goes on with the others.
set -eu
. "$(dirname "$0")/lib.sh"
. "$top/scripts/apt.sh"

images=$build/images
apt=$images/apt
suites="bookworm trixie trixie-backports forky unstable experimental"

# A pattern for each package, of those that match the newest is taken
wanted()
{
	case $1 in
	amd64)
		for series in 7.3 7.2 7.1 7.0; do
			for flavour in amd64 cloud-amd64 rt-amd64; do
				echo "linux-binary-$series\.[0-9]+\+deb13-$flavour"
			done
		done
		echo 'linux-image-6\.1\.0-[0-9]+-cloud-amd64'
		echo 'linux-binary-unsigned-7\.3\.[0-9]+\+deb13-amd64'
		for package in memtest86+ u-boot-qemu shim-unsigned shim-signed \
			systemd-boot-efi systemd-ukify; do
			echo "$package" | sed 's/+/\\+/g'
		done
		echo 'xen-hypervisor-4\.[0-9]+-amd64'
		;;
	arm64)
		for flavour in arm64 arm64-16k cloud-arm64 rt-arm64; do
			echo "linux-binary-7\.3\.[0-9]+\+deb13-$flavour"
		done
		echo 'linux-binary-7\.2\.[0-9]+\+deb13-arm64'
		echo shim-unsigned
		;;
	loong64)
		echo 'linux-binary-7\.[0-9.]+(\+deb[0-9]+)?-loong64'
		;;
	esac
}

newest_package()
{
	private_apt apt-cache pkgnames 2>/dev/null | grep -xE "$1" | sort -V | tail -n 1
}

# fetch PATTERN: one package, unpacked into a directory of its name
fetch()
{
	package=$(newest_package "$1")
	if [ -z "$package" ]; then
		say "no package $1 for $apt_arch"
		return
	fi
	[ ! -d "$images/$apt_arch/$package" ] || return 0
	version=$(versions "$package" | head -n 1)
	download "$package" "$version" '*'
	dpkg-deb -x "$apt/${package}_"*.deb "$images/unpack"
	rm -f "$apt/${package}_"*.deb
	mkdir -p "$images/$apt_arch"
	mv "$images/unpack" "$images/$apt_arch/$package"
}

fetch_all()
{
	all=yes
	wanted "$apt_arch" >"$images/wanted"
	while read -r pattern; do
		(fetch "$pattern") || all=no
	done <"$images/wanted"
	[ "$all" = no ] || touch "$images/$apt_arch.complete"
}

lock images
for apt_arch in amd64 arm64 loong64; do
	rm -rf "$images/unpack"
	[ ! -e "$images/$apt_arch.complete" ] || continue
	open_archive "images for $apt_arch"
	[ "$updated" = yes ] || die "cannot read $mirror: $(apt_error)"
	fetch_all
done

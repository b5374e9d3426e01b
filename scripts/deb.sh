#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# deb.sh [config]: make deb. Debian packages of our kernel, in build/deb.
#
# The configuration is that of Debian's kernel packages, from the package
# linux-config-7.3, or else the architecture's defconfig; scripts/configs/deb.config
# is laid over it. With "config" it stops there: build/deb/ARCH/.config may be
# edited, and is kept until what it is made from changes.
set -eu
. "$(dirname "$0")/lib.sh"
. "$top/scripts/apt.sh"
. "$top/scripts/kbuild.sh"

arch=${ARCH:-x86_64}
case ${1-} in
'' | config) ;;
*)	die "unknown argument: '$1', expected config or none" ;;
esac
case $arch in
x86_64)	debian_arch=amd64 ;;
arm64)	debian_arch=arm64 ;;
*)	die "ARCH is '$arch', expected x86_64 or arm64" ;;
esac
package=linux-config-7.3
source=$build/linux
out=$build/deb/$arch
release_suffix=-kho
fragment=$top/scripts/configs/deb.config

# The configuration that belongs to the base, or the one of another 7.3.y.
config_version()
{
	versions $package | grep "^$(cat "$build/base.version")-" |
	head -n 1 | grep . || newest_version $package
}

fetch_config()
{
	[ ! -s "$out/distribution.config" ] || return 0
	apt_arch=$debian_arch
	open_archive $package
	[ $updated = yes ] || die "could not read the archive: $(apt_error)"
	version=$(config_version)
	if [ -z "$version" ]; then
		say "$mirror offers no $package for $debian_arch: taking defconfig"
		return
	fi
	download $package "$version" $debian_arch
	dpkg-deb --fsys-tarfile "$deb" | tar -xOf - \
		"./usr/src/$package/config.${debian_arch}_none_$debian_arch.xz" |
		xz -d >"$out/distribution.config.new"
	mv "$out/distribution.config.new" "$out/distribution.config"
	rm -f "$out/config.inputs"
	say "the configuration is that of $package $version"
}

# In place of the one for virtual machines
configure()
{
	if [ -s "$out/distribution.config" ]; then
		cp "$out/distribution.config" "$out/.config"
	else
		kmake defconfig
	fi
	(cd "$out" && "$source/scripts/kconfig/merge_config.sh" -m .config "$@")
	kmake olddefconfig
}

"$top/scripts/tree.sh"
need_build_tools
need dpkg-buildpackage dpkg-dev dh_prep debhelper depmod kmod \
	/usr/include/elfutils/libdw.h libdw-dev
lock "deb-$arch"
drop_build_of_other_base
fetch_config
update_config "deb-$arch" "$fragment"
require_options "deb-$arch" "$fragment"
say "configured: $out/.config, $(grep -c '=m$' "$out/.config") modules"
[ "${1-}" != config ] || exit 0

say "building packages; all modules of a distribution take hours"
run_logged "packages for $arch" "deb-$arch.log" \
	kmake KDEB_PKGVERSION=1 bindeb-pkg || exit 1
say "packages:"
ls -1 "$build"/deb/*.deb

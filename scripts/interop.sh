#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# interop.sh WHICH...: live updates between this kernel and others, to and fro
#
# WHICH is the series of a stock kernel, 7.2 say, whose source Debian has in its
# package linux-source-7.2, or a commit of this repository, d74e131 say. Each is
# built with the configuration that the scenarios have today, in
# build/interop/WHICH, and kept there; then the scenario interop_with runs.
set -eu
. "$(dirname "$0")/lib.sh"
. "$top/scripts/kbuild.sh"
. "$top/scripts/apt.sh"

arch=${ARCH:-x86_64}
configs=$top/scripts/configs
apt=$build/interop/apt
suites="unstable experimental"

[ $# -gt 0 ] || die "usage: interop.sh 7.2|COMMIT..."
case $arch in
x86_64)	target=bzImage image=arch/x86/boot/bzImage ;;
arm64)	target=Image image=arch/arm64/boot/Image ;;
*)	die "ARCH is '$arch', expected x86_64 or arm64" ;;
esac

# The newest release of a series that Debian still has, into $where/linux
fetch_series()
{
	package=linux-source-$1
	open_archive "$package"
	version=$(versions "$package" | grep -v '~' | head -n 1)
	[ -n "$version" ] || die "$mirror has no $package any more"
	download "$package" "$version" all
	dpkg-deb -x "$deb" "$where/unpack"
	mkdir -p "$where/linux.new"
	say "unpacking $package $version"
	tar -C "$where/linux.new" --strip-components=1 -xJf \
		"$where/unpack/usr/src/$package.tar.xz"
	rm -rf "$where/unpack" "$deb"
	mv "$where/linux.new" "$where/linux"
}

build_series()
{
	source=$where/linux
	out=$where/kernels/$arch
	release_suffix=-stock
	[ -d "$source" ] || fetch_series "$1"
	mkdir -p "$out"
	[ -e "$out/.config" ] ||
		run_logged "configuring $1" "interop-$1-config.log" \
			configure "$configs/vm.config" "$configs/$arch.config" || exit 1
	run_logged "building $1" "interop-$1.log" kmake $target || exit 1
	other=$out/$image
}

# By its own scripts, from the base tree and the compiler cache that are here
build_commit()
{
	commit=$(git -C "$top" rev-parse --verify --quiet "$1^{commit}") ||
		die "$1 is neither a series of Linux nor a commit"
	if [ ! -d "$where/tree" ]; then
		mkdir -p "$where/tree.new/build"
		git -C "$top" archive "$commit" | tar -x -C "$where/tree.new"
		for file in base base.source base.version ccache; do
			ln -s "$(realpath "$build/$file")" "$where/tree.new/build/"
		done
		cp "$configs/vm.config" "$configs/$arch.config" \
			"$where/tree.new/scripts/configs/"
		mv "$where/tree.new" "$where/tree"
	fi
	other=$("$where/tree/scripts/kernel.sh" ours "$arch" vm) || exit 1
}

need_build_tools
failed=0
for which in "$@"; do
	where=$build/interop/$which
	mkdir -p "$where"
	lock "interop-$which"
	case $which in
	[0-9].[0-9]*)	build_series "$which" ;;
	*)		build_commit "$which" ;;
	esac
	say "$which is $other"
	[ "${BUILD_ONLY:-0}" = 0 ] || continue
	"$top/tools/testing/selftests/kho/run.py" --arch "$arch" --with "$other" \
		--results "interop-$which-$arch" interop_with || failed=1
done
exit $failed

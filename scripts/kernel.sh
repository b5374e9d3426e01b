#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kernel.sh TREE ARCH CONFIG [FRAGMENT...]
#
# Builds build/kernels/TREE-ARCH-CONFIG and prints the path of its image.
# TREE is ours (build/linux) or stock (build/base), ARCH x86_64 or arm64; CONFIG
# names scripts/configs/CONFIG.config. The configuration is tinyconfig, that
# fragment, the one of ARCH, then each FRAGMENT (a file; its name is added to
# the directory's). Where they differ the later one wins.
#
# To the compiler cache a file is the same in both trees if its path is the same
# as seen from the objects. So those of stock are in build/stock/kernels, and its
# sources in build/stock/linux.
set -eu
. "$(dirname "$0")/lib.sh"
. "$top/scripts/kbuild.sh"

[ $# -ge 3 ] || die "usage: kernel.sh ours|stock x86_64|arm64 CONFIG [FRAGMENT...]"
tree=$1
arch=$2
config=$3
shift 3

case $tree in
ours)	source=$build/linux kernels=$build/kernels ;;
stock)	source=$build/stock/linux kernels=$build/stock/kernels ;;
*)	die "TREE is '$tree', expected ours or stock" ;;
esac
case $arch in
x86_64)	uapi=x86 target=bzImage image=arch/x86/boot/bzImage ;;
arm64)	uapi=arm64 target=Image image=arch/arm64/boot/Image ;;
*)	die "ARCH is '$arch', expected x86_64 or arm64" ;;
esac

name=$tree-$arch-$config
release_suffix=-$tree
for fragment in "$@"; do
	[ -f "$fragment" ] || die "no configuration fragment $fragment"
	name=$name+$(basename "$fragment" .config)
	shift
	set -- "$@" "$(realpath "$fragment")"
done
out=$kernels/$name
set -- "$top/scripts/configs/$config.config" \
	"$top/scripts/configs/$arch.config" "$@"
for fragment in "$@"; do
	[ -f "$fragment" ] || die "no configuration fragment $fragment"
done

# The base tree by another name: kbuild takes that of the directory at the top.
link_base_tree()
{
	cmp -s "$build/base.source" "$build/stock/base.source" && return
	rm -rf "$source"
	mkdir -p "$source" "$kernels" "$build/kernels"
	find "$build/base/" -mindepth 1 -maxdepth 1 -printf '%f\n' |
	while read -r entry; do
		ln -s "../../base/$entry" "$source"
	done
	cp "$build/base.source" "$build/stock/base.source"
}

update_headers()
{
	done=$out/headers.done
	if [ -e "$done" ] &&
	   [ -z "$(find "$source/include/uapi" "$source/arch/$uapi/include/uapi" \
		-newer "$done" -print -quit)" ]; then
		return
	fi
	touch "$done.new"
	run_logged "user headers of $name" "$name-headers.log" \
		kmake headers_install INSTALL_HDR_PATH="$out/headers" || exit 1
	mv "$done.new" "$done"
}

"$top/scripts/base.sh"
need_build_tools
case $tree in
ours)	"$top/scripts/tree.sh" ;;
stock)	(lock stock && link_base_tree) ;;
esac
lock "kernel-$name"
drop_build_of_other_base
update_config "$name" "$@"
require_options "$name" "$@"
# The list of symbols, for a module that others build, comes with the modules.
modules=
! grep -q '^CONFIG_MODULES=y' "$out/.config" || modules=modules
run_logged "building $name" "$name.log" kmake $target \
	${modules:+"$modules"} || exit 1
update_headers
ln -sfn "$image" "$out/image"
[ "$tree" = ours ] || ln -sfn "../stock/kernels/$name" "$build/kernels/$name"
echo "$build/kernels/$name/image"

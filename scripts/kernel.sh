#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kernel.sh TREE ARCH CONFIG [FRAGMENT...]
#
# Builds build/kernels/TREE-ARCH-CONFIG and prints the path of its image.
# TREE is ours (build/linux) or stock (build/base), ARCH x86_64 or arm64; CONFIG
# names scripts/configs/CONFIG.config. The configuration is tinyconfig, that
# fragment, the one of ARCH, then each FRAGMENT (a file; its name is added to
# the directory's). Where they differ the later one wins.
set -eu
. "$(dirname "$0")/lib.sh"
. "$top/scripts/kbuild.sh"

[ $# -ge 3 ] || die "usage: kernel.sh ours|stock x86_64|arm64 CONFIG [FRAGMENT...]"
tree=$1
arch=$2
config=$3
shift 3

case $tree in
ours)	source=$build/linux ;;
stock)	source=$build/base ;;
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
out=$build/kernels/$name
set -- "$top/scripts/configs/$config.config" \
	"$top/scripts/configs/$arch.config" "$@"
for fragment in "$@"; do
	[ -f "$fragment" ] || die "no configuration fragment $fragment"
done

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
[ "$tree" = stock ] || "$top/scripts/tree.sh"
need_build_tools
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
echo "$out/image"

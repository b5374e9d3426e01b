#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The static checks: style, warnings of compiler and sparse, comments. TAP.
#
# What is looked at are this repository's files, in build/linux where they are
# part of a kernel. Objects are compiled at W=1 for each way of configuring KHO
# in or out (ARCH= for another architecture), not whole kernels.
# shellcheck disable=SC2046 # no path in the repository has a blank
set -eu
. "$(dirname "$0")/lib.sh"
. "$top/scripts/kbuild.sh"
. "$top/scripts/static.sh"
. "$top/scripts/tap.sh"

arch=${ARCH:-x86_64}
base=$build/base
source=$build/linux
out=$build/check/$arch
# shellcheck disable=SC2034 # for kbuild.sh
release_suffix=

# Handlers of LUO have compatible strings that are in no device tree. The macros
# for attributes are the kernel's; programs do not have them.
check_kernel_style()
{
	cd "$source" || return
	files=$(kernel_files | grep -E '(\.[chS]|\.rst|\.sh|Kconfig|Makefile)$')
	set -- $(echo "$files" | grep -v '^tools/')
	[ $# -eq 0 ] || checkpatch --ignore UNDOCUMENTED_DT_STRING -f "$@" |
		unexpected_style
	set -- $(echo "$files" | grep '^tools/')
	[ $# -eq 0 ] || checkpatch \
		--ignore PREFER_DEFINED_ATTRIBUTE_MACRO,UNDOCUMENTED_DT_STRING \
		-f "$@" | unexpected_style
}

# A tool and its package often have the same name.
check_script_style()
{
	cd "$top" || return
	set -- $(our_files '*.sh' Makefile ':!tools')
	checkpatch --no-tree --ignore REPEATED_WORD -f "$@"
}

# Mails have a message and a sign-off, these are diffs.
check_patch_style()
{
	cd "$source" || return
	set -- "$top"/patches/fixes/*.patch "$top"/patches/*.patch
	[ ! -e "$1" ] || checkpatch --no-signoff \
		--ignore FILE_PATH_CHANGES,COMMIT_MESSAGE,UNKNOWN_COMMIT_ID \
		--patch "$@" | unexpected_style
}

check_shell()
{
	cd "$top" || return
	set -- $(our_files '*.sh' .ci/run)
	shellcheck -x -P SCRIPTDIR "$@"
}

check_whitespace()
{
	cd "$top" || return
	set -- $(our_files . ':!patches' ':!series/*.diff' \
		':!tools/testing/kho/regressions')
	! grep -nIE "[[:blank:]]+\$|$(printf ' \t')" "$@" || return 1
	for path; do
		[ -z "$(tail -c 1 "$path")" ] || echo "$path: no newline at the end"
	done
}

check_copied_lines()
{
	tool=$top/../shared/tools/copied-lines
	if [ ! -x "$tool" ]; then
		echo 'there is no ../shared/tools/copied-lines here'
		return 4
	fi
	cd "$top" || return
	"$tool" build/base >"$build/check/copied" && return
	cat "$build/check/copied"
	return 1
}

# variant NAME OPTION=VALUE...
variant()
{
	what=$1
	shift
	printf 'CONFIG_%s\n' "$@" >"$build/check/variant.config"
	check "W=1, $what" compile_objects "$build/check/variant.config"
}

"$top/scripts/tree.sh"
need_build_tools
need git git sparse sparse shellcheck shellcheck
lock check
drop_build_of_other_base
[ -n "$(our_files scripts)" ] || die "git lists no files of $top"

start_tap
check 'checkpatch --strict, kernel files' check_kernel_style
check 'checkpatch --strict, patches' check_patch_style
check 'checkpatch --strict, scripts' check_script_style
check 'kernel-doc' check_kernel_doc
check 'shellcheck' check_shell
check 'whitespace' check_whitespace
check 'no lines copied from the base tree' check_copied_lines

variant 'KEXEC_HANDOVER=n' KEXEC_HANDOVER=n
variant 'LIVEUPDATE=n' KEXEC_HANDOVER=y LIVEUPDATE=n
variant 'KEXEC_HANDOVER_DEBUGFS=n and DEBUG=n' LIVEUPDATE=y \
	KEXEC_HANDOVER_DEBUGFS=n KEXEC_HANDOVER_DEBUG=n
variant 'DEFERRED_STRUCT_PAGE_INIT=n and NUMA=n' LIVEUPDATE=y \
	DEFERRED_STRUCT_PAGE_INIT=n NUMA=n
kunit=$source/kernel/liveupdate/tests/.kunitconfig
check 'W=1, everything on, KUnit suites' compile_objects "$kunit"
check 'sparse' run_sparse "$kunit"

end_tap

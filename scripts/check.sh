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

arch=${ARCH:-x86_64}
base=$build/base
source=$build/linux
out=$build/check/$arch
release_suffix=
found=$build/check/found
number=0
failures=0

# check NAME COMMAND...: ok if it exits with 0 and prints nothing; 4 is a skip.
check()
{
	title=$1
	shift
	number=$((number + 1))
	say "$title"
	status=0
	"$@" >"$found" 2>&1 || status=$?
	if [ $status -eq 4 ]; then
		echo "ok $number - $title # SKIP $(cat "$found")"
	elif [ $status -eq 0 ] && [ ! -s "$found" ]; then
		echo "ok $number - $title"
	else
		failures=$((failures + 1))
		echo "not ok $number - $title"
		echo "# status $status"
		sed 's/^/# /' "$found"
	fi
}

# our_files PATTERN...: paths from the top, committed or not yet
our_files()
{
	git -C "$top" ls-files -co --exclude-standard -- "$@" |
	while read -r path; do
		[ ! -f "$top/$path" ] || echo "$path"
	done
}

kernel_files()
{
	our_files kernel include lib arch tools Documentation
}

checkpatch()
{
	perl "$base/scripts/checkpatch.pl" --strict --terse --show-types \
		--no-summary "$@"
}

# KHO_BLOCK_SET_INIT() is an initializer, which has no other way to use the size
# of an entry twice. What the list of components is made into are parts of
# initializers and sums, and none of them needs all that a line has. libFuzzer has
# its own style of names.
unexpected_style()
{
	grep -vE -e 'kho/block.h:.*MACRO_ARG_REUSE.*_entry_size' \
		-e 'kho_(components|note|compat|sysfs)\..*(COMPLEX_MACRO|MACRO_ARG)' \
		-e 'CAMELCASE.*<LLVMFuzzer' || :
}

# Handlers of LUO have compatible strings that are in no device tree. The macros
# for attributes are the kernel's; programs do not have them. sim/kernel.h stands
# for headers of the kernel, with other meanings for their names.
check_kernel_style()
{
	cd "$source" || return
	files=$(kernel_files | grep -E '(\.[chS]|\.rst|\.sh|Kconfig|Makefile)$')
	set -- $(echo "$files" | grep -v '^tools/')
	[ $# -eq 0 ] || checkpatch --ignore UNDOCUMENTED_DT_STRING -f "$@" |
		unexpected_style
	set -- $(echo "$files" | grep '^tools/' | grep -v '/sim/kernel\.h$')
	[ $# -eq 0 ] || checkpatch --ignore PREFER_DEFINED_ATTRIBUTE_MACRO \
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
	set -- "$top"/patches/*.patch
	[ ! -e "$1" ] || checkpatch --no-signoff \
		--ignore FILE_PATH_CHANGES,COMMIT_MESSAGE --patch "$@"
}

check_kernel_doc()
{
	cd "$source" || return
	set -- $(kernel_files | grep -E '\.[ch]$')
	[ $# -eq 0 ] || scripts/kernel-doc -none -Wall "$@" 2>&1 | sort -u
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
	set -- $(our_files . ':!patches')
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

# objects FRAGMENT: what this series makes, changes, or what calls it
objects()
{
	echo kernel/liveupdate/ kernel/kexec_core.o kernel/kexec_file.o
	echo mm/memblock.o mm/mm_init.o
	case $arch in
	x86_64)	echo arch/x86/kernel/setup.o arch/x86/kernel/kexec-bzimage64.o ;;
	arm64)	echo drivers/of/fdt.o drivers/of/kexec.o ;;
	esac
	! grep -q '^CONFIG_KEXEC_HANDOVER=n' "$1" || return 0
	echo lib/test_kho.o
	! grep -q '^CONFIG_LIVEUPDATE=n' "$1" || return 0
	echo mm/memfd_luo.o lib/tests/liveupdate.o
}

# Errors, and warnings that are ours to answer for: in our files, in those that
# patches/ change, or about an object without naming a file.
our_warnings()
{
	sed "s,$source/,,g; s,^\.\./\.\./linux/,," "$1" |
	grep -E '(warning|error):' |
	awk -v manifest="$build/linux.manifest" '
		BEGIN {
			while ((getline line < manifest) > 0)
				ours[line] = 1
		}
		{
			file = $0
			sub(/:.*/, "", file)
			if (/error:/ || file !~ /\.[chS]$/ || file in ours)
				print
		}' | sort -u
}

# compile FRAGMENT MAKE_ARGUMENT...: make with the configuration of the virtual
# machines and FRAGMENT; prints our_warnings
compile()
{
	fragment=$1
	shift
	if ! configure "$top/scripts/configs/vm.config" \
		"$top/scripts/configs/$arch.config" "$fragment" \
		>"$out.log" 2>&1; then
		tail -n 5 "$out.log"
		return 1
	fi
	lost_options "$fragment"
	status=0
	kmake -k "$@" >"$out.log" 2>&1 || status=$?
	our_warnings "$out.log" >"$out.warnings"
	[ $status -eq 0 ] || [ -s "$out.warnings" ] || tail -n 5 "$out.log"
	cat "$out.warnings"
	return $status
}

# An object that is there gives no warnings; ccache has them for a new one.
compile_objects()
{
	(cd "$out" && rm -rf kernel/liveupdate lib/tests &&
		rm -f mm/mem*.o mm/mm_init.o kernel/kexec_*.o lib/test_kho.o)
	compile "$1" W=1 $(objects "$1")
}

# Sparse before 0.6.5 does not know __typeof_unqual__, and kbuild would leave it
# out. Read as __typeof__ it keeps a const, and a string's length is no constant
# for it; both make warnings that mean nothing.
run_sparse()
{
	checker=sparse
	noise='^$'
	if [ "$("$source/scripts/checker-valid.sh" sparse)" != 1 ]; then
		checker='sparse -D__typeof_unqual__=__typeof__'
		noise='\(different modifiers\)|error: bad constant expression'
	fi
	compile "$1" C=2 CHECK="$checker" kernel/liveupdate/ lib/test_kho.o |
		grep -vE "$noise" || :
	! grep 'C=2 specified, but' "$out.log"
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

echo 'TAP version 13'
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
variant 'DEFERRED_STRUCT_PAGE_INIT=n' LIVEUPDATE=y DEFERRED_STRUCT_PAGE_INIT=n
variant 'NUMA=n' LIVEUPDATE=y NUMA=n
kunit=$source/kernel/liveupdate/tests/.kunitconfig
check 'W=1, everything on, KUnit suites' compile_objects "$kunit"
check 'sparse' run_sparse "$kunit"

echo "1..$number"
[ $failures -eq 0 ]

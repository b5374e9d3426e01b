# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# shellcheck disable=SC2046 # no path in the repository has a blank
# shellcheck disable=SC2154 # set by lib.sh, kbuild.sh and the caller
#
# Sourced after kbuild.sh by the scripts that judge the sources, as they are here
# or as a series: which files are ours, and what compilers and checkers have to
# say to them. The caller also sets base.

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
	our_files kernel include lib mm arch tools Documentation
}

checkpatch()
{
	perl "$base/scripts/checkpatch.pl" --strict --terse --show-types \
		--no-summary "$@"
}

# KHO_BLOCK_SET_INIT() is an initializer, which has no other way to use the size
# of an entry twice. What the list of components is made into are parts of
# initializers and sums, and none of them needs all that a line has. libFuzzer has
# its own style of names, and so have page flags and the libraries that unpack.
# sim/kernel.h and sim/kunit/test.h stand for headers of the kernel, with other
# meanings for their names.
unexpected_style()
{
	grep -vE -e 'kho/block.h:.*MACRO_ARG_REUSE.*_entry_size' \
		-e 'kho_(components|note|compat|sysfs)\..*(COMPLEX_MACRO|MACRO_ARG)' \
		-e 'CAMELCASE.*<(LLVMFuzzer|__ClearPage)' \
		-e '^[^:]*tools/kho/unpack-.*CAMELCASE' \
		-e '^[^:]*kho-guest:.*EXECUTE_PERMISSIONS' \
		-e '^[^:]*sim/(kernel|kunit/test)\.h:' || :
}

check_kernel_doc()
{
	cd "$source" || return
	# The series leaves some files out
	set -- $(kernel_files | grep -E '\.[ch]$' | while read -r path; do
		[ ! -e "$path" ] || echo "$path"
	done)
	[ $# -eq 0 ] || scripts/kernel-doc -none -Wall "$@" 2>&1 | sort -u
	# What is patched has comments of others, without all that -Wall asks for
	set -- $(patched_files | while read -r path; do
		[ ! -e "$path" ] || echo "$path"
	done)
	[ $# -eq 0 ] || scripts/kernel-doc -none "$@" 2>&1 | sort -u
}

patched_files()
{
	find "$top/patches" -name '*.patch' -exec sed -n 's,^+++ b/,,p' {} + |
	grep '\.[ch]$' | sort -u
}

# objects FRAGMENT: what this series makes, changes, or what calls it
objects()
{
	echo kernel/liveupdate/ kernel/kexec.o kernel/kexec_core.o
	echo kernel/kexec_file.o mm/memblock.o mm/memtest.o mm/mm_init.o
	case $arch in
	x86_64)	echo arch/x86/kernel/setup.o arch/x86/kernel/kexec-bzimage64.o ;;
	arm64)	echo drivers/of/fdt.o drivers/of/kexec.o ;;
	esac
	! grep -q '^CONFIG_KEXEC_HANDOVER=n' "$1" || return 0
	echo lib/test_kho.o mm/cma.o
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

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# series-check.sh [quick|fixes]: tests of the two series that "make series" writes, as
# their readers will try them. TAP.
#
# Each fix applies to a pristine tree alone, and what it changes is compiled. The
# test that it brings passes there, and fails as the manifest says if all but the
# test is left out. "fixes" stops here.
#
# Then each patch goes to a pristine tree by git am and is checked by checkpatch, and
# with KHO on the x86_64 kernel is linked. Where the manifest says "boot", and after
# the last fix, it carries a memfd through a kexec. For x86_64 with KHO off, and
# arm64 with KHO on and off, what includes headers of KHO is compiled after each
# patch that changes any of it, and the kernel linked at the end. There, the tests of
# the fixes pass again, get_maintainer finds people and lists for each patch, the
# tree is build/linux, and kernel-doc, Sphinx, sparse, coccinelle and a build at W=1
# have nothing to say. "quick" stops at the comparison with build/linux, compiles for
# x86_64 with KHO on alone and no fix by itself, links a kernel only where a patch
# changes what unpacks it, boots nothing, and of the tests of fixes runs those that
# need no kernel.
#
# build/series-check/linux is that tree. To set it up takes seconds, because git
# tracks only those files in it that the series touches. A tree that was built and
# booted before, by its contents, is not built again.
# shellcheck disable=SC2046 # no path in a kernel has a blank
set -eu
. "$(dirname "$0")/lib.sh"
. "$top/scripts/kbuild.sh"
. "$top/scripts/static.sh"
. "$top/scripts/tap.sh"

base=$build/base
dir=$build/series-check
source=$dir/linux
release_suffix=-series
pages='core-api/kho/*.rst,core-api/liveupdate.rst,admin-guide/mm/kho.rst'
pages=$pages,mm/memfd_preservation.rst,userspace-api/liveupdate.rst

# Who makes the series, and applies it; a machine that only tests may know nobody.
ident=$(git -C "$top" var GIT_COMMITTER_IDENT 2>/dev/null) ||
	ident='nobody <nobody@localhost> 0 +0000'
GIT_COMMITTER_NAME=${ident%% <*}
GIT_COMMITTER_EMAIL=${ident#*<}
GIT_COMMITTER_EMAIL=${GIT_COMMITTER_EMAIL%%>*}
export GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL

# fixes-0001 or kho-0001
mail_number()
{
	echo "$mail" | sed -n 's,.*/\([a-z]*\)/\([0-9]*\)-[^/]*$,\1-\2,p'
}

tree_git()
{
	git -C "$source" -c gc.auto=0 "$@"
}

# The commits of the series are at hand, its tree is that of the first one.
prepare_tree()
{
	if ! cmp -s "$build/base.source" "$dir/base.source"; then
		say "copying the base tree to $source"
		rm -rf "$dir"
		mkdir -p "$dir/kernels"
		cp -a "$base/." "$source"
		git init -q "$source"
		cp "$build/base.source" "$dir/base.source"
	fi
	tree_git am --abort >"$logs/series-check-am.log" 2>&1 || :
	tree_git ls-files | sort >"$dir/tracked"
	tree_git fetch -q "$build/series.git" series
	root=$(tree_git rev-list --max-parents=0 FETCH_HEAD)
	tree_git checkout -q -f --detach "$root"

	# What the last series touched and this one does not is gone now
	tree_git ls-files | sort | comm -13 - "$dir/tracked" |
	while read -r path; do
		[ ! -e "$base/$path" ] || cp "$base/$path" "$source/$path"
	done
}

# Of a fix, only tests and what configures and builds them
apply_test()
{
	tree_git checkout -q -f --detach "$root"
	tree_git apply --index --include='tools/testing/*' --include='*_test.c' \
		--include='*_kunit.c' --include='*Kconfig*' --include='*Makefile' "$mail" &&
		tree_git commit -q -m test \
			--author "$GIT_COMMITTER_NAME <$GIT_COMMITTER_EMAIL>"
}

memblock_test()
{
	simulator=$source/tools/testing/memblock
	make -s -C "$simulator" clean && make -s -C "$simulator" &&
		"$simulator/main" -v
	result=$?
	make -s -C "$simulator" clean
	return $result
}

# kernel_test NAME...: see run-base.py; the option of a suite is called like it
kernel_test()
{
	use x86_64 on
	case $1 in
	kunit:*)
		suite=${1#kunit:}
		variant=$suite
		printf 'CONFIG_%s_KUNIT_TEST=y\n' \
			"$(echo "$suite" | tr '[:lower:]' '[:upper:]')" |
			cat "$dir/on.config" - >"$dir/$suite.config"
		;;
	esac
	build bzImage || return 2
	install_headers || return 2
	rm -rf "$build/results/series-tests"
	"$top/scripts/run-base.py" --results series-tests --source "$source" \
		--image "$out/arch/x86/boot/bzImage" "$@" && return
	cat "$build/results/series-tests"/*.log
	return 1
}

run_test()
{
	case $1 in
	memblock)	memblock_test ;;
	*)		kernel_test "$@" ;;
	esac >"$logs/series-test.log" 2>&1
}

test_passes()
{
	run_test "$@" || { tail -n 30 "$logs/series-test.log"; return 1; }
}

test_fails()
{
	if run_test "$1"; then
		echo "$1 passes"
		return 1
	fi
	grep -qE "$2" "$logs/series-test.log" && return
	echo "no line matches '$2':"
	tail -n 30 "$logs/series-test.log"
	return 1
}

# fix_test: set name and regex to what the list has for this mail
fix_test()
{
	row=$(grep -F "${mail#"$dir/mails/"} " "$dir/mails/tests") || return
	row=${row#* }
	name=${row%% *}
	regex=${row#* }
	[ -z "$quick" ] || [ "$name" = memblock ]
}

check_without_fix()
{
	fix_test || return 0
	apply_test || die "$number: its test does not apply"
	check "$number: $name fails without it" \
		once "$name-without" test_fails "$name" "$regex"
}

check_fix_alone()
{
	tree_git checkout -q -f --detach "$root"
	check "$number: git am alone" apply_patch
	use x86_64 on
	# shellcheck disable=SC2086 # a list of directories
	[ -n "$quick" ] || check "$number: compiles alone" \
		once x86_64-on-alone build $kernel_objects
	! fix_test ||
		check "$number: $name passes with it" once "$name-with" test_passes "$name"
}

# All of them that need no other configuration, on the whole series
check_fix_tests()
{
	test_passes $(awk '$2 ~ "/|^luo" { print $2 }' "$dir/mails/tests" | sort -u)
}

apply_patch()
{
	tree_git am -q "$mail"
}

# check.sh says why some types do not count; MAINTAINERS has a patch of its own, and
# the commits that are named in Fixes: are not in this repository. Not run in the
# tree, where it leaves a file behind; without its repository it does not look for
# the modules that checking SPDX tags takes.
check_mail_style()
{
	cd "$dir" || return
	GIT_DIR=none checkpatch --showfile --root="$source" \
		--ignore UNDOCUMENTED_DT_STRING \
		--ignore PREFER_DEFINED_ATTRIBUTE_MACRO \
		--ignore FILE_PATH_CHANGES,UNKNOWN_COMMIT_ID "$mail" | unexpected_style
}

# With the MAINTAINERS of the end each patch finds people and lists, and one that
# touches a file of ours finds those of our section. A change of MAINTAINERS alone
# goes to all who get the other patches.
check_recipients()
{
	cd "$source" || return
	paths=$(sed -n 's,^+++ b/,,p; s,^--- a/,,p' "$mail" | sort -u)
	[ "$paths" != MAINTAINERS ] || return 0
	roles='maintainer: (open|moderated)_list:'
	! echo "$paths" | grep -qxF "$(kernel_files)" || roles="$roles KEXEC_HANDOVER"
	recipients=$(perl scripts/get_maintainer.pl --no-git --no-git-fallback \
		"$mail" 2>/dev/null)
	for role in $roles; do
		echo "$recipients" | tr ' ' _ | grep -qE "\(.*$role" ||
			echo "nobody in the role '$role': $recipients"
	done
}

# What has passed is known by the id of the tree; a change of what configures or
# judges it makes all of it unknown.
prepare_results()
{
	machine=$top/tools/testing/selftests/kho
	cat "$top"/scripts/configs/*.config "$top/scripts/kbuild.sh" \
		"$top/scripts/static.sh" "$machine"/*.[ch] "$machine"/*.py \
		"$machine/scenarios/memfd.c" "$top/scripts/run-base.py" | cksum >"$dir/judges.new"
	cmp -s "$dir/judges.new" "$dir/judges" || : >"$dir/passed"
	mv "$dir/judges.new" "$dir/judges"
}

# once WHAT COMMAND...: skipped if it passed for this tree
once()
{
	key="$(tree_git rev-parse 'HEAD^{tree}') $1"
	shift
	! grep -qxF "$key" "$dir/passed" || return 0
	"$@" >"$dir/output" 2>&1 || { cat "$dir/output"; return 1; }
	[ ! -s "$dir/output" ] || { cat "$dir/output"; return 0; }
	echo "$key" >>"$dir/passed"
}

# use ARCH VARIANT: what build() and others work with
use()
{
	arch=$1
	variant=$2
	out=$dir/kernels/$arch-$variant
	need_build_tools
}

# build TARGET...: in a subshell, so that it may die
build()
(
	name=series-$number-$arch-$variant
	mkdir -p "$out"
	drop_build_of_other_base
	update_config "$name" "$top/scripts/configs/vm.config" \
		"$top/scripts/configs/$arch.config" "$dir/$variant.config"
	require_options "$name" "$dir/$variant.config"
	status=0
	run_logged "building $name" "$name.log" kmake "$@" || status=1
	our_warnings "$logs/$name.log"
	exit $status
)

# Documentation, tools and the like are not compiled into any kernel, and without
# KHO nothing below kernel/liveupdate/ is.
changes_kernel()
{
	paths='^(Documentation|tools)/|^MAINTAINERS$'
	[ "$1" = on ] || paths="$paths|^kernel/liveupdate/|^lib/test_kho"
	tree_git diff --name-only HEAD~1 | grep -qvE "$paths"
}

# Is it a patch to boot? See make series.
wants_boot()
{
	grep -qxF "${mail#"$dir/mails/"}" "$dir/mails/boots" || [ "$mail" = "$last_fix" ]
}

# What unpacks the kernel is not part of vmlinux
changes_boot()
{
	tree_git diff --name-only HEAD~1 | grep -q '^arch/x86/boot/'
}

build_patch()
{
	use x86_64 on
	if changes_boot; then
		check "$number: x86_64 image" once x86_64-on build bzImage
	elif [ -n "$quick" ]; then
		# shellcheck disable=SC2086 # a list of directories
		check "$number: x86_64 objects" once x86_64-on-objects \
			build $kernel_objects
	else
		check "$number: x86_64 kernel" once x86_64-on build vmlinux
	fi
	[ -z "$quick" ] || return 0
	! wants_boot ||
		check "$number: boots, and does a live update" once boot boot
	for kernel in $others; do
		use "${kernel%-*}" "${kernel#*-}"
		! changes_kernel "$variant" ||
			check "$number: $arch, KHO $variant" once "$kernel" \
				build $(objects "$dir/$variant.config")
	done
}

# The guest program is built with the headers of a kernel in build/kernels
install_headers()
{
	[ -d "$out/headers" ] ||
		kmake headers_install INSTALL_HDR_PATH="$out/headers"
	mkdir -p "$build/kernels"
	ln -sfn "$out" "$build/kernels/series-x86_64-vm"
}

boot()
{
	build bzImage || return
	image=$out/arch/x86/boot/bzImage
	install_headers >"$logs/series-headers.log" 2>&1
	"$top/tools/testing/selftests/kho/run.py" --arch x86_64 \
		--kernel "$image" --results series-boot memfd \
		>"$logs/series-boot.log" 2>&1 && return
	cat "$logs/series-boot.log"
	return 1
}

# What the manifest leaves out
left_out()
{
	awk '$1 == "leave" { for (i = 2; i <= NF; i++) print $i }' \
		"$top/series/manifest"
}

# What neither the series nor tree.sh has touched is a copy of the base in both.
check_end_state()
{
	left_out >"$dir/left"
	{ tree_git ls-files; cat "$dir/tracked" "$build/linux.manifest"; } |
	sort -u | awk '
		NR == FNR { left[$0]; next }
		{ for (l in left) if ($0 == l || l ~ "/$" && index($0, l) == 1) next
		  print }' "$dir/left" - |
	while read -r path; do
		if [ ! -e "$source/$path" ] && [ ! -e "$build/linux/$path" ]; then
			continue
		fi
		cmp "$source/$path" "$build/linux/$path" 2>&1
	done
}

# The root document is ours, so that no table of contents names absent pages.
check_pages()
{
	rm -rf "$dir/html"
	cd "$source/Documentation" || return
	status=0
	srctree=$source PYTHONDONTWRITEBYTECODE=1 sphinx-build -q -b html \
		-D include_patterns="$pages" -D root_doc=core-api/kho/index \
		-D version="$number" -D release="$number" \
		. "$dir/html" >"$logs/sphinx.log" 2>&1 || status=$?
	grep -E 'WARNING|ERROR|CRITICAL|Exception' "$logs/sphinx.log" |
	grep -vE "isn't included in any toctree|dot\(1\) not found|^WARNING: /sys/" || :
	[ $status = 0 ] || { tail -n 5 "$logs/sphinx.log"; return $status; }
}

check_abi_pages()
{
	cd "$source" || return
	tools/docs/get_abi.py --dir Documentation/ABI validate \
		>"$logs/get_abi.log" 2>&1 || { tail -n 5 "$logs/get_abi.log"; return 1; }
	! grep -i kho "$logs/get_abi.log"
}

# Not those that need an OCaml compiler, or cannot only report
semantic_patches()
{
	grep -rl '^virtual report' scripts/coccinelle |
	xargs grep -L 'script:ocaml' | sort
}

# Every pattern of our section matches a file
check_patterns()
{
	cd "$source" || return
	sed -n '/^KEXEC HANDOVER/,/^$/s/^F:[[:blank:]]*//p' MAINTAINERS |
	while read -r pattern; do
		# shellcheck disable=SC2086 # it may be a wildcard
		ls -d $pattern >"$dir/found" 2>&1 || cat "$dir/found"
	done
}

check_coccinelle()
{
	cd "$source" || return
	: >"$logs/coccinelle.log"
	files=$(kernel_files | grep '\.c$' | grep -v '^tools/')
	for cocci in $(semantic_patches); do
		# shellcheck disable=SC2086 # a list of files
		spatch -D report --very-quiet --no-show-diff --cocci-file "$cocci" \
			$(sed -n 's,^// Options: *,,p' "$cocci") \
			-I include -I arch/x86/include \
			--include include/linux/kconfig.h $files \
			>"$dir/spatch" 2>>"$logs/coccinelle.log" ||
			echo "$cocci: spatch failed, see $logs/coccinelle.log"
		grep -E '^[^ :]+:[0-9]' "$dir/spatch" || :
	done
}

check_end()
{
	use x86_64 on
	check "tests of the fixes" once fix-tests check_fix_tests
	for kernel in $others; do
		use "${kernel%-*}" "${kernel#*-}"
		check "$arch kernel, KHO $variant" once "$kernel-kernel" \
			build vmlinux
	done
	check 'kernel-doc' check_kernel_doc
	check 'Sphinx' check_pages
	check 'Documentation/ABI' check_abi_pages
	check 'patterns in MAINTAINERS' check_patterns
	check 'coccinelle' check_coccinelle
	use x86_64 end
	mkdir -p "$out"
	drop_build_of_other_base
	check 'W=1' compile_objects "$dir/on.config"
	check 'sparse' run_sparse "$dir/on.config"
}

kernel_objects='kernel/ lib/ mm/ arch/x86/kernel/ drivers/firmware/efi/'
others='x86_64-off arm64-off arm64-on'
case ${1:-} in
'')	quick='' ;;
fixes)	quick='' ;;
quick)	quick=yes ;;
*)	die "usage: series-check.sh [quick|fixes]" ;;
esac

"$top/scripts/series.sh"
"$top/scripts/tree.sh"
lock series-check
need git git gcc gcc make make /usr/share/doc/liburcu-dev liburcu-dev
[ -n "$quick" ] || need sparse sparse spatch coccinelle sphinx-build python3-sphinx \
	/usr/lib/python3/dist-packages/yaml python3-yaml
prepare_tree
prepare_results
# The others are for tests of fixes
printf 'CONFIG_%s=y\n' LIVEUPDATE KUNIT SYNC_FILE UDMABUF >"$dir/on.config"
printf 'CONFIG_KEXEC_HANDOVER=n\n' >"$dir/off.config"

start_tap
# Another "make series" must not replace them meanwhile
rm -rf "$dir/mails"
cp -r "$build/series" "$dir/mails"
mails=$(find "$dir/mails" -name '*.patch' ! -name '0000-*' | sort)
fixes=$(find "$dir/mails/fixes" -name '*.patch' ! -name '0000-*' | sort)
last_fix=$(echo "$fixes" | tail -n 1)
for mail in $fixes; do
	number=$(mail_number)
	check_without_fix
done
for mail in $fixes; do
	number=$(mail_number)
	check_fix_alone
done
tree_git checkout -q -f --detach "$root"
if [ "${1:-}" = fixes ]; then
	end_tap
	exit
fi
for mail in $mails; do
	number=$(mail_number)
	check "$number: git am" apply_patch
	[ ! -d "$source/.git/rebase-apply" ] || break
	check "$number: checkpatch --strict" check_mail_style
	! changes_kernel on || build_patch
done
for mail in $mails; do
	number=$(mail_number)
	check "$number: get_maintainer" check_recipients
done
check 'the end is build/linux, byte for byte' check_end_state
[ -n "$quick" ] || check_end
end_tap

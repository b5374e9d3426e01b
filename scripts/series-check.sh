#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Tests of the series that "make series" writes, as its readers will try it: each
# patch goes to a pristine tree by git am, is checked, built and booted, and at
# the end the tree is build/linux. TAP.
#
# build/series-check/linux is that tree. To set it up takes seconds, because git
# tracks only those files in it that the series touches. From run to run it keeps
# the times of files that stay the same, so that little is built anew.
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
	tree_git checkout -q -f --detach \
		$(tree_git rev-list --max-parents=0 FETCH_HEAD)
	tree_git config user.name "$(git -C "$top" config user.name)"
	tree_git config user.email "$(git -C "$top" config user.email)"

	# What the last series touched and this one does not is gone now
	tree_git ls-files | sort | comm -13 - "$dir/tracked" |
	while read -r path; do
		[ ! -e "$base/$path" ] || cp "$base/$path" "$source/$path"
	done
}

apply_patch()
{
	tree_git am -q "$mail"
}

# check.sh says why some types do not count; and MAINTAINERS has a patch of its
# own. Not run in the tree, where it leaves a file behind; without its repository
# it does not look for the modules that checking SPDX tags takes.
check_mail_style()
{
	cd "$dir" || return
	GIT_DIR=none checkpatch --showfile --root="$source" \
		--ignore UNDOCUMENTED_DT_STRING \
		--ignore PREFER_DEFINED_ATTRIBUTE_MACRO \
		--ignore FILE_PATH_CHANGES "$mail" | unexpected_style
}

# Somebody who maintains what the patch touches, and a list that is about it
check_recipients()
{
	cd "$source" || return
	recipients=$(perl scripts/get_maintainer.pl --no-git --no-git-fallback \
		"$mail" 2>/dev/null)
	for role in 'maintainer:' 'open list:'; do
		echo "$recipients" | grep -q "($role" ||
			echo "nobody in the role '$role': $recipients"
	done
}

# build VARIANT TARGET...: what out is for; a subshell, so that it may die
build()
(
	variant=$1
	shift
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

# use ARCH VARIANT: what build() and others work with
use()
{
	arch=$1
	out=$dir/kernels/$1-$2
	need_build_tools
}

# Documentation, tools and the like are not compiled into any kernel
changes_kernel()
{
	tree_git diff --name-only HEAD~1 |
	grep -qvE '^(Documentation|tools)/|^MAINTAINERS$'
}

build_all()
{
	printf 'CONFIG_LIVEUPDATE=y\n' >"$dir/on.config"
	printf 'CONFIG_KEXEC_HANDOVER=n\n' >"$dir/off.config"
	for arch in x86_64 arm64; do
		use $arch off
		check "$number: $arch objects, KHO off" \
			build off $(objects "$dir/off.config")
	done
	use arm64 on
	check "$number: arm64 objects, KHO on" \
		build on $(objects "$dir/on.config")
	use x86_64 on
	check "$number: x86_64 kernel, KHO on" build on bzImage
	check "$number: x86_64 kernel boots and does a live update" boot
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
	image=$out/arch/x86/boot/bzImage
	if cmp -s "$image" "$dir/booted"; then
		echo 'this kernel is the one of the patch before'
		return 4
	fi
	install_headers >"$logs/series-headers.log" 2>&1
	if ! "$top/tools/testing/selftests/kho/run.py" --arch x86_64 \
		--kernel "$image" --results series-boot memfd \
		>"$logs/series-boot.log" 2>&1; then
		cat "$logs/series-boot.log"
		return 1
	fi
	cp "$image" "$dir/booted"
}

check_end_state()
{
	diff -rq --no-dereference --exclude=.git "$build/linux" "$source"
}

# The root document is ours, so that no table of contents names absent pages.
check_pages()
{
	rm -rf "$dir/html"
	cd "$source/Documentation" || return
	srctree=$source PYTHONDONTWRITEBYTECODE=1 sphinx-build -q -b html \
		-D include_patterns="$pages" -D root_doc=core-api/kho/index \
		-D version="$number" -D release="$number" \
		. "$dir/html" 2>&1 |
	grep -E 'WARNING|ERROR|CRITICAL|Exception' |
	grep -vE "isn't included in any toctree|dot\(1\) not found" || :
	[ -f "$dir/html/core-api/kho/index.html" ]
}

check_abi_pages()
{
	cd "$source" || return
	tools/docs/get_abi.py --dir Documentation/ABI validate 2>&1 |
	grep -i kho || :
}

# Not those that need an OCaml compiler, or cannot only report
semantic_patches()
{
	grep -rl '^virtual report' scripts/coccinelle |
	xargs grep -L 'script:ocaml' | sort
}

# Patterns in MAINTAINERS that match no file
check_patterns()
{
	cd "$source" || return
	perl scripts/get_maintainer.pl --self-test=patterns 2>&1 |
	grep -iE 'kho|liveupdate' || :
}

check_coccinelle()
{
	cd "$source" || return
	files=$(kernel_files | grep '\.c$' | grep -v '^tools/')
	for cocci in $(semantic_patches); do
		# shellcheck disable=SC2086 # a list of files
		spatch -D report --very-quiet --no-show-diff --cocci-file "$cocci" \
			$(sed -n 's,^// Options: *,,p' "$cocci") \
			-I include -I arch/x86/include \
			--include include/linux/kconfig.h $files \
			2>>"$logs/coccinelle.log" |
		grep -E '^[^ :]+:[0-9]' || :
	done
}

"$top/scripts/series.sh"
"$top/scripts/tree.sh"
lock series-check
use x86_64 on
need git git sparse sparse spatch coccinelle sphinx-build python3-sphinx
prepare_tree
: >"$logs/coccinelle.log"
rm -f "$dir/booted"

start_tap
for mail in "$build"/series/[0-9]*.patch; do
	number=$(basename "$mail")
	number=${number%%-*}
	[ "$number" != 0000 ] || continue
	check "$number: git am" apply_patch
	[ ! -d "$source/.git/rebase-apply" ] || break
	check "$number: checkpatch --strict" check_mail_style
	check "$number: get_maintainer" check_recipients
	if changes_kernel; then
		build_all
	fi
done
number=end
check 'the end is build/linux, byte for byte' check_end_state
check 'kernel-doc' check_kernel_doc
check 'Sphinx' check_pages
check 'Documentation/ABI' check_abi_pages
check 'patterns in MAINTAINERS' check_patterns
use x86_64 on
check 'sparse' run_sparse "$dir/on.config"
check 'coccinelle' check_coccinelle
end_tap

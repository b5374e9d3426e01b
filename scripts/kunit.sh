#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kunit.sh [ARCH [debug]]
#
# Runs the KUnit suites of kernel/liveupdate/tests on our kernel in QEMU, under
# kunit.py of the base tree. What the guest printed goes to
# build/results/kunit-ARCH.tap as KTAP. With "debug" the kernel is the one of the
# virtual machines with scripts/configs/debug.config, and the file is
# kunit-debug-ARCH.tap. Exit status 1: a test failed, the kernel crashed or
# complained, or it did not build.
#
# kunit.py configures, runs and judges. It could build as well, but would make
# everything there is, and without a word.
set -eu
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kbuild.sh"

arch=${1:-x86_64}
case $arch in
x86_64)	qemu=qemu-system-x86_64 package=qemu-system-x86 image=bzImage ;;
arm64)	qemu=qemu-system-aarch64 package=qemu-system-arm image=Image.gz ;;
*)	die "ARCH is '$arch', expected x86_64 or arm64" ;;
esac
case ${2-} in
'')	name=kunit-$arch out=$build/kunit/$arch ;;
debug)	name=kunit-debug-$arch out=$build/kernels/ours-$arch-vm+debug ;;
*)	die "the configuration is '$2', expected debug or none" ;;
esac
# shellcheck disable=SC2034 # for kbuild.sh
source=$build/linux release_suffix=-ours
tap=$build/results/$name.tap
console=$out/test.log	# the name is kunit.py's

kunit()
{
	PATH=$out/bin:$PATH PYTHONDONTWRITEBYTECODE=1 \
		python3 "$source/tools/testing/kunit/kunit.py" "$@"
}

# The steps of kunit.py that know about the kernel.
kunit_kernel()
{
	kunit "$@" --arch "$arch" --build_dir "$out" --cross_compile "$cross" \
		--kunitconfig "$source/kernel/liveupdate/tests" \
		--make_options CC="ccache ${cross}gcc" \
		--make_options HOSTCC="ccache gcc"
}

# kunit.py asks for KVM first, which on some machines opens and then hangs.
write_qemu_wrapper()
{
	real=$(command -v "$qemu")
	mkdir -p "$out/bin"
	cat >"$out/bin/$qemu" <<-EOF
		#!/bin/sh
		for arg do
			shift
			case \$arg in
			kvm | hvf | tcg) arg=${ACCEL:-tcg} ;;
			esac
			set -- "\$@" "\$arg"
		done
		exec $real "\$@"
	EOF
	chmod +x "$out/bin/$qemu"
}

build_kernel()
{
	if [ "$name" != "kunit-$arch" ]; then
		"$top/scripts/kernel.sh" ours "$arch" vm \
			"$top/scripts/configs/debug.config" >"$logs/$name-image.log" ||
			return
		lock "kernel-ours-$arch-vm+debug"
	else
		drop_build_of_other_base
		run_logged "configuring for $arch" "$name-config.log" \
			kunit_kernel config || return
	fi
	run_logged "building for $arch" "$name.log" kmake "$image"
}

"$top/scripts/tree.sh"
need_build_tools
need "$qemu" "$package" gzip gzip
lock "$name"
rm -f "$tap"

build_kernel || exit 1
write_qemu_wrapper

say "running the suites on $arch, console in $console"
status=0
kunit_kernel exec --timeout 600 --kernel_args kho=on --kernel_args kho_scratch=100% \
	--kernel_args log_buf_len=4M >"$logs/$name-run.log" 2>&1 || status=1
mkdir -p "$build/results"
kunit parse --raw_output "$console" >"$tap"

if [ $status -ne 0 ]; then
	kunit parse --failed "$console" >&2 || :
fi
# No test fails over these, but none is meant to leave one behind.
if grep -nE '(WARNING|BUG): |Kernel panic|Oops' "$console" >&2; then
	say "the kernel complained, see $console"
	status=1
fi
exit $status

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# test.sh [LAYER...]: runs the test layers named, or all but those that take too
# long, and kunit, whose suites are those of kunit-debug. With ARCH=arm64 in the
# environment these are the layers that run our kernel, on that machine.
#
# Each layer leaves one TAP or KTAP file in build/results. A layer that fails
# does not keep the next from running. The last line is the sum of all.
set -eu
. "$(dirname "$0")/lib.sh"

arch=${ARCH:-x86_64}
results=$build/results
selftests=$top/tools/testing/selftests/kho

case $arch in
arm64)	layers='kunit vm vm-64k base-selftests'
	more_layers='damage uefi vm-debug' ;;
*)	layers='scripts tools static memblock userspace vm uefi damage series'
	layers="$layers base-selftests clients kunit-debug checkers arm64"
	more_layers='kunit vm-debug signed series-check' ;;
esac

# layer NAME TAP_FILE COMMAND...
layer()
{
	name=$1
	tap=$results/$2
	shift 2
	case " $wanted " in
	*" $name "*) ;;
	*) return 0 ;;
	esac
	rm -f "$tap"
	say "layer $name"
	start=$(date +%s)
	status=0
	"$@" || status=$?
	"$top/scripts/tapsum.py" layer "$results/totals" "$name" "$status" \
		$(($(date +%s) - start)) "$tap" "$tap"
}

script_tests()
{
	worst=0
	for file in "$top"/scripts/tests/*.t.*; do
		"$file" || worst=$?
	done >"$results/scripts.tap"
	return $worst
}

tool_tests()
{
	"$top/scripts/kho-compat.sh" test >"$results/tools.tap"
}

static_checks()
{
	"$top/scripts/check.sh" >"$results/static.tap"
}

memblock_simulator()
{
	"$top/scripts/memblock.sh" >"$results/memblock.tap"
}

userspace_tests()
{
	"$top/scripts/userspace.sh" test >"$results/userspace.tap"
}

series_quickly()
{
	"$top/scripts/series-check.sh" quick >"$results/series.tap"
}

series_checks()
{
	"$top/scripts/series-check.sh" >"$results/series-check.tap"
}

wanted=${*:-$layers}
for name in $wanted; do
	case " $layers $more_layers " in
	*" $name "*) ;;
	*) die "LAYER is '$name', expected some of: $layers $more_layers" ;;
	esac
done
need python3 python3 make make git git patch patch
lock test
mkdir -p "$results"
: >"$results/totals"
commit=$(git -C "$top" describe --always --dirty 2>/dev/null || echo unknown)

layer scripts scripts.tap script_tests
layer tools tools.tap tool_tests
layer static static.tap static_checks
layer memblock memblock.tap memblock_simulator
layer userspace userspace.tap userspace_tests
layer kunit "kunit-$arch.tap" "$top/scripts/kunit.sh" "$arch"
layer vm "vm-$arch.tap" "$selftests/run.py" --arch "$arch"
layer uefi "uefi-$arch.tap" "$selftests/run.py" --arch "$arch" --uefi \
	--results "uefi-$arch"
layer vm-64k "vm-64k-$arch.tap" "$selftests/run.py" --arch "$arch" --config 64k
layer vm-64k "uefi-64k-$arch.tap" "$selftests/run.py" --arch "$arch" \
	--config 64k --results "uefi-64k-$arch" uefi_memory uefi_bad_list
layer vm-debug "vm-debug-$arch.tap" \
	"$selftests/run.py" --arch "$arch" --config debug
layer signed "vm-signed-$arch.tap" \
	"$selftests/run.py" --arch "$arch" --config signed image_signed image_secure
layer damage "damage-$arch.tap" \
	"$selftests/run-damage.py" --arch "$arch" --seed 1000000 --aimed 1 --seeds 60
layer series series.tap series_quickly
layer series-check series-check.tap series_checks
layer base-selftests "base-selftests-$arch.tap" "$top/scripts/run-base.py" --arch "$arch"
layer clients clients.tap "$top/scripts/clients.sh"
layer clients "vm-clients-$arch.tap" "$selftests/run.py" --config clients memfd_seals
layer kunit-debug "kunit-debug-$arch.tap" "$top/scripts/kunit.sh" "$arch" debug
layer checkers "checkers-$arch.tap" "$selftests/run.py" --arch "$arch" \
	--config debug --results "checkers-$arch" memfd unpreserve
layer arm64 arm64.tap "$selftests/run.py" --arch arm64 --results arm64 \
	memfd sessions image_load held uefi_memory uefi_bad_list

# For the cover letter of the series
[ $# -gt 0 ] ||
	{ echo "commit $commit"; cat "$results/totals"; } >"$results/complete-$arch"
"$top/scripts/tapsum.py" total "$results/totals"

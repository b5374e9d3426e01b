// SPDX-License-Identifier: GPL-2.0-only
/*
 * From our kernel to the one that run.py gets by --with, back, and there and back
 * again, with the same files. scripts/interop.sh builds such kernels.
 *
 * needs kernels: ours other
 * needs run: by hand
 * needs cmdline: test_kho.max_mem=65536 reserve_mem=64M:64M:region
 */
#include "scenario.h"

SCENARIO(interop_with, { interop_first }, { interop_between, "other" },
	 { interop_between, "ours" }, { interop_between, "other" },
	 { interop_last, "ours" });

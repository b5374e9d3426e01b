// SPDX-License-Identifier: GPL-2.0-only
/*
 * Started by UEFI, to a stock kernel and back.
 *
 * needs firmware: uefi
 * needs kernels: ours stock
 * needs cmdline: test_kho.max_mem=65536 reserve_mem=4M:4M:region
 */
#include "scenario.h"

SCENARIO(uefi_and_back, { efi_first }, { efi_between, "stock" },
	 { efi_last, "ours" });

// SPDX-License-Identifier: GPL-2.0-only
/*
 * A stock kernel, started by UEFI, leaves tables of its EFI stub in ordinary
 * memory. Ours, and a stock one after it, find the memory as it was.
 *
 * needs firmware: uefi fragment
 * needs kernels: stock ours
 * needs cmdline: test_kho.max_mem=65536 reserve_mem=4M:4M:region
 */
#include "scenario.h"

SCENARIO(uefi_from_stock, { efi_first }, { efi_between, "ours" },
	 { efi_last, "ours" });

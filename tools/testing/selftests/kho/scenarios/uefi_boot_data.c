// SPDX-License-Identifier: GPL-2.0-only
/*
 * A table that the kernel keeps lies in one descriptor with much other boot
 * services memory, which becomes ordinary and ends up in a memfd. The next kernel
 * reserves the whole descriptor; the memfd loses nothing by that.
 *
 * needs firmware: uefi fragment
 * needs kernels: stock ours
 * needs cmdline: efi_boot_data=512
 * needs cmdline: test_kho.max_mem=65536 reserve_mem=4M:4M:region
 */
#include "scenario.h"

SCENARIO(uefi_boot_data, { efi_first }, { efi_between, "ours" },
	 { efi_last, "ours" });

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Firmware leaves a memory map of more than 200 entries, with most of the memory
 * in those at its end, and much boot services memory beside its own tables.
 *
 * needs firmware: uefi fragment
 * needs firmware: device tree
 * needs cmdline: efi_holes=100
 * needs cmdline: test_kho.max_mem=65536 reserve_mem=4M:4M:region
 */
#include "scenario.h"

SCENARIO(uefi_long_map, { efi_first }, { efi_between }, { efi_last });

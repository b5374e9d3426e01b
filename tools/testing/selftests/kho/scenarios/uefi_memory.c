// SPDX-License-Identifier: GPL-2.0-only
/*
 * Started by UEFI through the EFI stub, then two kexecs.
 *
 * needs firmware: uefi
 * needs cmdline: test_kho.max_mem=65536 reserve_mem=4M:4M:region
 */
#include "scenario.h"

SCENARIO(uefi_memory, { efi_first }, { efi_between }, { efi_last });

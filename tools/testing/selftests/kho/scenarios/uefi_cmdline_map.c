// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line changes the memory map: all of the EFI memory map is added, and
 * holes and reserved memory in the midst of ordinary memory. Without runtime services.
 *
 * needs firmware: uefi
 * needs arch: x86_64
 * needs cmdline: efi=noruntime add_efi_memmap
 * needs cmdline: memmap=2M$200M memmap=64K$250M memmap=4M#260M
 * needs cmdline: test_kho.max_mem=65536 reserve_mem=4M:4M:region
 */
#include "scenario.h"

SCENARIO(uefi_cmdline_map, { efi_first }, { efi_between }, { efi_last });

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line changes the memory map: all of the EFI memory map is added, and
 * holes, reserved and soft reserved memory in the midst of ordinary memory. Without
 * runtime services.
 *
 * needs firmware: uefi
 * needs arch: x86_64
 * needs cmdline: efi=noruntime add_efi_memmap
 * needs cmdline: memmap=2M$200M memmap=64K$250M memmap=4M#260M
 * needs cmdline: memmap=8M%280M-1+0xefffffff
 * needs cmdline: test_kho.max_mem=65536 reserve_mem=4M:4M:region
 */
#include "scenario.h"

/* 8 MiB at 280 MiB are of the type that memory with EFI_MEMORY_SP becomes */
static void check_soft_reserved(void)
{
	check(kmsg_has("0x0000000011800000-0x0000000011ffffff]  soft reserved"),
	      "8 MiB are soft reserved");
	check(!is_system_ram(MIB(280)), "and no ordinary memory");
}

static void first(void)
{
	check_soft_reserved();
	efi_first();
}

static void between(void)
{
	check_soft_reserved();
	efi_between();
}

static void last(void)
{
	check_soft_reserved();
	efi_last();
}

SCENARIO(uefi_cmdline_map, { first }, { between }, { last });

// SPDX-License-Identifier: GPL-2.0-only
/*
 * A stock kernel, started by UEFI, leaves tables of its EFI stub in ordinary memory.
 * Ours find the memory as it was; and one that is started without an initrd does not
 * take what is in that memory for one, and ends for want of a program to run.
 *
 * needs firmware: uefi fragment
 * needs kernels: stock ours
 * needs cmdline: test_kho.max_mem=65536 reserve_mem=4M:4M:region
 * needs panic: No working init found
 */
#include <linux/kexec.h>

#include "scenario.h"

static void last(void)
{
	efi_last();
	efi_write_chunk();
	load_flags = KEXEC_FILE_NO_INITRAMFS;
	check_result(load_kernel("ours", ""), 0, "load a kernel without an initrd");
	start_last();
}

SCENARIO(uefi_from_stock, { efi_first }, { efi_between, "ours" },
	 { last, "ours" });

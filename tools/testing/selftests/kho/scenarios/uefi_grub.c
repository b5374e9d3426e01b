// SPDX-License-Identifier: GPL-2.0-only
/*
 * Started by GRUB on a disk, both as they are packaged, then a kexec.
 *
 * needs firmware: uefi grub
 * needs arch: x86_64
 * needs cmdline: test_kho.max_mem=65536 reserve_mem=4M:4M:region
 */
#include "scenario.h"

SCENARIO(uefi_grub, { efi_first }, { efi_last });

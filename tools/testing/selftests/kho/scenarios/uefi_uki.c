// SPDX-License-Identifier: GPL-2.0-only
/*
 * Started as a unified kernel image on a disk, both as they are packaged, then a kexec.
 *
 * needs firmware: uefi uki
 * needs arch: x86_64
 * needs cmdline: test_kho.max_mem=65536 reserve_mem=4M:4M:region
 */
#include "scenario.h"

SCENARIO(uefi_uki, { efi_first }, { efi_last });

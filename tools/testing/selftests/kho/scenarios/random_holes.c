// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pieces of memory of random orders, see pieces.c, where memory has holes and
 * ends that are not aligned to anything but a page. (Only x86 has memmap=.)
 *
 * needs memory: 2G
 * needs cmdline: test_kho.max_mem=0 nokaslr mem=2041868K
 * needs cmdline: memmap=1036K$0x8003000 memmap=20K$0x12345000
 * needs cmdline: memmap=4K$0x1ffff000
 */
#include "scenario.h"

SCENARIO(random_holes, { pieces_cold }, { pieces_first }, { pieces_next },
	 { pieces_last });

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pieces of memory of random orders, see pieces.c, on two NUMA nodes.
 *
 * needs nodes: 2
 * needs memory: 768M
 * needs cmdline: test_kho.max_mem=0 nokaslr
 */
#include "scenario.h"

SCENARIO(random_numa, { pieces_cold }, { pieces_first }, { pieces_next },
	 { pieces_last });

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pieces of memory of random orders, see pieces.c, on an ordinary machine that
 * also sets huge pages and memory for CMA aside.
 *
 * needs cmdline: test_kho.max_mem=0 nokaslr hugepagesz=2M hugepages=12 cma=24M
 */
#include "scenario.h"

SCENARIO(random_pieces, { pieces_cold }, { pieces_first }, { pieces_next },
	 { pieces_next }, { pieces_last });

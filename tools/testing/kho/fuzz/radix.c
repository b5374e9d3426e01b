// SPDX-License-Identifier: GPL-2.0-only
/* The preserved memory map: nodes and bitmaps of the tree, taken over at boot. */

#include <linux/kho/abi/kexec_handover.h>
#include <linux/kho/abi/radix_tree.h>

#include "fuzz.h"

static struct sim_handover handover;

static void add_nodes(phys_addr_t phys, unsigned int level)
{
	struct kho_radix_node *node = phys_to_virt(phys);

	fuzz_add_page(phys);
	for (unsigned int i = 0; level && i < ARRAY_SIZE(node->table); i++) {
		if (node->table[i])
			add_nodes(node->table[i], level - 1);
	}
}

/* Ranges of every order that the page allocator has, and some contiguous pages */
void fuzz_init(void)
{
	const u64 *map;

	sim_boot(NULL);
	for (unsigned int order = 0; order <= MAX_PAGE_ORDER; order++) {
		if (kho_preserve_folio(folio_alloc(GFP_KERNEL, order)))
			abort();
	}
	if (kho_preserve_pages(alloc_pages(GFP_KERNEL, 6) + 3, 50))
		abort();

	handover = sim_kexec();
	map = fdt_getprop(phys_to_virt(handover.fdt), 0,
			  KHO_FDT_MEMORY_MAP_PROP_NAME, NULL);
	add_nodes(get_unaligned(map), KHO_TREE_MAX_DEPTH - 1);
}

void fuzz_one(void)
{
	fuzz_damage_pages();
	sim_boot(&handover);
	fuzz_restore_all();
}

void fuzz_seeds(void)
{
	fuzz_put_pages();
	fuzz_end_seed("tree");
}

// SPDX-License-Identifier: GPL-2.0-only
/* Kexec metadata: the blob, and how the FDT describes it. */

#include <linux/kho/abi/kexec_handover.h>
#include <linux/kho/abi/kexec_metadata.h>

#include "fuzz.h"

static struct sim_handover handover;

static int node_of(const void *fdt)
{
	return fdt_subnode_offset(fdt, 0, KHO_METADATA_NODE_NAME);
}

static u64 *property(const char *name)
{
	void *fdt = phys_to_virt(handover.fdt);

	return fdt_getprop_w(fdt, node_of(fdt), name, NULL);
}

void fuzz_init(void)
{
	sim_boot(NULL);
	handover = sim_kexec();

	sim_boot_early(&handover);
	sim_boot_memory();
}

void fuzz_one(void)
{
	u64 *phys = property(KHO_SUB_TREE_PROP_NAME);
	void *blob = phys_to_virt(get_unaligned(phys));
	const u8 *data;
	size_t size;

	put_unaligned(fuzz_take(8), phys);
	put_unaligned(fuzz_take(8), property(KHO_SUB_TREE_SIZE_PROP_NAME));
	data = fuzz_rest(&size);
	memcpy(blob, data, min(size, PAGE_SIZE));

	sim_kho_init();
	fuzz_restore_all();
}

void fuzz_seeds(void)
{
	u64 phys = get_unaligned(property(KHO_SUB_TREE_PROP_NAME));
	u64 size = get_unaligned(property(KHO_SUB_TREE_SIZE_PROP_NAME));

	fuzz_put(phys, 8);
	fuzz_put(size, 8);
	fuzz_put_bytes(phys_to_virt(phys), size);
	fuzz_end_seed("metadata");
}

// SPDX-License-Identifier: GPL-2.0-only
/* The FDT of the handover: the early pass, and what is looked up in it later. */

#include "fuzz.h"

static struct sim_handover handover;
static const char *const names[] = { "LUO", "memblock", "kexec-metadata", "blob" };

static void preserve_blob(const char *name)
{
	void *blob = kho_alloc_preserve(PAGE_SIZE);

	if (kho_add_subtree(name, blob, 100))
		abort();
}

void fuzz_init(void)
{
	sim_boot(NULL);
	preserve_blob("blob");
	preserve_blob("LUO");
	handover = sim_kexec();
}

/* The first bit says whether the boot protocol knows how long the FDT is */
void fuzz_one(void)
{
	bool exact = fuzz_take(1) & 1;
	phys_addr_t phys;
	const u8 *fdt;
	size_t size;

	fdt = fuzz_rest(&size);
	if (size > PAGE_SIZE)
		return;
	memset(phys_to_virt(handover.fdt), 0, PAGE_SIZE);
	memcpy(phys_to_virt(handover.fdt), fdt, size);
	if (exact)
		handover.fdt_len = size;
	else
		handover.fdt_len = PAGE_SIZE;

	sim_scratch_parse((char[]){ "4M,0,4M" });
	sim_boot_early(&handover);
	if (!is_kho_boot())
		return;

	sim_boot_memory();
	sim_boot_init();
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		kho_retrieve_subtree(names[i], &phys, &size);
	fuzz_restore_all();
}

static void put_fdt(bool exact, const char *name)
{
	const void *fdt = phys_to_virt(handover.fdt);

	fuzz_put(exact, 1);
	fuzz_put_bytes(fdt, fdt_totalsize(fdt));
	fuzz_end_seed(name);
}

/* As this kernel writes it, and as Linux 7.3 does: without the components */
void fuzz_seeds(void)
{
	void *fdt = phys_to_virt(handover.fdt);

	put_fdt(true, "exact");
	put_fdt(false, "page");

	fdt_setprop_string(fdt, 0, "compatible", "kho-v4");
	fdt_del_node(fdt, fdt_subnode_offset(fdt, 0, "components"));
	fdt_pack(fdt);
	put_fdt(false, "baseline");
}

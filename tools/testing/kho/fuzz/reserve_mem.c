// SPDX-License-Identifier: GPL-2.0-only
/* The FDT in which memblock hands reserve_mem= regions over. */

#include <linux/kho/abi/kexec_handover.h>
#include <linux/kho/abi/memblock.h>

#include "fuzz.h"

static struct sim_handover handover;

static void reserve(void)
{
	sim_reserve_mem((char[]){ "64K:4096:one" });
	sim_reserve_mem((char[]){ "1M:1M:two" });
}

void fuzz_init(void)
{
	sim_scratch_parse((char[]){ "4M,0,4M" });
	sim_boot_early(NULL);
	reserve();
	sim_boot_memory();
	sim_kho_init();
	sim_reserve_mem_init();

	handover = sim_kexec();
	sim_boot_early(&handover);
}

void fuzz_one(void)
{
	const u8 *data;
	size_t size;

	data = fuzz_rest(&size);
	memcpy(sim_subtree(&handover, MEMBLOCK_KHO_FDT), data, min(size, PAGE_SIZE));

	reserve();
	sim_boot_memory();
	sim_kho_init();
	sim_reserve_mem_init();
	fuzz_check_machine();
}

void fuzz_seeds(void)
{
	const void *fdt = sim_subtree(&handover, MEMBLOCK_KHO_FDT);

	fuzz_put_bytes(fdt, fdt_totalsize(fdt));
	fuzz_end_seed("regions");
}

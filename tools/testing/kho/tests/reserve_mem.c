// SPDX-License-Identifier: GPL-2.0-only
/* reserve_mem= regions, which memblock hands over in an FDT of its own. */

#include <linux/kho/abi/kexec_handover.h>
#include <linux/kho/abi/memblock.h>

#include "kexec_handover_internal.h"
#include "tap.h"

static void boot(const struct sim_handover *from, const char *param)
{
	char arg[64];

	sim_scratch_parse((char[]){ "4M,0,4M" });
	sim_boot_early(from);
	strcpy(arg, param);
	sim_reserve_mem(arg);
	strcpy(arg, "64K:4096:other");
	sim_reserve_mem(arg);
	sim_boot_memory();
	sim_kho_init();
	sim_reserve_mem_init();
}

static phys_addr_t region(const char *name)
{
	phys_addr_t start = 0, size;

	CHECK(reserve_mem_find_by_name(name, &start, &size));
	return start;
}

static struct sim_handover previous(void)
{
	boot(NULL, "1M:1M:region");
	strcpy(phys_to_virt(region("region")), "contents");
	return sim_kexec();
}

static void set_u64(void *fdt, const char *node, const char *prop, u64 value)
{
	CHECK_EQ(0, fdt_setprop_inplace(fdt, fdt_subnode_offset(fdt, 0, node), prop,
					&value, sizeof(value)));
}

/* Allocated again, while the old one is unchanged */
static void expect_new(const struct sim_handover *h, const char *text)
{
	boot(h, "1M:1M:region");
	CHECK(sim_logged(text));
	CHECK(strcmp(phys_to_virt(region("region")), "contents"));
	CHECK_MACHINE();
}

TEST(comes_back)
{
	struct sim_handover h = previous();

	boot(&h, "1M:1M:region");
	CHECK(sim_logged("Revived memory reservation 'region' from KHO"));
	CHECK(sim_logged("Revived memory reservation 'other' from KHO"));
	CHECK(!strcmp(phys_to_virt(region("region")), "contents"));
	CHECK_EQ(-ENOENT, kho_preserved_order(region("region")));
	CHECK(phys_to_page(region("region"))->reserved);
	CHECK_MACHINE();

	/* And once more */
	h = sim_kexec();
	boot(&h, "1M:1M:region");
	CHECK(!strcmp(phys_to_virt(region("region")), "contents"));
	CHECK_MACHINE();
}

/* Its memory is free then; the next kernel gets the others, or no FDT at all */
TEST(released_while_it_is_preserved)
{
	unsigned long pages = PHYS_PFN(SZ_1M), free;
	struct sim_handover h;
	phys_addr_t other;

	boot(NULL, "1M:1M:region");
	other = region("other");
	free = sim_pages(SIM_FREE);
	CHECK_EQ(1, reserve_mem_release_by_name("region"));
	CHECK_EQ(free + pages, sim_pages(SIM_FREE));
	CHECK_EQ(1, kho_component_users(&memblock_kho_component));
	CHECK_EQ(0, reserve_mem_release_by_name("region"));
	CHECK_EQ(0, reserve_mem_release_by_name("none"));
	CHECK_MACHINE();

	h = sim_kexec();
	boot(&h, "1M:1M:region");
	CHECK(sim_logged("FDT 'memblock' has no child 'region'"));
	CHECK_EQ(other, region("other"));
	CHECK_MACHINE();

	CHECK_EQ(1, reserve_mem_release_by_name("other"));
	CHECK_EQ(0, kho_component_users(&memblock_kho_component));
	CHECK_EQ(0, kho_component_users(&kho_radix_component));
	CHECK_MACHINE();

	h = sim_kexec();
	boot(&h, "1M:1M:region");
	CHECK(!sim_logged("Revived memory reservation"));
	CHECK_MACHINE();
}

/* The version of this kernel is another one than that of the previous kernel */
TEST(older_version)
{
	struct sim_handover h = previous();

	sim_boot_early(&h);
	memblock_kho_component.version = 2;
	sim_reserve_mem((char[]){ "1M:1M:region" });
	CHECK(sim_logged("Revived memory reservation 'region' from KHO"));
}

TEST(version_that_is_not_read_any_more)
{
	struct sim_handover h = previous();

	sim_boot_early(&h);
	memblock_kho_component.version = 3;
	memblock_kho_component.min_version = 2;
	sim_reserve_mem((char[]){ "1M:1M:region" });
	CHECK(sim_logged("'memblock-v1', expected memblock-v2 to 3"));
	CHECK(!sim_logged("Revived memory reservation 'region' from KHO"));
}

/* As both are that are new on a boot with a handover: nothing is in use */
TEST(none_to_hand_on)
{
	struct sim_handover h = previous();

	sim_boot_early(&h);
	sim_reserve_mem((char[]){ "1M:1M:new" });
	sim_boot_memory();
	sim_kho_init();
	sim_reserve_mem_init();
	CHECK(sim_logged("reserve_mem 'new' lies in scratch and is not handed to the next kernel"));
	CHECK_EQ(0, kho_component_users(&memblock_kho_component));
	CHECK_EQ(0, kho_component_users(&kho_radix_component));
	CHECK_MACHINE();
}

TEST(other_size_on_the_command_line)
{
	struct sim_handover h = previous();

	boot(&h, "512K:4096:region");
	CHECK(sim_logged("'region' has wrong size (0x100000 != 0x80000)"));
	CHECK(sim_logged("Revived memory reservation 'other' from KHO"));
	CHECK_MACHINE();
}

TEST(no_memory_there)
{
	struct sim_handover h = previous();

	set_u64(sim_subtree(&h, MEMBLOCK_KHO_FDT), "region", "start", SIM_END + SZ_1M);
	expect_new(&h, "'region' at 0x82100000 is not in memory");
}

/* On arm64 what firmware keeps to itself is memory, but not mapped */
static void expect_not_mapped(const struct sim_handover *h, phys_addr_t phys,
			      const char *text)
{
	sim_scratch_parse((char[]){ "4M,0,4M" });
	sim_boot_early(h);
	memblock_mark_nomap(phys, SZ_1M);
	sim_reserve_mem((char[]){ "1M:1M:region" });
	CHECK(sim_logged(text));
	CHECK(!sim_logged("Revived"));
}

TEST(region_is_not_mapped)
{
	struct sim_handover h;
	phys_addr_t phys;

	boot(NULL, "1M:1M:region");
	phys = region("region");
	h = sim_kexec();
	expect_not_mapped(&h, phys, "is not in memory that can be preserved");
}

TEST(fdt_is_not_mapped)
{
	struct sim_handover h = previous();
	void *fdt = sim_subtree(&h, MEMBLOCK_KHO_FDT);

	expect_not_mapped(&h, ALIGN_DOWN(virt_to_phys(fdt), SZ_1M), "is damaged");
}

TEST(misaligned)
{
	struct sim_handover h = previous();

	set_u64(sim_subtree(&h, MEMBLOCK_KHO_FDT), "region", "start", SIM_END - SZ_1M - SZ_4K);
	expect_new(&h, "'region' has wrong alignment (0x100000, 0x81eff000)");
}

/* "other" is where "region" is: the first one on the command line has it */
TEST(one_inside_the_other)
{
	struct sim_handover h = previous();
	void *fdt = sim_subtree(&h, MEMBLOCK_KHO_FDT);
	u64 start;

	memcpy(&start, fdt_getprop(fdt, fdt_subnode_offset(fdt, 0, "region"),
				   "start", NULL), sizeof(start));
	set_u64(fdt, "other", "start", start + SZ_64K);

	boot(&h, "1M:1M:region");
	CHECK_EQ(start, region("region"));
	CHECK(sim_logged("'other' at 0x"));
	CHECK(sim_logged("is in use already"));
	CHECK(region("other") < start || region("other") >= start + SZ_1M);
	CHECK_MACHINE();
}

TEST(no_valid_start)
{
	struct sim_handover h = previous();
	void *fdt = sim_subtree(&h, MEMBLOCK_KHO_FDT);

	fdt_nop_property(fdt, fdt_subnode_offset(fdt, 0, "region"), "start");
	expect_new(&h, "'region' has no valid start and size");
}

TEST(node_of_another_kind)
{
	struct sim_handover h = previous();
	void *fdt = sim_subtree(&h, MEMBLOCK_KHO_FDT);

	fdt_setprop_inplace(fdt, fdt_subnode_offset(fdt, 0, "region"), "compatible",
			    "reserve-mem-v9", sizeof("reserve-mem-v9"));
	expect_new(&h, "node 'region' of FDT 'memblock' is incompatible");
}

TEST(no_such_node)
{
	struct sim_handover h = previous();

	boot(&h, "1M:1M:new");
	CHECK(sim_logged("has no child 'new'"));
	CHECK(region("new"));
	CHECK_MACHINE();
}

TEST(broken_fdt)
{
	struct sim_handover h = previous();
	void *fdt = sim_subtree(&h, MEMBLOCK_KHO_FDT);

	fdt_set_totalsize(fdt, PAGE_SIZE + 4);
	expect_new(&h, "FDT 'memblock' at 0x");
	CHECK(sim_logged("is damaged"));
}

TEST(fdt_of_another_version)
{
	struct sim_handover h = previous();
	void *fdt = sim_subtree(&h, MEMBLOCK_KHO_FDT);

	fdt_setprop_inplace(fdt, 0, "compatible", "memblock-v9", sizeof("memblock-v9"));
	expect_new(&h, "node '' of FDT 'memblock' is incompatible");
}

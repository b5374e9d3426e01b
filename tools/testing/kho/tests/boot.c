// SPDX-License-Identifier: GPL-2.0-only
/*
 * What early boot reads: the FDT, the list of scratch areas, the map of
 * preserved memory, the kexec metadata; each damaged in turn.
 */

#include <linux/kho/abi/kexec_handover.h>
#include <linux/kho/abi/kexec_metadata.h>
#include <linux/kho/abi/radix_tree.h>
#include <linux/kho/compat.h>
#include <linux/kho/radix_tree.h>

#include "kexec_handover_internal.h"
#include "tap.h"

/* True if memblock lists a page as free, walked upwards or downwards */
static bool called_free(phys_addr_t phys)
{
	bool below = false, above = false;
	phys_addr_t start, end;
	u64 i;

	for_each_free_mem_range(i, NUMA_NO_NODE, MEMBLOCK_NONE, &start, &end, NULL)
		below |= phys >= start && phys < end;
	for_each_free_mem_range_reverse(i, NUMA_NO_NODE, MEMBLOCK_NONE, &start,
					&end, NULL)
		above |= phys >= start && phys < end;
	CHECK_EQ(below, above);
	return below;
}

/* Until memory is released, free is what may be allocated */
TEST(preserved_memory_is_not_free)
{
	struct sim_handover handover;
	struct folio *folio;
	unsigned long pages;
	phys_addr_t phys;

	sim_boot(NULL);
	folio = folio_alloc(GFP_KERNEL, 3);
	phys = page_to_phys(&folio->page);
	CHECK_EQ(0, kho_preserve_folio(folio));
	handover = sim_kexec();

	sim_boot_early(&handover);
	CHECK(!called_free(phys));
	CHECK(called_free(kho_scratch[0].addr + kho_scratch[0].size / 2));
	pages = memblock_estimated_nr_free_pages();
	kho_memory_init();
	CHECK(!called_free(phys));
	CHECK(kho_held_kib() >= 32);
	CHECK(memblock_estimated_nr_free_pages() <= pages - kho_held_kib() / 4);
	sim_boot_release();
	sim_boot_init();
	CHECK_MACHINE();
}

/* The kernel's own memory and 32 MiB on node 1, divided by a reservation */
static void boot_divided(char *scratch, phys_addr_t reserved, phys_addr_t allocated)
{
	sim_scratch_parse(scratch);
	sim_boot_map(NULL);
	memblock_reserve(SIM_END - SZ_16M, reserved);
	CHECK(!allocated || memblock_alloc(allocated, PAGE_SIZE));
	kho_memory_init_early();
	sim_boot_memory();
	sim_boot_init();
}

TEST(scratch_in_two_halves)
{
	struct sim_handover handover;
	struct folio *folio;
	phys_addr_t phys;

	boot_divided((char[]){ "20M,0,0" }, SZ_4M, 0);
	CHECK_EQ(2, kho_scratch_cnt);
	CHECK_EQ(SZ_8M + SZ_4M, kho_scratch[0].size);
	CHECK_EQ(SZ_8M, kho_scratch[1].size);
	folio = folio_alloc(GFP_KERNEL, 0);
	phys = page_to_phys(&folio->page);
	CHECK_EQ(0, kho_preserve_folio(folio));
	handover = sim_kexec();

	sim_boot(&handover);
	CHECK_EQ(2, kho_scratch_cnt);
	CHECK(kho_restore_folio(phys));
	CHECK_MACHINE();
}

/* An initrd is one segment and needs an area of its size */
TEST(scratch_in_two_parts_with_an_initrd)
{
	initrd_start = (unsigned long)phys_to_virt(SIM_END - SZ_16M);
	initrd_end = initrd_start + SZ_8M;
	boot_divided((char[]){ "200%" }, SZ_8M, SZ_4M);
	initrd_start = 0;
	CHECK_EQ(2, kho_scratch_cnt);
	CHECK_EQ(SZ_16M, kho_scratch[0].size);
	CHECK_EQ(SZ_4M, kho_scratch[1].size);
	CHECK_MACHINE();
}

/* The first half finds room, the second does not */
TEST(scratch_without_room)
{
	boot_divided((char[]){ "32M,0,0" }, SZ_4M, 0);
	CHECK(sim_logged("no contiguous memory for lowmem scratch of 32 MiB or two parts"));
	CHECK(!kho_is_enabled());
	CHECK_EQ(0, kho_scratch_cnt);
	CHECK_MACHINE();
}

/* A kernel that has preserved a page with order 0 at *@phys */
static struct sim_handover previous(phys_addr_t *phys)
{
	struct folio *folio;

	sim_boot(NULL);
	folio = folio_alloc(GFP_KERNEL, 0);
	*phys = page_to_phys(&folio->page);
	CHECK_EQ(0, kho_preserve_folio(folio));
	return sim_kexec();
}

/* A boot as if there had been no handover */
static void expect_refused(const struct sim_handover *h, const char *text)
{
	sim_boot(h);
	CHECK(sim_logged(text));
	CHECK(!is_kho_boot());
	CHECK_EQ(-ENOENT, kho_component_readable(&kho_radix_component));
	CHECK_EQ(0, kho_held_kib());
	CHECK_MACHINE();
}

/* The FDT */

TEST(fdt_longer_than_can_be_mapped)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);

	h.fdt_len = SZ_1M;
	expect_refused(&h, "refused, what was preserved is lost: ENOMEM");
}

TEST(fdt_longer_than_its_page)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);

	fdt_set_totalsize(phys_to_virt(h.fdt), PAGE_SIZE + 8);
	expect_refused(&h, "claims 4104 bytes, there are 4096");
}

TEST(fdt_where_there_is_no_memory)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);

	h.fdt = SIM_END + SZ_1M;
	expect_refused(&h, "is in no memory that this kernel knows");
}

TEST(fdt_without_a_map)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);

	fdt_nop_property(phys_to_virt(h.fdt), 0, KHO_FDT_MEMORY_MAP_PROP_NAME);
	expect_refused(&h, "has no valid preserved-memory-map");
}

static void set_map(const struct sim_handover *h, u64 map)
{
	fdt_setprop_inplace(phys_to_virt(h->fdt), 0, KHO_FDT_MEMORY_MAP_PROP_NAME,
			    &map, sizeof(map));
}

TEST(map_is_nowhere)
{
	const u64 nowhere[] = { 8, SIM_END, 1UL << 63, ~0UL, SZ_1G + SZ_4M };
	phys_addr_t phys;

	for (unsigned int i = 0; i < ARRAY_SIZE(nowhere); i++) {
		struct sim_handover h;

		sim_power_on();
		h = previous(&phys);
		set_map(&h, nowhere[i]);
		expect_refused(&h, "preserved memory map not found");
	}
}

/* A map without anything in it: what it says is lost, the FDT stays readable */
TEST(fdt_is_not_preserved)
{
	phys_addr_t phys, metadata;
	struct sim_handover h = previous(&phys);
	u64 empty = phys;

	memset(phys_to_virt(phys), 0, PAGE_SIZE);
	set_map(&h, empty);
	sim_boot(&h);
	CHECK(sim_logged("is not preserved itself"));
	CHECK(is_kho_boot());
	CHECK_EQ(SIM_EARLY, phys_to_page(h.fdt)->state);
	CHECK_EQ(0, kho_retrieve_subtree(KHO_METADATA_NODE_NAME, &metadata, NULL));
	CHECK_EQ(-ENOENT, kho_preserved_order(metadata));
	CHECK_EQ(0, kho_held_kib());
	CHECK_MACHINE();
}

TEST(fdt_in_scratch)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);
	phys_addr_t scratch = ((struct kho_scratch *)phys_to_virt(h.scratch))->addr;

	memcpy(phys_to_virt(scratch), phys_to_virt(h.fdt), PAGE_SIZE);
	h.fdt = scratch;
	expect_refused(&h, "is in scratch or no memory, handover dropped");
}

/* Scratch */

static struct kho_scratch *areas(const struct sim_handover *h)
{
	return phys_to_virt(h->scratch);
}

TEST(no_scratch)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);

	h.scratch_len = 0;
	expect_refused(&h, "list of areas has 0 bytes");
}

TEST(scratch_of_odd_length)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);

	h.scratch_len -= 4;
	expect_refused(&h, "list of areas has 44 bytes, expected a multiple of 16");
}

TEST(scratch_that_is_misaligned)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);

	areas(&h)[1].addr += 0x800;
	expect_refused(&h, "expected whole pages");
}

TEST(scratch_around_the_end)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);

	areas(&h)[2].size = ~0UL << PAGE_SHIFT;
	expect_refused(&h, "bad area of 0xfffffffffffff000 bytes");
}

TEST(scratch_without_the_kernel)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);

	h.image = phys;
	expect_refused(&h, "this kernel, 65536 bytes at ");
}

/* KASLR follows the list, so the kernel may be in an area that is none */
TEST(scratch_without_its_list)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);

	areas(&h)[0] = (struct kho_scratch) { phys, SIM_IMAGE_SIZE };
	h.image = phys;
	expect_refused(&h, "this list, 48 bytes at ");
}

TEST(scratch_that_overlaps)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);

	areas(&h)[2].addr = areas(&h)[0].addr + areas(&h)[0].size - PAGE_SIZE;
	expect_refused(&h, "overlap");
}

/* Linux 7.3 lists an area of nothing that begins where memory ends */
TEST(scratch_of_no_size)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);

	areas(&h)[1] = (struct kho_scratch) { SIM_END, 0 };
	sim_boot(&h);
	CHECK(is_kho_boot());
	CHECK(kho_restore_folio(phys));
	CHECK_MACHINE();
}

TEST(long_list_of_scratch)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);

	h.scratch_len = SZ_256K + 16;
	expect_refused(&h, "cannot map the list of areas");
}

/* The map */

static u64 *root(const struct sim_handover *h)
{
	const u64 *map = fdt_getprop(phys_to_virt(h->fdt), 0,
				     KHO_FDT_MEMORY_MAP_PROP_NAME, NULL);

	return phys_to_virt(get_unaligned(map));
}

/* The first node below @table, which may be none */
static u64 *below(const u64 *table)
{
	for (unsigned int i = 0; i < 1 << KHO_TABLE_SIZE_LOG2; i++) {
		if (table[i])
			return phys_to_virt(table[i]);
	}

	return NULL;
}

/* A boot that lost something of its map, but not the folio at @phys */
static void expect_lost(const struct sim_handover *h, const char *text,
			phys_addr_t phys)
{
	struct folio *folio;

	sim_boot(h);
	CHECK(sim_logged(text));
	CHECK(is_kho_boot());
	folio = kho_restore_folio(phys);
	if (CHECK(folio))
		folio_put(folio);
	CHECK_MACHINE();
}

TEST(node_is_nowhere)
{
	const u64 nowhere[] = { 0x1001, SIM_END, 1UL << 63, ~0UL, SZ_1G + SZ_4M };
	phys_addr_t phys;

	for (unsigned int i = 0; i < ARRAY_SIZE(nowhere); i++) {
		struct sim_handover h;

		sim_power_on();
		h = previous(&phys);
		below(root(&h))[300] = nowhere[i];
		expect_lost(&h, "preserved memory map has a bad node at 0x", phys);
	}
}

/* The last table above the bitmaps, in the branch of the first key */
static u64 *bitmaps(const struct sim_handover *h)
{
	u64 *table = root(h);

	for (unsigned int level = KHO_TREE_MAX_DEPTH - 2; level; level--)
		table = below(table);
	return table;
}

/* Folios on either node are in different bitmaps: one is lost, the other stays */
TEST(bitmap_is_nowhere)
{
	struct folio *folio;
	struct sim_handover h;
	phys_addr_t low, high;
	u64 *table;

	sim_boot(NULL);
	folio = folio_alloc(GFP_KERNEL, 0);
	low = page_to_phys(&folio->page);
	CHECK_EQ(0, kho_preserve_folio(folio));
	do {
		folio = folio_alloc(GFP_KERNEL, 9);
		high = page_to_phys(&folio->page);
	} while (high < SIM_END - SZ_32M);
	CHECK_EQ(0, kho_preserve_pages(&folio->page + 1, 1));
	high += PAGE_SIZE;
	h = sim_kexec();

	table = bitmaps(&h);
	table[PHYS_PFN(high) / KHO_RADIX_BITMAP_KEYS] = SIM_END;
	expect_lost(&h, "preserved memory map has a bad node at 0x", low);
	CHECK_EQ(-ENOENT, kho_preserved_order(high));
}

/* As good as the real one, but the next allocation may take its page */
TEST(node_in_scratch)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);
	u64 *table = below(root(&h)), scratch = areas(&h)[0].addr;

	memcpy(phys_to_virt(scratch), below(table), PAGE_SIZE);
	for (unsigned int i = 0; i < 1 << KHO_TABLE_SIZE_LOG2; i++) {
		if (table[i])
			table[i] = scratch;
	}
	sim_boot(&h);
	CHECK(sim_logged("preserved memory map has a bad node at 0x"));
	CHECK(is_kho_boot());
	CHECK_EQ(-ENOENT, kho_preserved_order(phys));
	CHECK_MACHINE();
}

/* What leads to all others: there is nothing without it */
TEST(root_in_scratch)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);
	u64 scratch = areas(&h)[0].addr;

	memcpy(phys_to_virt(scratch), root(&h), PAGE_SIZE);
	set_map(&h, scratch);
	expect_refused(&h, "preserved memory map damaged, handover dropped");
}

/* Every table that leads to itself: as many walks as the depth allows */
TEST(tables_in_a_circle)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);
	u64 *table = root(&h);

	for (unsigned int i = 0; i < 1 << KHO_TABLE_SIZE_LOG2; i++)
		table[i] = virt_to_phys(table);
	expect_refused(&h, "preserved memory map has more than");
}

/* A bitmap where no key can be: the tree has room for more bits than keys have */
TEST(bitmap_beyond_all_keys)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);
	u64 *table = root(&h);

	table[(1 << KHO_TABLE_SIZE_LOG2) - 1] = virt_to_phys(below(table));
	expect_lost(&h, "preserved memory map has a bad key 0x", phys);
}

/* Found when others have been taken over already: they stay */
TEST(range_is_nowhere)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);
	u64 *leaf = below(bitmaps(&h));

	/* The last key of this bitmap is far beyond memory, or no key at all */
	leaf[PAGE_SIZE / sizeof(u64) - 1] |= 1UL << 63;
	expect_lost(&h, "is in no memory that this kernel knows and is lost", phys);
	CHECK(sim_logged("lost 1 preserved ranges"));
}

/* Metadata */

static void set_metadata_size(const struct sim_handover *h, u64 size)
{
	void *fdt = phys_to_virt(h->fdt);

	fdt_setprop_inplace(fdt, fdt_subnode_offset(fdt, 0, KHO_METADATA_NODE_NAME),
			    KHO_SUB_TREE_SIZE_PROP_NAME, &size, sizeof(size));
}

static struct kho_kexec_metadata *metadata(const struct sim_handover *h)
{
	return sim_subtree(h, KHO_METADATA_NODE_NAME);
}

/* It is for the log only: a handover without it is as good */
static void expect_no_metadata(const struct sim_handover *h, const char *text,
			       phys_addr_t phys)
{
	sim_boot(h);
	CHECK(sim_logged(text));
	CHECK(!sim_logged("exec from"));
	CHECK(is_kho_boot());
	CHECK(kho_restore_folio(phys));
	CHECK_MACHINE();
}

TEST(metadata_too_short)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);

	set_metadata_size(&h, sizeof(struct kho_kexec_metadata) - 1);
	expect_no_metadata(&h, "kexec-metadata at 0x", phys);
}

TEST(metadata_of_another_version)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);

	metadata(&h)->version = 99;
	expect_no_metadata(&h, "kexec-metadata has version 99, expected 1", phys);
}

TEST(no_metadata)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);
	void *fdt = phys_to_virt(h.fdt);

	fdt_del_node(fdt, fdt_subnode_offset(fdt, 0, KHO_METADATA_NODE_NAME));
	expect_no_metadata(&h, "handover of kho-v5", phys);
}

TEST(metadata_without_an_end)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);

	memset(metadata(&h)->previous_release, 'x',
	       sizeof(metadata(&h)->previous_release));
	sim_boot(&h);
	CHECK(sim_logged("exec from: xxx"));
	CHECK_MACHINE();
}

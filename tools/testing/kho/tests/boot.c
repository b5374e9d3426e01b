// SPDX-License-Identifier: GPL-2.0-only
/*
 * What early boot reads: the FDT, the list of scratch areas, the map of
 * preserved memory, the kexec metadata; each damaged in turn.
 */

#include <linux/kho/abi/kexec_handover.h>
#include <linux/kho/abi/kexec_metadata.h>
#include <linux/kho/abi/radix_tree.h>
#include <linux/kho/compat.h>

#include "tap.h"

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
	expect_refused(&h, "no valid FDT header");
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

TEST(fdt_is_not_preserved)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);
	u64 empty = phys;

	/* A map without anything in it */
	memset(phys_to_virt(phys), 0, PAGE_SIZE);
	set_map(&h, empty);
	expect_refused(&h, "is not preserved itself");
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

TEST(node_is_nowhere)
{
	const u64 nowhere[] = { 0x1001, SIM_END, 1UL << 63, ~0UL, SZ_1G + SZ_4M };
	phys_addr_t phys;

	for (unsigned int i = 0; i < ARRAY_SIZE(nowhere); i++) {
		struct sim_handover h;

		sim_power_on();
		h = previous(&phys);
		below(root(&h))[300] = nowhere[i];
		expect_refused(&h, "preserved memory map has a bad node at 0x");
	}
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
	expect_refused(&h, "preserved memory map has a bad node at 0x");
}

/* Every table that leads to itself: as many walks as the depth allows */
TEST(tables_in_a_circle)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);
	u64 *table = root(&h);

	for (unsigned int i = 0; i < 1 << KHO_TABLE_SIZE_LOG2; i++)
		table[i] = virt_to_phys(table);
	expect_refused(&h, "preserved memory map has a bad");
}

/* Found when others have been taken over already: they are free like all else */
TEST(range_is_nowhere)
{
	phys_addr_t phys;
	struct sim_handover h = previous(&phys);
	u64 *node = root(&h), *leaf;

	for (unsigned int level = KHO_TREE_MAX_DEPTH - 1; level; level--)
		node = below(node);
	leaf = node;
	/* The last key of this bitmap is far beyond memory, or no key at all */
	leaf[PAGE_SIZE / sizeof(u64) - 1] |= 1UL << 63;
	expect_refused(&h, "preserved memory map has a bad range");
	CHECK(kho_preserved_order(phys) < 0);
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

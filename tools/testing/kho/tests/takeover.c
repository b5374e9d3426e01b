// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which memory the next kernel keeps: maps that are whole but say odd things,
 * and memory that is short while one is read.
 */

#include <linux/kho/abi/kexec_handover.h>
#include <linux/kho/abi/radix_tree.h>

#include "kexec_handover_internal.h"
#include "tap.h"

static struct sim_handover handover;

/* A folio of the previous kernel; returns where it is */
static phys_addr_t preserve(unsigned int order)
{
	struct folio *folio = folio_alloc(GFP_KERNEL, order);

	CHECK_EQ(0, kho_preserve_folio(folio));
	return page_to_phys(&folio->page);
}

static void expect_restored(phys_addr_t phys)
{
	struct folio *folio = kho_restore_folio(phys);

	if (CHECK(folio))
		folio_put(folio);
	CHECK_MACHINE();
}

/* Boot with something else about memory than the previous kernel knew */
static void boot_with(void (*change)(void))
{
	sim_scratch_parse((char[]){ "4M,0,4M" });
	sim_boot_map(&handover);
	change();
	kho_memory_init_early();
	sim_boot_memory();
	sim_boot_init();
}

/* Handed over twice, as part of a larger range as well */
TEST(range_in_another)
{
	struct folio *folio;
	phys_addr_t phys;

	sim_boot(NULL);
	folio = folio_alloc(GFP_KERNEL, 9);
	phys = page_to_phys(&folio->page);
	CHECK_EQ(0, kho_preserve_folio(folio));
	CHECK_EQ(0, kho_preserve_pages(&folio->page + 7, 1));

	sim_reboot();
	CHECK(sim_logged("preserved range of order 0 at page frame 0x"));
	CHECK(sim_logged("lies in a larger one and is lost"));
	CHECK_EQ(-ENOENT, kho_preserved_order(phys + 7 * PAGE_SIZE));
	CHECK(!kho_restore_folio(phys + 7 * PAGE_SIZE));
	CHECK_EQ(9, kho_preserved_order(phys));
	expect_restored(phys);
}

static phys_addr_t middle;

static void use_all(void)
{
	memblock_reserve_kern(middle, 4 * PAGE_SIZE);
}

/* By somebody who was told that this was free: its owner does not get it back */
TEST(range_of_which_all_is_used)
{
	phys_addr_t after;

	sim_boot(NULL);
	middle = preserve(2);
	after = preserve(2);
	handover = sim_kexec();

	boot_with(use_all);
	CHECK(sim_logged("preserved range of order 2 at page frame 0x"));
	CHECK(sim_logged("has been taken for something else and is lost"));
	CHECK(sim_logged("lost 1 preserved ranges, 4 pages"));
	CHECK_EQ(-ENOENT, kho_preserved_order(middle));
	expect_restored(after);
}

/* What memblock said of memory is not true for ever */
TEST(memory_that_goes_between_two_walks)
{
	phys_addr_t phys;

	sim_boot(NULL);
	phys = preserve(0);
	handover = sim_kexec();

	sim_scratch_parse((char[]){ "4M,0,4M" });
	sim_boot_early(&handover);
	CHECK(kho_in_memory(phys));
	memblock_mark_nomap(phys, PAGE_SIZE);
	kho_memory_init();
	CHECK(sim_logged("is in no memory that this kernel knows and is lost"));
	CHECK_EQ(-ENOENT, kho_preserved_order(phys));
}

static void use_a_page(void)
{
	memblock_reserve_kern(middle + PAGE_SIZE, PAGE_SIZE);
}

/* Nobody gets it back, and nobody else gets what is left of it */
TEST(range_of_which_a_part_is_used)
{
	phys_addr_t before, after;

	sim_boot(NULL);
	before = preserve(2);
	middle = preserve(2);
	after = preserve(2);
	handover = sim_kexec();

	boot_with(use_a_page);
	CHECK(sim_logged("has been taken for something else and is lost"));
	CHECK(sim_logged("lost 1 preserved ranges, 4 pages"));
	CHECK_EQ(-ENOENT, kho_preserved_order(middle));
	CHECK_EQ(SIM_EARLY, phys_to_page(middle)->state);
	CHECK_EQ(SIM_EARLY, phys_to_page(middle + 3 * PAGE_SIZE)->state);
	expect_restored(before);
	expect_restored(after);
}

/* As firmware's tables are: something around what is preserved, or a part of it */
static void reserve_around(void)
{
	memblock_reserve(middle - PAGE_SIZE, 2 * PAGE_SIZE);
	memblock_reserve(middle + 3 * PAGE_SIZE, 4 * PAGE_SIZE);
}

/* A reservation is no use: the range stays, and its pages are not reserved */
TEST(range_that_is_reserved)
{
	struct folio *folio;
	phys_addr_t after;

	sim_boot(NULL);
	folio = folio_alloc(GFP_KERNEL, 4);
	middle = page_to_phys(folio_page(folio, 4));
	after = middle + 4 * PAGE_SIZE;
	CHECK_EQ(0, kho_preserve_pages(folio_page(folio, 4), 4));
	CHECK_EQ(0, kho_preserve_pages(folio_page(folio, 8), 4));
	handover = sim_kexec();

	boot_with(reserve_around);
	CHECK(!sim_logged("is lost"));
	CHECK(phys_to_page(middle - PAGE_SIZE)->reserved);
	CHECK(!phys_to_page(middle)->reserved);
	CHECK(!phys_to_page(after + PAGE_SIZE)->reserved);
	CHECK(kho_restore_pages(middle, 4));
	CHECK(kho_restore_pages(after, 4));
	CHECK_MACHINE();
}

/* As Linux 7.3 may leave a reserve_mem region */
TEST(range_in_scratch)
{
	struct kho_scratch *areas;
	phys_addr_t phys, other;

	sim_boot(NULL);
	phys = preserve(0);
	other = preserve(3);
	handover = sim_kexec();

	areas = phys_to_virt(handover.scratch);
	areas[2] = (struct kho_scratch) { phys, PAGE_SIZE };
	sim_boot(&handover);
	CHECK(sim_logged("lies in scratch and is lost"));
	CHECK_EQ(-ENOENT, kho_preserved_order(phys));
	expect_restored(other);
}

/* The second half of what is at @middle is on the other node */
static void split_middle(void)
{
	memblock_set_node(middle + 2 * PAGE_SIZE, 2 * PAGE_SIZE, &memblock.memory, 1);
}

TEST(range_on_two_nodes)
{
	phys_addr_t other;

	sim_boot(NULL);
	middle = preserve(2);
	other = preserve(2);
	handover = sim_kexec();

	boot_with(split_middle);
	CHECK(sim_logged("lies on more than one node and is lost"));
	CHECK(sim_logged("lost 1 preserved ranges, 4 pages"));
	CHECK_EQ(-ENOENT, kho_preserved_order(middle));
	expect_restored(other);
}

/* Of a run only those ranges are lost that the border goes through */
TEST(run_on_two_nodes)
{
	struct folio *folio;

	sim_boot(NULL);
	folio = folio_alloc(GFP_KERNEL, 4);
	middle = page_to_phys(&folio->page);
	for (unsigned int i = 0; i < 16; i += 4)
		CHECK_EQ(0, kho_preserve_pages(&folio->page + i, 4));
	handover = sim_kexec();

	boot_with(split_middle);
	CHECK(sim_logged("lost 1 preserved ranges, 4 pages"));
	CHECK(!kho_restore_pages(middle, 4));
	for (unsigned int i = 4; i < 16; i += 4)
		CHECK(kho_restore_pages(middle + i * PAGE_SIZE, 4));
	CHECK_MACHINE();
}

static phys_addr_t blocks[12];

/* Every other page of the blocks */
static phys_addr_t nth_page(unsigned int n)
{
	return blocks[n / 256] + n % 256 * 2 * PAGE_SIZE;
}

/* On nodes of which one may be taken out, some of the pages in between are in use */
static void use_pages_between(void)
{
	const struct sim_range *node1 = &sim_memory[2];

	sim_movable_node = true;
	memblock_mark_hotplug(node1->start, node1->end - node1->start);
	for (unsigned int i = 0; i < 400; i++)
		memblock_reserve_kern(nth_page(7 * i) + PAGE_SIZE, PAGE_SIZE);
}

/* So are some of what is preserved, and some that is near to nothing else */
static void use_pages(void)
{
	use_pages_between();
	for (unsigned int i = 0; i < 2000; i += 2)
		memblock_reserve_kern(nth_page(i), PAGE_SIZE);
}

static void preserve_many(void)
{
	sim_boot(NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(blocks); i++) {
		struct page *page = alloc_pages(GFP_KERNEL, 9);

		if (!CHECK(page))
			return;
		blocks[i] = page_to_phys(page);
	}
	for (unsigned int nr = 0; nr < 3000; nr++)
		CHECK_EQ(0, kho_preserve_pages(phys_to_page(nth_page(nr)), 1));
	handover = sim_kexec();
}

/* No step for each range and each reservation */
TEST(many_ranges_and_reservations)
{
	preserve_many();
	boot_with(use_pages_between);
	for (unsigned int nr = 0; nr < 3000; nr++)
		CHECK_EQ(0, kho_preserved_order(nth_page(nr)));
	printf("# %lu steps\n", kho_takeover_steps);
	CHECK(kho_takeover_steps <= 10000);
}

TEST(many_ranges_in_use)
{
	preserve_many();
	boot_with(use_pages);
	CHECK(sim_logged("lost 1000 preserved ranges, 1000 pages"));
	printf("# %lu steps\n", kho_takeover_steps);
	CHECK(kho_takeover_steps <= 20000);
}

/* Whoever takes memory offline would wait for what does not move */
TEST(preserved_memory_stays_online)
{
	struct folio *folio;
	unsigned long pfn;
	phys_addr_t phys;

	sim_boot(NULL);
	phys = preserve(3);
	pfn = PHYS_PFN(phys);
	CHECK_EQ(0, kho_check_offline(pfn + 8, pfn + 16));
	CHECK_EQ(-EBUSY, kho_check_offline(pfn - 16, pfn + 16));
	CHECK_EQ(-EBUSY, kho_check_offline(pfn + 5, pfn + 16));
	CHECK(sim_logged("memory cannot go offline, page frame 0x"));
	CHECK(sim_logged("is preserved"));

	sim_reboot();
	CHECK_EQ(-EBUSY, kho_check_offline(pfn - 16, pfn + 1));
	CHECK_EQ(-EBUSY, kho_check_offline(pfn + 5, pfn + 6));
	CHECK(sim_logged("is held for the previous kernel"));
	folio = kho_restore_folio(phys);
	CHECK_EQ(0, kho_check_offline(pfn, pfn + 8));
	CHECK_EQ(0, kho_preserve_folio(folio));
	CHECK_EQ(-EBUSY, kho_check_offline(pfn, pfn + 8));
	kho_unpreserve_folio(folio);
	CHECK_EQ(0, kho_check_offline(pfn, pfn + 8));
	folio_put(folio);
}

/* A batch accounts for a page that may be free by then: its memory must be there */
TEST(memory_stays_online_until_a_batch_ends)
{
	struct kho_restore_batch batch = {};
	unsigned long pfn;
	phys_addr_t phys;

	sim_boot(NULL);
	phys = preserve(0);
	pfn = PHYS_PFN(phys);
	sim_reboot();
	folio_put(kho_restore_folio_batch(&batch, phys));
	CHECK_EQ(-EBUSY, kho_check_offline(pfn, pfn + 1));
	CHECK(sim_logged("memory of the previous kernel is being restored"));
	kho_restore_batch_end(&batch);
	CHECK_EQ(0, kho_check_offline(pfn, pfn + 1));

	/* It may have restored nothing, go on, and end twice */
	CHECK(!kho_restore_folio_batch(&batch, phys));
	CHECK(!kho_restore_pages_batch(&batch, phys, 1));
	kho_restore_batch_end(&batch);
	kho_restore_batch_end(&batch);
	CHECK_EQ(0, kho_check_offline(pfn, pfn + 1));
}

/* Firmware tells some memory from other: that is a border, but no obstacle */
static void mark_middle(void)
{
	memblock_mark_hotplug(middle + 2 * PAGE_SIZE, PAGE_SIZE);
}

TEST(range_with_a_border_in_it)
{
	sim_boot(NULL);
	middle = preserve(2);
	handover = sim_kexec();

	boot_with(mark_middle);
	CHECK_EQ(2, kho_preserved_order(middle));
	expect_restored(middle);
}

/* There is memory, but not for the kernel: it cannot be read */
static void keep_for_firmware(void)
{
	memblock_mark_nomap(middle, 4 * PAGE_SIZE);
}

TEST(range_that_firmware_keeps)
{
	phys_addr_t other;

	sim_boot(NULL);
	middle = preserve(2);
	other = preserve(0);
	handover = sim_kexec();

	boot_with(keep_for_firmware);
	CHECK(sim_logged("is in no memory that this kernel knows and is lost"));
	CHECK_EQ(-ENOENT, kho_preserved_order(middle));
	CHECK_EQ(SIM_EARLY, phys_to_page(middle)->state);
	expect_restored(other);
}

static u64 *table_at(u64 phys)
{
	return phys_to_virt(phys);
}

static u64 *root(void)
{
	const u64 *map = fdt_getprop(phys_to_virt(handover.fdt), 0,
				     KHO_FDT_MEMORY_MAP_PROP_NAME, NULL);

	return table_at(get_unaligned(map));
}

/* Pages that were in use, but are not preserved: they may hold nodes */
static u64 nodes[KHO_TREE_MAX_DEPTH];

static void alloc_nodes(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(nodes); i++)
		nodes[i] = virt_to_phys((void *)get_zeroed_page(GFP_KERNEL));
}

static void expect_refused(const char *text)
{
	sim_boot(&handover);
	CHECK(sim_logged(text));
	CHECK(!is_kho_boot());
	CHECK_MACHINE();
}

/* Keys 0 and 1 would have an order that no range has */
TEST(key_without_an_order)
{
	phys_addr_t phys;

	sim_boot(NULL);
	alloc_nodes();
	phys = preserve(0);
	handover = sim_kexec();

	root()[0] = nodes[1];
	for (unsigned int i = 1; i < KHO_TREE_MAX_DEPTH - 1; i++)
		table_at(nodes[i])[0] = nodes[i + 1];
	*table_at(nodes[KHO_TREE_MAX_DEPTH - 1]) = 3;
	sim_boot(&handover);
	CHECK(sim_logged("preserved memory map has a bad key 0x1"));
	CHECK(is_kho_boot());
	expect_restored(phys);
}

/*
 * Tables that lead to the same tables over and over, and never to a key: that
 * ends long before there are as many nodes as pages.
 */
TEST(endless_map)
{
	sim_boot(NULL);
	alloc_nodes();
	handover = sim_kexec();

	for (unsigned int i = 0; i < 1 << KHO_TABLE_SIZE_LOG2; i++) {
		root()[i] = nodes[1];
		for (unsigned int level = 1; level < KHO_TREE_MAX_DEPTH - 1; level++)
			table_at(nodes[level])[i] = nodes[level + 1];
	}
	expect_refused("preserved memory map has more than 588 nodes");
}

/* One range in each bitmap of order 0, and one of each order: that is a lot */
TEST(map_with_many_nodes)
{
	phys_addr_t phys[MAX_PAGE_ORDER + 1];

	sim_boot(NULL);
	for (unsigned int order = 0; order <= MAX_PAGE_ORDER; order++)
		phys[order] = preserve(order);
	sim_reboot();
	for (unsigned int order = 0; order <= MAX_PAGE_ORDER; order++)
		expect_restored(phys[order]);
}

/* Leave so many pages of all that memblock may allocate from */
static unsigned long pages_left;

static void use_up_scratch(void)
{
	unsigned long left = pages_left;
	phys_addr_t start, end;
	u64 i;

	for_each_free_mem_range(i, NUMA_NO_NODE, MEMBLOCK_KHO_SCRATCH, &start, &end, NULL) {
		unsigned long keep = min(left, PHYS_PFN(end - start));

		left -= keep;
		memblock_reserve(start + PFN_PHYS(keep), end - start - PFN_PHYS(keep));
	}
}

/* Everything is taken over or nothing, however little memory there is */
TEST(memory_runs_out)
{
	phys_addr_t low, high;
	bool taken = false;

	for (pages_left = 0; !taken && pages_left < 20; pages_left++) {
		sim_power_on();
		sim_boot(NULL);
		low = preserve(2);
		do
			high = preserve(0);
		while (early_pfn_to_nid(PHYS_PFN(high)) == 0);
		handover = sim_kexec();

		boot_with(use_up_scratch);
		taken = is_kho_boot();
		CHECK_EQ(!taken, sim_logged("preserved memory not taken over: ENOMEM"));
		CHECK_EQ(taken ? 2 : -ENOENT, kho_preserved_order(low));
		CHECK_EQ(taken ? 0 : -ENOENT, kho_preserved_order(high));
		CHECK_PAGES();
	}
	CHECK(taken);
	CHECK(pages_left > 2);
}

static void fill_reserved(void)
{
	for (phys_addr_t phys = SZ_1G; memblock.reserved.cnt < memblock.reserved.max;
	     phys += SZ_8K)
		memblock_reserve(phys, PAGE_SIZE);
}

/*
 * When memory is released memblock may need a larger array of what is reserved,
 * and takes it from as high up as it can. What is preserved there is no longer in
 * that array.
 */
TEST(room_for_reservations)
{
	phys_addr_t phys = SIM_END - SZ_8M;
	unsigned long max;
	u8 *mem = phys_to_virt(phys);

	sim_scratch_parse((char[]){ "4M,0,4M" });
	sim_boot_early(NULL);
	memblock_reserve(phys, SZ_8M);
	sim_boot_memory();
	sim_boot_init();
	memset(mem, 0x5a, SZ_8M);
	CHECK_EQ(0, kho_preserve_pages(phys_to_page(phys), PHYS_PFN(SZ_8M)));
	handover = sim_kexec();

	sim_boot_early(&handover);
	kho_memory_init();
	fill_reserved();
	max = memblock.reserved.max;
	sim_boot_release();
	CHECK(memblock.reserved.max > max);
	CHECK(!memchr_inv(mem, 0x5a, SZ_8M));
	sim_boot_init();
	CHECK(kho_restore_pages(phys, PHYS_PFN(SZ_8M)));
	CHECK_MACHINE();
}

/* More areas behind the first two; none can be used, and all are memory */
static void list_areas(unsigned int nr, unsigned int step)
{
	struct kho_scratch *areas;

	sim_power_on();
	sim_boot(NULL);
	handover = sim_kexec();
	areas = phys_to_virt(handover.scratch);
	for (unsigned int i = 3; i < nr; i++)
		areas[i] = (struct kho_scratch) {
			SIM_END - SZ_32M + i * step * PAGE_SIZE, PAGE_SIZE
		};
	areas[2].size = 0;
	handover.scratch_len = nr * sizeof(*areas);
}

/* More areas than memblock has room for, where its array cannot grow */
TEST(too_many_scratch_areas)
{
	list_areas(45, 2);
	sim_boot(&handover);
	CHECK(is_kho_boot());

	list_areas(200, 2);
	expect_refused("of 200 at 0x");
	CHECK(sim_logged("refused, what was preserved is lost: ENOSPC"));
}

/* The log has the parameter that helps */
TEST(no_room_for_scratch)
{
	sim_scratch_parse((char[]){ "16M,8G,0" });
	sim_boot_early(NULL);
	kho_memory_init();
	CHECK(sim_logged("no contiguous memory for global scratch of 8192 MiB"));
	CHECK(sim_logged("a smaller kho_scratch= may fit"));
}

/* The list of a kernel that knew of more memory */
TEST(scratch_is_no_memory)
{
	list_areas(4, 2);
	((struct kho_scratch *)phys_to_virt(handover.scratch))[3].addr = SIM_END;
	expect_refused("bad area of 0x1000 bytes at 0x0000000082000000");
	CHECK_EQ(SIM_END, memblock_end_of_DRAM());
}

/* The list, and the kernel, in the area of the node that is lower */
static struct kho_scratch *move_list_down(void)
{
	struct kho_scratch *areas = phys_to_virt(handover.scratch);
	phys_addr_t low = areas[1].addr;

	CHECK(low < SIM_END - SZ_32M);
	memcpy(phys_to_virt(low), areas, handover.scratch_len);
	handover.scratch = low;
	handover.image = low + SIM_IMAGE_SIZE;
	return phys_to_virt(low);
}

/* mem= of this kernel: less memory than the previous one had */
static void expect_limit(phys_addr_t limit, const char *text)
{
	sim_memory_limit = limit;
	expect_refused(text);
	CHECK(memblock_end_of_DRAM() <= limit);
}

TEST(limit_below_scratch)
{
	sim_boot(NULL);
	handover = sim_kexec();
	move_list_down();
	expect_limit(SZ_1G + SZ_4M, "expected whole pages of memory that this kernel knows");
}

TEST(limit_below_the_list)
{
	sim_boot(NULL);
	handover = sim_kexec();
	expect_limit(SZ_1G, "list of areas at 0x");
	CHECK(sim_logged("48 bytes, is in no memory that this kernel knows"));
}

/* Only what is beyond it is lost */
TEST(limit_below_a_range)
{
	struct kho_scratch *areas;
	phys_addr_t low, high;
	struct folio *folio;

	sim_boot(NULL);
	low = preserve(0);
	do {
		folio = folio_alloc(GFP_KERNEL, 9);
		if (!CHECK(folio))
			return;
		high = page_to_phys(&folio->page);
	} while (high < SIM_END - SZ_32M + SZ_4M);
	CHECK_EQ(0, kho_preserve_folio(folio));
	handover = sim_kexec();

	/* Areas come from the top of memory */
	areas = move_list_down();
	for (unsigned int i = 0; i < 3; i++) {
		if (areas[i].addr + areas[i].size > high)
			areas[i].size = 0;
	}
	sim_memory_limit = high;
	sim_boot(&handover);
	CHECK(sim_logged("its ranges are lost"));
	CHECK(is_kho_boot());
	CHECK_EQ(SIM_EARLY, phys_to_page(high)->state);
	expect_restored(low);
}

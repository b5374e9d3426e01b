// SPDX-License-Identifier: GPL-2.0-only
/*
 * The area for a crash kernel: the next kernel reserves its own where this one has
 * it, and scratch is none the larger for that.
 */

#include <linux/crash_reserve.h>
#include <linux/kho/abi/kexec_handover.h>

#include "kexec_handover_internal.h"
#include "tap.h"

#define CRASH_SIZE	SZ_16M

/* As reserve_crashkernel_generic() does */
static phys_addr_t reserve(phys_addr_t size)
{
	phys_addr_t base = kho_crash_alloc(size, SZ_1M, 0, SIM_END) ?:
			   memblock_phys_alloc_range(size, SZ_1M, 0, SIM_END);

	if (base)
		crashk_res = (struct resource) { .start = base, .end = base + size - 1 };
	return base;
}

static void boot_scratch(const struct sim_handover *from, char *scratch)
{
	sim_scratch_parse(scratch);
	sim_boot_map(from);
}

static void boot_map(const struct sim_handover *from)
{
	boot_scratch(from, (char[]){ "4M,0,4M" });
}

static void boot_rest(void)
{
	kho_memory_init_early();
	sim_boot_memory();
	sim_boot_init();
}

/* A kernel with such an area that has preserved a page */
static phys_addr_t first_kernel(phys_addr_t *phys)
{
	struct folio *folio;
	phys_addr_t area;

	boot_map(NULL);
	area = reserve(CRASH_SIZE);
	boot_rest();
	folio = folio_alloc(GFP_KERNEL, 0);
	*phys = page_to_phys(&folio->page);
	CHECK_EQ(0, kho_preserve_folio(folio));
	return area;
}

static phys_addr_t marked(phys_addr_t phys)
{
	struct memblock_region *r;

	for_each_mem_region(r) {
		if (phys >= r->base && phys < r->base + r->size)
			return r->flags & MEMBLOCK_KHO_SCRATCH;
	}
	return 0;
}

TEST(crash_area_is_handed_on)
{
	struct sim_handover h;
	phys_addr_t phys, area;

	area = first_kernel(&phys);
	CHECK(area);
	for (unsigned int i = 0; i < kho_scratch_cnt; i++)
		CHECK(kho_scratch[i].size < CRASH_SIZE);

	for (int i = 0; i < 3; i++) {
		h = sim_kexec();
		boot_map(&h);
		CHECK(!marked(area));
		CHECK_EQ(area, reserve(CRASH_SIZE));
		CHECK(!marked(area));
		boot_rest();
		CHECK(!kho_scratch_overlap(area, CRASH_SIZE));
	}
	CHECK_MACHINE();
}

TEST(crash_area_does_not_count)
{
	unsigned long pages;

	boot_scratch(NULL, (char[]){ "200%" });
	boot_rest();
	pages = kho_scratch_pages();

	sim_power_on();
	boot_scratch(NULL, (char[]){ "200%" });
	CHECK(reserve(CRASH_SIZE));
	boot_rest();
	CHECK(kho_scratch_pages() <= pages + MAX_ORDER_NR_PAGES);
}

/* What is left of it is memory like any other */
TEST(crash_area_becomes_smaller)
{
	struct sim_handover h;
	phys_addr_t phys, area = first_kernel(&phys);

	crashk_res.end = area + CRASH_SIZE / 2 - 1;
	kho_crash_shrunk();
	h = sim_kexec();
	boot_map(&h);
	CHECK(!kho_crash_alloc(CRASH_SIZE, SZ_1M, 0, SIM_END));
	CHECK_EQ(area, reserve(CRASH_SIZE / 2));
	boot_rest();
	CHECK(kho_restore_folio(phys));

	crashk_res = (struct resource) {};
	kho_crash_shrunk();
	CHECK(!fdt_getprop(phys_to_virt(sim_kexec().fdt), 0, KHO_FDT_CRASH_PROP_NAME,
			   NULL));
}

TEST(crash_area_beyond_the_limits)
{
	struct sim_handover h;
	phys_addr_t phys, area = first_kernel(&phys);

	h = sim_kexec();
	boot_map(&h);
	CHECK(!kho_crash_alloc(CRASH_SIZE, SZ_1M, area + SZ_1M, SIM_END));
	CHECK(!kho_crash_alloc(CRASH_SIZE, SZ_1M, 0, area + CRASH_SIZE - 1));
	CHECK(!kho_crash_alloc(CRASH_SIZE + 1, SZ_1M, 0, SIM_END));
	CHECK_EQ(area, reserve(CRASH_SIZE));
	CHECK(!kho_crash_alloc(CRASH_SIZE, SZ_1M, 0, SIM_END));
}

/* Linux 7.3 does not read the FDT for it, and what it leaves has none */
TEST(crash_area_and_a_stock_kernel)
{
	struct sim_handover h;
	phys_addr_t phys, area = first_kernel(&phys);

	CHECK_EQ(0, sim_load());
	CHECK(!sim_logged("area for a crash kernel"));
	sim_unload();
	sim_next_is_stock();
	CHECK_EQ(0, sim_load());
	CHECK(sim_logged("may not find the area for a crash kernel"));

	h = sim_kexec();
	CHECK_EQ(0, fdt_nop_property(phys_to_virt(h.fdt), 0, KHO_FDT_CRASH_PROP_NAME));
	boot_map(&h);
	CHECK(!kho_crash_alloc(CRASH_SIZE, SZ_1M, 0, SIM_END));
	CHECK(!marked(area));
	boot_rest();
	CHECK(kho_restore_folio(phys));
	CHECK_MACHINE();
}

static void expect_larger(const char *cmdline, const char *text)
{
	phys_addr_t phys;

	sim_power_on();
	first_kernel(&phys);
	sim_next_cmdline = (char *)cmdline;
	CHECK_EQ(0, sim_load());
	sim_next_cmdline = "kho=on liveupdate=on";
	if (!CHECK(text ? sim_logged(text) : !sim_logged("crashkernel=")))
		printf("# %s\n", cmdline);
}

/* Then it has to come from scratch, which may have no room: told when it is loaded */
TEST(crash_area_of_the_next_kernel_is_larger)
{
	static const char text[] =
		"crashkernel= of the next kernel is 17408 KiB, the area of this one has 16384 KiB";

	expect_larger("kho=on liveupdate=on", NULL);
	expect_larger("kho=on liveupdate=on crashkernel=16M", NULL);
	expect_larger("kho=on liveupdate=on crashkernel=17M", text);
	expect_larger("kho=on liveupdate=on crashkernel=17M,high", text);
	expect_larger("kho=on liveupdate=on crashkernel=17M@32M", text);

	/* Those count that depend on nothing else, and the last of them */
	expect_larger("kho=on liveupdate=on crashkernel=16M crashkernel=99M,low", NULL);
	expect_larger("kho=on liveupdate=on crashkernel=16M crashkernel=99M,cma", NULL);
	expect_larger("kho=on liveupdate=on crashkernel=99M crashkernel=16M", NULL);

	/* The size depends on how much memory there is */
	expect_larger("kho=on liveupdate=on crashkernel=1M-64M:99M,64M-:16M", NULL);
	expect_larger("kho=on liveupdate=on crashkernel=1M-64M:99M,64M-64G:17M", text);
	expect_larger("kho=on liveupdate=on crashkernel=64G-:99M", NULL);

	expect_larger("kho=on liveupdate=on crashkernel=nonsense", NULL);
	expect_larger("kho=on liveupdate=on crashkernel=1M-64M", NULL);
	expect_larger("kho=on liveupdate=on crashkernel", NULL);
}

static u64 scratch_of(const struct sim_handover *h)
{
	return ((struct kho_scratch *)phys_to_virt(h->scratch))->addr;
}

static void expect_ignored(u64 addr, u64 size, const char *text)
{
	u64 area[] = { addr, size };
	struct sim_handover h;
	phys_addr_t phys;

	sim_power_on();
	first_kernel(&phys);
	h = sim_kexec();
	fdt_setprop_inplace(phys_to_virt(h.fdt), 0, KHO_FDT_CRASH_PROP_NAME, area,
			    sizeof(area));
	boot_map(&h);
	CHECK(sim_logged(text));
	CHECK(!kho_crash_alloc(PAGE_SIZE, PAGE_SIZE, 0, SIM_END));
	boot_rest();
	CHECK(kho_restore_folio(phys));
	CHECK_MACHINE();
}

TEST(crash_area_that_is_none)
{
	struct sim_handover h;
	phys_addr_t phys;

	first_kernel(&phys);
	h = sim_kexec();
	expect_ignored(scratch_of(&h), SZ_1M, "beside scratch");
	expect_ignored(SZ_64M, 0, "bad area of 0x0 bytes");
	expect_ignored(SZ_64M + 8, SZ_1M, "expected whole pages");
	expect_ignored(SZ_64M, SZ_1M + 8, "expected whole pages");
	expect_ignored(SIM_END, SZ_1M, "of memory that this kernel knows");
	expect_ignored(~0UL << PAGE_SHIFT, SZ_1M, "of memory that this kernel knows");
}

/* The range is lost, as it is with anything else that is reserved there */
TEST(crash_area_with_something_preserved)
{
	struct sim_handover h;
	phys_addr_t phys;
	u64 area[2];

	first_kernel(&phys);
	h = sim_kexec();
	area[0] = phys;
	area[1] = PAGE_SIZE;
	fdt_setprop_inplace(phys_to_virt(h.fdt), 0, KHO_FDT_CRASH_PROP_NAME, area,
			    sizeof(area));
	boot_map(&h);
	CHECK_EQ(phys, kho_crash_alloc(PAGE_SIZE, PAGE_SIZE, 0, SIM_END));
	boot_rest();
	CHECK(is_kho_boot());
	CHECK(!kho_restore_folio(phys));
	CHECK_MACHINE();
}

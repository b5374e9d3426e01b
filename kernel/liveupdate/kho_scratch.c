// SPDX-License-Identifier: GPL-2.0-only
/*
 * KHO scratch - memory that never holds anything preserved.
 *
 * Preserved pages can be anywhere, but the next image and the early allocations of
 * the next kernel need memory without any. A cold boot reserves areas for that; each
 * kernel passes the list on, loads the next image there, and has them as CMA
 * otherwise. With a handover, memblock allocates from nothing else from
 * kho_memory_known() until free memory is released: preserved memory has no
 * reservations.
 *
 * Owns the list of areas and its validation, their sizes (kho_scratch=), their
 * reservation and their release to CMA, and the place of the segments of the next
 * image. Memory that is treated as scratch during boot only is added by
 * kho_takeover.c.
 *
 * Takes the place of a part of kernel/liveupdate/kexec_handover.c of Linux 7.3:
 * Copyright (C) 2023 Alexander Graf <graf@amazon.com>
 * Copyright (C) 2025 Microsoft Corporation, Mike Rapoport <rppt@kernel.org>
 * Copyright (C) 2025 Google LLC, Changyuan Lyu <changyuanl@google.com>
 * Copyright (C) 2025 Pasha Tatashin <pasha.tatashin@soleen.com>
 * Copyright (C) 2026 Google LLC, Jason Miu <jasonmiu@google.com>
 */

#define pr_fmt(fmt) "KHO: scratch: " fmt

#include <linux/cma.h>
#include <linux/crash_reserve.h>
#include <linux/init.h>
#include <linux/initrd.h>
#include <linux/io.h>
#include <linux/kexec.h>
#include <linux/kexec_handover.h>
#include <linux/kmemleak.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/page-isolation.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include <asm/early_ioremap.h>
#include <asm/sections.h>

#include "../../mm/mm_init.h"
#include "kexec_handover_internal.h"

/*
 * Whole blocks of the highest order: deferred struct page init hands memory to
 * the allocator in such blocks, and merging looks at the neighbours of a page
 * within one. An area that ended inside would expose struct pages that are not
 * initialized yet. This is also enough for CMA.
 */
#define SCRATCH_ALIGN	(PAGE_SIZE * MAX_ORDER_NR_PAGES)
static_assert(SCRATCH_ALIGN >= CMA_MIN_ALIGNMENT_BYTES);

/* The list of areas; the array that the next kernel gets a copy of */
struct kho_scratch *kho_scratch;
unsigned int kho_scratch_cnt;

/* The areas are reserved: set on a cold boot until they are released */
static bool scratch_set_aside __initdata;

/*
 * Sizes, see kho_scratch= in the documentation: by default in percent of what
 * has been allocated from memblock, which is about what the next kernel will
 * allocate at the same point. A percentage of 0 means that sizes were given.
 */
static unsigned int scratch_percent __initdata = 200;
static phys_addr_t scratch_lowmem __initdata;
static phys_addr_t scratch_global __initdata;
static phys_addr_t scratch_pernode __initdata;

static int __init scratch_parse_percent(const char *arg, size_t digits)
{
	char number[sizeof("4294967295")];
	unsigned int percent;
	int err;

	if (digits >= sizeof(number))
		return -EINVAL;

	strscpy(number, arg, digits + 1);
	err = kstrtouint(number, 10, &percent);
	if (err || !percent)
		return -EINVAL;

	scratch_percent = percent;
	pr_notice("%u%% of early allocations\n", percent);
	return 0;
}

static int __init scratch_parse_sizes(char *arg)
{
	phys_addr_t size[3];

	for (int i = 0; i < ARRAY_SIZE(size); i++) {
		char *start = arg;

		size[i] = memparse(start, &arg);
		if (arg == start)
			return -EINVAL;
		/* A comma after all but the last, which ends the argument */
		if (*arg != (i < ARRAY_SIZE(size) - 1 ? ',' : '\0'))
			return -EINVAL;
		arg++;
	}

	if (!size[0] && !size[1] && !size[2])
		return -EINVAL;

	scratch_lowmem = size[0];
	scratch_global = size[1];
	scratch_pernode = size[2];
	scratch_percent = 0;
	pr_notice("lowmem %llu MiB, global %llu MiB, %llu MiB for each node\n",
		  size[0] / SZ_1M, size[1] / SZ_1M, size[2] / SZ_1M);
	return 0;
}

/* kho_scratch=N% or kho_scratch=LOWMEM,GLOBAL,PERNODE */
static int __init scratch_parse(char *arg)
{
	size_t len = arg ? strlen(arg) : 0;
	int err = -EINVAL;

	if (len && arg[len - 1] == '%')
		err = scratch_parse_percent(arg, len - 1);
	else if (len)
		err = scratch_parse_sizes(arg);

	if (err)
		pr_warn("kho_scratch=%s ignored, expected N%% or LOWMEM,GLOBAL,PERNODE\n",
			arg ?: "");
	return err;
}
early_param("kho_scratch", scratch_parse);

/**
 * kho_scratch_overlap - check whether a range overlaps scratch
 * @phys: physical address of the range.
 * @size: its size in bytes.
 *
 * Memory that overlaps scratch must not be preserved: the next kernel would
 * use it before it knew.
 *
 * Context: any.
 * Return: %true if any byte of the range is scratch.
 */
bool kho_scratch_overlap(phys_addr_t phys, size_t size)
{
	for (unsigned int i = 0; i < kho_scratch_cnt; i++) {
		const struct kho_scratch *area = &kho_scratch[i];

		if (area->size && phys < area->addr + area->size &&
		    area->addr < phys + size)
			return true;
	}

	return false;
}

/* Shrink *@first to *@last, which contains a range outside all areas, to what is outside */
void kho_scratch_beside(unsigned long pfn, unsigned long end,
			unsigned long *first, unsigned long *last)
{
	for (unsigned int i = 0; i < kho_scratch_cnt; i++) {
		unsigned long from = PHYS_PFN(kho_scratch[i].addr);
		unsigned long to = from + PHYS_PFN(kho_scratch[i].size);

		if (to <= pfn)
			*first = max(*first, to);
		else if (from >= end)
			*last = min(*last, from);
	}
}

/* The size of all areas, in pages */
unsigned long kho_scratch_pages(void)
{
	unsigned long pages = 0;

	for (unsigned int i = 0; i < kho_scratch_cnt; i++)
		pages += PHYS_PFN(kho_scratch[i].size);
	return pages;
}

/* What memblock has reserved for the kernel between two addresses */
static phys_addr_t __init scratch_reserved(phys_addr_t start, phys_addr_t end,
					   int nid)
{
	struct memblock_region *r;
	phys_addr_t size = 0;

	for_each_reserved_mem_region(r) {
		phys_addr_t from = max(start, r->base);
		phys_addr_t to = min(end, r->base + r->size);

		if (from >= to || !(r->flags & MEMBLOCK_RSRV_KERN))
			continue;
		if (nid == NUMA_NO_NODE || nid == memblock_get_region_node(r))
			size += to - from;
	}

	return size;
}

static phys_addr_t __init scratch_initrd_start(void)
{
	if (!IS_ENABLED(CONFIG_BLK_DEV_INITRD) || !initrd_start)
		return 0;

	return __pa(initrd_start);
}

static phys_addr_t __init scratch_initrd_len(void)
{
	return IS_ENABLED(CONFIG_BLK_DEV_INITRD) ? initrd_end - initrd_start : 0;
}

/* The next kernel gets an initrd as well, but only one, in a single segment */
static phys_addr_t __init scratch_initrd_size(phys_addr_t limit)
{
	phys_addr_t start = scratch_initrd_start();

	return start && start < limit ? scratch_initrd_len() : 0;
}

/* Memory for a crash kernel, which the next kernel has where this one has it */
static phys_addr_t __init scratch_crash_size(phys_addr_t limit, int nid)
{
	const struct resource *res[] = { &crashk_res, &crashk_low_res };
	phys_addr_t size = 0;

	for (int i = 0; i < ARRAY_SIZE(res); i++) {
		if (res[i]->end)
			size += scratch_reserved(res[i]->start,
						 min(limit, res[i]->end + 1), nid);
	}

	return size;
}

/*
 * What the scratch of a percentage has to hold: the part of this kernel's
 * early allocations that the next kernel repeats. HugeTLB pages, an area for a
 * crash kernel and the initrd do not come from scratch a second time.
 */
static phys_addr_t __init scratch_scale(phys_addr_t limit, int nid)
{
	phys_addr_t initrd = scratch_initrd_start();
	phys_addr_t used = memblock_reserved_kern_size(limit, nid) -
			   memblock_reserved_hugetlb_size(limit, nid);

	if (IS_ENABLED(CONFIG_CRASH_RESERVE))
		used -= scratch_crash_size(limit, nid);
	if (initrd)
		used -= scratch_reserved(initrd,
					 min(limit, initrd + scratch_initrd_len()),
					 nid);

	return mult_frac(used, scratch_percent, 100);
}

/* How much of the areas listed so far lies on a node */
static phys_addr_t __init scratch_on_node(int nid)
{
	unsigned long start, end;
	phys_addr_t size = 0;
	int i;

	for_each_mem_pfn_range(i, nid, &start, &end, NULL) {
		for (unsigned int j = 0; j < kho_scratch_cnt; j++) {
			const struct kho_scratch *area = &kho_scratch[j];
			phys_addr_t from = max(PFN_PHYS(start), area->addr);
			phys_addr_t to = min(PFN_PHYS(end), area->addr + area->size);

			if (from < to)
				size += to - from;
		}
	}

	return size;
}

/* What the other areas do not provide there */
static phys_addr_t __init scratch_node_size(int nid)
{
	phys_addr_t needed, present;

	if (!scratch_percent)
		return scratch_pernode;

	needed = scratch_scale(MEMBLOCK_ALLOC_ANYWHERE, nid);
	present = scratch_on_node(nid);
	return needed > present ? needed - present : 0;
}

/* Add an area below @limit to the list; on @nid only unless NUMA_NO_NODE */
static bool __init scratch_add_area(phys_addr_t size, phys_addr_t limit, int nid)
{
	phys_addr_t addr = memblock_alloc_range_nid(size, SCRATCH_ALIGN, 0, limit, nid,
						    nid != NUMA_NO_NODE);

	if (!addr)
		return false;

	kho_scratch[kho_scratch_cnt++] = (struct kho_scratch) {
		.addr = addr,
		.size = size,
	};
	return true;
}

/*
 * One area for @size and @segment, or two where this kernel lies between, which KASLR
 * decides. Of the default 200 %, half of @size still holds what this kernel has
 * allocated there. @segment is in one piece: the first area has all of it.
 */
static int __init scratch_add(const char *what, phys_addr_t size, phys_addr_t segment,
			      phys_addr_t limit, int nid)
{
	phys_addr_t all = round_up(size + segment, SCRATCH_ALIGN);
	phys_addr_t first = round_up((all + segment) / 2, SCRATCH_ALIGN);

	if (!all || scratch_add_area(all, limit, nid))
		return 0;

	if (first < all && scratch_add_area(first, limit, nid) &&
	    scratch_add_area(all - first, limit, nid))
		return 0;

	pr_err("no contiguous memory for %s scratch of %llu MiB or two parts; a smaller kho_scratch= may fit\n",
	       what, (u64)all / SZ_1M);
	return -ENOMEM;
}

static int __init scratch_add_all(void)
{
	phys_addr_t lowmem = scratch_lowmem, global = scratch_global;
	phys_addr_t initrd_low = 0, initrd = 0;
	char node[sizeof("node -2147483648")];
	int nid, err;

	if (scratch_percent) {
		lowmem = scratch_scale(ARCH_LOW_ADDRESS_LIMIT, NUMA_NO_NODE);
		global = scratch_scale(MEMBLOCK_ALLOC_ANYWHERE, NUMA_NO_NODE) - lowmem;
		initrd_low = scratch_initrd_size(ARCH_LOW_ADDRESS_LIMIT);
		initrd = scratch_initrd_size(MEMBLOCK_ALLOC_ANYWHERE) - initrd_low;
	}

	err = scratch_add("lowmem", lowmem, initrd_low, ARCH_LOW_ADDRESS_LIMIT,
			  NUMA_NO_NODE) ?:
	      scratch_add("global", global, initrd, MEMBLOCK_ALLOC_ACCESSIBLE,
			  NUMA_NO_NODE);

	for_each_node_state(nid, N_MEMORY) {
		if (err)
			break;
		snprintf(node, sizeof(node), "node %d", nid);
		err = scratch_add(node, scratch_node_size(nid), 0,
				  MEMBLOCK_ALLOC_ACCESSIBLE, nid);
	}

	return err;
}

/**
 * kho_scratch_reserve - reserve scratch areas on a cold boot
 *
 * One area in low memory, one anywhere, and one on each node with memory that
 * these two do not provide with enough. Each may be two smaller ones. A node that
 * is brought online later gets none.
 *
 * Context: while memblock allocates.
 * Return: 0, or -ENOMEM with nothing reserved.
 */
int __init kho_scratch_reserve(void)
{
	unsigned int max = 2 * (nodes_weight(node_states[N_MEMORY]) + 2);
	size_t size = array_size(max, sizeof(*kho_scratch));
	int err;

	kho_scratch = memblock_alloc(size, PAGE_SIZE);
	if (!kho_scratch) {
		pr_err("no memory for a list of %u areas\n", max);
		return -ENOMEM;
	}

	err = scratch_add_all();
	if (!err) {
		pr_info("%lu MiB set aside in %u areas, kho_scratch= changes that\n",
			kho_scratch_pages() >> (20 - PAGE_SHIFT), kho_scratch_cnt);
		scratch_set_aside = true;
		return 0;
	}

	while (kho_scratch_cnt) {
		struct kho_scratch *area = &kho_scratch[--kho_scratch_cnt];

		memblock_phys_free(area->addr, area->size);
	}
	memblock_free(kho_scratch, size);
	kho_scratch = NULL;
	return err;
}

/**
 * kho_scratch_release - release the areas of a cold boot as CMA
 *
 * After a handover there is nothing to do: the areas were free memory then and
 * went to the allocator with all the rest.
 *
 * Context: once, when the page allocator is up.
 */
void __init kho_scratch_release(void)
{
	if (!scratch_set_aside)
		return;

	for (unsigned int i = 0; i < kho_scratch_cnt; i++) {
		unsigned long pfn = PHYS_PFN(kho_scratch[i].addr);
		unsigned long end = pfn + PHYS_PFN(kho_scratch[i].size);

		/*
		 * Pages that debug_pagealloc takes out of the direct map when
		 * they are freed must not be scanned.
		 */
		kmemleak_ignore_phys(kho_scratch[i].addr);

		for (; pfn < end; pfn += pageblock_nr_pages)
			init_cma_reserved_pageblock(pfn_to_page(pfn));
	}
}

/**
 * kho_scratch_free - free the areas of a cold boot
 *
 * For a kernel that cannot hand anything over after all; after a handover there
 * is nothing to do, either.
 *
 * Context: when the page allocator is up, instead of kho_scratch_release().
 */
void __init kho_scratch_free(void)
{
	while (scratch_set_aside && kho_scratch_cnt) {
		struct kho_scratch *area = &kho_scratch[--kho_scratch_cnt];
		void *start = phys_to_virt(area->addr);

		kmemleak_ignore_phys(area->addr);
		free_reserved_area(start, start + area->size, -1, NULL);
	}
}

/* By the map of this kernel, less what its command line takes away */
static bool __init scratch_is_memory(phys_addr_t phys, u64 size)
{
	return memblock_is_region_memory(phys, size) &&
	       memblock_is_map_memory(phys);
}

static bool __init scratch_area_valid(const struct kho_scratch *area)
{
	phys_addr_t end;

	/* Linux 7.3 lists areas of size 0 for sizes of 0, with any address */
	if (!area->size)
		return true;

	if (PAGE_ALIGNED(area->addr) && PAGE_ALIGNED(area->size) &&
	    !check_add_overflow(area->addr, area->size, &end) &&
	    scratch_is_memory(area->addr, area->size))
		return true;

	pr_warn("bad area of 0x%llx bytes at %pa, expected whole pages of memory that this kernel knows\n",
		(u64)area->size, &area->addr);
	return false;
}

/* Areas were taken from free memory, one after the other */
static bool __init scratch_areas_apart(const struct kho_scratch *area,
				       unsigned int cnt)
{
	for (unsigned int i = 0; i < cnt; i++) {
		for (unsigned int j = 0; j < i; j++) {
			if (!area[i].size || !area[j].size ||
			    area[i].addr >= area[j].addr + area[j].size ||
			    area[j].addr >= area[i].addr + area[i].size)
				continue;

			pr_warn("the areas at %pa and %pa overlap\n",
				&area[j].addr, &area[i].addr);
			return false;
		}
	}

	return true;
}

/*
 * The loader puts each segment into one area, so a list that lost one of them
 * lost more.
 */
static bool __init scratch_has(const struct kho_scratch *area, unsigned int cnt,
			       const char *what, phys_addr_t start, u64 size)
{
	for (unsigned int i = 0; i < cnt; i++) {
		if (area[i].addr <= start && size <= area[i].size &&
		    start - area[i].addr <= area[i].size - size)
			return true;
	}

	pr_warn("%s, %llu bytes at %pa, is in none of the %u areas, expected it in one\n",
		what, size, &start, cnt);
	return false;
}

static bool __init scratch_list_valid(const struct kho_scratch *area,
				      unsigned int cnt, phys_addr_t list)
{
	for (unsigned int i = 0; i < cnt; i++) {
		if (!scratch_area_valid(&area[i]))
			return false;
	}

	/* KASLR trusts the list: the kernel itself may be outside of memory areas */
	return scratch_areas_apart(area, cnt) &&
	       scratch_has(area, cnt, "this list", list, cnt * sizeof(*area)) &&
	       scratch_has(area, cnt, "this kernel", __pa_symbol(_text),
			   _end - _text);
}

/*
 * Regions that memblock must have room for where its arrays cannot grow yet, and
 * where it panics if they have to: for this area and to take the marks back, and
 * for what else is noted until they can.
 */
#define SCRATCH_SPARE_REGIONS	32

static bool __init scratch_fits(void)
{
	return memblock_can_grow() ||
	       memblock.memory.cnt + SCRATCH_SPARE_REGIONS <= memblock.memory.max;
}

/* All areas or none: with some of them only, memory could run out too early */
static int __init scratch_mark(const struct kho_scratch *area, unsigned int cnt)
{
	unsigned int i;
	int err;

	for (i = 0; i < cnt; i++) {
		err = scratch_fits() ? memblock_mark_kho_scratch(area[i].addr, area[i].size) :
				       -ENOSPC;
		if (err)
			goto undo;
	}

	return 0;

undo:
	pr_warn("cannot mark area %u of %u at %pa: %pe\n", i + 1, cnt,
		&area[i].addr, ERR_PTR(err));
	while (i--)
		memblock_clear_kho_scratch(area[i].addr, area[i].size);
	return err;
}

/**
 * kho_scratch_accept - add the scratch of the previous kernel to memblock
 * @phys: physical address of the list of areas.
 * @len: its size in bytes.
 *
 * Context: memblock knows all memory and has not allocated anything but arrays of
 * its own, there are early mappings only.
 * Return: 0; -EINVAL if the list is invalid; -EFAULT if it is in no memory;
 * -ENOSPC or -ENOMEM if it is too long.
 */
int __init kho_scratch_accept(phys_addr_t phys, u64 len)
{
	struct kho_scratch *area;
	int err;

	if (!len || len % sizeof(*area)) {
		pr_warn("list of areas has %llu bytes, expected a multiple of %zu\n",
			len, sizeof(*area));
		return -EINVAL;
	}

	if (!scratch_is_memory(phys, len)) {
		pr_warn("list of areas at %pa, %llu bytes, is in no memory that this kernel knows\n",
			&phys, len);
		return -EFAULT;
	}

	area = early_memremap(phys, len);
	if (!area) {
		pr_warn("cannot map the list of areas at %pa, %llu bytes\n",
			&phys, len);
		return -ENOMEM;
	}

	err = scratch_list_valid(area, len / sizeof(*area), phys) ?
	      scratch_mark(area, len / sizeof(*area)) : -EINVAL;
	early_memunmap(area, len);
	if (err)
		return err;

	memblock_reserve(phys, len);
	return 0;
}

/**
 * kho_scratch_adopt - use the scratch areas of the previous kernel
 * @phys: as for kho_scratch_accept(), which must have succeeded.
 * @len: the same.
 *
 * Context: once the direct map is up.
 */
void __init kho_scratch_adopt(phys_addr_t phys, u64 len)
{
	kho_scratch = phys_to_virt(phys);
	kho_scratch_cnt = len / sizeof(*kho_scratch);
}

/**
 * kho_scratch_forget - undo kho_scratch_adopt()
 *
 * Context: after it, when the handover turns out to be unusable.
 */
void __init kho_scratch_forget(void)
{
	kho_scratch = NULL;
	kho_scratch_cnt = 0;
}

/**
 * kho_scratch_walk - pass the areas to kexec
 * @kbuf: what looks for a place.
 * @func: called with each area until it returns something other than 0.
 *
 * Return: what @func returned last, 0 without areas.
 */
int kho_scratch_walk(struct kexec_buf *kbuf,
		     int (*func)(struct resource *, void *))
{
	int ret = 0;

	for (unsigned int i = 0; i < kho_scratch_cnt && !ret; i++) {
		struct resource res = {
			.start = kho_scratch[i].addr,
			.end = kho_scratch[i].addr + kho_scratch[i].size - 1,
		};

		if (kho_scratch[i].size)
			ret = func(&res, kbuf);
	}

	return ret;
}

/* Log that a segment of an image fits into no area */
void kho_scratch_too_small(const struct kexec_buf *kbuf)
{
	u64 largest = 0;

	for (unsigned int i = 0; i < kho_scratch_cnt; i++)
		largest = max(largest, kho_scratch[i].size);

	pr_err("no room for a segment of %lu KiB between 0x%lx and 0x%lx: %u areas, %lu KiB, the largest %llu KiB; cold boot with a larger kho_scratch=\n",
	       kbuf->memsz / SZ_1K, kbuf->buf_min, kbuf->buf_max,
	       kho_scratch_cnt, kho_scratch_pages() << (PAGE_SHIFT - 10),
	       largest / SZ_1K);
}

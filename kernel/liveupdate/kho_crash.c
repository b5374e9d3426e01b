// SPDX-License-Identifier: GPL-2.0-only
/*
 * KHO crash memory - reuse the area for a crash kernel after kexec.
 *
 * The next kernel reserves such an area while memblock allocates from scratch only.
 * It needs several hundred contiguous MiB, which scratch would need beside an image
 * at any address. The area of this kernel is used instead: it was never free memory,
 * so it contains nothing preserved, and its crash kernel is useless after the kexec.
 * The FDT records its address from boot on, and again when the area is made smaller;
 * the next kernel reads it in kho_memory_known(), and allocates nothing there before
 * its own area for a crash kernel.
 *
 * The area is not in the list of scratch areas: segments of an image and KASLR would
 * use it, and memblock of a kernel without this file would allocate at its upper end
 * first and leave too little.
 *
 * Owns the property of the FDT, the early allocation, and what an image is compared with.
 */

#define pr_fmt(fmt) "KHO: crash: " fmt

#include <linux/crash_reserve.h>
#include <linux/init.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/kexec_handover.h>
#include <linux/libfdt.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "kexec_handover_internal.h"

/* From the previous kernel, validated */
static struct kho_scratch crash_in[KHO_MAX_CRASH_AREAS] __initdata;
static unsigned int crash_in_cnt __initdata;

/**
 * kho_crash_room - how large an area the next kernel can have where this one has it
 *
 * Context: under the lock of kexec.
 * Return: its size in bytes, 0 without one.
 */
u64 kho_crash_room(void)
{
	return crashk_res.end ? resource_size(&crashk_res) : 0;
}

/**
 * kho_crash_size - how much memory a crashkernel= of the next kernel reserves
 * @val: its value: a size, or START-[END]:SIZE for each of several sizes of memory.
 *
 * Context: any.
 * Return: the size in bytes, 0 if it cannot be parsed or this machine has another
 * size of memory.
 */
u64 kho_crash_size(const char *val)
{
	/* As parse_crashkernel() rounds it */
	const u64 memory = round_up(PFN_PHYS((u64)get_num_physpages()), SZ_128M);
	char *at;
	u64 size = memparse(val, &at);

	while (*at == '-') {
		u64 start = size, end = U64_MAX;

		if (*++at != ':')
			end = memparse(at, &at);
		if (*at != ':')
			return 0;
		size = memparse(at + 1, &at);
		if (memory >= start && memory < end)
			return size;
		if (*at != ',')
			return 0;
		size = memparse(at + 1, &at);
	}

	return size;
}

/**
 * kho_crash_areas - find the areas for a crash kernel that are not in scratch
 * @area: where to store them, room for %KHO_MAX_CRASH_AREAS.
 *
 * Context: under the lock of kexec, or while booting.
 * Return: how many there are.
 */
unsigned int kho_crash_areas(struct kho_scratch *area)
{
	const struct resource *res[KHO_MAX_CRASH_AREAS] = {
		&crashk_res, &crashk_low_res
	};
	unsigned int cnt = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(res); i++) {
		phys_addr_t start = PAGE_ALIGN(res[i]->start);
		phys_addr_t end = PAGE_ALIGN_DOWN(res[i]->end + 1);

		if (!res[i]->end || start >= end ||
		    kho_scratch_overlap(start, end - start))
			continue;

		area[cnt++] = (struct kho_scratch) {
			.addr = start,
			.size = end - start,
		};
	}

	return cnt;
}

/**
 * kho_crash_write - write to the FDT where the areas are
 * @fdt: the FDT for the next kernel, opened for a change.
 * @data: unused.
 *
 * Context: an edit for kho_edit_out_fdt(); otherwise as kho_crash_areas().
 * Return: 0; -ENOSPC if there was no room, without the property then; -EINVAL if
 * the FDT is invalid.
 */
int kho_crash_write(void *fdt, void *data)
{
	struct kho_scratch area[KHO_MAX_CRASH_AREAS];
	unsigned int cnt = kho_crash_areas(area);
	int err;

	if (cnt && !fdt_setprop(fdt, 0, KHO_FDT_CRASH_PROP_NAME, area,
				cnt * sizeof(*area)))
		return 0;

	/* Without the property the next kernel looks for room in scratch */
	err = fdt_delprop(fdt, 0, KHO_FDT_CRASH_PROP_NAME);
	if (err && err != -FDT_ERR_NOTFOUND)
		return -EINVAL;
	return cnt ? -ENOSPC : 0;
}

static bool __init crash_in_scratch(phys_addr_t start, phys_addr_t end)
{
	struct memblock_region *r;

	for_each_mem_region(r) {
		if (memblock_is_kho_scratch(r) &&
		    start < r->base + r->size && r->base < end)
			return true;
	}

	return false;
}

static bool __init crash_area_valid(const struct kho_scratch *area)
{
	phys_addr_t end;

	return area->size && PAGE_ALIGNED(area->addr) && PAGE_ALIGNED(area->size) &&
	       !check_add_overflow(area->addr, area->size, &end) &&
	       memblock_is_region_memory(area->addr, area->size) &&
	       memblock_is_map_memory(area->addr) &&
	       !crash_in_scratch(area->addr, end);
}

/**
 * kho_crash_read - read from the FDT where the previous kernel had its areas
 * @fdt: the FDT of the previous kernel.
 *
 * What makes no sense is ignored: then the area has to come from scratch.
 *
 * Context: early, after a successful kho_scratch_accept().
 */
void __init kho_crash_read(const void *fdt)
{
	struct kho_scratch area;
	const void *prop;
	int len;

	prop = fdt_getprop(fdt, 0, KHO_FDT_CRASH_PROP_NAME, &len);
	if (!prop)
		return;

	if (!len || len % sizeof(area) || len > sizeof(crash_in)) {
		pr_warn("%s has %d bytes, expected 1 to %u areas of %zu\n",
			KHO_FDT_CRASH_PROP_NAME, len, KHO_MAX_CRASH_AREAS,
			sizeof(area));
		return;
	}

	for (int pos = 0; pos < len; pos += sizeof(area)) {
		memcpy(&area, prop + pos, sizeof(area));
		if (crash_area_valid(&area))
			crash_in[crash_in_cnt++] = area;
		else
			pr_warn("bad area of 0x%llx bytes at %pa, expected whole pages of memory that this kernel knows, beside scratch\n",
				(u64)area.size, &area.addr);
	}
}

/**
 * kho_crash_alloc - reserve an area for a crash kernel where the previous one was
 * @size: its size in bytes.
 * @align: its alignment in bytes.
 * @start: lowest address.
 * @end: lowest address behind it.
 *
 * Context: while memblock allocates from scratch only and its arrays can grow.
 * Return: physical address; 0 if there is no room, or no handover.
 */
phys_addr_t __init kho_crash_alloc(phys_addr_t size, phys_addr_t align,
				   phys_addr_t start, phys_addr_t end)
{
	phys_addr_t base = 0;

	for (unsigned int i = 0; i < crash_in_cnt && !base; i++) {
		phys_addr_t from = max(start, crash_in[i].addr);
		phys_addr_t to = min(end, crash_in[i].addr + crash_in[i].size);

		if (from >= to || size > to - from ||
		    memblock_mark_kho_scratch(crash_in[i].addr, crash_in[i].size))
			continue;

		base = memblock_phys_alloc_range(size, align, from, to);
		memblock_clear_kho_scratch(crash_in[i].addr, crash_in[i].size);
	}

	return base;
}

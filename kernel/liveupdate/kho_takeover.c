// SPDX-License-Identifier: GPL-2.0-only
/*
 * KHO take-over - preserved memory while this kernel boots.
 *
 * Owns the walk over the incoming map of preserved memory and all that follows from
 * it: validation of each range, rejection of ranges that cannot be restored, marks in
 * the first struct page of each range by which the core finds it, initialization of
 * the other struct pages, and memory without preserved ranges that is treated as
 * scratch during boot. The map is not kept: its nodes are free memory.
 *
 * Where struct pages are deferred, the walk initializes only the first one of each
 * range. The threads that initialize those around it do the others, by
 * kho_init_late_pages(). To restore a range earlier kho_complete_range() has all of
 * them initialized up to its end.
 *
 * There may be a million ranges, more than memblock can reserve one by one. Their
 * page frames are added to a set instead, kho_frames.c.
 *
 * Takes the place of a part of kernel/liveupdate/kexec_handover.c of Linux 7.3:
 * Copyright (C) 2023 Alexander Graf <graf@amazon.com>
 * Copyright (C) 2025 Microsoft Corporation, Mike Rapoport <rppt@kernel.org>
 * Copyright (C) 2025 Google LLC, Changyuan Lyu <changyuanl@google.com>
 * Copyright (C) 2025 Pasha Tatashin <pasha.tatashin@soleen.com>
 * Copyright (C) 2026 Google LLC, Jason Miu <jasonmiu@google.com>
 */

#define pr_fmt(fmt) "KHO: " fmt

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/find.h>
#include <linux/init.h>
#include <linux/kexec_handover.h>
#include <linux/kho/radix_tree.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/numa.h>
#include <linux/rcupdate.h>
#include <linux/sched/clock.h>
#include <linux/sizes.h>
#include <linux/timex.h>

#include "../../mm/mm_init.h"
#include "kexec_handover_internal.h"

/* Ranges of which struct pages are left to deferred initialization */
static atomic_long_t kho_late_ranges __initdata;

static bool __init kho_any_preserved(unsigned long pfn, unsigned long end)
{
	return kho_frames_next(pfn, end) < end;
}

/*
 * Undo what has been taken over so far. Struct pages that are still marked would
 * reach the page allocator.
 */
static void __init kho_frames_drop(void)
{
	unsigned long end = PHYS_PFN(memblock_end_of_DRAM());
	unsigned long pfn = kho_frames_next(0, end);

	for (; pfn < end; pfn = kho_frames_next(pfn + 1, end))
		set_page_private(pfn_to_page(pfn), 0);

	atomic_long_set(&kho_late_ranges, 0);
	kho_frames_free();
}

/**
 * kho_init_late_pages - initialize struct pages of preserved memory
 * @pfn: the first page frame of a part of memory.
 * @end: the page frame after its last one.
 *
 * Those of all ranges that start there, and of which only the first one has been
 * initialized when memory was taken over.
 *
 * Context: boot; code that initializes the deferred struct pages of that part of
 * memory.
 */
void __init kho_init_late_pages(unsigned long pfn, unsigned long end)
{
	long nr = 0;

	while ((pfn = kho_frames_next_late(pfn, end)) < end) {
		struct page *head = pfn_to_page(pfn);
		unsigned int order = kho_page_order(page_private(head));

		if (page_private(head) != (kho_page_info(order) | KHO_PAGE_LATE)) {
			pfn++;
			continue;
		}

		init_deferred_tails(head, order);
		/* Concurrent readers of this read no other struct page */
		WRITE_ONCE(head->private, kho_page_info(order));
		pfn += BIT(order);
		nr++;
	}

	if (nr)
		atomic_long_sub(nr, &kho_late_ranges);
}

/**
 * kho_init_late_pages_done - all deferred struct pages have been initialized
 *
 * Sees to it that those of preserved memory have been, too.
 *
 * Context: boot, before deferred_pages_enabled() is false.
 */
void __init kho_init_late_pages_done(void)
{
	long nr = atomic_long_read(&kho_late_ranges);

	if (!nr)
		return;

	pr_warn("struct pages of %ld preserved ranges were not initialized with those around them\n",
		nr);
	kho_init_late_pages(0, PHYS_PFN(memblock_end_of_DRAM()));
}

/**
 * kho_complete_range - have all struct pages of a range initialized now
 * @page: where the range would start; any page of which kho_in_memory() is true.
 *
 * And all those of the sections up to there, so that pages of the range can be
 * given to the page allocator, which looks at struct pages around them.
 *
 * Context: boot, once the page allocator is up, while deferred_pages_enabled();
 * may sleep.
 * Return: %false if no range starts there.
 */
bool __ref kho_complete_range(struct page *page)
{
	unsigned long pfn = page_to_pfn(page), info;

	if (!kho_frame_initialized(pfn))
		return false;

	info = READ_ONCE(page->private);
	if (!kho_page_marked(info))
		return false;

	deferred_init_up_to(page_to_nid(page), pfn + BIT(kho_page_order(info)));
	return true;
}

/*
 * All free memory has been released. Struct pages are complete now, without which
 * nothing can be freed.
 */
static int __init kho_takeover_done(void)
{
	/* kho_frame_initialized() */
	synchronize_rcu();
	kho_frames_free();
	return 0;
}
core_initcall(kho_takeover_done);

/* Part of the memory of one node; adjacent parts may differ in their flags */
struct kho_region {
	unsigned long pfn;
	unsigned long end;
	int nid;
};

/* The region of the last search; valid until memory changes */
static struct kho_region kho_last_region __initdata;

/* Addresses ascend mostly, so the same region is likely to match again */
static const struct kho_region *__init kho_find_region(unsigned long pfn)
{
	struct kho_region *last = &kho_last_region;
	unsigned long start;

	if (pfn >= last->pfn && pfn < last->end)
		return last;

	last->nid = memblock_search_pfn_nid(pfn, &start, &last->end);
	last->pfn = pfn;
	/* What firmware keeps is a region of its own */
	if (last->nid < 0 || !memblock_is_map_memory(PFN_PHYS(pfn)))
		last->end = 0;

	return pfn < last->end ? last : NULL;
}

/* The fault of a run that is not all in memory of one node, or NULL */
static const char *__init kho_run_fault(const struct kho_run *run)
{
	const struct kho_region *region = kho_find_region(run->pfn);

	while (region && region->end < run->end) {
		unsigned long border = region->end;
		int nid = region->nid;

		region = kho_find_region(border);
		if (region && region->nid != nid &&
		    !IS_ALIGNED(border, BIT(run->order)))
			return "lies on more than one node";
	}

	return region ? NULL : "is in no memory that this kernel knows";
}

/**
 * kho_in_memory - check whether an address is a page in mapped memory
 * @phys: the address, any value.
 *
 * Context: boot, once memblock knows all memory.
 * Return: %true if a page of memory starts there that is in the direct map.
 */
bool __init kho_in_memory(phys_addr_t phys)
{
	return PAGE_ALIGNED(phys) && kho_find_region(PHYS_PFN(phys));
}

/* Reservations looked at so far; for tests */
unsigned long __initdata kho_takeover_steps;

static bool __init kho_reserved_ends_by(unsigned long i, phys_addr_t phys)
{
	const struct memblock_region *r = &memblock.reserved.regions[i];

	kho_takeover_steps++;
	return r->base + r->size <= phys;
}

/*
 * The index of the first reservation that ends after @phys. Addresses ascend mostly,
 * so it is next to the last one that was found, wherever that is by now.
 */
static unsigned long __init kho_find_reserved(phys_addr_t phys)
{
	static unsigned long i __initdata;

	i = min(i, memblock.reserved.cnt);
	while (i && !kho_reserved_ends_by(i - 1, phys))
		i--;
	while (i < memblock.reserved.cnt && kho_reserved_ends_by(i, phys))
		i++;
	return i;
}

/* True if no part of a run, which is memory, is reserved */
static bool __init kho_run_unreserved(const struct kho_run *run)
{
	unsigned long i = kho_find_reserved(PFN_PHYS(run->pfn));

	return i == memblock.reserved.cnt ||
	       memblock.reserved.regions[i].base >= PFN_PHYS(run->end);
}

/*
 * Number of pages of a run that are allocated. Memory that is only reserved, on
 * request of firmware for instance, was so in the previous kernel as well, and is not
 * used by this one.
 */
static unsigned long __init kho_count_used(const struct kho_run *run)
{
	unsigned long i = kho_find_reserved(PFN_PHYS(run->pfn));
	unsigned long nr = 0, pfn = run->pfn;

	/* Two regions may have parts of the same page */
	for (; i < memblock.reserved.cnt && pfn < run->end; i++) {
		const struct memblock_region *r = &memblock.reserved.regions[i];
		unsigned long from, end;

		kho_takeover_steps++;
		if (r->base >= PFN_PHYS(run->end))
			break;
		if (!(r->flags & MEMBLOCK_RSRV_KERN))
			continue;

		from = clamp(PFN_DOWN(r->base), pfn, run->end);
		end = clamp(PFN_UP(r->base + r->size), pfn, run->end);
		nr += end - from;
		pfn = end;
	}

	return nr;
}

struct kho_map_walk {
	const struct kho_map_cb *cb;
	void *data;
	unsigned long nodes;
	unsigned long max_nodes;
};

/*
 * A node that cannot be read costs what hangs below it; without the root there is
 * nothing. A tree has a fixed depth, but if its tables name the same nodes over
 * and over a walk takes forever, unless something counts them.
 */
static int __init kho_map_node(phys_addr_t phys, void *data)
{
	struct kho_map_walk *walk = data;

	if (++walk->nodes > walk->max_nodes) {
		pr_err("preserved memory map has more than %lu nodes\n",
		       walk->max_nodes);
		return -EINVAL;
	}

	/* In scratch it would change between one walk and the next */
	if (!kho_in_memory(phys) || kho_scratch_overlap(phys, PAGE_SIZE)) {
		if (walk->cb->bad)
			walk->cb->bad("node at", phys, walk->data);
		return walk->nodes == 1 ? -EINVAL : KHO_RADIX_SKIP;
	}

	if (walk->cb->node)
		walk->cb->node(phys, walk->data);
	return 0;
}

/**
 * kho_next_run - find ranges of one order that lie side by side
 * @run: where to store what they make up.
 * @bit: where in the bitmap to start; set to the bit after the run, or after the
 *	key that stands for no range.
 * @first: the key that bit 0 stands for.
 * @bitmap: a bitmap of the preserved memory map, any value.
 *
 * The keys of all orders share one number space, so the last range of an order
 * and the first one of the next smaller order are neighbours there.
 *
 * Return: 1 if there is a run, 0 if there is none any more; -EINVAL for a key
 * that stands for no range.
 */
int kho_next_run(struct kho_run *run, unsigned long *bit, unsigned long first,
		 const unsigned long *bitmap)
{
	unsigned long start, nr, key;
	phys_addr_t phys;

	start = find_next_bit(bitmap, KHO_RADIX_BITMAP_KEYS, *bit);
	if (start == KHO_RADIX_BITMAP_KEYS)
		return 0;

	key = first + start;
	*bit = start + 1;
	phys = kho_radix_decode_key(key, &run->order);
	if (run->order >= BITS_PER_LONG - PAGE_SHIFT)
		return -EINVAL;

	nr = find_next_zero_bit(bitmap, KHO_RADIX_BITMAP_KEYS, start + 1) - start;
	nr = min(nr, BIT(__fls(key) + 1) - key);
	run->pfn = PHYS_PFN(phys);
	run->end = run->pfn + (nr << run->order);
	*bit = start + nr;
	return 1;
}

/*
 * What all keys of a bitmap are about lies between the first and the last of
 * them: if that is good as a whole its runs need not be looked at one by one.
 * False if there are no keys, or keys of several orders.
 */
static bool __init kho_bitmap_span(struct kho_run *span, unsigned long first,
				   const unsigned long *bitmap)
{
	unsigned long last = find_last_bit(bitmap, KHO_RADIX_BITMAP_KEYS);
	unsigned int order;
	unsigned long bit = 0;

	if (last == KHO_RADIX_BITMAP_KEYS ||
	    kho_next_run(span, &bit, first, bitmap) <= 0)
		return false;

	span->end = PHYS_PFN(kho_radix_decode_key(first + last, &order)) +
		    BIT(order);
	return order == span->order;
}

/* All runs of the bitmap are of one order and in memory of one node */
static int __init kho_map_span(const struct kho_run *span,
			       const unsigned long *bitmap,
			       const struct kho_map_walk *walk)
{
	unsigned long skip = find_first_bit(bitmap, KHO_RADIX_BITMAP_KEYS);
	unsigned long base = span->pfn - (skip << span->order);
	struct kho_run run = { .order = span->order };
	unsigned long from, to;
	int err;

	for_each_set_bitrange(from, to, bitmap, KHO_RADIX_BITMAP_KEYS) {
		run.pfn = base + (from << run.order);
		run.end = base + (to << run.order);
		err = walk->cb->run(&run, walk->data);
		if (err)
			return err;
	}

	return 0;
}

/* A run as a whole, or those of its ranges that have a place */
static int __init kho_map_run(const struct kho_run *run,
			      const struct kho_map_walk *walk)
{
	struct kho_run range = *run;
	int err = 0;

	if (!kho_run_fault(run))
		return walk->cb->run(run, walk->data);

	for (; range.pfn < run->end && !err; range.pfn = range.end) {
		const char *fault;

		range.end = range.pfn + BIT(range.order);
		fault = kho_run_fault(&range);
		if (!fault)
			err = walk->cb->run(&range, walk->data);
		else if (walk->cb->lost)
			walk->cb->lost(&range, fault, walk->data);
	}

	return err;
}

/* Those of its pages that are set in @word, run by run */
static int __init kho_map_word_runs(unsigned long pfn, unsigned long word,
				    const struct kho_map_walk *walk)
{
	int err = 0;

	while (word && !err) {
		unsigned long from = __ffs(word);
		unsigned long to = find_next_zero_bit(&word, BITS_PER_LONG, from);
		struct kho_run run = { .pfn = pfn + from, .end = pfn + to };

		word &= ~GENMASK(to - 1, from);
		err = kho_map_run(&run, walk);
	}

	return err;
}

/* A bitmap of pages, word by word: one check is enough for a word */
static int __init kho_map_pages(unsigned long pfn, const unsigned long *bitmap,
				const struct kho_map_walk *walk)
{
	const unsigned long *end = bitmap + BITS_TO_LONGS(KHO_RADIX_BITMAP_KEYS);
	int err = 0;

	for (; bitmap < end && !err; bitmap++, pfn += BITS_PER_LONG) {
		const struct kho_region *region;
		unsigned long word = *bitmap;

		if (!word)
			continue;

		region = kho_find_region(pfn + __ffs(word));
		if (!region || pfn + __fls(word) >= region->end ||
		    !walk->cb->word(pfn, word, region->nid, walk->data))
			err = kho_map_word_runs(pfn, word, walk);
	}

	return err;
}

static int __init kho_map_keys(unsigned long first, const unsigned long *bitmap,
			       void *data)
{
	struct kho_map_walk *walk = data;
	const struct kho_region *region;
	struct kho_run run, span;
	bool same_order, good = false;
	unsigned long bit = 0;
	int found, err = 0;

	same_order = kho_bitmap_span(&span, first, bitmap);
	if (same_order) {
		region = kho_find_region(span.pfn);
		good = region && span.end <= region->end;
	}
	if (walk->cb->span(good ? &span : NULL, bitmap, walk->data))
		return 0;
	if (same_order && !span.order && walk->cb->word)
		return kho_map_pages(round_down(span.pfn, KHO_RADIX_BITMAP_KEYS),
				     bitmap, walk);
	if (good)
		return kho_map_span(&span, bitmap, walk);

	while ((found = kho_next_run(&run, &bit, first, bitmap))) {
		if (found > 0)
			err = kho_map_run(&run, walk);
		else if (walk->cb->bad)
			walk->cb->bad("key", first + bit - 1, walk->data);
		if (err)
			return err;
	}

	return 0;
}

/**
 * kho_walk_map - walk a preserved memory map of the previous kernel
 * @map: the map.
 * @cb: what to call.
 * @data: handed through to the callbacks.
 *
 * Context: boot, once memblock knows all memory.
 * Return: 0; what a callback returned to end the walk; -EINVAL if the root cannot
 * be read or the map has too many nodes.
 */
int __init kho_walk_map(struct kho_radix_tree *map, const struct kho_map_cb *cb,
			void *data)
{
	const struct kho_radix_walk_cb radix_cb = {
		.keys = kho_map_keys,
		.node = kho_map_node,
	};
	unsigned long bitmaps = DIV_ROUND_UP(PHYS_PFN(memblock_end_of_DRAM()),
					     KHO_RADIX_BITMAP_KEYS);
	struct kho_map_walk walk = {
		.cb = cb,
		.data = data,
		/*
		 * There are half as many keys of each order as of the one below it, so
		 * the bitmaps of all orders are twice as many as those of order 0, and
		 * one more for each order that does not fill its last one. No level
		 * above has more nodes than that; it has far less, which leaves room
		 * for a previous kernel that had more memory once.
		 */
		.max_nodes = KHO_RADIX_MAX_LEVELS * (2 * bitmaps + BITS_PER_LONG),
	};

	/* Memory may have changed since another walk */
	kho_last_region = (struct kho_region) {};
	return kho_radix_walk_tree(map, &radix_cb, &walk);
}

/*
 * Extending scratch: memory is looked at in chunks of this size. It suits
 * machines with hundreds of gigabytes; nothing else depends on it.
 */
#define SCRATCH_CHUNK	SZ_1G

/* Which chunks of memory hold something preserved */
struct scratch_chunks {
	unsigned long *busy;
	unsigned long nr;
};

static int __init scratch_busy_run(const struct kho_run *run, void *data)
{
	const unsigned long chunk_pages = PHYS_PFN(SCRATCH_CHUNK);
	struct scratch_chunks *chunks = data;
	unsigned long first = run->pfn / chunk_pages;

	bitmap_set(chunks->busy, first, (run->end - 1) / chunk_pages - first + 1);
	return 0;
}

/* Small ranges that are noted in one place are mostly in one chunk, too */
static bool __init scratch_busy_span(const struct kho_run *span,
				     const unsigned long *bitmap, void *data)
{
	const unsigned long chunk_pages = PHYS_PFN(SCRATCH_CHUNK);

	if (!span || span->pfn / chunk_pages != (span->end - 1) / chunk_pages)
		return false;

	scratch_busy_run(span, data);
	return true;
}

/* The nodes are not preserved, but the map is still to be read again */
static void __init scratch_busy_node(phys_addr_t phys, void *data)
{
	struct scratch_chunks *chunks = data;

	__set_bit(phys / SCRATCH_CHUNK, chunks->busy);
}

static void __init scratch_mark_idle(const struct scratch_chunks *chunks,
				     phys_addr_t end)
{
	unsigned long from, to;
	int err;

	for_each_clear_bitrange(from, to, chunks->busy, chunks->nr) {
		phys_addr_t start = (phys_addr_t)from * SCRATCH_CHUNK;
		phys_addr_t stop = min((phys_addr_t)to * SCRATCH_CHUNK, end);

		err = memblock_mark_kho_scratch(start, stop - start);
		if (err) {
			pr_err("scratch: not extended from %pa on: %pe\n", &start,
			       ERR_PTR(err));
			return;
		}
	}
}

static const struct kho_map_cb scratch_busy_cb __initconst = {
	.span = scratch_busy_span,
	.run = scratch_busy_run,
	.node = scratch_busy_node,
};

/**
 * kho_scratch_extend - treat free gigabytes as scratch
 * @map: the preserved memory map.
 * @fdt: physical address of the FDT, which stays even if it is not in the map.
 *
 * The areas that the previous kernel set aside may be too small for what this
 * one allocates before its page allocator is up, struct pages above all. Every
 * gigabyte without anything preserved serves as well. To be without that for
 * lack of memory is no error.
 *
 * Context: memblock allocates from scratch only; after the memory map of the
 * firmware is known, because efi_init() drops what is not in it and this
 * is more than scratch.
 * Return: 0; as kho_walk_map().
 */
int __init kho_scratch_extend(struct kho_radix_tree *map, phys_addr_t fdt)
{
	phys_addr_t end = memblock_end_of_DRAM();
	struct scratch_chunks chunks = {
		.nr = DIV_ROUND_UP_ULL(end, SCRATCH_CHUNK),
	};
	size_t size = BITS_TO_LONGS(chunks.nr) * sizeof(long);
	int err;

	chunks.busy = memblock_alloc(size, SMP_CACHE_BYTES);
	if (!chunks.busy) {
		pr_err("scratch: not extended: no memory for %zu bytes\n", size);
		return 0;
	}

	scratch_busy_node(fdt, &chunks);
	err = kho_walk_map(map, &scratch_busy_cb, &chunks);
	if (!err)
		scratch_mark_idle(&chunks, end);

	memblock_free(chunks.busy, size);
	return err;
}

/*
 * Where struct pages are initialized later that is done now, as they carry the
 * marks. Code that initializes the rest skips preserved pages.
 */
static void __init kho_init_struct_pages(const struct kho_run *run)
{
	unsigned long pfn = run->pfn;

	while (pfn < run->end) {
		const struct kho_region *region = kho_find_region(pfn);
		unsigned long end = min(run->end, region->end);

		init_deferred_pages(pfn, end, region->nid);
		pfn = end;
	}
}

struct kho_taken {
	unsigned long pages;
	unsigned long runs;
	unsigned long lost_ranges;
	unsigned long lost_pages;
	unsigned long bad;
	unsigned long last;	/* page frame after those of the last word */
	int nid;	/* of all runs of the bitmap, with which nothing is the matter */
};

/* Ranges of one node, of which all struct pages are initialized here */
static int __init kho_take_early(unsigned long pfn, unsigned long end,
				 unsigned int order, int nid)
{
	int err = kho_frames_add(pfn, end, 0);

	if (err)
		return err;

	init_deferred_pages(pfn, end, nid);
	for (; pfn < end; pfn += BIT(order))
		set_page_private(pfn_to_page(pfn), kho_page_info(order));
	return 0;
}

/* Ranges of one node, of which deferred initialization does all but the first ones */
static int __init kho_take_late(unsigned long pfn, unsigned long end,
				unsigned int order, int nid)
{
	int err = kho_frames_add(pfn, end, order);

	if (err)
		return err;

	init_deferred_heads(pfn, end, order, nid,
			    kho_page_info(order) | KHO_PAGE_LATE);
	atomic_long_add((end - pfn) >> order, &kho_late_ranges);
	return 0;
}

static int __init kho_take_node(unsigned long pfn, unsigned long end,
				unsigned int order, int nid)
{
	unsigned long start = deferred_init_start(nid), late = end;
	int err = 0;

	/* One that begins before them is initialized as a whole */
	if (order && start < end)
		late = clamp(ALIGN(start, BIT(order)), pfn, end);

	if (pfn < late)
		err = kho_take_early(pfn, late, order, nid);
	if (late < end && !err)
		err = kho_take_late(late, end, order, nid);
	return err;
}

static int __init kho_take_pages(const struct kho_run *run,
				 struct kho_taken *taken)
{
	unsigned long end, pfn = run->pfn;
	int err = 0, nid = taken->nid;

	for (; pfn < run->end && !err; pfn = end) {
		end = run->end;
		if (taken->nid == NUMA_NO_NODE) {
			const struct kho_region *region = kho_find_region(pfn);

			/* A border within a range is none between nodes */
			nid = region->nid;
			end = min(end, ALIGN(region->end, BIT(run->order)));
		}
		err = kho_take_node(pfn, end, run->order, nid);
	}
	if (err)
		return err;

	taken->pages += run->end - run->pfn;
	taken->runs++;
	return 0;
}

static void __init kho_lose_range(const struct kho_run *range, const char *why,
				  void *data)
{
	struct kho_taken *taken = data;

	pr_warn_ratelimited("preserved range of order %u at page frame 0x%lx %s and is lost\n",
			    range->order, range->pfn, why);
	taken->lost_ranges++;
	taken->lost_pages += range->end - range->pfn;
}

static void __init kho_lose_branch(const char *what, u64 where, void *data)
{
	struct kho_taken *taken = data;

	pr_warn_ratelimited("preserved memory map has a bad %s 0x%llx, its ranges are lost\n",
			    what, where);
	taken->bad++;
}

static bool __init kho_run_in_scratch(const struct kho_run *run)
{
	return kho_scratch_overlap(PFN_PHYS(run->pfn),
				   PFN_PHYS(run->end - run->pfn));
}

/*
 * The reservation of a part of this must not be released to the page allocator: as
 * preserved memory it has an owner.
 */
static int __init kho_drop_reservations(const struct kho_run *run)
{
	return memblock_phys_free(PFN_PHYS(run->pfn), PFN_PHYS(run->end - run->pfn));
}

/* 1 if no part of a run has another owner, 0 if one has; or an error */
static int __init kho_claim_run(const struct kho_run *run)
{
	if (kho_run_in_scratch(run) || kho_any_preserved(run->pfn, run->end))
		return 0;
	if (kho_run_unreserved(run))
		return 1;
	if (kho_count_used(run))
		return 0;

	return kho_drop_reservations(run) ?: 1;
}

/* A single range, of a run that is invalid as a whole */
static int __init kho_take_range(const struct kho_run *range,
				 struct kho_taken *taken)
{
	unsigned long nr_pages = range->end - range->pfn, used;
	int err;

	/*
	 * Linux 7.3 hands over a reserve_mem region that it had to make in
	 * scratch. It may have been written over by now and cannot be restored,
	 * but that is no reason to lose everything else.
	 */
	if (kho_run_in_scratch(range)) {
		kho_lose_range(range, "lies in scratch", taken);
		return 0;
	}

	/* Two would get it. Larger ranges come first and keep it */
	if (kho_any_preserved(range->pfn, range->end)) {
		kho_lose_range(range, "lies in a larger one", taken);
		return 0;
	}

	used = kho_count_used(range);
	if (!used) {
		err = kho_run_unreserved(range) ? 0 : kho_drop_reservations(range);
		return err ?: kho_take_pages(range, taken);
	}

	/* A region of reserve_mem is where it belongs */
	if (used == nr_pages &&
	    memblock_is_named(PFN_PHYS(range->pfn), PFN_PHYS(range->end)))
		return 0;

	/* It cannot be restored, but the rest of it may still be in use */
	kho_lose_range(range, "has been taken for something else", taken);
	if (used == nr_pages)
		return 0;

	kho_init_struct_pages(range);
	return kho_frames_add(range->pfn, range->end, 0);
}

/* As kho_take_run() for many pages, of which most are valid */
static bool __init kho_take_word(unsigned long pfn, unsigned long word, int nid,
				 void *data)
{
	struct kho_run span = {
		.pfn = pfn + __ffs(word),
		.end = pfn + __fls(word) + 1,
	};
	struct kho_taken *taken = data;

	/* Without memory the first run will fail, too */
	if (!kho_run_unreserved(&span) || kho_run_in_scratch(&span) ||
	    kho_preserved_word(pfn) & word || kho_frames_add_word(pfn, word))
		return false;

	init_deferred_mask(pfn, word, nid, kho_page_info(0));
	taken->pages += hweight_long(word);
	taken->runs += hweight_long(word & ~(word << 1));
	/* One that goes on where the last word ended */
	if (word & 1 && taken->last == pfn)
		taken->runs--;
	taken->last = span.end;
	return true;
}

static bool __init kho_take_span(const struct kho_run *span,
				 const unsigned long *bitmap, void *data)
{
	struct kho_taken *taken = data;

	taken->nid = NUMA_NO_NODE;
	if (span && span->order && kho_run_unreserved(span) &&
	    !kho_run_in_scratch(span) && !kho_any_preserved(span->pfn, span->end))
		taken->nid = kho_find_region(span->pfn)->nid;
	return false;
}

static int __init kho_take_run(const struct kho_run *run, void *data)
{
	struct kho_taken *taken = data;
	struct kho_run range = *run;
	int err;

	if (taken->nid != NUMA_NO_NODE)
		return kho_take_pages(run, taken);

	err = kho_claim_run(run);
	if (err)
		return err < 0 ? err : kho_take_pages(run, taken);

	for (; range.pfn < run->end && !err; range.pfn = range.end) {
		range.end = range.pfn + BIT(range.order);
		err = kho_take_range(&range, taken);
	}

	return err;
}

static const struct kho_map_cb kho_take_cb __initconst = {
	.span = kho_take_span,
	.word = kho_take_word,
	.run = kho_take_run,
	.lost = kho_lose_range,
	.bad = kho_lose_branch,
};

/*
 * Whatever is lost, the rest is found by way of the FDT: it stays, even if what
 * the map says of it is lost. Nothing has been allocated there, see
 * kho_scratch_extend().
 */
static int __init kho_keep_fdt(phys_addr_t fdt)
{
	struct kho_run run = {
		.pfn = PHYS_PFN(fdt),
		.end = PHYS_PFN(fdt) + 1,
	};
	int err;

	if (kho_any_preserved(run.pfn, run.end))
		return 0;

	pr_warn("the FDT at %pa is not preserved itself\n", &fdt);
	err = kho_claim_run(&run);
	if (err <= 0)
		return err ?: -EINVAL;

	kho_init_struct_pages(&run);
	return kho_frames_add(run.pfn, run.end, 0);
}

/**
 * kho_take_over - keep everything that a map names out of the page allocator
 * @map: the preserved memory map of the previous kernel.
 * @fdt: physical address of the FDT that led to it; is kept in any case.
 *
 * Context: boot, while memblock still allocates; nothing else may be between
 * this and the release of free memory.
 * Return: how many pages that are, also if parts of it are lost; -EINVAL if the map or
 * the FDT cannot be read, -ENOMEM: then no memory is kept at all.
 */
long __init kho_take_over(struct kho_radix_tree *map, phys_addr_t fdt)
{
	struct kho_taken taken = {};
	cycles_t cycles = get_cycles();
	u64 time = local_clock();
	int err;

	err = kho_frames_init(PHYS_PFN(memblock_end_of_DRAM()));
	if (err)
		return err;

	err = kho_walk_map(map, &kho_take_cb, &taken);
	if (!err)
		err = kho_keep_fdt(fdt);
	if (err) {
		kho_frames_drop();
		return err;
	}

	/* The clock need not run that early, but there is a counter */
	cycles = get_cycles() - cycles;
	time = local_clock() - time;
	pr_info("took over %lu pages in %lu runs, %llu %s, %lu KiB of scratch\n",
		taken.pages, taken.runs,
		time ? time / NSEC_PER_USEC : (u64)cycles, time ? "us" : "cycles",
		kho_frames_pages << (PAGE_SHIFT - 10));
	if (taken.lost_ranges)
		pr_warn("lost %lu preserved ranges, %lu pages\n",
			taken.lost_ranges, taken.lost_pages);
	if (taken.bad)
		pr_warn("lost the ranges of %lu bad nodes and keys of the map\n",
			taken.bad);
	return taken.pages;
}

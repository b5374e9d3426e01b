// SPDX-License-Identifier: GPL-2.0-only
/*
 * KHO page frames - the set that is kept from the page allocator during boot.
 *
 * Owns the set. kho_takeover.c fills it; code that releases free memory to the page
 * allocator looks page frames up in it, see kho_next_unpreserved().
 *
 * A table has an entry for each chunk of memory, 128 MiB with pages of 4 KiB. An
 * entry holds the one run of page frames that is preserved in the chunk, or the
 * address of a bitmap if there are several: large runs take no bitmaps, and
 * fragments take 1 bit for each page of their chunk. The number of levels follows
 * from the end of memory. An entry of a higher level that is preserved as a whole
 * has no table below it.
 *
 * The set also records late page frames, of which the struct page is left to deferred
 * initialization: in ranges of order 1 and above, all but the first one.
 *
 * Written while only one CPU runs, then read until all free memory is released.
 */

#include <linux/bitfield.h>
#include <linux/bitmap.h>
#include <linux/find.h>
#include <linux/init.h>
#include <linux/kexec_handover.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/numa.h>
#include <linux/rcupdate.h>

#include "../../mm/mm_init.h"
#include "kexec_handover_internal.h"

/* Page frames of a chunk: as many as there are bits in a page */
#define KHO_CHUNK_SHIFT		(PAGE_SHIFT + 3)
#define KHO_CHUNK_PAGES		BIT(KHO_CHUNK_SHIFT)

#define KHO_TABLE_SHIFT		(PAGE_SHIFT - 3)
#define KHO_TABLE_ENTRIES	BIT(KHO_TABLE_SHIFT)

/*
 * An entry is 0, the address of a table or of a bitmap, or a run. Of an address
 * the low bits are free: KHO_LATE says that a second bitmap, of late page frames,
 * follows the first one.
 */
#define KHO_RUN			BIT(0)
#define KHO_LATE		BIT(1)
#define KHO_FLAGS		(KHO_RUN | KHO_LATE)

/*
 * A run: page frames of the chunk from FROM up to TO, which are ranges of ORDER
 * if they are late, else ORDER is 0. TO_END is the end of the chunk.
 */
#define KHO_RUN_ORDER		GENMASK(7, 2)
#define KHO_RUN_FROM		GENMASK(31, 8)
#define KHO_RUN_TO		GENMASK(63, 32)
#define KHO_RUN_TO_END		FIELD_MAX(KHO_RUN_TO)

static struct {
	unsigned long *root;
	unsigned int shift;	/* log2 of the page frames of an entry of the root */
} kho_frames;

unsigned long __initdata kho_frames_pages;	/* allocated for tables and bitmaps */
unsigned long __initdata kho_frames_steps;	/* entries visited to add runs; for tests */

/* An entry, and the page frames that it is about */
struct kho_chunk {
	unsigned long entry;
	unsigned long base;
	unsigned long nr;
};

struct kho_chunk_run {
	unsigned long from;
	unsigned long to;
	unsigned int order;
};

static unsigned long kho_run_entry(const struct kho_chunk_run *run)
{
	return KHO_RUN | FIELD_PREP(KHO_RUN_ORDER, run->order) |
	       FIELD_PREP(KHO_RUN_FROM, run->from) |
	       FIELD_PREP(KHO_RUN_TO, run->to);
}

static struct kho_chunk_run kho_entry_run(unsigned long entry, unsigned long nr)
{
	struct kho_chunk_run run = {
		.from = FIELD_GET(KHO_RUN_FROM, entry),
		.to = FIELD_GET(KHO_RUN_TO, entry),
		.order = FIELD_GET(KHO_RUN_ORDER, entry),
	};

	if (run.to == KHO_RUN_TO_END)
		run.to = nr;
	return run;
}

static unsigned long *kho_entry_bitmap(unsigned long entry)
{
	return (unsigned long *)(entry & ~KHO_FLAGS);
}

/* NULL if the struct pages of all that is preserved here are initialized */
static unsigned long *kho_entry_late(unsigned long entry)
{
	if (!(entry & KHO_LATE))
		return NULL;

	return kho_entry_bitmap(entry) + BITS_TO_LONGS(KHO_CHUNK_PAGES);
}

/* The chunk that contains @pfn; a larger one if an entry of a higher level covers it */
static __always_inline struct kho_chunk kho_find_chunk(unsigned long pfn)
{
	const unsigned long *table = kho_frames.root;
	unsigned int shift = kho_frames.shift;
	struct kho_chunk chunk = { .nr = ULONG_MAX };

	if (!table || pfn >> shift >= KHO_TABLE_ENTRIES)
		return chunk;

	for (;; shift -= KHO_TABLE_SHIFT) {
		chunk.entry = table[(pfn >> shift) % KHO_TABLE_ENTRIES];
		if (!chunk.entry || chunk.entry & KHO_RUN ||
		    shift == KHO_CHUNK_SHIFT)
			break;
		table = (const unsigned long *)chunk.entry;
	}

	chunk.nr = BIT(shift);
	chunk.base = round_down(pfn, chunk.nr);
	return chunk;
}

/* What follows is about page frames of a chunk, from @bit on and before @stop */

static __always_inline unsigned long
kho_next_preserved(const struct kho_chunk *chunk, unsigned long bit,
		   unsigned long stop)
{
	struct kho_chunk_run run;

	if (!chunk->entry)
		return stop;
	if (!(chunk->entry & KHO_RUN))
		return find_next_bit(kho_entry_bitmap(chunk->entry), stop, bit);

	run = kho_entry_run(chunk->entry, chunk->nr);
	return bit < run.to ? min(max(bit, run.from), stop) : stop;
}

static __always_inline unsigned long
kho_next_other(const struct kho_chunk *chunk, unsigned long bit,
	       unsigned long stop)
{
	struct kho_chunk_run run;

	if (!chunk->entry)
		return bit;
	if (!(chunk->entry & KHO_RUN))
		return find_next_zero_bit(kho_entry_bitmap(chunk->entry), stop, bit);

	run = kho_entry_run(chunk->entry, chunk->nr);
	return bit < run.from ? bit : min(max(bit, run.to), stop);
}

/* The first page frame of a range of which the others are late */
static unsigned long kho_next_late(const struct kho_chunk *chunk,
				   unsigned long bit, unsigned long stop)
{
	const unsigned long *late = kho_entry_late(chunk->entry);
	struct kho_chunk_run run;
	unsigned long limit;

	if (chunk->entry & KHO_RUN) {
		run = kho_entry_run(chunk->entry, chunk->nr);
		if (!run.order)
			return stop;
		bit = ALIGN(chunk->base + max(bit, run.from), BIT(run.order)) -
		      chunk->base;
		return bit < run.to ? min(bit, stop) : stop;
	}

	if (!late)
		return stop;

	/* Skip what is left of a range that starts before @bit */
	bit = find_next_zero_bit(late, stop, bit);
	if (bit == stop)
		return stop;

	limit = min(stop + 1, chunk->nr);
	bit = find_next_bit(late, limit, bit);
	return bit < limit ? bit - 1 : stop;
}

static unsigned long kho_chunk_weight(const struct kho_chunk *chunk,
				      unsigned long bit, unsigned long stop)
{
	struct kho_chunk_run run;

	if (!chunk->entry)
		return 0;
	if (!(chunk->entry & KHO_RUN))
		return bitmap_weight_from(kho_entry_bitmap(chunk->entry), bit, stop);

	run = kho_entry_run(chunk->entry, chunk->nr);
	return clamp(run.to, bit, stop) - clamp(run.from, bit, stop);
}

/* The first page frame from @pfn on that @next finds, or @end */
static __always_inline unsigned long
kho_find_frame(unsigned long pfn, unsigned long end,
	       unsigned long (*next)(const struct kho_chunk *chunk,
				     unsigned long bit, unsigned long stop))
{
	while (pfn < end) {
		struct kho_chunk chunk = kho_find_chunk(pfn);
		unsigned long stop = min(end - chunk.base, chunk.nr);
		unsigned long bit = next(&chunk, pfn - chunk.base, stop);

		pfn = chunk.base + bit;
		if (bit < stop)
			break;
	}

	return pfn;
}

/**
 * kho_next_unpreserved - find memory that may be released
 * @from: page frame where to start; set to the first one that is not preserved.
 * @to: set to the page frame after the last one that is not.
 * @end: page frame where to end.
 *
 * For code that releases free memory to the page allocator, or reports what is
 * free: preserved memory is not free, but is not in memblock.reserved either.
 *
 * Context: boot, between kho_memory_init() and core initcalls; from any number of
 * threads.
 * Return: %true if there is any such memory between @from and @end.
 */
bool __init kho_next_unpreserved(unsigned long *from, unsigned long *to,
				 unsigned long end)
{
	*from = kho_find_frame(*from, end, kho_next_other);
	*to = kho_find_frame(*from, end, kho_next_preserved);

	return *from < end;
}

/**
 * kho_count_preserved - how much of a range does not go to the page allocator
 * @pfn: the first page frame of the range.
 * @end: the page frame after its last one.
 *
 * Context: like kho_next_unpreserved().
 * Return: the number of page frames in the range that are preserved.
 */
unsigned long __init kho_count_preserved(unsigned long pfn, unsigned long end)
{
	unsigned long nr = 0;

	while (pfn < end) {
		struct kho_chunk chunk = kho_find_chunk(pfn);
		unsigned long stop = min(end - chunk.base, chunk.nr);

		nr += kho_chunk_weight(&chunk, pfn - chunk.base, stop);
		pfn = chunk.base + stop;
	}

	return nr;
}

/**
 * kho_preserved_word - which of some page frames are preserved
 * @pfn: the first of them, a multiple of BITS_PER_LONG.
 *
 * Context: like kho_next_unpreserved().
 * Return: a bit for each of BITS_PER_LONG page frames, set if it is preserved.
 */
unsigned long __init kho_preserved_word(unsigned long pfn)
{
	struct kho_chunk chunk = kho_find_chunk(pfn);
	unsigned long bit = pfn - chunk.base;
	struct kho_chunk_run run;

	if (!chunk.entry)
		return 0;
	if (!(chunk.entry & KHO_RUN))
		return kho_entry_bitmap(chunk.entry)[bit / BITS_PER_LONG];

	run = kho_entry_run(chunk.entry, chunk.nr);
	run.from = clamp(run.from, bit, bit + BITS_PER_LONG) - bit;
	run.to = clamp(run.to, bit, bit + BITS_PER_LONG) - bit;
	return run.from < run.to ? GENMASK(run.to - 1, run.from) : 0;
}

/* The first page frame from @pfn on that is preserved, or @end */
unsigned long __init kho_frames_next(unsigned long pfn, unsigned long end)
{
	return kho_find_frame(pfn, end, kho_next_preserved);
}

/* The first one of a range from @pfn on of which the others are late, or @end */
unsigned long __init kho_frames_next_late(unsigned long pfn, unsigned long end)
{
	return kho_find_frame(pfn, end, kho_next_late);
}

/**
 * kho_frame_initialized - check whether a struct page of preserved memory is valid
 * @pfn: the page frame, any value.
 *
 * Until deferred struct page init has ended other struct pages must not be read.
 *
 * Context: any, once memory has been taken over.
 * Return: %true if the page frame is preserved and not late, or if all struct pages
 * have been initialized.
 */
bool kho_frame_initialized(unsigned long pfn)
{
	const unsigned long *late;
	struct kho_chunk chunk;
	unsigned long bit;

	/* The set is freed later than this changes, and after a grace period */
	guard(rcu)();
	if (!deferred_pages_enabled())
		return true;

	chunk = kho_find_chunk(pfn);
	bit = pfn - chunk.base;
	if (kho_next_preserved(&chunk, bit, bit + 1) != bit)
		return false;
	if (chunk.entry & KHO_RUN)
		return IS_ALIGNED(pfn, BIT(kho_entry_run(chunk.entry, chunk.nr).order));

	late = kho_entry_late(chunk.entry);
	return !late || !test_bit(bit, late);
}

/* Writing */

static void *__init kho_frames_alloc(unsigned int nr_pages)
{
	/* Holds no pointers to anything that kmemleak knows */
	void *mem = memblock_alloc_try_nid(nr_pages * PAGE_SIZE, PAGE_SIZE, 0,
					   MEMBLOCK_ALLOC_NOLEAKTRACE,
					   NUMA_NO_NODE);

	if (mem)
		kho_frames_pages += nr_pages;
	return mem;
}

static void __init kho_frames_dealloc(void *mem, unsigned int nr_pages)
{
	memblock_free(mem, nr_pages * PAGE_SIZE);
	kho_frames_pages -= nr_pages;
}

/**
 * kho_frames_init - begin with no page frames
 * @end: the page frame after the last one that there is.
 *
 * Context: boot, while memblock allocates.
 * Return: 0 or -ENOMEM.
 */
int __init kho_frames_init(unsigned long end)
{
	kho_frames.shift = KHO_CHUNK_SHIFT;
	while ((end - 1) >> kho_frames.shift >= KHO_TABLE_ENTRIES)
		kho_frames.shift += KHO_TABLE_SHIFT;

	kho_frames.root = kho_frames_alloc(1);
	return kho_frames.root ? 0 : -ENOMEM;
}

static void __init kho_bitmap_add(unsigned long entry, const struct kho_chunk_run *run)
{
	bitmap_set(kho_entry_bitmap(entry), run->from, run->to - run->from);
	if (!run->order)
		return;
	/* Of a range all page frames but the first one */
	for (unsigned long bit = run->from; bit < run->to; bit += BIT(run->order))
		bitmap_set(kho_entry_late(entry), bit + 1, BIT(run->order) - 1);
}

/* Make bitmaps of an entry: one, and another one if any page frame is @late */
static int __init kho_entry_spread(unsigned long *entry, bool late)
{
	struct kho_chunk_run run = {};
	unsigned long *bitmap;

	if (*entry & KHO_RUN)
		run = kho_entry_run(*entry, KHO_CHUNK_PAGES);
	else if (*entry && (!late || *entry & KHO_LATE))
		return 0;

	late |= run.order;
	bitmap = kho_frames_alloc(1 + late);
	if (!bitmap)
		return -ENOMEM;

	if (*entry && !(*entry & KHO_RUN)) {
		bitmap_copy(bitmap, kho_entry_bitmap(*entry), KHO_CHUNK_PAGES);
		kho_frames_dealloc(kho_entry_bitmap(*entry), 1);
	}

	*entry = (unsigned long)bitmap | (late ? KHO_LATE : 0);
	kho_bitmap_add(*entry, &run);
	return 0;
}

/* Add @run to the run of an entry; false if both do not make one run */
static bool __init kho_run_extend(unsigned long *entry, const struct kho_chunk_run *run)
{
	struct kho_chunk_run old;

	if (!*entry) {
		*entry = kho_run_entry(run);
		return true;
	}
	if (!(*entry & KHO_RUN))
		return false;

	old = kho_entry_run(*entry, KHO_CHUNK_PAGES);
	if (run->from >= old.from && run->to <= old.to)
		return true;
	if (run->order != old.order ||
	    (run->from != old.to && run->to != old.from))
		return false;

	old.from = min(old.from, run->from);
	old.to = max(old.to, run->to);
	*entry = kho_run_entry(&old);
	return true;
}

static int __init kho_chunk_add(unsigned long *entry, const struct kho_chunk_run *run)
{
	int err;

	BUILD_BUG_ON(KHO_CHUNK_SHIFT >= 24);

	if (kho_run_extend(entry, run))
		return 0;

	err = kho_entry_spread(entry, run->order);
	if (!err)
		kho_bitmap_add(*entry, run);
	return err;
}

/*
 * The entry that @pfn is in, with tables as needed: that of its chunk, or one of a
 * higher level that is preserved as a whole, or empty and will be, up to @end.
 */
static unsigned long *__init kho_frames_entry(unsigned long pfn, unsigned long end,
					      unsigned int *shift)
{
	unsigned long *entry, *table = kho_frames.root;
	unsigned int s = kho_frames.shift;

	kho_frames_steps++;
	for (;; s -= KHO_TABLE_SHIFT) {
		*shift = s;
		entry = &table[(pfn >> s) % KHO_TABLE_ENTRIES];
		if (s == KHO_CHUNK_SHIFT || *entry & KHO_RUN ||
		    (!*entry && IS_ALIGNED(pfn, BIT(s)) && end - pfn >= BIT(s)))
			return entry;
		if (!*entry)
			*entry = (unsigned long)kho_frames_alloc(1);
		if (!*entry)
			return NULL;
		table = (unsigned long *)*entry;
	}
}

/**
 * kho_frames_add - keep page frames out of the page allocator
 * @pfn: the first one.
 * @end: the one after the last one.
 * @order: if they are ranges of an order and only the first struct page of each
 *	has been initialized, that order; 0 if all have been.
 *
 * Context: as kho_frames_init().
 * Return: 0 or -ENOMEM.
 */
int __init kho_frames_add(unsigned long pfn, unsigned long end, unsigned int order)
{
	const struct kho_chunk_run whole = { .to = KHO_RUN_TO_END, .order = order };

	while (pfn < end) {
		unsigned int shift;
		unsigned long *entry = kho_frames_entry(pfn, end, &shift);
		unsigned long base = round_down(pfn, BIT(shift));
		unsigned long stop = min(end, base + BIT(shift));
		const struct kho_chunk_run run = {
			.from = pfn - base,
			.to = stop - base,
			.order = order,
		};

		if (!entry)
			return -ENOMEM;
		if (!*entry && stop - pfn == BIT(shift)) {
			/* And those beside it that are empty, too */
			do {
				*entry++ = kho_run_entry(&whole);
				pfn += BIT(shift);
			} while (end - pfn >= BIT(shift) && !PAGE_ALIGNED(entry) && !*entry);
			continue;
		}
		if (shift == KHO_CHUNK_SHIFT && kho_chunk_add(entry, &run))
			return -ENOMEM;
		pfn = stop;
	}

	return 0;
}

/**
 * kho_frames_add_word - the same for pages that are bits of a word
 * @pfn: the page frame that the lowest bit stands for, a multiple of BITS_PER_LONG.
 * @word: which of them.
 *
 * Context: as kho_frames_init().
 * Return: 0 or -ENOMEM.
 */
int __init kho_frames_add_word(unsigned long pfn, unsigned long word)
{
	unsigned long from = __ffs(word), to = __fls(word) + 1;
	unsigned long *entry;
	unsigned int shift;
	int err;

	if (word == GENMASK(to - 1, from))
		return kho_frames_add(pfn + from, pfn + to, 0);

	entry = kho_frames_entry(pfn, pfn, &shift);
	if (!entry || shift > KHO_CHUNK_SHIFT)
		return -ENOMEM;

	err = kho_entry_spread(entry, false);
	if (err)
		return err;

	kho_entry_bitmap(*entry)[pfn % KHO_CHUNK_PAGES / BITS_PER_LONG] |= word;
	return 0;
}

static void __init kho_table_free(unsigned long *table, unsigned int shift)
{
	for (unsigned long i = 0; i < KHO_TABLE_ENTRIES; i++) {
		unsigned long entry = table[i];

		if (!entry || entry & KHO_RUN)
			continue;
		if (shift == KHO_CHUNK_SHIFT)
			kho_frames_dealloc(kho_entry_bitmap(entry),
					   entry & KHO_LATE ? 2 : 1);
		else
			kho_table_free((unsigned long *)entry,
				       shift - KHO_TABLE_SHIFT);
	}

	kho_frames_dealloc(table, 1);
}

/**
 * kho_frames_free - forget all page frames
 *
 * Context: boot; no free memory is released meanwhile.
 */
void __init kho_frames_free(void)
{
	unsigned long *root = kho_frames.root;

	if (!root)
		return;

	kho_frames.root = NULL;
	kho_table_free(root, kho_frames.shift);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The set of page frames that a take-over keeps: what it says, compared with
 * bytes that say the same, and what it costs. Page frames need not be memory.
 */

#include "kexec_handover_internal.h"
#include "tap.h"

#define GIB_PAGES	PHYS_PFN(SZ_1G)
#define PIECE_PAGES	(PAGE_SIZE * 8)
#define ADDRESS_PAGES	(1UL << (52 - PAGE_SHIFT))

static phys_addr_t reserved_before;
static unsigned int kmemleak_objects;

static void start(unsigned long end)
{
	sim_boot_early(NULL);
	reserved_before = memblock_reserved_size();
	kmemleak_objects = sim_kmemleak_objects;
	CHECK_EQ(0, kho_frames_init(end));
}

static void stop(void)
{
	kho_frames_free();
	CHECK_EQ(0, kho_frames_pages);
	CHECK_EQ(reserved_before, memblock_reserved_size());
	CHECK_EQ(kmemleak_objects, sim_kmemleak_objects);
}

static void expect_run(unsigned long pfn, unsigned long end)
{
	unsigned long from = pfn - 1, to;

	CHECK_EQ(end - pfn, kho_count_preserved(pfn - 1, end + 1));
	CHECK_EQ(pfn, kho_frames_next(pfn - 1, end + 1));
	CHECK(kho_next_unpreserved(&from, &to, end + 1));
	CHECK_EQ(pfn - 1, from);
	CHECK_EQ(pfn, to);
	from = pfn;
	CHECK(kho_next_unpreserved(&from, &to, end + 1));
	CHECK_EQ(end, from);
}

/* What a guest of 8 GiB takes, wherever it lies, is the root of the table */
TEST(frames_large_run)
{
	start(16 * GIB_PAGES);
	CHECK_EQ(0, kho_frames_add(3 * 512, 8 * GIB_PAGES + 3 * 512, 9));
	CHECK_EQ(1, kho_frames_pages);
	CHECK_EQ(PAGE_SIZE, memblock_reserved_size() - reserved_before);
	CHECK(kho_frames_steps <= 3);
	expect_run(3 * 512, 8 * GIB_PAGES + 3 * 512);
	stop();
}

/* In many calls, as there are runs of a few folios */
TEST(frames_large_run_in_parts)
{
	start(16 * GIB_PAGES);
	for (unsigned long pfn = GIB_PAGES; pfn < 9 * GIB_PAGES; pfn += 3 * 512)
		CHECK_EQ(0, kho_frames_add(pfn, pfn + 3 * 512, 9));
	CHECK_EQ(1, kho_frames_pages);
	stop();
}

static void add_words(unsigned long pfn, const unsigned long *bitmap)
{
	for (unsigned int i = 0; i < PIECE_PAGES / BITS_PER_LONG; i++) {
		if (!bitmap[i])
			continue;
		CHECK_EQ(0, kho_frames_add_word(pfn + i * BITS_PER_LONG, bitmap[i]));
		CHECK_EQ(bitmap[i], kho_preserved_word(pfn + i * BITS_PER_LONG));
	}
}

/* A piece of the map that is full, or has one run */
TEST(frames_full_bitmap)
{
	static unsigned long bitmap[PIECE_PAGES / BITS_PER_LONG];

	start(16 * GIB_PAGES);
	memset(bitmap, 0xff, sizeof(bitmap));
	for (unsigned int i = 1; i < 65; i++)
		add_words(i * PIECE_PAGES, bitmap);
	CHECK_EQ(1, kho_frames_pages);
	expect_run(PIECE_PAGES, 65 * PIECE_PAGES);
	memset(bitmap, 0, sizeof(bitmap));
	bitmap_set(bitmap, 100, 1000);
	add_words(70 * PIECE_PAGES, bitmap);
	CHECK_EQ(1, kho_frames_pages);
	expect_run(70 * PIECE_PAGES + 100, 70 * PIECE_PAGES + 1100);

	__set_bit(2000, bitmap);
	__set_bit(2002, bitmap);
	add_words(70 * PIECE_PAGES, bitmap);
	CHECK_EQ(2, kho_frames_pages);
	CHECK_EQ(1002, kho_count_preserved(70 * PIECE_PAGES, 71 * PIECE_PAGES));
	stop();
}

/* Tables where there is something, and none where all of it is preserved */
TEST(frames_far_apart)
{
	start(ADDRESS_PAGES);
	CHECK_EQ(1, kho_frames_pages);
	CHECK_EQ(0, kho_frames_add(5, 6, 0));
	CHECK_EQ(3, kho_frames_pages);
	CHECK_EQ(0, kho_frames_add(ADDRESS_PAGES - 2, ADDRESS_PAGES - 1, 0));
	CHECK_EQ(5, kho_frames_pages);
	expect_run(5, 6);
	expect_run(ADDRESS_PAGES - 2, ADDRESS_PAGES - 1);
	CHECK_EQ(2, kho_count_preserved(0, ADDRESS_PAGES));

	/* 64 TiB, not aligned to anything large: a table at each end */
	CHECK_EQ(0, kho_frames_add(3 * GIB_PAGES, (64 << 10) * GIB_PAGES, 18));
	CHECK(kho_frames_pages <= 7);
	CHECK(kho_frames_steps < 20);
	expect_run(3 * GIB_PAGES, (64 << 10) * GIB_PAGES);
	stop();
}

/* Beyond the end there is nothing, and without a set there is nothing at all */
TEST(frames_nothing)
{
	unsigned long from = 0, to;

	start(GIB_PAGES);
	CHECK(!kho_count_preserved(0, ADDRESS_PAGES));
	CHECK_EQ(ADDRESS_PAGES, kho_frames_next(3, ADDRESS_PAGES));
	CHECK_EQ(ADDRESS_PAGES, kho_frames_next_late(3, ADDRESS_PAGES));
	stop();
	CHECK(kho_next_unpreserved(&from, &to, ADDRESS_PAGES));
	CHECK_EQ(0, from);
	CHECK_EQ(ADDRESS_PAGES, to);
	CHECK(!kho_count_preserved(0, ADDRESS_PAGES));
}

/* The same in bytes, of a window in which pieces and tables begin and end */
#define WINDOW		(4 * PIECE_PAGES)
#define WINDOW_START	(512 * PIECE_PAGES - WINDOW / 2)

#define PRESERVED	1
#define LATE		2	/* and preserved */
#define HEAD		4	/* the others of its range are late */

static u8 window[WINDOW];

static void add(unsigned long at, unsigned long nr, unsigned int order)
{
	for (unsigned long i = 0; i < nr; i++) {
		window[at + i] = PRESERVED;
		if (order)
			window[at + i] |= i % (1UL << order) ? LATE : HEAD;
	}

	CHECK_EQ(0, kho_frames_add(WINDOW_START + at, WINDOW_START + at + nr, order));
}

static unsigned long next(unsigned long at, unsigned long end, u8 mask, u8 wanted)
{
	while (at < end && (window[at] & mask) != wanted)
		at++;
	return at;
}

static void compare(unsigned long at, unsigned long end)
{
	unsigned long from = WINDOW_START + at, to, nr = 0, first;

	first = next(at, end, PRESERVED, 0);
	CHECK_EQ(first < end,
		 kho_next_unpreserved(&from, &to, WINDOW_START + end));
	CHECK_EQ(WINDOW_START + first, from);
	CHECK_EQ(WINDOW_START + next(first, end, PRESERVED, PRESERVED), to);
	CHECK_EQ(WINDOW_START + next(at, end, PRESERVED, PRESERVED),
		 kho_frames_next(WINDOW_START + at, WINDOW_START + end));
	CHECK_EQ(WINDOW_START + next(at, end, HEAD, HEAD),
		 kho_frames_next_late(WINDOW_START + at, WINDOW_START + end));

	for (unsigned long i = at; i < end; i++)
		nr += window[i] & PRESERVED;
	CHECK_EQ(nr, kho_count_preserved(WINDOW_START + at, WINDOW_START + end));

	at = round_down(at, BITS_PER_LONG);
	for (unsigned int i = 0; i < BITS_PER_LONG; i++)
		CHECK_EQ(window[at + i] & PRESERVED,
			 kho_preserved_word(WINDOW_START + at) >> i & 1);
}

static bool window_empty(unsigned long at, unsigned long nr)
{
	return at + nr <= WINDOW && next(at, at + nr, PRESERVED, PRESERVED) == at + nr;
}

TEST(frames_random)
{
	for (unsigned int seed = 1; seed <= 40; seed++) {
		srand(seed);
		memset(window, 0, sizeof(window));
		start(seed % 2 ? ADDRESS_PAGES : 1024 * PIECE_PAGES);

		/* Larger ranges come first */
		for (int order = 16; order >= 0; order--) {
			for (unsigned int i = rand() % (seed % 8 + 2); i; i--) {
				unsigned long nr = 1 + rand() % (seed % 3 ? 4 : 600);
				unsigned long at = rand() % WINDOW;

				at = round_down(at, 1UL << order);
				nr <<= order;
				if (window_empty(at, nr))
					add(at, nr, seed % 5 ? order : 0);
			}
		}

		compare(0, WINDOW);
		for (unsigned int i = 0; i < 300; i++) {
			unsigned long at = rand() % WINDOW;
			unsigned long nr = 1 + rand() % (WINDOW - at);

			compare(at, at + (i % 3 ? min(nr, 1024UL) : nr));
		}
		stop();
	}
}

/* Not enough memory: an error, and nothing is lost of what was there before */
static void use_up(unsigned long keep)
{
	while (memblock_alloc(PAGE_SIZE, PAGE_SIZE))
		;
	for (; keep; keep--)
		memblock_free(phys_to_virt(SZ_8M + keep * SZ_8K), PAGE_SIZE);
}

TEST(frames_no_memory)
{
	for (unsigned long keep = 0; keep < 4; keep++) {
		sim_power_on();
		start(ADDRESS_PAGES);
		use_up(keep);
		CHECK_EQ(keep < 2 ? -ENOMEM : 0, kho_frames_add(7, 8, 0));
		CHECK_EQ(keep < 3 ? -ENOMEM : 0, kho_frames_add(9, 10, 0));
		CHECK_EQ(keep < 2 ? 100 : 7, kho_frames_next(0, 100));
		kho_frames_free();
	}
}

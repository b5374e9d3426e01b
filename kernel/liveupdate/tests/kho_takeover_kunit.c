// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit suite of the walk by runs, as boot takes preserved memory over.
 *
 * A model that knows nothing of runs holds single keys; what the walk reports
 * must be those keys, put together wherever they can be. Whether pages really
 * stay out of the page allocator takes a kexec and is not tested here.
 */

#include <kunit/test.h>
#include <linux/kho/abi/radix_tree.h>
#include <linux/kho/radix_tree.h>
#include <linux/moduleparam.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/sort.h>

#include "../kexec_handover_internal.h"

static unsigned long seed;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "seed of the random test, 0: a new one every time");

#define MAX_KEYS	2048
#define BITMAP_KEYS	BIT(KHO_BITMAP_SIZE_LOG2)

/* The key of page frame @pfn at order 0 */
#define FRAME_KEY(pfn)	(BIT(64 - PAGE_SHIFT) | (pfn))

struct runs {
	unsigned int nr;
	bool refused;
	struct kho_run run[MAX_KEYS];
};

struct takeover_test {
	struct kho_radix_tree tree;
	unsigned int nr_keys;
	unsigned long keys[MAX_KEYS];
	struct runs walked;
	struct runs model;
};

static int takeover_test_init(struct kunit *test)
{
	struct takeover_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	KUNIT_ASSERT_EQ(test, 0, kho_radix_init_tree(&t->tree, NULL));
	test->priv = t;
	return 0;
}

static void takeover_test_exit(struct kunit *test)
{
	struct takeover_test *t = test->priv;

	if (t)
		kho_radix_destroy_tree(&t->tree);
}

static void add_key(struct kunit *test, unsigned long key)
{
	struct takeover_test *t = test->priv;

	KUNIT_ASSERT_LT(test, t->nr_keys, MAX_KEYS);
	KUNIT_ASSERT_EQ(test, 0, kho_radix_add_key(&t->tree, key));
	t->keys[t->nr_keys++] = key;
}

static void add_keys(struct kunit *test, unsigned long first, unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++)
		add_key(test, first + i);
}

static int note_runs(unsigned long first, const unsigned long *bitmap, void *data)
{
	struct runs *runs = data;
	unsigned long bit = 0;
	int found;

	while ((found = kho_next_run(&runs->run[runs->nr], &bit, first, bitmap)) > 0) {
		if (++runs->nr == MAX_KEYS)
			return -EOVERFLOW;
	}
	runs->refused = found < 0;
	return found;
}

static int compare_keys(const void *a, const void *b)
{
	unsigned long first = *(const unsigned long *)a;
	unsigned long second = *(const unsigned long *)b;

	return first < second ? -1 : first > second;
}

/* One key at a time; it joins the run before it if everything fits */
static void model_runs(struct takeover_test *t)
{
	unsigned long before = 0;

	sort(t->keys, t->nr_keys, sizeof(*t->keys), compare_keys, NULL);
	for (unsigned int i = 0; i < t->nr_keys; i++) {
		struct kho_run *run = &t->model.run[t->model.nr];
		unsigned long key = t->keys[i];
		unsigned int order = 0;
		unsigned long pfn;

		if (key == before)
			continue;
		while (key >> (64 - PAGE_SHIFT - order) != 1)
			order++;
		pfn = (key - (1UL << (64 - PAGE_SHIFT - order))) << order;

		if (t->model.nr && key == before + 1 && run[-1].order == order &&
		    key % BITMAP_KEYS) {
			run[-1].end = pfn + (1UL << order);
		} else {
			run->order = order;
			run->pfn = pfn;
			run->end = pfn + (1UL << order);
			t->model.nr++;
		}
		before = key;
	}
}

static void expect_model(struct kunit *test)
{
	const struct kho_radix_walk_cb cb = { .keys = note_runs };
	struct takeover_test *t = test->priv;

	model_runs(t);
	KUNIT_ASSERT_EQ(test, 0, kho_radix_walk_tree(&t->tree, &cb, &t->walked));
	KUNIT_ASSERT_EQ(test, t->model.nr, t->walked.nr);
	for (unsigned int i = 0; i < t->model.nr; i++) {
		KUNIT_ASSERT_EQ(test, t->model.run[i].order, t->walked.run[i].order);
		KUNIT_ASSERT_EQ(test, t->model.run[i].pfn, t->walked.run[i].pfn);
		KUNIT_ASSERT_EQ(test, t->model.run[i].end, t->walked.run[i].end);
	}
}

static void expect_runs(struct kunit *test, unsigned int nr)
{
	struct takeover_test *t = test->priv;

	expect_model(test);
	KUNIT_EXPECT_EQ(test, nr, t->walked.nr);
}

static void nothing(struct kunit *test)
{
	expect_runs(test, 0);
}

static void contiguous(struct kunit *test)
{
	struct takeover_test *t = test->priv;

	add_keys(test, FRAME_KEY(0x1234), 1000);
	expect_runs(test, 1);
	KUNIT_EXPECT_EQ(test, 0x1234, t->walked.run[0].pfn);
	KUNIT_EXPECT_EQ(test, 0x1234 + 1000, t->walked.run[0].end);
	KUNIT_EXPECT_EQ(test, 0, t->walked.run[0].order);
}

static void every_other(struct kunit *test)
{
	for (unsigned long i = 0; i < 1000; i++)
		add_key(test, FRAME_KEY(0x100000 + 2 * i));
	expect_runs(test, 1000);
}

static void across_bitmaps(struct kunit *test)
{
	add_keys(test, FRAME_KEY(3 * BITMAP_KEYS - 10), 20);
	expect_runs(test, 2);
}

static void whole_bitmap(struct kunit *test)
{
	unsigned long *bitmap = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	unsigned long bit = 0;
	struct kho_run run;

	KUNIT_ASSERT_NOT_NULL(test, bitmap);
	KUNIT_EXPECT_EQ(test, 0, kho_next_run(&run, &bit, FRAME_KEY(0), bitmap));
	memset(bitmap, 0xff, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, 1,
			kho_next_run(&run, &bit, FRAME_KEY(BITMAP_KEYS), bitmap));
	KUNIT_EXPECT_EQ(test, BITMAP_KEYS, run.pfn);
	KUNIT_EXPECT_EQ(test, 2 * BITMAP_KEYS, run.end);
	KUNIT_EXPECT_EQ(test, BITMAP_KEYS, bit);
	KUNIT_EXPECT_EQ(test, 0,
			kho_next_run(&run, &bit, FRAME_KEY(BITMAP_KEYS), bitmap));
}

/* Huge pages side by side */
static void larger_order(struct kunit *test)
{
	struct takeover_test *t = test->priv;

	add_keys(test, kho_radix_encode_key(1UL << 30, 9), 512);
	expect_runs(test, 1);
	KUNIT_EXPECT_EQ(test, 9, t->walked.run[0].order);
	KUNIT_EXPECT_EQ(test, 512 << 9,
			t->walked.run[0].end - t->walked.run[0].pfn);
}

/* The last range of an order and the first of the next are neighbours as keys */
static void across_orders(struct kunit *test)
{
	add_keys(test, (1UL << 10) - 4, 8);
	expect_runs(test, 2);
}

static void every_order_in_one_bitmap(struct kunit *test)
{
	/* 2 and 3 are of order 51 with pages of 4 KiB, 4 to 7 of order 50, ... */
	add_keys(test, 2, (1UL << 10) - 2);
	expect_runs(test, 9);
}

/* All of the address space is no range */
static void expect_refused(struct kunit *test, unsigned long first)
{
	const struct kho_radix_walk_cb cb = { .keys = note_runs };
	struct takeover_test *t = test->priv;

	add_keys(test, first, 4);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			kho_radix_walk_tree(&t->tree, &cb, &t->walked));
	KUNIT_EXPECT_TRUE(test, t->walked.refused);
	KUNIT_EXPECT_EQ(test, 0, t->walked.nr);
}

static void key_zero(struct kunit *test)
{
	expect_refused(test, 0);
}

static void key_one(struct kunit *test)
{
	expect_refused(test, 1);
}

static void highest_keys(struct kunit *test)
{
	struct takeover_test *t = test->priv;

	add_keys(test, (1UL << KHO_RADIX_KEY_WIDTH) - 3, 3);
	expect_runs(test, 1);
	KUNIT_EXPECT_EQ(test, 1UL << (64 - PAGE_SHIFT), t->walked.run[0].end);
}

/* Dense, sparse, and at the borders of bitmaps and orders */
static unsigned long random_key(struct rnd_state *rnd, unsigned int i)
{
	unsigned int order = prandom_u32_state(rnd) % 20;
	unsigned long near = prandom_u32_state(rnd) % 64;

	switch (prandom_u32_state(rnd) % 4) {
	case 0:
		return FRAME_KEY(0x40000 + prandom_u32_state(rnd) % 512);
	case 1:
		return FRAME_KEY(BITMAP_KEYS * (1 + i % 7) - 32 + near);
	case 2:
		return (1UL << (64 - PAGE_SHIFT - order)) - 32 + near;
	default:
		return (1UL << (64 - PAGE_SHIFT - order)) |
		       prandom_u32_state(rnd) >> order;
	}
}

static void random_against_model(struct kunit *test)
{
	unsigned long used = seed ?: get_random_long();
	struct rnd_state rnd;

	kunit_info(test, "repeat with kho_takeover_kunit.seed=%lu", used);
	prandom_seed_state(&rnd, used);
	for (unsigned int i = 0; i < MAX_KEYS - 1; i++)
		add_key(test, random_key(&rnd, i));
	expect_model(test);
}

static struct kunit_case takeover_cases[] = {
	KUNIT_CASE(nothing),
	KUNIT_CASE(contiguous),
	KUNIT_CASE(every_other),
	KUNIT_CASE(across_bitmaps),
	KUNIT_CASE(whole_bitmap),
	KUNIT_CASE(larger_order),
	KUNIT_CASE(across_orders),
	KUNIT_CASE(every_order_in_one_bitmap),
	KUNIT_CASE(key_zero),
	KUNIT_CASE(key_one),
	KUNIT_CASE(highest_keys),
	KUNIT_CASE(random_against_model),
	{}
};

static struct kunit_suite takeover_suite = {
	.name = "kho_takeover",
	.init = takeover_test_init,
	.exit = takeover_test_exit,
	.test_cases = takeover_cases,
};

kunit_test_suite(takeover_suite);

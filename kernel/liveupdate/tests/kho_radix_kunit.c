// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit suite of the KHO radix tree.
 *
 * Keys and the layout of nodes are checked against numbers worked out by hand
 * from the description of the ABI, never against the code's own arithmetic.
 * How boot uses a tree is not tested here; that takes a kexec.
 */

#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/io.h>
#include <linux/kho/abi/radix_tree.h>
#include <linux/kho/radix_tree.h>
#include <linux/moduleparam.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/sort.h>

#include "../kexec_handover_internal.h"
#include "kho_kunit.h"

static unsigned long seed;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "seed of the random test, 0: a new one every time");

#define MAX_NODES	2048
#define MAX_KEYS	1024

/* Orders 0 to 51 with 4K pages: order 52 would leave no bit for the address. */
#define NR_ORDERS	(64 - PAGE_SHIFT)

/* Tables on the way from the root to a bitmap, and nodes with the bitmap. */
#define NR_TABLES	5
#define NR_LEVELS	(NR_TABLES + 1)

/* The lowest bit of the key that selects an entry in the table of a level. */
#define LEVEL_SHIFT(level)	(15 + 9 * ((level) - 1))

struct radix_test {
	struct kho_radix_tree tree;
	struct kho_kunit_held nodes;
	unsigned int allocs;	/* requests for a node */
	unsigned int fail_at;	/* which of them fails, counted from 1; 0: none */
};

/* What one walk saw, in the order in which it did. */
struct walk {
	unsigned int nr_keys;
	unsigned int nr_nodes;
	unsigned long keys[MAX_KEYS];
	phys_addr_t nodes[MAX_NODES];
};

static struct kho_radix_node *alloc_node_stub(void)
{
	struct radix_test *rt = kunit_get_current_test()->priv;
	struct page *page;

	if (++rt->allocs == rt->fail_at)
		return NULL;

	page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!page)
		return NULL;
	if (!kho_kunit_hold(&rt->nodes, page)) {
		__free_page(page);
		return NULL;
	}
	return page_address(page);
}

static int radix_test_init(struct kunit *test)
{
	struct radix_test *rt = kunit_kzalloc(test, sizeof(*rt), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, rt);
	kho_kunit_held_init(test, &rt->nodes, MAX_NODES);
	test->priv = rt;

	kunit_activate_static_stub(test, kho_radix_alloc_node, alloc_node_stub);
	KUNIT_ASSERT_EQ(test, 0, kho_radix_init_tree(&rt->tree, NULL));
	KUNIT_ASSERT_NOT_NULL(test, rt->tree.root);
	return 0;
}

/* Whatever a test did to its tree, destroying it must give every node back. */
static void radix_test_exit(struct kunit *test)
{
	struct radix_test *rt = test->priv;

	if (!rt)
		return;
	kho_radix_destroy_tree(&rt->tree);
	KUNIT_EXPECT_EQ(test, 0, kho_kunit_in_use(test, &rt->nodes));
}

static int note_keys(unsigned long first, const unsigned long *bitmap, void *data)
{
	struct walk *walk = data;
	unsigned long bit;

	for_each_set_bit(bit, bitmap, KHO_RADIX_BITMAP_KEYS) {
		if (walk->nr_keys == MAX_KEYS)
			return -EOVERFLOW;
		walk->keys[walk->nr_keys++] = first + bit;
	}
	return 0;
}

static int note_node(phys_addr_t phys, void *data)
{
	struct walk *walk = data;

	if (walk->nr_nodes == MAX_NODES)
		return -EOVERFLOW;
	walk->nodes[walk->nr_nodes++] = phys;
	return 0;
}

static const struct kho_radix_walk_cb note_all = {
	.keys = note_keys,
	.node = note_node,
};

static struct walk *walk_tree(struct kunit *test)
{
	struct radix_test *rt = test->priv;
	struct walk *walk = kunit_kzalloc(test, sizeof(*walk), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, walk);
	KUNIT_ASSERT_EQ(test, 0, kho_radix_walk_tree(&rt->tree, &note_all, walk));
	return walk;
}

static void expect_keys(struct kunit *test, const unsigned long *keys,
			unsigned int nr)
{
	struct walk *walk = walk_tree(test);

	KUNIT_EXPECT_EQ(test, nr, walk->nr_keys);
	for (unsigned int i = 0; i < min(nr, walk->nr_keys); i++)
		KUNIT_EXPECT_EQ_MSG(test, keys[i], walk->keys[i],
				    "key %u: %#lx instead of %#lx", i,
				    walk->keys[i], keys[i]);
	kunit_kfree(test, walk);
}

static void expect_same(struct kunit *test, const struct walk *before)
{
	struct walk *now = walk_tree(test);

	KUNIT_EXPECT_EQ(test, before->nr_nodes, now->nr_nodes);
	KUNIT_EXPECT_MEMEQ(test, before->nodes, now->nodes, sizeof(now->nodes));
	KUNIT_EXPECT_EQ(test, before->nr_keys, now->nr_keys);
	KUNIT_EXPECT_MEMEQ(test, before->keys, now->keys, sizeof(now->keys));
	kunit_kfree(test, now);
}

static void add_key(struct kunit *test, unsigned long key)
{
	struct radix_test *rt = test->priv;

	KUNIT_ASSERT_EQ_MSG(test, 0, kho_radix_add_key(&rt->tree, key),
			    "key %#lx", key);
}

static void del_key(struct kunit *test, unsigned long key)
{
	struct radix_test *rt = test->priv;

	kho_radix_del_key(&rt->tree, key);
}

/* Worked out by hand for 4K pages: the key, and where its bit lives. */
struct known_key {
	unsigned int order;
	u64 phys;
	unsigned long key;
	unsigned int index[NR_TABLES];	/* from the root down */
	unsigned int bit;
};

static const struct known_key known_keys[] = {
	{ 0,  0,                  0x10000000000000, { 2 } },
	{ 0,  0x1000,             0x10000000000001, { 2 }, 1 },
	{ 0,  0x12345000,         0x10000000012345, { 2, 0, 0, 0, 2 }, 0x2345 },
	{ 0,  0x8140e0b068011000, 0x18140e0b068011, { 3, 5, 7, 11, 13 }, 17 },
	{ 0,  0xfffffffffffff000, 0x1fffffffffffff, { 3, 511, 511, 511, 511 }, 0x7fff },
	{ 1,  0x2000,             0x08000000000001, { 1 }, 1 },
	{ 1,  0xffffffffffffe000, 0x0fffffffffffff, { 1, 511, 511, 511, 511 }, 0x7fff },
	{ 9,  0x40000000,         0x00080000000200, { 0, 2 }, 0x200 },
	{ 10, 0xc0400000,         0x00040000000301, { 0, 1 }, 0x301 },
	{ 14, 0x180000000,        0x00004000000060, { 0, 0, 32 }, 0x60 },
	{ 18, 0x1c0000000,        0x00000400000007, { 0, 0, 2 }, 7 },
	{ 26, 0x4000000000,       0x00000004000001, { 0, 0, 0, 4 }, 1 },
	{ 40, 0x30000000000000,   0x00000000001003, {}, 0x1003 },
	{ 50, 0xc000000000000000, 0x00000000000007, {}, 7 },
	{ 51, 0,                  0x00000000000002, {}, 2 },
	{ 51, 0x8000000000000000, 0x00000000000003, {}, 3 },
};

static void skip_unless_4k(struct kunit *test)
{
	if (PAGE_SHIFT != 12)
		kunit_skip(test, "the table is for pages of 4K");
}

static void encode_known(struct kunit *test)
{
	skip_unless_4k(test);
	for (unsigned int i = 0; i < ARRAY_SIZE(known_keys); i++) {
		const struct known_key *known = &known_keys[i];

		KUNIT_EXPECT_EQ_MSG(test, known->key,
				    kho_radix_encode_key(known->phys, known->order),
				    "%#llx, order %u", known->phys, known->order);
	}
}

static void decode_known(struct kunit *test)
{
	skip_unless_4k(test);
	for (unsigned int i = 0; i < ARRAY_SIZE(known_keys); i++) {
		const struct known_key *known = &known_keys[i];
		unsigned int order = UINT_MAX;

		KUNIT_EXPECT_EQ_MSG(test, known->phys,
				    kho_radix_decode_key(known->key, &order),
				    "key %#lx", known->key);
		KUNIT_EXPECT_EQ_MSG(test, known->order, order, "key %#lx",
				    known->key);
	}
}

/* The number of the page with a one put before it, cut off at the order. */
static unsigned long expected_key(u64 phys, unsigned int order)
{
	return ((1UL << (64 - PAGE_SHIFT)) + (phys >> PAGE_SHIFT)) >> order;
}

static void every_order(struct kunit *test)
{
	for (unsigned int order = 0; order < NR_ORDERS; order++) {
		const u64 size = (u64)PAGE_SIZE << order;
		const u64 phys[] = {
			0, size, -size, -2 * size, 1ULL << 63,
			0x5a5a5a5a5a5a5a5aULL & -size,
			0xa5a5a5a5a5a5a5a5ULL & -size,
		};

		for (unsigned int i = 0; i < ARRAY_SIZE(phys); i++) {
			unsigned long key = kho_radix_encode_key(phys[i], order);
			unsigned int decoded = UINT_MAX;

			KUNIT_EXPECT_EQ_MSG(test, expected_key(phys[i], order),
					    key, "%#llx, order %u", phys[i], order);
			KUNIT_EXPECT_EQ_MSG(test, phys[i],
					    kho_radix_decode_key(key, &decoded),
					    "key %#lx, order %u", key, order);
			KUNIT_EXPECT_EQ(test, order, decoded);

			add_key(test, key);
			expect_keys(test, &key, 1);
			del_key(test, key);
			expect_keys(test, NULL, 0);
		}
	}
}

/* reserve_mem and HugeTLB preserve more at once than the buddy allocator has. */
static void orders_above_max_page_order(struct kunit *test)
{
	const phys_addr_t phys = 1ULL << 40;
	unsigned int nr = 0, order;
	struct walk *walk;

	for (order = MAX_PAGE_ORDER + 1; order <= 40 - PAGE_SHIFT; order++, nr++)
		add_key(test, kho_radix_encode_key(phys, order));

	walk = walk_tree(test);
	KUNIT_ASSERT_EQ(test, nr, walk->nr_keys);
	for (unsigned int i = 0; i < nr; i++) {
		KUNIT_EXPECT_EQ(test, phys,
				kho_radix_decode_key(walk->keys[i], &order));
		/* The larger the order, the smaller the key. */
		KUNIT_EXPECT_EQ(test, 40 - PAGE_SHIFT - i, order);
	}
}

static unsigned int nonzero_entries(const struct kho_radix_node *node)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(node->table); i++)
		nr += !!node->table[i];
	return nr;
}

/* Follow one key by hand; it is the only one in the tree. */
static void expect_layout(struct kunit *test, const struct known_key *known)
{
	struct radix_test *rt = test->priv;
	const struct kho_radix_node *node = rt->tree.root;
	const u8 *bitmap;

	for (unsigned int i = 0; i < NR_TABLES; i++) {
		const u64 entry = node->table[known->index[i]];

		KUNIT_ASSERT_EQ_MSG(test, 1, nonzero_entries(node),
				    "key %#lx, table %u", known->key, i);
		KUNIT_ASSERT_TRUE_MSG(test, kho_kunit_is_held(&rt->nodes, entry),
				      "key %#lx, table %u: %#llx is no node",
				      known->key, i, entry);
		node = phys_to_virt(entry);
	}

	bitmap = (const u8 *)node;
	KUNIT_EXPECT_EQ_MSG(test, BIT(known->bit % 8), bitmap[known->bit / 8],
			    "key %#lx", known->key);
	KUNIT_EXPECT_EQ(test, 1, bitmap_weight((const unsigned long *)node,
					       8 * PAGE_SIZE));
}

static void wire_format_written(struct kunit *test)
{
	struct radix_test *rt = test->priv;

	skip_unless_4k(test);
	for (unsigned int i = 0; i < ARRAY_SIZE(known_keys); i++) {
		kho_radix_destroy_tree(&rt->tree);
		KUNIT_ASSERT_EQ(test, 0, kho_radix_init_tree(&rt->tree, NULL));
		add_key(test, known_keys[i].key);
		expect_layout(test, &known_keys[i]);
	}
}

/* A tree as another kernel wrote it, with all known keys in it. */
static void write_by_hand(struct kunit *test, struct kho_radix_node *node,
			  const struct known_key *known)
{
	struct kho_radix_node *next;
	u8 *bitmap;

	for (unsigned int i = 0; i < NR_TABLES; i++) {
		u64 *entry = &node->table[known->index[i]];

		if (!*entry) {
			next = alloc_node_stub();
			KUNIT_ASSERT_NOT_NULL(test, next);
			*entry = virt_to_phys(next);
		}
		node = phys_to_virt(*entry);
	}

	bitmap = (u8 *)node;
	bitmap[known->bit / 8] |= BIT(known->bit % 8);
}

static void wire_format_read(struct kunit *test)
{
	struct radix_test *rt = test->priv;
	struct kho_radix_node *root;
	struct walk *walk;

	skip_unless_4k(test);
	root = alloc_node_stub();
	KUNIT_ASSERT_NOT_NULL(test, root);
	for (unsigned int i = 0; i < ARRAY_SIZE(known_keys); i++)
		write_by_hand(test, root, &known_keys[i]);

	kho_radix_destroy_tree(&rt->tree);
	rt->allocs = 0;
	KUNIT_ASSERT_EQ(test, 0, kho_radix_init_tree(&rt->tree, root));
	KUNIT_EXPECT_PTR_EQ(test, root, rt->tree.root);
	KUNIT_EXPECT_EQ(test, 0, rt->allocs);

	walk = walk_tree(test);
	KUNIT_ASSERT_EQ(test, ARRAY_SIZE(known_keys), walk->nr_keys);
	for (unsigned int i = 0; i < ARRAY_SIZE(known_keys); i++) {
		bool found = false;

		for (unsigned int j = 0; j < walk->nr_keys; j++)
			found |= walk->keys[j] == known_keys[i].key;
		KUNIT_EXPECT_TRUE_MSG(test, found, "key %#lx", known_keys[i].key);
		del_key(test, known_keys[i].key);
	}
	expect_keys(test, NULL, 0);
}

/* Every order, in an order that is neither that of keys nor its reverse. */
static void walk_is_ascending(struct kunit *test)
{
	const u64 pattern = 0x0000123456789000ULL;
	unsigned long previous = 0;
	struct walk *walk;

	for (unsigned int i = 0; i < NR_ORDERS; i++) {
		unsigned int order = i * 19 % NR_ORDERS;
		u64 size = (u64)PAGE_SIZE << order;

		add_key(test, expected_key(0, order));
		add_key(test, expected_key(-size, order));
		if (pattern & -size)
			add_key(test, expected_key(pattern & -size, order));
	}

	walk = walk_tree(test);
	KUNIT_EXPECT_GT(test, walk->nr_keys, 2 * NR_ORDERS);
	for (unsigned int i = 0; i < walk->nr_keys; i++) {
		KUNIT_EXPECT_GT_MSG(test, walk->keys[i], previous, "key %u", i);
		previous = walk->keys[i];
	}

	for (unsigned int i = 0; i < walk->nr_keys; i++)
		del_key(test, walk->keys[i]);
	expect_keys(test, NULL, 0);
}

static void narrowest_and_widest_key(struct kunit *test)
{
	const unsigned long keys[] = { 0, (1UL << (64 - PAGE_SHIFT + 1)) - 1 };

	add_key(test, keys[1]);
	add_key(test, keys[0]);
	expect_keys(test, keys, ARRAY_SIZE(keys));
}

static void key_too_wide(struct kunit *test)
{
	const unsigned long too_wide[] = {
		1UL << (64 - PAGE_SHIFT + 1),
		(1UL << (64 - PAGE_SHIFT + 1)) + 1,
		1UL << 63,
		~0UL,
	};
	struct radix_test *rt = test->priv;
	struct walk *before;

	/* The bits of a wide key that the tree does not look at. */
	add_key(test, 0);
	add_key(test, 1);
	before = walk_tree(test);
	for (unsigned int i = 0; i < ARRAY_SIZE(too_wide); i++) {
		KUNIT_EXPECT_EQ_MSG(test, -ERANGE,
				    kho_radix_add_key(&rt->tree, too_wide[i]),
				    "key %#lx", too_wide[i]);
		kunit_warning_suppress(test)
			del_key(test, too_wide[i]);
		expect_same(test, before);
	}
}

static void add_twice(struct kunit *test)
{
	const unsigned long key = expected_key(0x200000, 9);
	struct walk *once;

	add_key(test, key);
	once = walk_tree(test);
	add_key(test, key);
	expect_same(test, once);

	del_key(test, key);
	expect_keys(test, NULL, 0);
}

static void delete_spares_neighbours(struct kunit *test)
{
	/* Same word, next word, far end of the bitmap, next bitmap. */
	const unsigned long all[] = { 0x8000, 0x8001, 0x8002, 0x8040, 0xffff, 0x10000 };
	unsigned long left[ARRAY_SIZE(all)];

	for (unsigned int gone = 0; gone < ARRAY_SIZE(all); gone++) {
		unsigned int nr = 0;

		for (unsigned int i = 0; i < ARRAY_SIZE(all); i++) {
			add_key(test, all[i]);
			if (i != gone)
				left[nr++] = all[i];
		}
		del_key(test, all[gone]);
		expect_keys(test, left, nr);
	}
}

static void delete_missing(struct kunit *test)
{
	const unsigned long key = expected_key(0x8140e0b068011000, 0);
	struct walk *before;

	add_key(test, key);
	before = walk_tree(test);

	for (unsigned int level = 1; level <= NR_TABLES; level++) {
		kunit_warning_suppress(test) {
			del_key(test, key ^ (1UL << LEVEL_SHIFT(level)));
			KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
		}
		expect_same(test, before);
	}

	/* Its bitmap is there but its bit is not. */
	kunit_warning_suppress(test)
		del_key(test, key ^ 1);
	expect_same(test, before);
}

static void no_root(struct kunit *test)
{
	struct kho_radix_tree tree = {};
	struct radix_test *rt = test->priv;

	rt->allocs = 0;
	rt->fail_at = 1;
	KUNIT_EXPECT_EQ(test, -ENOMEM, kho_radix_init_tree(&tree, NULL));
	KUNIT_EXPECT_NULL(test, tree.root);

	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, -EINVAL, kho_radix_add_key(&tree, 1));
		KUNIT_EXPECT_EQ(test, -EINVAL,
				kho_radix_walk_tree(&tree, &note_all, NULL));
		kho_radix_del_key(&tree, 1);
	}
	kho_radix_destroy_tree(&tree);
	KUNIT_EXPECT_EQ(test, 1, rt->allocs);
}

/* Not even the lock: nothing but the root may be looked at */
static void never_initialized(struct kunit *test)
{
	struct kho_radix_tree tree;

	memset(&tree, 0xa5, sizeof(tree));
	tree.root = NULL;
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, -EINVAL, kho_radix_add_key(&tree, 1));
		KUNIT_EXPECT_EQ(test, -EINVAL,
				kho_radix_walk_tree(&tree, &note_all, NULL));
		kho_radix_del_key(&tree, 1);
	}
	kho_radix_destroy_tree(&tree);
}

static void destroy(struct kunit *test)
{
	struct radix_test *rt = test->priv;

	for (unsigned int order = 0; order < NR_ORDERS; order++)
		add_key(test, expected_key(0, order));
	KUNIT_EXPECT_EQ(test, rt->allocs, kho_kunit_in_use(test, &rt->nodes));

	kho_radix_destroy_tree(&rt->tree);
	KUNIT_EXPECT_NULL(test, rt->tree.root);
	KUNIT_EXPECT_EQ(test, 0, kho_kunit_in_use(test, &rt->nodes));

	/* Destroying twice is destroying once. */
	kho_radix_destroy_tree(&rt->tree);
}

/* Each node once, all of them, and none that is not one. */
static void expect_nodes(struct kunit *test, unsigned int nr)
{
	struct radix_test *rt = test->priv;
	struct walk *walk = walk_tree(test);

	KUNIT_EXPECT_EQ(test, nr, walk->nr_nodes);
	KUNIT_EXPECT_EQ(test, nr, kho_kunit_in_use(test, &rt->nodes));
	for (unsigned int i = 0; i < walk->nr_nodes; i++) {
		KUNIT_EXPECT_TRUE(test, kho_kunit_is_held(&rt->nodes,
							  walk->nodes[i]));
		for (unsigned int j = 0; j < i; j++)
			KUNIT_EXPECT_NE(test, walk->nodes[i], walk->nodes[j]);
	}
	kunit_kfree(test, walk);
}

static void node_callback(struct kunit *test)
{
	const unsigned long key = expected_key(0x8140e0b068011000, 0);
	unsigned int nodes = NR_LEVELS;

	expect_nodes(test, 1);
	add_key(test, key);
	expect_nodes(test, nodes);
	add_key(test, key ^ 1);
	expect_nodes(test, nodes);

	/* A key that leaves the path at a level needs new nodes below it. */
	for (unsigned int level = 1; level <= NR_TABLES; level++) {
		add_key(test, key ^ (1UL << LEVEL_SHIFT(level)));
		nodes += level;
		expect_nodes(test, nodes);
	}
}

static void one_callback(struct kunit *test)
{
	const struct kho_radix_walk_cb keys_only = { .keys = note_keys };
	const struct kho_radix_walk_cb nodes_only = { .node = note_node };
	const struct kho_radix_walk_cb neither = {};
	struct radix_test *rt = test->priv;
	struct walk *walk;

	add_key(test, 5);
	add_key(test, 6);
	walk = kunit_kzalloc(test, sizeof(*walk), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, walk);

	KUNIT_EXPECT_EQ(test, 0, kho_radix_walk_tree(&rt->tree, &keys_only, walk));
	KUNIT_EXPECT_EQ(test, 2, walk->nr_keys);
	KUNIT_EXPECT_EQ(test, 0, walk->nr_nodes);

	KUNIT_EXPECT_EQ(test, 0, kho_radix_walk_tree(&rt->tree, &nodes_only, walk));
	KUNIT_EXPECT_EQ(test, 2, walk->nr_keys);
	KUNIT_EXPECT_EQ(test, NR_LEVELS, walk->nr_nodes);

	KUNIT_EXPECT_EQ(test, 0, kho_radix_walk_tree(&rt->tree, &neither, NULL));
}

/* Counts down and then stops the walk with a value of the test's. */
struct stopper {
	int calls_left;
	int calls;
	int value;
};

static int stop_walk(struct stopper *stopper)
{
	stopper->calls++;
	return --stopper->calls_left ? 0 : stopper->value;
}

static int stop_at_keys(unsigned long first, const unsigned long *bitmap, void *data)
{
	return stop_walk(data);
}

static int stop_at_node(phys_addr_t phys, void *data)
{
	return stop_walk(data);
}

static void expect_stop(struct kunit *test, const struct kho_radix_walk_cb *cb,
			int at, int value)
{
	struct stopper stopper = { .calls_left = at, .value = value };
	struct radix_test *rt = test->priv;

	KUNIT_EXPECT_EQ(test, value, kho_radix_walk_tree(&rt->tree, cb, &stopper));
	KUNIT_EXPECT_EQ(test, at, stopper.calls);
}

static void walk_stops(struct kunit *test)
{
	const struct kho_radix_walk_cb keys = { .keys = stop_at_keys };
	const struct kho_radix_walk_cb nodes = { .node = stop_at_node };
	/* Two bitmaps below one table, one far away. */
	const unsigned long all[] = { 1, 0x8000, 1UL << 51 };
	const int nr_nodes = NR_LEVELS + 1 + NR_TABLES;

	for (unsigned int i = 0; i < ARRAY_SIZE(all); i++)
		add_key(test, all[i]);

	for (int at = 1; at <= ARRAY_SIZE(all); at++) {
		expect_stop(test, &keys, at, -EINTR);
		expect_stop(test, &keys, at, 7);
	}
	for (int at = 1; at <= nr_nodes; at++) {
		expect_stop(test, &nodes, at, -EINTR);
		expect_stop(test, &nodes, at, 7);
	}
}

/*
 * Let each of the @nr_new allocations that @key needs fail in turn, and see
 * that the tree is what it was; then add the key after all.
 */
static void expect_clean_failure(struct kunit *test, unsigned long key,
				 unsigned int nr_new)
{
	struct radix_test *rt = test->priv;
	const struct walk *before = walk_tree(test);

	for (unsigned int n = 1; n <= nr_new; n++) {
		rt->allocs = 0;
		rt->fail_at = n;
		KUNIT_EXPECT_EQ_MSG(test, -ENOMEM,
				    kho_radix_add_key(&rt->tree, key),
				    "allocation %u of %u", n, nr_new);
		rt->fail_at = 0;

		KUNIT_EXPECT_EQ(test, n, rt->allocs);
		KUNIT_EXPECT_EQ_MSG(test, before->nr_nodes,
				    kho_kunit_in_use(test, &rt->nodes),
				    "allocation %u of %u", n, nr_new);
		expect_same(test, before);
	}

	rt->allocs = 0;
	add_key(test, key);
	KUNIT_EXPECT_EQ(test, nr_new, rt->allocs);
	expect_nodes(test, before->nr_nodes + nr_new);
}

static void allocation_failure(struct kunit *test)
{
	const unsigned long key = expected_key(0x8140e0b068011000, 0);
	unsigned long keys[NR_LEVELS];
	unsigned int nr = 0;

	expect_clean_failure(test, key, NR_TABLES);

	for (unsigned int level = NR_TABLES; level; level--) {
		/* Bit 0 of every index of the key is set: these come before it. */
		keys[nr] = key ^ (1UL << LEVEL_SHIFT(level));
		expect_clean_failure(test, keys[nr++], level);
	}
	keys[nr++] = key;
	expect_keys(test, keys, nr);
}

static int compare_keys(const void *a, const void *b)
{
	const unsigned long *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

#define POOL_SIZE	400
#define RANDOM_OPS	4000
#define OPS_PER_CHECK	200

/* Distinct keys, sorted, of all orders and close enough to share nodes. */
static unsigned int fill_pool(struct rnd_state *rnd, unsigned long *pool)
{
	unsigned int nr = 1;

	for (unsigned int i = 0; i < POOL_SIZE; i++) {
		unsigned int order = prandom_u32_state(rnd) % NR_ORDERS;
		u64 pfn = prandom_u32_state(rnd) & 0x3ffff;

		/* Every fourth lies anywhere. */
		if (!(prandom_u32_state(rnd) % 4))
			pfn = (u64)prandom_u32_state(rnd) << 20 | pfn;
		pool[i] = expected_key(pfn << PAGE_SHIFT, order);
	}

	sort(pool, POOL_SIZE, sizeof(*pool), compare_keys, NULL);
	for (unsigned int i = 1; i < POOL_SIZE; i++)
		if (pool[i] != pool[nr - 1])
			pool[nr++] = pool[i];
	return nr;
}

static void expect_model(struct kunit *test, const unsigned long *pool,
			 const unsigned long *present, unsigned int nr)
{
	unsigned long *keys = kunit_kcalloc(test, nr, sizeof(*keys), GFP_KERNEL);
	unsigned int nr_keys = 0, i;

	KUNIT_ASSERT_NOT_NULL(test, keys);
	for_each_set_bit(i, present, nr)
		keys[nr_keys++] = pool[i];
	expect_keys(test, keys, nr_keys);
	kunit_kfree(test, keys);
}

/* On the real allocator; the model is a sorted array and a bit for each key. */
static void random_against_model(struct kunit *test)
{
	const unsigned long used = seed ?: get_random_u32() | 1;
	DECLARE_BITMAP(present, POOL_SIZE) = {};
	struct radix_test *rt = test->priv;
	unsigned long *pool;
	struct rnd_state rnd;
	unsigned int nr;

	kunit_info(test, "repeat with kho_radix_kunit.seed=%lu", used);
	prandom_seed_state(&rnd, used);
	pool = kunit_kcalloc(test, POOL_SIZE, sizeof(*pool), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pool);
	nr = fill_pool(&rnd, pool);

	kho_radix_destroy_tree(&rt->tree);
	kunit_deactivate_static_stub(test, kho_radix_alloc_node);
	KUNIT_ASSERT_EQ(test, 0, kho_radix_init_tree(&rt->tree, NULL));

	for (unsigned int op = 1; op <= RANDOM_OPS; op++) {
		unsigned int i = prandom_u32_state(&rnd) % nr;

		if (!test_bit(i, present)) {
			add_key(test, pool[i]);
			__set_bit(i, present);
		} else if (prandom_u32_state(&rnd) % 4) {
			del_key(test, pool[i]);
			__clear_bit(i, present);
		} else {
			add_key(test, pool[i]);
		}
		if (op % OPS_PER_CHECK == 0)
			expect_model(test, pool, present, nr);
	}
}

static struct kunit_case radix_cases[] = {
	KUNIT_CASE(encode_known),
	KUNIT_CASE(decode_known),
	KUNIT_CASE(every_order),
	KUNIT_CASE(orders_above_max_page_order),
	KUNIT_CASE(wire_format_written),
	KUNIT_CASE(wire_format_read),
	KUNIT_CASE(walk_is_ascending),
	KUNIT_CASE(narrowest_and_widest_key),
	KUNIT_CASE(key_too_wide),
	KUNIT_CASE(add_twice),
	KUNIT_CASE(delete_spares_neighbours),
	KUNIT_CASE(delete_missing),
	KUNIT_CASE(no_root),
	KUNIT_CASE(never_initialized),
	KUNIT_CASE(destroy),
	KUNIT_CASE(node_callback),
	KUNIT_CASE(one_callback),
	KUNIT_CASE(walk_stops),
	KUNIT_CASE(allocation_failure),
	KUNIT_CASE(random_against_model),
	{}
};

static struct kunit_suite radix_suite = {
	.name = "kho_radix",
	.init = radix_test_init,
	.exit = radix_test_exit,
	.test_cases = radix_cases,
};

kunit_test_suite(radix_suite);

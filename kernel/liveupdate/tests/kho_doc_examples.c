// SPDX-License-Identifier: GPL-2.0-only
/*
 * The examples of Documentation/core-api/kho/ and a test for each of them.
 *
 * The pages include what stands between a comment "example: NAME" and the
 * comment "end of NAME", so none of it can be out of date. What runs before
 * kexec runs for real here; what runs after it gets pages that look as if an
 * earlier kernel had preserved them. Only what asks for a handover finds none.
 */

#include <kunit/test.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/radix_tree.h>
#include <linux/kho/abi/vmalloc.h>
#include <linux/kho/block.h>
#include <linux/kho/compat.h>
#include <linux/kho/radix_tree.h>
#include <linux/libfdt.h>
#include <linux/mm.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "../kexec_handover_internal.h"
#include "kho_doc_examples.h"
#include "kho_kunit.h"

/* example: visits */
/* Counts the kernels that this machine has run since it was switched on. */
#define VISITS_SUBTREE	"visits"

struct visits_ser {
	u64 count;
};

static struct visits_ser *visits;

/* After kexec: read what the previous kernel left, then free it */
static u64 visits_so_far(void)
{
	struct visits_ser *old;
	phys_addr_t phys;
	size_t size;
	u64 count;

	if (kho_retrieve_subtree(VISITS_SUBTREE, &phys, &size))
		return 0;

	/* The previous kernel may be buggy: check before following an address */
	if (size < sizeof(*old) || kho_preserved_order(phys) < 0) {
		pr_warn("%s at %pa has %zu bytes, expected %zu of preserved memory\n",
			VISITS_SUBTREE, &phys, size, sizeof(*old));
		return 0;
	}

	old = phys_to_virt(phys);
	count = old->count;
	kho_restore_free(old);
	return count;
}

/* Before kexec: memory that stays, and a name to find it by */
static int visits_init(void)
{
	int err;

	if (!kho_is_enabled())
		return -EOPNOTSUPP;

	visits = kho_alloc_preserve(sizeof(*visits));
	if (IS_ERR(visits))
		return PTR_ERR(visits);

	visits->count = visits_so_far() + 1;
	err = kho_add_subtree(VISITS_SUBTREE, visits, sizeof(*visits));
	if (err)
		kho_unpreserve_free(visits);
	return err;
}

/* Nothing is handed over after all */
static void visits_exit(void)
{
	kho_remove_subtree(visits);
	kho_unpreserve_free(visits);
}

/* end of visits */

static void visits_test(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, 0, visits_init());
	KUNIT_EXPECT_EQ(test, 1, visits->count);
	KUNIT_EXPECT_EQ(test, -EEXIST,
			kho_add_subtree(VISITS_SUBTREE, visits, sizeof(*visits)));
	visits_exit();

	/* It left nothing behind that would be in the way of another start */
	KUNIT_ASSERT_EQ(test, 0, visits_init());
	visits_exit();
}

/* example: folio */
#define BUFFER_ORDER	2

struct buffer_ser {
	u64 phys;
};

static struct folio *buffer_create(struct buffer_ser *ser)
{
	struct folio *folio = folio_alloc(GFP_KERNEL | __GFP_ZERO, BUFFER_ORDER);

	if (!folio)
		return NULL;

	if (kho_preserve_folio(folio)) {
		folio_put(folio);
		return NULL;
	}

	ser->phys = PFN_PHYS(folio_pfn(folio));
	return folio;
}

static void buffer_destroy(struct folio *folio)
{
	kho_unpreserve_folio(folio);
	folio_put(folio);
}

static struct folio *buffer_restore(const struct buffer_ser *ser)
{
	/* A folio of another size is not ours: leave it where it is */
	if (kho_preserved_order(ser->phys) != BUFFER_ORDER)
		return NULL;

	return kho_restore_folio(ser->phys);
}

/* end of folio */

static void folio_test(struct kunit *test)
{
	struct folio *folio;
	struct buffer_ser ser;
	void *mem;

	folio = buffer_create(&ser);
	KUNIT_ASSERT_NOT_NULL(test, folio);
	KUNIT_EXPECT_EQ(test, ser.phys, page_to_phys(folio_page(folio, 0)));
	buffer_destroy(folio);

	mem = kho_kunit_forge(test->priv, BUFFER_ORDER + 1);
	KUNIT_ASSERT_NOT_NULL(test, mem);
	ser.phys = virt_to_phys(mem);
	KUNIT_EXPECT_NULL(test, buffer_restore(&ser));
	KUNIT_EXPECT_EQ(test, BUFFER_ORDER + 1, kho_preserved_order(ser.phys));

	mem = kho_kunit_forge(test->priv, BUFFER_ORDER);
	KUNIT_ASSERT_NOT_NULL(test, mem);
	ser.phys = virt_to_phys(mem);
	folio = buffer_restore(&ser);
	KUNIT_ASSERT_NOT_NULL(test, folio);
	KUNIT_EXPECT_PTR_EQ(test, mem, folio_address(folio));
	KUNIT_EXPECT_NULL(test, buffer_restore(&ser));
	folio_put(folio);
}

/* example: pages */
struct ring_ser {
	u64 phys;
	u64 nr_pages;
};

static void *ring_create(unsigned long nr_pages, struct ring_ser *ser)
{
	void *ring = alloc_pages_exact(nr_pages * PAGE_SIZE, GFP_KERNEL);

	if (!ring)
		return NULL;

	if (kho_preserve_pages(virt_to_page(ring), nr_pages)) {
		free_pages_exact(ring, nr_pages * PAGE_SIZE);
		return NULL;
	}

	ser->phys = virt_to_phys(ring);
	ser->nr_pages = nr_pages;
	return ring;
}

static void ring_destroy(void *ring, unsigned long nr_pages)
{
	kho_unpreserve_pages(virt_to_page(ring), nr_pages);
	free_pages_exact(ring, nr_pages * PAGE_SIZE);
}

static void *ring_restore(const struct ring_ser *ser)
{
	struct page *page = kho_restore_pages(ser->phys, ser->nr_pages);

	return page ? page_address(page) : NULL;
}

/* end of pages */

static void pages_test(struct kunit *test)
{
	struct ring_ser ser;
	void *ring, *mem;

	ring = ring_create(5, &ser);
	KUNIT_ASSERT_NOT_NULL(test, ring);
	KUNIT_EXPECT_EQ(test, 5, ser.nr_pages);
	KUNIT_EXPECT_PTR_EQ(test, ring, phys_to_virt(ser.phys));
	ring_destroy(ring, 5);

	mem = kho_kunit_forge(test->priv, 2);
	KUNIT_ASSERT_NOT_NULL(test, mem);
	ser = (struct ring_ser) { virt_to_phys(mem), 3 };
	KUNIT_EXPECT_NULL(test, ring_restore(&ser));
	ser.nr_pages = 4;
	ring = ring_restore(&ser);
	KUNIT_ASSERT_PTR_EQ(test, mem, ring);
	free_pages_exact(ring, 4 * PAGE_SIZE);
}

/* example: vmalloc */
struct row {
	u64 id;
	u64 value;
};

struct table_ser {
	KHO_VMALLOC_ARRAY(struct row)
		rows;
	u64 nr;
};

static int table_preserve(struct row *rows, u64 nr, struct table_ser *ser)
{
	ser->nr = nr;
	return kho_preserve_vmalloc_array(rows, &ser->rows);
}

static void table_unpreserve(struct table_ser *ser)
{
	kho_unpreserve_vmalloc(&ser->rows.area);
}

/* The rows, to be freed with vfree(), or an ERR_PTR(); see the function */
static struct row *table_restore(const struct table_ser *ser)
{
	return kho_restore_vmalloc_array(&ser->rows, ser->nr, NULL);
}

/* end of vmalloc */

/* example: ask */
static int table_take_over(const struct table_ser *ser, struct row **rows)
{
	int err = kho_object_readable(&kho_vmalloc_component);

	if (err)
		return err;

	*rows = table_restore(ser);
	return PTR_ERR_OR_ZERO(*rows);
}

/* end of ask */

static void forge_table(struct kunit *test, struct table_ser *ser)
{
	struct kho_vmalloc_chunk *chunk = kho_kunit_forge(test->priv, 0);
	struct row *rows = kho_kunit_forge(test->priv, 0);

	KUNIT_ASSERT_NOT_NULL(test, chunk);
	KUNIT_ASSERT_NOT_NULL(test, rows);
	rows[1].value = 4711;
	chunk->phys[0] = virt_to_phys(rows);
	*ser = (struct table_ser) {
		.nr = 2,
		.rows.area.first.phys = virt_to_phys(chunk),
		.rows.area.total_pages = 1,
		.rows.area.flags = KHO_VMALLOC_ALLOC,
	};
}

static void vmalloc_test(struct kunit *test)
{
	struct row *rows = vmalloc_array(1000, sizeof(*rows));
	struct table_ser ser;

	KUNIT_ASSERT_NOT_NULL(test, rows);
	KUNIT_EXPECT_EQ(test, 0, table_preserve(rows, 1000, &ser));
	KUNIT_EXPECT_EQ(test, ser.rows.area.total_pages,
			DIV_ROUND_UP(1000 * sizeof(*rows), PAGE_SIZE));
	table_unpreserve(&ser);
	vfree(rows);

	forge_table(test, &ser);
	KUNIT_EXPECT_EQ(test, -ENOENT, table_take_over(&ser, &rows));
	ser.nr = PAGE_SIZE / sizeof(*rows) + 1;
	KUNIT_EXPECT_PTR_EQ(test, ERR_PTR(-EINVAL), (void *)table_restore(&ser));
	ser.nr = 2;
	rows = table_restore(&ser);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, rows);
	KUNIT_EXPECT_EQ(test, 4711, rows[1].value);
	vfree(rows);
}

/* example: block */
struct item_ser {
	u64 id;
	u64 bytes;
};

static struct kho_block_set items =
	KHO_BLOCK_SET_INIT(items, sizeof(struct item_ser));

static int items_write(const struct item_ser *list, u64 nr, u64 *head)
{
	struct kho_block_set_it it;
	struct item_ser *entry;
	int err;

	/* All the room first: what follows cannot fail */
	err = kho_block_set_grow(&items, nr);
	if (err)
		return err;

	kho_block_set_it_init(&it, &items);
	while (nr-- && (entry = kho_block_set_it_reserve_entry(&it)))
		*entry = *list++;

	*head = kho_block_set_head_pa(&items);
	return 0;
}

static void items_drop(void)
{
	kho_block_set_destroy(&items);
}

static int items_read(u64 head, u64 *total)
{
	struct kho_block_set incoming;
	struct kho_block_set_it it;
	struct item_ser *entry;
	int err;

	kho_block_set_init(&incoming, sizeof(*entry));
	err = kho_block_set_restore(&incoming, head);
	if (err)
		return err;

	*total = 0;
	kho_block_set_it_init(&it, &incoming);
	while ((entry = kho_block_set_it_read_entry(&it)))
		*total += entry->bytes;

	kho_block_set_destroy(&incoming);
	return 0;
}

/* end of block */

static u64 forge_items(struct kunit *test, const struct item_ser *list, u64 nr)
{
	struct kho_block_header_ser *ser = kho_kunit_forge(test->priv, 0);

	KUNIT_ASSERT_NOT_NULL(test, ser);
	ser->count = nr;
	memcpy(ser + 1, list, nr * sizeof(*list));
	return virt_to_phys(ser);
}

static void block_test(struct kunit *test)
{
	static const struct item_ser list[] = { { 1, 100 }, { 2, 20 }, { 3, 3 } };
	struct kho_block_header_ser *ser;
	u64 head, total;

	KUNIT_ASSERT_EQ(test, 0, items_write(list, ARRAY_SIZE(list), &head));
	ser = phys_to_virt(head);
	KUNIT_EXPECT_EQ(test, ARRAY_SIZE(list), ser->count);
	KUNIT_EXPECT_MEMEQ(test, list, ser + 1, sizeof(list));
	items_drop();

	head = forge_items(test, list, ARRAY_SIZE(list));
	KUNIT_ASSERT_EQ(test, 0, items_read(head, &total));
	KUNIT_EXPECT_EQ(test, 123, total);
	KUNIT_EXPECT_EQ(test, -EINVAL, items_read(head, &total));
}

/* example: radix */
static int node_preserve(phys_addr_t phys, void *data)
{
	unsigned long *nr = data;
	int err = kho_preserve_pages(phys_to_page(phys), 1);

	if (!err)
		++*nr;
	return err;
}

/* A walk meets the nodes in the same order again, so it can stop in time */
static int node_unpreserve(phys_addr_t phys, void *data)
{
	unsigned long *nr = data;

	if (!*nr)
		return 1;

	kho_unpreserve_pages(phys_to_page(phys), 1);
	--*nr;
	return 0;
}

static void tree_unpreserve(struct kho_radix_tree *tree, unsigned long nr)
{
	const struct kho_radix_walk_cb cb = { .node = node_unpreserve };

	kho_radix_walk_tree(tree, &cb, &nr);
}

/* From here on no key may be added: a new node would not be preserved */
static int tree_preserve(struct kho_radix_tree *tree, unsigned long *nr)
{
	const struct kho_radix_walk_cb cb = { .node = node_preserve };
	int err;

	*nr = 0;
	err = kho_radix_walk_tree(tree, &cb, nr);
	if (err)
		tree_unpreserve(tree, *nr);
	return err;
}

static int node_restore(phys_addr_t phys, void *data)
{
	return kho_restore_pages(phys, 1) ? 0 : -EINVAL;
}

static int keys_read(unsigned long first, const unsigned long *bitmap, void *data)
{
	unsigned long bit, key;
	u64 *sum = data;

	for_each_set_bit(bit, bitmap, KHO_RADIX_BITMAP_KEYS) {
		key = first + bit;
		*sum += key;
	}
	return 0;
}

/* Restores each node before it is read; the root is one of them */
static int tree_restore(u64 root, u64 *sum)
{
	const struct kho_radix_walk_cb cb = {
		.keys = keys_read,
		.node = node_restore,
	};
	struct kho_radix_tree tree;
	int err;

	if (kho_preserved_order(root) != 0)
		return -EINVAL;

	err = kho_radix_init_tree(&tree, phys_to_virt(root)) ?:
	      kho_radix_walk_tree(&tree, &cb, sum);
	if (!err)
		kho_radix_destroy_tree(&tree);
	return err;
}

/* end of radix */

static void radix_test(struct kunit *test)
{
	struct kho_radix_tree tree;
	unsigned long nr;
	u64 sum = 0;

	KUNIT_ASSERT_EQ(test, 0, kho_radix_init_tree(&tree, NULL));
	KUNIT_EXPECT_EQ(test, 0, kho_radix_add_key(&tree, 7));
	KUNIT_EXPECT_EQ(test, 0, kho_radix_add_key(&tree, 1UL << 40));

	/* To unpreserve what is not preserved would warn */
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, 0, tree_preserve(&tree, &nr));
		KUNIT_EXPECT_GT(test, nr, KHO_TREE_MAX_DEPTH);
		tree_unpreserve(&tree, nr - 1);
		tree_unpreserve(&tree, 0);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);

		tree_unpreserve(&tree, nr);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, nr - 1);
	}

	/* A root that nobody preserved, or that is not even a page */
	KUNIT_EXPECT_EQ(test, -EINVAL, tree_restore(virt_to_phys(tree.root), &sum));
	KUNIT_EXPECT_EQ(test, -EINVAL, tree_restore(1, &sum));
	KUNIT_EXPECT_EQ(test, 0, sum);
	kho_radix_destroy_tree(&tree);
}

/* A tree of one branch, to the key 7: the leftmost slot at every level. */
static void radix_restore_test(struct kunit *test)
{
	phys_addr_t below = 0;
	u64 *node, sum = 0;

	for (int level = 0; level < KHO_TREE_MAX_DEPTH; level++) {
		node = kho_kunit_forge(test->priv, 0);
		KUNIT_ASSERT_NOT_NULL(test, node);
		*node = level ? below : BIT(7);
		below = virt_to_phys(node);
	}

	KUNIT_EXPECT_EQ(test, 0, tree_restore(below, &sum));
	KUNIT_EXPECT_EQ(test, 7, sum);
	KUNIT_EXPECT_EQ(test, 0, kho_kunit_forged(test->priv));
}

/* example: component */
struct kho_component greeting_kho_component = {
	.name = "greeting",
	.min_version = GREETING_MIN_VERSION,
	.version = GREETING_VERSION,
	.min_write = GREETING_MIN_WRITE_VERSION,
	.write = GREETING_WRITE_VERSION,
	.baseline = GREETING_BASELINE_VERSION,
};

/* Version 1 ended with the text */
static size_t greeting_size(u32 version)
{
	if (version == 1)
		return offsetofend(struct greeting_ser, text);
	return sizeof(struct greeting_ser);
}

static int greeting_read(phys_addr_t phys, size_t size, struct greeting_ser *out)
{
	struct greeting_ser *old;

	if (size != greeting_size(greeting_kho_component.incoming) || kho_preserved_order(phys) < 0)
		return -EINVAL;

	old = phys_to_virt(phys);
	if (strnlen(old->text, sizeof(old->text)) == sizeof(old->text))
		return -EINVAL;

	*out = (struct greeting_ser) {};
	memcpy(out, old, size);
	kho_restore_free(old);
	return 0;
}

static int greeting_receive(struct greeting_ser *out)
{
	phys_addr_t phys;
	size_t size;
	int err;

	err = kho_retrieve_subtree(GREETING_SUBTREE, &phys, &size);
	if (err)
		return err;

	err = kho_object_readable(&greeting_kho_component) ?:
	      greeting_read(phys, size, out);
	if (err)
		kho_hold_back("the greeting", err);
	return err;
}

static struct greeting_ser *greeting_write(const char *text, u64 urgency, u32 version)
{
	const size_t size = greeting_size(version);
	struct greeting_ser *ser = kho_alloc_preserve(size);
	int err;

	if (IS_ERR(ser))
		return ser;

	strscpy(ser->text, text);
	if (version >= 2)
		ser->urgency = urgency;

	err = kho_add_subtree(GREETING_SUBTREE, ser, size);
	if (err) {
		kho_unpreserve_free(ser);
		return ERR_PTR(err);
	}

	return ser;
}

static struct greeting_ser *greeting_leave(const char *text, u64 urgency)
{
	struct greeting_ser *ser;

	if (!kho_is_enabled())
		return ERR_PTR(-EOPNOTSUPP);

	ser = greeting_write(text, urgency, kho_component_get(&greeting_kho_component));
	if (IS_ERR(ser))
		kho_component_put(&greeting_kho_component);
	return ser;
}

static void greeting_take_back(struct greeting_ser *ser)
{
	kho_remove_subtree(ser);
	kho_unpreserve_free(ser);
	kho_component_put(&greeting_kho_component);
}

/* end of component */

static void component_test(struct kunit *test)
{
	struct greeting_ser *ser, got;

	ser = greeting_leave("mind the step", 3);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ser);
	KUNIT_EXPECT_STREQ(test, "mind the step", ser->text);
	KUNIT_EXPECT_EQ(test, 3, ser->urgency);
	KUNIT_EXPECT_EQ(test, 1, atomic_long_read(&greeting_kho_component.users));
	greeting_take_back(ser);
	KUNIT_EXPECT_EQ(test, 0, atomic_long_read(&greeting_kho_component.users));

	/* As the next kernel wants it that does not know the urgency */
	ser = greeting_write("mind the step", 3, 1);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ser);
	KUNIT_EXPECT_STREQ(test, "mind the step", ser->text);
	KUNIT_EXPECT_EQ(test, 0, ser->urgency);
	kho_remove_subtree(ser);
	kho_unpreserve_free(ser);

	KUNIT_EXPECT_EQ(test, -ENOENT, greeting_receive(&got));
}

static void expect_greeting(struct kunit *test, u32 version, size_t size,
			    u64 urgency)
{
	struct greeting_ser got, *old = kho_kunit_forge(test->priv, 0);

	KUNIT_ASSERT_NOT_NULL(test, old);
	*old = (struct greeting_ser) { "hello", 3 };
	greeting_kho_component.incoming = version;

	KUNIT_EXPECT_EQ(test, -EINVAL,
			greeting_read(virt_to_phys(old), size - 1, &got));
	KUNIT_ASSERT_EQ(test, 0, greeting_read(virt_to_phys(old), size, &got));
	KUNIT_EXPECT_STREQ(test, "hello", got.text);
	KUNIT_EXPECT_EQ(test, urgency, got.urgency);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			greeting_read(virt_to_phys(old), size, &got));
}

/* The field that version 1 did not have is 0, whatever lies there. */
static void versions_test(struct kunit *test)
{
	expect_greeting(test, 1, 56, 0);
	expect_greeting(test, 2, 64, 3);

	/* Without a handover nothing is of an old version */
	expect_greeting(test, 0, 64, 3);
}

/* What a kernel with other versions of the component states, and of radix. */
static enum kho_compat_status judge(struct kunit *test, u32 written)
{
	struct kho_component radix = kho_radix_component;
	struct kho_component writer = greeting_kho_component;
	struct kho_component reader = greeting_kho_component;
	struct kho_component *const wrote[] = { &radix, &writer };
	struct kho_component *const reads[] = { &radix, &reader };
	const struct kho_component_table out = { wrote, ARRAY_SIZE(wrote) };
	const struct kho_component_table in = { reads, ARRAY_SIZE(reads) };
	void *fdt = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fdt);
	writer.write = written;
	atomic_long_set(&writer.users, 1);
	KUNIT_ASSERT_EQ(test, 0, fdt_create(fdt, PAGE_SIZE));
	KUNIT_ASSERT_EQ(test, 0, fdt_finish_reservemap(fdt));
	KUNIT_ASSERT_EQ(test, 0, fdt_begin_node(fdt, ""));
	KUNIT_ASSERT_EQ(test, 0, kho_compat_write(fdt, &out));
	KUNIT_ASSERT_EQ(test, 0, fdt_end_node(fdt));
	KUNIT_ASSERT_EQ(test, 0, fdt_finish(fdt));

	/* A component that did not exist in 7.3 is not for a 7.3 to read */
	KUNIT_EXPECT_NE(test, 0, fdt_node_check_compatible(fdt, 0, "kho-v4"));
	KUNIT_EXPECT_EQ(test, 0, kho_compat_read(fdt, PAGE_SIZE, &in));
	return reader.status;
}

static void statement_test(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, KHO_COMPAT_OK, judge(test, 1));
	KUNIT_EXPECT_EQ(test, KHO_COMPAT_OK, judge(test, 2));
	KUNIT_EXPECT_EQ(test, KHO_COMPAT_TOO_NEW, judge(test, 3));
}

static int doc_examples_init(struct kunit *test)
{
	kho_kunit_needs_kho(test);
	if (is_kho_boot())
		kunit_skip(test, "there is a handover, the tests expect none");

	test->priv = kho_kunit_forgery_init(test, 16);
	return 0;
}

static struct kunit_case doc_examples_cases[] = {
	KUNIT_CASE(visits_test),
	KUNIT_CASE(folio_test),
	KUNIT_CASE(pages_test),
	KUNIT_CASE(vmalloc_test),
	KUNIT_CASE(block_test),
	KUNIT_CASE(radix_test),
	KUNIT_CASE(radix_restore_test),
	KUNIT_CASE(component_test),
	KUNIT_CASE(versions_test),
	KUNIT_CASE(statement_test),
	{}
};

static struct kunit_suite doc_examples_suite = {
	.name = "kho_doc_examples",
	.init = doc_examples_init,
	.test_cases = doc_examples_cases,
};

kunit_test_suite(doc_examples_suite);

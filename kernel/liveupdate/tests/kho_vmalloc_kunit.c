// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit suite of preserved vmalloc areas.
 *
 * Preserving runs on a ledger in place of the core, which knows exactly what
 * is preserved. Restoring runs on forged pages and a descriptor written by
 * hand. The way from one to the other leads through kexec and is tested in a
 * virtual machine.
 */

#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/vmalloc.h>
#include <linux/kho/compat.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>

#include "../kexec_handover_internal.h"
#include "kho_kunit.h"

/* Entries of a chunk, by the ABI: a page of u64, the first is the link. */
#define PER_CHUNK	(PAGE_SIZE / 8 - 1)

/* Extents of a chunk of version 2: a page of two u64 each, the first is the head. */
#define EXTENTS_PER_CHUNK	(PAGE_SIZE / 16 - 1)

/* Descriptor flags, by the ABI. */
#define FLAG_ALLOC	1
#define FLAG_HUGE	2
#define FLAG_EXTENTS	4
#define FLAG_SPARSE	8

#define MAX_RANGES	2048

struct preserved {
	unsigned long pfn;
	unsigned long nr;
};

struct vmalloc_test {
	struct preserved ranges[MAX_RANGES];	/* preserved now */
	unsigned int nr_ranges;
	unsigned int calls;	/* of kho_preserve_pages() */
	unsigned int fail_at;	/* which of them fails, counted from 1; 0: none */
	struct kho_kunit_held pages;	/* that were preserved one by one */
	struct kho_kunit_forgery *forgery;
};

static int preserve_stub(struct page *page, unsigned long nr_pages)
{
	struct kunit *test = kunit_get_current_test();
	struct vmalloc_test *vt = test->priv;
	unsigned long pfn = page_to_pfn(page);

	if (++vt->calls == vt->fail_at)
		return -ENOMEM;

	for (unsigned int i = 0; i < vt->nr_ranges; i++) {
		const struct preserved *range = &vt->ranges[i];

		KUNIT_EXPECT_FALSE_MSG(test, pfn < range->pfn + range->nr &&
				       range->pfn < pfn + nr_pages,
				       "%lu pages at %#lx preserved twice",
				       nr_pages, pfn);
	}

	if (vt->nr_ranges == MAX_RANGES)
		return -ENOMEM;
	if (nr_pages == 1 && !kho_kunit_hold(&vt->pages, page))
		return -ENOMEM;

	vt->ranges[vt->nr_ranges++] = (struct preserved) { pfn, nr_pages };
	return 0;
}

static bool is_preserved(const struct vmalloc_test *vt, phys_addr_t phys,
			 unsigned long nr)
{
	for (unsigned int i = 0; i < vt->nr_ranges; i++)
		if (PFN_PHYS(vt->ranges[i].pfn) == phys)
			return vt->ranges[i].nr == nr;
	return false;
}

static void unpreserve_stub(struct page *page, unsigned long nr_pages)
{
	struct kunit *test = kunit_get_current_test();
	struct vmalloc_test *vt = test->priv;
	unsigned long pfn = page_to_pfn(page);

	for (unsigned int i = 0; i < vt->nr_ranges; i++) {
		struct preserved *range = &vt->ranges[i];

		if (range->pfn != pfn || range->nr != nr_pages)
			continue;
		*range = vt->ranges[--vt->nr_ranges];
		return;
	}
	KUNIT_FAIL(test, "%lu pages at %#lx unpreserved but not preserved",
		   nr_pages, pfn);
}

static int vmalloc_test_init(struct kunit *test)
{
	struct vmalloc_test *vt = kunit_kzalloc(test, sizeof(*vt), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, vt);
	kho_kunit_held_init(test, &vt->pages, MAX_RANGES);
	vt->forgery = kho_kunit_forgery_init(test, MAX_RANGES);
	test->priv = vt;
	return 0;
}

static void use_ledger(struct kunit *test)
{
	kunit_activate_static_stub(test, kho_preserve_pages, preserve_stub);
	kunit_activate_static_stub(test, kho_unpreserve_pages, unpreserve_stub);
}

KUNIT_DEFINE_ACTION_WRAPPER(vfree_action, vfree, const void *);

/* An area that goes away with the test. */
static void *owned(struct kunit *test, void *area)
{
	KUNIT_ASSERT_NOT_NULL(test, area);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, vfree_action, area));
	return area;
}

static void free_owned(struct kunit *test, void *area)
{
	kunit_release_action(test, vfree_action, area);
}

static phys_addr_t phys_of_page(const void *area, unsigned long i)
{
	return page_to_phys(vmalloc_to_page(area + i * PAGE_SIZE));
}

/* The descriptor as the next kernel finds it: two little-endian words. */
static void expect_descriptor(struct kunit *test, const struct kho_vmalloc *desc,
			      u64 pages, u64 flags, u64 order)
{
	u64 raw[2];

	KUNIT_ASSERT_EQ(test, sizeof(raw), sizeof(*desc));
	memcpy(raw, desc, sizeof(raw));
	KUNIT_EXPECT_EQ(test, desc->first.phys, raw[0]);
	KUNIT_EXPECT_TRUE(test, PAGE_ALIGNED(raw[0]));
	KUNIT_EXPECT_EQ(test, pages | flags << 32 | order << 48, raw[1]);
}

/*
 * Read the list of chunks by hand: it names every block of the area in turn,
 * and all of them, the chunks and nothing else are preserved.
 */
static void expect_chunks(struct kunit *test, const void *area,
			  const struct kho_vmalloc *desc)
{
	const unsigned long step = 1UL << desc->order;
	struct vmalloc_test *vt = test->priv;
	unsigned long page = 0, chunks = 0, blocks;
	u64 phys;

	for (phys = desc->first.phys; phys; chunks++) {
		const u64 *raw = phys_to_virt(phys);

		KUNIT_ASSERT_TRUE(test, is_preserved(vt, phys, 1));
		for (unsigned int i = 1; i <= PER_CHUNK; i++) {
			if (page >= desc->total_pages) {
				KUNIT_EXPECT_EQ(test, 0, raw[i]);
				continue;
			}
			KUNIT_ASSERT_EQ_MSG(test, phys_of_page(area, page),
					    raw[i], "page %lu", page);
			KUNIT_ASSERT_TRUE(test, is_preserved(vt, raw[i], step));
			page += step;
		}
		phys = raw[0];
	}

	blocks = desc->total_pages / step;
	KUNIT_EXPECT_EQ(test, desc->total_pages, page);
	KUNIT_EXPECT_EQ(test, DIV_ROUND_UP(blocks, PER_CHUNK), chunks);
	KUNIT_EXPECT_EQ(test, blocks + chunks, vt->nr_ranges);
}

/* Nothing is preserved, and only the area still has its pages. */
static void expect_undone(struct kunit *test, void *area)
{
	struct vmalloc_test *vt = test->priv;

	KUNIT_EXPECT_EQ(test, 0, vt->nr_ranges);
	free_owned(test, area);
	KUNIT_EXPECT_EQ(test, 0, kho_kunit_in_use(test, &vt->pages));
	kho_kunit_release(&vt->pages);
}

static void preserve_and_undo(struct kunit *test, unsigned long pages)
{
	void *area = owned(test, vmalloc(pages * PAGE_SIZE));
	struct kho_vmalloc desc;

	memset(&desc, 0xff, sizeof(desc));
	KUNIT_ASSERT_EQ(test, 0, kho_preserve_vmalloc(area, &desc));
	expect_descriptor(test, &desc, pages, FLAG_ALLOC, 0);
	expect_chunks(test, area, &desc);

	kho_unpreserve_vmalloc(&desc);
	expect_undone(test, area);
}

static void preserve_one_page(struct kunit *test)
{
	use_ledger(test);
	preserve_and_undo(test, 1);
}

static void preserve_exactly_one_chunk(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, PER_CHUNK, KHO_VMALLOC_SIZE);
	use_ledger(test);
	preserve_and_undo(test, PER_CHUNK - 1);
	preserve_and_undo(test, PER_CHUNK);
}

static void preserve_one_more_than_a_chunk(struct kunit *test)
{
	use_ledger(test);
	preserve_and_undo(test, PER_CHUNK + 1);
}

static void preserve_several_chunks(struct kunit *test)
{
	use_ledger(test);
	preserve_and_undo(test, 3 * PER_CHUNK + 7);
}

static void preserve_huge(struct kunit *test)
{
	const unsigned int order = PMD_SHIFT - PAGE_SHIFT;
	struct vmalloc_test *vt = test->priv;
	struct kho_vmalloc desc;
	void *area;

	area = owned(test, vmalloc_huge(3 * PMD_SIZE, GFP_KERNEL));
	if (!is_vm_area_hugepages(area))
		kunit_skip(test, "vmalloc_huge() gave no huge pages");

	use_ledger(test);
	KUNIT_ASSERT_EQ(test, 0, kho_preserve_vmalloc(area, &desc));
	expect_descriptor(test, &desc, 3UL << order, FLAG_ALLOC | FLAG_HUGE, order);
	expect_chunks(test, area, &desc);

	/* Three blocks and a chunk, not a page at a time. */
	KUNIT_EXPECT_EQ(test, 4, vt->calls);

	kho_unpreserve_vmalloc(&desc);
	expect_undone(test, area);
}

static void expect_refused(struct kunit *test, void *ptr, int err)
{
	struct vmalloc_test *vt = test->priv;
	struct kho_vmalloc desc;

	KUNIT_EXPECT_EQ(test, err, kho_preserve_vmalloc(ptr, &desc));
	KUNIT_EXPECT_EQ(test, 0, vt->calls);
}

KUNIT_DEFINE_ACTION_WRAPPER(vunmap_action, vunmap, const void *);

static void preserve_unsupported_area(struct kunit *test)
{
	struct page *pages[1];
	void *area;

	use_ledger(test);
	expect_refused(test, owned(test, vmalloc_user(PAGE_SIZE)), -EOPNOTSUPP);

	area = owned(test, vmalloc(PAGE_SIZE));
	pages[0] = vmalloc_to_page(area);
	area = vmap(pages, ARRAY_SIZE(pages), VM_MAP, PAGE_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, area);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, vunmap_action, area));
	expect_refused(test, area, -EOPNOTSUPP);
}

static void preserve_what_is_no_area(struct kunit *test)
{
	void *area;

	use_ledger(test);
	expect_refused(test, NULL, -EINVAL);
	expect_refused(test, kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL), -EINVAL);

	area = vmalloc(PAGE_SIZE);
	KUNIT_ASSERT_NOT_NULL(test, area);
	vfree(area);
	expect_refused(test, area, -EINVAL);
}

static void expect_failure_at(struct kunit *test, unsigned long pages,
			      unsigned int call)
{
	void *area = owned(test, vmalloc(pages * PAGE_SIZE));
	struct vmalloc_test *vt = test->priv;
	struct kho_vmalloc desc;

	vt->calls = 0;
	vt->fail_at = call;
	memset(&desc, 0xff, sizeof(desc));
	KUNIT_EXPECT_EQ_MSG(test, -ENOMEM, kho_preserve_vmalloc(area, &desc),
			    "%lu pages, call %u", pages, call);
	KUNIT_EXPECT_EQ(test, call, vt->calls);
	expect_undone(test, area);
}

static void preserve_fails_halfway(struct kunit *test)
{
	use_ledger(test);

	/* A chunk and three pages. */
	for (unsigned int call = 1; call <= 4; call++)
		expect_failure_at(test, 3, call);

	/* Last entry of the first chunk, second chunk, its first entry. */
	for (unsigned int call = PER_CHUNK + 1; call <= PER_CHUNK + 3; call++)
		expect_failure_at(test, PER_CHUNK + 1, call);
}

/* Larger blocks must be undone with their own order, too. */
static void preserve_huge_fails_halfway(struct kunit *test)
{
	struct vmalloc_test *vt = test->priv;
	struct kho_vmalloc desc;
	void *area;

	use_ledger(test);
	for (unsigned int call = 1; call <= 4; call++) {
		area = owned(test, vmalloc_huge(3 * PMD_SIZE, GFP_KERNEL));
		if (!is_vm_area_hugepages(area))
			kunit_skip(test, "vmalloc_huge() gave no huge pages");

		vt->calls = 0;
		vt->fail_at = call;
		memset(&desc, 0xff, sizeof(desc));
		KUNIT_EXPECT_EQ(test, -ENOMEM, kho_preserve_vmalloc(area, &desc));
		KUNIT_EXPECT_EQ(test, call, vt->calls);
		expect_undone(test, area);
	}
}

/* Through the real core: what is unpreserved can be preserved again. */
static void preserve_for_real(struct kunit *test)
{
	void *area = owned(test, vmalloc(2 * PER_CHUNK * PAGE_SIZE));
	struct kho_vmalloc desc;

	kho_kunit_needs_kho(test);

	kunit_warning_suppress(test) {
		for (int round = 0; round < 3; round++) {
			KUNIT_ASSERT_EQ(test, 0, kho_preserve_vmalloc(area, &desc));
			expect_descriptor(test, &desc, 2 * PER_CHUNK, FLAG_ALLOC, 0);
			kho_unpreserve_vmalloc(&desc);
		}
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);

		/* To unpreserve what is not preserved warns. */
		kho_unpreserve_pages(vmalloc_to_page(area), 1);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
}

/* An area as the previous kernel left it, and access to each part of it. */
struct incoming {
	struct kho_vmalloc desc;
	unsigned int nr_chunks;
	unsigned int nr_blocks;
	u64 *chunks[4];
	void **blocks;
};

static u64 *add_chunk(struct kunit *test, struct incoming *in)
{
	struct vmalloc_test *vt = test->priv;
	u64 *chunk = kho_kunit_forge(vt->forgery, 0);

	KUNIT_ASSERT_NOT_NULL(test, chunk);
	KUNIT_ASSERT_LT(test, in->nr_chunks, ARRAY_SIZE(in->chunks));
	if (in->nr_chunks)
		in->chunks[in->nr_chunks - 1][0] = virt_to_phys(chunk);
	else
		in->desc.first.phys = virt_to_phys(chunk);
	in->chunks[in->nr_chunks++] = chunk;
	return chunk;
}

/* A block whose every page starts with its own number. */
static void *add_block(struct kunit *test, unsigned int order, u64 number)
{
	struct vmalloc_test *vt = test->priv;
	void *block = kho_kunit_forge(vt->forgery, order);

	KUNIT_ASSERT_NOT_NULL(test, block);
	for (unsigned int i = 0; i < 1U << order; i++)
		*(u64 *)(block + i * PAGE_SIZE) = number + i;
	return block;
}

static struct incoming *make_incoming(struct kunit *test, unsigned int nr_blocks,
				      unsigned int order, u16 flags)
{
	struct incoming *in = kunit_kzalloc(test, sizeof(*in), GFP_KERNEL);
	u64 *chunk = NULL;

	KUNIT_ASSERT_NOT_NULL(test, in);
	in->blocks = kunit_kcalloc(test, nr_blocks, sizeof(*in->blocks), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, in->blocks);

	for (unsigned int i = 0; i < nr_blocks; i++) {
		if (i % PER_CHUNK == 0)
			chunk = add_chunk(test, in);
		in->blocks[i] = add_block(test, order, (u64)i << order);
		chunk[1 + i % PER_CHUNK] = virt_to_phys(in->blocks[i]);
	}
	in->nr_blocks = nr_blocks;
	in->desc.total_pages = nr_blocks << order;
	in->desc.flags = flags;
	in->desc.order = order;
	return in;
}

/* Restore, compare with what was made, and return the area. */
static void *expect_restored(struct kunit *test, const struct incoming *in)
{
	struct vmalloc_test *vt = test->priv;
	void *area = kho_restore_vmalloc(&in->desc);
	const struct vm_struct *vm;

	KUNIT_ASSERT_NOT_NULL(test, area);
	owned(test, area);
	KUNIT_EXPECT_EQ(test, 0, kho_kunit_forged(vt->forgery));
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)area,
					   PAGE_SIZE << in->desc.order));

	for (unsigned long i = 0; i < in->desc.total_pages; i++) {
		const void *block = in->blocks[i >> in->desc.order];
		unsigned long in_block = i & ((1UL << in->desc.order) - 1);

		KUNIT_ASSERT_EQ(test, i, *(u64 *)(area + i * PAGE_SIZE));
		KUNIT_ASSERT_EQ(test, phys_of_page(area, i),
				page_to_phys(virt_to_page(block)) + in_block * PAGE_SIZE);
	}

	vm = find_vm_area(area);
	KUNIT_ASSERT_NOT_NULL(test, vm);
	KUNIT_EXPECT_EQ(test, in->desc.total_pages, vm->nr_pages);
	KUNIT_EXPECT_TRUE(test, vm->flags & VM_ALLOC);
	KUNIT_EXPECT_FALSE(test, vm->flags & VM_UNINITIALIZED);
	KUNIT_EXPECT_EQ(test, !!(in->desc.flags & FLAG_HUGE),
			!!(vm->flags & VM_ALLOW_HUGE_VMAP));
	return area;
}

static void restore_sizes(struct kunit *test)
{
	const unsigned int blocks[] = {
		1, PER_CHUNK - 1, PER_CHUNK, PER_CHUNK + 1
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(blocks); i++) {
		struct vmalloc_test *vt = test->priv;
		unsigned long managed = totalram_pages();
		struct incoming *in = make_incoming(test, blocks[i], 0, FLAG_ALLOC);

		free_owned(test, expect_restored(test, in));
		KUNIT_EXPECT_EQ_MSG(test, managed, totalram_pages(),
				    "%u blocks", blocks[i]);

		/* Start the next round with nothing forged. */
		vt->forgery = kho_kunit_forgery_init(test, MAX_RANGES);
	}
}

/* Linux 7.3 appends a chunk as soon as the one before it is full. */
static void restore_trailing_empty_chunk(struct kunit *test)
{
	struct incoming *in = make_incoming(test, PER_CHUNK, 0, FLAG_ALLOC);

	add_chunk(test, in);
	expect_restored(test, in);
}

static void restore_larger_blocks(struct kunit *test)
{
	expect_restored(test, make_incoming(test, 5, 2, FLAG_ALLOC | FLAG_HUGE));
}

static void restore_huge_blocks(struct kunit *test)
{
	expect_restored(test, make_incoming(test, 2, PMD_SHIFT - PAGE_SHIFT,
					    FLAG_ALLOC | FLAG_HUGE));
}

/* What was restored can be handed over once more, page for page. */
static void restore_and_preserve_again(struct kunit *test)
{
	struct incoming *in = make_incoming(test, PER_CHUNK + 3, 0, FLAG_ALLOC);
	void *area = expect_restored(test, in);
	struct kho_vmalloc desc;

	use_ledger(test);
	KUNIT_ASSERT_EQ(test, 0, kho_preserve_vmalloc(area, &desc));
	expect_descriptor(test, &desc, PER_CHUNK + 3, FLAG_ALLOC, 0);
	expect_chunks(test, area, &desc);
	kho_unpreserve_vmalloc(&desc);
	expect_undone(test, area);
}

/* Restoring adds to the counter what vfree() takes off it. */
static void restore_is_accounted(struct kunit *test)
{
	const long pages = 3 * PER_CHUNK;
	struct incoming *in = make_incoming(test, pages, 0, FLAG_ALLOC);
	long before = global_node_page_state(NR_VMALLOC);
	void *area = expect_restored(test, in);
	long with = global_node_page_state(NR_VMALLOC);

	free_owned(test, area);

	/* Each CPU keeps up to 125 to itself, and others allocate, too. */
	KUNIT_EXPECT_GT(test, with - before, pages / 2);
	KUNIT_EXPECT_LT(test, abs(global_node_page_state(NR_VMALLOC) - before),
			pages / 2);
}

/*
 * One thing is wrong with the area: it is refused, and all of it stays what
 * it was, for nobody knows whose the pages are.
 */
static void expect_bad(struct kunit *test, const struct incoming *in,
		       const char *what)
{
	struct vmalloc_test *vt = test->priv;
	unsigned long before = kho_kunit_forged(vt->forgery);

	KUNIT_EXPECT_NULL_MSG(test, kho_restore_vmalloc(&in->desc), "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, before, kho_kunit_forged(vt->forgery), "%s", what);
}

static void restore_bad_descriptor(struct kunit *test)
{
	struct incoming *in = make_incoming(test, PER_CHUNK + 2, 0, FLAG_ALLOC);
	void *ordinary = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	const struct kho_vmalloc good = in->desc;
	const u64 first = good.first.phys;
	const u32 pages = good.total_pages;
	const struct {
		const char *what;
		u64 first;
		u32 pages;
		u16 flags, order;
	} bad[] = {
		{ "lowest unknown flag", first, pages, FLAG_ALLOC | 4, 0 },
		{ "highest unknown flag", first, pages, FLAG_ALLOC | 0x8000, 0 },
		{ "larger order", first, pages, FLAG_ALLOC, 1 },
		{ "largest order", first, pages, FLAG_ALLOC, MAX_PAGE_ORDER },
		{ "order beyond it", first, pages, FLAG_ALLOC, MAX_PAGE_ORDER + 1 },
		{ "order that shifts to 0", first, pages, FLAG_ALLOC, 64 },
		{ "order of all ones", first, pages, FLAG_ALLOC, U16_MAX },
		{ "no pages", first, 0, FLAG_ALLOC, 0 },
		{ "one page", first, 1, FLAG_ALLOC, 0 },
		{ "pages of one chunk", first, PER_CHUNK, FLAG_ALLOC, 0 },
		{ "one page less", first, pages - 1, FLAG_ALLOC, 0 },
		{ "one page more", first, pages + 1, FLAG_ALLOC, 0 },
		{ "pages of all ones", first, U32_MAX, FLAG_ALLOC, 0 },
		{ "no chunk", 0, pages, FLAG_ALLOC, 0 },
		{ "neither chunk nor pages", 0, 0, FLAG_ALLOC, 0 },
		{ "chunk not aligned", first + 8, pages, FLAG_ALLOC, 0 },
		{ "chunk not preserved", virt_to_phys(ordinary), pages, FLAG_ALLOC, 0 },
		{ "chunk beyond memory", 1ULL << 50, pages, FLAG_ALLOC, 0 },
		{ "last page there could be", ~0ULL << PAGE_SHIFT, pages, FLAG_ALLOC, 0 },
		{ "chunk of all ones", ~0ULL, pages, FLAG_ALLOC, 0 },
	};

	KUNIT_ASSERT_NOT_NULL(test, ordinary);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		in->desc.first.phys = bad[i].first;
		in->desc.total_pages = bad[i].pages;
		in->desc.flags = bad[i].flags;
		in->desc.order = bad[i].order;
		expect_bad(test, in, bad[i].what);
	}

	in->desc = good;
	expect_restored(test, in);
}

/* Replace one word of a chunk, see it refused, and put the word back. */
static void expect_bad_word(struct kunit *test, const struct incoming *in,
			    u64 *word, u64 value, const char *what)
{
	u64 good = *word;

	*word = value;
	expect_bad(test, in, what);
	*word = good;
}

static void restore_bad_chunks(struct kunit *test)
{
	struct incoming *in = make_incoming(test, PER_CHUNK + 2, 0, FLAG_ALLOC);
	u64 *first = in->chunks[0], *last = in->chunks[1];
	struct vmalloc_test *vt = test->priv;
	void *ordinary = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	u64 *empty = kho_kunit_forge(vt->forgery, 0);
	void *pair = kho_kunit_forge(vt->forgery, 1);

	KUNIT_ASSERT_NOT_NULL(test, ordinary);
	KUNIT_ASSERT_NOT_NULL(test, empty);
	KUNIT_ASSERT_NOT_NULL(test, pair);

	expect_bad_word(test, in, &first[0], 0, "list ends early");
	expect_bad_word(test, in, &first[0], virt_to_phys(last) + 8,
			"link not aligned");
	expect_bad_word(test, in, &first[0], 1ULL << 50, "link beyond memory");
	expect_bad_word(test, in, &first[0], virt_to_phys(ordinary),
			"link to an ordinary page");
	expect_bad_word(test, in, &first[0], virt_to_phys(first),
			"chunk links to itself");
	expect_bad_word(test, in, &last[0], virt_to_phys(first),
			"chunks go in circles");

	expect_bad_word(test, in, &first[5], 0, "gap in a chunk");
	expect_bad_word(test, in, &last[2], 0, "last block missing");
	expect_bad_word(test, in, &last[3], virt_to_phys(empty), "one block more");
	expect_bad_word(test, in, &first[5], first[5] + 8, "block not aligned");
	expect_bad_word(test, in, &first[5], 1ULL << 50, "block beyond memory");
	expect_bad_word(test, in, &first[5], virt_to_phys(ordinary),
			"block is an ordinary page");
	expect_bad_word(test, in, &first[5], virt_to_phys(pair),
			"block of another order");

	empty[0] = virt_to_phys(empty);
	expect_bad_word(test, in, &last[0], virt_to_phys(empty),
			"empty chunk links to itself");
	empty[0] = virt_to_phys(last);
	expect_bad_word(test, in, &first[0], virt_to_phys(empty),
			"empty chunk in the middle");
}

/* Counts fit and every page is preserved, but one stands in the list twice. */
static void restore_duplicate_block(struct kunit *test)
{
	struct incoming *in = make_incoming(test, 9, 0, FLAG_ALLOC);
	u64 *chunk = in->chunks[0];
	unsigned int freed = 0;

	chunk[7] = chunk[3];
	kunit_warning_suppress(test)
		KUNIT_EXPECT_NULL(test, kho_restore_vmalloc(&in->desc));

	/* Not even those pages that were taken may go to the page allocator. */
	for (unsigned int i = 0; i < in->nr_blocks; i++)
		freed += !page_count(virt_to_page(in->blocks[i]));
	KUNIT_EXPECT_EQ(test, 0, freed);
}

/* Version 2 */

static void unpin_action(void *component)
{
	kho_component_pin(component, 0);
}

static void write_version(struct kunit *test, u32 version)
{
	if (kho_component_pin(&kho_vmalloc_component, version))
		kunit_skip(test, "vmalloc areas are preserved");
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, unpin_action,
							   &kho_vmalloc_component));
}

/*
 * Read the list by hand: it names every page that the area has, in turn and nothing
 * else, and all that is preserved is that and the chunks.
 */
static void expect_extents(struct kunit *test, const void *area,
			   const struct kho_vmalloc *desc)
{
	struct vmalloc_test *vt = test->priv;
	unsigned long page = 0, extents = 0, chunks = 0;

	for (u64 phys = desc->first.phys; phys; chunks++) {
		const u64 *raw = phys_to_virt(phys);

		KUNIT_ASSERT_TRUE(test, is_preserved(vt, phys, 1));
		KUNIT_ASSERT_LE(test, raw[1], (u64)EXTENTS_PER_CHUNK);
		for (u64 i = 0; i < raw[1]; i++, extents++) {
			const u64 start = raw[2 + 2 * i];
			const u32 first = raw[3 + 2 * i], nr = raw[3 + 2 * i] >> 32;

			while (page < first)
				KUNIT_ASSERT_NULL(test, vmalloc_to_page(area + page++ * PAGE_SIZE));
			KUNIT_ASSERT_TRUE(test, is_preserved(vt, start, nr));
			for (u32 j = 0; j < nr; j++, page++)
				KUNIT_ASSERT_EQ(test, start + j * PAGE_SIZE,
						phys_of_page(area, page));
		}
		phys = raw[0];
	}

	while (page < desc->total_pages)
		KUNIT_ASSERT_NULL(test, vmalloc_to_page(area + page++ * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, desc->total_pages, page);
	KUNIT_EXPECT_EQ(test, extents + chunks, vt->nr_ranges);
	KUNIT_EXPECT_EQ(test, chunks, DIV_ROUND_UP(extents, EXTENTS_PER_CHUNK));
}

static void preserve_extents(struct kunit *test)
{
	const unsigned long sizes[] = { 1, 2, 100, 2 * PER_CHUNK };
	struct kho_vmalloc desc;

	write_version(test, 2);
	use_ledger(test);
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		void *area = owned(test, vmalloc(sizes[i] * PAGE_SIZE));

		KUNIT_ASSERT_EQ(test, 0, kho_preserve_vmalloc(area, &desc));
		expect_descriptor(test, &desc, sizes[i], FLAG_ALLOC | FLAG_EXTENTS, 0);
		expect_extents(test, area, &desc);
		kho_unpreserve_vmalloc(&desc);
		expect_undone(test, area);
	}
}

static void preserve_huge_extents(struct kunit *test)
{
	const unsigned int order = PMD_SHIFT - PAGE_SHIFT;
	struct kho_vmalloc desc;
	void *area;

	write_version(test, 2);
	area = owned(test, vmalloc_huge(3 * PMD_SIZE, GFP_KERNEL));
	if (!is_vm_area_hugepages(area))
		kunit_skip(test, "vmalloc_huge() gave no huge pages");

	use_ledger(test);
	KUNIT_ASSERT_EQ(test, 0, kho_preserve_vmalloc(area, &desc));
	expect_descriptor(test, &desc, 3UL << order,
			  FLAG_ALLOC | FLAG_HUGE | FLAG_EXTENTS, order);
	expect_extents(test, area, &desc);
	kho_unpreserve_vmalloc(&desc);
	expect_undone(test, area);
}

#define SPARSE_PAGES	64

/* Pages 0 to 3 follow one another in memory, and page 40 is alone */
static struct vm_struct *make_sparse(struct kunit *test, struct page *four,
				     struct page *one)
{
	struct vm_struct *vm = get_vm_area(SPARSE_PAGES * PAGE_SIZE, VM_SPARSE);
	struct page *pages[] = { four, four + 1, four + 2, four + 3 };
	unsigned long start;

	KUNIT_ASSERT_NOT_NULL(test, vm);
	start = (unsigned long)vm->addr;
	KUNIT_EXPECT_EQ(test, 0, vm_area_map_pages(vm, start, start + 4 * PAGE_SIZE, pages));
	start += 40 * PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, 0, vm_area_map_pages(vm, start, start + PAGE_SIZE, &one));
	return vm;
}

static void preserve_sparse(struct kunit *test)
{
	struct page *four = alloc_pages(GFP_KERNEL, 2), *one = alloc_page(GFP_KERNEL);
	struct vmalloc_test *vt = test->priv;
	struct kho_vmalloc desc;
	struct vm_struct *vm;

	KUNIT_ASSERT_NOT_NULL(test, four);
	KUNIT_ASSERT_NOT_NULL(test, one);
	vm = make_sparse(test, four, one);

	/* In version 1 there would be no way to say where the holes are */
	write_version(test, 1);
	use_ledger(test);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, kho_preserve_vmalloc(vm->addr, &desc));
	KUNIT_EXPECT_EQ(test, 0, vt->calls);

	write_version(test, 2);
	KUNIT_EXPECT_EQ(test, 0, kho_preserve_vmalloc(vm->addr, &desc));
	expect_descriptor(test, &desc, SPARSE_PAGES, FLAG_EXTENTS | FLAG_SPARSE, 0);
	expect_extents(test, vm->addr, &desc);
	kho_unpreserve_vmalloc(&desc);
	KUNIT_EXPECT_EQ(test, 0, vt->nr_ranges);

	free_vm_area(vm);
	kho_kunit_release(&vt->pages);
	__free_pages(four, 2);
	__free_page(one);
}

/*
 * An area of 16 pages as the previous kernel left it, with an extent of 12 that
 * was preserved in ranges of 8 and 4, and one of 4 in single pages.
 */
static u64 *make_extents(struct kunit *test, struct kho_vmalloc *desc)
{
	static const unsigned int ranges[] = { 3, 2, 0, 0, 0, 0 };
	struct vmalloc_test *vt = test->priv;
	u64 *chunk = kho_kunit_forge(vt->forgery, 0);
	void *memory = kho_kunit_forge_ranges(vt->forgery, ranges, ARRAY_SIZE(ranges));

	KUNIT_ASSERT_NOT_NULL(test, chunk);
	KUNIT_ASSERT_NOT_NULL(test, memory);
	for (unsigned int i = 0; i < 16; i++)
		*(u64 *)(memory + i * PAGE_SIZE) = i;

	chunk[1] = 2;
	chunk[2] = virt_to_phys(memory);
	chunk[3] = 12ULL << 32;
	chunk[4] = virt_to_phys(memory) + 12 * PAGE_SIZE;
	chunk[5] = 12 | 4ULL << 32;
	*desc = (struct kho_vmalloc) {
		.first.phys = virt_to_phys(chunk),
		.total_pages = 16,
		.flags = FLAG_ALLOC | FLAG_EXTENTS,
	};
	return chunk;
}

static void restore_extents(struct kunit *test)
{
	struct vmalloc_test *vt = test->priv;
	struct kho_vmalloc desc;
	const u64 *area;

	make_extents(test, &desc);
	area = kho_restore_vmalloc(&desc);
	KUNIT_ASSERT_NOT_NULL(test, area);
	owned(test, (void *)area);
	KUNIT_EXPECT_EQ(test, 0, kho_kunit_forged(vt->forgery));
	for (u64 i = 0; i < 16; i++)
		KUNIT_EXPECT_EQ(test, i, area[i * PAGE_SIZE / sizeof(*area)]);
	KUNIT_EXPECT_EQ(test, 16, find_vm_area(area)->nr_pages);
}

static void restore_sparse(struct kunit *test)
{
	struct vmalloc_test *vt = test->priv;
	struct kho_vmalloc desc;
	u64 *chunk = make_extents(test, &desc);
	const void *area;

	/* Pages 3 to 14 and 100 to 103 of 200 */
	chunk[3] |= 3;
	chunk[5] = 100 | 4ULL << 32;
	desc.total_pages = 200;
	desc.flags = FLAG_EXTENTS | FLAG_SPARSE;

	area = kho_restore_vmalloc(&desc);
	KUNIT_ASSERT_NOT_NULL(test, area);
	KUNIT_EXPECT_EQ(test, 0, kho_kunit_forged(vt->forgery));
	for (unsigned long i = 0; i < 200; i++) {
		struct page *page = vmalloc_to_page(area + i * PAGE_SIZE);
		const bool has = (i >= 3 && i < 15) || (i >= 100 && i < 104);

		KUNIT_ASSERT_EQ_MSG(test, has, !!page, "page %lu", i);
		if (!has)
			continue;
		KUNIT_EXPECT_EQ(test, i < 100 ? i - 3 : i - 88,
				*(u64 *)(area + i * PAGE_SIZE));
		__free_page(page);
	}
	free_vm_area(find_vm_area(area));
}

static void restore_bad_extents(struct kunit *test)
{
	struct vmalloc_test *vt = test->priv;
	struct kho_vmalloc desc;
	u64 *chunk = make_extents(test, &desc);
	const struct {
		const char *what;
		unsigned int word;
		u64 value;
	} bad[] = {
		{ "no extents", 1, 0 },
		{ "one too few", 1, 1 },
		{ "one too many", 1, 3 },
		{ "more than there is room for", 1, EXTENTS_PER_CHUNK + 1 },
		{ "all ones", 1, ~0ULL },
		{ "not aligned", 2, chunk[2] + 8 },
		{ "beyond memory", 2, 1ULL << 50 },
		{ "end of a range", 2, chunk[2] + 4 * PAGE_SIZE },
		{ "part of a range", 3, 10ULL << 32 },
		{ "nothing", 3, 0 },
		{ "more than the area", 3, 17ULL << 32 },
		{ "overflow", 3, 0xffffffffULL | 12ULL << 32 },
		{ "gap", 3, 1 | 12ULL << 32 },
		{ "overlap", 5, 11 | 4ULL << 32 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		const u64 good = chunk[bad[i].word];
		unsigned long before = kho_kunit_forged(vt->forgery);

		chunk[bad[i].word] = bad[i].value;
		KUNIT_EXPECT_NULL_MSG(test, kho_restore_vmalloc(&desc), "%s", bad[i].what);
		KUNIT_EXPECT_EQ_MSG(test, before, kho_kunit_forged(vt->forgery), "%s",
				    bad[i].what);
		chunk[bad[i].word] = good;
	}
	owned(test, kho_restore_vmalloc(&desc));
}

static struct kunit_case vmalloc_cases[] = {
	KUNIT_CASE(preserve_one_page),
	KUNIT_CASE(preserve_exactly_one_chunk),
	KUNIT_CASE(preserve_one_more_than_a_chunk),
	KUNIT_CASE(preserve_several_chunks),
	KUNIT_CASE(preserve_huge),
	KUNIT_CASE(preserve_unsupported_area),
	KUNIT_CASE(preserve_what_is_no_area),
	KUNIT_CASE(preserve_fails_halfway),
	KUNIT_CASE(preserve_huge_fails_halfway),
	KUNIT_CASE(preserve_for_real),
	KUNIT_CASE(restore_sizes),
	KUNIT_CASE(restore_trailing_empty_chunk),
	KUNIT_CASE(restore_larger_blocks),
	KUNIT_CASE(restore_huge_blocks),
	KUNIT_CASE(restore_and_preserve_again),
	KUNIT_CASE(restore_is_accounted),
	KUNIT_CASE(restore_bad_descriptor),
	KUNIT_CASE(restore_bad_chunks),
	KUNIT_CASE(restore_duplicate_block),
	KUNIT_CASE(preserve_extents),
	KUNIT_CASE(preserve_huge_extents),
	KUNIT_CASE(preserve_sparse),
	KUNIT_CASE(restore_extents),
	KUNIT_CASE(restore_sparse),
	KUNIT_CASE(restore_bad_extents),
	{}
};

static struct kunit_suite vmalloc_suite = {
	.name = "kho_vmalloc",
	.init = vmalloc_test_init,
	.test_cases = vmalloc_cases,
};

kunit_test_suite(vmalloc_suite);

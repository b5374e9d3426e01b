// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A round trip of memory through Kexec Handover, across a real kexec.
 *
 * A boot that finds no subtree of this test preserves "pieces": folios, ranges
 * of pages, vmalloc areas and block sets with random contents, and the subtree
 * that describes them. A boot that finds the subtree restores each piece,
 * compares it with its description, says PASS or FAIL, frees everything and
 * preserves nothing. In a series of kexecs every other boot therefore verifies.
 *
 * This file owns the pieces and the layout of the subtree. It uses KHO only
 * through the functions that every subsystem has. Of how components store what
 * they are given it knows how much a chunk and a block hold, for pieces that
 * just fit and pieces that do not.
 *
 * Takes the place of the file of this name in Linux 7.3:
 * Copyright (c) 2025 Microsoft Corporation.
 * Authors:
 *   Saurabh Sengar <ssengar@microsoft.com>
 *   Mike Rapoport <rppt@kernel.org>
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/vmalloc.h>
#include <linux/kho/block.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/overflow.h>
#include <linux/pgtable.h>
#include <linux/printk.h>
#include <linux/random.h>
#include <linux/siphash.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/stdarg.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>

#define SUBTREE		"kho_test"
#define SUBTREE_MAGIC	0x706172746f686bULL
#define SUBTREE_VERSION	1

/* A piece is worth no reclaim: one that does not fit now is left out. */
#define PIECE_GFP	(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN)

#define WHAT_LEN	48

static unsigned long max_mem = SZ_32M;
module_param(max_mem, ulong, 0444);
MODULE_PARM_DESC(max_mem, "most memory to preserve, in bytes; at most half of what is free");

enum piece_kind {
	PIECE_FOLIO,
	PIECE_RANGE,
	PIECE_VMALLOC,
	PIECE_VMALLOC_HUGE,
	PIECE_BLOCKS,
	NR_PIECE_KINDS,
};

/**
 * struct piece - description of one preserved object for the next kernel
 * @kind: an enum piece_kind.
 * @skip: range only: pages between an aligned address and its start.
 * @nr: pages with contents; of a block set, entries.
 * @phys: where a folio, a range or the first block starts.
 * @sum: checksum of the contents.
 * @vmalloc: vmalloc areas only: their descriptor.
 */
struct piece {
	u32 kind;
	u32 skip;
	u64 nr;
	u64 phys;
	u64 sum;
	struct kho_vmalloc vmalloc;
};

/**
 * struct subtree - what is registered with KHO as SUBTREE
 * @magic: SUBTREE_MAGIC.
 * @version: SUBTREE_VERSION, for the layout of this and of struct piece.
 * @nr_pieces: how many pieces follow.
 * @sum: checksum of @pieces.
 * @pieces: the description of everything else.
 */
struct subtree {
	u64 magic;
	u32 version;
	u32 nr_pieces;
	u64 sum;
	struct piece pieces[];
};

/* An odd size, so that a block has bytes left over behind its last entry. */
struct entry {
	u64 word[7];
};

#define ENTRIES_PER_BLOCK \
	((KHO_BLOCK_SIZE - sizeof(struct kho_block_header_ser)) / \
	 sizeof(struct entry))

#define PMD_PAGES	(PMD_SIZE / PAGE_SIZE)

/* What to preserve, after one folio of each order that the allocator has. */
static const struct piece plan[] __initconst = {
	{ .kind = PIECE_RANGE, .nr = 1, .skip = 1 },
	{ .kind = PIECE_RANGE, .nr = 3, .skip = 3 },
	{ .kind = PIECE_RANGE, .nr = 13, .skip = 1 },
	{ .kind = PIECE_RANGE, .nr = 32, .skip = 0 },
	{ .kind = PIECE_RANGE, .nr = 37, .skip = 5 },
	{ .kind = PIECE_RANGE, .nr = 129, .skip = 127 },
	{ .kind = PIECE_VMALLOC, .nr = 1 },
	{ .kind = PIECE_VMALLOC, .nr = 300 },
	/* one chunk exactly full, one more than that, three chunks */
	{ .kind = PIECE_VMALLOC, .nr = KHO_VMALLOC_SIZE },
	{ .kind = PIECE_VMALLOC, .nr = KHO_VMALLOC_SIZE + 1 },
	{ .kind = PIECE_VMALLOC, .nr = 2 * KHO_VMALLOC_SIZE + 78 },
	{ .kind = PIECE_VMALLOC_HUGE, .nr = 2 * PMD_PAGES },
	/* the allocation is rounded up, the contents end in its second half */
	{ .kind = PIECE_VMALLOC_HUGE, .nr = PMD_PAGES + 1 },
	{ .kind = PIECE_BLOCKS, .nr = 1 },
	{ .kind = PIECE_BLOCKS, .nr = ENTRIES_PER_BLOCK },
	{ .kind = PIECE_BLOCKS, .nr = 3 * ENTRIES_PER_BLOCK + 1 },
};

#define NR_PLANNED	(NR_PAGE_ORDERS + ARRAY_SIZE(plan))

/*
 * What this kernel holds of each piece that it preserved, by the index of the
 * piece in the subtree. It is not freed with the init data: it holds the only
 * pointers to vmalloc areas and block handles, which kmemleak would miss.
 */
static struct holding {
	void *mem;
	struct kho_block_set blocks;
} holdings[NR_PLANNED];

/* The sums detect damage, not forgery, so the key need not be secret. */
static const siphash_key_t sum_key;

static u64 __init sum_pieces(const struct subtree *tree)
{
	return siphash(tree->pieces, flex_array_size(tree, pieces, tree->nr_pieces),
		       &sum_key);
}

/* Depends on the order in which entries come as well as on their contents. */
static u64 __init sum_entry(u64 sum, const struct entry *entry)
{
	return siphash_2u64(sum, siphash(entry, sizeof(*entry), &sum_key), &sum_key);
}

/* Memory that an intact piece takes: a huge area is made of whole PMDs. */
static u64 __init piece_pages(const struct piece *piece)
{
	switch (piece->kind) {
	case PIECE_VMALLOC_HUGE:
		return ALIGN(piece->nr, PMD_PAGES);
	case PIECE_BLOCKS:
		return DIV_ROUND_UP(piece->nr, ENTRIES_PER_BLOCK);
	default:
		return piece->nr;
	}
}

static u64 __init fill(void *mem, u64 nr_pages)
{
	size_t size = nr_pages << PAGE_SHIFT;

	get_random_bytes(mem, size);
	return siphash(mem, size, &sum_key);
}

/* Say what is wrong with @what. Always false, so that checks can be chained. */
static __printf(2, 3) bool __init fail(const char *what, const char *fmt, ...)
{
	struct va_format vaf = { .fmt = fmt };
	va_list args;

	va_start(args, fmt);
	vaf.va = &args;
	pr_err("FAIL %s: found %pV\n", what, &vaf);
	va_end(args);
	return false;
}

static bool __init expect_count(const char *what, const char *unit, u64 found,
				u64 expected)
{
	if (found == expected)
		return true;
	return fail(what, "%llu %s, expected %llu", found, unit, expected);
}

static bool __init expect_sum(const char *what, u64 found, u64 expected)
{
	if (found == expected)
		return true;
	return fail(what, "checksum %#llx, expected %#llx", found, expected);
}

static bool __init expect_contents(const char *what, const struct piece *piece,
				   const void *mem)
{
	u64 sum = siphash(mem, piece->nr << PAGE_SHIFT, &sum_key);

	return expect_sum(what, sum, piece->sum);
}

/* Values that the sizes below are computed from, and an address to restore */
static bool __init expect_sane(const char *what, const struct piece *piece)
{
	unsigned long most = get_num_physpages();

	if (!piece->nr || piece->nr > most)
		return fail(what, "a size of %llu, expected 1 to %lu", piece->nr, most);
	if (!PAGE_ALIGNED(piece->phys))
		return fail(what, "address %#llx, expected whole pages", piece->phys);
	return true;
}

static int __init preserve_folio(struct piece *piece, struct holding *holding)
{
	struct folio *folio = folio_alloc(PIECE_GFP, ilog2(piece->nr));
	int err;

	if (!folio)
		return -ENOMEM;

	err = kho_preserve_folio(folio);
	if (err) {
		folio_put(folio);
		return err;
	}

	holding->mem = folio_address(folio);
	piece->phys = virt_to_phys(holding->mem);
	piece->sum = fill(holding->mem, piece->nr);
	return 0;
}

static void __init drop_folio(struct piece *piece, struct holding *holding)
{
	struct folio *folio = virt_to_folio(holding->mem);

	kho_unpreserve_folio(folio);
	folio_put(folio);
}

static bool __init verify_folio(const char *what, const struct piece *piece)
{
	struct folio *folio;
	bool ok;

	if (!is_power_of_2(piece->nr))
		return fail(what, "%llu pages, expected a power of two", piece->nr);

	folio = kho_restore_folio(piece->phys);
	if (!folio)
		return fail(what, "nothing preserved at %#llx, expected a folio", piece->phys);

	ok = expect_count(what, "pages", folio_nr_pages(folio), piece->nr) &&
	     expect_contents(what, piece, folio_address(folio));
	folio_put(folio);
	return ok;
}

static int __init preserve_range(struct piece *piece, struct holding *holding)
{
	size_t skip = (size_t)piece->skip << PAGE_SHIFT;
	size_t size = piece->nr << PAGE_SHIFT;
	void *mem;
	int err;

	mem = alloc_pages_exact(skip + size, PIECE_GFP);
	if (!mem)
		return -ENOMEM;
	free_pages_exact(mem, skip);
	mem += skip;

	err = kho_preserve_pages(virt_to_page(mem), piece->nr);
	if (err) {
		free_pages_exact(mem, size);
		return err;
	}

	holding->mem = mem;
	piece->phys = virt_to_phys(mem);
	piece->sum = fill(mem, piece->nr);
	return 0;
}

static void __init drop_range(struct piece *piece, struct holding *holding)
{
	kho_unpreserve_pages(virt_to_page(holding->mem), piece->nr);
	free_pages_exact(holding->mem, piece->nr << PAGE_SHIFT);
}

static bool __init verify_range(const char *what, const struct piece *piece)
{
	struct page *first = kho_restore_pages(piece->phys, piece->nr);
	bool ok;

	if (!first)
		return fail(what, "nothing preserved at %#llx, expected pages", piece->phys);

	/* A page that is not free-standing cannot be freed: leave them all. */
	for (unsigned long i = 0; i < piece->nr; i++) {
		struct page *page = pfn_to_page(page_to_pfn(first) + i);

		if (PageCompound(page))
			return fail(what, "page %lu in a folio, expected single pages", i);
		if (page_count(page) != 1)
			return fail(what, "page %lu with %d references, expected 1", i,
				    page_count(page));
	}

	ok = expect_contents(what, piece, page_address(first));
	free_pages_exact(page_address(first), piece->nr << PAGE_SHIFT);
	return ok;
}

static void __init *alloc_area(const struct piece *piece)
{
	size_t size = piece->nr << PAGE_SHIFT;

	if (piece->kind == PIECE_VMALLOC_HUGE)
		return vmalloc_huge(size, PIECE_GFP);
	return __vmalloc(size, PIECE_GFP);
}

static int __init preserve_vmalloc(struct piece *piece, struct holding *holding)
{
	void *mem __free(kvfree) = alloc_area(piece);
	int err;

	if (!mem)
		return -ENOMEM;

	err = kho_preserve_vmalloc(mem, &piece->vmalloc);
	if (err)
		return err;

	holding->mem = no_free_ptr(mem);
	piece->sum = fill(holding->mem, piece->nr);

	if (piece->kind == PIECE_VMALLOC_HUGE && !piece->vmalloc.order)
		pr_warn("vmalloc_huge of %llu pages got small pages only\n", piece->nr);
	return 0;
}

static void __init drop_vmalloc(struct piece *piece, struct holding *holding)
{
	kho_unpreserve_vmalloc(&piece->vmalloc);
	vfree(holding->mem);
}

static bool __init verify_vmalloc(const char *what, const struct piece *piece)
{
	void *mem __free(kvfree) = NULL;
	size_t size;

	/* The area may be larger than its contents, where it was rounded up. */
	if (piece->vmalloc.total_pages < piece->nr)
		return fail(what, "an area of %u pages, expected at least %llu",
			    piece->vmalloc.total_pages, piece->nr);

	mem = kho_restore_vmalloc(&piece->vmalloc);
	if (!mem)
		return fail(what, "no area, expected one of %u pages",
			    piece->vmalloc.total_pages);

	size = get_vm_area_size(find_vm_area(mem));
	return expect_count(what, "pages", size >> PAGE_SHIFT, piece->vmalloc.total_pages) &&
	       expect_contents(what, piece, mem);
}

static int __init preserve_blocks(struct piece *piece, struct holding *holding)
{
	struct kho_block_set *blocks = &holding->blocks;
	struct kho_block_set_it it;
	int err;

	kho_block_set_init(blocks, sizeof(struct entry));
	err = kho_block_set_grow(blocks, piece->nr);
	if (err)
		return err;

	kho_block_set_it_init(&it, blocks);
	for (u64 i = 0; i < piece->nr; i++) {
		struct entry *entry = kho_block_set_it_reserve_entry(&it);

		if (!entry) {
			kho_block_set_destroy(blocks);
			return -ENOSPC;
		}
		get_random_bytes(entry, sizeof(*entry));
		piece->sum = sum_entry(piece->sum, entry);
	}

	piece->phys = kho_block_set_head_pa(blocks);
	return 0;
}

static void __init drop_blocks(struct piece *piece, struct holding *holding)
{
	kho_block_set_destroy(&holding->blocks);
}

static bool __init verify_blocks(const char *what, const struct piece *piece)
{
	struct kho_block_set blocks;
	struct kho_block_set_it it;
	struct entry *entry;
	u64 nr = 0, sum = 0;
	int err;

	kho_block_set_init(&blocks, sizeof(*entry));
	err = kho_block_set_restore(&blocks, piece->phys);
	if (err)
		return fail(what, "error %pe, expected a set at %#llx", ERR_PTR(err),
			    piece->phys);

	kho_block_set_it_init(&it, &blocks);
	while ((entry = kho_block_set_it_read_entry(&it))) {
		sum = sum_entry(sum, entry);
		nr++;
	}
	kho_block_set_destroy(&blocks);

	return expect_count(what, "entries", nr, piece->nr) &&
	       expect_sum(what, sum, piece->sum);
}

/**
 * struct kind - how pieces of one kind are handled
 * @name: what the log calls them.
 * @unit: what struct piece counts in @nr.
 * @preserve: allocate, fill and preserve one, or fail without any effect.
 * @drop: undo @preserve in the same boot.
 * @verify: restore one in the next boot, check and free it; reports failures.
 */
struct kind {
	const char *name;
	const char *unit;
	int (*preserve)(struct piece *piece, struct holding *holding);
	void (*drop)(struct piece *piece, struct holding *holding);
	bool (*verify)(const char *what, const struct piece *piece);
};

static const struct kind kinds[NR_PIECE_KINDS] __initconst = {
	[PIECE_FOLIO] = {
		"folio", "pages", preserve_folio, drop_folio, verify_folio
	},
	[PIECE_RANGE] = {
		"range", "pages", preserve_range, drop_range, verify_range
	},
	[PIECE_VMALLOC] = {
		"vmalloc", "pages", preserve_vmalloc, drop_vmalloc, verify_vmalloc
	},
	[PIECE_VMALLOC_HUGE] = {
		"vmalloc_huge", "pages", preserve_vmalloc, drop_vmalloc, verify_vmalloc
	},
	[PIECE_BLOCKS] = {
		"block set", "entries", preserve_blocks, drop_blocks, verify_blocks
	},
};

static void __init describe(char what[WHAT_LEN], const struct piece *piece)
{
	snprintf(what, WHAT_LEN, "%s of %llu %s", kinds[piece->kind].name, piece->nr,
		 kinds[piece->kind].unit);
}

static struct piece __init planned(unsigned int i)
{
	if (i < NR_PAGE_ORDERS)
		return (struct piece){ .kind = PIECE_FOLIO, .nr = 1ULL << i };
	return plan[i - NR_PAGE_ORDERS];
}

/* In pages: a small machine keeps half of its memory for the rest of the boot. */
static u64 __init room_for_pieces(void)
{
	unsigned long usable = global_zone_page_state(NR_FREE_PAGES) -
			       global_zone_page_state(NR_FREE_CMA_PAGES);

	return min(max_mem >> PAGE_SHIFT, usable / 2);
}

/* On error, what was preserved by then is in @tree and is left to the caller. */
static int __init preserve_pieces(struct subtree *tree)
{
	u64 room = room_for_pieces();

	for (unsigned int i = 0; i < NR_PLANNED; i++) {
		struct piece piece = planned(i);
		u64 pages = piece_pages(&piece);
		char what[WHAT_LEN];
		int err;

		describe(what, &piece);
		if (pages > room) {
			pr_info("left out %s: needs %llu pages, there is room for %llu (max_mem=%lu)\n",
				what, pages, room, max_mem);
			continue;
		}

		err = kinds[piece.kind].preserve(&piece, &holdings[tree->nr_pieces]);
		if (err == -ENOMEM) {
			pr_warn("left out %s: not enough memory\n", what);
			continue;
		}
		if (err) {
			pr_err("cannot preserve %s: %pe\n", what, ERR_PTR(err));
			return err;
		}

		tree->pieces[tree->nr_pieces++] = piece;
		room -= pages;
	}

	return tree->nr_pieces ? 0 : -ENOMEM;
}

static void __init drop_pieces(struct subtree *tree)
{
	for (unsigned int i = 0; i < tree->nr_pieces; i++) {
		struct piece *piece = &tree->pieces[i];

		kinds[piece->kind].drop(piece, &holdings[i]);
	}
}

static int __init save(void)
{
	struct subtree *tree;
	int err;

	tree = kho_alloc_preserve(struct_size(tree, pieces, NR_PLANNED));
	if (IS_ERR(tree)) {
		pr_err("cannot allocate the subtree: %pe\n", tree);
		return PTR_ERR(tree);
	}

	err = preserve_pieces(tree);
	if (!err) {
		tree->magic = SUBTREE_MAGIC;
		tree->version = SUBTREE_VERSION;
		tree->sum = sum_pieces(tree);
		err = kho_add_subtree(SUBTREE, tree,
				      struct_size(tree, pieces, tree->nr_pieces));
	}
	if (err) {
		pr_err("nothing preserved: %pe\n", ERR_PTR(err));
		drop_pieces(tree);
		kho_unpreserve_free(tree);
		return err;
	}

	pr_info("preserved %u pieces for the next kernel\n", tree->nr_pieces);
	return 0;
}

/* @size is what KHO recorded for the subtree; it is known to be mapped. */
static bool __init verify_subtree(const struct subtree *tree, size_t size)
{
	const char *what = "subtree " SUBTREE;

	if (size < sizeof(*tree))
		return fail(what, "%zu bytes, expected at least %zu", size, sizeof(*tree));

	if (tree->magic != SUBTREE_MAGIC)
		return fail(what, "magic %#llx, expected %#llx", tree->magic, SUBTREE_MAGIC);
	if (tree->version != SUBTREE_VERSION)
		return fail(what, "version %u, expected %u", tree->version, SUBTREE_VERSION);

	return expect_count(what, "bytes", size,
			    struct_size(tree, pieces, tree->nr_pieces)) &&
	       expect_sum(what, sum_pieces(tree), tree->sum);
}

static bool __init verify_piece(const struct piece *piece)
{
	char what[WHAT_LEN] = "piece";

	if (piece->kind >= NR_PIECE_KINDS)
		return fail(what, "kind %u, expected less than %u", piece->kind,
			    NR_PIECE_KINDS);

	describe(what, piece);
	if (!expect_sane(what, piece) || !kinds[piece->kind].verify(what, piece))
		return false;

	pr_info("PASS %s\n", what);
	return true;
}

static bool __init verify(phys_addr_t phys, size_t size)
{
	struct folio *folio;
	struct subtree *tree;
	bool ok = true;

	if (!PAGE_ALIGNED(phys))
		return fail("subtree " SUBTREE, "address %pa, expected whole pages", &phys);

	folio = kho_restore_folio(phys);
	if (!folio)
		return fail("subtree " SUBTREE, "nothing preserved at %pa, expected a folio",
			    &phys);
	if (size > folio_size(folio))
		return fail("subtree " SUBTREE, "%zu bytes, expected at most %zu", size,
			    folio_size(folio));

	/* One that cannot be read stays allocated: it may not be ours to free. */
	tree = folio_address(folio);
	if (!verify_subtree(tree, size))
		return false;
	pr_info("PASS subtree " SUBTREE " of %u pieces\n", tree->nr_pieces);

	for (unsigned int i = 0; i < tree->nr_pieces; i++)
		ok &= verify_piece(&tree->pieces[i]);

	folio_put(folio);
	return ok;
}

static int __init test_kho_init(void)
{
	phys_addr_t phys;
	size_t size;
	int err;

	if (!kho_is_enabled())
		return 0;

	err = kho_retrieve_subtree(SUBTREE, &phys, &size);
	if (err == -ENOENT)
		return save();

	if (err)
		fail("subtree " SUBTREE, "error %pe, expected an address and a size",
		     ERR_PTR(err));

	/* The base's selftest waits for exactly these words. */
	if (err || !verify(phys, size)) {
		pr_err("KHO restore failed\n");
		return err ?: -EBADMSG;
	}

	pr_info("KHO restore succeeded\n");
	return 0;
}
device_initcall(test_kho_init);

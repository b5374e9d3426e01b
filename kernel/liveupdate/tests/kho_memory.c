// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the memory of a machine is after a kexec: what was preserved is found
 * where it was left, and all else is in the page allocator. For tests with a
 * real kexec; root asks for it by writing to files in kho_memory/ of debugfs:
 *
 * preserve - "SEED PAGES": allocates pieces of random sizes on random nodes,
 *	PAGES pages in all, preserves some and frees the others. What is left
 *	between them is as scattered as SEED has it. May be repeated.
 * map - "PHYS", in hexadecimal, the root of the map of preserved memory that the
 *	next kernel will get: its nodes are noted for that kernel when kexec comes.
 * grab - "SEED": takes every page that the page allocator has, writes over
 *	all of them, and gives them back after they have been read again.
 * restore - anything: restores, verifies and frees what "preserve" of the
 *	previous kernel has left.
 * report - to be read: what came of all that, one "NAME NUMBER" a line.
 *
 * Owns the pieces and their description. Uses the public functions of KHO only, so
 * that it does not depend on how memory is preserved.
 */

#define pr_fmt(fmt) "KHO: test: " fmt

#include <linux/bitmap.h>
#include <linux/cleanup.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/kho/block.h>
#include <linux/kho/radix_tree.h>
#include <linux/kstrtox.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/prandom.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/vmstat.h>
#include "../../../mm/page_alloc.h"

#define SUBTREE		"kho_memory"
#define SUBTREE_MAGIC	0x79726f6d656d6f68ULL

/* A piece is not worth reclaim, still less an oops of the allocator */
#define PIECE_GFP	(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN)

/* Everything, scratch included, and whatever the allocator keeps in reserve */
#define GRAB_GFP	((GFP_HIGHUSER_MOVABLE & ~__GFP_RECLAIM) | \
			 __GFP_MEMALLOC | __GFP_NOWARN)

/* What the rest of the kernel gets back as soon as nothing else is left */
#define SPARE_ORDER	get_order(SZ_4M)

/**
 * struct piece - memory that is preserved; the entry of a block set
 * @phys: where it starts.
 * @seed: its contents follow from this and from where each page is.
 * @nr: how many pages it has.
 * @folio: it is a folio, and not pages of their own.
 */
struct piece {
	u64 phys;
	u64 seed;
	u32 nr;
	u32 folio;
};

/**
 * struct subtree - what the next kernel gets
 * @magic: SUBTREE_MAGIC.
 * @pieces: physical address of the first block of the set of pieces.
 * @nr_nodes: how many nodes the map of preserved memory had, also those for
 *	which @nodes had no room.
 * @nodes: where they are.
 */
struct subtree {
	u64 magic;
	u64 pieces;
	u64 nr_nodes;
	u64 nodes[];
};

#define SUBTREE_SIZE	SZ_64K
#define MAX_NODES	((SUBTREE_SIZE - sizeof(struct subtree)) / sizeof(u64))

/* For the next kernel; the subtree is made when it is needed first */
static struct {
	struct subtree *subtree;
	struct kho_block_set pieces;
	struct kho_block_set_it it;
	struct kho_radix_node *map;
} out = {
	.pieces = KHO_BLOCK_SET_INIT(out.pieces, sizeof(struct piece)),
};

/* From the previous one; the subtree is NULL if there is none, or no more */
static struct {
	struct subtree *subtree;
	struct kho_block_set pieces;
} in = {
	.pieces = KHO_BLOCK_SET_INIT(in.pieces, sizeof(struct piece)),
};

/* All numbers are of pages, if they are not of pieces or nodes */
static struct {
	u64 preserved_pieces;
	u64 preserved;
	u64 grabbed;
	u64 grab_left;		/* the allocator still had them */
	u64 grab_twice;		/* it gave them out twice */
	u64 grab_stolen;	/* they belong to a piece that is preserved */
	u64 grab_wrong;		/* they were written over by somebody else */
	u64 nodes;
	u64 nodes_in_use;	/* for something else by now */
	u64 nodes_reserved;	/* never freed to the allocator */
	u64 restored_pieces;
	u64 restored;
	u64 restore_wrong;	/* pieces that are not what they were */
} report;

/* One at a time, and nobody sees the report of half a job */
static DEFINE_MUTEX(memory_lock);

static u64 page_word(u64 seed, struct page *page)
{
	return (seed ^ page_to_pfn(page)) * GOLDEN_RATIO_64;
}

static void fill_page(u64 seed, struct page *page)
{
	memset64(page_address(page), page_word(seed, page), PAGE_SIZE / sizeof(u64));
}

static bool verify_page(u64 seed, struct page *page, const char *what)
{
	const u64 *words = page_address(page);
	u64 expected = page_word(seed, page);

	for (unsigned int i = 0; i < PAGE_SIZE / sizeof(u64); i++) {
		if (words[i] == expected)
			continue;
		pr_err_ratelimited("%s: word %u of the page at 0x%llx is 0x%llx, expected 0x%llx\n",
				   what, i, (u64)page_to_phys(page), words[i], expected);
		return false;
	}

	return true;
}

/* preserve */

static int make_subtree(void)
{
	struct subtree *subtree;
	int err;

	if (out.subtree)
		return 0;

	subtree = kho_alloc_preserve(SUBTREE_SIZE);
	if (IS_ERR(subtree))
		return PTR_ERR(subtree);

	subtree->magic = SUBTREE_MAGIC;
	err = kho_add_subtree(SUBTREE, subtree, SUBTREE_SIZE);
	if (err) {
		kho_unpreserve_free(subtree);
		return err;
	}

	out.subtree = subtree;
	return 0;
}

static int note_piece(const struct piece *piece)
{
	struct piece *entry;
	int err;

	err = kho_block_set_grow(&out.pieces, report.preserved_pieces + 1);
	if (err)
		return err;

	if (!report.preserved_pieces)
		kho_block_set_it_init(&out.it, &out.pieces);
	entry = kho_block_set_it_reserve_entry(&out.it);
	if (!entry)
		return -ENOSPC;

	*entry = *piece;
	out.subtree->pieces = kho_block_set_head_pa(&out.pieces);
	report.preserved_pieces++;
	report.preserved += piece->nr;
	return 0;
}

static struct page *piece_page(const struct piece *piece)
{
	return phys_to_page(piece->phys);
}

static void free_piece(const struct piece *piece)
{
	struct page *page = piece_page(piece);

	if (piece->folio) {
		folio_put(page_folio(page));
		return;
	}
	for (u32 i = 0; i < piece->nr; i++)
		__free_page(page + i);
}

static int preserve_piece(const struct piece *piece)
{
	struct page *page = piece_page(piece);
	int err;

	for (u32 i = 0; i < piece->nr; i++)
		fill_page(piece->seed, page + i);

	err = piece->folio ? kho_preserve_folio(page_folio(page)) :
			     kho_preserve_pages(page, piece->nr);
	if (err)
		return err;

	err = note_piece(piece);
	if (!err)
		return 0;

	if (piece->folio)
		kho_unpreserve_folio(page_folio(page));
	else
		kho_unpreserve_pages(page, piece->nr);
	return err;
}

static u32 below(struct rnd_state *rnd, u32 limit)
{
	return prandom_u32_state(rnd) % limit;
}

/* Pages of their own start and end anywhere in a block of the allocator */
static bool alloc_pages_piece(struct piece *piece, unsigned int order, int nid,
			      struct rnd_state *rnd)
{
	u32 nr = BIT(order), start = below(rnd, nr), end;
	struct page *page = alloc_pages_node(nid, PIECE_GFP, order);

	if (!page)
		return false;

	end = start + 1 + below(rnd, nr - start);
	split_page(page, order);
	for (u32 i = 0; i < nr; i++) {
		if (i < start || i >= end)
			__free_page(page + i);
	}

	piece->phys = page_to_phys(page + start);
	piece->nr = end - start;
	return true;
}

static bool alloc_folio_piece(struct piece *piece, unsigned int order, int nid)
{
	struct folio *folio = __folio_alloc_node(PIECE_GFP, order, nid);

	if (!folio)
		return false;

	piece->phys = PFN_PHYS(folio_pfn(folio));
	piece->nr = BIT(order);
	piece->folio = true;
	return true;
}

/**
 * struct mood - how some pieces in a row are chosen
 * @left: how many pieces.
 * @order: their highest order.
 * @freed: how many in 16 are not preserved.
 * @nid: node that they come from if it has room.
 */
struct mood {
	u32 left;
	u32 order;
	u32 freed;
	int nid;
};

/*
 * Small orders are what makes fragments, so they are as frequent as all others
 * together. Every other page is a case of its own: half of order 0.
 */
static struct mood next_mood(struct rnd_state *rnd)
{
	u32 node = below(rnd, num_node_state(N_MEMORY));
	int nid = first_memory_node;

	while (node--)
		nid = next_memory_node(nid);

	return (struct mood) {
		.left = 1 + below(rnd, 500),
		.order = below(rnd, 2) ? 0 : below(rnd, NR_PAGE_ORDERS),
		.freed = below(rnd, 2) ? 8 : below(rnd, 16),
		.nid = nid,
	};
}

static bool alloc_piece(struct piece *piece, const struct mood *mood,
			struct rnd_state *rnd)
{
	u32 order = below(rnd, mood->order + 1);

	if (below(rnd, 4))
		return alloc_folio_piece(piece, order, mood->nid);
	return alloc_pages_piece(piece, order, mood->nid, rnd);
}

/* As many pieces as have @pages pages in all, or as many as there is room for */
static u32 alloc_pieces(struct piece *pieces, u32 pages, struct rnd_state *rnd)
{
	struct mood mood = {};
	u32 nr = 0;

	for (u32 sum = 0; sum < pages; sum += pieces[nr++].nr) {
		if (!mood.left--)
			mood = next_mood(rnd);
		if (!alloc_piece(&pieces[nr], &mood, rnd))
			break;
	}

	return nr;
}

/*
 * All are allocated before the first is freed, or the next would be allocated
 * just there.
 */
static int preserve(u64 seed, u32 pages)
{
	struct piece *pieces __free(kvfree) = kvzalloc_objs(*pieces, pages);
	struct mood mood = {};
	struct rnd_state rnd;
	int err = 0;
	u32 nr;

	if (!pieces)
		return -ENOMEM;

	prandom_seed_state(&rnd, seed);
	nr = alloc_pieces(pieces, pages, &rnd);
	for (u32 i = 0; i < nr; i++) {
		bool keep;

		if (!mood.left--)
			mood = next_mood(&rnd);
		keep = !err && below(&rnd, 16) >= mood.freed;
		pieces[i].seed = seed;
		if (keep)
			err = preserve_piece(&pieces[i]);
		if (!keep || err)
			free_piece(&pieces[i]);
	}

	return err;
}

/* map: noted as late as possible, because each preservation may add nodes */

static int note_node(phys_addr_t phys, void *data)
{
	struct subtree *subtree = data;

	if (subtree->nr_nodes < MAX_NODES)
		subtree->nodes[subtree->nr_nodes] = phys;
	subtree->nr_nodes++;
	return 0;
}

static int note_nodes(struct notifier_block *nb, unsigned long event, void *cmd)
{
	/* A handle of our own has a lock of its own, but nobody else is up any more */
	const struct kho_radix_walk_cb cb = { .node = note_node };
	struct kho_radix_tree tree;

	if (!out.map || kho_radix_init_tree(&tree, out.map))
		return NOTIFY_DONE;

	out.subtree->nr_nodes = 0;
	kho_radix_walk_tree(&tree, &cb, out.subtree);
	return NOTIFY_DONE;
}

static struct notifier_block reboot_nb = {
	.notifier_call = note_nodes,
};

/* grab */

/* By page frame, what the allocator has given us, for the time of a "grab" */
struct grabbed {
	unsigned long *pfns;
	u64 seed;
	struct page *spare;
};

static void take(struct grabbed *grabbed, struct page *page)
{
	if (__test_and_set_bit(page_to_pfn(page), grabbed->pfns))
		report.grab_twice++;
	fill_page(grabbed->seed, page);
	report.grabbed++;
}

static void check_taken(struct grabbed *grabbed, struct page *page)
{
	if (!verify_page(grabbed->seed, page, "grab"))
		report.grab_wrong++;
}

/* Exact, and with what waits in the list of another CPU */
static unsigned long left_to_allocator(void)
{
	unsigned long left = 0;
	struct zone *zone;
	int cpu;

	for_each_populated_zone(zone) {
		left += zone_page_state_snapshot(zone, NR_FREE_PAGES);
		for_each_online_cpu(cpu)
			left += per_cpu_ptr(zone->per_cpu_pageset, cpu)->count;
	}

	return left;
}

/*
 * Other tasks may find nothing while the last pages are taken, but not for
 * longer: then they get the spare ones, which have been through the same.
 */
static void take_all(struct grabbed *grabbed)
{
	struct page *page;

	for (int i = 0; i < BIT(SPARE_ORDER); i++)
		take(grabbed, grabbed->spare + i);
	for (int i = 0; i < BIT(SPARE_ORDER); i++)
		check_taken(grabbed, grabbed->spare + i);

	/* What another CPU has in its lists cannot be had from here */
	drain_all_pages(NULL);
	while ((page = alloc_page(GRAB_GFP))) {
		take(grabbed, page);
		cond_resched();
	}

	report.grab_left = left_to_allocator();
	__free_pages(grabbed->spare, SPARE_ORDER);
}

/* The spare pages are gone already */
static void give_back(struct grabbed *grabbed)
{
	unsigned long spare = page_to_pfn(grabbed->spare), pfn;

	bitmap_clear(grabbed->pfns, spare, BIT(SPARE_ORDER));
	for_each_set_bit(pfn, grabbed->pfns, max_pfn) {
		check_taken(grabbed, pfn_to_page(pfn));
		cond_resched();
	}
	for_each_set_bit(pfn, grabbed->pfns, max_pfn) {
		__free_page(pfn_to_page(pfn));
		cond_resched();
	}
}

/* Nothing that waits to be restored may be among what was grabbed */
static void look_for_pieces(const struct grabbed *grabbed)
{
	struct kho_block_set_it it;
	struct piece *piece;

	kho_block_set_it_init(&it, &in.pieces);
	while ((piece = kho_block_set_it_read_entry(&it))) {
		unsigned long pfn = PHYS_PFN(piece->phys);

		for (u32 i = 0; i < piece->nr; i++)
			report.grab_stolen += test_bit(pfn + i, grabbed->pfns);
	}
}

/*
 * The nodes of the map of preserved memory are free memory once it is read. One
 * that the allocator never got would be missing from the sum of all pages.
 */
static void look_for_nodes(const struct grabbed *grabbed)
{
	report.nodes = in.subtree->nr_nodes;
	for (u64 i = 0; i < min_t(u64, report.nodes, MAX_NODES); i++) {
		unsigned long pfn = PHYS_PFN(in.subtree->nodes[i]);
		struct page *page = pfn_to_page(pfn);

		if (test_bit(pfn, grabbed->pfns))
			continue;
		if (PageReserved(page))
			report.nodes_reserved++;
		else
			report.nodes_in_use++;
	}
}

static int grab(u64 seed)
{
	unsigned long *pfns __free(kvfree) =
		kvcalloc(BITS_TO_LONGS(max_pfn), sizeof(long), GFP_KERNEL);
	struct grabbed grabbed = {
		.pfns = pfns,
		.seed = seed,
	};

	if (!pfns)
		return -ENOMEM;
	grabbed.spare = alloc_pages(PIECE_GFP, SPARE_ORDER);
	if (!grabbed.spare)
		return -ENOMEM;

	take_all(&grabbed);
	if (in.subtree) {
		look_for_pieces(&grabbed);
		look_for_nodes(&grabbed);
	}
	give_back(&grabbed);
	return 0;
}

/* restore */

static struct page *restore_pages(const struct piece *piece)
{
	struct folio *folio;

	if (!piece->folio)
		return kho_restore_pages(piece->phys, piece->nr);

	folio = kho_restore_folio(piece->phys);
	return folio ? folio_page(folio, 0) : NULL;
}

/* True if it is a folio of that order, or single pages, without other references */
static bool verify_shape(const struct piece *piece, struct page *page)
{
	u32 folios = piece->folio ? 1 : piece->nr;

	for (u32 i = 0; i < folios; i++) {
		struct folio *folio = page_folio(page + i);

		if (folio_page(folio, 0) == page + i &&
		    folio_nr_pages(folio) == piece->nr / folios &&
		    folio_ref_count(folio) == 1)
			continue;
		pr_err_ratelimited("restore: page %u of %u at 0x%llx has %ld pages and %d references\n",
				   i, piece->nr, piece->phys, folio_nr_pages(folio),
				   folio_ref_count(folio));
		return false;
	}

	return true;
}

/* What has the wrong shape cannot be freed, and is left to be looked at */
static bool restore_piece(const struct piece *piece)
{
	unsigned long before = totalram_pages();
	struct page *page = restore_pages(piece);
	bool ok = true;

	if (!page || !verify_shape(piece, page))
		return false;

	if (totalram_pages() - before != piece->nr) {
		pr_err_ratelimited("restore: %ld pages more in the machine, expected %u\n",
				   totalram_pages() - before, piece->nr);
		ok = false;
	}
	for (u32 i = 0; i < piece->nr; i++)
		ok &= verify_page(piece->seed, page + i, "restore");

	free_piece(piece);
	return ok;
}

static int restore(void)
{
	struct kho_block_set_it it;
	struct piece *piece;

	if (!in.subtree)
		return -ENOENT;

	kho_block_set_it_init(&it, &in.pieces);
	while ((piece = kho_block_set_it_read_entry(&it))) {
		report.restored_pieces++;
		report.restored += piece->nr;
		if (!restore_piece(piece))
			report.restore_wrong++;
		cond_resched();
	}

	kho_block_set_destroy(&in.pieces);
	kho_restore_free(in.subtree);
	in.subtree = NULL;
	return 0;
}

/* The files */

static int do_preserve(char *command)
{
	u32 pages;
	u64 seed;
	int err;

	if (sscanf(command, "%llu %u", &seed, &pages) != 2)
		return -EINVAL;

	err = make_subtree();
	return err ?: preserve(seed, pages);
}

static int do_map(char *command)
{
	u64 phys;
	int err;

	if (kstrtou64(command, 16, &phys))
		return -EINVAL;

	err = make_subtree();
	if (!err)
		out.map = phys_to_virt(phys);
	return err;
}

static int do_grab(char *command)
{
	u64 seed;

	return kstrtou64(command, 10, &seed) ? -EINVAL : grab(seed);
}

static int do_restore(char *command)
{
	return restore();
}

static const struct job {
	const char *name;
	int (*run)(char *command);
} jobs[] = {
	{ "preserve", do_preserve },
	{ "map", do_map },
	{ "grab", do_grab },
	{ "restore", do_restore },
};

static ssize_t job_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	const struct job *job = file_inode(file)->i_private;
	char command[64];
	int err;

	if (count >= sizeof(command))
		return -EINVAL;
	if (copy_from_user(command, buf, count))
		return -EFAULT;
	command[count] = 0;

	guard(mutex)(&memory_lock);
	err = job->run(strim(command));
	return err ?: count;
}

static const struct file_operations job_fops = {
	.write = job_write,
	.llseek = noop_llseek,
};

static int report_show(struct seq_file *m, void *unused)
{
	guard(mutex)(&memory_lock);

#define SHOW(field)	seq_printf(m, #field " %llu\n", report.field)
	SHOW(preserved_pieces);
	SHOW(preserved);
	SHOW(grabbed);
	SHOW(grab_left);
	SHOW(grab_twice);
	SHOW(grab_stolen);
	SHOW(grab_wrong);
	SHOW(nodes);
	SHOW(nodes_in_use);
	SHOW(nodes_reserved);
	SHOW(restored_pieces);
	SHOW(restored);
	SHOW(restore_wrong);
#undef SHOW
	seq_printf(m, "total %lu\n", totalram_pages());
	seq_printf(m, "held %lu\n", kho_held_kib() / (PAGE_SIZE / SZ_1K));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(report);

static void __init find_subtree(void)
{
	struct subtree *subtree;
	phys_addr_t phys;
	size_t size;

	if (kho_retrieve_subtree(SUBTREE, &phys, &size))
		return;

	subtree = phys_to_virt(phys);
	if (size != SUBTREE_SIZE || subtree->magic != SUBTREE_MAGIC) {
		pr_err("subtree %s has %zu bytes, expected %d of ours\n", SUBTREE,
		       size, SUBTREE_SIZE);
		return;
	}

	if (kho_block_set_restore(&in.pieces, subtree->pieces))
		return;
	in.subtree = subtree;
}

static int __init memory_tests_init(void)
{
	struct dentry *dir;

	if (!kho_is_enabled())
		return 0;

	find_subtree();
	dir = debugfs_create_dir("kho_memory", NULL);
	for (int i = 0; i < ARRAY_SIZE(jobs); i++)
		debugfs_create_file(jobs[i].name, 0200, dir, (void *)&jobs[i], &job_fops);
	debugfs_create_file("report", 0400, dir, NULL, &report_fops);

	return register_reboot_notifier(&reboot_nb);
}
late_initcall(memory_tests_init);

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Restoring at each stage of a boot: before, while and after the struct pages of
 * most memory are initialized. For tests with a real kexec.
 *
 * kho_early.nr=N on the command line has a kernel preserve N folios of several
 * orders. The next one restores a third of them in an early init function, where
 * one processor runs and nothing is initialized that can be deferred; a third in
 * a thread that was started there; and the others in a late init function. It
 * verifies what is in them, gives them back and says in the log what it found.
 */

#define pr_fmt(fmt) "KHO: early: " fmt

#include <linux/completion.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>

#include "../../../mm/mm_init.h"

#define SUBTREE	"kho_early"
#define SHARES	3
#define MAX_NR	500

static unsigned int nr;
module_param(nr, uint, 0444);
MODULE_PARM_DESC(nr, "folios to preserve, at most 500");

static const unsigned int orders[] = { 9, 0, 3, 10, 9, 1, 9, 0, 5, 2 };

/**
 * struct list - what the next kernel gets; fills at most a page
 * @nr: how many folios.
 * @phys: where they are.
 */
struct list {
	u64 nr;
	u64 phys[MAX_NR];
};

static struct list *list;
static unsigned int bad, missing, restored[SHARES];
static struct folio *kept[MAX_NR];
static DECLARE_COMPLETION(thread_done);

static u64 contents(u64 phys)
{
	return phys * 0x9e3779b97f4a7c15ULL;
}

static void fill(struct folio *folio)
{
	for (unsigned long i = 0; i < folio_nr_pages(folio); i++)
		*(u64 *)page_address(folio_page(folio, i)) =
			contents(page_to_phys(folio_page(folio, i)));
}

static bool intact(struct folio *folio, unsigned int order)
{
	if (folio_order(folio) != order || folio_ref_count(folio) != 1)
		return false;

	for (unsigned long i = 0; i < folio_nr_pages(folio); i++) {
		struct page *page = folio_page(folio, i);

		if (*(u64 *)page_address(page) != contents(page_to_phys(page)) ||
		    page_folio(page) != folio)
			return false;
	}

	return true;
}

/* Half of them are freed at once, which looks at the struct pages around them */
static void restore(unsigned int i)
{
	unsigned int order = orders[i % ARRAY_SIZE(orders)];
	phys_addr_t phys = list->phys[i];
	struct folio *folio;

	/* Nothing but the first page of a range says that it is preserved */
	if (kho_preserved_order(phys) != order ||
	    (order && kho_preserved_order(phys + PAGE_SIZE) != -ENOENT))
		bad++;

	folio = kho_restore_folio(phys);
	if (!folio || !intact(folio, order) ||
	    kho_preserved_order(phys) != -ENOENT) {
		pr_err("folio %u of order %u at %pa did not come through\n", i,
		       order, &phys);
		bad++;
		return;
	}

	restored[i % SHARES]++;
	if (i / SHARES % 2)
		folio_put(folio);
	else
		kept[i] = folio;
}

static void restore_share(unsigned int share)
{
	for (unsigned int i = share; i < list->nr; i += SHARES)
		restore(i);
}

static int restore_in_thread(void *data)
{
	restore_share(1);
	complete(&thread_done);
	return 0;
}

/* Number of ranges of which a struct page after the first is not initialized yet */
static unsigned int __init count_missing(void)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < list->nr; i++) {
		unsigned long pfn = PHYS_PFN(list->phys[i]);

		found += orders[i % ARRAY_SIZE(orders)] &&
			 pfn >= deferred_init_start(early_pfn_to_nid(pfn));
	}

	return found;
}

static int __init restore_early(void)
{
	struct task_struct *thread;
	phys_addr_t phys;
	size_t size;

	if (kho_retrieve_subtree(SUBTREE, &phys, &size) || size != sizeof(*list))
		return 0;

	list = phys_to_virt(phys);
	missing = count_missing();
	restore_share(0);
	thread = kthread_run(restore_in_thread, NULL, "kho_early");
	return PTR_ERR_OR_ZERO(thread);
}
early_initcall(restore_early);

static void __init restore_late(void)
{
	wait_for_completion(&thread_done);
	restore_share(2);
	for (unsigned int i = 0; i < list->nr; i++) {
		if (!kept[i])
			continue;
		bad += !intact(kept[i], orders[i % ARRAY_SIZE(orders)]);
		folio_put(kept[i]);
	}

	pr_info("restored %u early, %u threaded, %u late, %u incomplete, %u bad\n",
		restored[0], restored[1], restored[2], missing, bad);
	kho_restore_free(list);
}

static int __init preserve(void)
{
	unsigned long left = totalram_pages() / 4;
	int err;

	BUILD_BUG_ON(sizeof(*list) > PAGE_SIZE);
	list = kho_alloc_preserve(sizeof(*list));
	if (IS_ERR(list))
		return PTR_ERR(list);

	for (; list->nr < min(nr, MAX_NR); list->nr++) {
		unsigned int order = orders[list->nr % ARRAY_SIZE(orders)];
		struct folio *folio;

		if (left < BIT(order))
			break;
		folio = folio_alloc(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN, order);
		if (!folio)
			break;
		left -= BIT(order);
		fill(folio);
		err = kho_preserve_folio(folio);
		if (err)
			return err;
		list->phys[list->nr] = page_to_phys(folio_page(folio, 0));
	}

	pr_info("preserved %llu folios\n", list->nr);
	return kho_add_subtree(SUBTREE, list, sizeof(*list));
}

static int __init kho_early_init(void)
{
	if (list)
		restore_late();
	else if (nr && kho_is_enabled())
		return preserve();

	return 0;
}
late_initcall(kho_early_init);

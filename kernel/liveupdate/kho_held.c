// SPDX-License-Identifier: GPL-2.0-only
/*
 * KHO held memory - preserved by the previous kernel and not restored.
 *
 * Owns its release to the page allocator, which root requests in sysfs. A page has
 * no record of its owner. Owners report what can still be retrieved, and nothing is
 * released before all of that is retrieved, finished or given up. Until then it
 * cannot be taken offline.
 *
 * How much is held is counted by the core, kho_held_kib().
 */

#define pr_fmt(fmt) "KHO: held: " fmt

#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/init.h>
#include <linux/kexec_handover.h>
#include <linux/kho/compat.h>
#include <linux/memblock.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/sched.h>

#include "kexec_handover_internal.h"

/**
 * kho_held_waiting - how much of the previous kernel can still be retrieved
 *
 * Context: may sleep.
 * Return: the number of sessions and subtrees that have not been retrieved.
 */
long kho_held_waiting(void)
{
	guard(mutex)(&kho_components_lock);
	return kho_subtrees_waiting() + kho_unfinished();
}

/* Those that are built in come first and stay; modules may be removed meanwhile */
static int kho_give_up_all(void)
{
	for (unsigned int i = 0; i < kho_table.nr; i++) {
		int (*give_up)(void) = NULL;
		int err;

		/* It may drop users, which takes this lock */
		scoped_guard(mutex, &kho_components_lock) {
			if (i < kho_table.nr && !kho_table.components[i]->loadable)
				give_up = kho_table.components[i]->give_up;
		}
		err = give_up ? give_up() : 0;
		if (err)
			return err;
	}

	kho_subtrees_give_up();
	return 0;
}

static void kho_release_range(struct kho_restore_batch *batch, struct page *page,
			      unsigned int order)
{
	const struct page *end = page + BIT(order);

	if (!kho_restore_range(batch, page, order))
		return;

	for (; page < end; page++) {
		/* A poisoned page must not be accessed; the allocator keeps it */
		if (!PageHWPoison(page))
			clear_highpage(page);
		__free_page(page);
		cond_resched();
	}
}

/* Only ranges of the map are marked, and their first pages only */
static void kho_release_ranges(unsigned long pfn, unsigned long end)
{
	struct kho_restore_batch batch = {};

	while (pfn < end) {
		int order = kho_preserved_order(PFN_PHYS(pfn));

		if (order < 0) {
			pfn++;
			continue;
		}
		if (!kho_in_fdt_range(pfn, pfn + BIT(order)))
			kho_release_range(&batch, pfn_to_page(pfn), order);
		pfn += BIT(order);
	}

	kho_restore_batch_end(&batch);
}

/**
 * kho_release_held - give memory of the previous kernel to the page allocator
 * @all: what can still be retrieved is given up first.
 *
 * All that is held but the range of the FDT is cleared and freed, also what a module
 * that is being loaded has retrieved and not restored yet.
 *
 * Context: may sleep.
 * Return: 0; -EBUSY if something can still be retrieved and is not given up, or is
 * in use; -ENOMEM.
 */
int kho_release_held(bool all)
{
	static DEFINE_MUTEX(lock);
	unsigned long before = kho_held_kib(), pfn;
	long waiting;
	int err;

	guard(mutex)(&lock);

	waiting = kho_held_waiting();
	if (waiting && !all) {
		pr_warn("not released: %ld sessions and subtrees of the previous kernel can still be retrieved\n",
			waiting);
		return -EBUSY;
	}

	err = kho_give_up_all();
	if (err)
		return err;

	for (pfn = 0; pfn < max_pfn; pfn = pageblock_end_pfn(pfn)) {
		get_online_mems();
		if (pfn_to_online_page(pfn))
			kho_release_ranges(pfn, pageblock_end_pfn(pfn));
		put_online_mems();
		cond_resched();
	}

	pr_info("%lu KiB released\n", before - kho_held_kib());
	return 0;
}

/**
 * kho_check_offline - check whether memory may go offline
 * @pfn: the first page frame.
 * @end: the page frame after the last one.
 *
 * Preserved memory does not move. Whoever takes memory offline would try that
 * until a signal comes.
 *
 * Context: may sleep; the memory is online.
 * Return: 0; -EBUSY if a part of it is preserved, by this kernel or by the previous
 * one and not restored yet, or if anything is being restored.
 */
int kho_check_offline(unsigned long pfn, unsigned long end)
{
	const char *what;

	if (kho_find_held(&pfn, end)) {
		what = "held for the previous kernel";
	} else if (kho_find_preserved(&pfn, end)) {
		what = "preserved";
	} else if (kho_is_restoring()) {
		pr_warn_ratelimited("memory cannot go offline while memory of the previous kernel is being restored\n");
		return -EBUSY;
	} else {
		return 0;
	}

	pr_warn_ratelimited("memory cannot go offline, page frame 0x%lx is %s\n", pfn,
			    what);
	return -EBUSY;
}

static int kho_memory_notify(struct notifier_block *nb, unsigned long action,
			     void *data)
{
	const struct memory_notify *memory = data;

	if (action != MEM_GOING_OFFLINE)
		return NOTIFY_OK;

	return notifier_from_errno(kho_check_offline(memory->start_pfn,
						     memory->start_pfn +
						     memory->nr_pages));
}

static int __init kho_memory_notifier_init(void)
{
	return hotplug_memory_notifier(kho_memory_notify, DEFAULT_CALLBACK_PRI);
}
core_initcall(kho_memory_notifier_init);

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the calls for folios cost, in cycles: kho_preserve_folio(),
 * kho_unpreserve_folio() and kho_restore_folio() one at a time, and the same
 * for many folios as memfd does it. scripts/bench.py runs the machine so that
 * a cycle is an instruction.
 *
 * In a kernel that finds nothing from this module, it times preserving and
 * unpreserving, and leaves the folios preserved. In the kernel after that it
 * times restoring them, and frees them. It is never unloaded: the machine is
 * there for this alone.
 *
 * Each result is one line, "NAME CYCLES CALLS". For calls one at a time it is
 * the median, for one call: a few of them allocate nodes of the tree or are
 * interrupted. For many folios it is the sum.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/io.h>
#include <linux/jiffies.h>
#include <linux/kexec_handover.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/timex.h>

#include "many.h"

#define LIST	"kho_bench"

static unsigned int nr = 1024;
module_param(nr, uint, 0444);
MODULE_PARM_DESC(nr, "folios for calls one at a time, and again for many");

static unsigned int order;
module_param(order, uint, 0444);
MODULE_PARM_DESC(order, "of each folio");

static bool fragmented;
module_param(fragmented, bool, 0444);
MODULE_PARM_DESC(fragmented, "leave a folio between two of them");

/**
 * struct folio_list - what one kernel tells the next
 * @nr: folios for calls one at a time, followed by as many others.
 * @phys: their addresses; each folio starts with its own.
 */
struct folio_list {
	u64 nr;
	u64 phys[];
};

#define COST(call)				\
({						\
	cycles_t __before = get_cycles();	\
						\
	call;					\
	get_cycles() - __before;		\
})

/* The next tick is then as far away as it can be. */
static void await_tick(void)
{
	unsigned long now = jiffies;

	while (READ_ONCE(jiffies) == now)
		cpu_relax();
}

static int compare(const void *a, const void *b)
{
	cycles_t x = *(const cycles_t *)a, y = *(const cycles_t *)b;

	return x < y ? -1 : x > y;
}

static void report(const char *name, cycles_t cycles, unsigned int calls)
{
	pr_info("%s %llu %u\n", name, (u64)cycles, calls);
}

static void report_median(const char *name, cycles_t *samples)
{
	sort(samples, nr, sizeof(*samples), compare, NULL);
	report(name, samples[nr / 2] - COST(barrier()), 1);
}

/* What lies between the folios stays allocated until kexec. */
static int allocate(struct folio **folios, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		folios[i] = folio_alloc(GFP_KERNEL, order);
		if (!folios[i])
			return -ENOMEM;
		if (fragmented && !folio_alloc(GFP_KERNEL, order))
			return -ENOMEM;
	}
	return 0;
}

static int time_preserving_one(struct folio **folios, cycles_t *samples)
{
	int err = 0;

	for (unsigned int i = 0; i < nr && !err; i++)
		samples[i] = COST(err = kho_preserve_folio(folios[i]));
	if (err)
		return err;
	report_median("preserve_one", samples);

	for (unsigned int i = 0; i < nr; i++)
		samples[i] = COST(kho_unpreserve_folio(folios[i]));
	report_median("unpreserve_one", samples);
	return 0;
}

static int time_preserving_many(struct folio **folios)
{
	int err;

	await_tick();
	report("preserve_many", COST(err = preserve_many(folios, nr)), nr);
	if (err)
		return err;
	await_tick();
	report("unpreserve_many", COST(unpreserve_many(folios, nr)), nr);
	return 0;
}

static int leave_for_next_kernel(struct folio **folios)
{
	size_t size = struct_size_t(struct folio_list, phys, 2 * nr);
	struct folio_list *list = kho_alloc_preserve(size);
	int err;

	if (IS_ERR(list))
		return PTR_ERR(list);
	list->nr = nr;
	for (unsigned int i = 0; i < 2 * nr; i++) {
		u64 *start = folio_address(folios[i]);

		list->phys[i] = virt_to_phys(start);
		*start = list->phys[i];
	}
	err = preserve_many(folios, 2 * nr);
	return err ?: kho_add_subtree(LIST, list, size);
}

static int time_preserving(void)
{
	struct folio **folios __free(kvfree) =
		kvcalloc(2 * nr, sizeof(*folios), GFP_KERNEL);
	cycles_t *samples __free(kvfree) =
		kvcalloc(nr, sizeof(*samples), GFP_KERNEL);
	int err;

	if (!folios || !samples)
		return -ENOMEM;
	err = allocate(folios, 2 * nr);
	if (!err)
		err = time_preserving_many(folios + nr);
	if (!err)
		err = time_preserving_one(folios, samples);
	return err ?: leave_for_next_kernel(folios);
}

static int check_and_free(const struct folio_list *list, struct folio **folios)
{
	for (unsigned int i = 0; i < 2 * nr; i++) {
		if (!folios[i] ||
		    *(u64 *)folio_address(folios[i]) != list->phys[i]) {
			pr_err("folio %u at %#llx did not come through\n", i,
			       list->phys[i]);
			return -EIO;
		}
		folio_put(folios[i]);
	}
	return 0;
}

static int time_restoring(struct folio_list *list)
{
	struct folio **folios __free(kvfree) = NULL;
	cycles_t *samples __free(kvfree) = NULL;
	int err;

	nr = list->nr;
	folios = kvcalloc(2 * nr, sizeof(*folios), GFP_KERNEL);
	samples = kvcalloc(nr, sizeof(*samples), GFP_KERNEL);
	if (!folios || !samples)
		return -ENOMEM;

	await_tick();
	report("restore_many",
	       COST(restore_many(list->phys + nr, folios + nr, nr)), nr);
	for (unsigned int i = 0; i < nr; i++)
		samples[i] = COST(folios[i] = kho_restore_folio(list->phys[i]));
	report_median("restore_one", samples);

	err = check_and_free(list, folios);
	kho_restore_free(list);
	return err;
}

static int __init bench_init(void)
{
	phys_addr_t phys;

	if (!nr)
		return -EINVAL;
	if (kho_retrieve_subtree(LIST, &phys, NULL))
		return time_preserving();
	return time_restoring(phys_to_virt(phys));
}
module_init(bench_init);

MODULE_DESCRIPTION("What calls into Kexec Handover cost");
MODULE_LICENSE("GPL");

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Many folios, the way memfd hands them to KHO: in calls for many where the
 * kernel has these, one by one where it does not.
 */
#ifndef KHO_BENCH_MANY_H
#define KHO_BENCH_MANY_H

#include <linux/kexec_handover.h>

#ifdef KHO_BENCH_BATCH

static int preserve_many(struct folio **folios, unsigned long nr)
{
	return kho_preserve_folios(folios, nr);
}

static void unpreserve_many(struct folio **folios, unsigned long nr)
{
	kho_unpreserve_folios(folios, nr);
}

static void restore_many(const u64 *phys, struct folio **folios,
			 unsigned long nr)
{
	struct kho_restore_batch batch = {};

	for (unsigned long i = 0; i < nr; i++)
		folios[i] = kho_restore_folio_batch(&batch, phys[i]);
	kho_restore_batch_end(&batch);
}

#else /* KHO_BENCH_BATCH */

static int preserve_many(struct folio **folios, unsigned long nr)
{
	int err = 0;

	for (unsigned long i = 0; i < nr && !err; i++)
		err = kho_preserve_folio(folios[i]);
	return err;
}

static void unpreserve_many(struct folio **folios, unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++)
		kho_unpreserve_folio(folios[i]);
}

static void restore_many(const u64 *phys, struct folio **folios,
			 unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++)
		folios[i] = kho_restore_folio(phys[i]);
}

#endif /* KHO_BENCH_BATCH */

#endif /* KHO_BENCH_MANY_H */

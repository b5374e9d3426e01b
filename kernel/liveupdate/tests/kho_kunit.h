/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the KHO suites share: pages whose release a test can observe, and
 * pages that look as if the previous kernel had preserved them.
 *
 * Nothing here knows a wire format; each suite writes its own by hand.
 */
#ifndef _KHO_KUNIT_H
#define _KHO_KUNIT_H

#include <kunit/test.h>
#include <linux/kexec_handover.h>
#include <linux/mm.h>

static inline void kho_kunit_needs_kho(struct kunit *test)
{
	if (!kho_is_enabled())
		kunit_skip(test, "KHO is off");
}

/*
 * A held page carries one reference of the test's beside that of the code
 * under test. When the latter frees the page, the count drops to one but the
 * page goes nowhere: a leak, an early free and a second free all show.
 */
struct kho_kunit_held {
	struct page **pages;
	unsigned int nr;
	unsigned int max;
};

void kho_kunit_held_init(struct kunit *test, struct kho_kunit_held *held,
			 unsigned int max);
void kho_kunit_release(struct kho_kunit_held *held);
bool kho_kunit_hold(struct kho_kunit_held *held, struct page *page);
unsigned int kho_kunit_in_use(struct kunit *test,
			      const struct kho_kunit_held *held);
bool kho_kunit_is_held(const struct kho_kunit_held *held, phys_addr_t phys);

/*
 * A forged page is in the state in which boot leaves a preserved one: marked
 * in page->private and not among the managed pages. Restoring it undoes both.
 */
struct kho_kunit_forgery;

struct kho_kunit_forgery *kho_kunit_forgery_init(struct kunit *test,
						 unsigned int max);
void *kho_kunit_forge(struct kho_kunit_forgery *forgery, unsigned int order);
void *kho_kunit_forge_ranges(struct kho_kunit_forgery *forgery,
			     const unsigned int *orders, unsigned int nr);
unsigned long kho_kunit_forged(const struct kho_kunit_forgery *forgery);

#endif /* _KHO_KUNIT_H */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KHO_COMPAT_COMPARE_H
#define KHO_COMPAT_COMPARE_H

#include "kernel.h"
#include "verdict.h"

/* What is compared of a kernel that hands over */
struct outgoing {
	const struct kernel *from;
	bool counts[KHO_IMAGE_NOTE_MAX_ENTRIES];	/* which components */
};

/* All that @from could preserve */
struct outgoing outgoing_all(const struct kernel *from);

/*
 * Whether @reader can read what is written with @component: "ok", or "absent",
 * "too-old" or "too-new", as the kernel would call it after the kexec.
 */
const char *component_status(const struct kernel *from, unsigned int i,
			     const struct kernel *reader);

/* @why says what does not fit, or is not known; it has no text if all fits */
enum verdict compare(const struct outgoing *outgoing, const struct kernel *to,
		     struct reason *why);

/* What counts, would be lost, and is best effort: NULL or its name */
const char *best_effort_lost(const struct outgoing *outgoing, const struct kernel *to);

/* Must the command line of the kernel that takes over have ...? */
bool needs_kho_on(const struct kernel *to);
bool needs_liveupdate_on(const struct outgoing *outgoing, const struct kernel *to);

/* Regions of reserve_mem= alone are no reason to refuse a kernel */
bool is_best_effort(const struct kho_image_entry *component);

#endif

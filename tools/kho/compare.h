/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KHO_COMPAT_COMPARE_H
#define KHO_COMPAT_COMPARE_H

#include "kernel.h"

/* Also what the program exits with */
enum verdict {
	COMPATIBLE,
	INCOMPATIBLE,
	UNKNOWN,
};

/* Can one kernel take over from another? */
struct comparison {
	const char *from_name;
	const char *to_name;
	struct kernel from;
	struct kernel to;
	bool counts[KHO_IMAGE_NOTE_MAX_ENTRIES];	/* components of @from */
};

/* The component of that name, NULL if the kernel lacks it */
const struct kho_image_entry *component_of(const struct kernel *kernel,
					   const char *name);

/*
 * Whether @reader can read what is written with @component: "ok", or "absent",
 * "too-old" or "too-new", as the kernel would call it after the kexec.
 */
const char *component_status(const struct kho_image_entry *component,
			     const struct kernel *reader);

/* Of @from, what counts is compared. @why says what does not fit. */
enum verdict compare(const struct comparison *c, struct reason *why);

/* Must the command line of the kernel that takes over have liveupdate=on? */
bool needs_liveupdate_on(const struct comparison *c);

#endif

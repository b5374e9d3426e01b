/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is known of a kernel, whether it runs or lies in a file: which versions
 * of which components it reads and writes.
 */
#ifndef KHO_COMPAT_KERNEL_H
#define KHO_COMPAT_KERNEL_H

#include <stdbool.h>

#include "../../include/linux/kho/abi/image.h"

struct kernel {
	const char *machine;	/* as uname -m has it */
	unsigned int page_shift;
	bool kho_on;		/* without kho=on on its command line */
	bool liveupdate;	/* is built in */
	unsigned int nr;
	struct kho_image_entry components[KHO_IMAGE_NOTE_MAX_ENTRIES];
};

/* Why something is not known or does not fit, in words for the operator */
struct reason {
	char text[256];
};

/* Sets the reason. Returns false, for callers that fail with it. */
bool explain(struct reason *why, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KHO_COMPAT_RUNNING_H
#define KHO_COMPAT_RUNNING_H

#include <stdint.h>

#include "compare.h"

#define KHO_SYSFS	"/sys/kernel/kho"

/* What sysfs says about one component, beyond its versions */
struct running_component {
	uint32_t incoming;	/* version in the handover, 0: unknown */
	char status[16];	/* whether that could be read */
	unsigned long users;	/* things preserved with it now */
	unsigned long unfinished;	/* of the previous kernel, lost by a kexec */
	uint32_t next_min_version;	/* what the loaded image reads, 0: nothing */
	uint32_t next_version;
};

struct running {
	struct kernel kernel;
	struct running_component components[KHO_IMAGE_NOTE_MAX_ENTRIES];
	char check[16];		/* mode of the check before kexec */
	char status[16];	/* can the loaded image take over what is in use? */
	char potential[16];	/* and all that could be preserved? */
};

/*
 * Reads the state of the running kernel from the directory @sysfs.
 *
 * Returns false if there is none, or if it is not what the kernel documents.
 */
bool running_read(const char *sysfs, struct running *running,
		  struct reason *why);

/* What is preserved at this moment; nothing may be */
struct outgoing running_outgoing(const struct running *running);

/* Tells the running kernel that the next image is stock Linux of that series */
bool running_assume(const char *sysfs, const char *series, struct reason *why);

#endif

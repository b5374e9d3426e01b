/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KHO_COMPAT_FIRMWARE_H
#define KHO_COMPAT_FIRMWARE_H

#include <stdbool.h>
#include <stdint.h>

/* What a next kernel has room for, if it was built for one node */
#define MAP_ENTRIES_SURE	131

/* What is known of the memory of this host; on x86 alone */
struct firmware {
	bool known;
	unsigned int entries;	/* of the memory map that this kernel was given */
	uint64_t added;		/* KiB that are not in it */
};

/* @sysfs is the directory of KHO; what else is asked lies where it does then. */
void firmware_read(const char *sysfs, struct firmware *firmware);

#endif

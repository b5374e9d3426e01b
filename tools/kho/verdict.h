/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KHO_COMPAT_VERDICT_H
#define KHO_COMPAT_VERDICT_H

/* Also what the program exits with */
enum verdict {
	COMPATIBLE,
	INCOMPATIBLE,
	UNKNOWN,
	UNREADABLE_OR_USAGE,
};

#endif

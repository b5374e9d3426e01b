/* SPDX-License-Identifier: GPL-2.0-only */
/* For linux/kho/abi/image.h outside the kernel */
#ifndef _KHO_COMPAT_LINUX_BUILD_BUG_H
#define _KHO_COMPAT_LINUX_BUILD_BUG_H

#define static_assert(condition)	\
	extern char kho_static_assert[(condition) ? 1 : -1]

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* For linux/kho/abi/image.h outside the kernel */
#ifndef _KHO_COMPAT_LINUX_BITS_H
#define _KHO_COMPAT_LINUX_BITS_H

#define BIT(nr)	(1UL << (nr))

#endif

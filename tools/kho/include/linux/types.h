/* SPDX-License-Identifier: GPL-2.0-only */
/* For linux/kho/abi/image.h outside the kernel: the exported types, and u32 */
#include_next <linux/types.h>

#ifndef _KHO_COMPAT_LINUX_TYPES_H
#define _KHO_COMPAT_LINUX_TYPES_H

typedef __u32 u32;

#endif

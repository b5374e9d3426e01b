/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KHO_COMPAT_CMDLINE_H
#define KHO_COMPAT_CMDLINE_H

#include "kernel.h"

/* Notes what the command line that the image comes with, if any, says of KHO */
void cmdline_check(struct kernel *kernel);

#endif

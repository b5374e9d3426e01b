/* SPDX-License-Identifier: GPL-2.0-only */
/* memfds across kexec: what the files of the two versions share. */
#ifndef _MM_MEMFD_LUO_H
#define _MM_MEMFD_LUO_H

#include <linux/kho/compat.h>
#include <linux/liveupdate.h>

extern struct kho_component memfd_kho_component;
extern const struct liveupdate_file_ops memfd_luo_v3_file_ops;

bool memfd_luo_is_memfd(struct file *file);
int memfd_luo_account(struct inode *inode, long nr_pages);
int memfd_luo_get(u32 version);
unsigned long memfd_luo_get_id(struct file *file);

#endif /* _MM_MEMFD_LUO_H */

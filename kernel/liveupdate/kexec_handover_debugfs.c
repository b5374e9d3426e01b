// SPDX-License-Identifier: GPL-2.0-only
/*
 * KHO in debugfs - the outgoing and the incoming FDT, subtrees, scratch areas.
 *
 * Owns the files of kho/out/ and kho/in/. They are read-only and nothing depends on
 * them, so failures are not reported.
 *
 * Takes the place of the file of this name in Linux 7.3:
 * Copyright (C) 2023 Alexander Graf <graf@amazon.com>
 * Copyright (C) 2025 Microsoft Corporation, Mike Rapoport <rppt@kernel.org>
 * Copyright (C) 2025 Google LLC, Changyuan Lyu <changyuanl@google.com>
 * Copyright (C) 2025 Google LLC, Pasha Tatashin <pasha.tatashin@soleen.com>
 */

#define pr_fmt(fmt) "KHO: debugfs: " fmt

#include <linux/cleanup.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/kexec_handover.h>
#include <linux/libfdt.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <asm/barrier.h>

#include "kexec_handover_internal.h"

/*
 * A subtree that has a file. Of one from the previous kernel only the address is
 * known, which may be that of anything.
 */
struct kho_blob {
	struct list_head list;
	struct dentry *file;
	const void *data;
	phys_addr_t phys;
	u64 size;
};

static struct dentry *kho_dir;
static struct dentry *kho_out_dir;
static struct dentry *kho_out_subtrees;

/* Blobs in kho_out_subtrees; changed under the lock of the outgoing FDT only */
static LIST_HEAD(kho_out_blobs);

static ssize_t kho_blob_read(struct file *file, char __user *buf, size_t count,
			     loff_t *pos)
{
	struct kho_blob *blob = file->private_data;

	return simple_read_from_buffer(buf, count, pos, blob->data, blob->size);
}

static const struct file_operations kho_blob_fops = {
	.open = simple_open,
	.read = kho_blob_read,
	.llseek = default_llseek,
};

/*
 * Its owner may restore and free a blob of the previous kernel at any time. What
 * has been read is what was handed over if all of it is still there afterwards.
 */
static ssize_t kho_in_blob_read(struct file *file, char __user *buf,
				size_t count, loff_t *pos)
{
	void *copy __free(kfree) = kmalloc(PAGE_SIZE, GFP_KERNEL);
	struct kho_blob *blob = file->private_data;
	ssize_t ret = -ENODATA;
	loff_t from = 0;
	size_t len;

	if (!copy)
		return -ENOMEM;
	if (*pos < 0 || *pos >= blob->size)
		return 0;

	len = min3((u64)count, (u64)PAGE_SIZE, blob->size - *pos);
	if (!kho_range_preserved(blob->phys, blob->size) ||
	    copy_from_kernel_nofault(copy, phys_to_virt(blob->phys) + *pos, len))
		return -ENODATA;

	/* A mark that is seen from here on was there after the copy was made */
	smp_rmb();
	if (kho_range_preserved(blob->phys, blob->size))
		ret = simple_read_from_buffer(buf, len, &from, copy, len);

	if (ret > 0)
		*pos += ret;
	return ret;
}

static const struct file_operations kho_in_blob_fops = {
	.open = simple_open,
	.read = kho_in_blob_read,
	.llseek = default_llseek,
};

static void kho_fdt_copy(const void *fdt, void *copy)
{
	memcpy(copy, fdt, min(fdt_totalsize(fdt), PAGE_SIZE));
}

/* The outgoing FDT grows and shrinks within its page, and is no FDT meanwhile */
static ssize_t kho_out_fdt_read(struct file *file, char __user *buf,
				size_t count, loff_t *pos)
{
	void *copy __free(kfree) = kzalloc(PAGE_SIZE, GFP_KERNEL);

	if (!copy)
		return -ENOMEM;

	kho_read_out_fdt(kho_fdt_copy, copy);
	return simple_read_from_buffer(buf, count, pos, copy,
				       min(fdt_totalsize(copy), PAGE_SIZE));
}

static const struct file_operations kho_out_fdt_fops = {
	.open = simple_open,
	.read = kho_out_fdt_read,
	.llseek = default_llseek,
};

static int scratch_phys_show(struct seq_file *m, void *unused)
{
	for (unsigned int i = 0; i < kho_scratch_cnt; i++)
		seq_printf(m, "0x%llx\n", (u64)kho_scratch[i].addr);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(scratch_phys);

static int scratch_len_show(struct seq_file *m, void *unused)
{
	for (unsigned int i = 0; i < kho_scratch_cnt; i++)
		seq_printf(m, "0x%llx\n", (u64)kho_scratch[i].size);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(scratch_len);

static struct kho_blob *kho_blob_create(const char *name, struct dentry *dir,
					const struct kho_blob *what,
					const struct file_operations *fops)
{
	struct kho_blob *blob = kzalloc_obj(*blob);

	if (!blob)
		return NULL;

	*blob = *what;
	INIT_LIST_HEAD(&blob->list);
	blob->file = debugfs_create_file(name, 0400, dir, blob, fops);
	return blob;
}

/*
 * Show a subtree that goes to the next kernel; its data is valid until
 * kho_debugfs_remove_out(). Both under the lock of the outgoing FDT.
 */
void kho_debugfs_add_out(const char *name, const void *blob, size_t size)
{
	const struct kho_blob what = { .data = blob, .size = size };
	struct kho_blob *new = kho_blob_create(name, kho_out_subtrees, &what,
					       &kho_blob_fops);

	if (new)
		list_add(&new->list, &kho_out_blobs);
}

void kho_debugfs_remove_out(const void *blob)
{
	struct kho_blob *it, *next;

	list_for_each_entry_safe(it, next, &kho_out_blobs, list) {
		if (it->data != blob)
			continue;
		/* Returns when nobody reads from the file any more */
		debugfs_remove(it->file);
		list_del(&it->list);
		kfree(it);
	}
}

/* Show what came from the previous kernel */
void __init kho_debugfs_add_in(const void *fdt)
{
	struct dentry *dir = debugfs_create_dir("in", kho_dir);
	struct dentry *subtrees = debugfs_create_dir("sub_fdts", dir);
	const struct kho_blob whole = {
		.data = fdt,
		.size = min(fdt_totalsize(fdt), PAGE_SIZE),
	};
	int node;

	kho_blob_create("fdt", dir, &whole, &kho_blob_fops);

	fdt_for_each_subnode(node, fdt, 0) {
		const char *name = fdt_get_name(fdt, node, NULL);
		struct kho_blob what = {};
		u64 phys;

		if (!name ||
		    kho_fdt_u64(fdt, node, KHO_SUB_TREE_PROP_NAME, &phys) ||
		    kho_fdt_u64(fdt, node, KHO_SUB_TREE_SIZE_PROP_NAME, &what.size))
			continue;
		what.phys = phys;
		kho_blob_create(name, subtrees, &what, &kho_in_blob_fops);
	}
}

void __init kho_debugfs_init(void)
{
	kho_dir = debugfs_create_dir("kho", NULL);
	kho_out_dir = debugfs_create_dir("out", kho_dir);
	kho_out_subtrees = debugfs_create_dir("sub_fdts", kho_out_dir);
	debugfs_create_file("fdt", 0400, kho_out_dir, NULL, &kho_out_fdt_fops);
	debugfs_create_file("scratch_phys", 0400, kho_out_dir, NULL,
			    &scratch_phys_fops);
	debugfs_create_file("scratch_len", 0400, kho_out_dir, NULL,
			    &scratch_len_fops);
}

/* Undo kho_debugfs_init(); no subtree is there yet */
void __init kho_debugfs_exit(void)
{
	debugfs_remove_recursive(kho_dir);
}

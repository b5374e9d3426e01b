// SPDX-License-Identifier: GPL-2.0-only
/*
 * KHO compatibility - can this kernel read what the previous one wrote?
 *
 * Owns the table of components, the node of the KHO FDT that states their
 * versions, and the pass over the previous kernel's statement, which runs
 * before any memory is allocated and before anything else of the handover is
 * read. The components themselves, and what their versions mean, belong to
 * the files that define them.
 *
 * The layout is in linux/kho/abi/compat.h.
 */

#define pr_fmt(fmt) "KHO: " fmt

#include <linux/build_bug.h>
#include <linux/export.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/compat.h>
#include <linux/kho/abi/kexec_handover.h>
#include <linux/kho/compat.h>
#include <linux/libfdt.h>
#include <linux/seq_buf.h>
#include <linux/unaligned.h>

#include "kexec_handover_internal.h"
#include "kho_components.h"

#define KHO_COMPONENT(text, component, prefix)	&component,
static struct kho_component *const kho_components[] = {
	KHO_COMPONENTS(KHO_COMPONENT)
};

const struct kho_component_table kho_table = {
	.components = kho_components,
	.nr = ARRAY_SIZE(kho_components),
};

static const char *const kho_status_names[] = {
	[KHO_COMPAT_NONE] = "none",
	[KHO_COMPAT_OK] = "ok",
	[KHO_COMPAT_ABSENT] = "absent",
	[KHO_COMPAT_TOO_OLD] = "too-old",
	[KHO_COMPAT_TOO_NEW] = "too-new",
	[KHO_COMPAT_MALFORMED] = "malformed",
};

/**
 * kho_compat_status_name - a status in one word
 * @status: the status.
 *
 * Return: the word, for logs and sysfs.
 */
const char *kho_compat_status_name(enum kho_compat_status status)
{
	return kho_status_names[status];
}

static int kho_status_error(enum kho_compat_status status)
{
	switch (status) {
	case KHO_COMPAT_OK:
		return 0;
	case KHO_COMPAT_NONE:
	case KHO_COMPAT_ABSENT:
		return -ENOENT;
	case KHO_COMPAT_TOO_OLD:
	case KHO_COMPAT_TOO_NEW:
		return -EPROTONOSUPPORT;
	case KHO_COMPAT_MALFORMED:
		break;
	}

	return -EBADMSG;
}

/**
 * kho_component_readable - can what the previous kernel wrote be read?
 * @component: the component that wrote it.
 *
 * Context: any, after kho_memory_known().
 * Return: 0 if it can be read; -ENOENT if there is no handover, or if the
 * previous kernel did not have the component; -EPROTONOSUPPORT if it wrote a
 * version that this kernel does not read; -EBADMSG if it did not say properly
 * which version it wrote.
 */
int kho_component_readable(const struct kho_component *component)
{
	if (!kho_is_enabled() || !is_kho_boot())
		return -ENOENT;

	return kho_status_error(component->status);
}
EXPORT_SYMBOL_GPL(kho_component_readable);

/**
 * kho_object_readable - can this object of the previous kernel be read?
 * @component: the component that it belongs to.
 *
 * For whoever has found an object: of a component that the previous kernel
 * does not claim to have had there should be none, so nothing is known of its
 * format.
 *
 * Context: any, after kho_memory_known().
 * Return: as kho_component_readable(), with -EPROTONOSUPPORT for a component
 * that is absent from the handover.
 */
int kho_object_readable(const struct kho_component *component)
{
	int err = kho_component_readable(component);

	if (err == -ENOENT && component->status == KHO_COMPAT_ABSENT)
		return -EPROTONOSUPPORT;
	return err;
}
EXPORT_SYMBOL_GPL(kho_object_readable);

/**
 * kho_users_inc - something is preserved with a component from now on
 * @component: the component.
 *
 * A kernel that cannot read the component is not started until
 * kho_users_dec() has been called as often.
 *
 * Context: any.
 */
void kho_users_inc(struct kho_component *component)
{
	if (atomic_long_inc_return(&component->users) == 1)
		kho_sysfs_notify();
}

/**
 * kho_users_dec - something is not preserved with a component any more
 * @component: the component.
 *
 * One call too many would hide something else that is preserved, so it warns and
 * changes nothing.
 *
 * Context: any.
 */
void kho_users_dec(struct kho_component *component)
{
	long left = atomic_long_dec_if_positive(&component->users);

	if (WARN_ONCE(left < 0, "KHO: %s: not in use, cannot be used less\n",
		      component->name))
		return;
	if (!left)
		kho_sysfs_notify();
}

/**
 * kho_unfinished_inc - the previous kernel has left something that a kexec loses
 * @component: the component that it came with.
 *
 * What lets it be finished calls kho_unfinished_dec() then.
 *
 * Context: any.
 */
void kho_unfinished_inc(struct kho_component *component)
{
	if (atomic_long_inc_return(&component->unfinished) == 1)
		kho_sysfs_notify();
}

/**
 * kho_unfinished_dec - something of the previous kernel is finished, or lost
 * @component: the component that it came with.
 *
 * Context: any.
 */
void kho_unfinished_dec(struct kho_component *component)
{
	if (!atomic_long_dec_return(&component->unfinished))
		kho_sysfs_notify();
}

/* Writing: what goes to the next kernel */

static bool kho_all_at_baseline(const struct kho_component_table *table)
{
	for (unsigned int i = 0; i < table->nr; i++) {
		if (table->components[i]->version != table->components[i]->baseline)
			return false;
	}

	return true;
}

static int kho_compat_write_node(void *fdt, const struct kho_component_table *table)
{
	int err;

	err = fdt_begin_node(fdt, KHO_FDT_COMPONENTS_NODE_NAME) ?:
	      fdt_property_u32(fdt, KHO_FDT_PAGE_SHIFT_PROP_NAME, PAGE_SHIFT);

	for (unsigned int i = 0; !err && i < table->nr; i++)
		err = fdt_property_u32(fdt, table->components[i]->name,
				       table->components[i]->version);

	return err ?: fdt_end_node(fdt);
}

/**
 * kho_compat_write - state the versions that a table of components writes
 * @fdt: an FDT that is being made, in its root node.
 * @table: the components; %NULL for those of this kernel.
 *
 * Adds the compatible string of the root and the node with the versions.
 *
 * Return: 0 or an error of libfdt.
 */
int kho_compat_write(void *fdt, const struct kho_component_table *table)
{
	static const char both[] = KHO_FDT_COMPATIBLE "\0" KHO_FDT_COMPATIBLE_BASELINE;
	int len;

	table = table ?: &kho_table;
	len = kho_all_at_baseline(table) ? sizeof(both) : sizeof(KHO_FDT_COMPATIBLE);

	return fdt_property(fdt, "compatible", both, len) ?:
	       kho_compat_write_node(fdt, table);
}

/* Reading: what the previous kernel states */

static enum kho_compat_status kho_judge(const struct kho_component *c, u32 version)
{
	if (!version)
		return KHO_COMPAT_MALFORMED;
	if (version < c->min_version)
		return KHO_COMPAT_TOO_OLD;
	if (version > c->version)
		return KHO_COMPAT_TOO_NEW;
	return KHO_COMPAT_OK;
}

/* The u32 of a property; 0, which no version is, unless it has that size */
static u32 kho_fdt_cell(const void *fdt, int node, const char *name, bool *there)
{
	const void *prop;
	int len;

	prop = fdt_getprop(fdt, node, name, &len);
	*there = len != -FDT_ERR_NOTFOUND;

	return prop && len == sizeof(u32) ? get_unaligned_be32(prop) : 0;
}

static void kho_read_component(const void *fdt, int node, struct kho_component *c)
{
	bool there;

	c->incoming = kho_fdt_cell(fdt, node, c->name, &there);
	c->status = there ? kho_judge(c, c->incoming) : KHO_COMPAT_ABSENT;
}

/* A kernel from before versions were stated: each has the one that it had then */
static void kho_assume_baseline(struct kho_component *c)
{
	c->incoming = c->baseline;
	c->status = c->baseline ? kho_judge(c, c->baseline) : KHO_COMPAT_ABSENT;
}

static void kho_warn_component(const struct kho_component *c)
{
	switch (c->status) {
	case KHO_COMPAT_ABSENT:
		pr_warn("%s: not in the handover, this kernel reads version %u to %u\n",
			c->name, c->min_version, c->version);
		break;
	case KHO_COMPAT_MALFORMED:
		pr_warn("%s: no valid version in the handover, this kernel reads %u to %u\n",
			c->name, c->min_version, c->version);
		break;
	default:
		pr_warn("%s: version %u in the handover is %s, this kernel reads %u to %u\n",
			c->name, c->incoming, kho_compat_status_name(c->status),
			c->min_version, c->version);
		break;
	}
}

/* One line for all; one more for each that cannot be read */
static void kho_report(const struct kho_component_table *table, const char *origin)
{
	char buf[160];
	struct seq_buf s;

	seq_buf_init(&s, buf, sizeof(buf));
	for (unsigned int i = 0; i < table->nr; i++) {
		const struct kho_component *c = table->components[i];

		if (c->status != KHO_COMPAT_OK)
			kho_warn_component(c);
		seq_buf_printf(&s, " %s %u%s", c->name, c->incoming,
			       c->status == KHO_COMPAT_OK ? "" : "!");
	}
	pr_info("handover of %s:%s\n", origin, seq_buf_str(&s));
}

static int kho_read_header(const void *fdt, u64 len)
{
	if (len < sizeof(struct fdt_header) || fdt_check_header(fdt)) {
		pr_err("no valid FDT header in the %llu bytes of the handover\n", len);
		return -EBADMSG;
	}
	if (fdt_totalsize(fdt) > len) {
		pr_err("the FDT of the handover claims %u bytes, there are %llu\n",
		       fdt_totalsize(fdt), len);
		return -EBADMSG;
	}

	return 0;
}

/*
 * Nothing that is counted in pages, the tree of preserved memory above all,
 * means the same to a kernel with pages of another size.
 */
static int kho_read_page_shift(const void *fdt, int node)
{
	bool there;
	u32 shift = kho_fdt_cell(fdt, node, KHO_FDT_PAGE_SHIFT_PROP_NAME, &there);

	if (shift == PAGE_SHIFT)
		return 0;

	pr_err("%s is %u in the handover, expected %u\n",
	       KHO_FDT_PAGE_SHIFT_PROP_NAME, shift, PAGE_SHIFT);
	return shift ? -EPROTONOSUPPORT : -EBADMSG;
}

static int kho_read_components(const void *fdt,
			       const struct kho_component_table *table)
{
	int node = fdt_subnode_offset(fdt, 0, KHO_FDT_COMPONENTS_NODE_NAME);
	int err;

	if (node < 0) {
		pr_err("no node '%s' in a handover of '%s'\n",
		       KHO_FDT_COMPONENTS_NODE_NAME, KHO_FDT_COMPATIBLE);
		return -EBADMSG;
	}

	err = kho_read_page_shift(fdt, node);
	if (err)
		return err;

	for (unsigned int i = 0; i < table->nr; i++)
		kho_read_component(fdt, node, table->components[i]);
	return 0;
}

/* Judge everything but the header; who wrote it goes to @origin */
static int kho_read_statement(const void *fdt,
			      const struct kho_component_table *table,
			      const char **origin)
{
	int found;

	/* Not fdt_node_check_compatible(): it reads past a string without end */
	found = fdt_stringlist_search(fdt, 0, "compatible", KHO_FDT_COMPATIBLE);
	if (found >= 0) {
		*origin = KHO_FDT_COMPATIBLE;
		return kho_read_components(fdt, table);
	}

	found = fdt_stringlist_search(fdt, 0, "compatible",
				      KHO_FDT_COMPATIBLE_BASELINE);
	if (found >= 0) {
		*origin = KHO_FDT_COMPATIBLE_BASELINE;
		for (unsigned int i = 0; i < table->nr; i++)
			kho_assume_baseline(table->components[i]);
		return 0;
	}

	if (found != -FDT_ERR_NOTFOUND) {
		pr_err("the compatible strings of the handover are broken: %s\n",
		       fdt_strerror(found));
		return -EBADMSG;
	}

	pr_err("the handover is compatible with neither '%s' nor '%s'\n",
	       KHO_FDT_COMPATIBLE, KHO_FDT_COMPATIBLE_BASELINE);
	return -EPROTONOSUPPORT;
}

/**
 * kho_compat_read - find out which components of a handover can be read
 * @fdt: FDT of the previous kernel; nothing in it is trusted.
 * @len: bytes that there are for it.
 * @table: the components; %NULL for those of this kernel.
 *
 * Records the incoming version and the status of every component, and logs
 * one line for all and one for each that cannot be read.
 *
 * Context: allocates nothing, takes no lock. Early, with early mappings only;
 * once for each table.
 * Return: 0 if there is a handover; -EBADMSG or -EPROTONOSUPPORT if there can
 * be none because the FDT, or the tree of preserved memory, cannot be read.
 */
int kho_compat_read(const void *fdt, u64 len,
		    const struct kho_component_table *table)
{
	const char *origin;
	int err;

	table = table ?: &kho_table;

	err = kho_read_header(fdt, len) ?: kho_read_statement(fdt, table, &origin);
	if (err) {
		for (unsigned int i = 0; i < table->nr; i++)
			table->components[i]->status = KHO_COMPAT_MALFORMED;
		return err;
	}

	kho_report(table, origin);

	/* Without the tree of preserved memory, which comes first, nothing can be */
	return kho_status_error(table->components[0]->status) ? -EPROTONOSUPPORT : 0;
}

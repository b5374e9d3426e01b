// SPDX-License-Identifier: GPL-2.0-only
/*
 * KHO component versions - which are read, and which is written.
 *
 * Owns the table of components and their registration; the node of the FDT that
 * records their versions; the early pass, which compares the versions of the
 * previous kernel before memory is allocated or anything else is read, and rejects
 * the handover if the tree of preserved memory has an unsupported version; the choice
 * of the version that is written (kho_write=, pins, agreement with the loaded image);
 * and the counts of users and of unfinished incoming objects.
 *
 * A component and the meaning of its versions belong to the file that defines it.
 * The versions of the next image are compared by kho_image.c.
 *
 * The layout is in linux/kho/abi/compat.h.
 */

#define pr_fmt(fmt) "KHO: " fmt

#include <linux/build_bug.h>
#include <linux/cleanup.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/compat.h>
#include <linux/kho/abi/kexec_handover.h>
#include <linux/kho/compat.h>
#include <linux/libfdt.h>
#include <linux/mutex.h>
#include <linux/seq_buf.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "kexec_handover_internal.h"
#include "kho_components.h"

#define KHO_COMPONENT(text, component, prefix)		&component,
#define KHO_COMPONENT_ONE(text, component, prefix)	+ 1

/* Those that are built in, then those that have registered themselves */
static struct kho_component *kho_components[KHO_MAX_COMPONENTS] = {
	KHO_COMPONENTS(KHO_COMPONENT)
};

struct kho_component_table kho_table = {
	.components = kho_components,
	.nr = 0 KHO_COMPONENTS(KHO_COMPONENT_ONE),
};

static const struct {
	const char *name;
	int err;	/* for who wants to read the component */
} kho_statuses[] = {
	[KHO_COMPAT_NONE] = { "none", -ENOENT },
	[KHO_COMPAT_OK] = { "ok" },
	[KHO_COMPAT_ABSENT] = { "absent", -ENOENT },
	[KHO_COMPAT_TOO_OLD] = { "too-old", -EPROTONOSUPPORT },
	[KHO_COMPAT_TOO_NEW] = { "too-new", -EPROTONOSUPPORT },
	[KHO_COMPAT_MALFORMED] = { "malformed", -EBADMSG },
};

/**
 * kho_compat_status_name - a status in one word
 * @status: the status.
 *
 * Return: the word, for logs and sysfs.
 */
const char *kho_compat_status_name(enum kho_compat_status status)
{
	return kho_statuses[status].name;
}

/**
 * kho_component_readable - check whether the previous version can be read
 * @component: the component that wrote it.
 *
 * Context: any, after kho_memory_known().
 * Return: 0 if it can be read; -ENOENT if there is no handover, or if the
 * previous kernel did not have the component; -EPROTONOSUPPORT if it wrote a
 * version that this kernel does not read; -EBADMSG if the version that it recorded
 * is invalid.
 */
int kho_component_readable(const struct kho_component *component)
{
	if (!kho_is_enabled() || !is_kho_boot())
		return -ENOENT;

	return kho_statuses[component->status].err;
}
EXPORT_SYMBOL_GPL(kho_component_readable);

/**
 * kho_object_readable - check whether an existing object can be read
 * @component: the component that it belongs to.
 *
 * For callers that already have an object. If the component is not recorded in the
 * handover there should be no object, and its version is unknown.
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
 * One call too many would hide something else that is not finished, so it warns and
 * changes nothing.
 *
 * Context: any.
 */
void kho_unfinished_dec(struct kho_component *component)
{
	long left = atomic_long_dec_if_positive(&component->unfinished);

	if (WARN_ONCE(left < 0, "KHO: %s: nothing is unfinished, nothing can be finished\n",
		      component->name))
		return;
	if (!left)
		kho_sysfs_notify();
}

/* Writing for the next kernel */

/*
 * Protects the versions that are written, their users and the table. Outermost lock
 * of KHO.
 */
DEFINE_MUTEX(kho_components_lock);

/*
 * The image that is being started was checked against what is written, so neither
 * that nor which components there are changes any more; with the lock.
 */
bool kho_versions_fixed;

/* What the previous kernel has left and no image could take over; with the lock */
long kho_unfinished(void)
{
	long nr = 0;

	for (unsigned int i = 0; i < kho_table.nr; i++)
		nr += atomic_long_read(&kho_table.components[i]->unfinished);
	return nr;
}

static bool kho_all_at_baseline(const struct kho_component_table *table)
{
	for (unsigned int i = 0; i < table->nr; i++) {
		const struct kho_component *c = table->components[i];

		if (c->write != c->baseline && atomic_long_read(&c->users))
			return false;
	}

	return true;
}

static const char kho_compatible[] = KHO_FDT_COMPATIBLE "\0" KHO_FDT_COMPATIBLE_BASELINE;

/* How much of it holds for what is written */
static int kho_compatible_len(const struct kho_component_table *table)
{
	return kho_all_at_baseline(table) ? sizeof(kho_compatible) :
					    sizeof(KHO_FDT_COMPATIBLE);
}

/**
 * kho_compat_write - write the versions of a table of components
 * @fdt: an FDT that is being made, in its root node.
 * @table: the components; %NULL for those of this kernel.
 *
 * Adds the compatible string of the root and the node with the versions.
 *
 * Return: 0 or an error of libfdt.
 */
int kho_compat_write(void *fdt, const struct kho_component_table *table)
{
	int err;

	table = table ?: &kho_table;

	err = fdt_property(fdt, "compatible", kho_compatible,
			   kho_compatible_len(table)) ?:
	      fdt_begin_node(fdt, KHO_FDT_COMPONENTS_NODE_NAME) ?:
	      fdt_property_u32(fdt, KHO_FDT_PAGE_SHIFT_PROP_NAME, PAGE_SHIFT);

	for (unsigned int i = 0; !err && i < table->nr; i++)
		err = fdt_property_u32(fdt, table->components[i]->name,
				       table->components[i]->write);

	return err ?: fdt_end_node(fdt);
}

static int kho_list_compatible(void *fdt, const struct kho_component_table *table)
{
	int len = kho_compatible_len(table), listed = 0;

	fdt_getprop(fdt, 0, "compatible", &listed);
	return len == listed ? 0 : fdt_setprop(fdt, 0, "compatible", kho_compatible, len);
}

/**
 * kho_compat_update - state what a component writes now
 * @fdt: the FDT, with room for changes, see KHO_FDT_SPARE.
 * @table: the components.
 * @component: one of them.
 *
 * Return: 0 or an error of libfdt.
 */
int kho_compat_update(void *fdt, const struct kho_component_table *table,
		      const struct kho_component *component)
{
	int node = fdt_subnode_offset(fdt, 0, KHO_FDT_COMPONENTS_NODE_NAME);

	if (node < 0)
		return node;

	return fdt_setprop_inplace_u32(fdt, node, component->name, component->write) ?:
	       kho_list_compatible(fdt, table);
}

static int kho_update_out_fdt(void *fdt, void *component)
{
	return component ? kho_compat_update(fdt, &kho_table, component) :
			   kho_list_compatible(fdt, &kho_table);
}

/* With the lock: what is written from now on, unless something is already */
static void kho_settle_write(struct kho_component *c)
{
	u32 preferred = c->preferred ?: c->write;
	u32 version = c->pinned ?: c->agreed ?: preferred;

	if (c->write == version || atomic_long_read(&c->users))
		return;

	c->preferred = preferred;
	WRITE_ONCE(c->write, version);
	/*
	 * Before kho_init() there is no FDT, and with KHO off there will be none. There
	 * always is room for this change.
	 */
	kho_edit_out_fdt(kho_update_out_fdt, c);
}

/* With the lock: the first user or the last may change what must be stated */
static void kho_users_change(struct kho_component *c)
{
	if (c->write != c->baseline)
		kho_edit_out_fdt(kho_update_out_fdt, NULL);
}

/**
 * kho_component_get - something is preserved with a component from now on
 * @component: the component.
 *
 * The version that is written, and the one recorded in the FDT, stay the same until
 * the last kho_component_put(). A kernel that cannot read it is not started meanwhile.
 *
 * Context: may sleep.
 * Return: the version that is to be written.
 */
u32 kho_component_get(struct kho_component *component)
{
	bool first;

	scoped_guard(mutex, &kho_components_lock) {
		first = atomic_long_inc_return(&component->users) == 1;
		if (first)
			kho_users_change(component);
	}
	if (first)
		kho_sysfs_notify();

	return component->write;
}
EXPORT_SYMBOL_GPL(kho_component_get);

/**
 * kho_component_put - something is not preserved with a component any more
 * @component: the component.
 *
 * One call too many would hide something else that is preserved, so it warns and
 * changes nothing.
 *
 * Context: may sleep.
 */
void kho_component_put(struct kho_component *component)
{
	long left;

	scoped_guard(mutex, &kho_components_lock) {
		left = atomic_long_dec_if_positive(&component->users);
		if (!left) {
			kho_users_change(component);
			kho_settle_write(component);
		}
	}
	if (WARN_ONCE(left < 0, "KHO: %s: put without a user\n",
		      component->name))
		return;
	if (!left)
		kho_sysfs_notify();
}
EXPORT_SYMBOL_GPL(kho_component_put);

/**
 * kho_common_version - what can be written for a reader
 * @c: a component.
 * @min_version: the oldest version that the reader reads.
 * @version: the newest.
 *
 * Return: the newest version that this kernel writes and that one reads, 0 if there
 * is none.
 */
u32 kho_common_version(const struct kho_component *c, u32 min_version, u32 version)
{
	version = min(version, c->version);

	return version >= max(min_version, c->min_write) ? version : 0;
}

/**
 * kho_component_agree - have a version written for the next kernel
 * @c: the component.
 * @version: from kho_common_version(), 0: what this kernel prefers.
 *
 * What is preserved already stays as it is, and so does what root has pinned.
 *
 * Context: with kho_components_lock.
 */
void kho_component_agree(struct kho_component *c, u32 version)
{
	c->agreed = version;
	kho_settle_write(c);
}

/**
 * kho_component_pin - have a version written whatever the next kernel reads
 * @c: the component.
 * @version: the version; 0 lifts the pin.
 *
 * Context: may sleep.
 * Return: 0; -EINVAL if this kernel does not write that version; -EBUSY if
 * something is preserved with the component, or a kexec has begun.
 */
int kho_component_pin(struct kho_component *c, u32 version)
{
	if (version && (version < c->min_write || version > c->version))
		return -EINVAL;

	scoped_guard(mutex, &kho_components_lock) {
		if (atomic_long_read(&c->users) || kho_versions_fixed)
			return -EBUSY;
		c->pinned = version;
		kho_settle_write(c);
	}

	kho_sysfs_notify();
	return 0;
}

/* kho_write=NAME:VERSION,..., for components that are yet to register, too */
static char kho_write_param[128];

/* The version of a component in it, 0 if it has none */
static u32 kho_write_param_of(const char *name)
{
	const size_t len = strlen(name);
	u32 version;

	for (const char *at = kho_write_param; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (!strncmp(at, name, len) && at[len] == ':' &&
		    sscanf(at + len + 1, "%u", &version) == 1)
			return version;
	}

	return 0;
}

static void kho_apply_write_param(struct kho_component *c)
{
	u32 version = kho_write_param_of(c->name);

	if (version && kho_component_pin(c, version) == -EINVAL)
		pr_warn("kho_write= has version %u of %s, expected %u to %u\n",
			version, c->name, c->min_write, c->version);
}

static int __init kho_parse_write(char *arg)
{
	if (!arg || strscpy(kho_write_param, arg) < 0) {
		pr_warn("kho_write= needs NAME:VERSION,... of at most %zu characters\n",
			sizeof(kho_write_param) - 1);
		kho_write_param[0] = 0;
		return -EINVAL;
	}

	for (unsigned int i = 0; i < kho_table.nr; i++)
		kho_apply_write_param(kho_table.components[i]);
	return 0;
}
early_param("kho_write", kho_parse_write);

/* With the lock; %NULL if there is none */
struct kho_component *kho_find_component(const char *name, size_t len)
{
	for (unsigned int i = 0; i < kho_table.nr; i++) {
		const char *known = kho_table.components[i]->name;

		if (strlen(known) == len && !strncmp(known, name, len))
			return kho_table.components[i];
	}

	return NULL;
}

static void __init kho_check_write_entry(const char *entry, int len)
{
	int name_len = strcspn(entry, ":,");
	u32 version;

	if (name_len == len || sscanf(entry + name_len + 1, "%u", &version) != 1)
		pr_warn("kho_write= has '%.*s', expected NAME:VERSION\n", len, entry);
	else if (!kho_find_component(entry, name_len))
		pr_info("kho_write= has version %u of %.*s, which this kernel does not have, unless a module brings it\n",
			version, name_len, entry);
}

/* Once all that is built in is there */
static int __init kho_check_write_param(void)
{
	guard(mutex)(&kho_components_lock);

	for (const char *at = kho_write_param; *at;) {
		int len = strcspn(at, ",");

		if (len)
			kho_check_write_entry(at, len);
		at += len + (at[len] == ',');
	}

	return 0;
}
late_initcall(kho_check_write_param);

/* Reading from the previous kernel */

static enum kho_compat_status kho_version_status(const struct kho_component *c, u32 version)
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
	c->status = there ? kho_version_status(c, c->incoming) : KHO_COMPAT_ABSENT;
}

/* A kernel without component versions implies the baseline of each */
static void kho_assume_baseline(struct kho_component *c)
{
	c->incoming = c->baseline;
	c->status = c->baseline ? kho_version_status(c, c->baseline) : KHO_COMPAT_ABSENT;
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

/* A name, a number, and three characters between */
#define KHO_REPORT_ROOM	(KHO_COMPONENT_NAME_MAX + 10 + 3)

/* All in as few lines as possible; one more for each that cannot be read */
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
		if (i < table->nr - 1 && seq_buf_buffer_left(&s) > KHO_REPORT_ROOM)
			continue;

		pr_info("handover of %s:%s\n", origin, seq_buf_str(&s));
		seq_buf_clear(&s);
	}
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

/* Validate everything but the header; the writer is stored in @origin */
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
		pr_err("the compatible strings of the handover are invalid: %s\n",
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
	return table->components[0]->status == KHO_COMPAT_OK ? 0 : -EPROTONOSUPPORT;
}

/* Registering: components that are not in the table from the start */

static bool kho_component_valid(const struct kho_component *c)
{
	const size_t len = strlen(c->name);

	return len && len <= KHO_COMPONENT_NAME_MAX && c->min_version &&
	       c->min_version <= c->min_write && c->min_write <= c->write &&
	       c->write <= c->version;
}

/* With the lock; the table has so few that order matters more than speed */
static int kho_table_add(struct kho_component *c)
{
	if (kho_table.nr == ARRAY_SIZE(kho_components))
		return -ENOSPC;
	if (kho_find_component(c->name, strlen(c->name)))
		return -EEXIST;

	kho_components[kho_table.nr++] = c;
	return 0;
}

static bool kho_table_remove(const struct kho_component *c)
{
	for (unsigned int i = 0; i < kho_table.nr; i++) {
		if (kho_components[i] != c)
			continue;
		kho_table.nr--;
		memmove(&kho_components[i], &kho_components[i + 1],
			(kho_table.nr - i) * sizeof(kho_components[0]));
		return true;
	}

	return false;
}

static int kho_fdt_add_component(void *fdt, void *component)
{
	const struct kho_component *c = component;
	int node = fdt_subnode_offset(fdt, 0, KHO_FDT_COMPONENTS_NODE_NAME);

	if (node < 0)
		return -EINVAL;
	if (!fdt_setprop_u32(fdt, node, c->name, c->write) && !kho_fdt_crowded(fdt))
		return 0;

	fdt_delprop(fdt, node, c->name);
	return -ENOMEM;
}

static int kho_fdt_remove_component(void *fdt, void *component)
{
	const struct kho_component *c = component;
	int node = fdt_subnode_offset(fdt, 0, KHO_FDT_COMPONENTS_NODE_NAME);

	return node < 0 ? node : fdt_delprop(fdt, node, c->name);
}

/* Without an FDT as yet, the early pass or kho_init() finds it in the table */
static void kho_read_late(struct kho_component *c)
{
	const struct kho_component_table one = { .components = &c, .nr = 1 };
	const void *fdt = kho_in_fdt();
	const char *origin;

	if (fdt && !kho_read_statement(fdt, &one, &origin))
		kho_report(&one, origin);
}

/**
 * kho_component_register - add a component
 * @component: the component; it must stay where it is until it is unregistered.
 *
 * For components of modules. Those that are built in have a line in
 * kho_components.h, which adds them to the note of the image. The status is known
 * afterwards, unless the handover is yet to be read. What it writes is agreed with
 * the loaded image; one that cannot read it stays loaded, with a warning, and is
 * rejected when it is started with the component in use.
 *
 * Context: may sleep.
 * Return: 0; -EINVAL if its name or its versions are invalid; -EEXIST if there is
 * one of that name; -ENOSPC or -ENOMEM if there are too many; -EBUSY if a kexec has
 * begun.
 */
int kho_component_register(struct kho_component *component)
{
	int err;

	if (!kho_component_valid(component))
		return -EINVAL;

	component->loadable = true;
	kho_apply_write_param(component);
	scoped_guard(mutex, &kho_components_lock) {
		err = kho_versions_fixed ? -EBUSY : kho_table_add(component);
		if (err)
			return err;

		/* -EINVAL: nothing can be handed over, so it has nothing to state */
		if (kho_edit_out_fdt(kho_fdt_add_component, component) == -ENOMEM) {
			kho_table_remove(component);
			return -ENOMEM;
		}
		kho_read_late(component);
		kho_agree_late(component);
	}

	kho_sysfs_add_component(component);
	kho_sysfs_notify();
	return 0;
}
EXPORT_SYMBOL_GPL(kho_component_register);

/**
 * kho_component_unregister - remove a component
 * @component: one that kho_component_register() has added.
 *
 * Nothing may be preserved with it any more: it could not be unpreserved.
 *
 * Context: may sleep.
 */
void kho_component_unregister(struct kho_component *component)
{
	WARN_ONCE(atomic_long_read(&component->users), "KHO: %s: removed while in use\n",
		  component->name);

	kho_sysfs_remove_component(component);
	scoped_guard(mutex, &kho_components_lock) {
		kho_component_agree(component, 0);
		if (kho_table_remove(component))
			kho_edit_out_fdt(kho_fdt_remove_component, component);
	}
	kho_sysfs_notify();
}
EXPORT_SYMBOL_GPL(kho_component_unregister);

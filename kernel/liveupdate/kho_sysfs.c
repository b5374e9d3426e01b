// SPDX-License-Identifier: GPL-2.0-only
/*
 * KHO in sysfs - what this kernel reads and writes, and what the next one can.
 *
 * Owns /sys/kernel/kho, for programs that decide whether to hand over, and
 * when. All it says is asked of kho_compat.c and kho_image.c at that moment.
 *
 * The files are described in Documentation/ABI/testing/sysfs-kernel-kho.
 */

#define pr_fmt(fmt) "KHO: sysfs: " fmt

#include <linux/init.h>
#include <linux/kexec_handover.h>
#include <linux/kho/compat.h>
#include <linux/kho/image.h>
#include <linux/kobject.h>
#include <linux/liveupdate.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "kexec_handover_internal.h"
#include "kho_components.h"

/* Of next/status and next/potential; NULL while booting */
static struct kernfs_node *kho_status_node, *kho_potential_node;

static void kho_notify_node(struct kernfs_node *node)
{
	if (node)
		sysfs_notify_dirent(node);
}

/**
 * kho_sysfs_notify - next/status and next/potential may say something else now
 *
 * Wakes those who poll them.
 *
 * Context: any.
 */
void kho_sysfs_notify(void)
{
	kho_notify_node(READ_ONCE(kho_status_node));
	kho_notify_node(READ_ONCE(kho_potential_node));
}

/* components/NAME/ */

static const struct kho_component *kho_component_of(const struct kobject *kobj)
{
	for (unsigned int i = 0; i < kho_table.nr; i++) {
		if (!strcmp(kho_table.components[i]->name, kobject_name(kobj)))
			return kho_table.components[i];
	}

	return NULL;
}

/*
 * The early pass runs before kho=off is seen. What it found stands if that was
 * why there is no handover; if it was content, the handover failed later.
 */
static enum kho_compat_status kho_shown_status(const struct kho_component *c)
{
	if (!kho_is_enabled() || (!is_kho_boot() && c->status == KHO_COMPAT_OK))
		return KHO_COMPAT_NONE;

	return c->status;
}

static ssize_t version_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%u\n", kho_component_of(kobj)->version);
}

static ssize_t min_version_show(struct kobject *kobj, struct kobj_attribute *attr,
				char *buf)
{
	return sysfs_emit(buf, "%u\n", kho_component_of(kobj)->min_version);
}

static ssize_t incoming_show(struct kobject *kobj, struct kobj_attribute *attr,
			     char *buf)
{
	const struct kho_component *c = kho_component_of(kobj);

	return sysfs_emit(buf, "%u\n",
			  kho_shown_status(c) == KHO_COMPAT_NONE ? 0 : c->incoming);
}

static ssize_t status_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	enum kho_compat_status status = kho_shown_status(kho_component_of(kobj));

	return sysfs_emit(buf, "%s\n", kho_compat_status_name(status));
}

static ssize_t users_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%ld\n", kho_component_users(kho_component_of(kobj)));
}

static struct kobj_attribute version_attr = __ATTR_RO(version);
static struct kobj_attribute min_version_attr = __ATTR_RO(min_version);
static struct kobj_attribute incoming_attr = __ATTR_RO(incoming);
static struct kobj_attribute status_attr = __ATTR_RO(status);
static struct kobj_attribute users_attr = __ATTR_RO(users);

static const struct attribute *const kho_component_attrs[] = {
	&version_attr.attr,
	&min_version_attr.attr,
	&incoming_attr.attr,
	&status_attr.attr,
	&users_attr.attr,
	NULL
};

/* check */

static ssize_t check_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%s\n", kho_check_mode_name());
}

static ssize_t check_store(struct kobject *kobj, struct kobj_attribute *attr,
			   const char *buf, size_t count)
{
	return kho_set_check_mode(buf) ?: count;
}

static struct kobj_attribute check_attr = __ATTR_RW(check);

/* unfinished */

static ssize_t unfinished_show(struct kobject *kobj, struct kobj_attribute *attr,
			       char *buf)
{
	return sysfs_emit(buf, "%ld\n", liveupdate_unfinished_sessions());
}

static struct kobj_attribute unfinished_attr = __ATTR_RO(unfinished);

/* Memory: what can still be preserved */

static ssize_t preservable_show(struct kobject *kobj, struct kobj_attribute *attr,
				char *buf)
{
	return sysfs_emit(buf, "%lu\n",
			  kho_preservable_pages() << (PAGE_SHIFT - 10));
}

static struct kobj_attribute preservable_attr = __ATTR_RO(preservable);

static const struct attribute *const kho_memory_attrs[] = {
	&preservable_attr.attr,
	NULL
};

/* next/ */

static ssize_t next_emit(char *buf, bool in_use)
{
	static const char *const names[] = {
		[KHO_NEXT_NONE] = "none",
		[KHO_NEXT_COMPATIBLE] = "compatible",
		[KHO_NEXT_INCOMPATIBLE] = "incompatible",
		[KHO_NEXT_UNKNOWN] = "unknown",
	};

	return sysfs_emit(buf, "%s\n", names[kho_next_status(in_use)]);
}

static ssize_t next_status_show(struct kobject *kobj, struct kobj_attribute *attr,
				char *buf)
{
	return next_emit(buf, true);
}

static ssize_t potential_show(struct kobject *kobj, struct kobj_attribute *attr,
			      char *buf)
{
	return next_emit(buf, false);
}

static ssize_t assume_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%s\n", kho_assumed_name());
}

static ssize_t assume_store(struct kobject *kobj, struct kobj_attribute *attr,
			    const char *buf, size_t count)
{
	return kho_set_assumed(buf) ?: count;
}

static struct kobj_attribute next_status_attr =
	__ATTR(status, 0444, next_status_show, NULL);
static struct kobj_attribute potential_attr = __ATTR_RO(potential);
static struct kobj_attribute assume_attr = __ATTR_RW(assume);

static const struct attribute *const kho_next_attrs[] = {
	&next_status_attr.attr,
	&potential_attr.attr,
	&assume_attr.attr,
	NULL
};

static ssize_t next_entry_show(struct kobject *kobj, struct kobj_attribute *attr,
			       char *buf)
{
	struct kho_image_entry entry;

	if (!kho_next_entry(attr->attr.name, &entry))
		return sysfs_emit(buf, "-\n");

	return sysfs_emit(buf, "%u-%u\n", entry.min_version, entry.version);
}

#define KHO_NEXT_ATTR(text, component, prefix)				\
	{								\
		.attr = { .name = text, .mode = 0444 },			\
		.show = next_entry_show,				\
	},
static struct kobj_attribute kho_next_entry_attrs[] = {
	KHO_COMPONENTS(KHO_NEXT_ATTR)
};

static int __init kho_create_components(struct kobject *kho)
{
	struct kobject *dir = kobject_create_and_add("components", kho);
	int err = dir ? 0 : -ENOMEM;

	for (unsigned int i = 0; !err && i < kho_table.nr; i++) {
		struct kobject *kobj =
			kobject_create_and_add(kho_table.components[i]->name, dir);

		err = kobj ? sysfs_create_files(kobj, kho_component_attrs) : -ENOMEM;
	}

	return err;
}

static int __init kho_create_next(struct kobject *kho)
{
	struct kobject *dir = kobject_create_and_add("next", kho);
	int err;

	if (!dir)
		return -ENOMEM;

	err = sysfs_create_files(dir, kho_next_attrs);
	for (int i = 0; !err && i < ARRAY_SIZE(kho_next_entry_attrs); i++)
		err = sysfs_create_file(dir, &kho_next_entry_attrs[i].attr);
	if (err)
		return err;

	WRITE_ONCE(kho_status_node, sysfs_get_dirent(dir->sd, "status"));
	WRITE_ONCE(kho_potential_node, sysfs_get_dirent(dir->sd, "potential"));
	return 0;
}

/* Handing over works without it, so what could be made of it stays */
static int __init kho_sysfs_init(void)
{
	struct kobject *kho = kobject_create_and_add("kho", kernel_kobj);
	int err = -ENOMEM;

	if (kho)
		err = sysfs_create_file(kho, &check_attr.attr) ?:
		      sysfs_create_file(kho, &unfinished_attr.attr) ?:
		      sysfs_create_files(kho, kho_memory_attrs) ?:
		      kho_create_components(kho) ?:
		      kho_create_next(kho);
	if (err)
		pr_err("/sys/kernel/kho is not complete: %pe\n", ERR_PTR(err));

	return err;
}
late_initcall(kho_sysfs_init);

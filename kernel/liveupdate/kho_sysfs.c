// SPDX-License-Identifier: GPL-2.0-only
/*
 * KHO in sysfs - component versions, the loaded image, held memory.
 *
 * Owns the files of /sys/kernel/kho and no value in them: all are read from
 * kho_compat.c, kho_image.c, kho_held.c and the core when a file is read.
 *
 * The files are described in Documentation/ABI/testing/sysfs-kernel-kho.
 */

#define pr_fmt(fmt) "KHO: sysfs: " fmt

#include <linux/cleanup.h>
#include <linux/init.h>
#include <linux/kexec_handover.h>
#include <linux/kho/compat.h>
#include <linux/kho/image.h>
#include <linux/kobject.h>
#include <linux/kstrtox.h>
#include <linux/mutex.h>
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

/* What is next/status and next/potential of has been loaded, replaced or unloaded */
void kho_sysfs_notify_image(void)
{
	kho_notify_node(READ_ONCE(kho_status_node));
	kho_notify_node(READ_ONCE(kho_potential_node));
}

/* next/status and next/potential may have changed, unless they are "none" anyway */
void kho_sysfs_notify(void)
{
	if (kho_next_loaded())
		kho_sysfs_notify_image();
}

/* components/NAME/ */

/* Its directory goes first, so it is there for as long as a file is in use */
static struct kho_component *kho_component_of(const struct kobject *kobj)
{
	guard(mutex)(&kho_components_lock);

	return kho_find_component(kobject_name(kobj), strlen(kobject_name(kobj)));
}

/*
 * The early pass runs before kho=off is parsed. Its result is shown unless it was "ok"
 * and there is no handover: then the handover was dropped later.
 */
static enum kho_compat_status kho_shown_status(const struct kho_component *c)
{
	if (!kho_is_enabled() || (!is_kho_boot() && c->status == KHO_COMPAT_OK))
		return KHO_COMPAT_NONE;

	return c->status;
}

#define KHO_VERSION_SHOW(member)						\
static ssize_t member##_show(struct kobject *kobj, struct kobj_attribute *attr,	\
			     char *buf)						\
{										\
	return sysfs_emit(buf, "%u\n", READ_ONCE(kho_component_of(kobj)->member)); \
}

KHO_VERSION_SHOW(version)
KHO_VERSION_SHOW(min_version)
KHO_VERSION_SHOW(min_write)
KHO_VERSION_SHOW(write)

static ssize_t write_store(struct kobject *kobj, struct kobj_attribute *attr,
			   const char *buf, size_t count)
{
	u32 version = 0;
	int err = 0;

	if (!sysfs_streq(buf, "auto"))
		err = kstrtou32(buf, 10, &version) ?: (version ? 0 : -EINVAL);

	return err ?: kho_component_pin(kho_component_of(kobj), version) ?: count;
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

static ssize_t unfinished_show(struct kobject *kobj, struct kobj_attribute *attr,
			       char *buf)
{
	const struct kho_component *c = kho_component_of(kobj);

	return sysfs_emit(buf, "%ld\n", atomic_long_read(&c->unfinished));
}

static struct kobj_attribute version_attr = __ATTR_RO(version);
static struct kobj_attribute min_version_attr = __ATTR_RO(min_version);
static struct kobj_attribute min_write_attr = __ATTR_RO(min_write);
static struct kobj_attribute write_attr = __ATTR_RW(write);
static struct kobj_attribute incoming_attr = __ATTR_RO(incoming);
static struct kobj_attribute status_attr = __ATTR_RO(status);
static struct kobj_attribute users_attr = __ATTR_RO(users);
static struct kobj_attribute unfinished_attr = __ATTR_RO(unfinished);

static const struct attribute *const kho_component_attrs[] = {
	&version_attr.attr,
	&min_version_attr.attr,
	&min_write_attr.attr,
	&write_attr.attr,
	&incoming_attr.attr,
	&status_attr.attr,
	&users_attr.attr,
	&unfinished_attr.attr,
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

/* Memory: what can still be preserved, and what the previous kernel preserved */

static ssize_t preservable_show(struct kobject *kobj, struct kobj_attribute *attr,
				char *buf)
{
	return sysfs_emit(buf, "%lu\n",
			  kho_preservable_pages() << (PAGE_SHIFT - 10));
}

static struct kobj_attribute preservable_attr = __ATTR_RO(preservable);

static ssize_t held_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	unsigned long held = kho_held_kib();

	return sysfs_emit(buf, "%lu %lu\n", held, kho_held_waiting() ? held : 0);
}

static ssize_t release_store(struct kobject *kobj, struct kobj_attribute *attr,
			     const char *buf, size_t count)
{
	bool all = sysfs_streq(buf, "all");

	if (!all && !sysfs_streq(buf, "1"))
		return -EINVAL;

	return kho_release_held(all) ?: count;
}

static struct kobj_attribute held_attr = __ATTR_RO(held);
static struct kobj_attribute release_attr = __ATTR_WO(release);

static const struct attribute *const kho_memory_attrs[] = {
	&preservable_attr.attr,
	&held_attr.attr,
	&release_attr.attr,
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

static struct kobject *kho_components_dir;

static int kho_create_component(struct kho_component *c)
{
	c->dir = kobject_create_and_add(c->name, kho_components_dir);
	return c->dir ? sysfs_create_files(c->dir, kho_component_attrs) : -ENOMEM;
}

/* Show a component that has registered itself */
void kho_sysfs_add_component(struct kho_component *c)
{
	int err = kho_components_dir ? kho_create_component(c) : 0;

	if (err)
		pr_err("components/%s is not complete: %pe\n", c->name, ERR_PTR(err));
}

/* Without kho_components_lock, which those who read the files take */
void kho_sysfs_remove_component(struct kho_component *c)
{
	kobject_del(c->dir);
	kobject_put(c->dir);
	c->dir = NULL;
}

static int __init kho_create_components(struct kobject *kho)
{
	int err = 0;

	kho_components_dir = kobject_create_and_add("components", kho);
	if (!kho_components_dir)
		return -ENOMEM;

	for (unsigned int i = 0; !err && i < kho_table.nr; i++)
		err = kho_create_component(kho_table.components[i]);
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
		      sysfs_create_files(kho, kho_memory_attrs) ?:
		      kho_create_components(kho) ?:
		      kho_create_next(kho);
	if (err)
		pr_err("/sys/kernel/kho is not complete: %pe\n", ERR_PTR(err));

	return err;
}
late_initcall(kho_sysfs_init);

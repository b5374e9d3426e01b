/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KHO components: the formats that a handover is made of, each with a version.
 *
 * Before reading an object of the previous kernel call kho_object_readable(), once.
 * For as long as something is preserved hold a reference to the component:
 * kho_component_get(). Users of a component never see a version; only the component
 * itself uses the one that is written.
 */
#ifndef _LINUX_KHO_COMPAT_H
#define _LINUX_KHO_COMPAT_H

#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/types.h>

struct kobject;

/**
 * enum kho_compat_status - what the early pass found about a component
 * @KHO_COMPAT_NONE: there is no handover.
 * @KHO_COMPAT_OK: this kernel can read what the previous one wrote.
 * @KHO_COMPAT_ABSENT: the previous kernel did not have the component.
 * @KHO_COMPAT_TOO_OLD: the previous kernel wrote a version that this one does
 *	not read any more.
 * @KHO_COMPAT_TOO_NEW: the previous kernel wrote a version that this one does
 *	not read yet.
 * @KHO_COMPAT_MALFORMED: the version that the previous kernel recorded is invalid.
 */
enum kho_compat_status {
	KHO_COMPAT_NONE,
	KHO_COMPAT_OK,
	KHO_COMPAT_ABSENT,
	KHO_COMPAT_TOO_OLD,
	KHO_COMPAT_TOO_NEW,
	KHO_COMPAT_MALFORMED,
};

/**
 * struct kho_component - a format with versions of its own
 * @name: property of the KHO FDT, at most 15 characters.
 * @min_version: the oldest that this kernel reads.
 * @version: the newest that this kernel reads.
 * @min_write: the oldest that this kernel writes; it writes all up to @version.
 * @write: what is written now; initially what this kernel prefers.
 * @baseline: the version that a handover of Linux 7.3, which does not state
 *	any, implies; 0 if it implies none.
 * @subtree: its subtree of the KHO FDT, which counts by @users alone; may be %NULL.
 * @needs_liveupdate: the next kernel reads it only with liveupdate=on.
 * @best_effort: no kernel is rejected for what is lost of it.
 * @give_up: release what can still be retrieved, or return an error; may be %NULL.
 * @incoming: what the previous kernel wrote, 0 if that is unknown.
 * @status: whether this kernel can read it.
 * @users: how many things are preserved with it right now.
 * @preferred: the initial @write, 0 until that changes.
 * @agreed: newest version that the loaded image reads and this kernel writes, or 0.
 * @pinned: the version that root has chosen to write, or 0.
 * @loadable: it has registered itself, as a module of the next kernel may.
 * @dir: its directory in sysfs.
 * @unfinished: how many of the previous kernel the next kexec would lose, whatever
 *	the next kernel reads.
 *
 * The members up to @give_up are for the component to set, the others belong to
 * KHO. @incoming and @status are written once, by the early pass or, for what
 * registers later, by kho_component_register(). @write changes only while there
 * are no @users. @unfinished changes by kho_unfinished_inc() and
 * kho_unfinished_dec() only.
 */
struct kho_component {
	const char *name;
	u32 min_version;
	u32 version;
	u32 min_write;
	u32 write;
	u32 baseline;
	const char *subtree;
	bool needs_liveupdate;
	bool best_effort;
	int (*give_up)(void);

	u32 incoming;
	enum kho_compat_status status;
	atomic_long_t users;
	u32 preferred;
	u32 agreed;
	u32 pinned;
	bool loadable;
	struct kobject *dir;
	atomic_long_t unfinished;
};

/* The versions of a component, by the macros of its ABI header */
#define KHO_COMPONENT_VERSIONS(prefix)			\
	.min_version = prefix##_MIN_VERSION,		\
	.version = prefix##_VERSION,			\
	.min_write = prefix##_MIN_WRITE_VERSION,	\
	.write = prefix##_WRITE_VERSION,		\
	.baseline = prefix##_BASELINE_VERSION

/* The components of KHO itself, for queries of their users */
extern struct kho_component kho_radix_component;
extern struct kho_component kho_vmalloc_component;
extern struct kho_component kho_block_component;

#ifdef CONFIG_KEXEC_HANDOVER
int kho_component_readable(const struct kho_component *component);
int kho_object_readable(const struct kho_component *component);
const char *kho_compat_status_name(enum kho_compat_status status);
u32 kho_component_get(struct kho_component *component);
void kho_component_put(struct kho_component *component);
int kho_component_register(struct kho_component *component);
void kho_component_unregister(struct kho_component *component);
void kho_unfinished_inc(struct kho_component *component);
void kho_unfinished_dec(struct kho_component *component);
#else
static inline int kho_component_readable(const struct kho_component *component)
{
	return -ENOENT;
}

static inline int kho_object_readable(const struct kho_component *component)
{
	return -ENOENT;
}

static inline u32 kho_component_get(struct kho_component *component)
{
	return component->write;
}

static inline void kho_component_put(struct kho_component *component)
{
}

static inline int kho_component_register(struct kho_component *component)
{
	return -EOPNOTSUPP;
}

static inline void kho_component_unregister(struct kho_component *component)
{
}
#endif

#endif /* _LINUX_KHO_COMPAT_H */

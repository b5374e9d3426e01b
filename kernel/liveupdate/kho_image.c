// SPDX-License-Identifier: GPL-2.0-only
/*
 * KHO image check - whether the next kernel can read what is preserved.
 *
 * Owns the search for the note in an image, the comparison of its versions with
 * those of this kernel, and the decision to reject an image when it is loaded or
 * started (kho_check=, next/assume).
 *
 * The note of this kernel is kho_note.c. The version that is written after an
 * image was loaded is chosen by kho_compat.c. The files in sysfs are kho_sysfs.c.
 *
 * The layout of the note is in linux/kho/abi/image.h.
 */

#define pr_fmt(fmt) "KHO: image: " fmt

#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/kexec.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/image.h>
#include <linux/kho/abi/kexec_handover.h>
#include <linux/kho/abi/kexec_metadata.h>
#include <linux/kho/compat.h>
#include <linux/kho/image.h>
#include <linux/kstrtox.h>
#include <linux/libfdt.h>
#include <linux/liveupdate.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "kexec_handover_internal.h"

/* What was loaded last, NULL for nothing; it is freed only after it was replaced */
static const struct kimage *kho_next_image;	/* with kho_components_lock */

/* Root has declared the next image to be Linux 7.3 */
static bool kho_stock_assumed;

/* An index of the names: rejections are warnings only */
static bool kho_check_warns;
static const char *const kho_check_mode_names[] = { "enforce", "warn" };

/**
 * kho_check_mode_name - name of the mode for incompatible images
 *
 * Return: the word, for sysfs.
 */
const char *kho_check_mode_name(void)
{
	return kho_check_mode_names[READ_ONCE(kho_check_warns)];
}

/**
 * kho_set_check_mode - set the mode for incompatible images
 * @name: "enforce" or "warn"; a newline may follow.
 *
 * Return: 0; -EINVAL for any other word.
 */
int kho_set_check_mode(const char *name)
{
	int mode = sysfs_match_string(kho_check_mode_names, name);

	if (mode < 0)
		return mode;

	WRITE_ONCE(kho_check_warns, mode);
	return 0;
}

/**
 * kho_check_only_warns - check whether rejections are warnings only
 *
 * Context: any.
 * Return: %true if no image is rejected.
 */
bool kho_check_only_warns(void)
{
	return READ_ONCE(kho_check_warns);
}

static int __init kho_parse_check(char *arg)
{
	return arg ? kho_set_check_mode(arg) : -EINVAL;
}
early_param("kho_check", kho_parse_check);

/* The note */

static const struct kho_image_entry *
kho_find_entry(const struct kho_image_entry *entries, u32 nr, const char *name)
{
	for (u32 i = 0; i < nr; i++) {
		if (!strncmp(entries[i].name, name, sizeof(entries[i].name)))
			return &entries[i];
	}

	return NULL;
}

static bool kho_entry_valid(const struct kho_image_note *note,
			    const struct kho_image_entry *entry)
{
	const size_t size = sizeof(entry->name);
	size_t len = strnlen(entry->name, size);

	return len && len < size && !memchr_inv(entry->name + len, 0, size - len) &&
	       kho_find_entry(note->entries, note->nr, entry->name) == entry &&
	       entry->min_version && entry->min_version <= entry->version;
}

static u32 kho_note_sum(const struct kho_image_note *note)
{
	const u32 *word = (const u32 *)note;
	size_t nr = struct_size(note, entries, note->nr) / sizeof(*word);
	u32 sum = 0;

	while (nr--)
		sum += *word++;
	return sum;
}

/* The fault of a note that has @room to the end of the image, or NULL */
static const char *kho_note_flaw(const struct kho_image_note *note, size_t room)
{
	if (room < sizeof(*note))
		return "is cut off";
	if (note->version != KHO_IMAGE_NOTE_VERSION)
		return "has an unknown version";
	if (note->nr > KHO_IMAGE_NOTE_MAX_ENTRIES)
		return "has too many entries";
	if (room < struct_size(note, entries, note->nr))
		return "is cut off";
	if (kho_note_sum(note))
		return "has a wrong sum";

	for (u32 i = 0; i < note->nr; i++) {
		if (!kho_entry_valid(note, &note->entries[i]))
			return "has an invalid entry";
	}

	return NULL;
}

/**
 * kho_find_note - find the note in the file of a kernel
 * @image: the file, aligned as a u32 is; nothing in it is trusted.
 * @size: its size in bytes.
 *
 * Looks for the magic of this kernel's own note: a copy of it here would be one
 * more magic in the image of this kernel.
 *
 * Return: the note, in @image; %NULL if it has none; -EBADMSG if it is invalid or two
 * notes differ, which is logged.
 */
const struct kho_image_note *kho_find_note(const void *image, size_t size)
{
	const struct kho_image_note *note, *found = NULL;
	const char *flaw;

	for (size_t at = 0; at < size; at += KHO_IMAGE_NOTE_ALIGN) {
		note = image + at;
		if (size - at < sizeof(note->magic) ||
		    memcmp(note->magic, kho_image_note.magic, sizeof(note->magic)))
			continue;

		flaw = kho_note_flaw(note, size - at);
		if (!flaw && found &&
		    memcmp(found, note, struct_size(note, entries, note->nr)))
			flaw = "differs from the one before it";
		if (flaw) {
			pr_warn("the note at offset 0x%zx %s\n", at, flaw);
			return ERR_PTR(-EBADMSG);
		}
		found = found ?: note;
	}

	return found;
}

/**
 * arch_kho_takes_memory - check for a parameter that limits memory
 * @param: name of a parameter on its command line.
 * @val: its value, may be %NULL.
 *
 * Return: %true if memory that this kernel has would be missing there.
 */
bool __weak arch_kho_takes_memory(const char *param, const char *val)
{
	return false;
}

/* As early parameters of the next kernel: the last valid value of each counts */
static int kho_take_parameter(char *param, char *val, const char *unused, void *arg)
{
	struct kho_next *next = arg;
	bool *on = NULL;

	/* What crashkernel= reserves below 4 GiB beside the area, or as CMA, is not it */
	if (parameq(param, "kho"))
		on = &next->kho_on;
	else if (parameq(param, "liveupdate"))
		on = &next->liveupdate_on;
	else if (parameq(param, "crashkernel") && val && !strends(val, ",low") &&
		 !strends(val, ",cma"))
		next->crash_size = kho_crash_size(val);

	if (arch_kho_takes_memory(param, val)) {
		pr_warn("%s=%s on the command line removes memory that this kernel has\n",
			param, val);
		next->less_memory = true;
	}
	if (on && kstrtobool(val, on))
		pr_warn("the command line has '%s' as %s=, expected on or off\n",
			val ?: "", param);
	return 0;
}

/**
 * kho_describe_next - describe a kernel by its note and command line
 * @next: the description, filled in unless there is an error.
 * @note: from kho_find_note(): may be %NULL or an error.
 * @cmdline: the command line, may be %NULL.
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int kho_describe_next(struct kho_next *next, const struct kho_image_note *note,
		      const char *cmdline)
{
	char *copy __free(kfree) = kstrdup(cmdline ?: "", GFP_KERNEL);

	if (!copy)
		return -ENOMEM;

	/* The default of what neither note nor command line turns on is off */
	*next = (struct kho_next) {
		.known = note ? KHO_NEXT_BROKEN : KHO_NEXT_OPAQUE,
		.page_shift = PAGE_SHIFT,
	};
	if (!IS_ERR_OR_NULL(note)) {
		next->known = KHO_NEXT_KNOWN;
		next->kho_on = note->flags & KHO_IMAGE_NOTE_KHO_ON;
		next->page_shift = note->page_shift;
		next->nr = note->nr;
		memcpy(next->entries, note->entries,
		       flex_array_size(note, entries, note->nr));
	}

	parse_args("the next kernel", copy, NULL, 0, 0, 0, next, kho_take_parameter);
	if (next->known == KHO_NEXT_KNOWN &&
	    !(note->flags & KHO_IMAGE_NOTE_LIVEUPDATE))
		next->liveupdate_on = false;
	return 0;
}

/**
 * kho_assume_stock - treat a kernel without a note as Linux 7.3
 * @next: the kernel, %KHO_NEXT_OPAQUE.
 * @table: components of this kernel, of which that one reads the baseline.
 */
void kho_assume_stock(struct kho_next *next, const struct kho_component_table *table)
{
	next->known = KHO_NEXT_ASSUMED;
	for (unsigned int i = 0; i < table->nr; i++) {
		const struct kho_component *c = table->components[i];
		struct kho_image_entry *entry = &next->entries[next->nr];

		if (!c->baseline)
			continue;
		strscpy(entry->name, c->name);
		entry->min_version = c->baseline;
		entry->version = c->baseline;
		next->nr++;
	}
}

static const char *const kho_assume_names[] = { "none", "7.3" };

/**
 * kho_assumed_name - name of the assumption for an image without a note
 *
 * Return: a word, for sysfs.
 */
const char *kho_assumed_name(void)
{
	return kho_assume_names[READ_ONCE(kho_stock_assumed)];
}

/**
 * kho_set_assumed - set the assumption for an image without a note
 * @name: "7.3" or "none"; a newline may follow.
 *
 * It counts for the next call of kexec_file_load() that is not for a crash
 * kernel, whether that succeeds or not.
 *
 * Return: 0; -EINVAL for any other word.
 */
int kho_set_assumed(const char *name)
{
	int assumed = sysfs_match_string(kho_assume_names, name);

	if (assumed < 0)
		return assumed;

	WRITE_ONCE(kho_stock_assumed, assumed);
	return 0;
}

/* Collecting what is preserved */

/* The FDT has a subtree of KHO itself from boot on */
static bool kho_subtree_counts(const void *fdt, int node)
{
	const char *name = fdt_get_name(fdt, node, NULL);

	/* That of a component counts by its users: it may be empty */
	for (unsigned int i = 0; i < kho_table.nr; i++) {
		const char *subtree = kho_table.components[i]->subtree;

		if (subtree && !strcmp(name, subtree))
			return false;
	}

	return fdt_getprop(fdt, node, KHO_SUB_TREE_PROP_NAME, NULL) &&
	       strcmp(name, KHO_METADATA_NODE_NAME);
}

static void kho_read_fdt_state(const void *fdt, void *data)
{
	struct kho_outgoing *out = data;
	int node;

	out->baseline = fdt_stringlist_search(fdt, 0, "compatible",
					      KHO_FDT_COMPATIBLE_BASELINE) >= 0;
	fdt_for_each_subnode(node, fdt, 0)
		out->subtrees += kho_subtree_counts(fdt, node);
}

/* With kho_components_lock, for as long as the result is in use */
static struct kho_outgoing kho_collect_outgoing(void)
{
	struct kho_outgoing out = {
		.table = &kho_table,
		.liveupdate = liveupdate_enabled(),
		.scratch = kho_scratch_cnt,
	};

	kho_read_out_fdt(kho_read_fdt_state, &out);
	return out;
}

/**
 * kho_outgoing_users - how many things are preserved with a component
 * @out: what there is to hand over.
 * @c: one of its components.
 *
 * The tree of preserved memory carries everything, and counts all of it but what
 * is best effort.
 *
 * Return: how many.
 */
long kho_outgoing_users(const struct kho_outgoing *out, const struct kho_component *c)
{
	long users = out->subtrees;

	if (c != out->table->components[0])
		return atomic_long_read(&c->users);

	for (unsigned int i = 1; i < out->table->nr; i++) {
		c = out->table->components[i];
		if (!c->best_effort)
			users += atomic_long_read(&c->users);
	}
	return users;
}

/**
 * kho_component_users - how many things are preserved with a component now
 * @c: the component, one of this kernel.
 *
 * Context: may sleep.
 * Return: how many.
 */
long kho_component_users(const struct kho_component *c)
{
	struct kho_outgoing out;

	guard(mutex)(&kho_components_lock);

	out = kho_collect_outgoing();
	return kho_outgoing_users(&out, c);
}

/* The comparison */

/*
 * Linux 7.3 takes as many areas of scratch as memblock can note before it can
 * make more room. Images do not record how many they take, so all have this limit.
 */
#define KHO_NEXT_MAX_SCRATCH	127

/* A kernel that does not read "components" needs the compatible string of its own */
static bool kho_next_knows_fdt(const struct kho_outgoing *out,
			       const struct kho_next *next)
{
	return next->known != KHO_NEXT_ASSUMED || out->baseline;
}

/* True if that kernel reads the handover, has KHO on and all memory */
static bool kho_next_takes_over(const struct kho_outgoing *out,
				const struct kho_next *next)
{
	return next->known != KHO_NEXT_BARE && !next->flaw && next->kho_on &&
	       next->page_shift == PAGE_SHIFT && !next->less_memory &&
	       out->scratch <= KHO_NEXT_MAX_SCRATCH &&
	       kho_next_knows_fdt(out, next);
}

static bool kho_next_versions_known(const struct kho_next *next)
{
	return next->known == KHO_NEXT_KNOWN || next->known == KHO_NEXT_ASSUMED;
}

/* Without live update sessions are lost, even if all formats are supported */
static bool kho_loses_sessions(const struct kho_outgoing *out,
			       const struct kho_next *next,
			       const struct kho_component *c)
{
	return out->liveupdate && !next->liveupdate_on && c->needs_liveupdate;
}

/* Loading an image changes the version of nothing else */
static bool kho_write_is_fixed(const struct kho_component *c)
{
	return c->pinned || atomic_long_read(&c->users);
}

static bool kho_next_may_read(const struct kho_outgoing *out,
			      const struct kho_next *next,
			      const struct kho_component *c)
{
	const struct kho_image_entry *entry;

	if (kho_loses_sessions(out, next, c))
		return false;
	if (!kho_next_versions_known(next))
		return true;

	entry = kho_find_entry(next->entries, next->nr, c->name);
	if (!entry)
		return c->loadable;
	if (!kho_write_is_fixed(c))
		return kho_common_version(c, entry->min_version, entry->version);
	return entry->min_version <= c->write && c->write <= entry->version;
}

/**
 * kho_compare_next - check whether a kernel can read what is preserved
 * @out: what there is.
 * @next: the kernel.
 * @in_use: leave out what nothing is preserved with now.
 *
 * What is best effort is left out always.
 *
 * Return: anything but KHO_NEXT_NONE.
 */
enum kho_next_status kho_compare_next(const struct kho_outgoing *out,
				      const struct kho_next *next, bool in_use)
{
	if (in_use && !kho_outgoing_users(out, out->table->components[0]))
		return KHO_NEXT_COMPATIBLE;
	if (!kho_next_takes_over(out, next))
		return KHO_NEXT_INCOMPATIBLE;

	for (unsigned int i = 0; i < out->table->nr; i++) {
		const struct kho_component *c = out->table->components[i];

		if (c->best_effort || (in_use && !kho_outgoing_users(out, c)))
			continue;
		if (!kho_next_may_read(out, next, c))
			return KHO_NEXT_INCOMPATIBLE;
	}

	return kho_next_versions_known(next) ? KHO_NEXT_COMPATIBLE : KHO_NEXT_UNKNOWN;
}

/* Room for "4294967295 to 4294967295" */
#define KHO_RANGE_SIZE	25

static const char *kho_range_text(char *text, u32 min_version, u32 version)
{
	if (min_version == version)
		snprintf(text, KHO_RANGE_SIZE, "%u", version);
	else
		snprintf(text, KHO_RANGE_SIZE, "%u to %u", min_version, version);
	return text;
}

/* What to do about a version that the next kernel does not read */
static const char *kho_version_advice(const struct kho_component *c,
				      const struct kho_image_entry *entry)
{
	const bool users = atomic_long_read(&c->users);

	if (!kho_common_version(c, entry->min_version, entry->version))
		return "no version that this kernel writes";
	if (c->pinned && users)
		return "close their sessions, lift the pin, load the image, preserve again";
	if (c->pinned)
		return "lift the pin, write auto to components/*/write";
	return "close their sessions, load the image, preserve again";
}

static void kho_log_version(const struct kho_component *c, long users,
			    const struct kho_image_entry *entry)
{
	char reads[KHO_RANGE_SIZE], writes[KHO_RANGE_SIZE];

	kho_range_text(reads, entry->min_version, entry->version);
	if (users)
		pr_warn("%s: %ld preserved as version %u, the image reads %s: %s\n",
			c->name, users, c->write, reads, kho_version_advice(c, entry));
	else if (c->pinned)
		pr_warn("%s: pinned to version %u, the image reads %s: %s\n",
			c->name, c->write, reads, kho_version_advice(c, entry));
	else
		pr_warn("%s: this kernel writes %s, the image reads %s\n", c->name,
			kho_write_is_fixed(c) ?
			kho_range_text(writes, c->write, c->write) :
			kho_range_text(writes, c->min_write, c->version), reads);
}

static void kho_log_component(const struct kho_outgoing *out,
			      const struct kho_next *next,
			      const struct kho_component *c)
{
	const struct kho_image_entry *entry =
		kho_find_entry(next->entries, next->nr, c->name);
	long users = kho_outgoing_users(out, c);

	if (kho_loses_sessions(out, next, c))
		pr_warn("%s: %ld in use with version %u, the image starts with live update off, it needs liveupdate=on\n",
			c->name, users, c->write);
	else if (!entry)
		pr_warn("%s: %ld in use with version %u, the image lacks this component\n",
			c->name, users, c->write);
	else
		kho_log_version(c, users, entry);
}

/* The reason for rejecting a kernel without looking at versions */
static void kho_log_takeover(const struct kho_outgoing *out,
			     const struct kho_next *next)
{
	if (next->known == KHO_NEXT_BARE) {
		pr_warn("it was loaded without a handover: load it by kexec_file_load(), as kexec -s does\n");
		return;
	}
	if (next->flaw)
		pr_warn("%s: no version of it can be assumed\n", next->flaw);
	if (!next->kho_on)
		pr_warn("it starts with KHO off, it needs kho=on on its command line\n");
	if (next->page_shift != PAGE_SHIFT)
		pr_warn("its pages have 2^%u bytes, expected 2^%u\n",
			next->page_shift, PAGE_SHIFT);
	if (next->less_memory)
		pr_warn("its command line limits memory, remove its mem= or memmap=\n");
	if (out->scratch > KHO_NEXT_MAX_SCRATCH)
		pr_warn("this kernel has %u areas of scratch, it takes at most %u\n",
			out->scratch, KHO_NEXT_MAX_SCRATCH);
	if (!kho_next_knows_fdt(out, next))
		pr_warn("next/assume declares it Linux 7.3, which reads only '%s', and this handover has newer versions\n",
			KHO_FDT_COMPATIBLE_BASELINE);
}

/* The reason why its versions are unknown */
static void kho_log_unknown(const struct kho_next *next)
{
	if (next->known == KHO_NEXT_BROKEN)
		pr_warn("its note is invalid, the image is damaged or newer\n");
	else if (next->known == KHO_NEXT_OPAQUE && !next->flaw)
		pr_warn("it has no note and may have no KHO; if it is Linux 7.3 with KHO: echo 7.3 > /sys/kernel/kho/next/assume, and load it again\n");
}

/* Log the reasons for a result other than KHO_NEXT_COMPATIBLE */
static void kho_log_reasons(const struct kho_outgoing *out,
			    const struct kho_next *next, bool in_use)
{
	kho_log_unknown(next);
	kho_log_takeover(out, next);
	if (next->known == KHO_NEXT_BARE)
		return;

	for (unsigned int i = 0; i < out->table->nr; i++) {
		const struct kho_component *c = out->table->components[i];

		if (c->best_effort || (in_use && !kho_outgoing_users(out, c)))
			continue;
		if (!kho_next_may_read(out, next, c))
			kho_log_component(out, next, c);
	}
}

static int kho_reject(const char *what, const struct kho_outgoing *out,
		      const struct kho_next *next, bool in_use)
{
	if (kho_check_only_warns() ||
	    kho_compare_next(out, next, in_use) == KHO_NEXT_COMPATIBLE)
		return 0;

	pr_err("%s refused by kho_check=enforce, the next kernel could not take over what %s:\n",
	       what, in_use ? "is in use" : "this one can preserve");
	kho_log_reasons(out, next, in_use);
	pr_err("to give up what it cannot read: echo warn > /sys/kernel/kho/check\n");
	/* Not an error for which kexec-tools falls back to kexec_load() */
	return -EPROTONOSUPPORT;
}

/*
 * No image is rejected for what is best effort, but it is lost nevertheless; and no
 * image records what its modules read.
 */
static bool kho_may_lose(const struct kho_outgoing *out, const struct kho_next *next,
			 const struct kho_component *c)
{
	if (!kho_outgoing_users(out, c))
		return false;
	if (c->best_effort)
		return !kho_next_takes_over(out, next) || !kho_next_versions_known(next) ||
		       !kho_next_may_read(out, next, c);

	return c->loadable && !kho_find_entry(next->entries, next->nr, c->name);
}

static void kho_warn(const struct kho_outgoing *out, const struct kho_next *next,
		     bool in_use)
{
	if (kho_compare_next(out, next, in_use) != KHO_NEXT_COMPATIBLE) {
		pr_warn("the next kernel may be unable to take over from this one:\n");
		kho_log_reasons(out, next, in_use);
	}

	for (unsigned int i = 0; i < out->table->nr; i++) {
		const struct kho_component *c = out->table->components[i];

		if (kho_may_lose(out, next, c))
			kho_log_component(out, next, c);
	}
}

/*
 * A loaded image is compared with all that can be preserved before it is started: a
 * service manager preserves when all else has stopped, and a rejection then comes too
 * late. Without live update only what is in use counts.
 */
static int kho_check_loaded(const char *what, const struct kho_next *next)
{
	struct kho_outgoing out;
	bool in_use;
	int err;

	guard(mutex)(&kho_components_lock);

	out = kho_collect_outgoing();
	in_use = !out.liveupdate;
	err = kho_reject(what, &out, next, in_use);
	if (!err)
		kho_warn(&out, next, in_use);
	return err;
}

/* No reason to reject an image: they can be finished before it is started */
static void kho_warn_unfinished(void)
{
	guard(mutex)(&kho_components_lock);
	for (unsigned int i = 0; i < kho_table.nr; i++) {
		const struct kho_component *c = kho_table.components[i];
		long nr = atomic_long_read(&c->unfinished);

		if (nr)
			pr_warn("%s: %ld of the previous kernel not finished, a kexec would lose them\n",
				c->name, nr);
	}
}

/**
 * arch_kho_image_flaw - check the header of an image for missing KHO support
 * @image: an image without a note, of a format that kexec_file_load() takes.
 * @size: its size in bytes.
 *
 * Return: what is wrong, as the beginning of a sentence; %NULL: nothing.
 */
const char * __weak arch_kho_image_flaw(const void *image, size_t size)
{
	return NULL;
}

/**
 * arch_kho_image_page_shift - the page size of a kernel, going by its image alone
 * @image: an image without a note, of a format that kexec_file_load() takes.
 * @size: its size in bytes.
 *
 * Return: log2 of the size in bytes; that of this kernel if it is unknown.
 */
u32 __weak arch_kho_image_page_shift(const void *image, size_t size)
{
	return PAGE_SHIFT;
}

/**
 * kho_check_load - check an image at load time
 * @image: the image, with kernel and command line in memory. What is learned of
 *	it stays with it.
 *
 * Crash kernels are not checked.
 *
 * Context: called by kexec_file_load() under its lock, before kho_fill_kimage();
 * may sleep.
 * Return: 0; -EPROTONOSUPPORT; -ENOMEM.
 */
int kho_check_load(struct kimage *image)
{
	const void *file = image->kernel_buf;
	const size_t size = image->kernel_buf_len;
	struct kho_next *next = &image->kho.next;
	bool assumed;
	int err;

	if (!kho_is_enabled() || image->type == KEXEC_TYPE_CRASH)
		return 0;

	assumed = xchg(&kho_stock_assumed, false);
	err = kho_describe_next(next, kho_find_note(file, size), image->cmdline_buf);
	if (err)
		return err;

	if (next->known != KHO_NEXT_KNOWN) {
		next->page_shift = arch_kho_image_page_shift(file, size);
		next->flaw = arch_kho_image_flaw(file, size);
	}
	if (next->known == KHO_NEXT_OPAQUE && assumed) {
		guard(mutex)(&kho_components_lock);
		kho_assume_stock(next, &kho_table);
	}

	err = kho_check_loaded("load", next);
	if (!err)
		kho_warn_unfinished();
	return err;
}

/**
 * kho_check_bare - check a load by kexec_load(), which passes no handover
 *
 * Context: called by kexec_load() under its lock, not for a crash kernel; may
 * sleep.
 * Return: 0 or -EPROTONOSUPPORT.
 */
int kho_check_bare(void)
{
	static const struct kho_next bare = { .known = KHO_NEXT_BARE };

	return kho_is_enabled() ? kho_check_loaded("kexec_load()", &bare) : 0;
}

static void kho_agree_component(const struct kho_next *next, struct kho_component *c)
{
	const struct kho_image_entry *entry = NULL;

	if (next && kho_next_versions_known(next))
		entry = kho_find_entry(next->entries, next->nr, c->name);
	kho_component_agree(c, entry ? kho_common_version(c, entry->min_version,
							  entry->version) : 0);
}

/* Have everything written that is not yet as the next kernel reads it best */
static void kho_agree(const struct kho_next *next)
{
	for (unsigned int i = 0; i < kho_table.nr; i++)
		kho_agree_component(next, kho_table.components[i]);
}

/**
 * kho_agree_late - agree with the loaded image about one more component
 * @c: a component that has just been added to the table.
 *
 * The load can no longer be rejected, so the log has the reason for which a start
 * would be rejected.
 *
 * Context: with kho_components_lock; may sleep.
 */
void kho_agree_late(struct kho_component *c)
{
	const struct kho_next *next;
	struct kho_outgoing out;

	if (!kho_next_image)
		return;

	next = &kho_next_image->kho.next;
	kho_agree_component(next, c);

	out = kho_collect_outgoing();
	if (c->best_effort || kho_next_may_read(&out, next, c))
		return;

	pr_warn("%s was registered after the image was loaded, which cannot take it over:\n",
		c->name);
	kho_log_component(&out, next, c);
}

/* An image without a note may be one that does not read the FDT for the area */
static void kho_warn_crash(const struct kho_next *next)
{
	struct kho_scratch area[KHO_MAX_CRASH_AREAS];
	u64 room = kho_crash_room();

	if (next->known != KHO_NEXT_KNOWN && kho_crash_areas(area))
		pr_warn("the next kernel may not find the area for a crash kernel and needs scratch for one: cold boot with a larger kho_scratch=\n");
	else if (next->known == KHO_NEXT_KNOWN && next->crash_size > room)
		pr_warn("crashkernel= of the next kernel is %llu KiB, the area of this one has %llu KiB: it needs scratch for one, or a cold boot\n",
			next->crash_size >> 10, room >> 10);
}

/**
 * kho_accept_next - check an image again when it is complete, and agree with it
 * @image: the image, which replaces the loaded one unless this fails.
 *
 * Something may have been preserved since kho_check_load(), in a version that the
 * image does not read. From now on no such version is written.
 *
 * Context: called by kexec_file_load() under its lock, just before @image is
 * installed; may sleep.
 * Return: 0 or -EPROTONOSUPPORT.
 */
int kho_accept_next(const struct kimage *image)
{
	struct kho_outgoing out;
	int err;

	if (!kho_is_enabled() || image->type == KEXEC_TYPE_CRASH)
		return 0;

	scoped_guard(mutex, &kho_components_lock) {
		out = kho_collect_outgoing();
		err = kho_reject("load", &out, &image->kho.next, !out.liveupdate);
		if (err)
			return err;

		WRITE_ONCE(kho_next_image, image);
		kho_agree(&image->kho.next);
	}

	kho_warn_crash(&image->kho.next);
	kho_sysfs_notify_image();
	return 0;
}

/**
 * kho_set_next - the image for the next kexec has changed
 * @image: the one that is loaded now, %NULL for none.
 *
 * Context: called by kexec under its lock, before the image that @image replaces
 * is freed; may sleep.
 */
void kho_set_next(const struct kimage *image)
{
	scoped_guard(mutex, &kho_components_lock) {
		if (image == kho_next_image)
			return;
		WRITE_ONCE(kho_next_image, image);
		kho_agree(image ? &image->kho.next : NULL);
	}

	kho_sysfs_notify_image();
}

/**
 * kho_check_next - check the loaded image before it is started
 *
 * More may be preserved now than when it was loaded. What is written is fixed from
 * then on, until kho_kexec_failed(). Live update checks again, without repeating
 * warnings, once nothing more can be preserved.
 *
 * Context: called by kexec under its lock, with an image loaded; may sleep.
 * Return: 0 or -EPROTONOSUPPORT.
 */
int kho_check_next(void)
{
	struct kho_outgoing out;
	int err;

	guard(mutex)(&kho_components_lock);

	out = kho_collect_outgoing();
	err = kho_reject("reboot", &out, &kho_next_image->kho.next, true);
	if (err)
		return err;

	if (!kho_versions_fixed)
		kho_warn(&out, &kho_next_image->kho.next, true);
	kho_versions_fixed = true;
	return 0;
}

/**
 * kho_kexec_failed - the image that kho_check_next() let pass is not started
 *
 * Context: as kho_check_next().
 */
void kho_kexec_failed(void)
{
	guard(mutex)(&kho_components_lock);

	kho_versions_fixed = false;
}

/* For userspace */

/**
 * kho_next_loaded - check whether an image is loaded
 *
 * Context: any; the result may be outdated at once.
 * Return: %true if there is one that kho_next_status() is about.
 */
bool kho_next_loaded(void)
{
	return READ_ONCE(kho_next_image);
}

/**
 * kho_next_status - status of the loaded image
 * @in_use: leave out what nothing is preserved with now. Otherwise the result is
 *	that of a load.
 *
 * Objects of the previous kernel that are not finished are lost by a kexec into any
 * image.
 *
 * Context: may sleep.
 * Return: the status; KHO_NEXT_NONE if no image is loaded.
 */
enum kho_next_status kho_next_status(bool in_use)
{
	struct kho_outgoing out;

	guard(mutex)(&kho_components_lock);

	out = kho_collect_outgoing();
	if (!kho_next_image || !kho_is_enabled())
		return KHO_NEXT_NONE;
	if (kho_unfinished())
		return KHO_NEXT_INCOMPATIBLE;

	return kho_compare_next(&out, &kho_next_image->kho.next,
				in_use || !out.liveupdate);
}

/**
 * kho_next_entry - what the image that is loaded reads of a component
 * @name: name of the component.
 * @entry: where to copy the entry of its note, or the assumed one.
 *
 * Context: may sleep.
 * Return: %false if there is no image, no note, or nothing of that name in it.
 */
bool kho_next_entry(const char *name, struct kho_image_entry *entry)
{
	const struct kho_image_entry *found = NULL;

	guard(mutex)(&kho_components_lock);

	if (kho_next_image)
		found = kho_find_entry(kho_next_image->kho.next.entries,
				       kho_next_image->kho.next.nr, name);
	if (found)
		*entry = *found;

	return found;
}

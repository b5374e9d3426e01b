// SPDX-License-Identifier: GPL-2.0-only
/*
 * The check of the next kernel's image: can it read what is handed over?
 *
 * Owns the search for the note in an image, the judgement of what it says, and
 * what follows from that: kho_check=, whether an image may be loaded, whether
 * it may be started. After kexec nothing could be refused any more. What the
 * note of this kernel says is kho_note.c, what userspace sees is kho_sysfs.c.
 *
 * The layout of the note is in linux/kho/abi/image.h.
 */

#define pr_fmt(fmt) "KHO: image: " fmt

#include <linux/cleanup.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/kexec.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/image.h>
#include <linux/kho/abi/kexec_handover.h>
#include <linux/kho/abi/kexec_metadata.h>
#include <linux/kho/abi/luo.h>
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
static const struct kimage *kho_next_image;
static DEFINE_MUTEX(kho_next_lock);

static enum kho_check_mode kho_check_mode = KHO_CHECK_ENFORCE;

static const char *const kho_check_mode_names[] = {
	[KHO_CHECK_ENFORCE] = "enforce",
	[KHO_CHECK_STRICT] = "strict",
	[KHO_CHECK_WARN] = "warn",
};

/**
 * kho_check_mode_name - what a refusal needs, in one word
 *
 * Return: the word, for sysfs.
 */
const char *kho_check_mode_name(void)
{
	return kho_check_mode_names[READ_ONCE(kho_check_mode)];
}

/**
 * kho_set_check_mode - say what the check is to refuse
 * @name: "enforce", "strict" or "warn"; a newline may follow.
 *
 * Return: 0; -EINVAL for any other word.
 */
int kho_set_check_mode(const char *name)
{
	int mode = sysfs_match_string(kho_check_mode_names, name);

	if (mode < 0)
		return mode;

	WRITE_ONCE(kho_check_mode, mode);
	return 0;
}

/**
 * kho_check_only_warns - does the check let everything through?
 *
 * Context: any.
 * Return: %true if nothing is to be refused.
 */
bool kho_check_only_warns(void)
{
	return READ_ONCE(kho_check_mode) == KHO_CHECK_WARN;
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

/* What is wrong with a note that has @room to the end of the image, NULL: nothing */
static const char *kho_note_flaw(const struct kho_image_note *note, size_t room)
{
	if (room < sizeof(*note))
		return "is cut off";
	if (note->version != KHO_IMAGE_NOTE_VERSION)
		return "is of a version that this kernel does not know";
	if (note->nr > KHO_IMAGE_NOTE_MAX_ENTRIES)
		return "has too many entries";
	if (room < struct_size(note, entries, note->nr))
		return "is cut off";
	if (kho_note_sum(note))
		return "has a wrong sum";

	for (u32 i = 0; i < note->nr; i++) {
		if (!kho_entry_valid(note, &note->entries[i]))
			return "has an entry that makes no sense";
	}

	return NULL;
}

static bool kho_notes_same(const struct kho_image_note *a,
			   const struct kho_image_note *b)
{
	return a->nr == b->nr && !memcmp(a, b, struct_size(a, entries, a->nr));
}

/**
 * kho_find_note - find the note in the file of a kernel
 * @image: the file, aligned as a u32 is; nothing in it is trusted.
 * @size: its size in bytes.
 *
 * Looks for the magic of this kernel's own note: a copy of it here would be one
 * more magic in the image of this kernel.
 *
 * Return: the note, in @image; %NULL if it has none, or if what it has is
 * damaged or contradicts itself, which is logged.
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
		if (!flaw && found && !kho_notes_same(note, found))
			flaw = "differs from the one before it";
		if (flaw) {
			pr_warn("the note at offset 0x%zx %s\n", at, flaw);
			return NULL;
		}
		found = found ?: note;
	}

	return found;
}

/* As early parameters of the next kernel: the last valid value of each counts */
static int kho_take_parameter(char *param, char *val, const char *unused, void *arg)
{
	struct kho_next *next = arg;
	bool *on;

	if (parameq(param, "kho"))
		on = &next->kho_on;
	else if (parameq(param, "liveupdate"))
		on = &next->liveupdate_on;
	else
		return 0;

	if (kstrtobool(val, on))
		pr_warn("the command line has '%s' as %s=, expected on or off\n",
			val ?: "", param);
	return 0;
}

/**
 * kho_describe_next - what a note and a command line say about a kernel
 * @next: the description, filled in unless there is an error.
 * @note: from kho_find_note(), may be %NULL.
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

	/* What an image does not say is taken to fit */
	*next = (struct kho_next) {
		.known = KHO_NEXT_OPAQUE,
		.kho_on = true,
		.page_shift = PAGE_SHIFT,
	};
	if (note) {
		next->known = KHO_NEXT_KNOWN;
		next->kho_on = note->flags & KHO_IMAGE_NOTE_KHO_ON;
		next->page_shift = note->page_shift;
		next->nr = note->nr;
		memcpy(next->entries, note->entries,
		       flex_array_size(note, entries, note->nr));
	}

	parse_args("the next kernel", copy, NULL, 0, 0, 0, next, kho_take_parameter);
	if (note && !(note->flags & KHO_IMAGE_NOTE_LIVEUPDATE))
		next->liveupdate_on = false;
	return 0;
}

/* What there is to hand over */

/*
 * The FDT has a subtree of KHO itself from boot on, and one of live update,
 * which is empty as long as there are no sessions.
 */
static bool kho_subtree_counts(const void *fdt, int node)
{
	const char *name = fdt_get_name(fdt, node, NULL);

	return fdt_getprop(fdt, node, KHO_SUB_TREE_PROP_NAME, NULL) &&
	       strcmp(name, KHO_METADATA_NODE_NAME) &&
	       strcmp(name, LUO_KHO_ENTRY_NAME);
}

static void kho_look_in_fdt(const void *fdt, void *data)
{
	struct kho_offer *offer = data;
	int node;

	offer->baseline = fdt_stringlist_search(fdt, 0, "compatible",
						KHO_FDT_COMPATIBLE_BASELINE) >= 0;
	fdt_for_each_subnode(node, fdt, 0)
		offer->subtrees += kho_subtree_counts(fdt, node);
}

static struct kho_offer kho_current_offer(void)
{
	struct kho_offer offer = {
		.table = &kho_table,
		.liveupdate = liveupdate_enabled(),
	};

	kho_read_out_fdt(kho_look_in_fdt, &offer);
	return offer;
}

/**
 * kho_offer_users - how many things are preserved with a component
 * @offer: what there is to hand over.
 * @c: one of its components.
 *
 * The tree of preserved memory carries everything.
 *
 * Return: how many.
 */
long kho_offer_users(const struct kho_offer *offer, const struct kho_component *c)
{
	long users = offer->subtrees;

	if (c != offer->table->components[0])
		return atomic_long_read(&c->users);

	for (unsigned int i = 0; i < offer->table->nr; i++)
		users += atomic_long_read(&offer->table->components[i]->users);
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
	struct kho_offer offer = kho_current_offer();

	return kho_offer_users(&offer, c);
}

/* The tree comes first in the table */
static bool kho_in_use(const struct kho_offer *offer)
{
	return kho_offer_users(offer, offer->table->components[0]);
}

/* The judgement */

/* Does that kernel start with its memory map read and KHO on? */
static bool kho_next_takes_over(const struct kho_next *next)
{
	return next->known != KHO_NEXT_BARE && next->kho_on &&
	       next->page_shift == PAGE_SHIFT;
}

/* Without live update sessions are stranded, whatever could be read of them */
static bool kho_strands_sessions(const struct kho_offer *offer,
				 const struct kho_next *next,
				 const struct kho_component *c)
{
	return offer->liveupdate && !next->liveupdate_on && !strcmp(c->name, "luo");
}

static bool kho_next_may_read(const struct kho_offer *offer,
			      const struct kho_next *next,
			      const struct kho_component *c)
{
	const struct kho_image_entry *entry;

	if (kho_strands_sessions(offer, next, c))
		return false;
	if (next->known == KHO_NEXT_OPAQUE)
		return true;

	entry = kho_find_entry(next->entries, next->nr, c->name);
	return entry && entry->min_version <= c->version &&
	       c->version <= entry->version;
}

/**
 * kho_judge_next - can that kernel take over what there is to hand over?
 * @offer: what there is.
 * @next: the kernel.
 * @in_use: leave out what nothing is preserved with now.
 *
 * Return: anything but KHO_NEXT_NONE.
 */
enum kho_next_status kho_judge_next(const struct kho_offer *offer,
				    const struct kho_next *next, bool in_use)
{
	if (in_use && !kho_in_use(offer))
		return KHO_NEXT_COMPATIBLE;
	if (!kho_next_takes_over(next))
		return KHO_NEXT_INCOMPATIBLE;

	for (unsigned int i = 0; i < offer->table->nr; i++) {
		const struct kho_component *c = offer->table->components[i];

		if (in_use && !kho_offer_users(offer, c))
			continue;
		if (!kho_next_may_read(offer, next, c))
			return KHO_NEXT_INCOMPATIBLE;
	}

	return next->known == KHO_NEXT_OPAQUE ? KHO_NEXT_UNKNOWN : KHO_NEXT_COMPATIBLE;
}

/**
 * kho_judgement_error - what a judgement means for load and reboot
 * @mode: what is to be refused.
 * @status: the judgement of what is in use.
 * @baseline: Linux 7.3, whose images do not say what they can read, could read
 *	what there is to hand over.
 *
 * kexec-tools must not take the error for one of a kernel that cannot load this
 * kind of image, or it falls back to kexec_load().
 *
 * Return: 0 to go on; -EPROTONOSUPPORT to refuse.
 */
int kho_judgement_error(enum kho_check_mode mode, enum kho_next_status status,
			bool baseline)
{
	if (status == KHO_NEXT_COMPATIBLE || mode == KHO_CHECK_WARN)
		return 0;
	if (status == KHO_NEXT_UNKNOWN && mode == KHO_CHECK_ENFORCE && baseline)
		return 0;

	return -EPROTONOSUPPORT;
}

static void kho_tell_component(const struct kho_offer *offer,
			       const struct kho_next *next,
			       const struct kho_component *c)
{
	const struct kho_image_entry *entry =
		kho_find_entry(next->entries, next->nr, c->name);
	long users = kho_offer_users(offer, c);

	if (kho_strands_sessions(offer, next, c))
		pr_warn("%s: %ld preserved with version %u, the image starts with live update off\n",
			c->name, users, c->version);
	else if (!entry)
		pr_warn("%s: %ld preserved with version %u, the image has none of it\n",
			c->name, users, c->version);
	else
		pr_warn("%s: %ld preserved with version %u, the image reads %u to %u\n",
			c->name, users, c->version, entry->min_version,
			entry->version);
}

/* Why a judgement was not KHO_NEXT_COMPATIBLE */
static void kho_tell_reasons(const struct kho_offer *offer,
			     const struct kho_next *next, bool in_use)
{
	if (next->known == KHO_NEXT_BARE)
		pr_warn("it was loaded without a handover\n");
	else if (!next->kho_on)
		pr_warn("it starts with KHO off\n");
	else if (next->page_shift != PAGE_SHIFT)
		pr_warn("its pages have 2^%u bytes, expected 2^%u\n",
			next->page_shift, PAGE_SHIFT);
	else if (next->known == KHO_NEXT_OPAQUE)
		pr_warn("it does not say what it can read\n");
	if (!kho_next_takes_over(next))
		return;

	for (unsigned int i = 0; i < offer->table->nr; i++) {
		const struct kho_component *c = offer->table->components[i];

		if (in_use && !kho_offer_users(offer, c))
			continue;
		if (!kho_next_may_read(offer, next, c))
			kho_tell_component(offer, next, c);
	}
}

static int kho_refuse(const char *what, const struct kho_offer *offer,
		      const struct kho_next *next)
{
	enum kho_check_mode mode = READ_ONCE(kho_check_mode);
	int err = kho_judgement_error(mode, kho_judge_next(offer, next, true),
				      offer->baseline);

	if (err) {
		pr_err("%s refused by kho_check=%s, the next kernel could not take over what is preserved:\n",
		       what, kho_check_mode_names[mode]);
		kho_tell_reasons(offer, next, true);
	}

	return err;
}

static void kho_warn(const struct kho_offer *offer, const struct kho_next *next,
		     bool in_use)
{
	if (kho_judge_next(offer, next, in_use) == KHO_NEXT_COMPATIBLE)
		return;

	pr_warn("the next kernel may be unable to take over from this one:\n");
	kho_tell_reasons(offer, next, in_use);
}

/**
 * arch_kho_image_page_shift - the page size of a kernel, going by its image alone
 * @image: an image without a note, of a format that kexec_file_load() takes.
 * @size: its size in bytes.
 *
 * Return: log2 of the size in bytes; that of ours if nothing is known.
 */
u32 __weak arch_kho_image_page_shift(const void *image, size_t size)
{
	return PAGE_SHIFT;
}

/**
 * kho_check_load - may this image be loaded?
 * @image: the image, with kernel and command line in memory. What is learned of
 *	it stays with it.
 *
 * What is not in use is judged, too, but only warned about: something may be
 * preserved before the image is started.
 *
 * Context: called by kexec_file_load() under its lock; may sleep.
 * Return: 0; -EPROTONOSUPPORT; -ENOMEM.
 */
int kho_check_load(struct kimage *image)
{
	const struct kho_offer offer = kho_current_offer();
	struct kho_next *next = &image->kho.next;
	int err;

	err = kho_describe_next(next, kho_find_note(image->kernel_buf,
						    image->kernel_buf_len),
				image->cmdline_buf);
	if (err)
		return err;
	if (next->known == KHO_NEXT_OPAQUE)
		next->page_shift = arch_kho_image_page_shift(image->kernel_buf,
							     image->kernel_buf_len);

	err = kho_refuse("load", &offer, next);
	if (!err)
		kho_warn(&offer, next, false);

	return err;
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
	scoped_guard(mutex, &kho_next_lock) {
		if (image == kho_next_image)
			return;
		kho_next_image = image;
	}

	if (image && image->kho.next.known == KHO_NEXT_BARE && kho_is_enabled())
		pr_warn("loaded without a handover, it can take nothing over\n");
	kho_sysfs_notify();
}

/**
 * kho_check_next - may the image that is loaded be started?
 *
 * More may be preserved now than when it was loaded.
 *
 * Context: called by kexec under its lock, with an image loaded; may sleep.
 * Return: 0 or -EPROTONOSUPPORT.
 */
int kho_check_next(void)
{
	const struct kho_offer offer = kho_current_offer();
	int err;

	guard(mutex)(&kho_next_lock);

	err = kho_refuse("reboot", &offer, &kho_next_image->kho.next);
	if (!err)
		kho_warn(&offer, &kho_next_image->kho.next, true);

	return err;
}

/**
 * kho_recheck_next - may it still be started?
 *
 * For live update, once it lets nobody preserve anything more: something may
 * have been preserved since kho_check_next(). Warnings are not repeated.
 *
 * Context: as kho_check_next().
 * Return: 0 or -EPROTONOSUPPORT.
 */
int kho_recheck_next(void)
{
	const struct kho_offer offer = kho_current_offer();

	guard(mutex)(&kho_next_lock);

	return kho_refuse("reboot", &offer, &kho_next_image->kho.next);
}

/* For userspace */

/**
 * kho_next_status - can the image that is loaded take over?
 *
 * Judges what is in use or, as long as nothing is, whatever could be.
 *
 * Context: may sleep.
 * Return: the judgement; KHO_NEXT_NONE if there is nothing to judge.
 */
enum kho_next_status kho_next_status(void)
{
	const struct kho_offer offer = kho_current_offer();

	guard(mutex)(&kho_next_lock);

	if (!kho_next_image || !kho_is_enabled())
		return KHO_NEXT_NONE;

	return kho_judge_next(&offer, &kho_next_image->kho.next, kho_in_use(&offer));
}

/**
 * kho_next_entry - what the image that is loaded reads of a component
 * @name: name of the component.
 * @entry: where to copy what its note says.
 *
 * Context: may sleep.
 * Return: %false if there is no image, no note, or nothing of that name in it.
 */
bool kho_next_entry(const char *name, struct kho_image_entry *entry)
{
	const struct kho_image_entry *found = NULL;

	guard(mutex)(&kho_next_lock);

	if (kho_next_image)
		found = kho_find_entry(kho_next_image->kho.next.entries,
				       kho_next_image->kho.next.nr, name);
	if (found)
		*entry = *found;

	return found;
}

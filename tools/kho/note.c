// SPDX-License-Identifier: GPL-2.0-only
/*
 * The KHO note of a kernel image: validated by the rules of
 * linux/kho/abi/image.h, which the running kernel applies to an image that is
 * being loaded. Nothing in the image is trusted. Where notes may be is the
 * business of scan.c.
 */
#include <ctype.h>
#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "note.h"

static size_t note_size(const struct kho_image_note *note)
{
	return sizeof(*note) + le32toh(note->nr) * sizeof(note->entries[0]);
}

static uint32_t sum_of_words(const void *start, size_t size)
{
	const uint32_t *words = start;
	uint32_t sum = 0;

	for (size_t i = 0; i < size / sizeof(*words); i++)
		sum += le32toh(words[i]);

	return sum;
}

/*
 * The kernel takes any characters. Here names go to terminals and into JSON,
 * so a forged one must not bring quotes or control characters.
 */
static bool name_is_valid(const struct kho_image_entry *entry)
{
	size_t len = strnlen(entry->name, sizeof(entry->name));

	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)entry->name[i]) &&
		    !strchr("_-.,+", entry->name[i]))
			return false;
	}

	for (size_t i = len; i < sizeof(entry->name); i++) {
		if (entry->name[i])
			return false;
	}

	return len && len < sizeof(entry->name);
}

static bool check_entry(const struct kho_image_note *note, unsigned int i,
			struct reason *why)
{
	const struct kho_image_entry *entry = &note->entries[i];
	uint32_t min_version = le32toh(entry->min_version);
	uint32_t version = le32toh(entry->version);

	if (!name_is_valid(entry))
		return explain(why, "entry %u of the KHO note has no valid name", i);

	for (unsigned int other = 0; other < i; other++) {
		if (!strcmp(note->entries[other].name, entry->name))
			return explain(why, "the KHO note names %s twice",
				       entry->name);
	}

	if (!min_version || min_version > version)
		return explain(why, "the KHO note has versions %u to %u of %s",
			       min_version, version, entry->name);

	return true;
}

bool has_note_magic(const void *data, size_t size)
{
	static const char magic[] = KHO_IMAGE_NOTE_MAGIC;

	return size >= sizeof(magic) && !memcmp(data, magic, sizeof(magic));
}

static bool check_note(const struct kho_image_note *note, size_t size,
		       bool *newer, struct reason *why)
{
	uint32_t sum;

	if (size < sizeof(*note))
		return explain(why, "the file ends within its KHO note");

	*newer = le32toh(note->version) > KHO_IMAGE_NOTE_VERSION;
	if (le32toh(note->version) != KHO_IMAGE_NOTE_VERSION)
		return explain(why, "the KHO note has version %u, expected %u",
			       le32toh(note->version), KHO_IMAGE_NOTE_VERSION);

	if (le32toh(note->nr) > KHO_IMAGE_NOTE_MAX_ENTRIES)
		return explain(why, "the KHO note claims %u entries, expected at most %u",
			       le32toh(note->nr), KHO_IMAGE_NOTE_MAX_ENTRIES);

	if (size < note_size(note))
		return explain(why, "the file ends within its KHO note");

	sum = sum_of_words(note, note_size(note));
	if (sum)
		return explain(why, "the words of the KHO note add up to 0x%x, expected 0",
			       sum);

	for (unsigned int i = 0; i < le32toh(note->nr); i++) {
		if (!check_entry(note, i, why))
			return false;
	}

	return true;
}

size_t note_check(const struct kho_image_note *note, size_t size, bool *newer,
		  struct reason *why)
{
	return check_note(note, size, newer, why) ? note_size(note) : 0;
}

void note_decode(const struct kho_image_note *note, struct kernel *kernel)
{
	kernel->page_shift = le32toh(note->page_shift);
	kernel->kho_on = le32toh(note->flags) & KHO_IMAGE_NOTE_KHO_ON;
	kernel->liveupdate = le32toh(note->flags) & KHO_IMAGE_NOTE_LIVEUPDATE;

	kernel->nr = 0;
	for (unsigned int i = 0; i < le32toh(note->nr); i++)
		add_component(kernel, note->entries[i].name,
			      le32toh(note->entries[i].min_version),
			      le32toh(note->entries[i].version));
}

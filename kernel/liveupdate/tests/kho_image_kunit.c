// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit suite of the check of the next image.
 *
 * What load and reboot make of it, with images and users that are real, is
 * tested in a virtual machine.
 */

#include <kunit/test.h>
#include <linux/kho/abi/image.h>
#include <linux/kho/compat.h>
#include <linux/string.h>

#include "../kexec_handover_internal.h"

/* The note of this kernel */

static u32 note_sum(const struct kho_image_note *note)
{
	const u32 *word = (const u32 *)note;
	const u32 *end = (const u32 *)&note->entries[note->nr];
	u32 sum = 0;

	while (word < end)
		sum += *word++;
	return sum;
}

static void own_note_is_the_table(struct kunit *test)
{
	const struct kho_image_note *note = &kho_image_note;

	KUNIT_ASSERT_EQ(test, note->nr, kho_table.nr);
	for (unsigned int i = 0; i < note->nr; i++) {
		const struct kho_component *c = kho_table.components[i];
		char name[sizeof(note->entries[i].name)] = {};

		KUNIT_ASSERT_GT_MSG(test, strscpy(name, c->name), 0, "%s", c->name);
		KUNIT_EXPECT_MEMEQ(test, note->entries[i].name, name, sizeof(name));
		KUNIT_EXPECT_EQ(test, note->entries[i].version, c->version);
		KUNIT_EXPECT_EQ(test, note->entries[i].min_version, c->min_version);
	}
}

static void own_note_is_valid(struct kunit *test)
{
	const struct kho_image_note *note = &kho_image_note;

	KUNIT_EXPECT_EQ(test, note_sum(note), 0);
	KUNIT_EXPECT_EQ(test, note->page_shift, PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, !!(note->flags & KHO_IMAGE_NOTE_KHO_ON),
			IS_ENABLED(CONFIG_KEXEC_HANDOVER_ENABLE_DEFAULT));
	KUNIT_EXPECT_EQ(test, !!(note->flags & KHO_IMAGE_NOTE_LIVEUPDATE),
			IS_ENABLED(CONFIG_LIVEUPDATE));
	KUNIT_EXPECT_EQ(test, (unsigned long)note % KHO_IMAGE_NOTE_ALIGN, 0);
}

static struct kunit_case image_cases[] = {
	KUNIT_CASE(own_note_is_the_table),
	KUNIT_CASE(own_note_is_valid),
	{}
};

static struct kunit_suite image_suite = {
	.name = "kho_image",
	.test_cases = image_cases,
};

kunit_test_suite(image_suite);

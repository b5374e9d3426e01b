// SPDX-License-Identifier: GPL-2.0-only
/* The note in the image of the next kernel: copies of it, and what is none. */

#include "kexec_handover_internal.h"
#include "tap.h"

#define PLACES	4

/* An image with room for some notes */
static u8 image[PLACES * KHO_IMAGE_NOTE_ALIGN] __aligned(8);

static struct kho_image_note *put_note(unsigned int place)
{
	const size_t size = struct_size(&kho_image_note, entries, kho_image_note.nr);

	return memcpy(&image[place * KHO_IMAGE_NOTE_ALIGN], &kho_image_note, size);
}

static void clear_image(void)
{
	memset(image, 0, sizeof(image));
}

TEST(note_is_found)
{
	clear_image();
	CHECK(!kho_find_note(image, sizeof(image)));
	CHECK(!kho_find_note(image, 0));
	put_note(2);
	CHECK(kho_find_note(image, sizeof(image)) == (void *)&image[2 * KHO_IMAGE_NOTE_ALIGN]);
	put_note(0);
	CHECK(kho_find_note(image, sizeof(image)));
}

TEST(notes_differ)
{
	struct kho_image_note *other;

	clear_image();
	put_note(1);
	other = put_note(3);
	other->entries[0].version++;
	other->sum--;
	CHECK(!kho_find_note(image, sizeof(image)));
	CHECK(sim_logged("differs from the one before it"));
}

/* Not one byte beyond the end is looked at: that would end the program */
TEST(note_is_cut_off)
{
	const size_t size = struct_size(&kho_image_note, entries, kho_image_note.nr);

	clear_image();
	put_note(0);
	for (size_t len = 0; len < size; len++) {
		u8 *copy = memcpy(malloc(len ?: 1), image, len);

		CHECK(!kho_find_note(copy, len));
		free(copy);
	}
	CHECK(kho_find_note(image, size));
}

TEST(every_bit_counts)
{
	const size_t size = struct_size(&kho_image_note, entries, kho_image_note.nr);

	clear_image();
	put_note(0);
	for (size_t bit = 0; bit < size * 8; bit++) {
		image[bit / 8] ^= 1 << bit % 8;
		CHECK(!kho_find_note(image, sizeof(image)));
		image[bit / 8] ^= 1 << bit % 8;
	}
	CHECK(kho_find_note(image, sizeof(image)));
}

TEST(no_memory_for_the_command_line)
{
	struct kho_next next;

	sim_fail_allocation(1);
	CHECK_EQ(-ENOMEM, kho_describe_next(&next, &kho_image_note, "quiet"));
	sim_fail_allocation(0);
	CHECK_EQ(0, kho_describe_next(&next, &kho_image_note, "quiet"));
	CHECK_EQ(kho_image_note.nr, next.nr);
}

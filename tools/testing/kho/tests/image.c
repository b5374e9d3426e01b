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
	CHECK(!IS_ERR_OR_NULL(kho_find_note(image, sizeof(image))));
}

TEST(notes_differ)
{
	struct kho_image_note *other;

	clear_image();
	put_note(1);
	other = put_note(3);
	other->entries[0].version++;
	other->sum--;
	CHECK(IS_ERR(kho_find_note(image, sizeof(image))));
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

		CHECK(IS_ERR_OR_NULL(kho_find_note(copy, len)));
		free(copy);
	}
	CHECK(!IS_ERR_OR_NULL(kho_find_note(image, size)));
}

TEST(every_bit_counts)
{
	const size_t size = struct_size(&kho_image_note, entries, kho_image_note.nr);

	clear_image();
	put_note(0);
	for (size_t bit = 0; bit < size * 8; bit++) {
		image[bit / 8] ^= 1 << bit % 8;
		CHECK(IS_ERR_OR_NULL(kho_find_note(image, sizeof(image))));
		image[bit / 8] ^= 1 << bit % 8;
	}
	CHECK(!IS_ERR_OR_NULL(kho_find_note(image, sizeof(image))));
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

/* What was said of one image is not said of the next */
TEST(nothing_is_assumed_twice)
{
	struct kimage stock = { .kernel_buf = image, .kernel_buf_len = sizeof(image) };

	sim_boot_liveupdate(NULL);
	clear_image();
	stock.cmdline_buf = "kho=on liveupdate=on";
	CHECK_EQ(-EPROTONOSUPPORT, kho_check_load(&stock));
	CHECK(sim_logged("echo 7.3 > /sys/kernel/kho/next/assume"));
	CHECK_EQ(0, kho_set_assumed("7.3"));
	CHECK_EQ(0, kho_check_load(&stock));
	CHECK_EQ(KHO_NEXT_ASSUMED, stock.kho.next.known);
	CHECK_EQ(-EPROTONOSUPPORT, kho_check_load(&stock));

	/* KHO is off by default */
	stock.cmdline_buf = "liveupdate=on";
	CHECK_EQ(0, kho_set_assumed("7.3"));
	CHECK_EQ(-EPROTONOSUPPORT, kho_check_load(&stock));
	CHECK(sim_logged("it needs kho=on"));
}

TEST(without_a_handover)
{
	sim_boot_liveupdate(NULL);
	CHECK_EQ(-EPROTONOSUPPORT, kho_check_bare());
	CHECK(sim_logged("load it by kexec_file_load()"));
	CHECK_EQ(0, kho_set_check_mode("warn"));
	CHECK_EQ(0, kho_check_bare());
	CHECK_EQ(0, kho_set_check_mode("enforce"));
}

TEST(without_a_handover_or_live_update)
{
	sim_boot(NULL);
	CHECK_EQ(0, kho_check_bare());
	CHECK(!sim_logged("may be unable"));
}

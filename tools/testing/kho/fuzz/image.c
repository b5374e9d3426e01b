// SPDX-License-Identifier: GPL-2.0-only
/*
 * The image of the next kernel: the search for its note, and the judgement of
 * what is found. The input is the image.
 */

#include "fuzz.h"
#include "kexec_handover_internal.h"

/* In use, so that every kind of judgement is made */
static struct kho_outgoing out = { .subtrees = 1 };

void fuzz_init(void)
{
	sim_boot(NULL);
	out.table = &kho_table;
}

/* Damage that only the sum gives away says little of the other checks */
static void mend_sum(struct kho_image_note *note)
{
	const u32 *word = (const u32 *)note;
	size_t nr = struct_size(note, entries, note->nr) / sizeof(*word);
	u32 sum = 0;

	while (nr--)
		sum += *word++;
	note->sum -= sum;
}

static void mend_sums(void *image, size_t size)
{
	for (size_t at = 0; at < size; at += KHO_IMAGE_NOTE_ALIGN) {
		struct kho_image_note *note = image + at;
		size_t room = size - at;

		if (room >= sizeof(*note) && note->nr <= KHO_IMAGE_NOTE_MAX_ENTRIES &&
		    room >= struct_size(note, entries, note->nr))
			mend_sum(note);
	}
}

static void bug(const char *what)
{
	fprintf(stderr, "BUG: %s\n", what);
	abort();
}

static void judge(const struct kho_image_note *note, const char *cmdline)
{
	struct kho_next next;

	if (kho_describe_next(&next, note, cmdline))
		bug("out of memory");
	for (u32 i = 0; i < next.nr; i++) {
		if (strnlen(next.entries[i].name, 16) == 16)
			bug("name without an end");
	}
	kho_compare_next(&out, &next, true);
	kho_compare_next(&out, &next, false);
}

/* The bits of the first byte: mend the sums; KHO on, or off, by command line */
void fuzz_one(void)
{
	static const char *const cmdlines[] = { NULL, "kho=on", "kho=off liveupdate" };
	unsigned int flags = fuzz_take(1);
	const struct kho_image_note *note;
	const u8 *input;
	size_t size;
	void *image;

	/* Of its own size, for AddressSanitizer to see where it ends */
	input = fuzz_rest(&size);
	image = malloc(size);
	if (size)
		memcpy(image, input, size);
	if (flags & 1)
		mend_sums(image, size);

	note = kho_find_note(image, size);
	if (!IS_ERR_OR_NULL(note) && ((void *)note - image) % KHO_IMAGE_NOTE_ALIGN)
		bug("note that is not aligned");
	judge(note, cmdlines[(flags >> 1) % ARRAY_SIZE(cmdlines)]);
	free(image);
}

static size_t note_size(void)
{
	return struct_size(&kho_image_note, entries, kho_image_note.nr);
}

static void put_zeroes(size_t size)
{
	while (size--)
		fuzz_put(0, 1);
}

static void put_note(size_t room)
{
	fuzz_put_bytes(&kho_image_note, note_size());
	put_zeroes(room - note_size());
}

void fuzz_seeds(void)
{
	const size_t step = KHO_IMAGE_NOTE_ALIGN;

	fuzz_put(3, 1);
	put_zeroes(step);
	put_note(step);
	fuzz_end_seed("one");

	fuzz_put(0, 1);
	put_note(2 * step);
	put_note(note_size());
	fuzz_end_seed("two");

	fuzz_put(5, 1);
	put_note(note_size());
	fuzz_end_seed("end");
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit suite of the check of the next image: finding a note, reading a command
 * line, comparing, and counting what is in use.
 *
 * Notes are put together here by the description of the ABI. An image that is
 * searched ends where its mapping ends, so that reading beyond it faults. The
 * components that are compared exist here only. Load and reboot with real images
 * are tested in a virtual machine.
 */

#include <kunit/test.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/image.h>
#include <linux/kho/abi/vmalloc.h>
#include <linux/kho/block.h>
#include <linux/kho/compat.h>
#include <linux/kho/image.h>
#include <linux/printk.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "../kexec_handover_internal.h"
#include "kho_kunit.h"

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

/* Finding a note */

#define IMAGE_SIZE	SZ_16K
#define HEADER_SIZE	48
#define ENTRY_SIZE	24
#define NOWHERE		(-1L)
#define BROKEN		(-2L)

struct image_test {
	char *image;	/* is put together here */
	char *end;	/* of a mapping: what is searched lies before it */
};

KUNIT_DEFINE_ACTION_WRAPPER(vfree_action, vfree, const void *);

static int image_test_init(struct kunit *test)
{
	struct image_test *it = kunit_kzalloc(test, sizeof(*it), GFP_KERNEL);
	char *area = vzalloc(IMAGE_SIZE);

	KUNIT_ASSERT_NOT_NULL(test, area);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, vfree_action, area));
	KUNIT_ASSERT_NOT_NULL(test, it);
	it->image = kunit_kzalloc(test, IMAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, it->image);

	it->end = area + IMAGE_SIZE;
	test->priv = it;
	return 0;
}

/* A fault in a call that was to be silent leaves the kernel so */
static void image_test_exit(struct kunit *test)
{
	suppress_printk = false;
}

static void seal(struct kho_image_note *note)
{
	note->sum -= note_sum(note);
}

/* A note with entries "c0", "c1" and so on, each 1 to 2 */
static struct kho_image_note *put_note(struct kunit *test, size_t at, u32 nr)
{
	struct image_test *it = test->priv;
	struct kho_image_note *note = (void *)it->image + at;

	memcpy(note->magic, "\x89KHO image note", sizeof(note->magic));
	note->version = 1;
	note->nr = nr;
	note->page_shift = 12;
	for (u32 i = 0; i < nr; i++) {
		snprintf(note->entries[i].name, sizeof(note->entries[i].name), "c%u", i);
		note->entries[i].min_version = 1;
		note->entries[i].version = 2;
	}
	seal(note);
	return note;
}

/* Where the note of the first @size bytes is found, if there is a good one */
static long found_in(struct kunit *test, size_t size)
{
	struct image_test *it = test->priv;
	const struct kho_image_note *note;
	void *start = it->end - size;

	memcpy(start, it->image, size);
	suppress_printk = true;
	note = kho_find_note(start, size);
	suppress_printk = false;

	if (IS_ERR(note))
		return BROKEN;
	return note ? (void *)note - start : NOWHERE;
}

static void no_note(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, NOWHERE, found_in(test, 0));
	KUNIT_EXPECT_EQ(test, NOWHERE, found_in(test, 4));
	KUNIT_EXPECT_EQ(test, NOWHERE, found_in(test, IMAGE_SIZE));
}

static void one_note(struct kunit *test)
{
	put_note(test, 5 * 512, 3);
	KUNIT_EXPECT_EQ(test, 5 * 512, found_in(test, IMAGE_SIZE));
}

static void note_without_entries(struct kunit *test)
{
	put_note(test, 0, 0);
	KUNIT_EXPECT_EQ(test, 0, found_in(test, IMAGE_SIZE));
}

static void as_many_entries_as_can_be(struct kunit *test)
{
	put_note(test, 512, 32);
	KUNIT_EXPECT_EQ(test, 512, found_in(test, IMAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 512, found_in(test, 512 + 816));
}

static void several_same(struct kunit *test)
{
	put_note(test, 512, 3);
	put_note(test, 7 * 512, 3);
	put_note(test, 9 * 512, 3);
	KUNIT_EXPECT_EQ(test, 512, found_in(test, IMAGE_SIZE));
}

static void several_differing(struct kunit *test)
{
	struct kho_image_note *note;

	put_note(test, 512, 3);
	put_note(test, 7 * 512, 3);
	note = put_note(test, 9 * 512, 3);

	note->entries[2].version++;
	seal(note);
	KUNIT_EXPECT_EQ(test, BROKEN, found_in(test, IMAGE_SIZE));
	note->entries[2].version--;

	/* The sum makes up for it, and would not tell */
	note->flags ^= KHO_IMAGE_NOTE_KHO_ON;
	seal(note);
	KUNIT_EXPECT_EQ(test, BROKEN, found_in(test, IMAGE_SIZE));

	put_note(test, 9 * 512, 2);
	KUNIT_EXPECT_EQ(test, BROKEN, found_in(test, IMAGE_SIZE));
	put_note(test, 9 * 512, 4);
	KUNIT_EXPECT_EQ(test, BROKEN, found_in(test, IMAGE_SIZE));
}

static void at_the_very_end(struct kunit *test)
{
	const size_t size = HEADER_SIZE + 3 * ENTRY_SIZE;

	put_note(test, 4096, 3);
	KUNIT_EXPECT_EQ(test, 4096, found_in(test, 4096 + size));
}

static void cut_off(struct kunit *test)
{
	const size_t size = HEADER_SIZE + 3 * ENTRY_SIZE;

	put_note(test, 4096, 3);
	for (size_t rest = 0; rest < size; rest += sizeof(u32))
		KUNIT_EXPECT_EQ_MSG(test, rest < sizeof_field(struct kho_image_note, magic) ?
				    NOWHERE : BROKEN, found_in(test, 4096 + rest),
				    "%zu bytes are left", rest);

	/* A good one does not make up for it */
	put_note(test, 512, 3);
	KUNIT_EXPECT_EQ(test, BROKEN, found_in(test, 4096 + size - sizeof(u32)));
	KUNIT_EXPECT_EQ(test, 512, found_in(test, 4096 + size));
}

static void not_aligned(struct kunit *test)
{
	put_note(test, 512 + 4, 3);
	put_note(test, 2048 + 256, 3)->sum++;
	KUNIT_EXPECT_EQ(test, NOWHERE, found_in(test, IMAGE_SIZE));

	put_note(test, 8192, 3);
	KUNIT_EXPECT_EQ(test, 8192, found_in(test, IMAGE_SIZE));
}

/* Each takes a valid note with three entries, and may leave the sum wrong */

static void break_version(struct kho_image_note *note)
{
	note->version = 2;
}

static void break_count(struct kho_image_note *note)
{
	note->nr = 33;
}

static void break_count_wrapping(struct kho_image_note *note)
{
	note->nr = U32_MAX;
}

static void without_name(struct kho_image_note *note)
{
	memset(note->entries[1].name, 0, sizeof(note->entries[1].name));
}

static void endless_name(struct kho_image_note *note)
{
	memset(note->entries[1].name, 'x', sizeof(note->entries[1].name));
}

static void more_after_name(struct kho_image_note *note)
{
	note->entries[1].name[15] = 'x';
}

static void name_twice(struct kho_image_note *note)
{
	memcpy(note->entries[2].name, note->entries[0].name, sizeof(note->entries[2].name));
}

static void no_min_version(struct kho_image_note *note)
{
	note->entries[0].min_version = 0;
}

static void no_range(struct kho_image_note *note)
{
	note->entries[2].min_version = 3;
}

static void nothing(struct kho_image_note *note)
{
}

static const struct flaw {
	const char *what;
	void (*make)(struct kho_image_note *note);
	bool valid;
} flaws[] = {
	{ "none at all", nothing, true },
	{ "unknown version", break_version },
	{ "too many entries", break_count },
	{ "more entries than can be counted", break_count_wrapping },
	{ "entry without a name", without_name },
	{ "name without an end", endless_name },
	{ "more behind the name", more_after_name },
	{ "name that is there twice", name_twice },
	{ "min_version 0", no_min_version },
	{ "min_version above version", no_range },
};

static void flaw_name(const struct flaw *flaw, char *desc)
{
	strscpy(desc, flaw->what, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(flaw, flaws, flaw_name);

static void flawed(struct kunit *test)
{
	const struct flaw *flaw = test->param_value;
	struct image_test *it = test->priv;
	struct kho_image_note *note = put_note(test, 1024, 3);

	flaw->make(note);

	/* All the words that it claims to have are there, and add up */
	if (note->nr <= 33)
		seal(note);
	KUNIT_EXPECT_EQ(test, flaw->valid ? 1024 : BROKEN, found_in(test, IMAGE_SIZE));

	/* A good one before it does not help, nor does one after it */
	memcpy(it->image + 4096, note, HEADER_SIZE + 33 * ENTRY_SIZE);
	put_note(test, 1024, 3);
	KUNIT_EXPECT_EQ(test, flaw->valid ? 1024 : BROKEN, found_in(test, IMAGE_SIZE));
	put_note(test, 8192, 3);
	KUNIT_EXPECT_EQ(test, flaw->valid ? 1024 : BROKEN, found_in(test, IMAGE_SIZE));
}

static void wrong_sum(struct kunit *test)
{
	struct kho_image_note *note = put_note(test, 1024, 3);
	u8 *byte = (u8 *)note;

	/* Without the magic it is no note, and no flaw either */
	for (size_t i = sizeof(note->magic); i < HEADER_SIZE + 3 * ENTRY_SIZE; i++) {
		byte[i] ^= 0x10;
		KUNIT_EXPECT_EQ_MSG(test, BROKEN, found_in(test, IMAGE_SIZE),
				    "byte %zu", i);
		byte[i] ^= 0x10;
	}
	KUNIT_EXPECT_EQ(test, 1024, found_in(test, IMAGE_SIZE));
}

/* The command line */

static const struct cmdline {
	const char *text;
	u32 flags;
	bool kho_on, liveupdate_on;
} cmdlines[] = {
	{ NULL, 0, false, false },
	{ NULL, 1, true, false },
	{ "", 3, true, false },
	{ "kho=on", 0, true, false },
	{ "kho=on", 2, true, false },
	{ "kho=off", 3, false, false },
	{ "kho=on kho=off", 2, false, false },
	{ "kho=off root=/dev/sda kho=1", 2, true, false },
	{ "liveupdate=on", 1, true, false },
	{ "liveupdate=on", 3, true, true },
	{ "liveupdate=y liveupdate=n", 3, true, false },
	{ "liveupdate=0 liveupdate=Yes", 3, true, true },
	{ "kho=on liveupdate=on", 2, true, true },
	/* Without a value, or with one that is none, nothing changes */
	{ "kho", 0, false, false },
	{ "kho=", 1, true, false },
	{ "kho=on kho=maybe", 0, true, false },
	/* Not these parameters; quotes make one of what they enclose */
	{ "xkho=on khoo=on kho.x=on kho_scratch=on", 0, false, false },
	{ "\"kho=off liveupdate=on\"", 3, false, false },
	{ "x=\"a kho=off\"", 1, true, false },
	{ "\"kho=off\"", 1, false, false },
	{ "kho=\"off\"", 1, false, false },
	/* What follows is for init */
	{ "liveupdate=on -- liveupdate=off kho=off", 3, true, true },
	{ "-- kho=on", 0, false, false },
};

static void cmdline_name(const struct cmdline *cmdline, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s, flags %u",
		 cmdline->text ?: "none", cmdline->flags);
}

KUNIT_ARRAY_PARAM(cmdline, cmdlines, cmdline_name);

static void reads_command_line(struct kunit *test)
{
	const struct cmdline *cmdline = test->param_value;
	struct kho_image_note *note = put_note(test, 0, 2);
	struct kho_next next;

	note->flags = cmdline->flags;
	KUNIT_ASSERT_EQ(test, 0, kho_describe_next(&next, note, cmdline->text));
	KUNIT_EXPECT_EQ(test, next.known, KHO_NEXT_KNOWN);
	KUNIT_EXPECT_EQ(test, next.kho_on, cmdline->kho_on);
	KUNIT_EXPECT_EQ(test, next.liveupdate_on, cmdline->liveupdate_on);
}

static void describes_note(struct kunit *test)
{
	struct kho_image_note *note = put_note(test, 0, 32);
	struct kho_next next;

	note->page_shift = 16;
	KUNIT_ASSERT_EQ(test, 0, kho_describe_next(&next, note, NULL));
	KUNIT_EXPECT_EQ(test, next.page_shift, 16);
	KUNIT_EXPECT_EQ(test, next.nr, 32);
	KUNIT_EXPECT_MEMEQ(test, next.entries, note->entries, 32 * ENTRY_SIZE);

	KUNIT_ASSERT_EQ(test, 0, kho_describe_next(&next, NULL, "kho=on liveupdate=on"));
	KUNIT_EXPECT_EQ(test, next.known, KHO_NEXT_OPAQUE);
	KUNIT_EXPECT_EQ(test, next.nr, 0);
	KUNIT_EXPECT_EQ(test, next.page_shift, PAGE_SHIFT);
	KUNIT_EXPECT_TRUE(test, next.kho_on);
	KUNIT_EXPECT_TRUE(test, next.liveupdate_on);

	KUNIT_ASSERT_EQ(test, 0, kho_describe_next(&next, ERR_PTR(-EBADMSG), "kho=on"));
	KUNIT_EXPECT_EQ(test, next.known, KHO_NEXT_BROKEN);
	KUNIT_EXPECT_EQ(test, next.nr, 0);
	KUNIT_EXPECT_TRUE(test, next.kho_on);
}

/* What is left out is off, as it would be in that kernel */
static void reads_command_line_without_note(struct kunit *test)
{
	struct kho_next next;

	KUNIT_ASSERT_EQ(test, 0, kho_describe_next(&next, NULL, NULL));
	KUNIT_EXPECT_EQ(test, next.known, KHO_NEXT_OPAQUE);
	KUNIT_EXPECT_FALSE(test, next.kho_on);
	KUNIT_EXPECT_FALSE(test, next.liveupdate_on);

	KUNIT_ASSERT_EQ(test, 0, kho_describe_next(&next, NULL, "liveupdate=on kho=0"));
	KUNIT_EXPECT_FALSE(test, next.kho_on);
	KUNIT_EXPECT_TRUE(test, next.liveupdate_on);
}

static void assumes_baseline(struct kunit *test)
{
	struct kho_component components[] = {
		{ "radix", .version = 3, .min_version = 1, .baseline = 2 },
		{ "novel", .version = 1, .min_version = 1 },
		{ "luo", .version = 5, .min_version = 5, .baseline = 5 },
	};
	struct kho_component *list[] = { &components[0], &components[1], &components[2] };
	const struct kho_component_table table = { list, ARRAY_SIZE(list) };
	struct kho_next next;

	KUNIT_ASSERT_EQ(test, 0, kho_describe_next(&next, NULL, "kho=on"));
	kho_assume_stock(&next, &table);
	KUNIT_EXPECT_EQ(test, next.known, KHO_NEXT_ASSUMED);
	KUNIT_ASSERT_EQ(test, next.nr, 2);
	KUNIT_EXPECT_STREQ(test, next.entries[0].name, "radix");
	KUNIT_EXPECT_EQ(test, next.entries[0].min_version, 2);
	KUNIT_EXPECT_EQ(test, next.entries[0].version, 2);
	KUNIT_EXPECT_STREQ(test, next.entries[1].name, "luo");
	KUNIT_EXPECT_EQ(test, next.entries[1].version, 5);
}

static const struct taken {
	const char *text;
	bool less, less_x86;	/* on every architecture, on x86 */
} taken[] = {
	{ "quiet", false, false },
	{ "mem=16M", true, true },
	{ "quiet mem=64K kho=on", true, true },
	{ "mem=4096T", false, false },
	{ "mem", false, false },
	{ "mem=nopentium", true, false },	/* no amount is 0 on arm64 */
	{ "memory=16M mem_sleep_default=deep", false, false },
	{ "-- mem=16M", false, false },
	{ "memmap=exactmap", false, true },
	{ "memmap=16M", false, true },
	{ "memmap=4096T", false, false },
	{ "memmap=16M@16M", false, false },
	{ "memmap=1M$16M", false, true },
	{ "memmap=1M#16M", false, true },
	{ "memmap=1M!16M", false, true },
	{ "memmap=1M%16M-1+2", false, true },
	{ "memmap=4K$512T", false, false },
	{ "memmap=16M@16M,4K$512T", false, false },
	{ "memmap=16M@16M,1M$16M", false, true },
	{ "memmap=,", false, false },
	{ "memmap=", false, false },
};

static void taken_name(const struct taken *taken, char *desc)
{
	strscpy(desc, taken->text, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(taken, taken, taken_name);

static void takes_memory(struct kunit *test)
{
	const struct taken *row = test->param_value;
	struct kho_next next;

	suppress_printk = true;
	KUNIT_ASSERT_EQ(test, 0, kho_describe_next(&next, NULL, row->text));
	suppress_printk = false;
	KUNIT_EXPECT_EQ(test, next.less_memory,
			IS_ENABLED(CONFIG_X86) ? row->less_x86 : row->less);
}

/* A bzImage of one sector and its setup sectors, which are four */
#define SETUP_SIZE	(5 * 512)

static const struct header {
	const char *version;
	u16 protocol;
	u32 info, types;
	bool good;
} headers[] = {
	{ "7.3.4 (a@b) #1", 0x20f, 256, 10, true },
	{ "7.3.4 (a@b) #1", 0x20f, 256, BIT(31) | 10, true },
	{ "7.2.0-rc1", 0x20f, 256, 11, true },
	{ "8.0", 0x20f, 508 - 12, 10, true },
	{ "10.1.9", 0x210, 256, 10, true },
	{ "", 0x20f, 256, 10, true },
	{ "7.1.20", 0x20f, 256, 10, false },
	{ "6.18.0-1-amd64", 0x20f, 256, 10, false },
	{ "7.3.4 of old types", 0x20f, 256, 9, false },
	{ "7.3.4 of old types with bit", 0x20f, 256, BIT(31) | 9, false },
	{ "7.3.4 of an old protocol", 0x20e, 256, 10, false },
	{ "7.3.4 without kernel_info", 0x20f, 0, 10, false },
	{ "7.3.4 with kernel_info cut off", 0x20f, 509 - 12, 0, false },
	{ "7.3.4 with kernel_info beyond", 0x20f, U32_MAX, 0, false },
};

static void header_name(const struct header *header, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s, 0x%x", header->version,
		 header->protocol);
}

KUNIT_ARRAY_PARAM(header, headers, header_name);

static void reads_x86_header(struct kunit *test)
{
	const struct header *row = test->param_value;
	struct image_test *it = test->priv;
	char *image = it->image;

	if (!IS_ENABLED(CONFIG_X86))
		kunit_skip(test, "no bzImage is loaded here");

	*(u16 *)&image[0x206] = row->protocol;
	*(u16 *)&image[0x20e] = 0x100;
	strscpy(&image[0x300], row->version, 64);
	*(u32 *)&image[0x268] = row->info;
	if (row->types)
		*(u32 *)&image[SETUP_SIZE + row->info + 12] = row->types;
	KUNIT_EXPECT_EQ(test, row->good, !arch_kho_image_flaw(image, SETUP_SIZE + 512));

	/* Not one byte beyond the end is read */
	for (size_t size = 0; size < SETUP_SIZE + 512; size += 4)
		arch_kho_image_flaw(memcpy(it->end - size, image, size), size);
}

/* Judging */

enum { RADIX, BLOCK, LUO, MEMFD, NR_COMPONENTS };

/* Of each the next kernel reads 3 to 5, and nothing of "spare" is written here */
static const struct kho_next good = {
	.known = KHO_NEXT_KNOWN,
	.kho_on = true,
	.liveupdate_on = true,
	.page_shift = PAGE_SHIFT,
	.nr = NR_COMPONENTS + 1,
	.entries = {
		{ "spare", 1, 1 },
		{ "memfd", 3, 5 },
		{ "luo", 3, 5 },
		{ "block", 3, 5 },
		{ "radix", 3, 5 },
	},
};

static void is_good(struct kho_next *next)
{
}

static void is_bare(struct kho_next *next)
{
	*next = (struct kho_next) {};
}

static void is_opaque(struct kho_next *next)
{
	next->known = KHO_NEXT_OPAQUE;
	next->nr = 0;
}

static void is_broken(struct kho_next *next)
{
	next->known = KHO_NEXT_BROKEN;
	next->nr = 0;
}

static void is_assumed(struct kho_next *next)
{
	next->known = KHO_NEXT_ASSUMED;
}

static void has_a_flaw(struct kho_next *next)
{
	is_opaque(next);
	next->flaw = "it is of another kind";
}

static void has_less_memory(struct kho_next *next)
{
	next->less_memory = true;
}

static void is_opaque_with_kho_off(struct kho_next *next)
{
	is_opaque(next);
	next->kho_on = false;
}

static void is_opaque_with_liveupdate_off(struct kho_next *next)
{
	is_opaque(next);
	next->liveupdate_on = false;
}

static void has_kho_off(struct kho_next *next)
{
	next->kho_on = false;
}

static void has_liveupdate_off(struct kho_next *next)
{
	next->liveupdate_on = false;
}

static void has_other_pages(struct kho_next *next)
{
	next->page_shift++;
}

static void has_no_memfd(struct kho_next *next)
{
	strscpy(next->entries[1].name, "memf");
}

static void has_no_radix(struct kho_next *next)
{
	next->nr--;
}

#define C	KHO_NEXT_COMPATIBLE
#define I	KHO_NEXT_INCOMPATIBLE
#define U	KHO_NEXT_UNKNOWN

static const struct judgement {
	const char *what;
	void (*next)(struct kho_next *next);
	unsigned int subtrees;
	long users[NR_COMPONENTS];
	u32 versions[NR_COMPONENTS];	/* 0: one that can be read */
	bool no_sessions;	/* can be made here */
	bool no_baseline;	/* kho-v4 is not listed */
	unsigned int scratch;
	enum kho_next_status in_use, overall;
} judgements[] = {
	{ "good, nothing in use", is_good, .in_use = C, .overall = C },
	{ "good, subtree", is_good, 1, .in_use = C, .overall = C },
	{ "good, all in use", is_good, 2, { 1, 2, 3, 4 }, .in_use = C, .overall = C },
	{ "oldest and newest", is_good, 0, { 0, 1, 1, 1 }, { 3, 5, 3, 5 },
	  .in_use = C, .overall = C },

	{ "bare, nothing in use", is_bare, .in_use = C, .overall = I },
	{ "bare, subtree", is_bare, 1, .in_use = I, .overall = I },
	{ "bare, session", is_bare, 0, { 0, 1, 1, 0 }, .in_use = I, .overall = I },
	{ "opaque, nothing in use", is_opaque, .in_use = C, .overall = U },
	{ "opaque, subtree", is_opaque, 1, .in_use = U, .overall = U },
	{ "opaque, session", is_opaque, 0, { 0, 1, 1, 0 }, .in_use = U, .overall = U },
	{ "broken, session", is_broken, 0, { 0, 1, 1, 0 }, .in_use = U, .overall = U },
	{ "assumed, session", is_assumed, 0, { 0, 1, 1, 0 }, .in_use = C, .overall = C },
	{ "assumed, session, no kho-v4", is_assumed, 0, { 0, 1, 1, 0 },
	  .no_baseline = true, .in_use = I, .overall = I },
	{ "good, session, no kho-v4", is_good, 0, { 0, 1, 1, 0 },
	  .no_baseline = true, .in_use = C, .overall = C },
	{ "flaw, nothing in use", has_a_flaw, .in_use = C, .overall = I },
	{ "flaw, session", has_a_flaw, 0, { 0, 1, 1, 0 }, .in_use = I, .overall = I },
	{ "less memory, nothing in use", has_less_memory, .in_use = C, .overall = I },
	{ "less memory, subtree", has_less_memory, 1, .in_use = I, .overall = I },
	{ "scratch, nothing in use", is_good, .scratch = 128, .in_use = C, .overall = I },
	{ "scratch, subtree", is_good, 1, .scratch = 128, .in_use = I, .overall = I },
	{ "not too much scratch", is_good, 1, .scratch = 127, .in_use = C, .overall = C },
	{ "opaque, KHO off, nothing in use", is_opaque_with_kho_off,
	  .in_use = C, .overall = I },
	{ "opaque, KHO off, subtree", is_opaque_with_kho_off, 1,
	  .in_use = I, .overall = I },
	{ "opaque, live update off, subtree", is_opaque_with_liveupdate_off, 1,
	  .in_use = U, .overall = I },
	{ "opaque, live update off, session", is_opaque_with_liveupdate_off, 0,
	  { 0, 1, 1, 0 }, .in_use = I, .overall = I },

	{ "KHO off, nothing in use", has_kho_off, .in_use = C, .overall = I },
	{ "KHO off, subtree", has_kho_off, 1, .in_use = I, .overall = I },
	{ "other pages, nothing in use", has_other_pages, .in_use = C, .overall = I },
	{ "other pages, memfd", has_other_pages, 0, { 0, 0, 0, 1 },
	  .in_use = I, .overall = I },

	{ "live update off, nothing in use", has_liveupdate_off,
	  .in_use = C, .overall = I },
	{ "live update off, subtree", has_liveupdate_off, 1, .in_use = C, .overall = I },
	{ "live update off, session", has_liveupdate_off, 0, { 0, 1, 1, 0 },
	  .in_use = I, .overall = I },
	{ "live update off in both", has_liveupdate_off, 1, .no_sessions = true,
	  .in_use = C, .overall = C },

	{ "too new, not in use", is_good, 1, { 0, 1, 1, 0 }, { 0, 0, 0, 6 },
	  .in_use = C, .overall = I },
	{ "too new, in use", is_good, 0, { 0, 1, 1, 1 }, { 0, 0, 0, 6 },
	  .in_use = I, .overall = I },
	{ "too old, not in use", is_good, 1, { 0, 0, 1, 1 }, { 0, 2, 0, 0 },
	  .in_use = C, .overall = I },
	{ "too old, in use", is_good, 0, { 0, 1, 1, 1 }, { 0, 2, 0, 0 },
	  .in_use = I, .overall = I },
	{ "missing, not in use", has_no_memfd, 0, { 0, 1, 1, 0 },
	  .in_use = C, .overall = I },
	{ "missing, in use", has_no_memfd, 0, { 0, 1, 1, 9 }, .in_use = I, .overall = I },

	/* Nothing is in use without the tree */
	{ "tree too new, nothing in use", is_good, 0, {}, { 6 }, .in_use = C, .overall = I },
	{ "tree too new, subtree", is_good, 1, {}, { 6 }, .in_use = I, .overall = I },
	{ "tree too new, memfd", is_good, 0, { 0, 0, 0, 1 }, { 6 },
	  .in_use = I, .overall = I },
	{ "tree missing, block", has_no_radix, 0, { 0, 1, 0, 0 },
	  .in_use = I, .overall = I },
};

static void judgement_name(const struct judgement *judgement, char *desc)
{
	strscpy(desc, judgement->what, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(judgement, judgements, judgement_name);

static void judges(struct kunit *test)
{
	static const char *const names[] = { "radix", "block", "luo", "memfd" };
	const struct judgement *row = test->param_value;
	struct kho_component components[NR_COMPONENTS] = {};
	struct kho_component *list[NR_COMPONENTS];
	const struct kho_component_table table = { list, NR_COMPONENTS };
	const struct kho_outgoing out = {
		.table = &table,
		.subtrees = row->subtrees,
		.liveupdate = !row->no_sessions,
		.baseline = !row->no_baseline,
		.scratch = row->scratch,
	};
	struct kho_next *next = kunit_kmalloc(test, sizeof(*next), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, next);
	*next = good;
	row->next(next);
	for (int i = 0; i < NR_COMPONENTS; i++) {
		components[i].name = names[i];
		components[i].version = row->versions[i] ?: 4;
		components[i].min_write = components[i].version;
		components[i].write = components[i].version;
		components[i].needs_liveupdate = i == LUO;
		atomic_long_set(&components[i].users, row->users[i]);
		list[i] = &components[i];
	}

	KUNIT_EXPECT_EQ(test, row->in_use, kho_compare_next(&out, next, true));
	KUNIT_EXPECT_EQ(test, row->overall, kho_compare_next(&out, next, false));
}

/* A region that is lost refuses nothing, and hides nothing else */
static void best_effort_is_left_out(struct kunit *test)
{
	struct kho_component components[] = {
		{ "radix", .version = 4 },
		{ "lost", .version = 4, .best_effort = true },
		{ "memfd", .version = 6, .min_write = 6 },
	};
	struct kho_component *list[] = { &components[0], &components[1], &components[2] };
	const struct kho_component_table table = { list, ARRAY_SIZE(list) };
	struct kho_outgoing out = { .table = &table };

	kho_component_get(&components[1]);
	KUNIT_EXPECT_EQ(test, 0, kho_outgoing_users(&out, &components[0]));
	KUNIT_EXPECT_EQ(test, 1, kho_outgoing_users(&out, &components[1]));
	KUNIT_EXPECT_EQ(test, C, kho_compare_next(&out, &good, true));
	KUNIT_EXPECT_EQ(test, I, kho_compare_next(&out, &good, false));
	components[2].min_write = 5;
	KUNIT_EXPECT_EQ(test, C, kho_compare_next(&out, &good, false));
}

static void tree_is_used_by_all(struct kunit *test)
{
	struct kho_component components[] = { { "radix" }, { "block" }, { "luo" } };
	struct kho_component *list[] = { &components[0], &components[1], &components[2] };
	const struct kho_component_table table = { list, ARRAY_SIZE(list) };
	struct kho_outgoing out = { .table = &table };

	KUNIT_EXPECT_EQ(test, 0, kho_outgoing_users(&out, &components[0]));
	kho_component_get(&components[1]);
	kho_component_get(&components[2]);
	kho_component_get(&components[2]);
	out.subtrees = 10;
	KUNIT_EXPECT_EQ(test, 13, kho_outgoing_users(&out, &components[0]));
	KUNIT_EXPECT_EQ(test, 1, kho_outgoing_users(&out, &components[1]));
	KUNIT_EXPECT_EQ(test, 2, kho_outgoing_users(&out, &components[2]));
	kho_component_put(&components[1]);
	KUNIT_EXPECT_EQ(test, 12, kho_outgoing_users(&out, &components[0]));
	KUNIT_EXPECT_EQ(test, 0, kho_outgoing_users(&out, &components[1]));
}

static void modes_by_name(struct kunit *test)
{
	const char *before = kho_check_mode_name();

	KUNIT_EXPECT_EQ(test, 0, kho_set_check_mode("warn"));
	KUNIT_EXPECT_STREQ(test, "warn", kho_check_mode_name());
	KUNIT_EXPECT_EQ(test, -EINVAL, kho_set_check_mode(""));
	KUNIT_EXPECT_EQ(test, -EINVAL, kho_set_check_mode("strict"));
	KUNIT_EXPECT_STREQ(test, "warn", kho_check_mode_name());
	KUNIT_EXPECT_EQ(test, 0, kho_set_check_mode("enforce\n"));
	KUNIT_EXPECT_STREQ(test, "enforce", kho_check_mode_name());

	kho_set_check_mode(before);
}

static void assumption_by_name(struct kunit *test)
{
	const char *before = kho_assumed_name();

	KUNIT_EXPECT_EQ(test, 0, kho_set_assumed("7.3\n"));
	KUNIT_EXPECT_STREQ(test, "7.3", kho_assumed_name());
	KUNIT_EXPECT_EQ(test, -EINVAL, kho_set_assumed("7.2"));
	KUNIT_EXPECT_EQ(test, -EINVAL, kho_set_assumed(""));
	KUNIT_EXPECT_STREQ(test, "7.3", kho_assumed_name());
	KUNIT_EXPECT_EQ(test, 0, kho_set_assumed("none"));
	KUNIT_EXPECT_STREQ(test, "none", kho_assumed_name());

	kho_set_assumed(before);
}

/* What is in use, by this kernel's own components */

static void vmalloc_is_counted(struct kunit *test)
{
	long before = kho_component_users(&kho_vmalloc_component);
	long tree = kho_component_users(&kho_radix_component);
	void *blob = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	struct kho_vmalloc descriptor;
	void *area;

	kho_kunit_needs_kho(test);
	area = vzalloc(PAGE_SIZE);
	KUNIT_ASSERT_NOT_NULL(test, blob);
	KUNIT_ASSERT_NOT_NULL(test, area);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, vfree_action, area));

	KUNIT_EXPECT_EQ(test, -EINVAL, kho_preserve_vmalloc(blob, &descriptor));
	KUNIT_EXPECT_EQ(test, before, kho_component_users(&kho_vmalloc_component));

	KUNIT_ASSERT_EQ(test, 0, kho_preserve_vmalloc(area, &descriptor));
	KUNIT_EXPECT_EQ(test, before + 1, kho_component_users(&kho_vmalloc_component));
	KUNIT_EXPECT_EQ(test, tree + 1, kho_component_users(&kho_radix_component));
	kho_unpreserve_vmalloc(&descriptor);
	KUNIT_EXPECT_EQ(test, before, kho_component_users(&kho_vmalloc_component));
	KUNIT_EXPECT_EQ(test, tree, kho_component_users(&kho_radix_component));
}

static void sets_with_blocks_are_counted(struct kunit *test)
{
	long before = kho_component_users(&kho_block_component);
	struct kho_block_set one, other;

	kho_kunit_needs_kho(test);
	kho_block_set_init(&one, PAGE_SIZE / 4);
	kho_block_set_init(&other, PAGE_SIZE / 4);
	KUNIT_EXPECT_EQ(test, before, kho_component_users(&kho_block_component));

	/* Three entries fit in a block */
	KUNIT_ASSERT_EQ(test, 0, kho_block_set_grow(&one, 1));
	KUNIT_ASSERT_EQ(test, 0, kho_block_set_grow(&one, 7));
	KUNIT_EXPECT_EQ(test, before + 1, kho_component_users(&kho_block_component));
	KUNIT_ASSERT_EQ(test, 0, kho_block_set_grow(&other, 4));
	KUNIT_EXPECT_EQ(test, before + 2, kho_component_users(&kho_block_component));

	kho_block_set_shrink(&one, 1);
	KUNIT_EXPECT_EQ(test, before + 2, kho_component_users(&kho_block_component));
	kho_block_set_shrink(&one, 0);
	KUNIT_EXPECT_EQ(test, before + 1, kho_component_users(&kho_block_component));
	kho_block_set_destroy(&other);
	KUNIT_EXPECT_EQ(test, before, kho_component_users(&kho_block_component));
}

static void subtrees_are_counted(struct kunit *test)
{
	long before = kho_component_users(&kho_radix_component);
	void *blob;

	kho_kunit_needs_kho(test);
	blob = kho_alloc_preserve(PAGE_SIZE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(blob));
	KUNIT_EXPECT_EQ(test, 0, kho_add_subtree("kho-image-test", blob, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, before + 1, kho_component_users(&kho_radix_component));
	kho_remove_subtree(blob);
	KUNIT_EXPECT_EQ(test, before, kho_component_users(&kho_radix_component));
	kho_unpreserve_free(blob);
}

static struct kunit_case image_cases[] = {
	KUNIT_CASE(own_note_is_the_table),
	KUNIT_CASE(own_note_is_valid),
	KUNIT_CASE(no_note),
	KUNIT_CASE(one_note),
	KUNIT_CASE(note_without_entries),
	KUNIT_CASE(as_many_entries_as_can_be),
	KUNIT_CASE(several_same),
	KUNIT_CASE(several_differing),
	KUNIT_CASE(at_the_very_end),
	KUNIT_CASE(cut_off),
	KUNIT_CASE(not_aligned),
	KUNIT_CASE(wrong_sum),
	KUNIT_CASE_PARAM(flawed, flaw_gen_params),
	KUNIT_CASE_PARAM(reads_command_line, cmdline_gen_params),
	KUNIT_CASE(describes_note),
	KUNIT_CASE(reads_command_line_without_note),
	KUNIT_CASE(assumes_baseline),
	KUNIT_CASE_PARAM(takes_memory, taken_gen_params),
	KUNIT_CASE_PARAM(reads_x86_header, header_gen_params),
	KUNIT_CASE_PARAM(judges, judgement_gen_params),
	KUNIT_CASE(best_effort_is_left_out),
	KUNIT_CASE(tree_is_used_by_all),
	KUNIT_CASE(modes_by_name),
	KUNIT_CASE(assumption_by_name),
	KUNIT_CASE(vmalloc_is_counted),
	KUNIT_CASE(sets_with_blocks_are_counted),
	KUNIT_CASE(subtrees_are_counted),
	{}
};

static struct kunit_suite image_suite = {
	.name = "kho_image",
	.init = image_test_init,
	.exit = image_test_exit,
	.test_cases = image_cases,
};

kunit_test_suite(image_suite);

// SPDX-License-Identifier: GPL-2.0-only
/*
 * EFI programs: an arm64 Image, which is one as well, see
 * Documentation/arch/arm64/booting.rst; a compressed Image that unpacks itself
 * (zboot); and a UKI, which carries a kernel in a section of its own. Of others
 * the bytes tell whether they are Linux.
 */
#include <stdlib.h>
#include <string.h>

#include "format.h"

#define IMAGE_FLAGS		0x18
#define IMAGE_BIG_ENDIAN	1
#define IMAGE_PAGES(flags)	((flags) >> 1 & 3)
#define IMAGE_MAGIC		0x38

#define ZBOOT_MAGIC		0x04
#define ZBOOT_PAYLOAD		0x08
#define ZBOOT_PAYLOAD_SIZE	0x0c

#define PE_OFFSET		0x3c
#define PE_MACHINE		0x04
#define PE_NR_SECTIONS		0x06
#define PE_OPTIONAL_SIZE	0x14
#define PE_HEADER_SIZE		0x18
#define PE_SECTION_SIZE		0x28
#define PE_SECTION_MEMORY_SIZE	0x08
#define PE_SECTION_FILE_SIZE	0x10
#define PE_SECTION_FILE_START	0x14

static const struct {
	unsigned int number;
	const char *name;
} machines[] = {
	{ 0x8664, "x86_64" }, { 0xaa64, "aarch64" }, { 0x14c, "i386" },
	{ 0x1c0, "arm" }, { 0x1c2, "arm" }, { 0x5032, "riscv32" },
	{ 0x5064, "riscv64" }, { 0x6232, "loongarch32" }, { 0x6264, "loongarch64" },
	{ }
};

bool is_pe(const struct head *head)
{
	return HAS_MAGIC(head, 0, "MZ") &&
	       HAS_MAGIC(head, get_le(head, PE_OFFSET, 4), "PE\0\0");
}

const char *pe_machine(const struct head *head)
{
	unsigned int number = get_le(head, get_le(head, PE_OFFSET, 4) + PE_MACHINE, 2);
	size_t i = 0;

	while (machines[i].name && machines[i].number != number)
		i++;
	return machines[i].name ?: "an unknown machine";
}

static uint64_t first_section(const struct head *head)
{
	uint64_t pe = get_le(head, PE_OFFSET, 4);

	return pe + PE_HEADER_SIZE + get_le(head, pe + PE_OPTIONAL_SIZE, 2);
}

static unsigned int nr_sections(const struct head *head)
{
	uint64_t pe = get_le(head, PE_OFFSET, 4);

	if (!pe || !HAS_MAGIC(head, pe, "PE\0\0"))
		return 0;
	return get_le(head, pe + PE_NR_SECTIONS, 2);
}

uint64_t pe_size(const struct head *head)
{
	uint64_t section = first_section(head);
	uint64_t pe = get_le(head, PE_OFFSET, 4);
	uint64_t size = pe ? pe + PE_HEADER_SIZE : 0;

	for (unsigned int nr = nr_sections(head); nr; nr--, section += PE_SECTION_SIZE) {
		uint64_t end = get_le(head, section + PE_SECTION_FILE_START, 4) +
			       get_le(head, section + PE_SECTION_FILE_SIZE, 4);

		if (section + PE_SECTION_SIZE > size)
			size = section + PE_SECTION_SIZE;
		if (end > size)
			size = end;
	}

	return size;
}

/* Image */

bool is_arm64_image(const struct head *head)
{
	return HAS_MAGIC(head, IMAGE_MAGIC, "ARM\x64");
}

/*
 * The size in its header counts memory behind the end of the file; how long the
 * file must be is known only if it is an EFI program as well.
 */
void parse_arm64_image(struct image *image, struct stream *stream, int depth)
{
	static const unsigned int page_shifts[] = { 0, 12, 14, 16 };
	struct head head = head_of(stream);
	uint64_t flags = get_le(&head, IMAGE_FLAGS, 8);
	struct kernel *kernel = parse_flat(image, stream, pe_size(&head), "Image");

	(void)depth;
	kernel->machine = "aarch64";
	if (!kernel->page_shift)
		kernel->page_shift = page_shifts[IMAGE_PAGES(flags)];
	if (!(flags & IMAGE_BIG_ENDIAN))
		return;

	kernel->kind = WITHOUT_KHO;
	explain(&kernel->why, "a big-endian kernel, which has no KHO");
}

/* zboot */

bool is_zboot(const struct head *head)
{
	return HAS_MAGIC(head, 0, "MZ") && HAS_MAGIC(head, ZBOOT_MAGIC, "zimg");
}

void parse_zboot(struct image *image, struct stream *stream, int depth)
{
	struct head head = head_of(stream);
	uint64_t payload = get_le(&head, ZBOOT_PAYLOAD, 4);
	uint64_t payload_size = get_le(&head, ZBOOT_PAYLOAD_SIZE, 4);
	uint64_t size = pe_size(&head);
	const char *machine = pe_machine(&head);
	struct stream *part;

	if (stream_skip_to(stream, payload)) {
		part = stream_open_part(stream, payload_size);
		parse_packed(image, part, depth);
		stream_close(part);
	}
	expect_size(stream, size > payload ? size : payload);

	if (!image->nr)
		image_add(image);
	put_into(image, "zboot");
	for (unsigned int i = 0; i < image->nr; i++) {
		if (!image->kernels[i]->machine)
			image->kernels[i]->machine = machine;
	}
}

/* UKI: see the UAPI group's specification of unified kernel images */

#define MAX_SECTIONS	256
#define MAX_TEXT	(64 << 10)

enum section_type {
	SECTION_OTHER,
	SECTION_LINUX,
	SECTION_CMDLINE,
	SECTION_PROFILE,
	NR_SECTION_TYPES,
};

static const char section_names[NR_SECTION_TYPES][8] = {
	[SECTION_LINUX] = ".linux",
	[SECTION_CMDLINE] = ".cmdline",
	[SECTION_PROFILE] = ".profile",
};

struct section {
	enum section_type type;
	uint64_t start, size;
	struct image image;		/* of SECTION_LINUX */
	char *text;			/* of the others */
};

struct uki {
	unsigned int nr;
	struct section sections[MAX_SECTIONS];		/* as in their table */
	struct section *by_start[MAX_SECTIONS];
};

static enum section_type section_type(const struct head *head, uint64_t at)
{
	for (enum section_type type = SECTION_LINUX; type < NR_SECTION_TYPES; type++) {
		if (has_magic(head, at, section_names[type],
			      sizeof(section_names[type])))
			return type;
	}

	return SECTION_OTHER;
}

static int compare_start(const void *a, const void *b)
{
	const struct section *const *first = a, *const *second = b;

	return ((*first)->start > (*second)->start) -
	       ((*first)->start < (*second)->start);
}

/* Returns whether one of them is a kernel */
static bool find_sections(struct uki *uki, const struct head *head)
{
	uint64_t at = first_section(head);
	bool has_linux = false;

	for (unsigned int nr = nr_sections(head);
	     nr && uki->nr < MAX_SECTIONS; nr--, at += PE_SECTION_SIZE) {
		struct section *section = &uki->sections[uki->nr];
		uint64_t file_size = get_le(head, at + PE_SECTION_FILE_SIZE, 4);

		section->type = section_type(head, at);
		section->start = get_le(head, at + PE_SECTION_FILE_START, 4);
		section->size = get_le(head, at + PE_SECTION_MEMORY_SIZE, 4);
		if (section->size > file_size)
			section->size = file_size;
		if (section->type == SECTION_OTHER)
			continue;

		has_linux |= section->type == SECTION_LINUX;
		uki->by_start[uki->nr++] = section;
	}

	qsort(uki->by_start, uki->nr, sizeof(uki->by_start[0]), compare_start);
	return has_linux;
}

static char *read_text(struct stream *part, uint64_t size)
{
	char *text;

	if (size > MAX_TEXT)
		size = MAX_TEXT;
	text = allocate(1, size + 1);
	stream_read(part, text, size);
	return text;
}

static void read_section(struct section *section, struct stream *stream, int depth)
{
	struct stream *part;

	if (!stream_skip_to(stream, section->start)) {
		fail(stream->trouble, IS_DAMAGED,
		     "truncated, or its sections overlap: one starts at %llu",
		     (unsigned long long)section->start);
		return;
	}

	part = stream_open_part(stream, section->size);
	if (section->type == SECTION_LINUX)
		parse(&section->image, part, depth + 1);
	else
		section->text = read_text(part, section->size);
	stream_drain(part);
	stream_close(part);
}

/* ID or, without one, title: what follows NAME= in a line of its own */
static char *profile_name(const char *text, unsigned int number)
{
	static const char *const names[] = { "ID=", "TITLE=", NULL };
	struct reason name = { };

	for (int i = 0; names[i]; i++) {
		const char *found = strstr(text, names[i]);

		if (!found || (found != text && found[-1] != '\n'))
			continue;
		found += strlen(names[i]);
		return strndup(found, strcspn(found, "\n"));
	}

	explain(&name, "%u", number);
	return name.text;
}

/* A kernel with what belongs to it; @profile is NULL if there is but one */
static void add_kernel(struct image *image, const struct section *linux_section,
		       const struct section *cmdline, char *profile)
{
	const struct kernel *found = linux_section && linux_section->image.nr ?
				     linux_section->image.kernels[0] : NULL;
	struct kernel *kernel = image_add(image);

	if (found) {
		*kernel = *found;
		kernel->why = (struct reason) { };
		kernel->format = (struct reason) { };
		if (found->why.text)
			explain(&kernel->why, "%s", found->why.text);
		if (found->format.text)
			explain(&kernel->format, "%s", found->format.text);
	}

	kernel->cmdline = cmdline ? duplicate(cmdline->text ?: "") : NULL;
	kernel->profile = profile;
}

/* A profile is what follows .profile, and else what is before the first one */
static void add_kernels(struct image *image, const struct uki *uki)
{
	const struct section *base[NR_SECTION_TYPES] = { };
	const struct section *of[NR_SECTION_TYPES] = { };
	unsigned int nr_profiles = 0;

	for (unsigned int i = 0; i < uki->nr; i++) {
		const struct section *section = &uki->sections[i];

		if (section->type == SECTION_PROFILE) {
			if (nr_profiles++)
				add_kernel(image, of[SECTION_LINUX], of[SECTION_CMDLINE],
					   profile_name(of[SECTION_PROFILE]->text ?: "",
							nr_profiles - 2));
			else
				memcpy(base, of, sizeof(base));
			memcpy(of, base, sizeof(of));
		}
		of[section->type] = section;
	}

	add_kernel(image, of[SECTION_LINUX], of[SECTION_CMDLINE], nr_profiles ?
		   profile_name(of[SECTION_PROFILE]->text ?: "", nr_profiles - 1) :
		   NULL);
}

static void parse_uki(struct image *image, struct uki *uki, struct stream *stream,
		      uint64_t size, int depth)
{
	for (unsigned int i = 0; i < uki->nr && !is_fatal(stream->trouble); i++)
		read_section(uki->by_start[i], stream, depth);
	expect_size(stream, size);

	add_kernels(image, uki);
	put_into(image, "UKI");
	for (unsigned int i = 0; i < uki->nr; i++) {
		image_free(&uki->sections[i].image);
		free(uki->sections[i].text);
	}
}

void parse_pe(struct image *image, struct stream *stream, int depth)
{
	struct head head = head_of(stream);
	const char *machine = pe_machine(&head);
	struct uki *uki = allocate(1, sizeof(*uki));
	uint64_t size = pe_size(&head);

	if (find_sections(uki, &head))
		parse_uki(image, uki, stream, size, depth);
	else
		parse_flat(image, stream, size, "EFI program");
	free(uki);

	for (unsigned int i = 0; i < image->nr; i++) {
		struct kernel *kernel = image->kernels[i];

		if (!kernel->machine)
			kernel->machine = machine;
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/* vmlinux: an ELF file, see elf(5), as others are that are no kernels */
#include <string.h>

#include "format.h"

#define CLASS		0x04
#define CLASS_64	2
#define ORDER		0x05
#define ORDER_BIG	2
#define TYPE		0x10
#define TYPE_RELOCATABLE	1
#define TYPE_CORE	4
#define MACHINE		0x12
#define SEGMENTS	0x20
#define SECTIONS	0x28
#define NR_SEGMENTS	0x38
#define NR_SECTIONS	0x3c

#define HEADER_SIZE	0x40
#define SEGMENT_SIZE	0x38
#define SEGMENT_FILE_START	0x08
#define SEGMENT_FILE_SIZE	0x20
#define SECTION_SIZE	0x40

static const struct {
	unsigned int number;
	const char *name;
} machines[] = {
	{ 62, "x86_64" }, { 183, "aarch64" }, { 3, "i386" }, { 40, "arm" },
	{ 8, "mips" }, { 15, "parisc" }, { 20, "ppc" }, { 21, "ppc64" },
	{ 22, "s390x" }, { 43, "sparc64" }, { 243, "riscv64" },
	{ 258, "loongarch64" }, { }
};

bool is_elf(const struct head *head)
{
	return HAS_MAGIC(head, 0, "\177ELF");
}

/* Of a file of any byte order */
static unsigned int get_half(const struct head *head, size_t at)
{
	unsigned int half = get_le(head, at, 2);

	return get_le(head, ORDER, 1) == ORDER_BIG ? __builtin_bswap16(half) : half;
}

static const char *machine_of(const struct head *head)
{
	unsigned int number = get_half(head, MACHINE);
	size_t i = 0;

	while (machines[i].name && machines[i].number != number)
		i++;
	return machines[i].name ?: "an unknown machine";
}

static uint64_t add(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The table of sections is what a linker writes last */
static uint64_t size_of(const struct head *head)
{
	uint64_t segment = get_le(head, SEGMENTS, 8);
	uint64_t size = add(get_le(head, SECTIONS, 8),
			    get_le(head, NR_SECTIONS, 2) * SECTION_SIZE);

	if (get_le(head, CLASS, 1) != CLASS_64 || get_le(head, ORDER, 1) == ORDER_BIG)
		return 0;

	for (unsigned int nr = get_le(head, NR_SEGMENTS, 2); nr; nr--) {
		size = larger(size, add(segment, SEGMENT_SIZE));
		if (segment > head->size)
			break;
		size = larger(size, add(get_le(head, segment + SEGMENT_FILE_START, 8),
					get_le(head, segment + SEGMENT_FILE_SIZE, 8)));
		segment += SEGMENT_SIZE;
	}

	return larger(size, HEADER_SIZE);
}

/* What is no program: modules and what else a linker is given, and a crash */
static const char *other_type(unsigned int type)
{
	if (type == TYPE_RELOCATABLE)
		return "a relocatable object";
	if (type == TYPE_CORE)
		return "a core dump";
	return NULL;
}

static void parse_program(struct image *image, struct stream *stream)
{
	struct head head = head_of(stream);
	bool big_endian = get_le(&head, ORDER, 1) == ORDER_BIG;
	struct kernel *kernel = parse_flat(image, stream, size_of(&head), "vmlinux");

	if (kernel->kind == NOT_LINUX)
		explain(&kernel->format, "ELF");
	if (big_endian && is_linux(kernel)) {
		kernel->kind = WITHOUT_KHO;
		explain(&kernel->why, "a big-endian kernel, which has no KHO");
	}
}

static void add_other(struct image *image, const char *what)
{
	struct kernel *kernel = image_add(image);

	kernel->kind = NOT_LINUX;
	explain(&kernel->why, "not Linux: %s", what);
	explain(&kernel->format, "ELF");
}

void parse_elf(struct image *image, struct stream *stream, int depth)
{
	struct head head = head_of(stream);
	const char *other = other_type(get_half(&head, TYPE));
	const char *machine = machine_of(&head);
	struct kernel *kernel;

	(void)depth;
	if (other)
		add_other(image, other);
	else
		parse_program(image, stream);

	/* x86 has no other page size; arm64 has it in the header of an Image alone */
	kernel = image->kernels[0];
	kernel->machine = machine;
	if (!kernel->page_shift && !strcmp(machine, "x86_64"))
		kernel->page_shift = X86_PAGE_SHIFT;
}

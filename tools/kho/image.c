// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel image files: which kind of file one is, for which machine, and whether
 * it is whole. The KHO note in it is the business of note.c.
 *
 * All kernels with KHO are little endian, on whatever host this runs. Nothing
 * in the file is trusted.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "note.h"

/* A file, and what has been found out about it */
struct file {
	const void *data;
	size_t size;
	const char *machine;
};

static bool is_inside(const struct file *file, uint64_t start, uint64_t len)
{
	return start <= file->size && len <= file->size - start;
}

/* 0, which is valid nowhere that it is used, behind the end of the file */
static uint64_t get_le(const struct file *file, uint64_t at, size_t len)
{
	uint64_t value = 0;

	if (is_inside(file, at, len))
		memcpy(&value, file->data + at, len);

	return le64toh(value);
}

static bool starts_with(const struct file *file, size_t at, const char *text,
			size_t len)
{
	return is_inside(file, at, len) && !memcmp(file->data + at, text, len);
}

/* bzImage: the setup header, see Documentation/arch/x86/boot.rst */

#define BZIMAGE_SETUP_SECTS	0x1f1
#define BZIMAGE_SYSSIZE		0x1f4
#define BZIMAGE_MAGIC		0x202
#define BZIMAGE_XLOADFLAGS	0x236
#define BZIMAGE_KERNEL_64	1

static bool is_bzimage(const struct file *file)
{
	return starts_with(file, BZIMAGE_MAGIC, "HdrS", 4);
}

static bool check_bzimage(struct file *file, struct reason *why)
{
	/* One more sector, the first, is not counted; and 0 stands for 4 */
	uint64_t sectors = (get_le(file, BZIMAGE_SETUP_SECTS, 1) ?: 4) + 1;
	uint64_t size = sectors * 512 + get_le(file, BZIMAGE_SYSSIZE, 4) * 16;

	if (file->size < size)
		return explain(why, "truncated: it has %zu bytes, expected %llu",
			       file->size, (unsigned long long)size);
	if (!(get_le(file, BZIMAGE_XLOADFLAGS, 2) & BZIMAGE_KERNEL_64))
		return explain(why, "a kernel for 32 bits, which has no KHO");

	file->machine = "x86_64";
	return true;
}

/*
 * Image: see Documentation/arch/arm64/booting.rst. The size in its header counts
 * memory behind the end of the file; how long the file must be is known only if
 * it is an EFI program as well, from the table of its sections.
 */

#define IMAGE_FLAGS		0x18
#define IMAGE_BIG_ENDIAN	1
#define IMAGE_MAGIC		0x38
#define IMAGE_PE_OFFSET		0x3c

#define PE_NR_SECTIONS		0x06
#define PE_OPTIONAL_SIZE	0x14
#define PE_HEADER_SIZE		0x18
#define PE_SECTION_SIZE		0x28
#define PE_SECTION_FILE_SIZE	0x10
#define PE_SECTION_FILE_START	0x14

static bool is_arm64_image(const struct file *file)
{
	return starts_with(file, IMAGE_MAGIC, "ARM\x64", 4);
}

static bool check_arm64_image(struct file *file, struct reason *why)
{
	uint64_t pe = get_le(file, IMAGE_PE_OFFSET, 4);
	uint64_t section = pe + PE_HEADER_SIZE + get_le(file, pe + PE_OPTIONAL_SIZE, 2);
	unsigned int nr = 0;

	if (get_le(file, IMAGE_FLAGS, 8) & IMAGE_BIG_ENDIAN)
		return explain(why, "a big-endian kernel, which has no KHO");

	if (pe && starts_with(file, pe, "PE\0", 4))
		nr = get_le(file, pe + PE_NR_SECTIONS, 2);

	for (; nr; nr--, section += PE_SECTION_SIZE) {
		if (!is_inside(file, section, PE_SECTION_SIZE) ||
		    !is_inside(file, get_le(file, section + PE_SECTION_FILE_START, 4),
			       get_le(file, section + PE_SECTION_FILE_SIZE, 4)))
			return explain(why, "truncated: it has %zu bytes, its sections go further",
				       file->size);
	}

	file->machine = "aarch64";
	return true;
}

/* vmlinux: an ELF file, see elf(5) */

#define ELF_CLASS		0x04
#define ELF_CLASS_64		2
#define ELF_ORDER		0x05
#define ELF_LITTLE_ENDIAN	1
#define ELF_MACHINE		0x12
#define ELF_X86_64		62
#define ELF_AARCH64		183
#define ELF_SEGMENTS		0x20
#define ELF_SECTIONS		0x28
#define ELF_NR_SEGMENTS		0x38
#define ELF_NR_SECTIONS		0x3c

#define ELF_HEADER_SIZE		0x40
#define ELF_SEGMENT_SIZE	0x38
#define ELF_SEGMENT_FILE_START	0x08
#define ELF_SEGMENT_FILE_SIZE	0x20
#define ELF_SECTION_SIZE	0x40

static bool is_vmlinux(const struct file *file)
{
	return starts_with(file, 0, "\177ELF", 4);
}

static bool segments_are_whole(const struct file *file)
{
	uint64_t segment = get_le(file, ELF_SEGMENTS, 8);
	unsigned int nr = get_le(file, ELF_NR_SEGMENTS, 2);

	for (; nr; nr--, segment += ELF_SEGMENT_SIZE) {
		if (!is_inside(file, segment, ELF_SEGMENT_SIZE) ||
		    !is_inside(file, get_le(file, segment + ELF_SEGMENT_FILE_START, 8),
			       get_le(file, segment + ELF_SEGMENT_FILE_SIZE, 8)))
			return false;
	}

	return true;
}

static bool check_vmlinux(struct file *file, struct reason *why)
{
	unsigned int machine = get_le(file, ELF_MACHINE, 2);

	if (get_le(file, ELF_CLASS, 1) != ELF_CLASS_64 ||
	    get_le(file, ELF_ORDER, 1) != ELF_LITTLE_ENDIAN)
		return explain(why, "not a kernel for 64 bits, little endian; no other has KHO");

	if (machine == ELF_X86_64)
		file->machine = "x86_64";
	else if (machine == ELF_AARCH64)
		file->machine = "aarch64";
	else
		return explain(why, "for ELF machine %u, expected x86_64 or aarch64",
			       machine);

	/* The table of sections is what a linker writes last */
	if (!is_inside(file, 0, ELF_HEADER_SIZE) || !segments_are_whole(file) ||
	    !is_inside(file, get_le(file, ELF_SECTIONS, 8),
		       get_le(file, ELF_NR_SECTIONS, 2) * ELF_SECTION_SIZE))
		return explain(why, "truncated: it has %zu bytes, its segments go further",
			       file->size);

	return true;
}

static const struct {
	const char *name;
	bool (*is_that)(const struct file *file);
	bool (*check)(struct file *file, struct reason *why);
} formats[] = {
	{ "bzImage", is_bzimage, check_bzimage },
	{ "Image", is_arm64_image, check_arm64_image },
	{ "vmlinux", is_vmlinux, check_vmlinux },
	{ }
};

/* What an Image is often packed with; the kernel cannot load these either */
static const struct {
	const char *name;
	size_t at;
	const char *magic;
	size_t len;
} compressions[] = {
	{ "gzip", 0, "\x1f\x8b", 2 },
	{ "xz", 0, "\3757zXZ", 5 },
	{ "zstd", 0, "\x28\xb5\x2f\xfd", 4 },
	{ "lz4", 0, "\x02\x21\x4c\x18", 4 },
	{ "bzip2", 0, "BZh", 3 },
	{ "lzop", 0, "\x89LZO", 4 },
	{ "EFI zboot", 4, "zimg", 4 },
	{ }
};

static bool no_format(const struct file *file, struct reason *why)
{
	for (size_t i = 0; compressions[i].name; i++) {
		if (starts_with(file, compressions[i].at, compressions[i].magic,
				compressions[i].len))
			return explain(why, "compressed (%s); unpack it first",
				       compressions[i].name);
	}

	return explain(why, "not a kernel: expected bzImage, arm64 Image or vmlinux");
}

bool image_parse(const void *data, size_t size, const char **format,
		 struct kernel *kernel, struct reason *why)
{
	struct file file = { .data = data, .size = size };
	size_t i = 0;

	while (formats[i].name && !formats[i].is_that(&file))
		i++;
	if (!formats[i].name)
		return no_format(&file, why);
	if (!formats[i].check(&file, why))
		return false;

	*format = formats[i].name;
	kernel->machine = file.machine;
	return note_find(data, size, kernel, why);
}

static bool parse_open_file(int fd, const char **format, struct kernel *kernel,
			    struct reason *why)
{
	struct stat st;
	void *data;
	bool known;

	if (fstat(fd, &st))
		return explain(why, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return explain(why, "not a regular file");
	if (!st.st_size)
		return explain(why, "empty");
	if ((uint64_t)st.st_size > UINT32_MAX)
		return explain(why, "not a kernel: it has 4 GiB or more");

	data = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return explain(why, "%s", strerror(errno));

	known = image_parse(data, st.st_size, format, kernel, why);
	munmap(data, st.st_size);

	return known;
}

bool image_read(const char *path, const char **format, struct kernel *kernel,
		struct reason *why)
{
	/* Opening a FIFO waits for a writer otherwise */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct reason file_why;
	bool known;

	if (fd < 0)
		return explain(why, "%s: %s", path, strerror(errno));

	known = parse_open_file(fd, format, kernel, &file_why);
	close(fd);

	return known || explain(why, "%s: %s", path, file_why.text);
}

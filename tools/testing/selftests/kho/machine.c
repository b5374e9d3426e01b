// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel says about itself: its log, /proc/meminfo, KHO's debugfs
 * files; and a way to write over all memory that the kernel believes is free.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

/* Left for the kernel and for us while the rest is being written over. */
#define SPARE_KIB	(24 * 1024)

/* "priority,sequence,time,flags;message\n", continued by lines of detail. */
static char *message_of(char *record)
{
	char *message = strchr(record, ';');

	if (!message)
		return record;
	message[1 + strcspn(message + 1, "\n")] = 0;
	return message + 1;
}

/*
 * One record, or 0 at the end of the log. EPIPE says that older records were
 * overwritten; the next read goes on with what is left.
 */
static ssize_t read_record(int fd, char *record, size_t room)
{
	ssize_t size;

	do {
		size = read(fd, record, room - 1);
	} while (size < 0 && errno == EPIPE);
	record[size > 0 ? size : 0] = 0;
	return size > 0 ? size : 0;
}

/*
 * Call @line for each message of this boot so far that contains @text. Our own
 * result lines are not the kernel's word.
 */
int kmsg_each(const char *text, void (*line)(const char *message))
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char record[8192];
	int count = 0;

	while (read_record(fd, record, sizeof(record))) {
		char *message = message_of(record);

		if (!strncmp(message, "khotest: ", 9) ||
		    !strstr(message, text))
			continue;
		count++;
		if (line)
			line(message);
	}
	close(fd);
	return count;
}

bool kmsg_has(const char *text)
{
	return kmsg_each(text, NULL) > 0;
}

long meminfo_kib(const char *field)
{
	FILE *file = fopen("/proc/meminfo", "re");
	size_t length = strlen(field);
	char line[128];
	long kib = -1;

	if (!file)
		return -1;
	while (kib < 0 && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, field, length) && line[length] == ':')
			kib = strtol(line + length + 1, NULL, 10);
	}
	fclose(file);
	return kib;
}

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t written;

	if (fd < 0)
		return -errno;
	written = write(fd, text, strlen(text));
	close(fd);
	return written < 0 ? -errno : 0;
}

/*
 * Free memory that can hold preserved pages. These are never in scratch areas,
 * which are CMA and of no use to the kernel when all else is taken.
 */
static long free_outside_scratch_kib(void)
{
	return meminfo_kib("MemFree") - meminfo_kib("CmaFree");
}

static void write_until_little_is_free(void)
{
	while (free_outside_scratch_kib() > SPARE_KIB) {
		void *area = mmap(NULL, MIB(4), PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (area == MAP_FAILED)
			break;
		memset(area, 0xA5, MIB(4));
	}
}

/*
 * A preserved page that the kernel took for a free one would be written over
 * by this. The memory is given back when the child exits. The kernel's own
 * reserve, which grows with the use of huge pages, is made small first.
 */
void use_free_memory(void)
{
	long before = free_outside_scratch_kib();
	int status;
	pid_t pid;

	write_file("/proc/sys/vm/min_free_kbytes", "2048");
	pid = fork();
	if (!pid) {
		write_until_little_is_free();
		_exit(free_outside_scratch_kib() > 2 * SPARE_KIB);
	}
	waitpid(pid, &status, 0);
	check(!status, "write over %ld MiB of free memory", before / 1024);
}

static void look_in_page(const char *page, const struct memfile *file,
			 __u64 seed, bool *found)
{
	size_t at;
	__u64 word;

	memcpy(&word, page, sizeof(word));
	at = pattern_offset(word, seed);
	if (at < file->size && at % KIB(4) == 0 &&
	    pattern_mismatch(page, KIB(4), seed, at) == KIB(4))
		found[at / KIB(4)] = true;
}

static void look_in_range(size_t start, size_t size, const struct memfile *file,
			  bool *found)
{
	int fd = open("/dev/mem", O_RDONLY | O_CLOEXEC);
	char *area = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, start);
	__u64 seed = pattern_seed(file->name);

	close(fd);
	if (area == MAP_FAILED) {
		note("cannot map physical memory at %#zx", start);
		return;
	}
	for (size_t at = 0; at < size; at += KIB(4))
		look_in_page(area + at, file, seed, found);
	munmap(area, size);
}

/*
 * How many pages of a file, all of them whole pages without a hole, are
 * anywhere in physical memory. Call use_free_memory() first, or pages that
 * were freed but not used yet count as well.
 */
size_t pages_in_memory(const struct memfile *file)
{
	size_t start, end, pages = file->size / KIB(4), count = 0;
	bool *found = calloc(pages, sizeof(*found));
	FILE *iomem = fopen("/proc/iomem", "re");
	char line[128];

	while (iomem && found && fgets(line, sizeof(line), iomem)) {
		if (strstr(line, "System RAM") &&
		    sscanf(line, "%zx-%zx", &start, &end) == 2) {
			start = (start + KIB(4) - 1) & ~(KIB(4) - 1);
			end = (end + 1) & ~(KIB(4) - 1);
			look_in_range(start, end - start, file, found);
		}
	}
	for (size_t i = 0; found && i < pages; i++)
		count += found[i];
	fclose(iomem);
	free(found);
	return count;
}

/*
 * A minimal reader for the flattened device tree that memblock hands over:
 * nodes named after reserve_mem= parameters, each with "start" and "size" in
 * native byte order. The kernel made it, so its structure is trusted.
 */
enum { FDT_BEGIN = 1, FDT_END, FDT_PROP, FDT_NOP };

static __u32 fdt_cell(const char *fdt, size_t offset)
{
	__u32 cell;

	memcpy(&cell, fdt + offset, sizeof(cell));
	return be32toh(cell);
}

static void fdt_number(const char *value, const char *name,
		       struct reserved *found)
{
	if (!strcmp(name, "start"))
		memcpy(&found->start, value, sizeof(found->start));
	if (!strcmp(name, "size"))
		memcpy(&found->size, value, sizeof(found->size));
}

static void fdt_find(const char *fdt, const char *node, struct reserved *found)
{
	size_t at = fdt_cell(fdt, 8), names = fdt_cell(fdt, 12);
	bool here = false;

	for (;;) {
		__u32 token = fdt_cell(fdt, at);

		at += 4;
		if (token == FDT_BEGIN) {
			here = !strcmp(fdt + at, node);
			at += (strlen(fdt + at) + 4) & ~3UL;
		} else if (token == FDT_PROP) {
			size_t size = fdt_cell(fdt, at);
			const char *name = fdt + names + fdt_cell(fdt, at + 4);

			if (here)
				fdt_number(fdt + at + 8, name, found);
			at += 8 + ((size + 3) & ~3UL);
		} else if (token != FDT_END && token != FDT_NOP) {
			return;
		}
	}
}

int reserve_mem_find(const char *name, struct reserved *found)
{
	int fd = open("/sys/kernel/debug/kho/out/sub_fdts/memblock",
		      O_RDONLY | O_CLOEXEC);
	static char fdt[KIB(64)];
	ssize_t size;

	if (fd < 0)
		return -errno;
	size = read(fd, fdt, sizeof(fdt));
	close(fd);
	if (size < 40)
		return -EIO;
	*found = (struct reserved){};
	fdt_find(fdt, name, found);
	return found->size ? 0 : -ENOENT;
}

/* The region must be there, with that size. */
void *reserve_mem_map(const char *name, size_t size)
{
	int fd = open("/dev/mem", O_RDWR | O_CLOEXEC);
	struct reserved region = {};
	int ret = reserve_mem_find(name, &region);
	void *area;

	check_result(ret, 0, "%s: is handed over", name);
	require(!ret && region.size == size, "%s: %zu KiB", name, size / 1024);
	note("%s at %#llx", name, region.start);
	area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    region.start);
	close(fd);
	require(area != MAP_FAILED, "map it from /dev/mem");
	return area;
}

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

/*
 * Left for the kernel and for us while the rest is being written over: 6144 pages,
 * because each CPU keeps some back by their number.
 */
#define SPARE_KIB	(6L * getpagesize())

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

static long scratch_mib;

static void read_scratch_size(const char *message)
{
	if (sscanf(message, "KHO: scratch: %ld MiB set aside", &scratch_mib) != 1)
		note("not understood: %s", message);
}

/* How much a cold boot has set aside for the next kernel, in MiB */
long scratch_set_aside(void)
{
	kmsg_each(" MiB set aside in ", read_scratch_size);
	return scratch_mib;
}

/*
 * Messages of this boot so far that warn, or worse, and contain @text; what the
 * kernel calls level 4 or less.
 */
int kmsg_warnings(const char *text)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char record[8192];
	int count = 0;

	while (read_record(fd, record, sizeof(record))) {
		int level = atoi(record) & 7;

		count += level <= 4 && strstr(message_of(record), text);
	}
	close(fd);
	return count;
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

/*
 * Free pages, and those that wait in a list of a CPU for whoever allocates next:
 * with 64 KiB pages that can be hundreds of MiB, which MemFree leaves out.
 */
long free_kib(void)
{
	FILE *file = fopen("/proc/zoneinfo", "re");
	long waiting = 0, pages;
	char line[128];

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, " count: %ld", &pages) == 1)
			waiting += pages;
	}
	fclose(file);
	return meminfo_kib("MemFree") + waiting * (getpagesize() / 1024);
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

/* As much as fits, and a 0 after it; returns the size, or -errno. */
ssize_t read_file(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size;

	text[0] = 0;
	if (fd < 0)
		return -errno;
	size = read(fd, text, room - 1);
	if (size < 0)
		size = -errno;
	close(fd);
	text[size > 0 ? size : 0] = 0;
	return size;
}

/*
 * With CONFIG_DEBUG_KMEMLEAK: memory that nobody has a pointer to. It takes two
 * scans, as a pointer may move while the first one looks for it, and kmemleak
 * does not report what was allocated in the last five seconds. What the first
 * one suspects is in the kernel log, too, and is no proof there.
 */
void check_leaks(void)
{
	static const char path[] = "/sys/kernel/debug/kmemleak";
	char line[256];
	FILE *file;
	int leaks = 0;

	if (access(path, F_OK))
		return;
	sleep(6);
	check_result(write_file(path, "scan"), 0, "look for leaked memory");
	write_file(path, "scan");
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		note("%s", line);
		leaks += !strncmp(line, "unreferenced object", 19);
	}
	check(file && !leaks, "%d objects leaked", leaks);
	if (file)
		fclose(file);
}

/*
 * Free memory that can hold preserved pages. These are never in scratch areas,
 * which are CMA and of no use to the kernel when all else is taken.
 */
long free_outside_scratch_kib(void)
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

/* Does /proc/iomem call the page reserved? */
bool iomem_reserved(__u64 pfn)
{
	FILE *iomem = fopen("/proc/iomem", "re");
	unsigned long long start, end, phys = pfn * getpagesize();
	bool reserved = false;
	char line[128];

	while (iomem && !reserved && fgets(line, sizeof(line), iomem))
		reserved = strstr(line, ": reserved") &&
			   sscanf(line, "%llx-%llx", &start, &end) == 2 &&
			   start <= phys && phys < end;
	if (iomem)
		fclose(iomem);
	return reserved;
}

/*
 * A minimal reader for the flattened device trees that the kernel hands over.
 * The kernel made them, so their structure is trusted.
 */
enum { FDT_BEGIN = 1, FDT_END, FDT_PROP, FDT_NOP };

static __u32 fdt_cell(const char *fdt, size_t offset)
{
	__u32 cell;

	memcpy(&cell, fdt + offset, sizeof(cell));
	return be32toh(cell);
}

/*
 * A number of 64 bits in native byte order, 0 if it is not there. The root has
 * the name "", and its properties stand before the other nodes. With @property
 * NULL, the first such number of the node.
 */
static __u64 fdt_number(const char *fdt, const char *node, const char *property)
{
	size_t at = fdt_cell(fdt, 8), names = fdt_cell(fdt, 12);
	bool here = false;
	__u64 number;

	for (;;) {
		__u32 token = fdt_cell(fdt, at);

		at += 4;
		if (token == FDT_BEGIN) {
			here = !strcmp(fdt + at, node);
			at += (strlen(fdt + at) + 4) & ~3UL;
		} else if (token == FDT_PROP) {
			size_t size = fdt_cell(fdt, at);
			const char *name = fdt + names + fdt_cell(fdt, at + 4);

			if (here && size == sizeof(number) &&
			    (!property || !strcmp(name, property))) {
				memcpy(&number, fdt + at + 8, sizeof(number));
				return number;
			}
			at += 8 + ((size + 3) & ~3UL);
		} else if (token != FDT_END && token != FDT_NOP) {
			return 0;
		}
	}
}

/* A tree among those that this kernel hands over; @name is its debugfs file. */
static int read_fdt_out(const char *name, char *fdt, size_t room)
{
	char path[96];
	ssize_t size;

	snprintf(path, sizeof(path), "/sys/kernel/debug/kho/out/%s", name);
	size = read_file(path, fdt, room);
	if (size < 0)
		return size;
	return size < 40 ? -EIO : 0;
}

int reserve_mem_find(const char *name, struct reserved *found)
{
	static char fdt[KIB(64)];
	int ret = read_fdt_out("sub_fdts/memblock", fdt, sizeof(fdt));

	*found = (struct reserved){};
	if (ret)
		return ret;
	found->start = fdt_number(fdt, name, "start");
	found->size = fdt_number(fdt, name, "size");
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

static void count_key(struct preserved *found, __u64 key)
{
	int shift = __builtin_clzll(key) + 1;
	__u64 start = key << shift, size = 1ULL << shift;

	found->pages += size / KIB(4);
	found->runs += start != found->end;
	found->end = start + size;
}

static void count_bitmap(struct preserved *found, const __u64 *words, __u64 key)
{
	for (size_t i = 0; i < KIB(4) / sizeof(*words); i++) {
		for (__u64 left = words[i]; left; left &= left - 1)
			count_key(found, key + i * 64 + __builtin_ctzll(left));
	}
}

/* @level counts down to 0, a bitmap; @key is the first one below the node. */
static void count_node(struct preserved *found, int mem, __u64 phys, int level,
		       __u64 key)
{
	__u64 words[KIB(4) / sizeof(__u64)];
	int shift = 15 + 9 * (level - 1);

	if (pread(mem, words, sizeof(words), phys) != sizeof(words))
		require(false, "read a node at %#llx", phys);
	found->nodes++;
	if (!level) {
		count_bitmap(found, words, key);
		return;
	}
	for (__u64 i = 0; i < ARRAY_SIZE(words); i++) {
		if (words[i])
			count_node(found, mem, words[i], level - 1,
				   key | i << shift);
	}
}

/*
 * Physical address of the map of preserved memory that goes to the next kernel:
 * the one number in the root of KHO's tree. The names of properties are at the
 * end of a tree, and this file ends where the tree did before it grew.
 */
__u64 preserved_memory_map(void)
{
	static char fdt[KIB(4) + 1];

	if (read_fdt_out("fdt", fdt, sizeof(fdt)))
		require(false, "read the tree that is handed over");
	return fdt_number(fdt, "", NULL);
}

/*
 * Walk that map, version 1 of include/linux/kho/abi/radix_tree.h with pages of
 * 4 KiB.
 */
struct preserved count_preserved(void)
{
	struct preserved found = {};
	int mem = open("/dev/mem", O_RDONLY | O_CLOEXEC);

	if (mem < 0)
		require(false, "open /dev/mem");
	count_node(&found, mem, preserved_memory_map(), 5, 0);
	close(mem);
	return found;
}

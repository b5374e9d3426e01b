// SPDX-License-Identifier: GPL-2.0-only
/*
 * A machine with UEFI firmware that carries a memfd with most of its memory, every
 * word of which is compared, a reserve_mem region and the EFI variables through
 * two kexecs.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "scenario.h"

#define REGION_SIZE	MIB(4)

/*
 * What preserving, and loading an image with its initrd, take; the kernel's own
 * reserve grows with the size of huge pages.
 */
#define SPARE_KIB	(12L * getpagesize())

#define EFIVARS		"/sys/firmware/efi/efivars"
#define OWN_VARIABLE	EFIVARS "/KhoTest-6b1a3d3c-6c2e-4a0f-9d38-0c2c4a8f6b51"

/* Left free while it is looked for */
#define LEAST_KIB	(16 * 1024)

#define CHUNK_SIZE	MIB(4)
#define CHUNKS		256

enum { MOST = 1, SIZE, VARIABLES, CHUNK, CHUNK_NUMBER };

static struct memfile most = { .name = "most", .token = MOST };
static int most_fd;

/* The one that has the page in which the EFI stub left a table, if any */
static int chunk_fd = -1, chunk_number;

static char chunk_name[16];
static struct memfile chunk = {
	.name = chunk_name, .token = CHUNK, .size = CHUNK_SIZE,
};

static void name_chunk(int number)
{
	snprintf(chunk_name, sizeof(chunk_name), "chunk-%d", number);
	chunk_number = number;
}

/* Of the table by which the EFI stub hands an initrd to the kernel, 0: none */
static __u64 initrd_table;

static void note_initrd_table(const char *message)
{
	const char *where = strstr(message, "INITRD=");

	if (where)
		initrd_table = strtoull(where + strlen("INITRD="), NULL, 16);
}

/* By the innermost resource: a kernel of arm64 has what it reserved in System RAM */
bool is_system_ram(__u64 phys)
{
	FILE *iomem = fopen("/proc/iomem", "re");
	unsigned long long start, end;
	bool found = false;
	char line[128];

	while (iomem && fgets(line, sizeof(line), iomem)) {
		if (sscanf(line, "%llx-%llx", &start, &end) == 2 &&
		    start <= phys && phys <= end)
			found = strstr(line, "System RAM");
	}
	if (iomem)
		fclose(iomem);
	return found;
}

static __u64 word_at(__u64 phys)
{
	int memory = open("/dev/mem", O_RDONLY | O_CLOEXEC);
	__u64 word = 0;

	if (pread(memory, &word, sizeof(word), phys) != sizeof(word))
		note("cannot read memory at %#llx", phys);
	close(memory);
	return word;
}

static bool chunk_has_page(__u64 phys)
{
	size_t at = pattern_offset(word_at(phys & ~(KIB(4) - 1)),
				   pattern_seed(chunk_name));

	return at < CHUNK_SIZE && at % KIB(4) == 0;
}

/* Takes memory until the page is in a chunk of it; keeps that chunk alone. */
static void catch_page(__u64 phys)
{
	int fds[CHUNKS], count = 0;

	while (count < CHUNKS && chunk_fd < 0 &&
	       free_outside_scratch_kib() > LEAST_KIB) {
		name_chunk(count);
		fds[count] = memfile_create(&chunk);
		require(fds[count] >= 0, "create %s", chunk_name);
		if (chunk_has_page(phys))
			chunk_fd = fds[count];
		count++;
	}
	while (count--) {
		if (fds[count] != chunk_fd)
			close(fds[count]);
	}
	note("the page at %#llx is %s%s", phys, chunk_fd < 0 ? "in use" : "in ",
	     chunk_fd < 0 ? "" : chunk_name);
}

/*
 * A kernel of ours puts what it hands to itself where no memory is; what an older
 * one has left in ordinary memory must be what it was in a memfd.
 */
static void look_at_initrd_table(void)
{
	kmsg_each("INITRD=", note_initrd_table);
	if (!initrd_table) {
		note("a boot loader has handed the initrd over, not the EFI stub");
		return;
	}
	if (kernel_is_ours())
		check(!is_system_ram(initrd_table),
		      "its table at %#llx is not in ordinary memory",
		      initrd_table);
	if (is_system_ram(initrd_table))
		catch_page(initrd_table);
}

static bool is_variable(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Of names and contents, whatever their order */
static __u64 variables_sum(int *count)
{
	DIR *dir = opendir(EFIVARS);
	struct dirent *entry;
	__u64 sum = 0;

	*count = 0;
	while (dir && (entry = readdir(dir))) {
		char path[512], content[4096];
		const char *name = entry->d_name;
		ssize_t size;

		if (!is_variable(entry))
			continue;
		snprintf(path, sizeof(path), EFIVARS "/%s", name);
		size = read_file(path, content, sizeof(content));
		sum += xxh64(content, size < 0 ? 0 : size,
			     xxh64(name, strlen(name), 0));
		++*count;
	}
	if (dir)
		closedir(dir);
	return sum;
}

static bool has_variables(void)
{
	char cmdline[2048];

	read_file("/proc/cmdline", cmdline, sizeof(cmdline));
	return !strstr(cmdline, "efi=noruntime");
}

static __u64 check_variables(const char *when)
{
	int count;
	__u64 sum;

	if (!has_variables())
		return 0;
	mount("efivarfs", EFIVARS, "efivarfs", 0, NULL);
	sum = variables_sum(&count);
	check(count > 0, "%d EFI variables %s", count, when);
	return sum;
}

/* Non-volatile, for boot and runtime services */
static void write_variable(void)
{
	static const char content[] = "\7\0\0\0before any kexec";
	int fd;

	if (!has_variables())
		return;
	fd = open(OWN_VARIABLE, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	check(write(fd, content, sizeof(content)) == sizeof(content),
	      "write an EFI variable");
	close(fd);
}

static void hand_on(int device, __u64 variables)
{
	int session = require_fd(luo_create(device, "uefi"), "create session");

	check_result(luo_preserve(session, most_fd, MOST), 0,
		     "preserve %zu MiB", most.size >> 20);
	if (chunk_fd >= 0) {
		check_result(luo_preserve(session, chunk_fd, CHUNK), 0,
			     "preserve %s", chunk_name);
		carry_number(session, CHUNK_NUMBER, chunk_number);
	}
	carry_number(session, SIZE, most.size);
	carry_number(session, VARIABLES, variables);
}

static void take_chunk(int session)
{
	chunk_fd = luo_retrieve_fd(session, CHUNK);
	if (chunk_fd < 0)
		return;
	name_chunk(carried_number(session, CHUNK_NUMBER));
	memfile_verify(&chunk, chunk_fd);
}

/* For a kernel that clears what it takes for the table */
void efi_write_chunk(void)
{
	void *map;

	require(chunk_fd >= 0, "the page of the table is in a memfd");
	map = mmap(NULL, CHUNK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, chunk_fd, 0);
	require(map != MAP_FAILED, "map %s", chunk_name);
	pattern_fill(map, CHUNK_SIZE, pattern_seed(chunk_name), 0);
	munmap(map, CHUNK_SIZE);
}

static __u64 take(int device)
{
	int session = require_fd(luo_retrieve(device, "uefi"),
				 "retrieve session");
	void *region = reserve_mem_map("region", REGION_SIZE);
	__u64 variables = carried_number(session, VARIABLES);

	take_chunk(session);
	most.size = carried_number(session, SIZE);
	most_fd = require_fd(luo_retrieve_fd(session, MOST),
			     "retrieve %zu MiB", most.size >> 20);
	memfile_verify(&most, most_fd);
	check_result(luo_finish(session), 0, "finish");
	close(session);

	check(pattern_mismatch(region, REGION_SIZE, pattern_seed("region"), 0) ==
	      REGION_SIZE, "region: contents");
	munmap(region, REGION_SIZE);
	check(check_variables("after the kexec") == variables,
	      "names and contents of the EFI variables");
	return variables;
}

void efi_first(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	void *region = reserve_mem_map("region", REGION_SIZE);
	__u64 variables;

	pattern_fill(region, REGION_SIZE, pattern_seed("region"), 0);
	munmap(region, REGION_SIZE);
	look_at_initrd_table();
	check_variables("after power on");
	write_variable();
	variables = check_variables("with one more");

	most.size = KIB(free_outside_scratch_kib() - SPARE_KIB) & ~(KIB(4) - 1);
	most_fd = require_fd(memfile_create(&most), "create %zu MiB",
			     most.size >> 20);
	hand_on(device, variables);
}

void efi_between(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	hand_on(device, take(device));
}

void efi_last(void)
{
	take(require_fd(luo_device(), "open /dev/liveupdate"));
}

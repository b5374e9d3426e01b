// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a user without privileges gets to see of a live update: nothing that
 * can be opened under /dev or debugfs, nothing to write in sysfs, and in all
 * that can be read of /proc, /sys and the kernel log no physical address of
 * preserved memory.
 *
 * needs memory: 256M
 * needs cmdline: test_kho.max_mem=0 reserve_mem=4100K:4K:region
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

#define NOBODY		65534
#define PAGES		64	/* of 64 KiB; of smaller ones, the first in each */
#define LEAST_ADDRESS	0x100000
#define MOST_ADDRESSES	(PAGES + 16)

static const struct memfile file = {
	.name = "secret", .token = 1, .size = KIB(64) * PAGES,
};

/* What must not be seen, in the two forms that a file could show it in. */
static struct {
	__u64 number;
	char text[20];
} addresses[MOST_ADDRESSES];
static int nr_addresses;

static int files_read, found;

/*
 * An address that looks like a decimal number would be found where it is not
 * meant: without a letter it does not count, nor does a short one.
 */
static void add_address(__u64 address)
{
	char text[20];

	snprintf(text, sizeof(text), "%llx", address);
	if (address < LEAST_ADDRESS || !strpbrk(text, "abcdef") ||
	    nr_addresses == MOST_ADDRESSES)
		return;
	addresses[nr_addresses].number = address;
	strcpy(addresses[nr_addresses++].text, text);
}

static void add_pages(int fd)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	const long page = getpagesize();
	char *map = mmap(NULL, file.size, PROT_READ, MAP_SHARED | MAP_POPULATE,
			 fd, 0);
	__u64 entry;

	require(map != MAP_FAILED && pagemap >= 0, "map the file");
	for (size_t at = 0; at < file.size; at += KIB(64)) {
		off_t where = ((uintptr_t)map + at) / page * sizeof(entry);

		if (pread(pagemap, &entry, sizeof(entry), where) ==
		    sizeof(entry))
			add_address((entry & ((1ULL << 55) - 1)) * page);
	}
	munmap(map, file.size);
	close(pagemap);
}

static void add_all(int fd)
{
	struct reserved region = {};

	add_pages(fd);
	add_address(preserved_memory_map());
	reserve_mem_find("region", &region);
	add_address(region.start);
	check(nr_addresses > PAGES / 4, "%d addresses to look for",
	      nr_addresses);
}

static bool shows_address(const char *data, size_t size, int i)
{
	const size_t length = strlen(addresses[i].text);

	return memmem(data, size, addresses[i].text, length) ||
	       memmem(data, size, &addresses[i].number,
		      sizeof(addresses[i].number));
}

static void look_at(const char *path, const char *data, size_t size)
{
	for (int i = 0; i < nr_addresses; i++) {
		if (!shows_address(data, size, i))
			continue;
		note("%s shows %s", path, addresses[i].text);
		found++;
	}
}

/* In pieces that overlap, so that none is cut in two. */
static void look_into(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	static char data[KIB(64)];
	size_t kept = 0, limit = MIB(1);
	ssize_t size;

	if (fd < 0)
		return;
	files_read++;
	while (limit && (size = read(fd, data + kept, sizeof(data) - kept)) > 0) {
		look_at(path, data, kept + size);
		kept = kept + size < 32 ? kept + size : 32;
		memmove(data, data + size - (size < 32 ? size : 32), kept);
		limit -= limit < (size_t)size ? limit : (size_t)size;
	}
	close(fd);
}

/* Files of other tasks are not about the machine; some of ours would wait. */
static int visit(const char *path, const struct stat *st, int type,
		 struct FTW *where)
{
	(void)where;
	if (type == FTW_D && !strncmp(path, "/proc/", 6) &&
	    path[6] >= '0' && path[6] <= '9')
		return FTW_SKIP_SUBTREE;
	if (type == FTW_F && S_ISREG(st->st_mode))
		look_into(path);
	return FTW_CONTINUE;
}

static int writable(const char *path, const struct stat *st, int type,
		    struct FTW *where)
{
	(void)where;
	(void)st;
	if (type == FTW_F && !access(path, W_OK)) {
		note("%s can be written", path);
		found++;
	}
	return FTW_CONTINUE;
}

static int look_at_records(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char record[8192];
	ssize_t size;

	while (fd >= 0 && ((size = read(fd, record, sizeof(record))) > 0 ||
			   errno == EPIPE)) {
		if (size > 0 && !memmem(record, size, "khotest: ", 9))
			look_at("/dev/kmsg", record, size);
	}
	close(fd);
	return found;
}

static int look_everywhere(void)
{
	nftw("/proc", visit, 16, FTW_PHYS | FTW_ACTIONRETVAL);
	nftw("/sys", visit, 16, FTW_PHYS | FTW_ACTIONRETVAL);
	look_at_records();
	note("read %d files", files_read);
	return found || files_read < 100;
}

static int write_anything(void)
{
	nftw("/sys", writable, 16, FTW_PHYS | FTW_ACTIONRETVAL);
	return found;
}

static int open_it(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 && errno == EACCES ? 0 : 1;
}

static int open_device(void)
{
	int read_only = open_it("/dev/liveupdate");

	return read_only || luo_device() != -EACCES;
}

static int open_memory(void)
{
	return open_it("/dev/mem");
}

static int open_debugfs(void)
{
	return open_it("/sys/kernel/debug") || open_it("/sys/kernel/debug/kho") ||
	       open_it("/sys/kernel/debug/kho/out/fdt");
}

static bool as_nobody(int (*look)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (setgid(NOBODY) || setuid(NOBODY))
			_exit(1);
		_exit(look() ? 1 : 0);
	}
	return waitpid(pid, &status, 0) == pid && !status;
}

static void check_nobody(void)
{
	check(as_nobody(open_device), "/dev/liveupdate cannot be opened");
	check(as_nobody(open_memory), "/dev/mem cannot be opened");
	check(as_nobody(open_debugfs), "nothing in debugfs can be opened");
	check(as_nobody(write_anything), "nothing in sysfs can be written");
	check(as_nobody(look_everywhere), "no address can be read");
}

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_create(device, "vm"), "create session");
	int fd = require_fd(memfile_create(&file), "create a memfd");

	check_result(luo_preserve(session, fd, file.token), 0, "preserve it");
	add_all(fd);
	nftw("/sys/kernel/debug/kho", visit, 16, FTW_PHYS | FTW_ACTIONRETVAL);
	check(found, "root finds %d of them in debugfs", found);
	found = 0;
	files_read = 0;
	check_nobody();
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_retrieve(device, "vm"), "retrieve session");
	int fd = require_fd(luo_retrieve_fd(session, file.token), "retrieve");

	add_all(fd);
	check_nobody();
}

SCENARIO(unprivileged, { before_kexec }, { after_kexec });

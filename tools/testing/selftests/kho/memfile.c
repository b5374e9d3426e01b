// SPDX-License-Identifier: GPL-2.0-only
/*
 * memfds made from a description, and the check that a memfd is what its
 * description says. Contents come from pattern.c.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scenario.h"

#define PAGE			KIB(4)
#define SHMEM_HUGE_PAGES	"/sys/kernel/mm/transparent_hugepage/shmem_enabled"

static bool in_hole(const struct hole *hole, size_t offset)
{
	return offset >= hole->start && offset - hole->start < hole->size;
}

static size_t piece(size_t size, size_t offset)
{
	return size - offset < PAGE ? size - offset : PAGE;
}

static void fill(const struct memfile *file, char *map)
{
	__u64 seed = pattern_seed(file->name);

	for (size_t at = 0; at < file->size; at += PAGE) {
		if (!in_hole(&file->hole, at))
			pattern_fill(map + at, piece(file->size, at), seed, at);
	}
}

static size_t zero_mismatch(const char *from, size_t size)
{
	size_t i = 0;

	while (i < size && !from[i])
		i++;
	return i;
}

static size_t page_mismatch(const struct memfile *file, __u64 seed,
			    const char *map, size_t at)
{
	size_t size = piece(file->size, at);
	size_t good = in_hole(&file->hole, at) ?
		zero_mismatch(map + at, size) :
		pattern_mismatch(map + at, size, seed, at);

	return good == size ? SIZE_MAX : at + good;
}

/* Offset of the first byte that differs from the description, or SIZE_MAX. */
static size_t first_wrong_byte(const struct memfile *file, const char *map)
{
	__u64 seed = pattern_seed(file->name);
	size_t wrong = SIZE_MAX;

	for (size_t at = 0; at < file->size && wrong == SIZE_MAX; at += PAGE)
		wrong = page_mismatch(file, seed, map, at);
	return wrong;
}

/* Huge pages: only for the files that ask for them. */
static int create_sized(const struct memfile *file)
{
	int fd;

	if (file->huge)
		write_file(SHMEM_HUGE_PAGES, "always");
	fd = memfd_create(file->name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd >= 0 && ftruncate(fd, file->size) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static char *map_for_writing(const struct memfile *file, int fd)
{
	return mmap(NULL, file->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static int fill_through_mapping(const struct memfile *file, int fd)
{
	char *map;

	if (!file->size)
		return 0;
	map = map_for_writing(file, fd);
	if (map == MAP_FAILED)
		return -1;
	fill(file, map);
	return munmap(map, file->size);
}

int memfile_create(const struct memfile *file)
{
	int fd = create_sized(file), err;

	if (fd < 0)
		return -errno;
	err = fill_through_mapping(file, fd);
	if (file->huge)
		write_file(SHMEM_HUGE_PAGES, "never");
	if (!err && lseek(fd, file->position, SEEK_SET) < 0)
		err = -1;
	if (!err && file->seals)
		err = fcntl(fd, F_ADD_SEALS, file->seals);
	if (!err)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/*
 * Create the file so that every other page that the kernel allocates meanwhile
 * is one of another file, which the caller gets as well. No holes, no position.
 */
int memfile_create_torn(const struct memfile *file, int *other)
{
	size_t step = file->huge ? MIB(2) : PAGE;
	__u64 seed = pattern_seed(file->name);
	int fd = create_sized(file);
	char *map, *torn;

	*other = create_sized(file);
	map = map_for_writing(file, fd);
	torn = map_for_writing(file, *other);
	require(map != MAP_FAILED && torn != MAP_FAILED, "%s: map two files",
		file->name);
	for (size_t at = 0; at < file->size; at += PAGE) {
		pattern_fill(map + at, piece(file->size, at), seed, at);
		if (at % step == 0)
			torn[at] = 1;
	}
	munmap(map, file->size);
	munmap(torn, file->size);
	write_file(SHMEM_HUGE_PAGES, "never");
	return fd;
}

/* The page frame of a page of a file, which is not mapped afterwards */
unsigned long memfile_pfn(int fd, size_t offset)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	const long page = getpagesize();
	char *map = mmap(NULL, page, PROT_READ, MAP_SHARED | MAP_POPULATE, fd,
			 offset);
	__u64 entry = 0;

	require(map != MAP_FAILED && pagemap >= 0, "map a page of a file");
	pread(pagemap, &entry, sizeof(entry), (uintptr_t)map / page * sizeof(entry));
	close(pagemap);
	munmap(map, page);
	return entry & ((1ULL << 55) - 1);
}

static const void *map_for_reading(int fd, size_t size)
{
	return mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
}

static size_t compare(const struct memfile *file, int fd)
{
	const void *map;
	size_t wrong;

	if (!file->size)
		return SIZE_MAX;
	map = map_for_reading(fd, file->size);
	if (map == MAP_FAILED)
		return 0;
	wrong = first_wrong_byte(file, map);
	munmap((void *)map, file->size);
	return wrong;
}

static bool size_is(const struct memfile *file, int fd)
{
	struct stat st;

	return !fstat(fd, &st) && (size_t)st.st_size == file->size;
}

/* Size and contents only. A short file must not be mapped and touched. */
bool memfile_same(const struct memfile *file, int fd)
{
	return size_is(file, fd) && compare(file, fd) == SIZE_MAX;
}

static void verify_contents(const struct memfile *file, int fd)
{
	size_t wrong = compare(file, fd);

	if (!check(wrong == SIZE_MAX, "%s: contents of %zu bytes", file->name,
		   file->size))
		note("first wrong byte at offset %#zx", wrong);
}

void memfile_verify(const struct memfile *file, int fd)
{
	off_t position = lseek(fd, 0, SEEK_CUR);
	int seals = fcntl(fd, F_GET_SEALS);

	if (check(size_is(file, fd), "%s: size", file->name))
		verify_contents(file, fd);
	if (!check(position == (off_t)file->position, "%s: file position",
		   file->name))
		note("got %lld, expected %zu", (long long)position,
		     file->position);
	if (!check(seals == (int)file->seals, "%s: seals", file->name))
		note("got %#x, expected %#x", seals, file->seals);
}

/* Overwrite a part with other bytes; the file then differs everywhere there. */
void memfile_change(int fd, size_t offset, size_t size)
{
	char *map = mmap(NULL, offset + size, PROT_READ | PROT_WRITE,
			 MAP_SHARED, fd, 0);

	require(map != MAP_FAILED, "map a memfd for writing");
	for (size_t i = offset; i < offset + size; i++)
		map[i] = ~map[i];
	munmap(map, offset + size);
}

__u64 memfile_checksum(int fd)
{
	struct stat st;
	const void *map;
	__u64 sum;

	if (fstat(fd, &st) < 0 || !st.st_size)
		return xxh64("", 0, 0);
	map = map_for_reading(fd, st.st_size);
	if (map == MAP_FAILED)
		return 0;
	sum = xxh64(map, st.st_size, 0);
	munmap((void *)map, st.st_size);
	return sum;
}

/* The descriptors are closed: LUO alone must keep the files alive. */
void memfiles_preserve(int session, const struct memfile *files, int count)
{
	for (const struct memfile *file = files; file < files + count; file++) {
		int fd = require_fd(memfile_create(file), "%s: create %zu bytes",
				    file->name, file->size);
		int ret = luo_preserve(session, fd, file->token);

		check_result(ret, 0, "%s: preserve", file->name);
		close(fd);
	}
}

void memfiles_retrieve(int session, const struct memfile *files, int count)
{
	for (const struct memfile *file = files; file < files + count; file++) {
		int fd = luo_retrieve_fd(session, file->token);

		if (!check_result(fd, 0, "%s: retrieve", file->name))
			continue;
		memfile_verify(file, fd);
		close(fd);
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memfds that are all alike go through a kexec, and the calls of LUO are timed.
 * For scripts/bench.py, which says in /bench what they are like, and runs the
 * machine so that a nanosecond is an instruction. Results are lines
 * "bench NAME=VALUE", one for each call.
 *
 * needs run: by hand
 */
#define _GNU_SOURCE
#include <linux/mempolicy.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "scenario.h"

#define MAX_FILES	16

/* Below this the layout cannot be told from that of what else is preserved */
#define MANY	64

/**
 * struct bench - what the memfds are like
 * @files: how many there are
 * @folios: how many each has
 * @retrieve: whether they are retrieved, or left for finish to give back
 * @huge: whether these are huge pages
 * @fragmented: whether every other one in memory belongs to another file,
 *	which is not preserved
 * @nodes: NUMA nodes that they are spread over
 * @sparse: a hole follows each 2 MiB, so many times as large
 */
struct bench {
	int files;
	unsigned long folios;
	int retrieve;
	int huge;
	int fragmented;
	int nodes;
	unsigned long sparse;
};

static struct bench bench;

static size_t folio_size(void)
{
	return bench.huge ? MIB(2) : KIB(4);
}

static unsigned long all_folios(void)
{
	return bench.files * bench.folios;
}

static void read_parameters(void)
{
	char text[128];
	int found;

	read_file("/bench", text, sizeof(text));
	found = sscanf(text,
		       "files=%d folios=%lu retrieve=%d huge=%d fragmented=%d nodes=%d sparse=%lu",
		       &bench.files, &bench.folios, &bench.retrieve,
		       &bench.huge, &bench.fragmented, &bench.nodes,
		       &bench.sparse);
	require(found == 7 && bench.files <= MAX_FILES,
		"parameters in /bench: %s", text);
}

/* tsc or, at first, tsc-early. No other clock of a PC is as fine. */
static void check_clock(void)
{
	char name[32];

	read_file("/sys/devices/system/clocksource/clocksource0/current_clocksource",
		  name, sizeof(name));
	name[strcspn(name, "\n")] = 0;
	check(!strncmp(name, "tsc", 3), "the clock is %s", name);
}

static __u64 now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

/*
 * The coarse clock changes with the tick. The next one is then as far away as
 * it can be, and does not count as a part of a short call.
 */
static void await_tick(void)
{
	__u64 before = now(CLOCK_MONOTONIC_COARSE);

	while (now(CLOCK_MONOTONIC_COARSE) == before)
		;
}

static __u64 start(void)
{
	await_tick();
	return now(CLOCK_MONOTONIC);
}

static void report_cost(const char *name, __u64 started)
{
	note("bench %s=%llu", name, now(CLOCK_MONOTONIC) - started);
}

/* Files that are retrieved are all in the first one. */
static const char *session_name(int number)
{
	static char name[32];

	snprintf(name, sizeof(name), "bench-%d", number);
	return name;
}

static size_t file_size(void)
{
	return bench.folios * folio_size() * (1 + bench.sparse);
}

static int create(void)
{
	int fd = require_fd(memfd_create("bench", MFD_CLOEXEC), "create memfd");

	require(!ftruncate(fd, file_size()), "set its size");
	return fd;
}

static char *map_file(int fd)
{
	char *area = mmap(NULL, file_size(), PROT_READ | PROT_WRITE, MAP_SHARED,
			  fd, 0);

	require(area != MAP_FAILED, "map a memfd");
	return area;
}

static void unmap_file(char *area)
{
	munmap(area, file_size());
}

static __u64 *mark_in(char *area, unsigned long i)
{
	size_t offset = i * folio_size();

	offset += offset / MIB(2) * MIB(2) * bench.sparse;
	return (__u64 *)(area + offset);
}

/* Memory is handed out in the order in which it is touched first. */
static int create_filled(void)
{
	char *area, *between = NULL;
	int fd = create();

	area = map_file(fd);
	if (bench.fragmented)
		between = map_file(create());
	for (unsigned long i = 0; i < bench.folios; i++) {
		*mark_in(area, i) = boot_seed() + i;
		if (between)
			*mark_in(between, i) = i;
	}
	unmap_file(area);
	if (between)
		unmap_file(between);
	return fd;
}

/*
 * The kernel releases scratch memory in units of huge pages, of which the last
 * wait in a list of the CPU for whoever asks first. Preserving one means to
 * move it, and copying is not what is measured. The memory stays in use.
 */
static void take_scratch_first(void)
{
	size_t size = MIB(64);
	char *area = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	require(area != MAP_FAILED, "map shared memory");
	for (size_t at = 0; at < size; at += MIB(2))
		area[at] = 1;
}

static void use_huge_pages(void)
{
	int ret = write_file("/sys/kernel/mm/transparent_hugepage/shmem_enabled",
			     "always");

	check_result(ret, 0, "use huge pages");
	take_scratch_first();
}

static void set_policy(void)
{
	unsigned long nodes = (1UL << bench.nodes) - 1;

	if (bench.nodes > 1)
		check(!syscall(SYS_set_mempolicy, MPOL_INTERLEAVE, &nodes,
			       8 * sizeof(nodes)), "use all nodes by turns");
	if (bench.huge)
		use_huge_pages();
}

/* Metadata is all that is kept beside the files' own pages. */
static void report_preserved(void)
{
	struct preserved found = count_preserved();
	unsigned long pages = all_folios() * (folio_size() / KIB(4));

	note("bench metadata=%llu", found.nodes + found.pages - pages);
	note("bench runs=%llu", found.runs);
	if (all_folios() < MANY)
		return;
	check((found.runs > all_folios() * 9 / 10) == bench.fragmented,
	      "%lu folios are preserved in %llu runs", all_folios(),
	      found.runs);
}

static void preserve(int session, int fd, __u64 token)
{
	__u64 started = start();
	int ret = luo_preserve(session, fd, token);

	report_cost("preserve", started);
	check_result(ret, 0, "preserve");
	close(fd);
}

static void before_kexec(void)
{
	int device, session = -1, fds[MAX_FILES];

	read_parameters();
	check_clock();
	set_policy();
	device = require_fd(luo_device(), "open /dev/liveupdate");
	for (int i = 0; i < bench.files; i++)
		fds[i] = create_filled();
	for (int i = 0; i < bench.files; i++) {
		if (!i || !bench.retrieve)
			session = require_fd(luo_create(device, session_name(i)),
					     "create session");
		preserve(session, fds[i], i);
	}
	report_preserved();
}

static void verify(int fd)
{
	unsigned long good = 0;
	struct stat st;
	char *area = map_file(fd);

	for (unsigned long i = 0; i < bench.folios; i++)
		good += *mark_in(area, i) == boot_seed() + i;
	unmap_file(area);
	check(good == bench.folios, "%lu of %lu folios came through", good,
	      bench.folios);
	check(!fstat(fd, &st) &&
	      (size_t)st.st_blocks * 512 == bench.folios * folio_size(),
	      "the file has %llu blocks", (unsigned long long)st.st_blocks);
}

static void time_retrieve(int session, __u64 token)
{
	__u64 started = start();
	int fd = luo_retrieve_fd(session, token);

	report_cost("retrieve", started);
	require_fd(fd, "retrieve file");
	verify(fd);
}

static void time_finish(int session, const char *name)
{
	__u64 started = start();
	int ret = luo_finish(session);

	report_cost(name, started);
	check_result(ret, 0, "finish");
}

static void after_kexec(void)
{
	int device, session = -1;

	read_parameters();
	check_clock();
	device = require_fd(luo_device(), "open /dev/liveupdate");
	for (int i = 0; i < bench.files; i++) {
		if (!i || !bench.retrieve)
			session = require_fd(luo_retrieve(device, session_name(i)),
					     "retrieve session");
		if (bench.retrieve)
			time_retrieve(session, i);
		else
			time_finish(session, "discard");
	}
	if (bench.retrieve)
		time_finish(session, "finish");
}

SCENARIO(bench_memfd, { before_kexec }, { after_kexec });

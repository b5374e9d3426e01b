// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ten sessions of 1,000 files each go through a kexec, and then one of 10,000. To
 * find a file in the large session takes hardly longer than in a small one, also
 * when the kernel reads it. What that takes is in the log; where a nanosecond is an
 * instruction the times mean something. So is the memory for each file of a page.
 *
 * needs memory: 1G
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "scenario.h"

#define SMALL		1000
#define LARGE		10000
#define SESSIONS	(LARGE / SMALL)
#define LOOKUPS		1000
/* Times as long: of a search in a tree hardly more, in a list 10,000 */
#define MOST		4

/* Files of a page whose memory is measured, in a session that is closed again */
#define MEASURED	1000
/* Bytes for each, itself included. Version 2 has three pages for what describes it */
#define MOST_BYTES	9000

static __u64 now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static const char *session_name(int nr)
{
	static char name[16];

	snprintf(name, sizeof(name), "session-%d", nr);
	return name;
}

static void preserve_many(int session, int nr, size_t size)
{
	const struct memfile file = { .name = "one of many", .size = size };
	int failed = 0;

	for (int token = 0; token < nr; token++) {
		int fd = memfile_create(&file);

		failed += luo_preserve(session, fd, token) != 0;
		close(fd);
	}
	check(!failed, "%d files are preserved", nr);
}

static long used_kib(void)
{
	return meminfo_kib("MemTotal") - free_kib();
}

static long measure_memory(int device, const char *version)
{
	int session = require_fd(luo_create(device, "measured"), "create session");
	long slab = meminfo_kib("Slab"), used = used_kib();

	preserve_many(session, MEASURED, KIB(4));
	slab = (meminfo_kib("Slab") - slab) * 1024 / MEASURED;
	used = (used_kib() - used) * 1024 / MEASURED;
	note("bench memory for each file, version %s: %ld bytes, %ld of them of slab",
	     version, used, slab);
	close(session);
	return used;
}

static void choose_version(const char *version)
{
	check_result(write_file("/sys/kernel/kho/components/memfd/write", version), 0,
		     "version %s of memfd is written", version);
}

/* The second time slab is there already */
static void measure_versions(int device)
{
	long used;

	choose_version("3");
	used = measure_memory(device, "3");
	/* The checkers make each object of slab larger */
	if (access("/sys/kernel/debug/kmemleak", F_OK))
		check(used <= MOST_BYTES, "%ld bytes for each file, at most %d", used,
		      MOST_BYTES);
	choose_version("2");
	measure_memory(device, "2");
}

/* Of a file that is not there; the shortest, as others may have the processor */
static __u64 lookup(int session)
{
	__u64 least = ~0ULL;

	for (int i = 0; i < LOOKUPS; i++) {
		__u64 start = now(), taken;

		luo_retrieve_fd(session, LARGE + i);
		taken = now() - start;
		if (taken < least)
			least = taken;
	}
	return least;
}

static int open_device(void)
{
	__u64 start = now();
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	note("bench opening: %llu ns", now() - start);
	return device;
}

static void small_sessions(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	measure_versions(device);
	for (int i = 0; i < SESSIONS; i++)
		preserve_many(require_fd(luo_create(device, session_name(i)),
					 "create session"), SMALL, 0);
}

static void finish_all(int device)
{
	__u64 taken = 0;

	for (int i = 0; i < SESSIONS; i++) {
		int session = require_fd(luo_retrieve(device, session_name(i)),
					 "retrieve session");
		__u64 start = now();

		check_result(luo_finish(session), 0, "finish");
		taken += now() - start;
		close(session);
	}
	note("bench finishing: %llu ns", taken);
}

static void large_session(void)
{
	int device = open_device();
	__u64 start;

	finish_all(device);
	preserve_many(require_fd(luo_create(device, "single"), "create session"),
		      1, 0);
	start = now();
	preserve_many(require_fd(luo_create(device, "large"), "create session"),
		      LARGE, 0);
	note("bench preserving: %llu ns", now() - start);
}

static void compare(void)
{
	int device = open_device();
	int single = require_fd(luo_retrieve(device, "single"), "retrieve session");
	int large = require_fd(luo_retrieve(device, "large"), "retrieve session");
	__u64 in_single = lookup(single), in_large = lookup(large), start;

	check(in_large < in_single * MOST,
	      "a file is looked up in %llu ns among %d, in %llu ns otherwise",
	      in_large, LARGE, in_single);
	check_result(luo_finish(single), 0, "finish");
	start = now();
	check_result(luo_finish(large), 0, "finish");
	note("bench finishing: %llu ns", now() - start);
}

SCENARIO(many_files, { small_sessions }, { large_session }, { compare });

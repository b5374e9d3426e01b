// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files, sessions and a reserve_mem region that travel between kernels of
 * different kinds. Every boot but the last hands all of it on, the files being
 * those that it got itself; the kernels must not tell the difference.
 *
 * There are as many sessions as fill a block of LUO's, and one more is refused
 * because of its name: a stock kernel then hands over an empty block, too.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "scenario.h"

#define REGION_SIZE	MIB(64)
#define EMPTY_SESSIONS	50
#define SEALED		(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

static const struct memfile files[] = {
	{ .name = "one-page", .token = 1, .size = KIB(4) },
	{ .name = "odd-size", .token = 2, .size = 12345, .position = 4321 },
	{ .name = "empty", .token = 3, .size = 0, .position = 77 },
	{ .name = "ordinary", .token = 4, .size = MIB(16) },
	{ .name = "huge", .token = 5, .size = MIB(16), .huge = true },
	{ .name = "holes", .token = 6, .size = MIB(4) + 100,
	  .hole = { MIB(1), MIB(2) } },
	{ .name = "sealed", .token = 7, .size = MIB(1), .seals = SEALED },
};

static int fds[ARRAY_SIZE(files)];

static const char *empty_session(int i)
{
	static char name[16];

	snprintf(name, sizeof(name), "empty-%d", i);
	return name;
}

/* The next kernel decides what is written, so it is loaded first */
static void hand_on(int device)
{
	int empty = 0, session;

	check_result(load_next_kernel(), 0, "load the next kernel");
	session = require_fd(luo_create(device, "vm"), "create session");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		check_result(luo_preserve(session, fds[i], files[i].token), 0,
			     "%s: preserve", files[i].name);
	while (empty < EMPTY_SESSIONS &&
	       luo_create(device, empty_session(empty)) >= 0)
		empty++;
	check(empty == EMPTY_SESSIONS, "create %d empty sessions", empty);
	check_result(luo_create(device, "vm"), -EEXIST, "a name twice");
}

static int retrieve_empty_sessions(int device)
{
	int good = 0;

	for (int i = 0; i < EMPTY_SESSIONS; i++) {
		int session = luo_retrieve(device, empty_session(i));

		good += session >= 0 && !luo_finish(session);
		close(session);
	}
	return good;
}

static void verify_region(void)
{
	void *area = reserve_mem_map("region", REGION_SIZE);

	check(pattern_mismatch(area, REGION_SIZE, pattern_seed("region"), 0) ==
	      REGION_SIZE, "region: contents");
	munmap(area, REGION_SIZE);
}

static void take(int device)
{
	int session = require_fd(luo_retrieve(device, "vm"),
				 "retrieve session");

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		fds[i] = require_fd(luo_retrieve_fd(session, files[i].token),
				    "%s: retrieve", files[i].name);
		memfile_verify(&files[i], fds[i]);
		note("%s: sum %016llx", files[i].name,
		     memfile_checksum(fds[i]));
	}
	check(retrieve_empty_sessions(device) == EMPTY_SESSIONS,
	      "%d empty sessions", EMPTY_SESSIONS);
	check_result(luo_finish(session), 0, "finish");
	close(session);
	verify_region();
}

void interop_first(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	void *area = reserve_mem_map("region", REGION_SIZE);

	pattern_fill(area, REGION_SIZE, pattern_seed("region"), 0);
	munmap(area, REGION_SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		fds[i] = require_fd(memfile_create(&files[i]), "%s: create",
				    files[i].name);
	hand_on(device);
}

void interop_between(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	use_free_memory();
	take(device);
	hand_on(device);
}

void interop_last(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	use_free_memory();
	take(device);
}

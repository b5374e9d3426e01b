// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation of preserving, serializing, retrieving and finishing fails
 * once, in turn. The caller is told, nothing is lost or leaked, and the same
 * call succeeds when it is made again. vmalloc() says in the log from where it
 * was called when it gets no memory.
 *
 * needs config: debug
 * needs memory: 256M
 * needs cmdline: test_kho.max_mem=0 nokaslr
 * needs log: Call Trace:
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "scenario.h"

#define NUMBER	100

static const struct memfile files[] = {
	{ .name = "empty", .token = 1, .size = 0 },
	{ .name = "page", .token = 2, .size = KIB(4) },
	{ .name = "pages", .token = 3, .size = MIB(3), .seals = F_SEAL_GROW },
	{ .name = "huge", .token = 4, .size = MIB(4), .huge = true },
};

/* Nobody retrieves it, so that finish has to free it. */
static const struct memfile forgotten = {
	.name = "forgotten", .token = 5, .size = MIB(1),
};

/*
 * What was retrieved or finished in spite of a failed allocation can't be again:
 * the next allocation fails for another copy of the session.
 */
#define COPIES	24

static int device, session;
static int sessions[COPIES];

/* What a call is about: its functions get no argument. */
static const struct memfile *file;
static int file_fd, copy;

static const char *copy_name(void)
{
	static char name[16];

	snprintf(name, sizeof(name), "vm-%d", copy);
	return name;
}

static void next_copy(void)
{
	copy++;
	require(copy < COPIES, "there are more than %d copies", copy);
}

static void undo_fd(int fd)
{
	close(fd);
}

static int create_session(void)
{
	return luo_create(device, "vm");
}

static int preserve_file(void)
{
	return luo_preserve(session, file_fd, file->token);
}

/* Only the end of its session takes a file out of it again. */
static void undo_preserve(int result)
{
	(void)result;
	close(session);
	session = create_session();
}

static void fail_preserve(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		file = &files[i];
		file_fd = require_fd(memfile_create(file), "%s: create",
				     file->name);
		fail_each_allocation(file->name, preserve_file, undo_preserve);
		close(file_fd);
		undo_preserve(0);
	}
}

/* The kernel that is compared with the next one has seen a kexec, as that has. */
static void cold(void)
{
}

static void before_kexec(void)
{
	__u64 held = memory_report("held"), preserved;

	faults_init();
	device = require_fd(luo_device(), "open /dev/liveupdate");
	preserved = count_preserved().pages;
	session = fail_each_allocation("create session", create_session,
				       undo_fd);
	fail_preserve();
	close(session);
	check(count_preserved().pages == preserved,
	      "%llu pages preserved, as before", count_preserved().pages);
	for (copy = 0; copy < COPIES; copy++) {
		session = require_fd(luo_create(device, copy_name()),
				     "create %s", copy_name());
		memfiles_preserve(session, files, ARRAY_SIZE(files));
		memfiles_preserve(session, &forgotten, 1);
	}
	carry_number(session, NUMBER, held);
	fail_kexec_allocations();
}

static int retrieve_session(void)
{
	return luo_retrieve(device, copy_name());
}

static void keep_session(int result)
{
	sessions[copy] = result;
	next_copy();
}

static void retrieve_sessions(void)
{
	copy = 0;
	keep_session(fail_each_allocation("retrieve session", retrieve_session,
					  keep_session));
	for (; copy < COPIES; copy++)
		sessions[copy] = require_fd(retrieve_session(), "retrieve %s",
					    copy_name());
}

static int retrieve_file(void)
{
	return luo_retrieve_fd(sessions[copy], file->token);
}

static void check_file(int fd)
{
	memfile_verify(file, fd);
	close(fd);
	next_copy();
}

static void retrieve_files(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		copy = 0;
		file = &files[i];
		check_file(fail_each_allocation(file->name, retrieve_file,
						check_file));
	}
}

static int finish_session(void)
{
	return luo_finish(sessions[copy]);
}

static void close_session(int result)
{
	(void)result;
	close(sessions[copy]);
	next_copy();
}

static void finish_sessions(void)
{
	copy = 0;
	close_session(fail_each_allocation("finish", finish_session,
					   close_session));
	for (; copy < COPIES; copy++)
		check_result(luo_finish(sessions[copy]), 0, "finish %s",
			     copy_name());
}

static void after_kexec(void)
{
	__u64 held;

	faults_init();
	device = fail_each_allocation("open /dev/liveupdate", luo_device,
				      undo_fd);
	retrieve_sessions();
	retrieve_files();
	held = carried_number(sessions[COPIES - 1], NUMBER);
	finish_sessions();
	if (!check(memory_report("held") == held,
		   "nothing of the last kernel is held any more"))
		note("%llu pages, %llu after a kexec of nothing",
		     memory_report("held"), held);
}

SCENARIO(faults, { cold }, { before_kexec }, { after_kexec });

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several processes preserve small memfds as fast as they can while reboots are
 * refused. None of them gets an error, and in the end every file that they say
 * is preserved comes through.
 *
 * needs memory: 1G
 * needs smp: 4
 * needs cmdline: initcall_blacklist=test_kho_init
 * needs kernels: ours ours:memfd=8-9
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

#define PROCESSES	4
#define REFUSALS	300
#define MOST_FILES	2000

/* In memory that the processes share */
static struct {
	int stop;
	int preserved[PROCESSES];
	int failed[PROCESSES];
} *shared;

/* In the session that has nothing but the counts */
#define COUNTS	1

static const char *session_name(int i)
{
	static char name[16];

	snprintf(name, sizeof(name), "session-%d", i);
	return name;
}

/* One page, which says whose it is and which one */
static int small_file(int process, int number)
{
	int words[2] = { process, number };
	int fd = memfd_create("small", MFD_CLOEXEC);

	if (write(fd, words, sizeof(words)) == sizeof(words))
		return fd;
	close(fd);
	return -1;
}

static bool small_file_same(int fd, int process, int number)
{
	int words[2];

	return pread(fd, words, sizeof(words), 0) == sizeof(words) &&
	       words[0] == process && words[1] == number;
}

static void preserve_many(int process, int session)
{
	int number = 0;

	while (!__atomic_load_n(&shared->stop, __ATOMIC_ACQUIRE) &&
	       number < MOST_FILES) {
		int fd = small_file(process, number);
		int ret = luo_preserve(session, fd, number + 1);

		close(fd);
		if (ret)
			shared->failed[process] = ret;
		number += !ret;
		__atomic_store_n(&shared->preserved[process], number,
				 __ATOMIC_RELEASE);
	}
}

static void start(int device)
{
	for (int i = 0; i < PROCESSES; i++) {
		int session = require_fd(luo_create(device, session_name(i)),
					 "create session %d", i);

		if (fork())
			continue;
		preserve_many(i, session);
		_exit(0);
	}
}

static int preserved_by_all(void)
{
	int sum = 0;

	for (int i = 0; i < PROCESSES; i++)
		sum += __atomic_load_n(&shared->preserved[i], __ATOMIC_ACQUIRE);
	return sum;
}

static void refuse_many(void)
{
	int before = preserved_by_all(), refused = 0;

	while (refused < REFUSALS && try_kexec() == -EPROTONOSUPPORT)
		refused++;
	check(refused == REFUSALS, "%d refused reboots", refused);
	check(preserved_by_all() > before, "%d files were preserved meanwhile",
	      preserved_by_all() - before);
}

static void hand_over_counts(int device)
{
	int session = require_fd(luo_create(device, "counts"), "create session");
	int fd = memfd_create("counts", MFD_CLOEXEC);
	int size = sizeof(shared->preserved);

	check(write(fd, shared->preserved, size) == size, "write the counts");
	check_result(luo_preserve(session, fd, COUNTS), 0, "preserve them");
	close(fd);
}

static void first(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	require(shared != MAP_FAILED, "map memory to share");
	set_kho_check("warn");
	check_result(load_kernel("ours:memfd=8-9", ""), 0,
		     "load an image that reads no memfds");
	set_kho_check("enforce");
	start(device);
	while (!preserved_by_all())
		sched_yield();
	refuse_many();
	__atomic_store_n(&shared->stop, 1, __ATOMIC_RELEASE);
	while (wait(NULL) > 0)
		;
	for (int i = 0; i < PROCESSES; i++)
		check_result(shared->failed[i], 0, "process %d preserved %d files",
			     i, shared->preserved[i]);
	hand_over_counts(device);
	check_result(load_next_kernel(), 0, "load a good one");
}

static int verify_session(int session, int process, int count)
{
	int good = 0;

	for (int number = 0; number < count; number++) {
		int fd = luo_retrieve_fd(session, number + 1);

		good += fd >= 0 && small_file_same(fd, process, number);
		close(fd);
	}
	return good;
}

static void second(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_retrieve(device, "counts"),
				 "retrieve session");
	int fd = require_fd(luo_retrieve_fd(session, COUNTS),
			    "retrieve the counts");
	int preserved[PROCESSES];

	require(pread(fd, preserved, sizeof(preserved), 0) == sizeof(preserved),
		"read them");
	for (int i = 0; i < PROCESSES; i++) {
		int good;

		session = require_fd(luo_retrieve(device, session_name(i)),
				     "retrieve session %d", i);
		good = verify_session(session, i, preserved[i]);
		check(good == preserved[i], "%d of %d files are what they were",
		      good, preserved[i]);
		check_result(luo_retrieve_fd(session, preserved[i] + 1), -ENOENT,
			     "there are no more");
	}
}

SCENARIO(image_race, { first }, { second });

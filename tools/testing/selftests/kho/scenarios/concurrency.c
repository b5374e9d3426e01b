// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many processes at once: before the kexec they make sessions, preserve files
 * and take them back, again and again, while one kexec after the other is
 * refused; after it all of them want every session and every file in it, and
 * finish while others still retrieve.
 *
 * needs smp: 4
 * needs cmdline: test_kho.max_mem=0
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

#define PROCESSES	8
#define ROUNDS		25
#define FILES		4

/* Of one process, by which the sessions and files that it keeps are named. */
static int me;

static void name_session(char name[32], int process)
{
	snprintf(name, 32, "process-%d", process);
}

/* Sizes that differ, the last one with huge pages. */
static struct memfile describe(int i)
{
	static const char *const names[FILES] = { "a", "b", "c", "d" };

	return (struct memfile){
		.name = names[i], .token = i + 1,
		.size = i < FILES - 1 ? KIB(4) << (2 * i) : MIB(2),
	};
}

static int preserve_files(int session)
{
	for (int i = 0; i < FILES; i++) {
		struct memfile file = describe(i);
		int fd = memfile_create(&file);
		int ret = fd < 0 ? fd : luo_preserve(session, fd, file.token);

		if (ret) {
			note("%d: %s: %s", me, file.name, result_name(ret));
			return ret;
		}
		close(fd);
	}
	return 0;
}

/* All but the last round end with the session closed, so nothing is kept. */
static int preserve_again_and_again(int device)
{
	char name[32];

	name_session(name, me);
	for (int round = 1; round <= ROUNDS; round++) {
		int session = luo_create(device, name);

		if (session < 0 || preserve_files(session)) {
			note("%d: round %d: %s", me, round,
			     result_name(session));
			return 1;
		}
		if (round < ROUNDS)
			close(session);
	}
	return 0;
}

/* Exit would close the session: the real kexec comes while they all wait. */
static void be_preserver(int device, int done)
{
	char failed = preserve_again_and_again(device);

	if (write(done, &failed, 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static int start_preservers(int device)
{
	int ends[2];

	require(!pipe(ends), "make a pipe");
	for (me = 1; me <= PROCESSES; me++) {
		if (!fork())
			be_preserver(device, ends[1]);
	}
	close(ends[1]);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	return ends[0];
}

/* The image that was loaded stays loaded when its kexec is refused. */
static int refuse_until_done(int done)
{
	int refused = 0, ended = 0, failed = 0;
	char result;

	while (ended < PROCESSES) {
		refuse_kexec(1);
		if (try_kexec() != -EBUSY)
			failed++;
		refused++;
		while (read(done, &result, 1) == 1) {
			ended++;
			failed += result;
		}
	}
	check(!failed, "%d failures while %d kexecs were refused", failed,
	      refused);
	return refused;
}

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_create(device, "refuser"),
				 "create session");
	struct memfile file = describe(0);
	int fd, done;

	check_result(register_handler(1), 0, "register the handler");
	fd = require_fd(testfile_create(&file, 0), "create a test file");
	check_result(luo_preserve(session, fd, 1), 0, "preserve it");
	check_result(load_next_kernel(), 0, "load the next kernel");
	done = start_preservers(device);
	check(refuse_until_done(done), "kexec was refused");
	check(luo_create(device, "process-1") == -EEXIST,
	      "the sessions are still there");
}

/* Of one process after the kexec: what it got. */
struct got {
	int sessions;
	int files;
	int wrong;
};

static bool file_is_right(int session, int i)
{
	struct memfile file = describe(i);
	int fd = luo_retrieve_fd(session, file.token);
	bool same = fd >= 0 && memfile_same(&file, fd);

	if (!same)
		note("%d: %s: %s", me, file.name, result_name(fd));
	close(fd);
	return same;
}

/* Two processes with one session: both get each file, both may finish. */
static void share_session(int session, struct got *got)
{
	pid_t twin = fork();
	int wrong = 0, status = 1;

	for (int i = 0; i < FILES; i++)
		wrong += !file_is_right(session, twin ? i : FILES - 1 - i);
	if (!twin)
		_exit(wrong);
	waitpid(twin, &status, 0);
	got->files += FILES;
	got->wrong += wrong + !!status + !!luo_finish(session);
	close(session);
}

static struct got take_sessions(int device)
{
	struct got got = {};

	for (int i = 0; i < PROCESSES; i++) {
		char name[32];
		int session;

		name_session(name, 1 + (me + i) % PROCESSES);
		session = luo_retrieve(device, name);
		if (session >= 0) {
			got.sessions++;
			share_session(session, &got);
		} else if (session != -EINVAL && session != -ENOENT) {
			note("%d: %s: %s", me, name, result_name(session));
			got.wrong++;
		}
	}
	return got;
}

static void be_retriever(int device, int results)
{
	struct got got = take_sessions(device);

	_exit(write(results, &got, sizeof(got)) != sizeof(got));
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	struct got sum = {}, got;
	int ends[2];

	require(!pipe(ends), "make a pipe");
	for (me = 1; me <= PROCESSES; me++) {
		if (!fork())
			be_retriever(device, ends[1]);
	}
	close(ends[1]);
	while (read(ends[0], &got, sizeof(got)) == sizeof(got)) {
		sum.sessions += got.sessions;
		sum.files += got.files;
		sum.wrong += got.wrong;
	}
	while (wait(NULL) > 0)
		;
	check(sum.sessions == PROCESSES, "%d sessions retrieved",
	      sum.sessions);
	check(sum.files == PROCESSES * FILES && !sum.wrong,
	      "%d files retrieved, %d failures", sum.files, sum.wrong);
}

SCENARIO(concurrency, { before_kexec }, { after_kexec });

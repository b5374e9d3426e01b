// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files are retrieved by processes of memory cgroups that are smaller than they.
 * No limit makes that fail, nothing is killed, and no limit is exceeded: what does
 * not fit is charged to the nearest ancestor where it fits, and the log says so.
 *
 * needs memory: 512M
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

#define CGROUPS		"/tmp/cgroups"
#define OUTER		"/outer"
#define INNER		OUTER "/inner"
#define OUTER_MIB	144
#define INNER_MIB	48
/* For whatever else is charged; charges are made ahead for 64 pages on each CPU */
#define SLACK_MIB	4

enum { SMALL, LARGE, LARGER, HUGE, HIGH, NR_FILES };

static const struct memfile files[NR_FILES] = {
	[SMALL] = { .name = "small", .token = 1, .size = MIB(8) },
	[LARGE] = { .name = "large", .token = 2, .size = MIB(96) },
	[LARGER] = { .name = "larger", .token = 3, .size = MIB(64) },
	[HUGE] = { .name = "huge", .token = 4, .size = MIB(16) + 1, .huge = true },
	[HIGH] = { .name = "high", .token = 5, .size = MIB(12) },
};

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_create(device, "vm"), "create session");

	memfiles_preserve(session, files, NR_FILES);
}

static void set(const char *cgroup, const char *file, const char *value)
{
	char path[64];
	int ret;

	snprintf(path, sizeof(path), CGROUPS "%s/%s", cgroup, file);
	ret = write_file(path, value);
	if (ret)
		require(false, "write %s to %s: %s", value, path,
			result_name(ret));
}

static long get(const char *cgroup, const char *file, const char *key)
{
	char path[64], text[1024], *at;

	snprintf(path, sizeof(path), CGROUPS "%s/%s", cgroup, file);
	read_file(path, text, sizeof(text));
	at = strstr(text, key);
	if (!at)
		require(false, "%s has '%s'", path, key);
	return atol(at + strlen(key));
}

static long current_mib(const char *cgroup)
{
	return get(cgroup, "memory.current", "") >> 20;
}

static void check_peak(const char *cgroup, long limit)
{
	long peak = get(cgroup, "memory.peak", "") >> 10;

	check(peak <= limit << 10, "%s: at most %ld KiB were charged", cgroup,
	      peak);
}

static void make(const char *cgroup, long max_mib)
{
	char path[64], max[16];

	snprintf(path, sizeof(path), CGROUPS "%s", cgroup);
	require(!mkdir(path, 0755), "create cgroup %s", cgroup);
	snprintf(max, sizeof(max), "%ldM", max_mib);
	set(cgroup, "memory.max", max);
}

/* Somebody whom the OOM killer would find, with a MiB of his own */
static pid_t start_bystander(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	set(INNER, "cgroup.procs", "0");
	memset(malloc(MIB(1)), 1, MIB(1));
	while (true)
		pause();
}

/* The descriptor dies with the process, the file belongs to the session, too */
static int retrieve_in(const char *cgroup, int session,
		       const struct memfile *file)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		set(cgroup, "cgroup.procs", "0");
		_exit(luo_retrieve_fd(session, file->token) < 0);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void check_charged(const char *name, const char *cgroup, long before,
			  size_t size)
{
	long got = current_mib(cgroup) - before, expected = size >> 20;

	check(got >= expected - 1 && got <= expected + SLACK_MIB,
	      "%s: %ld MiB more are charged to %s, expected %ld", name, got,
	      cgroup, expected);
}

static void check_retrieve(int session, int nr, const char *charged)
{
	const struct memfile *file = &files[nr];
	long outer = current_mib(OUTER), inner = current_mib(INNER);
	int messages = kmsg_each("exceed the limits of its memory cgroup", NULL);

	check(!retrieve_in(INNER, session, file), "%s: retrieve in " INNER,
	      file->name);
	check_charged(file->name, INNER, inner,
		      strcmp(charged, INNER) ? 0 : file->size);
	check_charged(file->name, OUTER, outer,
		      strcmp(charged, "/") ? file->size : 0);
	messages = kmsg_each("exceed the limits of its memory cgroup", NULL) - messages;
	check(messages == !!strcmp(charged, INNER), "%s: %d messages of it",
	      file->name, messages);
}

static void check_events(const char *cgroup)
{
	static const char *const events[] = { "oom ", "oom_kill ", "high " };

	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		check(!get(cgroup, "memory.events", events[i]), "%s: no %s",
		      cgroup, events[i]);
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_retrieve(device, "vm"), "retrieve session");
	pid_t bystander;

	mkdir(CGROUPS, 0755);
	require(!mount("cgroup2", CGROUPS, "cgroup2", 0, NULL), "mount cgroup2");
	set("", "cgroup.subtree_control", "+memory");
	make(OUTER, OUTER_MIB);
	set(OUTER, "cgroup.subtree_control", "+memory");
	make(INNER, INNER_MIB);
	bystander = start_bystander();

	check_retrieve(session, SMALL, INNER);
	check_retrieve(session, LARGE, OUTER);
	check_retrieve(session, LARGER, "/");
	check_retrieve(session, HUGE, INNER);
	set(INNER, "memory.high", "30M");
	check_retrieve(session, HIGH, OUTER);

	check_peak(INNER, INNER_MIB);
	check_peak(OUTER, OUTER_MIB);
	check_events(INNER);
	check_events(OUTER);
	check(waitpid(bystander, NULL, WNOHANG) == 0, "the bystander lives");

	memfiles_retrieve(session, files, NR_FILES);
	check_result(luo_finish(session), 0, "finish");
	check(current_mib(OUTER) < SLACK_MIB, "%ld MiB remain charged",
	      current_mib(OUTER));
	kill(bystander, SIGKILL);
}

SCENARIO(retrieve_limit, { before_kexec }, { after_kexec });

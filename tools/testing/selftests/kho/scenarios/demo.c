// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest side of "make demo": two sessions with memfds of several kinds go
 * through a kexec. What happens is reported in lines "demo KEY=VALUE...",
 * which scripts/demo.py turns into sentences and a table.
 *
 * needs memory: 1G
 * needs run: by hand
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>

#include "scenario.h"

#define SEALS	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

static const struct {
	const char *session;
	const char *kind;
	struct memfile file;
} table[] = {
	{ "vm-1", "4-KiB-pages",
	  { .name = "guest-ram", .token = 1, .size = MIB(96) } },
	{ "vm-1", "huge-pages",
	  { .name = "guest-ram-huge", .token = 2, .size = MIB(128),
	    .huge = true } },
	{ "vm-1", "sealed",
	  { .name = "firmware", .token = 3, .size = MIB(4), .seals = SEALS } },
	{ "vm-2", "holes",
	  { .name = "disk-cache", .token = 1, .size = MIB(64),
	    .hole = { MIB(8), MIB(48) } } },
	{ "vm-2", "position-1000000",
	  { .name = "event-log", .token = 2, .size = 3000000,
	    .position = 1000000 } },
};

static int fds[ARRAY_SIZE(table)];

/* The host takes the time: that of an emulated machine runs unevenly. */
static void report_step(const char *what)
{
	note("demo step=%s", what);
}

static void introduce_kernel(void)
{
	struct utsname uts;

	uname(&uts);
	for (char *c = uts.version; *c; c++) {
		if (*c == ' ')
			*c = '_';
	}
	note("demo kernel release=%s version=%s", uts.release, uts.version);
}

static void describe(size_t i)
{
	note("demo file=%s session=%s kind=%s bytes=%zu sum=%016llx",
	     table[i].file.name, table[i].session, table[i].kind,
	     table[i].file.size,
	     memfile_checksum(fds[i]));
}

static void preserve_session(int device, const char *name)
{
	int session = require_fd(luo_create(device, name), "create session %s",
				 name);

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (!strcmp(table[i].session, name))
			require(!luo_preserve(session, fds[i],
					      table[i].file.token),
				"preserve %s", table[i].file.name);
	}
}

static void before(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	introduce_kernel();
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		fds[i] = require_fd(memfile_create(&table[i].file), "create %s",
				    table[i].file.name);
	report_step("create");
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		describe(i);
	report_step("checksum");
	preserve_session(device, "vm-1");
	preserve_session(device, "vm-2");
	report_step("preserve");
	require(!load_next_kernel(), "load the next kernel");
	report_step("load");
}

static int retrieve_session(int device, const char *name)
{
	int session = require_fd(luo_retrieve(device, name),
				 "retrieve session %s", name);

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (!strcmp(table[i].session, name))
			fds[i] = require_fd(luo_retrieve_fd(session,
							    table[i].file.token),
					    "retrieve %s", table[i].file.name);
	}
	return session;
}

static void after(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int first, second;

	introduce_kernel();
	first = retrieve_session(device, "vm-1");
	second = retrieve_session(device, "vm-2");
	report_step("retrieve");
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		describe(i);
	report_step("checksum");
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		memfile_verify(&table[i].file, fds[i]);
	report_step("verify");
	check_result(luo_finish(first), 0, "finish session vm-1");
	check_result(luo_finish(second), 0, "finish session vm-2");
	report_step("finish");
}

SCENARIO(demo, { before }, { after });

// SPDX-License-Identifier: GPL-2.0-only
/*
 * 51 sessions fill one block of session records exactly. An attempt to create
 * one more under a name that is taken makes a stock kernel append a block and
 * leave it there, empty, and the stock kernel that reads it panics
 * (run.py --kernel stock shows it).
 */
#include <stdio.h>
#include <unistd.h>

#include "scenario.h"

#define SESSIONS	51

static struct memfile describe(int i)
{
	static char name[16];

	snprintf(name, sizeof(name), "full-%d", i);
	return (struct memfile){
		.name = name, .token = 1, .size = KIB(4), .position = i,
	};
}

/* One result line for all of them, else there would be hundreds. */
static bool preserve_one(int device, int i)
{
	struct memfile file = describe(i);
	int session = luo_create(device, file.name);
	int fd = memfile_create(&file);
	bool ok = session >= 0 && fd >= 0 &&
		  !luo_preserve(session, fd, file.token);

	close(fd);
	return ok;
}

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int done = 0;

	while (done < SESSIONS && preserve_one(device, done))
		done++;
	require(done == SESSIONS, "%d of %d sessions", done, SESSIONS);
	check_result(luo_create(device, "full-7"), -EEXIST,
		     "a name that is taken");
}

static bool retrieve_one(int device, int i)
{
	struct memfile file = describe(i);
	int session = luo_retrieve(device, file.name);
	int fd = luo_retrieve_fd(session, file.token);
	bool ok = session >= 0 && fd >= 0 && memfile_same(&file, fd) &&
		  lseek(fd, 0, SEEK_CUR) == i && !luo_finish(session);

	close(fd);
	close(session);
	return ok;
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int good = 0;

	for (int i = 0; i < SESSIONS; i++)
		good += retrieve_one(device, i);
	check(good == SESSIONS, "%d of %d sessions intact", good, SESSIONS);
}

SCENARIO(full_block, { before_kexec }, { after_kexec });

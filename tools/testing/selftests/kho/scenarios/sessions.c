// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several sessions with several files each, retrieved in another order than
 * they were made. Tokens are a session's own: all sessions use the same ones.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "scenario.h"

#define SESSIONS	6
#define FILES		8

/* One name of the greatest length, 63 characters. */
static const char longest[] =
	"the-name-of-this-session-is-as-long-as-the-interface-lets-it-be";

static const char *session_name(int session)
{
	static char name[16];

	if (!session)
		return longest;
	snprintf(name, sizeof(name), "vm-%d", session);
	return name;
}

/* The name makes the contents, so each of the files differs from the others. */
static struct memfile describe(int session, int file)
{
	static char name[32];

	snprintf(name, sizeof(name), "vm-%d/%d", session, file);
	return (struct memfile){
		.name = name,
		.token = file == FILES - 1 ? UINT64_MAX : (__u64)file,
		.size = KIB(4) << (file + session) % 9,
		.position = session * 100 + file,
		.huge = false,
	};
}

static void preserve_session(int device, int session)
{
	int fd = require_fd(luo_create(device, session_name(session)),
			    "create session %d", session);

	for (int i = 0; i < FILES; i++) {
		struct memfile file = describe(session, i);

		memfiles_preserve(fd, &file, 1);
	}
}

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	for (int i = 0; i < SESSIONS; i++)
		preserve_session(device, i);
	require_fd(luo_create(device, "no files"), "create an empty session");
}

static void retrieve_session(int device, int session)
{
	char name[64] = "";
	int fd = require_fd(luo_retrieve(device, session_name(session)),
			    "retrieve session %d", session);

	check(!luo_name(fd, name, sizeof(name)) &&
	      !strcmp(name, session_name(session)), "it knows its name");
	for (int i = FILES - 1; i >= 0; i--) {
		struct memfile file = describe(session, i);

		memfiles_retrieve(fd, &file, 1);
	}
	check_result(luo_finish(fd), 0, "finish session %d", session);
	close(fd);
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int empty;

	for (int i = 0; i < SESSIONS; i++)
		retrieve_session(device, (i * 5 + 3) % SESSIONS);
	empty = require_fd(luo_retrieve(device, "no files"),
			   "retrieve the empty session");
	check_result(luo_finish(empty), 0, "finish the empty session");
}

SCENARIO(sessions, { before_kexec }, { after_kexec });

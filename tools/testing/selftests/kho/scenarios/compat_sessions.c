// SPDX-License-Identifier: GPL-2.0-only
/*
 * When the blocks, or the state of LUO itself, cannot be read, no session of
 * the previous kernel can be retrieved and the error says why; what is in them
 * stays untouched, and new sessions work. FLBs fail with LUO only.
 *
 * needs memory: 256M
 * needs cmdline: test_kho.max_mem=0
 */
#include <stdio.h>
#include <string.h>

#include "scenario.h"

static const struct {
	const char *announce;
	int error;
	const char *log;
} table[] = {
	{ "block 7", -EPROTONOSUPPORT,
	  "block: version 7 in the handover is too-new" },
	{ "block absent", -EPROTONOSUPPORT, "block: not in the handover" },
	{ "block bytes 3", -EBADMSG,
	  "block: no valid version in the handover" },
	{ "luo 7", -EPROTONOSUPPORT,
	  "luo: version 7 in the handover is too-new" },
	{ "luo 4", -EPROTONOSUPPORT,
	  "luo: version 4 in the handover is too-old" },
	{ "luo absent", -EPROTONOSUPPORT, "luo: not in the handover" },
	{ "luo bytes 3", -EBADMSG, "luo: no valid version in the handover" },
	/* LUO's own string */
	{ "luo", -EPROTONOSUPPORT,
	  "'luo-v6', expected luo-v5 to luo-v5" },
};

#define ROWS	((int)ARRAY_SIZE(table))

static struct memfile describe(int row)
{
	return (struct memfile){
		.name = table[row].announce, .token = 1, .size = MIB(40),
	};
}

static void prepare(int device, int row)
{
	struct memfile file = describe(row);
	int session = require_fd(luo_create(device, "vm"), "create session");

	memfiles_preserve(session, &file, 1);
	if (strchr(table[row].announce, ' '))
		make_mismatch(table[row].announce);
	else
		make_damage(table[row].announce);
}

/* The kernel's LUO test asks for its FLBs at boot and says what came of it. */
static void check_flb(int row)
{
	bool luo = !strncmp(table[row].announce, "luo", 3);
	char line[96];

	snprintf(line, sizeof(line), "liveupdate-test-flb-v0 failed: %d",
		 table[row].error);
	check(kmsg_has(line) == luo, "FLBs %s with that error",
	      luo ? "fail" : "do not fail");
	check(kmsg_has("found flb data from the previous boot") != luo,
	      "FLBs are %s", luo ? "not retrieved" : "what they were");
}

static void unreadable(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int row = boot_number() - 2;
	struct memfile file = describe(row);

	check(kmsg_has(table[row].log), "the log says \"%s\"", table[row].log);
	check(kmsg_has("it stays reserved"), "and what is held back");
	check_result(luo_retrieve(device, "vm"), table[row].error,
		     "%s: retrieve session", file.name);
	check_flb(row);
	check_intact(&file);
	if (row + 1 == ROWS)
		return;
	prepare(device, row + 1);
	check_result(load_next_kernel(), 0, "load the next kernel");
	check(kmsg_has("do not reach the next one"),
	      "the log says that what is held back goes no further");
}

static void first(void)
{
	prepare(require_fd(luo_device(), "open /dev/liveupdate"), 0);
}

SCENARIO(compat_sessions, { first }, { unreadable }, { unreadable },
	 { unreadable }, { unreadable }, { unreadable }, { unreadable },
	 { unreadable }, { unreadable });

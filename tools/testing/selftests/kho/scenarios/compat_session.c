// SPDX-License-Identifier: GPL-2.0-only
/*
 * One broken session among others fails alone, and its files are left
 * untouched: a wrong number of files, a list of files that is nowhere, and a
 * file that a newer handler wrote, which costs no more than that file.
 *
 * needs memory: 256M
 * needs cmdline: test_kho.max_mem=0
 */
#include "scenario.h"

static const struct {
	const char *damage;
	int session_error;
	int file_error;
	const char *log;
} table[] = {
	{ "count broken", -EINVAL, 0,
	  "session [broken] is corrupt" },
	{ "files broken", -EINVAL, 0,
	  "block at 0x0008000000000000 is not a preserved page" },
	{ "handler broken", 0, -EPROTONOSUPPORT,
	  "no handler for 'memfd-v9' yet" },
};

#define ROWS	((int)ARRAY_SIZE(table))

static const struct memfile before = {
	.name = "before", .token = 1, .size = KIB(64),
};

static const struct memfile after = {
	.name = "after", .token = 1, .size = KIB(68),
};

static struct memfile describe(int row)
{
	return (struct memfile){
		.name = table[row].damage, .token = 1, .size = MIB(40),
	};
}

static void preserve(int device, const char *name, const struct memfile *file)
{
	memfiles_preserve(require_fd(luo_create(device, name),
				     "create session %s", name), file, 1);
}

static void prepare(int device, int row)
{
	struct memfile file = describe(row);

	preserve(device, "before", &before);
	preserve(device, "broken", &file);
	preserve(device, "after", &after);
	make_damage(table[row].damage);
}

static void check_works(int device, const char *name,
			const struct memfile *file)
{
	int session = require_fd(luo_retrieve(device, name),
				 "retrieve session %s", name);

	memfiles_retrieve(session, file, 1);
	check_result(luo_finish(session), 0, "finish session %s", name);
}

static void check_broken(int device, int row)
{
	int session = luo_retrieve(device, "broken");

	check_result(session, table[row].session_error,
		     "%s: retrieve session", table[row].damage);
	if (session < 0)
		return;
	check_result(luo_retrieve_fd(session, 1), table[row].file_error,
		     "%s: retrieve file", table[row].damage);
	check_result(luo_finish(session),
		     table[row].file_error ? -EBUSY : 0,
		     "finish session broken");
}

static void broken(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int row = boot_number() - 2;
	struct memfile file = describe(row);

	check(kmsg_has(table[row].log), "the log says \"%s\"", table[row].log);
	check_works(device, "before", &before);
	check_broken(device, row);
	check_works(device, "after", &after);
	check_intact(&file);
	if (row + 1 < ROWS)
		prepare(device, row + 1);
}

static void first(void)
{
	prepare(require_fd(luo_device(), "open /dev/liveupdate"), 0);
}

SCENARIO(compat_session, { first }, { broken }, { broken }, { broken });

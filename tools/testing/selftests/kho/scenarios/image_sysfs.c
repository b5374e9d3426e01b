// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/kho says which versions this kernel reads and writes, what came
 * in, and what is in use, as it comes and goes. Anybody can read it, only root
 * changes the mode.
 *
 * needs cmdline: initcall_blacklist=test_kho_init reserve_mem=1M:1M:region
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scenario.h"

static const struct {
	const char *name, *oldest, *newest, *preferred;
} components[] = {
	{ "radix", "1", "1", "1" }, { "vmalloc", "1", "2", "1" },
	{ "block", "1", "1", "1" }, { "memblock", "1", "1", "1" },
	{ "luo", "5", "5", "5" }, { "memfd", "2", "3", "2" },
};

static const struct memfile files[] = {
	{ .name = "one", .token = 1, .size = MIB(1) },
	{ .name = "empty", .token = 2, .size = 0 },
};

static void check_mode(const char *file, unsigned int mode)
{
	struct stat st = {};
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/kho/%s", file);
	check(!stat(path, &st) && (st.st_mode & 07777) == mode && !st.st_uid,
	      "%s has mode %o", file, mode);
}

static void check_component(int i, const char *file, const char *expected)
{
	char path[64];

	snprintf(path, sizeof(path), "components/%s/%s", components[i].name, file);
	check_kho(path, expected);
	check_mode(path, strcmp(file, "write") ? 0444 : 0644);
}

static void check_components(bool handover)
{
	for (size_t i = 0; i < ARRAY_SIZE(components); i++) {
		check_component(i, "version", components[i].newest);
		check_component(i, "min_version", components[i].oldest);
		check_component(i, "min_write", components[i].oldest);
		check_component(i, "write", components[i].preferred);
		check_component(i, "incoming", handover ? components[i].newest : "0");
		check_component(i, "status", handover ? "ok" : "none");
	}
}

static void check_users(const char *radix, const char *vmalloc, const char *block,
			const char *luo, const char *memfd)
{
	check_kho("components/radix/users", radix);
	check_kho("components/vmalloc/users", vmalloc);
	check_kho("components/block/users", block);
	check_kho("components/memblock/users", "1");
	check_kho("components/luo/users", luo);
	check_kho("components/memfd/users", memfd);
}

static void come_and_go(int device)
{
	int session, other;

	/* A region of memblock does not count for the tree */
	check_users("0", "0", "0", "0", "0");
	session = require_fd(luo_create(device, "vm"), "create session");
	check_users("2", "0", "1", "1", "0");
	memfiles_preserve(session, &files[0], 1);
	check_users("5", "1", "2", "1", "1");
	/* An empty memfd has no array of folios */
	memfiles_preserve(session, &files[1], 1);
	check_users("6", "1", "2", "1", "2");
	other = require_fd(luo_create(device, "other"), "create another");
	check_users("7", "1", "2", "2", "2");
	check_result(luo_create(device, "vm"), -EEXIST, "a name twice");
	check_users("7", "1", "2", "2", "2");
	close(session);
	check_users("2", "0", "1", "1", "0");
	close(other);
	check_users("0", "0", "0", "0", "0");
}

static void check_check(void)
{
	check_mode("check", 0644);
	check_kho("check", "enforce");
	set_kho_check("warn\n");
	check_kho("check", "warn");
	check_result(write_file("/sys/kernel/kho/check", "maybe"), -EINVAL,
		     "set it to nonsense");
	check_kho("check", "warn");
	check_result(write_file("/sys/kernel/kho/check", "strict"), -EINVAL,
		     "set it to strict");
	set_kho_check("enforce");
}

static void first(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	check_components(false);
	check_check();
	check_mode("next/status", 0444);
	check_mode("next/potential", 0444);
	check_mode("next/assume", 0644);
	check_mode("next/memfd", 0444);
	come_and_go(device);
	require_fd(luo_create(device, "vm"), "create session");
}

static void second(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	check_components(true);
	/* What came in is in use until it is finished: a kexec would lose it */
	check_users("1", "0", "0", "1", "0");
	require_fd(luo_retrieve(device, "vm"), "retrieve session");
	check_users("1", "0", "0", "1", "0");
	set_kho_check("warn");
}

static void off(void)
{
	check_components(false);
	check_kho("components/radix/users", "0");
	check_result(load_kernel("ours", ""), 0, "load an image");
	check_kho("next/status", "none");
}

SCENARIO(image_sysfs, { first }, { second }, { off, .cmdline = "kho=off" });

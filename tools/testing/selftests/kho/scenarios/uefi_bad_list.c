// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of scratch areas names one that is no memory. Memory comes from the map
 * of the firmware: the list is validated when that has been read, the handover is
 * refused, and the machine goes on.
 *
 * needs firmware: uefi
 * needs firmware: device tree
 * needs cmdline: kho_scratch=20M,20M,20M kho_check=warn
 * needs cmdline: initcall_blacklist=test_kho_init
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

#define DAMAGE	"/sys/kernel/debug/kho_damage/"

static const struct memfile file = {
	.name = "listed", .token = 1, .size = MIB(24),
};

/* The first aim at the list puts 0 into the address of an area */
static bool plan_bad_address(void)
{
	char text[64];
	unsigned long aims;

	read_file(DAMAGE "aims", text, sizeof(text));
	aims = strtoul(text, NULL, 10);
	for (unsigned long number = 0; number < aims; number++) {
		snprintf(text, sizeof(text), "%lu", number);
		write_file(DAMAGE "plan", text);
		read_file(DAMAGE "plan", text, sizeof(text));
		if (strstr(text, " scratch"))
			return true;
	}
	return false;
}

static void first(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_create(device, "listed"), "create session");

	memfiles_preserve(session, &file, 1);
	require(plan_bad_address(), "there is damage for the list of areas");
	check_result(write_file(DAMAGE "scratch", "1"), 0, "damage the list");
	check_result(load_next_kernel(), 0, "load the next kernel");
	write_file(DAMAGE "scratch", "0");
}

static void second(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	check(kmsg_has("expected whole pages of memory that this kernel knows"),
	      "the log says what is wrong");
	check(kmsg_has("refused, what was preserved is lost"),
	      "the handover is refused");
	check_result(luo_retrieve(device, "listed"), -ENOENT,
		     "the session is lost");
	memfiles_preserve(require_fd(luo_create(device, "listed"),
				     "create session"), &file, 1);
}

static void third(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	memfiles_retrieve(require_fd(luo_retrieve(device, "listed"),
				     "retrieve session"), &file, 1);
}

SCENARIO(uefi_bad_list, { first }, { second }, { third });

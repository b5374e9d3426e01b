// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kernel that is locked down, as with Secure Boot, and has something to hand over.
 * It loads the image that is signed with a key that it trusts, by kexec_file_load(),
 * and nothing else; what it has refused changes nothing, and the update goes on.
 *
 * needs memory: 1G
 * needs config: signed
 * needs cmdline: lockdown=integrity initcall_blacklist=test_kho_init
 * needs kernels: ours ours:signed-kexec
 */
#include "scenario.h"

static const struct memfile file = {
	.name = "file", .token = 1, .size = MIB(2),
};

static void refuse_unsigned(void)
{
	check_result(load_kernel("ours", ""), -EPERM, "load an image without a signature");
	check_result(load_bare(), -EPERM, "load one by kexec_load()");
}

static void first(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_create(device, "vm"), "create session");

	memfiles_preserve(session, &file, 1);
	refuse_unsigned();
	check_kho("next/status", "none");
	check_result(load_next_kernel(), 0, "load a signed image");
	check_kho("next/status", "compatible");
	refuse_unsigned();
	check_kho("next/status", "compatible");
}

static void second(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	memfiles_retrieve(require_fd(luo_retrieve(device, "vm"),
				     "retrieve session"), &file, 1);
	refuse_unsigned();
}

SCENARIO(image_signed, { first }, { second, "ours:signed-kexec" });

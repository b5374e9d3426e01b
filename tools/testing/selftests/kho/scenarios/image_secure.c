// SPDX-License-Identifier: GPL-2.0-only
/*
 * Secure Boot: firmware starts an image that is signed with a key enrolled there. The
 * kernel, locked down, loads what is signed with that key or with one that it was
 * built with, and nothing else, with memory preserved.
 *
 * needs firmware: secure
 * needs arch: x86_64
 * needs config: signed
 * needs memory: 1G
 * needs cmdline: lockdown=integrity initcall_blacklist=test_kho_init
 * needs kernels: ours:signed-firmware ours:signed-kexec ours
 */
#include <unistd.h>

#include "scenario.h"

static const struct memfile file = {
	.name = "file", .token = 1, .size = MIB(64),
};

static void preserve(int device)
{
	int session = require_fd(luo_create(device, "vm"), "create session");

	memfiles_preserve(session, &file, 1);
	check_result(load_kernel("ours", ""), -EPERM, "load an image without a signature");
	check_kho("next/status", "none");
	check_result(load_next_kernel(), 0, "load a signed image");
	check_kho("next/status", "compatible");
}

static void retrieve(int device)
{
	int session = require_fd(luo_retrieve(device, "vm"), "retrieve session");

	memfiles_retrieve(session, &file, 1);
	check_result(luo_finish(session), 0, "finish");
	close(session);
}

static void first(void)
{
	check(kmsg_has("Secure boot enabled"), "Secure Boot is on");
	preserve(require_fd(luo_device(), "open /dev/liveupdate"));
}

static void second(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	retrieve(device);
	preserve(device);
}

static void third(void)
{
	retrieve(require_fd(luo_device(), "open /dev/liveupdate"));
}

SCENARIO(image_secure, { first }, { second, "ours:signed-kexec" },
	 { third, "ours:signed-firmware" });

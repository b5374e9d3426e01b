// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is preserved after an image was loaded counts when that is to be started,
 * if the image could be loaded because refusals were off for a while:
 * the reboot is refused, and nothing has happened to the machine. It still
 * serves the session, and updates with a good image. The same with an image
 * that was loaded without a handover, and with a file that is preserved while the
 * reboot is under way.
 *
 * needs memory: 1G
 * needs cmdline: initcall_blacklist=test_kho_init
 * needs kernels: ours ours:memfd=8-9
 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

static const struct memfile files[] = {
	{ .name = "before", .token = 1, .size = MIB(2) },
	{ .name = "after", .token = 2, .size = MIB(2) },
	{ .name = "meanwhile", .token = 1, .size = MIB(160) },
};

static const char status[] = "/sys/kernel/kho/next/status";

/* As poll() of sysfs wants it: read, then wait for news. */
static int watch_status(void)
{
	int fd = require_fd(open(status, O_RDONLY | O_CLOEXEC), "open %s", status);
	char text[32];

	return read(fd, text, sizeof(text)) > 0 ? fd : -1;
}

static void check_news(int fd, const char *why)
{
	struct pollfd watch = { .fd = fd, .events = POLLPRI };

	check(poll(&watch, 1, 10000) == 1, "poll of next/status returns: %s", why);
	close(fd);
}

static void refused(const char *what)
{
	check_result(try_kexec(), -EPROTONOSUPPORT, "kexec, %s", what);
}

/* Refused while refusals are on */
static void load_no_memfds(void)
{
	set_kho_check("warn");
	check_result(load_kernel("ours:memfd=8-9", ""), 0,
		     "load an image that reads no memfds");
	set_kho_check("enforce");
}

/*
 * Until the file has been preserved as a whole it does not count, and live
 * update waits for that; this gets by the first check therefore, or comes too
 * late for it if the machine is slow.
 */
static void preserve_meanwhile(int device)
{
	int session = require_fd(luo_create(device, "meanwhile"), "create session");
	int fd = require_fd(memfile_create(&files[2]), "create a large memfd");
	int ret, result;
	pid_t child;

	load_no_memfds();
	child = fork();
	if (!child)
		_exit(luo_preserve(session, fd, files[2].token) ? 1 : 0);
	/* One set of blocks for sessions, one for the file that is on its way */
	while (strcmp(kho_says("components/block/users"), "2"))
		;
	note("memfds in use when kexec starts: %s",
	     kho_says("components/memfd/users"));
	ret = try_kexec();
	waitpid(child, &result, 0);
	check_result(ret, -EPROTONOSUPPORT, "kexec while a file is preserved");
	check(!result, "the file was preserved");
	check_kho("components/memfd/users", "1");
	close(fd);
	close(session);
	check_kho("components/memfd/users", "0");
}

static void without_handover(void)
{
	int watch = watch_status();

	check_result(load_bare(), -EPROTONOSUPPORT,
		     "load an image without a handover");
	check(kmsg_has("load it by kexec_file_load()"), "the log says what to do");
	set_kho_check("warn");
	check_result(load_bare(), 0, "load it all the same");
	set_kho_check("enforce");
	check_news(watch, "another image");
	check_kho("next/status", "incompatible");
	check_kho("next/potential", "incompatible");
	refused("image without a handover");
	check(kmsg_has("it was loaded without a handover"), "the log says why");
}

static void nothing_loaded(void)
{
	int watch = watch_status();

	check_result(unload(), 0, "unload");
	check_news(watch, "no image");
	check_kho("next/status", "none");
	check_result(try_kexec(), -EINVAL, "kexec without an image");
}

static void first(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session, watch;

	preserve_meanwhile(device);
	load_no_memfds();
	watch = watch_status();
	session = require_fd(luo_create(device, "vm"), "create session");
	check_news(watch, "a session");
	check_kho("next/status", "compatible");

	watch = watch_status();
	memfiles_preserve(session, &files[0], 1);
	check_news(watch, "a memfd");
	check_kho("next/status", "incompatible");
	check_kho("next/memfd", "8-9");

	refused("image that reads no memfds");
	check(kmsg_has("reboot refused by kho_check=enforce"), "the log says so");
	check(kmsg_has("memfd: 1 preserved as version 2, the image reads 8 to 9"),
	      "the log says why");
	refused("once more");
	memfiles_preserve(session, &files[1], 1);
	check_result(luo_create(device, "vm"), -EEXIST, "the session is there");

	without_handover();
	nothing_loaded();
	check_result(load_next_kernel(), 0, "load a good one");
}

static void second(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_retrieve(device, "vm"), "retrieve session");

	use_free_memory();
	memfiles_retrieve(session, files, 2);
}

SCENARIO(image_reboot, { first }, { second });

// SPDX-License-Identifier: GPL-2.0-only
/*
 * kho-compat and the kernel agree on every image, with the same command line:
 * on what next/status says once it is loaded, and on whether it is loaded at all
 * while something is in use.
 *
 * needs memory: 1G
 * needs cmdline: initcall_blacklist=test_kho_init kho_scratch=256M,16M,16M
 * needs kernels: ours stock ours:drop ours:sum=1 ours:version=2 ours:duplicate
 * needs kernels: ours:duplicate,radix=2-3 ours:page-shift=14
 * needs kernels: ours:flags=0 ours:flags=1 ours:flags=3
 * needs kernels: ours:radix=2-3 ours:vmalloc=8-9 ours:block=- ours:memblock=-
 * needs kernels: ours:luo=6-7 ours:memfd=8-9 ours:memfd=1-1 ours:memfd=1-9
 * needs kernels: ours:memfd=-
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

#define IMAGES	"/kernels/"

/* The exit status of kho-compat */
enum verdict { COMPATIBLE, INCOMPATIBLE, UNKNOWN };

static const struct memfile file = {
	.name = "file", .token = 1, .size = MIB(2),
};

static int kho_compat(const char *command, const char *from, const char *to)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
		execl("/bin/kho-compat", "kho-compat", command, from, to, NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int check_running(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), IMAGES "%s", name);
	return kho_compat("check", "running", path);
}

static enum verdict kernel_says(void)
{
	const char *status = kho_says("next/potential");

	if (!strcmp(status, "compatible"))
		return COMPATIBLE;
	if (!strcmp(status, "incompatible"))
		return INCOMPATIBLE;
	return UNKNOWN;
}

/*
 * Load an image. One without a note is a stock kernel for all that kho-compat finds
 * in it; the kernel does not unpack it, and is told.
 */
static int load(const char *name)
{
	if (!strcmp(name, "stock") || !strcmp(name, "ours:drop"))
		write_file("/sys/kernel/kho/next/assume", "7.3");
	return load_kernel(name, "");
}

/* What is wrong with its note kho-compat can tell; either refuses it. */
static bool damaged(const char *name)
{
	return !strcmp(name, "ours:sum=1") ||
	       !strcmp(name, "ours:duplicate,radix=2-3");
}

/* Everything counts. With refusals off any image can be loaded and judged. */
static void unused(const char *name)
{
	enum verdict verdict;

	set_kho_check("warn");
	check_result(load(name), 0, "nothing in use: load %s", name);
	set_kho_check("enforce");
	verdict = kernel_says();
	check(check_running(name) ==
	      (int)(damaged(name) && verdict == UNKNOWN ? INCOMPATIBLE : verdict),
	      "nothing in use: check agrees that %s is %s", name,
	      kho_says("next/potential"));
	check(kho_compat("status", NULL, NULL) == (int)verdict, "so does status");
}

/* What is not known is refused as well. */
static void in_use(const char *name)
{
	int verdict = check_running(name);

	check_result(load(name),
		     verdict == COMPATIBLE ? 0 : -EPROTONOSUPPORT,
		     "in use: load %s, says check", name);
}

static void each_image(void (*test)(const char *name))
{
	DIR *images = opendir(IMAGES);
	struct dirent *entry;

	require(images, "open " IMAGES);
	while ((entry = readdir(images))) {
		if (entry->d_name[0] != '.')
			test(entry->d_name);
	}
	closedir(images);
}

static void first(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session;

	check(kho_compat("status", NULL, NULL) == UNKNOWN,
	      "status: no image is loaded");
	each_image(unused);

	/* What is taken for Linux 7.3 reads no more than that */
	check_result(load("stock"), 0, "load a stock kernel");
	session = require_fd(luo_create(device, "vm"), "create session");
	memfiles_preserve(session, &file, 1);
	each_image(in_use);

	/* The next kernel's command line is not for kho-compat to know */
	check_result(load_kernel("ours", ""), 0, "load a good image");
	check(kho_compat("status", NULL, NULL) == COMPATIBLE, "status agrees");
	set_kho_check("warn");
	check_result(load_bare(), 0, "load one without a handover");
	check(kho_compat("status", NULL, NULL) == INCOMPATIBLE, "status agrees");
	close(session);
	check_result(load_kernel("ours", "kho=off"), 0, "load it with kho=off");
	check(kho_compat("status", NULL, NULL) == INCOMPATIBLE, "status agrees");
	check_result(unload(), 0, "unload");
	check(kho_compat("status", NULL, NULL) == UNKNOWN, "status agrees");
}

SCENARIO(image_tool, { first });

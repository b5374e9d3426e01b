// SPDX-License-Identifier: GPL-2.0-only
/*
 * What LUO refuses, with which error, and that a refusal harms nothing else.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "scenario.h"

static const struct memfile file = {
	.name = "good", .token = 1, .size = KIB(64),
};

static const struct memfile other = {
	.name = "other", .token = 2, .size = KIB(64),
};

static void refused_names(int device)
{
	char too_long[80];

	memset(too_long, 'n', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = 0;
	check_result(luo_create(device, ""), -EINVAL, "no name");
	check_result(luo_create(device, too_long), -EINVAL, "too long a name");
	check_result(luo_create(device, "good"), -EEXIST, "a name twice");
}

static void refused_files(int session, int preserved)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int hugetlb = memfd_create("hugetlb", MFD_HUGETLB | MFD_HUGE_2MB);
	int fresh = memfile_create(&other);

	check_result(luo_preserve(session, -1, 9), -EBADF, "no descriptor");
	check_result(luo_preserve(session, null, 9), -ENOENT,
		     "a device that LUO cannot preserve");
	check_result(luo_preserve(session, hugetlb, 9), -ENOENT,
		     "a HugeTLB memfd, which LUO does not support");
	check(kmsg_warnings("token 0x9: no handler can preserve a file of hugetlbfs") == 1,
	      "the log says why");
	check_result(luo_preserve(session, preserved, 9), -EBUSY,
		     "a file that is preserved already");
	check_result(luo_preserve(session, fresh, file.token), -EEXIST,
		     "a token that is taken");
	check_result(luo_preserve(session, fresh, other.token), 0,
		     "the same file with a free token");
}

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_create(device, "good"), "create session");
	int fd = require_fd(memfile_create(&file), "create a memfd");

	check_result(luo_device(), -EBUSY, "open the device twice");
	require(!luo_preserve(session, fd, file.token), "preserve");
	refused_names(device);
	refused_files(session, fd);
	check_result(luo_retrieve_fd(session, file.token), -EINVAL,
		     "retrieve from a session of this kernel");
	check_result(luo_finish(session), -EINVAL,
		     "finish a session of this kernel");
	check_result(luo_retrieve(device, "good"), -ENOENT,
		     "retrieve a session of this kernel");
	check(reboot(RB_KEXEC) < 0 && errno == EINVAL,
	      "kexec without a loaded image");
}

static void retrieve_twice(int session)
{
	int first = require_fd(luo_retrieve_fd(session, file.token), "retrieve");
	int second = require_fd(luo_retrieve_fd(session, file.token),
				"retrieve it again");

	lseek(first, 100, SEEK_SET);
	check(lseek(second, 0, SEEK_CUR) == 100, "it is the same open file");
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session;

	check_result(luo_retrieve(device, "absent"), -ENOENT,
		     "retrieve a session that never was");
	session = require_fd(luo_retrieve(device, "good"), "retrieve session");
	check_result(luo_retrieve(device, "good"), -EINVAL,
		     "retrieve a session twice");
	check_result(luo_retrieve_fd(session, 9), -ENOENT,
		     "retrieve a token that never was");
	check_result(luo_preserve(session, device, 9), -EINVAL,
		     "preserve in a session of the old kernel");
	memfiles_retrieve(session, &file, 1);
	memfiles_retrieve(session, &other, 1);
	retrieve_twice(session);
	check_result(luo_finish(session), 0, "finish");
	check_result(luo_retrieve_fd(session, file.token), -ENOENT,
		     "retrieve after finish");
	check_result(luo_finish(session), 0, "finish twice");
}

SCENARIO(luo_errors, { before_kexec }, { after_kexec });

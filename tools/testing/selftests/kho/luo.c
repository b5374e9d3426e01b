// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls of /dev/liveupdate, with results as the kernel means them:
 * a descriptor or 0 on success, a negative errno otherwise.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/liveupdate.h>

#include "scenario.h"

static int request(int fd, unsigned long command, void *argument)
{
	return ioctl(fd, command, argument) < 0 ? -errno : 0;
}

/*
 * The name fills its field to the last byte if it is too long, so that the
 * kernel gets to see one without an end.
 */
static void put_name(__u8 field[LIVEUPDATE_SESSION_NAME_LENGTH],
		     const char *name)
{
	size_t length = strnlen(name, LIVEUPDATE_SESSION_NAME_LENGTH);

	memcpy(field, name, length);
}

int luo_device(void)
{
	int fd = open("/dev/liveupdate", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int luo_create(int device, const char *name)
{
	struct liveupdate_ioctl_create_session create = {
		.size = sizeof(create),
	};
	int ret;

	put_name(create.name, name);
	ret = request(device, LIVEUPDATE_IOCTL_CREATE_SESSION, &create);
	return ret ? ret : create.fd;
}

int luo_retrieve(int device, const char *name)
{
	struct liveupdate_ioctl_retrieve_session retrieve = {
		.size = sizeof(retrieve),
	};
	int ret;

	put_name(retrieve.name, name);
	ret = request(device, LIVEUPDATE_IOCTL_RETRIEVE_SESSION, &retrieve);
	return ret ? ret : retrieve.fd;
}

int luo_preserve(int session, int fd, __u64 token)
{
	struct liveupdate_session_preserve_fd preserve = {
		.size = sizeof(preserve), .fd = fd, .token = token,
	};

	return request(session, LIVEUPDATE_SESSION_PRESERVE_FD, &preserve);
}

int luo_retrieve_fd(int session, __u64 token)
{
	struct liveupdate_session_retrieve_fd retrieve = {
		.size = sizeof(retrieve), .token = token,
	};
	int ret;

	ret = request(session, LIVEUPDATE_SESSION_RETRIEVE_FD, &retrieve);
	return ret ? ret : retrieve.fd;
}

int luo_finish(int session)
{
	struct liveupdate_session_finish finish = { .size = sizeof(finish) };

	return request(session, LIVEUPDATE_SESSION_FINISH, &finish);
}

int luo_name(int session, char *name, size_t size)
{
	struct liveupdate_session_get_name get = { .size = sizeof(get) };
	int ret = request(session, LIVEUPDATE_SESSION_GET_NAME, &get);

	if (!ret)
		snprintf(name, size, "%s", (char *)get.name);
	return ret;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 * See base/swap_file.h. The file is opened before threads are restricted. It holds what the guest has in
 * memory: nobody else may read it. */
#include "base/swap_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(int fd, const char *path, const char *why, char *err, size_t errlen)
{
	snprintf(err, errlen, "cannot swap to %s: %s", path, why);
	if (fd >= 0)
		close(fd);
	return -1;
}

static int open_device(const char *path, uint64_t bytes, char *err, size_t errlen)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_EXCL); /* O_EXCL: nobody has it mounted */
	off_t size;

	if (fd < 0)
		return fail(fd, path, strerror(errno), err, errlen);
	size = lseek(fd, 0, SEEK_END);
	if (size < 0 || (uint64_t)size < bytes)
		return fail(fd, path, "the device is smaller than the guest's memory", err, errlen);
	return fd;
}

int swap_open(const char *path, uint64_t bytes, char *err, size_t errlen)
{
	struct stat st;
	int fd;

	if (!stat(path, &st) && S_ISBLK(st.st_mode))
		return open_device(path, bytes, err, errlen);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(fd, path,
			    errno == EEXIST ? "the file exists; name one that does not" : strerror(errno),
			    err, errlen);
	unlink(path);
	if (ftruncate(fd, (off_t)bytes))
		return fail(fd, path, strerror(errno), err, errlen);
	return fd;
}

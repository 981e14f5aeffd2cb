/* SPDX-License-Identifier: GPL-3.0-or-later
 * The entry point of a fuzz target, called by libFuzzer or by replay.c, and what several targets need. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file in memory of N bytes, for a drive. */
static inline const char *memory_file(char path[32], off_t n)
{
	int fd = memfd_create("drive", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, n))
		abort();
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return path;
}
#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_MM_SMALL_PAGES_H
#define TESTS_MM_SMALL_PAGES_H
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Where the host gives shared memory large pages, its counts go by them. */
static inline bool small_pages(void)
{
	char line[128] = "[never]";
	FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "r");

	if (f) {
		if (!fgets(line, sizeof(line), f))
			line[0] = 0;
		fclose(f);
	}
	return strstr(line, "[never]") || strstr(line, "[deny]");
}
#endif

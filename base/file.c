/* SPDX-License-Identifier: GPL-3.0-or-later
 * See file.h. */
#include "base/file.h"

#include <errno.h>
#include <sys/stat.h>

FILE *file_open(const char *path)
{
	FILE *f = fopen(path, "re");
	struct stat st;

	if (f && fstat(fileno(f), &st) == 0 && S_ISDIR(st.st_mode)) {
		fclose(f);
		errno = EISDIR;
		return NULL;
	}
	return f;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 * Opening files that a user names. */
#ifndef BASE_FILE_H
#define BASE_FILE_H
#include <stdio.h>

/* Open PATH for reading. NULL with errno, EISDIR for a directory, which fopen() would open. */
FILE *file_open(const char *path);
#endif

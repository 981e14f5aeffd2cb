/* SPDX-License-Identifier: GPL-3.0-or-later
 * The file that a machine's memory is swapped to. */
#ifndef BASE_SWAP_FILE_H
#define BASE_SWAP_FILE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Make the file PATH, of BYTES at most, or use the block device PATH. The file is removed at once, and takes
 * space until the descriptor is closed, however the program ends. A descriptor, or -1 with one line in ERR.
 */
int swap_open(const char *path, uint64_t bytes, char *err, size_t errlen);
#endif

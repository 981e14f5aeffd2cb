/* SPDX-License-Identifier: GPL-3.0-or-later
 * Sizes as people write them. */
#ifndef BASE_SIZE_H
#define BASE_SIZE_H
#include "base/types.h"

/* Parse all of TEXT, such as "64M", into bytes. False: it is none, or too large. */
bool size_parse(const char *text, uint64_t *size);
#endif

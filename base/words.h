/* SPDX-License-Identifier: GPL-3.0-or-later
 * A line of words in a buffer of the caller's, separated by blanks, cut where it is full. */
#ifndef BASE_WORDS_H
#define BASE_WORDS_H
#include "base/types.h"

struct words {
	char *buf;
	size_t len, n;
};

/* An empty line in BUF. */
static inline struct words words_in(char *buf, size_t len)
{
	buf[0] = 0;
	return (struct words){ buf, len, 0 };
}
void words_put(struct words *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* NAMES: words for bits 0, 1... that are 1; NULL: none. */
void words_bits(struct words *w, uint64_t value, const char *const *names, unsigned n);
#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 * See base/words.h. */
#include "base/words.h"

#include <stdarg.h>
#include <stdio.h>

void words_put(struct words *w, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (w->n + 2 >= w->len)
		return;
	if (w->n)
		w->buf[w->n++] = ' ';
	va_start(ap, fmt);
	n = vsnprintf(w->buf + w->n, w->len - w->n, fmt, ap);
	va_end(ap);
	w->n = n < 0 || w->n + (size_t)n >= w->len ? w->len - 1 : w->n + (size_t)n;
}

void words_bits(struct words *w, uint64_t value, const char *const *names, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (value >> i & 1 && names[i])
			words_put(w, "%s", names[i]);
}

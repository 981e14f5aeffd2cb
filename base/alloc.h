/* SPDX-License-Identifier: GPL-3.0-or-later
 * Allocation that does not fail: on exhaustion the program ends with one line and status 126.
 * For sizes that the program or its user bounds. What a guest, a file or a packet can make
 * arbitrarily large needs a limit, or malloc() and a checked error. */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

/* As the functions of libc without the x; the caller frees. */
void *xmalloc(size_t size) __attribute__((malloc, warn_unused_result));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, warn_unused_result));
void *xrealloc(void *p, size_t size) __attribute__((warn_unused_result));
void *xreallocarray(void *p, size_t n, size_t size) __attribute__((warn_unused_result));
char *xstrdup(const char *s) __attribute__((malloc, warn_unused_result, nonnull));
char *xstrndup(const char *s, size_t n) __attribute__((malloc, warn_unused_result, nonnull));

/* Return the text. */
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), warn_unused_result));
char *xvasprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0), warn_unused_result));

/* open_memstream(): *TEXT and *LEN are valid after fflush() or fclose(); free *TEXT. */
FILE *xmemstream(char **text, size_t *len) __attribute__((warn_unused_result));
#endif

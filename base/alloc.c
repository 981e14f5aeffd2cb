/* SPDX-License-Identifier: GPL-3.0-or-later
 * See alloc.h. */
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_DIED = 126 };

/* No handlers of atexit(): another thread may hold what they need. */
static __attribute__((noreturn)) void exhausted(void)
{
	static const char line[] = "vitrine: out of memory\n";
	ssize_t n = write(STDERR_FILENO, line, sizeof(line) - 1);

	(void)n;
	_exit(STATUS_DIED);
}

static void *checked(void *p)
{
	if (!p)
		exhausted();
	return p;
}

void *xmalloc(size_t size)
{
	return checked(malloc(size ? size : 1));
}

void *xcalloc(size_t n, size_t size)
{
	return checked(n && size ? calloc(n, size) : calloc(1, 1));
}

void *xrealloc(void *p, size_t size)
{
	return checked(realloc(p, size ? size : 1));
}

void *xreallocarray(void *p, size_t n, size_t size)
{
	return checked(n && size ? reallocarray(p, n, size) : realloc(p, 1));
}

char *xstrdup(const char *s)
{
	return checked(strdup(s));
}

char *xstrndup(const char *s, size_t n)
{
	return checked(strndup(s, n));
}

char *xvasprintf(const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) < 0)
		exhausted();
	return text;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	return text;
}

FILE *xmemstream(char **text, size_t *len)
{
	return checked(open_memstream(text, len));
}

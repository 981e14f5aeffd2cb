/* SPDX-License-Identifier: GPL-3.0-or-later
 * Log by category. The mask and where lines go are the one piece of process-wide
 * mutable state below the composition root: a log line must be reachable from
 * every layer, including the signal handler's slow path. */
#ifndef BASE_LOG_H
#define BASE_LOG_H
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

enum log_cat {
#define LOGCAT(name, help) LOG_##name,
#include "base/log.def"
#undef LOGCAT
	LOG_NCAT
};

struct log_info {
	const char *name, *help;
};
extern const struct log_info log_infos[LOG_NCAT];
extern unsigned log_mask; /* bit N: category N is on */

/* Find a category by name; -1 when there is none. */
int log_find(const char *name);
/* Write to FILE from now on (NULL: stderr). The caller keeps ownership. */
void log_set_file(FILE *f);
/* Write what goes to stderr to FD as well, a pipe that does not block: lines of at most LOG_COPY_LINE bytes,
 * each in one write. -1: no more. Any thread. */
enum { LOG_COPY_LINE = 512 };
void log_set_copy(int fd);
unsigned long log_copy_lost(void); /* lines that did not fit since the last call */
void log_emit(enum log_cat cat, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_vemit(enum log_cat cat, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0), nonnull));
/* The same from GPR-only code (base/gpr.h); without floating-point arguments. */
void log_emit_gpr(enum log_cat cat, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#ifdef __SSE__
#define LOG_EMIT log_emit
#else
#define LOG_EMIT log_emit_gpr
#endif
#define LOG(cat, ...)                                                                                        \
	do {                                                                                                 \
		if (__builtin_expect(log_mask & (1u << LOG_##cat), 0))                                       \
			LOG_EMIT(LOG_##cat, __VA_ARGS__);                                                    \
	} while (0)
#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 * Log by category. The mask and the destination are the one piece of process-wide
 * mutable state below the composition root: every layer must be able to log,
 * including the signal handler's slow path. */
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

/* Return the category called NAME; -1 if there is none. */
int log_find(const char *name);
/* Write to F from now on (NULL: stderr). Borrowed. */
void log_set_file(FILE *f);
/* Copy what goes to stderr to FD, a non-blocking pipe: lines of at most LOG_COPY_LINE bytes, one write each.
 * -1 ends the copy. Any thread. */
enum { LOG_COPY_LINE = 512 };
void log_set_copy(int fd);
unsigned long log_copy_lost(void); /* lines the pipe had no room for since the last call */
void log_emit(enum log_cat cat, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_vemit(enum log_cat cat, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0), nonnull));
/* log_emit() for GPR-only code (base/gpr.h): no floating-point arguments. */
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

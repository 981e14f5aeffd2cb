/* SPDX-License-Identifier: GPL-3.0-or-later
 * Log lines of GPR-only code (base/gpr.h): stdio may use any register. */
#include "base/gpr.h"
#include "base/log.h"

#include <stdarg.h>

void log_emit_gpr(enum log_cat cat, const char *fmt, ...)
{
	struct vector_state s;
	va_list ap;

	va_start(ap, fmt);
	vectors_away(&s);
	log_vemit(cat, fmt, ap);
	vectors_back(&s);
	va_end(ap);
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 * Log lines of light code (base/light.h): stdio may use any register. */
#include "base/light.h"
#include "base/log.h"

#include <stdarg.h>

void log_emit_light(enum log_cat cat, const char *fmt, ...)
{
	struct vector_state s;
	va_list ap;

	va_start(ap, fmt);
	vectors_away(&s);
	log_vemit(cat, fmt, ap);
	vectors_back(&s);
	va_end(ap);
}

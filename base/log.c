/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/log.h"

#include <stdarg.h>
#include <string.h>

const struct log_info log_infos[LOG_NCAT] = {
#define LOGCAT(name, help) { #name, help },
#include "base/log.def"
#undef LOGCAT
};

unsigned log_mask;
static FILE *log_file;

int log_find(const char *name)
{
	for (int i = 0; i < LOG_NCAT; i++)
		if (!strcmp(log_infos[i].name, name))
			return i;
	return -1;
}

void log_set_file(FILE *f)
{
	log_file = f;
}

void log_emit(enum log_cat cat, const char *fmt, ...)
{
	FILE *f = log_file ? log_file : stderr;
	va_list ap;

	flockfile(f);
	fprintf(f, "[%s] ", log_infos[cat].name);
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	fputc('\n', f);
	fflush(f);
	funlockfile(f);
}

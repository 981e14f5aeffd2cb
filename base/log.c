/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/log.h"

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

void log_vemit(enum log_cat cat, const char *fmt, va_list ap)
{
	FILE *f = log_file ? log_file : stderr;

	flockfile(f);
	fprintf(f, "[%s] ", log_infos[cat].name);
	vfprintf(f, fmt, ap);
	fputc('\n', f);
	fflush(f);
	funlockfile(f);
}

void log_emit(enum log_cat cat, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vemit(cat, fmt, ap);
	va_end(ap);
}

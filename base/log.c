/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/log.h"

#include <string.h>
#include <unistd.h>

const struct log_info log_infos[LOG_NCAT] = {
#define LOGCAT(name, help) { #name, help },
#include "base/log.def"
#undef LOGCAT
};

unsigned log_mask;
static FILE *log_file;
static int copy_fd = -1;
static unsigned long copy_lost;

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

void log_set_copy(int fd)
{
	__atomic_store_n(&copy_fd, fd, __ATOMIC_RELAXED);
}

unsigned long log_copy_lost(void)
{
	return __atomic_exchange_n(&copy_lost, 0, __ATOMIC_RELAXED);
}

/* Drop the line if the pipe is full twice: between the two writes the reader, which checks the count after
 * each read, may have emptied the pipe and missed the count. */
static void copy(int fd, enum log_cat cat, const char *fmt, va_list ap)
{
	char line[LOG_COPY_LINE];
	size_t n = (size_t)snprintf(line, sizeof(line), "[%s] ", log_infos[cat].name);

	vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	n = strlen(line);
	n -= n == sizeof(line) - 1;
	line[n++] = '\n';
	if (write(fd, line, n) > 0)
		return;
	__atomic_fetch_add(&copy_lost, 1, __ATOMIC_SEQ_CST);
	if (write(fd, line, n) > 0)
		__atomic_fetch_sub(&copy_lost, 1, __ATOMIC_SEQ_CST);
}

void log_vemit(enum log_cat cat, const char *fmt, va_list ap)
{
	FILE *f = log_file ? log_file : stderr;
	int fd = log_file ? -1 : __atomic_load_n(&copy_fd, __ATOMIC_RELAXED);
	va_list again;

	if (fd >= 0) {
		va_copy(again, ap);
		copy(fd, cat, fmt, again);
		va_end(again);
	}
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

/* SPDX-License-Identifier: GPL-3.0-or-later
 * See startup.h. */
#include "inspect/startup.h"
#include "base/file.h"
#include "base/user.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static enum inspect_status run_file(struct inspect *s, const char *path, const struct inspect_sink *sink)
{
	FILE *f = strcmp(path, "-") ? file_open(path) : stdin;
	enum inspect_status st;

	if (!f) {
		fprintf(stderr, "vitrine: %s: %s\n", path, strerror(errno));
		return INSPECT_FAILED;
	}
	st = inspect_script(s, f, path, sink);
	if (f != stdin)
		fclose(f);
	return st;
}

enum inspect_status start_scripts(struct inspect *s, const struct script *list, size_t n,
				  const struct inspect_sink *sink, const bool *stop)
{
	enum inspect_status st = INSPECT_OK;

	for (size_t i = 0; i < n && st == INSPECT_OK && !*stop; i++)
		st = list[i].file ? run_file(s, list[i].text, sink) : inspect_exec(s, list[i].text, sink);
	return st;
}

void start_rc(struct inspect *s, const struct inspect_sink *sink)
{
	char path[4096];

	if (user_config_path("rc", path, sizeof(path)) && access(path, R_OK) == 0)
		run_file(s, path, sink);
}

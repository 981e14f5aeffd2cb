/* SPDX-License-Identifier: GPL-3.0-or-later
 * See runtime.h. A name has no dot, so the names of sockets cannot be confused: HOST.join, HOST.control,
 * HOST.VM.control. */
#include "base/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool runtime_name_ok(const char *name)
{
	size_t n = 0;

	if (!letter_or_digit(name[0]))
		return false;
	while (letter_or_digit(name[n]) || name[n] == '-' || name[n] == '_')
		n++;
	return !name[n] && n < RUNTIME_NAME;
}

bool runtime_split(const char *text, char host[RUNTIME_NAME], char vm[RUNTIME_NAME])
{
	size_t n = strcspn(text, "/");

	if (n >= RUNTIME_NAME || (text[n] && strlen(text + n + 1) >= RUNTIME_NAME))
		return false;
	memcpy(host, text, n);
	host[n] = 0;
	strcpy(vm, text[n] ? text + n + 1 : "");
	return runtime_name_ok(host) && (!text[n] || runtime_name_ok(vm));
}

/* Make DIR, or check that what is there is a directory of ours that nobody else can use. */
static bool make_folder(const char *dir, char *err, size_t errlen)
{
	struct stat st;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
		snprintf(err, errlen, "%s: %s", dir, strerror(errno));
		return false;
	}
	if (lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 077))
		return true;
	snprintf(err, errlen, "%s: must be a directory that only you can use", dir);
	return false;
}

bool runtime_path(const char *host, const char *vm, enum runtime_socket kind, char path[RUNTIME_PATH],
		  char *err, size_t errlen)
{
	const char *run = getenv("XDG_RUNTIME_DIR"), *end = kind == RUNTIME_JOIN ? "join" : "control";
	char dir[RUNTIME_PATH];
	int n;

	if (run && run[0] == '/')
		n = snprintf(dir, sizeof(dir), "%s/vitrine", run);
	else
		n = snprintf(dir, sizeof(dir), "/tmp/vitrine-%u", (unsigned)geteuid());
	if (n < (int)sizeof(dir)) {
		if (!make_folder(dir, err, errlen))
			return false;
		if (vm && vm[0])
			n = snprintf(path, RUNTIME_PATH, "%s/%s.%s.%s", dir, host, vm, end);
		else
			n = snprintf(path, RUNTIME_PATH, "%s/%s.%s", dir, host, end);
		if (n < RUNTIME_PATH)
			return true;
	}
	snprintf(err, errlen, "the path of the runtime directory (XDG_RUNTIME_DIR) is too long");
	return false;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 * See user.h; the XDG base directory specification. A variable that is not an absolute
 * path is ignored. */
#include "base/user.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool user_path(const char *variable, const char *below_home, const char *name, char *buf, size_t len)
{
	const char *dir = getenv(variable), *home = getenv("HOME");
	int n = -1;

	if (dir && dir[0] == '/')
		n = snprintf(buf, len, "%s/vitrine/%s", dir, name);
	else if (home && home[0] == '/')
		n = snprintf(buf, len, "%s/%s/vitrine/%s", home, below_home, name);
	return n > 0 && (size_t)n < len;
}

bool user_config_path(const char *name, char *buf, size_t len)
{
	return user_path("XDG_CONFIG_HOME", ".config", name, buf, len);
}

bool user_state_path(const char *name, char *buf, size_t len)
{
	return user_path("XDG_STATE_HOME", ".local/state", name, buf, len);
}

void user_make_folders(char *path)
{
	for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = 0;
		mkdir(path, 0700);
		*p = '/';
	}
}

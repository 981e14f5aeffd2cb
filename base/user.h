/* SPDX-License-Identifier: GPL-3.0-or-later
 * Where the user's own files are: what he chose ($XDG_CONFIG_HOME/vitrine, else
 * ~/.config/vitrine), and what is only remembered ($XDG_STATE_HOME/vitrine, else
 * ~/.local/state/vitrine). */
#ifndef BASE_USER_H
#define BASE_USER_H
#include "base/types.h"

/* The path of file NAME. False: nobody says where, or it does not fit. */
bool user_config_path(const char *name, char *buf, size_t len);
bool user_state_path(const char *name, char *buf, size_t len);
/* Make the folders that PATH, which is absolute, stands in. */
void user_make_folders(char *path);
#endif

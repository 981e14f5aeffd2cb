/* SPDX-License-Identifier: GPL-3.0-or-later
 * Paths of the user's own files: configuration ($XDG_CONFIG_HOME/vitrine, else
 * ~/.config/vitrine) and state such as histories ($XDG_STATE_HOME/vitrine, else
 * ~/.local/state/vitrine). */
#ifndef BASE_USER_H
#define BASE_USER_H
#include "base/types.h"

/* Write the path of file NAME. False if neither the XDG variable nor HOME is set, or if the path is too long.
 */
bool user_config_path(const char *name, char *buf, size_t len);
bool user_state_path(const char *name, char *buf, size_t len);
/* Make the directories of the absolute PATH; it is restored on return. */
void user_make_folders(char *path);
#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 * Names of commands in QEMU's monitor, Bochs' debugger and others (cmd/peers.def), and their translation. */
#ifndef INSPECT_PEERS_H
#define INSPECT_PEERS_H
#include <stdbool.h>
#include <stddef.h>

struct peer_name {
	const char *name; /* perhaps with a first argument */
	const char *whose, *args;
	const char *means; /* with places for arguments */
};
extern const struct peer_name peer_names[]; /* ends with a row without a name */

/* The row that LINE's command is; NULL: none. */
const struct peer_name *peer_find(const char *line);
/* The command that LINE, of which P is the row, stands for; malloced. NULL: arguments are missing, or there
 * are too many. */
char *peer_expand(const struct peer_name *p, const char *line);
#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 * Names of hosts and of their VMs, and the sockets at which they are found: in $XDG_RUNTIME_DIR/vitrine, else
 * /tmp/vitrine-UID, a directory that only its owner can use. */
#ifndef BASE_RUNTIME_H
#define BASE_RUNTIME_H
#include "base/types.h"

enum { RUNTIME_NAME = 32 /* bytes of a name with its NUL */, RUNTIME_PATH = 108 /* of a socket */ };

/* May a host or a VM be called NAME? Letters of ASCII, digits, '-' and '_', the first one no '-' or '_'. */
bool runtime_name_ok(const char *name);
/* Is TEXT "HOST" or "HOST/VM"? VM is "" for the former. */
bool runtime_split(const char *text, char host[RUNTIME_NAME], char vm[RUNTIME_NAME]);

enum runtime_socket {
	RUNTIME_JOIN,	 /* where VMs join a host */
	RUNTIME_CONTROL, /* the control socket of a host, or of its VM */
};
/* Write the path of a socket of HOST, or of its VM (NULL or "": the host's own) to PATH. False with one line
 * in ERR when the directory cannot be made or is not its owner's alone, or the path is too long. */
bool runtime_path(const char *host, const char *vm, enum runtime_socket kind, char path[RUNTIME_PATH],
		  char *err, size_t errlen);
#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 * The control socket (commands, results and events as JSON lines, for programs) and its
 * client "vitrine attach". docs/control.md describes the protocol. */
#ifndef CONSOLE_CONTROL_H
#define CONSOLE_CONTROL_H
#include "console/options.h"

#include <jansson.h>

struct control;
struct control_client;
struct inspect;
struct loop;

/* A kind of request that console/ does not know: those with the key WORD. */
struct control_service {
	const char *word;
	void *ctx;
	/* Called at a client's first such request: return its state, which CLOSE frees when the client is
	 * gone. */
	void *(*open)(void *ctx, struct control_client *client);
	void (*close)(void *state);
	/* Return NULL, or an error text. May turn the loop. */
	const char *(*request)(void *state, const json_t *value);
};

/* Listen on WHERE ("unix:PATH"), or serve only adopted connections if NULL. S and LOOP are borrowed. NULL
 * with one line in ERR. */
struct control *control_new(struct inspect *s, struct loop *loop, const char *where, char *err,
			    size_t errlen);
void control_free(struct control *ctl);
/* Serve the connected socket FD, and close it at the end. */
void control_adopt(struct control *ctl, int fd);
/* Likewise, for a client that does not keep the guest from starting: the machine's host. */
void control_adopt_host(struct control *ctl, int fd);
/* Offer SERVICE (borrowed) as well; at most one. */
void control_serve(struct control *ctl, const struct control_service *service);
/* For services: send a line with its newline. */
void control_send(struct control_client *c, const char *line, size_t n);
/* Bytes sent that the client has not read. */
size_t control_waiting(const struct control_client *c);

/* Connect to the control socket WHERE: a path, which may begin with "unix:", or HOST or HOST/VM. Return -1
 * after a line on stderr. */
int attach_connect(const char *where);
/* Run a shell on the session at O->attach; return the exit status. */
int attach_main(const struct options *o);
#endif

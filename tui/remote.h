/* SPDX-License-Identifier: GPL-3.0-or-later
 * The dashboard on another terminal: the session draws it and sends the rows that changed; the
 * viewer displays them and sends its keys. Each viewer has a dashboard of its own: screen, cursor,
 * sorting. */
#ifndef TUI_REMOTE_H
#define TUI_REMOTE_H
#include "base/types.h"

#include <jansson.h>

struct inspect;
struct loop;
struct tui_service;
struct tui_remote;

/* ---- in the session ---- */

/* Records serial output from now on, so later viewers see it. GUEST is for the title; NULL: none. All
 * arguments are borrowed. */
struct tui_service *tui_service_new(struct inspect *s, struct loop *loop, const char *guest);
void tui_service_free(struct tui_service *v);

/* Where frames go. */
struct tui_remote_out {
	void *to;
	void (*send)(void *to, const char *line, size_t n); /* one line of JSON */
	size_t (*waiting)(
	    void *to); /* bytes sent but not read yet; frames are skipped while there are many */
};

struct tui_remote *tui_remote_new(struct tui_service *v, const struct tui_remote_out *out);
void tui_remote_free(struct tui_remote *r);
/* Handle {"size":[W,H]}, {"keys":["a","up",...]}, or both. Return NULL, or an error text. Keys may turn
 * the loop. */
const char *tui_remote_request(struct tui_remote *r, const json_t *req);

/* ---- at the terminal ---- */

/* Display the dashboard of the session at the other end of FD, a control socket, until the user quits or the
 * session ends; return the exit status. */
int tui_view(int fd);
#endif

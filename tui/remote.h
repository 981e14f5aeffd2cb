/* SPDX-License-Identifier: GPL-3.0-or-later
 * The dashboard for somebody at another terminal: the session draws it and sends what
 * changed on it, the other end shows that and sends its keys. Each viewer has a dashboard
 * of its own: screen, cursor, sorting. */
#ifndef TUI_REMOTE_H
#define TUI_REMOTE_H
#include "base/types.h"

#include <jansson.h>

struct inspect;
struct loop;
struct tui_service;
struct tui_remote;

/* ---- in the session ---- */

/* Listens to the serial line from now on, so that who comes later sees what was said. GUEST is
 * for the title, NULL: none. Borrows all. */
struct tui_service *tui_service_new(struct inspect *s, struct loop *loop, const char *guest);
void tui_service_free(struct tui_service *v);

/* Where frames go. */
struct tui_remote_out {
	void *to;
	void (*send)(void *to, const char *line, size_t n); /* one line of JSON */
	size_t (*waiting)(void *to); /* bytes sent that were not taken yet: no frames are added to many */
};

struct tui_remote *tui_remote_new(struct tui_service *v, const struct tui_remote_out *out);
void tui_remote_free(struct tui_remote *r);
/* {"size":[W,H]} and {"keys":["a","up",...]}, or both. NULL, or what is wrong with it. What a key
 * does may turn the loop. */
const char *tui_remote_request(struct tui_remote *r, const json_t *req);

/* ---- at the terminal ---- */

/* Show the dashboard of the session at the other end of FD, a control socket, until the user quits or the
 * session ends; returns the exit status. */
int tui_view(int fd);
#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 * gdb's remote serial protocol as a front end over inspect/: one client at a time, on a TCP
 * port or a Unix socket. It shares the session with the shell and the dashboard; its
 * breakpoints are in the session's one table. */
#ifndef GDBSTUB_GDBSTUB_H
#define GDBSTUB_GDBSTUB_H
#include <stdbool.h>
#include <stddef.h>

struct command_group;
struct gdb;
struct inspect;
struct inspect_addon;
struct loop;

/* Make a stub that does not listen yet. SESSION and LOOP are borrowed. */
struct gdb *gdb_new(struct inspect *session, struct loop *loop);
/* Disconnect without resuming the guest. NULL is fine. */
void gdb_free(struct gdb *g);
/* Listen at WHERE, "[HOST:]PORT" (default HOST 127.0.0.1) or "unix:PATH". False with one line in ERR. */
bool gdb_listen(struct gdb *g, const char *where, char *err, size_t errlen);
/* Let commands from gdb ("monitor dump FILE ...") reach files of the host; at the start they may not. */
void gdb_allow_files(struct gdb *g, bool allowed);
/* Disconnect and stop listening. The client's breakpoints are removed and the guest resumes. */
void gdb_close(struct gdb *g);
/* Serve FD, a connected stream socket that the stub owns from now on. False, with FD closed, if a client is
 * attached already. */
bool gdb_adopt(struct gdb *g, int fd);

/* The commands "gdb" and "arch" and the view "info gdb". Valid as long as G. */
const struct inspect_addon *gdb_addon(struct gdb *g);
/* The same without an owner, for the manual. */
extern const struct inspect_addon gdb_addon_manual;
#endif

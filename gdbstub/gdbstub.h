/* SPDX-License-Identifier: GPL-3.0-or-later
 * gdb's remote serial protocol as a face over inspect/: one client at a time, on a TCP port
 * or a Unix socket. Works beside shell and terminal on the same session; its breakpoints
 * stand in the session's one table. */
#ifndef GDBSTUB_GDBSTUB_H
#define GDBSTUB_GDBSTUB_H
#include <stdbool.h>
#include <stddef.h>

struct command_group;
struct gdb;
struct inspect;
struct inspect_addon;
struct loop;

/* A stub that does not listen yet. SESSION and LOOP are borrowed. */
struct gdb *gdb_new(struct inspect *session, struct loop *loop);
/* Hang up without letting the guest go on. NULL is fine. */
void gdb_free(struct gdb *g);
/* Listen at WHERE, "[HOST:]PORT" (HOST 127.0.0.1 unless given) or "unix:PATH". False with one
 * line in ERR. */
bool gdb_listen(struct gdb *g, const char *where, char *err, size_t errlen);
/* Hang up, and listen no more. A client's breakpoints go, and the guest goes on. */
void gdb_close(struct gdb *g);
/* Serve a stream socket that is connected already; FD passes to the stub. False, and FD closed,
 * when a client is there. */
bool gdb_adopt(struct gdb *g, int fd);

/* The commands "gdb start", "gdb stop" and the view "info gdb". Of the session's life. */
const struct inspect_addon *gdb_addon(struct gdb *g);
/* The same without an owner, for the manual. */
extern const struct inspect_addon gdb_addon_manual;
#endif

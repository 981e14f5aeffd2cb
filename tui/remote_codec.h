/* SPDX-License-Identifier: GPL-3.0-or-later
 * Names of keys and styles in the messages between remote.c in the session and viewer.c at the
 * terminal. docs/control.md describes the messages. */
#ifndef TUI_REMOTE_CODEC_H
#define TUI_REMOTE_CODEC_H
#include "tui/canvas.h"
#include "tui/term.h"

enum { REMOTE_KEY = 40, REMOTE_STYLE = 16 };

/* A character is itself, in UTF-8; other keys have names ("up", "f10"), which for the mouse are followed by
 * a position ("click 10 3"). "" if E has no name. */
void remote_put_key(const struct term_event *e, char buf[REMOTE_KEY]);
/* False: unknown key. */
bool remote_get_key(const char *text, struct term_event *e);
/* An attribute of a VGA text screen is "VGA0" and two hex digits, "VGA1" and two where its bit 7 blinks. */
void remote_put_style(enum style st, char buf[REMOTE_STYLE]);
enum style remote_get_style(const char *name); /* ST_NORMAL for an unknown name */
#endif

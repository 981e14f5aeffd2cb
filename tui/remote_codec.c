/* SPDX-License-Identifier: GPL-3.0-or-later
 * See remote_codec.h. */
#include "tui/remote_codec.h"

#include <string.h>

/* Columns: key, name. */
static const struct {
	int key;
	const char *name;
} keys[] = {
	{ TK_UP, "up" },
	{ TK_DOWN, "down" },
	{ TK_LEFT, "left" },
	{ TK_RIGHT, "right" },
	{ TK_HOME, "home" },
	{ TK_END, "end" },
	{ TK_PGUP, "pgup" },
	{ TK_PGDN, "pgdn" },
	{ TK_DEL, "delete" },
	{ TK_INS, "insert" },
	{ TK_BACKTAB, "backtab" },
	{ TK_CLICK, "click" },
	{ TK_DOUBLE, "double" },
	{ TK_WHEELUP, "wheelup" },
	{ TK_WHEELDN, "wheeldown" },
	{ TK_F0 + 1, "f1" },
	{ TK_F0 + 2, "f2" },
	{ TK_F0 + 3, "f3" },
	{ TK_F0 + 4, "f4" },
	{ TK_F0 + 5, "f5" },
	{ TK_F0 + 6, "f6" },
	{ TK_F0 + 7, "f7" },
	{ TK_F0 + 8, "f8" },
	{ TK_F0 + 9, "f9" },
	{ TK_F0 + 10, "f10" },
	{ TK_F0 + 11, "f11" },
	{ TK_F0 + 12, "f12" },
	{ TK_TAB, "tab" },
	{ TK_ENTER, "enter" },
	{ TK_ESC, "escape" },
	{ TK_BACKSPACE, "backspace" },
};

static const char *const styles[ST_COUNT] = {
#define STYLE(name, ...) [ST_##name] = #name,
#include "tui/styles.def"
#undef STYLE
};

static bool is_mouse(int key)
{
	return key >= TK_CLICK && key <= TK_WHEELDN;
}

void remote_put_key(const struct term_event *e, char buf[REMOTE_KEY])
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (keys[i].key != e->key)
			continue;
		if (is_mouse(e->key))
			snprintf(buf, REMOTE_KEY, "%s %d %d", keys[i].name, e->x, e->y);
		else
			snprintf(buf, REMOTE_KEY, "%s", keys[i].name);
		return;
	}
	buf[0] = 0;
	if (e->key > 0 && e->key < TK_FIRST)
		utf8_put((uint32_t)e->key, buf);
}

/* The character if TEXT, valid UTF-8, consists of one; else 0. */
static int character(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	int ch = *p, more = ch < 0x80 ? 0 : ch < 0xe0 ? 1 : ch < 0xf0 ? 2 : 3;

	if (!ch)
		return 0;
	if (more)
		ch &= 0x3f >> more;
	for (p++; more && (*p & 0xc0) == 0x80; more--)
		ch = ch << 6 | (*p++ & 0x3f);
	return more || *p ? 0 : ch;
}

bool remote_get_key(const char *text, struct term_event *e)
{
	size_t n = strcspn(text, " ");

	*e = (struct term_event){ .key = character(text) };
	if (e->key)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strlen(keys[i].name) != n || memcmp(keys[i].name, text, n))
			continue;
		e->key = keys[i].key;
		return is_mouse(e->key)
			   ? sscanf(text + n, "%4d %4d", &e->x, &e->y) == 2 && e->x >= 0 && e->y >= 0
			   : !text[n];
	}
	return false;
}

void remote_put_style(enum style st, char buf[REMOTE_STYLE])
{
	if (st < ST_COUNT)
		snprintf(buf, REMOTE_STYLE, "%s", styles[st]);
	else if (st >= ST_PICTURE)
		snprintf(buf, REMOTE_STYLE, "PICTURE%04x", (unsigned)(st - ST_PICTURE) & 0xffff);
	else
		snprintf(buf, REMOTE_STYLE, "VGA%03x", (unsigned)(st - ST_VGA) & 0x1ff);
}

enum style remote_get_style(const char *name)
{
	unsigned n;

	if (!strncmp(name, "VGA", 3) && sscanf(name + 3, "%3x", &n) == 1 && n < ST_PICTURE - ST_VGA)
		return (enum style)(ST_VGA + n);
	if (!strncmp(name, "PICTURE", 7) && sscanf(name + 7, "%4x", &n) == 1)
		return (enum style)(ST_PICTURE + n);
	for (int i = 0; i < ST_COUNT; i++)
		if (!strcmp(styles[i], name))
			return (enum style)i;
	return ST_NORMAL;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 * See term.h. Curses keeps its state in global variables, so a process has one terminal. */
#include "tui/term.h"
#include "base/alloc.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define NCURSES_WIDECHAR 1
#include <curses.h>

char *tigetstr(const char *capability); /* <term.h> has a "struct term" of its own */

enum { DOUBLE_MS = 400, MOUSE_QUEUE = 8, PICTURE_PAIRS = 4096 };

struct term {
	SCREEN *screen;
	attr_t attr[ST_COUNT];
	short pair[ST_COUNT]; /* pair 0 is the terminal's own colours */
	struct {
		short fg, bg;
	} pairs[ST_COUNT + 256 + 1 + PICTURE_PAIRS]; /* the colours of each pair */
	int npairs, nfixed;			     /* pairs in use; those for the table of styles */
	short picture[65536];			     /* pairs of pictures' styles; 0: none yet */
	bool color, rich, short_of_pairs;
	bool utf8;
	int click_x, click_y; /* the last click */
	int64_t click_ms;
	MEVENT mouse[MOUSE_QUEUE]; /* read from curses but not delivered, the newest first */
	int nmouse;
};

static const struct style_row {
	short fg256, bg256, fg8, bg8;
	const char *plain;
} style_rows[] = {
#define STYLE(name, f256, b256, f8, b8, plain) { f256, b256, f8, b8, plain },
#include "tui/styles.def"
#undef STYLE
};

static attr_t attributes(const char *letters, bool color)
{
	attr_t a = A_NORMAL;

	for (; *letters; letters++)
		switch (*letters) {
		case 'B':
			a |= A_BOLD;
			break;
		case 'b':
			a |= color ? A_NORMAL : A_BOLD;
			break;
		case 'd':
			a |= color ? A_NORMAL : A_DIM;
			break;
		case 'r':
			a |= color ? A_NORMAL : A_REVERSE;
			break;
		case 'u':
			a |= color ? A_NORMAL : A_UNDERLINE;
			break;
		}
	return a;
}

/* A colour pair; -1: none is left. Terminals with 8 colours have 64. */
static short pair_of(struct term *t, short fg, short bg)
{
	for (int i = 1; i < t->npairs; i++)
		if (t->pairs[i].fg == fg && t->pairs[i].bg == bg)
			return (short)i;
	if (t->npairs >= COLOR_PAIRS || t->npairs >= (int)ARRAY_LEN(t->pairs))
		return -1;
	t->pairs[t->npairs].fg = fg;
	t->pairs[t->npairs].bg = bg;
	init_pair((short)t->npairs, fg, bg);
	return (short)t->npairs++;
}

static void set_styles(struct term *t)
{
	t->color = has_colors() && start_color() == OK;
	t->rich = t->color && COLORS >= 256;
	t->npairs = 1;
	if (t->color)
		use_default_colors();
	for (int i = 0; i < ST_COUNT; i++) {
		const struct style_row *r = &style_rows[i];
		short pair;

		t->attr[i] = attributes(r->plain, t->color);
		if (!t->color)
			continue;
		pair = pair_of(t, t->rich ? r->fg256 : r->fg8, t->rich ? r->bg256 : r->bg8);
		t->pair[i] = pair < 0 ? 0 : pair;
		if (!t->rich &&
		    (i == ST_DIM || i == ST_ZERO || i == ST_EXIT || i == ST_RULE || i == ST_BYTES))
			t->attr[i] |= A_DIM;
	}
	t->nfixed = t->npairs;
}

/* ---- the guest's VGA text screen ---- */

/* The colours of its attributes, as one of 256 (a black background is the pane's) and one of 16. */
static const struct {
	short fg256, bg256, ansi;
} vga_colors[16] = {
	{ 16, 233, 0 },	 { 19, 19, 4 },	   { 34, 34, 2 },    { 37, 37, 6 },
	{ 124, 124, 1 }, { 127, 127, 5 },  { 130, 130, 3 },  { 248, 248, 7 },
	{ 240, 240, 8 }, { 63, 63, 12 },   { 83, 83, 10 },   { 87, 87, 14 },
	{ 203, 203, 9 }, { 207, 207, 13 }, { 227, 227, 11 }, { 231, 231, 15 },
};

/* With 8 colours, bright characters are bold and bright backgrounds normal. Characters that would become
 * invisible are shown in dim white, or in black on white. */
static void vga_of_eight(short *fg, short *bg, attr_t *attr)
{
	bool differ = *fg != *bg;

	if (*fg >= 8)
		*attr |= A_BOLD;
	*fg &= 7;
	*bg &= 7;
	if (!differ || *fg != *bg)
		return;
	*attr = (*attr & ~A_BOLD) | (*bg == 7 ? A_NORMAL : A_DIM);
	*fg = *bg == 7 ? 0 : 7;
}

/* The pair and attributes for STYLE; plain on a terminal without colour. */
static short vga_pair(struct term *t, enum style st, attr_t *attr)
{
	unsigned a = (unsigned)(st - ST_VGA), f = a & 15, b = a >> 4 & (st >= ST_VGA_BLINK ? 7 : 15);
	short fg = t->rich ? vga_colors[f].fg256 : vga_colors[f].ansi, pair;
	short bg = t->rich ? vga_colors[b].bg256 : vga_colors[b].ansi;

	*attr = A_NORMAL;
	if (!t->color)
		return 0;
	if (st >= ST_VGA_BLINK && (a & 0x80))
		*attr |= A_BLINK;
	if (COLORS < 16)
		vga_of_eight(&fg, &bg, attr);
	pair = pair_of(t, fg, bg);
	if (pair >= 0)
		return pair;
	t->short_of_pairs = true;
	return t->pair[ST_SCREEN];
}

/* ---- pictures ---- */

/* The nearest of VGA's colours to one of 256. */
static unsigned vga_of_256(unsigned n)
{
	static const uint8_t greys[24] = { 0, 0, 0, 0, 8, 8, 8, 8, 8, 8,  8,  8,
					   7, 7, 7, 7, 7, 7, 7, 7, 7, 15, 15, 15 };
	unsigned r, g, b;

	if (n >= 232)
		return greys[n - 232];
	n = n < 16 ? 0 : n - 16;
	r = n / 36, g = n / 6 % 6, b = n % 6;
	if (r < 2 && g < 2 && b < 2)
		return r + g + b > 2 ? 8 : 0;
	return (r > 1 ? 4u : 0) | (g > 1 ? 2u : 0) | (b > 1 ? 1u : 0) | (r > 4 || g > 4 || b > 4 ? 8u : 0);
}

static short picture_pair(struct term *t, enum style st, attr_t *attr)
{
	unsigned n = (unsigned)(st - ST_PICTURE), fg = n & 0xff, bg = n >> 8;
	short pair;

	if (!t->rich)
		return vga_pair(t, (enum style)(ST_VGA + (vga_of_256(bg) << 4 | vga_of_256(fg))), attr);
	*attr = A_NORMAL;
	if (t->picture[n])
		return t->picture[n];
	pair = t->npairs >= COLOR_PAIRS || t->npairs >= (int)ARRAY_LEN(t->pairs) ? -1 : (short)t->npairs;
	if (pair < 0) {
		t->short_of_pairs = true;
		return t->pair[ST_SCREEN];
	}
	t->pairs[pair].fg = (short)fg;
	t->pairs[pair].bg = (short)bg;
	init_pair(pair, (short)fg, (short)bg);
	t->npairs++;
	t->picture[n] = pair;
	return pair;
}

/* Free the pairs of the guest's colours when they ran out: those still shown allocate them again. */
static void recycle_pairs(struct term *t)
{
	if (t->short_of_pairs) {
		t->npairs = t->nfixed;
		memset(t->picture, 0, sizeof(t->picture));
	}
	t->short_of_pairs = false;
}

bool term_utf8(void)
{
	setlocale(LC_CTYPE, "");
	return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

/* Sequences for keys on which terminals and their descriptions often disagree. An unknown sequence would be
 * taken for single characters. */
static const struct {
	const char *bytes;
	int key;
} also[] = {
	{ "\033[1~", KEY_HOME },  { "\033[7~", KEY_HOME },  { "\033[H", KEY_HOME },  { "\033OH", KEY_HOME },
	{ "\033[4~", KEY_END },	  { "\033[8~", KEY_END },   { "\033[F", KEY_END },   { "\033OF", KEY_END },
	{ "\033[A", KEY_UP },	  { "\033[B", KEY_DOWN },   { "\033[C", KEY_RIGHT }, { "\033[D", KEY_LEFT },
	{ "\033OA", KEY_UP },	  { "\033OB", KEY_DOWN },   { "\033OC", KEY_RIGHT }, { "\033OD", KEY_LEFT },
	{ "\033[5~", KEY_PPAGE }, { "\033[6~", KEY_NPAGE }, { "\033[Z", KEY_BTAB },
};

/* Open the terminal. NULL: its cursor cannot be moved. */
static SCREEN *open_screen(void)
{
	SCREEN *s = newterm(NULL, stdout, stdin);
	const char *move = s ? tigetstr("cup") : NULL;

	if (s && (!move || move == (const char *)-1)) {
		endwin();
		delscreen(s);
		s = NULL;
	}
	return s;
}

static void complain(char *err, size_t errlen)
{
	const char *name = getenv("TERM");

	if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		snprintf(err, errlen, "this terminal cannot be used; TERM is %s", name ? name : "not set");
	else
		snprintf(err, errlen,
			 "the dashboard needs a terminal (vitrine tui --dump SCREEN prints a screen "
			 "without one)");
}

struct term *term_new(char *err, size_t errlen)
{
	struct term *t = xcalloc(1, sizeof(*t));

	t->utf8 = term_utf8();
	if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		t->screen = open_screen();
	if (!t->screen) {
		complain(err, errlen);
		free(t);
		return NULL;
	}
	set_term(t->screen);
	raw();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	meta(stdscr, TRUE);
	set_escdelay(25);
	leaveok(stdscr, FALSE);
	for (size_t i = 0; i < ARRAY_LEN(also); i++)
		if (key_defined(also[i].bytes) == 0)
			define_key(also[i].bytes, also[i].key);
	mousemask(BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
	mouseinterval(0);
	set_styles(t);
	return t;
}

void term_free(struct term *t)
{
	if (!t)
		return;
	endwin(); /* on a terminal that was closed this fails silently */
	delscreen(t->screen);
	free(t);
}

void term_size(const struct term *t, int *w, int *h)
{
	(void)t;
	*w = COLS;
	*h = LINES;
}

void term_resized(struct term *t)
{
	struct winsize ws;

	(void)t;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_row && ws.ws_col)
		resizeterm(ws.ws_row, ws.ws_col);
	clearok(curscr, TRUE);
}

void term_redraw(struct term *t)
{
	(void)t;
	clearok(curscr, TRUE);
}

static void show_cell(struct term *t, int x, int y, const struct cell *c)
{
	wchar_t text[2] = { 0 };
	cchar_t cc;
	attr_t attr;
	short pair;

	if (c->style < ST_COUNT) {
		attr = t->attr[c->style];
		pair = t->pair[c->style];
	} else if (c->style >= ST_PICTURE) {
		pair = picture_pair(t, c->style, &attr);
	} else {
		pair = vga_pair(t, c->style, &attr);
	}
	text[0] = t->utf8 ? (wchar_t)c->ch : (wchar_t)canvas_ascii(c->ch);
	setcchar(&cc, text, attr, pair, NULL);
	mvadd_wch(y, x, &cc);
}

void term_show(struct term *t, const struct canvas *c, int cx, int cy)
{
	recycle_pairs(t);
	for (int y = 0; y < c->h && y < LINES; y++)
		for (int x = 0; x < c->w && x < COLS; x++)
			show_cell(t, x, y, &c->cells[y * c->w + x]);
	curs_set(cx >= 0);
	if (cx >= 0)
		move(cy, cx);
	refresh();
}

/* ---- keys ---- */

static const struct {
	int curses, key;
} key_map[] = {
	{ KEY_UP, TK_UP },	 { KEY_DOWN, TK_DOWN },	   { KEY_LEFT, TK_LEFT },
	{ KEY_RIGHT, TK_RIGHT }, { KEY_HOME, TK_HOME },	   { KEY_END, TK_END },
	{ KEY_PPAGE, TK_PGUP },	 { KEY_NPAGE, TK_PGDN },   { KEY_DC, TK_DEL },
	{ KEY_IC, TK_INS },	 { KEY_BTAB, TK_BACKTAB }, { KEY_BACKSPACE, TK_BACKSPACE },
	{ KEY_ENTER, TK_ENTER },
};

/* Is this the second click of a double click? (Curses' own detection would delay the first one.) */
static bool is_double(struct term *t, const MEVENT *m)
{
	struct timespec ts;
	int64_t now;
	bool yes;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
	yes = m->x == t->click_x && m->y == t->click_y && now - t->click_ms < DOUBLE_MS;
	t->click_x = m->x;
	t->click_y = m->y;
	t->click_ms = yes ? 0 : now; /* a third click is not another double click */
	return yes;
}

static bool mouse(struct term *t, const MEVENT *m, struct term_event *e)
{
	*e = (struct term_event){ .x = m->x, .y = m->y };
	if (m->bstate & BUTTON4_PRESSED)
		e->key = TK_WHEELUP;
	else if (m->bstate & BUTTON5_PRESSED)
		e->key = TK_WHEELDN;
	else if (m->bstate & BUTTON1_PRESSED)
		e->key = is_double(t, m) ? TK_DOUBLE : TK_CLICK;
	else
		return false;
	return true;
}

/* Events that arrive together are one KEY_MOUSE; curses yields the newest first. */
static void fetch_mouse(struct term *t)
{
	t->nmouse = 0;
	while (t->nmouse < MOUSE_QUEUE && getmouse(&t->mouse[t->nmouse]) == OK)
		t->nmouse++;
}

static bool next_mouse(struct term *t, struct term_event *e)
{
	while (t->nmouse)
		if (mouse(t, &t->mouse[--t->nmouse], e))
			return true;
	return false;
}

static bool function_key(wint_t c, struct term_event *e)
{
	for (size_t i = 0; i < ARRAY_LEN(key_map); i++)
		if (c == (wint_t)key_map[i].curses) {
			e->key = key_map[i].key;
			return true;
		}
	for (int i = 1; i <= 12; i++)
		if (c == (wint_t)KEY_F(i)) {
			e->key = TK_F0 + i;
			return true;
		}
	return false;
}

bool term_key(struct term *t, struct term_event *e)
{
	wint_t c;
	int rc;

	if (next_mouse(t, e))
		return true;
	while ((rc = get_wch(&c)) != ERR) {
		*e = (struct term_event){ 0 };
		if (rc == OK) {
			e->key = c == '\b' ? TK_BACKSPACE : c == '\n' ? TK_ENTER : (int)c;
			return true;
		}
		if (c == KEY_MOUSE)
			fetch_mouse(t);
		if (c == KEY_MOUSE ? next_mouse(t, e) : function_key(c, e))
			return true;
	}
	return false;
}

size_t term_key_bytes(int key, bool application, char buf[8])
{
	static const struct {
		int key;
		const char *bytes;
	} table[] = {
		{ TK_UP, "[A" },	{ TK_DOWN, "[B" },	{ TK_RIGHT, "[C" },    { TK_LEFT, "[D" },
		{ TK_HOME, "[H" },	{ TK_END, "[F" },	{ TK_PGUP, "[5~" },    { TK_PGDN, "[6~" },
		{ TK_DEL, "[3~" },	{ TK_INS, "[2~" },	{ TK_BACKTAB, "[Z" },  { TK_F0 + 1, "OP" },
		{ TK_F0 + 2, "OQ" },	{ TK_F0 + 3, "OR" },	{ TK_F0 + 4, "OS" },   { TK_F0 + 5, "[15~" },
		{ TK_F0 + 6, "[17~" },	{ TK_F0 + 7, "[18~" },	{ TK_F0 + 8, "[19~" }, { TK_F0 + 9, "[20~" },
		{ TK_F0 + 10, "[21~" }, { TK_F0 + 11, "[23~" },
	};

	if (key > 0 && key < TK_FIRST)
		return (size_t)utf8_put((uint32_t)key, buf);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (table[i].key != key)
			continue;
		snprintf(buf, 8, "\033%s", table[i].bytes);
		if (application && key <= TK_RIGHT)
			buf[1] = 'O';
		return strlen(buf);
	}
	return 0;
}

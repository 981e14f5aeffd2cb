/* SPDX-License-Identifier: GPL-3.0-or-later
 * See layout.h. */
#include "tui/layout.h"
#include "base/alloc.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 8, MAX_CELLS = 1000 };

/* ---- text ---- */

static bool parse_size(const char **p, struct layout *l)
{
	char kind = **p, *end;
	long n;

	l->share = 1;
	if (kind != ':' && kind != '*' && kind != '=')
		return true;
	if (!isdigit((unsigned char)(*p)[1]))
		return false;
	n = strtol(*p + 1, &end, 10);
	*p = end;
	if (n < 1 || n > MAX_CELLS)
		return false;
	l->share = kind == '*' ? (int)n : 0;
	l->cells = kind == '*' ? 0 : (int)n;
	l->set = kind == '=';
	return true;
}

static struct layout *parse_node(const char **p, int depth);

static bool parse_children(const char **p, struct layout *l, int depth)
{
	struct layout **at = &l->child;

	do {
		(*p)++; /* ( or , */
		*at = parse_node(p, depth + 1);
		if (!*at)
			return false;
		at = &(*at)->next;
	} while (**p == ',');
	return *(*p)++ == ')';
}

static bool parse_name(const char **p, struct layout *l)
{
	size_t n = strspn(*p, "abcdefghijklmnopqrstuvwxyz0123456789-");

	if (!n || n >= LAYOUT_NAME)
		return false;
	memcpy(l->name, *p, n);
	*p += n;
	return true;
}

static struct layout *parse_node(const char **p, int depth)
{
	struct layout *l = xcalloc(1, sizeof(*l));
	bool ok;

	if ((**p == 'h' || **p == 'v') && (*p)[1] == '(') {
		l->beside = **p == 'h';
		(*p)++;
		ok = depth < MAX_DEPTH && parse_children(p, l, depth);
	} else {
		ok = parse_name(p, l);
	}
	if (ok && parse_size(p, l))
		return l;
	layout_free(l);
	return NULL;
}

struct layout *layout_parse(const char *text)
{
	struct layout *l = parse_node(&text, 0);

	if (l && *text) {
		layout_free(l);
		return NULL;
	}
	return l;
}

void layout_free(struct layout *l)
{
	while (l) {
		struct layout *next = l->next;

		layout_free(l->child);
		free(l);
		l = next;
	}
}

static void put(char *buf, size_t len, size_t *n, const char *text)
{
	if (*n < len)
		snprintf(buf + *n, len - *n, "%s", text);
	*n += strlen(text);
}

static void put_node(const struct layout *l, char *buf, size_t len, size_t *n)
{
	char size[16] = "";

	put(buf, len, n, l->name);
	for (const struct layout *c = l->child; c; c = c->next) {
		put(buf, len, n, c != l->child ? "," : l->beside ? "h(" : "v(");
		put_node(c, buf, len, n);
	}
	if (l->child)
		put(buf, len, n, ")");
	if (l->cells)
		snprintf(size, sizeof(size), "%c%d", l->set ? '=' : ':', l->cells);
	else if (l->share != 1)
		snprintf(size, sizeof(size), "*%d", l->share);
	put(buf, len, n, size);
}

bool layout_text(const struct layout *l, char *buf, size_t len)
{
	size_t n = 0;

	put_node(l, buf, len, &n);
	return n < len;
}

/* ---- dividing ---- */

/* The smallest useful size of L in one direction. */
static int least(const struct layout *l, bool wide)
{
	int sum = 0, most = 0;

	if (!l->child)
		return wide ? LAYOUT_MIN_W : LAYOUT_MIN_H;
	for (const struct layout *c = l->child; c; c = c->next) {
		int n = least(c, wide);

		sum += n + (wide && l->beside && c->next ? 1 : 0);
		most = n > most ? n : most;
	}
	return l->beside == wide ? sum : most;
}

/* How many children fit at their smallest sizes (the first always does). */
static int fitting(const struct layout *l, int room)
{
	int n = 0, used = 0;

	for (const struct layout *c = l->child; c; c = c->next, n++) {
		used += least(c, l->beside) + (l->beside && n ? 1 : 0);
		if (used > room && n)
			break;
	}
	return n;
}

/* Sizes of the first N children, which fill ROOM. Sizes in cells are honoured as long as all others get their
 * smallest size. */
static void sizes(const struct layout *l, int n, int room, int *size)
{
	const struct layout *c = l->child;
	int spare = room, shares = 0, given = 0, last = n - 1;

	for (int i = 0; i < n; i++, c = c->next) {
		size[i] = least(c, l->beside);
		spare -= size[i];
		shares += c->share;
		last = c->share ? i : last;
	}
	c = l->child;
	for (int i = 0; i < n && spare > 0; i++, c = c->next) {
		int want = c->cells - size[i];

		if (c->cells && want > 0) {
			want = want < spare ? want : spare;
			size[i] += want;
			spare -= want;
		}
	}
	if (spare <= 0) {
		size[0] += spare; /* not even room for the smallest size of one child */
		return;
	}
	/* children with shares divide the space that is left to them */
	c = l->child;
	for (int i = 0; i < n; i++, c = c->next)
		spare += c->share ? size[i] : 0;
	c = l->child;
	for (int i = 0; i < n && shares; i++, c = c->next) {
		if (!c->share)
			continue;
		size[i] = spare * c->share / shares;
		if (size[i] < least(c, l->beside))
			size[i] = least(c, l->beside);
		given += size[i];
	}
	size[last] += shares ? spare - given : spare;
}

/* Lines that L can fill, one below the other or the most of those side by side; 0: any number. */
static int useful(const struct layout *l)
{
	int sum = 0, most = 0;

	if (!l->child)
		return l->need > 0 && l->need < LAYOUT_MIN_H ? LAYOUT_MIN_H : l->need;
	for (const struct layout *c = l->child; c; c = c->next) {
		int n = useful(c);

		if (!n)
			return 0;
		sum += n;
		most = n > most ? n : most;
	}
	return l->beside ? most : sum;
}

/* Take from the first N children, one below the other, the lines that they cannot fill. */
static int take_unused(const struct layout *l, int n, int *size)
{
	const struct layout *c = l->child;
	int spare = 0;

	for (int i = 0; i < n; i++, c = c->next) {
		int need = useful(c), low = least(c, false);

		need = need && need < low ? low : need;
		if (c->set || !need || size[i] <= need)
			continue;
		spare += size[i] - need;
		size[i] = need;
	}
	return spare;
}

/* Deal the lines that some cannot fill to those that can, one each in turn; the last child gets what nobody
 * needs. */
static void fit_needs(const struct layout *l, int n, int *size)
{
	int spare = take_unused(l, n, size), given = 1;

	while (spare > 0 && given) {
		const struct layout *c = l->child;

		given = 0;
		for (int i = 0; i < n && spare > 0; i++, c = c->next) {
			int need = useful(c);

			if (c->set || (need && size[i] >= need))
				continue;
			size[i]++;
			spare--;
			given++;
		}
	}
	size[n - 1] += spare;
}

static void solve_split(struct layout *l, struct rect r)
{
	int n = fitting(l, l->beside ? r.w : r.h), i = 0;
	int room = l->beside ? r.w - (n - 1) : r.h;
	int *size = xcalloc((size_t)n + 1, sizeof(*size));

	sizes(l, n, room, size);
	if (!l->beside)
		fit_needs(l, n, size);
	for (struct layout *c = l->child; c; c = c->next, i++) {
		struct rect at = r;

		if (i >= n) {
			layout_solve(c, (struct rect){ r.x, r.y, 0, 0 });
			continue;
		}
		if (l->beside) {
			at.w = size[i];
			r.x += size[i] + 1;
			r.w -= size[i] + 1;
		} else {
			at.h = size[i];
			r.y += size[i];
			r.h -= size[i];
		}
		layout_solve(c, at);
	}
	free(size);
}

void layout_solve(struct layout *l, struct rect r)
{
	if (r.w < 0 || r.h < 0)
		r.w = r.h = 0;
	l->at = r;
	if (l->child)
		solve_split(l, r);
}

/* ---- finding and changing ---- */

struct layout *layout_find(struct layout *l, const char *name)
{
	if (!l->child)
		return strcmp(l->name, name) ? NULL : l;
	for (struct layout *c = l->child; c; c = c->next) {
		struct layout *found = layout_find(c, name);

		if (found)
			return found;
	}
	return NULL;
}

static struct layout *nth_leaf(struct layout *l, int *n)
{
	if (!l->child)
		return (*n)-- == 0 ? l : NULL;
	for (struct layout *c = l->child; c; c = c->next) {
		struct layout *found = nth_leaf(c, n);

		if (found)
			return found;
	}
	return NULL;
}

struct layout *layout_leaf(struct layout *l, int n)
{
	return nth_leaf(l, &n);
}

/* The innermost split around NAME with more than one child; CHILD: its child that holds it. */
static struct layout *split_of(struct layout *l, const char *name, struct layout **child)
{
	for (struct layout *c = l->child; c; c = c->next) {
		struct layout *inner;

		if (!layout_find(c, name))
			continue;
		inner = split_of(c, name, child);
		if (inner)
			return inner;
		*child = c;
		return l->child->next ? l : NULL;
	}
	return NULL;
}

bool layout_grow(struct layout *l, const char *name, int d)
{
	struct layout *child = NULL, *split = split_of(l, name, &child);
	int now, rest = 0;

	if (!split)
		return false;
	now = split->beside ? child->at.w : child->at.h;
	for (struct layout *c = split->child; c; c = c->next)
		rest += c == child ? 0 : least(c, split->beside);
	if (now + d < least(child, split->beside) ||
	    now + d + rest > (split->beside ? split->at.w : split->at.h))
		return false;
	child->cells = now + d;
	child->share = 0;
	child->set = true;
	/* one child must take the remaining space */
	for (struct layout *c = split->child; c; c = c->next)
		if (c->share)
			return true;
	for (struct layout *c = split->child; c; c = c->next)
		if (c != child) {
			c->cells = 0;
			c->share = 1;
			c->set = false;
			break;
		}
	return true;
}

void layout_swap(struct layout *l, const char *a, const char *b)
{
	struct layout *x = layout_find(l, a), *y = layout_find(l, b);
	char name[LAYOUT_NAME];

	if (!x || !y)
		return;
	memcpy(name, x->name, sizeof(name));
	memcpy(x->name, y->name, sizeof(name));
	memcpy(y->name, name, sizeof(name));
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 * The cursor of lists, and scrolling without one. */
#include "tui/pane.h"

void list_fit(struct list *l, int rows, int view)
{
	l->rows = rows;
	l->view = view > 1 ? view : 1;
	if (l->at >= rows)
		l->at = rows - 1;
	if (l->at < 0)
		l->at = 0;
	if (l->top > l->at)
		l->top = l->at;
	if (l->at >= l->top + l->view)
		l->top = l->at - l->view + 1;
	if (l->top > rows - l->view)
		l->top = rows - l->view;
	if (l->top < 0)
		l->top = 0;
}

bool list_key(struct list *l, int key)
{
	switch (key) {
	case TK_UP:
	case 'k':
		l->at--;
		break;
	case TK_DOWN:
	case 'j':
		l->at++;
		break;
	case TK_PGUP:
		l->at -= l->view;
		break;
	case TK_PGDN:
		l->at += l->view;
		break;
	case TK_HOME:
		l->at = 0;
		break;
	case TK_END:
	case 'G':
		l->at = l->rows - 1;
		break;
	default:
		return false;
	}
	list_fit(l, l->rows, l->view);
	return true;
}

bool list_mouse(struct list *l, const struct term_event *e, int first_row)
{
	switch (e->key) {
	case TK_WHEELUP:
		l->at -= 3;
		break;
	case TK_WHEELDN:
		l->at += 3;
		break;
	default:
		if (e->y < first_row || l->top + e->y - first_row >= l->rows)
			return false;
		l->at = l->top + e->y - first_row;
		break;
	}
	list_fit(l, l->rows, l->view);
	return true;
}

bool scroll_key(int *top, int key, int rows, int view)
{
	int page = view > 1 ? view - 1 : 1;

	switch (key) {
	case TK_UP:
	case 'k':
		--*top;
		break;
	case TK_DOWN:
	case 'j':
		++*top;
		break;
	case TK_PGUP:
		*top -= page;
		break;
	case TK_PGDN:
		*top += page;
		break;
	case TK_HOME:
		*top = 0;
		break;
	case TK_END:
	case 'G':
		*top = rows;
		break;
	default:
		return false;
	}
	*top = *top > rows - view ? rows - view : *top;
	*top = *top < 0 ? 0 : *top;
	return true;
}

void wheel_keys(struct pane *p, struct tui *t, const struct term_event *e)
{
	for (int i = 0; i < 3 && (e->key == TK_WHEELUP || e->key == TK_WHEELDN); i++)
		p->cls->key(p, t, e->key == TK_WHEELUP ? TK_UP : TK_DOWN);
}

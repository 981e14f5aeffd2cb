/* SPDX-License-Identifier: GPL-3.0-or-later
 * A menu of commands for the address under the cursor, each selected by a letter: it is executed,
 * or put on the command line to be completed. */
#ifndef TUI_MENU_H
#define TUI_MENU_H
#include "base/types.h"

struct area;
struct tui;

/* What commands of the menu need; those that lack it are dim and say so. */
enum menu_need { MENU_ANY, MENU_FRAGMENT, MENU_PATCH, MENU_PROBE, MENU_NEEDS };

struct menu {
	bool open;
	int at;
	uint64_t addr;
	char place[80]; /* the address with its symbol */
	bool has[MENU_NEEDS];
};

/* For ADDR; SYMBOL may be "". */
void menu_open(struct tui *t, uint64_t addr, const char *symbol);
void menu_key(struct tui *t, int key);
/* A click on line Y of H. */
void menu_click(struct tui *t, int y, int h);
void menu_draw(const struct tui *t, const struct area *a);
#endif

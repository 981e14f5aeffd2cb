/* SPDX-License-Identifier: GPL-3.0-or-later
 * See columns.h. */
#include "tui/columns.h"

/* The cells that the columns take, with gaps. */
static int total(const struct column *c, int n)
{
	int sum = 0;

	for (int i = 0; i < n; i++)
		sum += c[i].w ? c[i].w + COLUMN_GAP : 0;
	return sum ? sum - COLUMN_GAP : 0;
}

/* The column to leave out next: of those of the lowest rank the last. -1: none may be. */
static int next_out(const struct column *c, int n)
{
	int out = -1;

	for (int i = 0; i < n; i++)
		if (c[i].w && !c[i].keep && (out < 0 || c[i].rank <= c[out].rank))
			out = i;
	return out;
}

int columns_fit(struct column *c, int n, int room)
{
	int left_out = 0, spare, out;

	for (int i = 0; i < n; i++)
		c[i].w = c[i].least;
	while (total(c, n) > room && (out = next_out(c, n)) >= 0) {
		c[out].w = 0;
		left_out++;
	}
	spare = room - total(c, n);
	for (int i = 0; i < n && spare > 0; i++) {
		int more = c[i].w ? c[i].need - c[i].w : 0;

		more = more < spare ? more : spare;
		c[i].w += more;
		spare -= more;
	}
	return left_out;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 * Terminal modes. See terminal.h. */
#include "console/terminal.h"

#include <unistd.h>

void terminal_init(struct terminal *t, int fd)
{
	*t = (struct terminal){ .is_tty = isatty(fd) };
	if (t->is_tty)
		tcgetattr(fd, &t->saved);
}

void terminal_raw(struct terminal *t, int fd)
{
	struct termios raw;

	if (!t->is_tty || t->raw)
		return;
	tcgetattr(fd, &t->saved);
	raw = t->saved;
	raw.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
	raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	tcsetattr(fd, TCSANOW, &raw);
	t->raw = true;
}

void terminal_restore(struct terminal *t, int fd)
{
	if (t->raw)
		tcsetattr(fd, TCSANOW, &t->saved);
	t->raw = false;
}

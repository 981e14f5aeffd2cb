/* SPDX-License-Identifier: GPL-3.0-or-later
 * The controlling terminal: in raw mode while the guest has it, in its original mode otherwise. */
#ifndef CONSOLE_TERMINAL_H
#define CONSOLE_TERMINAL_H
#include <stdbool.h>
#include <termios.h>

struct terminal {
	bool is_tty, raw;
	struct termios saved;
};

void terminal_init(struct terminal *t, int fd);
/* Deliver every key to us, Ctrl-C included. Output processing stays on. */
void terminal_raw(struct terminal *t, int fd);
void terminal_restore(struct terminal *t, int fd);
#endif

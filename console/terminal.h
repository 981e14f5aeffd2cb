/* SPDX-License-Identifier: GPL-3.0-or-later
 * The controlling terminal: raw while the guest has it, as it was otherwise. */
#ifndef CONSOLE_TERMINAL_H
#define CONSOLE_TERMINAL_H
#include <stdbool.h>
#include <termios.h>

struct terminal {
	bool is_tty, raw;
	struct termios saved;
};

void terminal_init(struct terminal *t, int fd);
/* Every key reaches us, Ctrl-C included; output is processed as before. */
void terminal_raw(struct terminal *t, int fd);
void terminal_restore(struct terminal *t, int fd);
#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 * Agent expressions: the bytecode into which gdb compiles a breakpoint's condition, so that
 * it is decided here instead of over the wire. (gdb manual, appendix F.) */
#ifndef GDBSTUB_AGENT_H
#define GDBSTUB_AGENT_H
#include "base/types.h"

struct agent_env {
	void *ctx;
	bool (*reg)(void *ctx, unsigned n, uint64_t *val);
	bool (*read)(void *ctx, uint64_t addr, void *buf, unsigned n);
};

/* Run LEN bytes of CODE. False: it cannot be run to its end (unreadable memory, a loop, an
 * operation that only tracepoints have). */
bool agent_eval(const struct agent_env *env, const uint8_t *code, size_t len, uint64_t *val);
#endif

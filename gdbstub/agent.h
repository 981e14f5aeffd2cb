/* SPDX-License-Identifier: GPL-3.0-or-later
 * Agent expressions: the bytecode into which gdb compiles a breakpoint's condition, to be evaluated here and
 * not over the connection (gdb manual, appendix F). */
#ifndef GDBSTUB_AGENT_H
#define GDBSTUB_AGENT_H
#include "base/types.h"

struct agent_env {
	void *ctx;
	bool (*reg)(void *ctx, unsigned n, uint64_t *val);
	bool (*read)(void *ctx, uint64_t addr, void *buf, unsigned n);
};

/* Evaluate LEN bytes of CODE. False if it cannot be completed: unreadable memory, too many operations, an
 * operation of tracepoints. */
bool agent_eval(const struct agent_env *env, const uint8_t *code, size_t len, uint64_t *val);
/* Write LEN bytes of CODE as an expression, with registers named by NAME. False if it is none: jumps, stack
 * operations, or too long. */
bool agent_text(const uint8_t *code, size_t len, const char *(*name)(void *ctx, unsigned reg), void *ctx,
		char *buf, size_t n);
#endif

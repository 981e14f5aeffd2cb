/* SPDX-License-Identifier: GPL-3.0-or-later
 * Registers and memory. Memory is read and written through the current page tables, or as physical memory in
 * PhyMemMode; devices are never accessed. */
#include "gdbstub/gdb_int.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum { SEARCH_PIECE = 65536 };

/* ---- registers ---- */

static const char switched_out[] = "a task that does not execute cannot be changed: select thread 1";

void on_read_regs(struct gdb *g, struct span a)
{
	const struct cpu *c = debug_cpu(g->s);
	uint8_t bytes[GDB_REG_BYTES];

	(void)a;
	g->read_regs = true;
	g->regs.cr8 = debug_cr8(g->s);
	if (g->threads.task >= 0) {
		gdb_task_regs(g, 0, g->regs.count);
		return;
	}
	for (unsigned i = 0; i < g->regs.count; i++)
		out_hex(&g->reply, bytes, gdb_reg_get(&g->regs, c, i, bytes));
}

/* Set register N of C. NULL, or why not. */
static const char *set_reg(struct gdb *g, struct cpu *c, unsigned n, const uint8_t bytes[GDB_REG_BYTES])
{
	struct reg_memory mem = debug_memory(g->s);

	return gdb_reg_set(&g->regs, c, n, bytes, &mem);
}

/* All registers, or none. */
void on_write_regs(struct gdb *g, struct span a)
{
	static const char mismatch[] = "the registers do not match the target description";
	struct cpu want = *debug_cpu(g->s);
	const char *why = g->threads.task >= 0 ? switched_out : NULL;

	for (unsigned i = 0; i < g->regs.count && !why; i++) {
		unsigned size = g->regs.reg[i].bits / 8;
		uint8_t bytes[GDB_REG_BYTES] = { 0 };

		if (i && !span_left(&a))
			break; /* a short tail is allowed */
		if (span_left(&a) < 2 * size || hex_decode(a.p, 2 * size, bytes, size) != size)
			why = mismatch;
		else
			why = set_reg(g, &want, i, bytes);
		a.p += why ? 0 : 2 * size;
	}
	if (!why)
		why = debug_set_cpu(g->s, &want);
	if (why)
		reply_error(g, E_INVAL, why);
	else
		reply_ok(g);
}

void on_read_reg(struct gdb *g, struct span a)
{
	uint8_t bytes[GDB_REG_BYTES];
	unsigned size = 0;
	uint64_t n;

	g->regs.cr8 = debug_cr8(g->s);
	if (g->threads.task >= 0 && span_hex(&a, &n) && n < g->regs.count) {
		gdb_task_regs(g, (unsigned)n, 1);
		return;
	}
	if (span_hex(&a, &n) && n < GDB_MAX_REGS)
		size = gdb_reg_get(&g->regs, debug_cpu(g->s), (unsigned)n, bytes);
	if (size)
		out_hex(&g->reply, bytes, size);
	else
		reply_error(g, E_INVAL, "no such register");
}

void on_write_reg(struct gdb *g, struct span a)
{
	uint8_t bytes[GDB_REG_BYTES] = { 0 };
	struct cpu want = *debug_cpu(g->s);
	const char *why = "the register cannot be set to this value";
	uint64_t n;

	if (g->threads.task >= 0)
		why = switched_out;
	else if (span_hex(&a, &n) && span_char(&a, '=') && n < g->regs.count &&
		 hex_decode(a.p, span_left(&a), bytes, g->regs.reg[n].bits / 8) == g->regs.reg[n].bits / 8)
		why = set_reg(g, &want, (unsigned)n, bytes);
	if (!why)
		why = debug_set_cpu(g->s, &want);
	if (why)
		reply_error(g, E_INVAL, why);
	else
		reply_ok(g);
}

/* ---- memory ---- */

/* "ADDR,LENGTH" */
static bool place(struct span *a, uint64_t *addr, uint64_t *len)
{
	return span_hex(a, addr) && span_char(a, ',') && span_hex(a, len);
}

/* Read up to MAX bytes, which the caller frees. NULL, with the error in the reply, if none can be read. */
static uint8_t *fetch(struct gdb *g, struct span a, size_t max, size_t *got)
{
	uint64_t addr, len;
	uint8_t *buf;

	if (!place(&a, &addr, &len)) {
		reply_error(g, E_INVAL, "expected ADDRESS,LENGTH");
		return NULL;
	}
	if (len > max)
		len = max;
	buf = xmalloc(len + 1);
	*got = g->threads.task >= 0 && !g->physical ? gdb_task_read(g, addr, buf, len)
						    : debug_read(g->s, g->physical, addr, buf, len);
	if (*got || !len)
		return buf;
	free(buf);
	reply_error(g, E_FAULT, "no memory at this address");
	return NULL;
}

void on_read_mem(struct gdb *g, struct span a)
{
	size_t n;
	uint8_t *buf = fetch(g, a, PACKET_MAX / 2, &n);

	if (buf)
		out_hex(&g->reply, buf, n);
	free(buf);
}

void on_read_binary(struct gdb *g, struct span a)
{
	size_t n;
	uint8_t *buf = fetch(g, a, PACKET_MAX / 2, &n);

	if (buf) {
		out_printf(&g->reply, "b");
		out_binary(&g->reply, buf, n);
	}
	free(buf);
}

static void store(struct gdb *g, uint64_t addr, const void *bytes, size_t n)
{
	if (g->threads.task >= 0 && !g->physical)
		reply_error(g, E_INVAL, switched_out);
	else if (debug_write(g->s, g->physical, addr, bytes, n) == n)
		reply_ok(g);
	else
		reply_error(g, E_FAULT, "no memory at this address");
}

void on_write_mem(struct gdb *g, struct span a)
{
	uint8_t bytes[PACKET_MAX / 2];
	uint64_t addr, len;

	if (!place(&a, &addr, &len) || !span_char(&a, ':') || len > sizeof(bytes) ||
	    hex_decode(a.p, span_left(&a), bytes, len) != len)
		reply_error(g, E_INVAL, "the data do not have the given length");
	else
		store(g, addr, bytes, len);
}

void on_write_binary(struct gdb *g, struct span a)
{
	char bytes[PACKET_MAX];
	uint64_t addr, len;
	size_t n;

	if (!place(&a, &addr, &len) || !span_char(&a, ':')) {
		reply_error(g, E_INVAL, "expected ADDRESS,LENGTH");
		return;
	}
	n = span_left(&a);
	memcpy(bytes, a.p, n);
	if (packet_unescape(bytes, n) != len)
		reply_error(g, E_INVAL, "the data do not have the given length");
	else
		store(g, addr, bytes, len);
}

/* ---- qSearch:memory:ADDR;LENGTH;PATTERN ---- */

/* Find the N bytes at PATTERN in [ADDR, ADDR+LEN). True with the place in *ADDR. *READABLE is false if the
 * search ended at memory that cannot be read. */
static bool search(struct gdb *g, uint64_t *addr, uint64_t len, const void *pattern, size_t n, bool *readable)
{
	uint8_t *buf = xmalloc(SEARCH_PIECE + n);
	const uint8_t *hit = NULL;

	*readable = true;
	while (len >= n && !hit) {
		size_t want = len < SEARCH_PIECE + n - 1 ? len : SEARCH_PIECE + n - 1;
		size_t got = debug_read(g->s, g->physical, *addr, buf, want);

		hit = got >= n ? memmem(buf, got, pattern, n) : NULL;
		if (hit)
			*addr += (size_t)(hit - buf);
		else if (got < want)
			*readable = false;
		if (hit || got < want || got < n)
			break;
		*addr += got - n + 1;
		len -= got - n + 1;
	}
	free(buf);
	return hit;
}

void on_search(struct gdb *g, struct span a)
{
	char pattern[PACKET_MAX];
	uint64_t addr, len;
	bool readable;
	size_t n;

	if (!span_hex(&a, &addr) || !span_char(&a, ';') || !span_hex(&a, &len) || !span_char(&a, ';') ||
	    !span_left(&a)) {
		reply_error(g, E_INVAL, "expected ADDRESS;LENGTH;PATTERN");
		return;
	}
	n = span_left(&a);
	memcpy(pattern, a.p, n);
	n = packet_unescape(pattern, n);
	if (len > 1ull << 32)
		len = 1ull << 32;
	if (search(g, &addr, len, pattern, n, &readable))
		out_printf(&g->reply, "1,%llx", (unsigned long long)addr);
	else if (readable)
		out_printf(&g->reply, "0");
	else
		reply_error(g, E_FAULT, "no memory at this address");
}

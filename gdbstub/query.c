/* SPDX-License-Identifier: GPL-3.0-or-later
 * Queries about the target: features, descriptions, QEMU's and LLDB's queries. */
#include "gdbstub/gdb_int.h"

#include <stdlib.h>
#include <string.h>

/* ---- qSupported ---- */

/* Features that a client may offer, and their flags. */
static const struct {
	const char *feature;
	size_t offset;
} offers[] = {
	{ "multiprocess+", offsetof(struct gdb, multiprocess) },
	{ "swbreak+", offsetof(struct gdb, swbreak) },
	{ "hwbreak+", offsetof(struct gdb, hwbreak) },
	{ "error-message+", offsetof(struct gdb, error_text) },
};

static void take_offer(struct gdb *g, const char *word, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(offers); i++)
		if (len == strlen(offers[i].feature) && !memcmp(word, offers[i].feature, len))
			*(bool *)((char *)g + offers[i].offset) = true;
}

void on_supported(struct gdb *g, struct span a)
{
	span_char(&a, ':');
	while (span_left(&a)) {
		const char *end = memchr(a.p, ';', span_left(&a));
		size_t n = end ? (size_t)(end - a.p) : span_left(&a);

		take_offer(g, a.p, n);
		a.p += n + (end != NULL);
	}
	out_printf(&g->reply,
		   "PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;qXfer:memory-map:read+;"
		   "qXfer:threads:read+;vContSupported+;ConditionalBreakpoints+;binary-upload+;"
		   "multiprocess%c;swbreak%c;hwbreak%c",
		   PACKET_MAX, g->multiprocess ? '+' : '-', g->swbreak ? '+' : '-', g->hwbreak ? '+' : '-');
	if (g->error_text)
		out_printf(&g->reply, ";error-message+");
}

/* The OK is still acknowledged. */
void on_noack(struct gdb *g, struct span a)
{
	(void)a;
	gdb_send(g, "OK", 2);
	g->noack = true;
}

void on_unknown(struct gdb *g, struct span a)
{
	(void)g;
	(void)a;
}

void on_extended(struct gdb *g, struct span a)
{
	(void)a;
	g->extended = true;
	reply_ok(g);
}

/* ---- qXfer ---- */

void gdb_transfer(struct gdb *g, struct span a, const struct out *doc)
{
	uint64_t offset, len;

	if (!span_hex(&a, &offset) || !span_char(&a, ',') || !span_hex(&a, &len) || offset > doc->len) {
		reply_error(g, E_INVAL, "offset is not within the document");
		return;
	}
	if (len > PACKET_MAX / 2)
		len = PACKET_MAX / 2;
	if (len > doc->len - offset)
		len = doc->len - offset;
	out_printf(&g->reply, "%c", offset + len < doc->len ? 'm' : 'l');
	out_binary(&g->reply, doc->data + offset, len);
}

void on_features(struct gdb *g, struct span a)
{
	struct out doc = { 0 };

	gdb_regs_xml(&g->regs, &doc);
	gdb_transfer(g, a, &doc);
	out_fini(&doc);
}

/* gdb treats addresses outside the map as inaccessible, and takes the map's addresses for linear ones. So the
 * map covers all, and is served only while linear addresses are physical ones. */
void on_memory_map(struct gdb *g, struct span a)
{
	struct out doc = { 0 };

	if (debug_paging(g->s) && !g->physical) {
		reply_error(g, 0, "no memory map: linear addresses are not physical ones");
		return;
	}
	out_printf(
	    &doc,
	    "<?xml version=\"1.0\"?>\n<!DOCTYPE memory-map PUBLIC \"+//IDN gnu.org//DTD GDB Memory Map "
	    "V1.0//EN\" \"http://sourceware.org/gdb/gdb-memory-map.dtd\">\n<memory-map>\n"
	    "<memory type=\"ram\" start=\"0x0\" length=\"%s\"/>\n</memory-map>\n",
	    g->regs.arch->wide ? "0xffffffffffffffff" : "0x100000000");
	gdb_transfer(g, a, &doc);
	out_fini(&doc);
}

void on_attached(struct gdb *g, struct span a)
{
	(void)a;
	out_printf(&g->reply, "1"); /* "quit" then detaches and does not kill */
}

/* ---- QEMU's ---- */

void on_qemu_supported(struct gdb *g, struct span a)
{
	(void)a;
	out_printf(&g->reply, "sstepbits;sstep;PhyMemMode");
}

void on_sstep_bits(struct gdb *g, struct span a)
{
	(void)a;
	out_printf(&g->reply, "ENABLE=%x,NOIRQ=%x,NOTIMER=%x", SSTEP_ENABLE, SSTEP_NOIRQ, SSTEP_NOTIMER);
}

void on_sstep_get(struct gdb *g, struct span a)
{
	(void)a;
	out_printf(&g->reply, "0x%x", g->sstep);
}

void on_sstep_set(struct gdb *g, struct span a)
{
	uint64_t bits;

	span_word(&a, "0x");
	if (!span_hex(&a, &bits) || bits > 7) {
		reply_error(g, E_INVAL, "expected step bits, 0 to 7");
		return;
	}
	g->sstep = (unsigned)bits;
	reply_ok(g);
}

void on_phys_get(struct gdb *g, struct span a)
{
	(void)a;
	out_printf(&g->reply, "%d", g->physical);
}

void on_phys_set(struct gdb *g, struct span a)
{
	uint64_t on;

	if (!span_hex(&a, &on)) {
		reply_error(g, E_INVAL, "expected 0 or 1");
		return;
	}
	g->physical = on != 0;
	reply_ok(g);
}

/* ---- LLDB's ---- */

static void put_triple(struct gdb *g)
{
	const char *triple = g->regs.arch->wide ? "x86_64-unknown-unknown" : "i386-unknown-unknown";

	out_printf(&g->reply, "triple:");
	out_hex(&g->reply, triple, strlen(triple));
	out_printf(&g->reply, ";ptrsize:%d;endian:little;", g->regs.arch->wide ? 8 : 4);
}

void on_host_info(struct gdb *g, struct span a)
{
	(void)a;
	put_triple(g);
}

void on_process_info(struct gdb *g, struct span a)
{
	(void)a;
	out_printf(&g->reply, "pid:1;");
	put_triple(g);
}

void on_region_info(struct gdb *g, struct span a)
{
	uint64_t addr, start, size;
	bool writable, mapped;

	if (!span_hex(&a, &addr)) {
		reply_error(g, E_INVAL, "expected an address");
		return;
	}
	if (!cpu_long(debug_cpu(g->s)) && addr > UINT32_MAX) {
		out_printf(&g->reply, "start:100000000;size:ffffffff00000000;");
		return;
	}
	if (!cpu_canonical(addr)) {
		out_printf(&g->reply, "start:800000000000;size:ffff000000000000;");
		return;
	}
	mapped = debug_region(g->s, addr, &start, &size, &writable);
	out_printf(&g->reply, "start:%llx;size:%llx;", (unsigned long long)start, (unsigned long long)size);
	if (mapped)
		out_printf(&g->reply, "permissions:r%sx;", writable ? "w" : "");
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 * See tests/bt/emitted.h. */
#include "tests/bt/emitted.h"
#include "bt/state/vcpu.h"

#include <Zydis/Zydis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 65536 };

/* Fields that fragments access. A new one is a new row, at the end: rows are known by their number. */
#define PART(f)                                                                                              \
	{                                                                                                    \
#f, offsetof(struct bt_vcpu, f), sizeof(((struct bt_vcpu *)0)->f), 0                         \
	}
#define ARRAY(f)                                                                                             \
	{                                                                                                    \
#f, offsetof(struct bt_vcpu, f), sizeof(((struct bt_vcpu *)0)->f),                           \
		    sizeof(((struct bt_vcpu *)0)->f[0])                                                      \
	}
static const struct part {
	const char *name;
	size_t off, size, unit; /* UNIT: of an array whose elements are given out as they are needed */
} parts[] = {
	PART(v.cpu.gpr),
	PART(v.cpu.seg),
	PART(v.cpu.cr0),
	PART(v.cpu.cr2),
	PART(v.cpu.cr3),
	PART(v.cpu.cr4),
	PART(v.cpu.rip),
	PART(v.cpu.intf),
	PART(v.cpu.sysflags),
	PART(v.cpu.gdtr),
	PART(v.cpu.idtr),
	PART(v.cpu.ldtr),
	PART(v.cpu.tr),
	PART(v.cpu.tsc_aux),
	PART(v.cpu.tsc_offset),
	PART(v.cpu.xcr0),
	PART(v.cpu.dr),
	PART(stubs.callout),
	PART(stubs.callout_fpu),
	PART(stubs.exit),
	PART(stubs.syscall),
	PART(miss_site),
	PART(icount.left),
	PART(sysflags_neg),
	PART(cr0_neg),
	PART(intr_wait),
	PART(poll),
	PART(scratch),
	PART(win.quarter),
	PART(win.home),
	PART(win.shadow),
	PART(win.shadow_quarter),
	PART(guard.trap_page),
	PART(memo.seg),
	ARRAY(memo.cpuid),
	ARRAY(memo.msr),
	PART(bounce),
	PART(exit.mmio_lin),
	PART(guest.tsc_offset),
	PART(soft_used),
	ARRAY(probes.count),
	ARRAY(probes.match),
	ARRAY(entries.count),
	PART(account.indirects),
};

/* What replaces a number: followed by what it refers to. */
enum { AT_FIELD = 0xe0, AT_INSN, AT_OUTSIDE, AT_SITE, AT_LINK, AT_MARK };

struct reading {
	struct emitted *e;
	const struct bt_vcpu *b;
	const struct ccf *f;
	const uint8_t *host;
	uint16_t *ordinal; /* of the instruction at each offset, from 1 */
	ZydisDecodedInstruction z;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	uint32_t at;
};

static void put(struct emitted *e, const void *p, size_t n)
{
	if (e->n + n > e->room) {
		e->room = 2 * (e->n + n) + 4096;
		e->bytes = realloc(e->bytes, e->room);
		if (!e->bytes)
			abort();
	}
	memcpy(e->bytes + e->n, p, n);
	e->n += n;
}

static void put_number(struct emitted *e, unsigned kind, uint32_t v)
{
	uint8_t b[] = { (uint8_t)kind, (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16),
			(uint8_t)(v >> 24) };

	put(e, b, sizeof(b));
}

static void put_field(struct reading *w, int64_t off)
{
	for (unsigned i = 0; i < ARRAY_LEN(parts); i++) {
		const struct part *p = &parts[i];
		uint64_t delta = (uint64_t)off - p->off;

		if (delta >= p->size)
			continue;
		put_number(w->e, AT_FIELD, i);
		put_number(w->e, AT_FIELD, (uint32_t)(p->unit ? delta % p->unit : delta));
		return;
	}
	snprintf(w->e->unknown, sizeof(w->e->unknown), "field of the vCPU at offset %lld", (long long)off);
}

/* A position in the code: the number of the instruction there. */
static void put_target(struct reading *w, int64_t to)
{
	if (to >= 0 && to <= w->f->hsize && w->ordinal[to])
		put_number(w->e, AT_INSN, w->ordinal[to]);
	else
		put_number(w->e, AT_OUTSIDE, 0);
}

static bool in_arena(const struct bt_vcpu *b, uint64_t v)
{
	return v >= (uint64_t)b->tc.arena && v < (uint64_t)b->tc.zone.arena_end;
}

static bool in_transient(const struct bt_vcpu *b, uint64_t v)
{
	return v >= (uint64_t)b->transient.arena &&
	       v < (uint64_t)b->transient.arena + b->transient.arena_used;
}

/* The record of a call of the monitor. */
static bool put_record(struct reading *w, uint64_t v)
{
	const struct exit_link *l = (const struct exit_link *)v;
	const struct site *s = (const struct site *)v;

	if (l >= w->f->link && l < w->f->link + MAX_EXITS) {
		put_number(w->e, AT_LINK, (uint32_t)l->eip);
		put_number(w->e, AT_LINK, (uint32_t)l->pc);
		put_number(w->e, AT_LINK, l->cross);
		return true;
	}
	if (!in_arena(w->b, v) && !in_transient(w->b, v))
		return false;
	put_number(w->e, AT_SITE, (uint32_t)s->eip);
	put_number(w->e, AT_SITE, (uint32_t)s->next);
	put_number(w->e, AT_SITE, s->insn | (uint32_t)s->op << 8 | (uint32_t)s->seg << 16);
	put_number(w->e, AT_SITE, s->kind | (uint32_t)s->asize << 8 | (uint32_t)s->mem << 16);
	return true;
}

static const ZydisDecodedOperand *memory_operand(const struct reading *w)
{
	for (unsigned i = 0; i < w->z.operand_count; i++)
		if (w->op[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
			return &w->op[i];
	return NULL;
}

static void put_insn(struct reading *w)
{
	const ZydisDecodedOperand *m = memory_operand(w);
	const ZydisDecodedInstruction *z = &w->z;
	uint8_t copy[ZYDIS_MAX_INSTRUCTION_LENGTH];
	bool field = m && m->mem.base == ZYDIS_REGISTER_R15;
	bool rip = m && m->mem.base == ZYDIS_REGISTER_RIP;
	bool relative = z->raw.imm[0].size && z->raw.imm[0].is_relative;
	unsigned from = z->length, to = z->length; /* the bytes left out */
	uint64_t imm = z->raw.imm[0].value.u;

	memcpy(copy, w->host + w->at, z->length);
	if (field) {
		copy[z->raw.modrm.offset] &= 0x3f; /* the size of the displacement */
		put_field(w, z->raw.disp.size ? z->raw.disp.value : 0);
	} else if (rip)
		put_target(w, (int64_t)w->at + z->length + z->raw.disp.value);
	else if (relative)
		put_target(w, (int64_t)w->at + z->length + z->raw.imm[0].value.s);
	if ((field || rip) && z->raw.disp.size) {
		from = z->raw.disp.offset;
		to = from + z->raw.disp.size / 8;
	} else if (relative || (z->raw.imm[0].size == 64 && put_record(w, imm))) {
		from = z->raw.imm[0].offset;
		to = from + z->raw.imm[0].size / 8;
	}
	put(w->e, copy, from);
	put(w->e, copy + to, z->length - to);
}

static void dump(const struct reading *w, size_t from)
{
	printf("\t%3u:", w->ordinal[w->at]);
	for (size_t i = from; i < w->e->n; i++)
		printf(" %02x", w->e->bytes[i]);
	putchar('\n');
}

static bool decode(struct reading *w, const ZydisDecoder *d)
{
	if (ZYAN_SUCCESS(ZydisDecoderDecodeFull(d, w->host + w->at, w->f->hsize - w->at, &w->z, w->op)))
		return true;
	snprintf(w->e->unknown, sizeof(w->e->unknown), "bytes at offset %u that are no instruction", w->at);
	return false;
}

/* What the fault handler restores where. */
static void put_marks(struct reading *w)
{
	for (unsigned i = 0; i < w->f->nmark; i++) {
		const struct mark *k = &w->f->marks[i];

		put_target(w, k->host);
		put_number(w->e, AT_MARK, k->insn | (uint32_t)k->fix << 8 | (uint32_t)k->arg << 16);
	}
}

void emitted_add(struct emitted *e, const struct bt_vcpu *b, const struct ccf *f)
{
	static uint16_t ordinal[ROOM];
	struct reading w = { .e = e, .b = b, .f = f, .host = b->tc.rw + f->host, .ordinal = ordinal };
	ZydisDecoder d;
	uint16_t n = 0;

	if (f->hsize >= ROOM)
		abort();
	memset(ordinal, 0, sizeof(*ordinal) * (f->hsize + 1));
	ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (w.at = 0; w.at < f->hsize; w.at += w.z.length) {
		ordinal[w.at] = ++n;
		if (!decode(&w, &d))
			return;
	}
	ordinal[f->hsize] = ++n;
	for (w.at = 0; w.at < f->hsize; w.at += w.z.length) {
		size_t from = e->n;

		if (!decode(&w, &d))
			return;
		put_insn(&w);
		if (e->dump)
			dump(&w, from);
	}
	put_marks(&w);
}

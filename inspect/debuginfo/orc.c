/* SPDX-License-Identifier: GPL-3.0-or-later
 * See orc.h. The guest is not trusted: every address may be anything, and a step reads a bounded number of
 * words. */
#include "inspect/debuginfo/orc.h"

enum { ENTRY = 6 /* bytes */, MOST = 1 << 24 };

/* Registers in entries. */
enum {
	REG_UNDEFINED,
	REG_PREV_SP,
	REG_DX,
	REG_DI,
	REG_BP,
	REG_SP,
	REG_R10,
	REG_R13,
	REG_BP_INDIRECT,
	REG_SP_INDIRECT
};

/* What a frame is. */
enum frame_type { NONE, END, CALL, REGS, REGS_PARTIAL };

/* Layouts: up to Linux 6.2; 6.3; from 6.4 on. */
enum form { FORM_END, FORM_SIGNAL_END, FORM_TYPE };

struct entry {
	int16_t sp, bp; /* offsets */
	uint8_t sp_reg, bp_reg;
	enum frame_type type;
};

static bool read_word(const struct cfi_memory *mem, uint64_t at, uint64_t *val)
{
	return mem->read(mem->ctx, at, val, sizeof(*val));
}

/* ---- tables ---- */

static enum frame_type type_of(enum form form, uint16_t bits, uint8_t sp_reg)
{
	static const enum frame_type old[4] = { CALL, REGS, REGS_PARTIAL, NONE };
	static const enum frame_type now[8] = { NONE, END, CALL, REGS, REGS_PARTIAL, NONE, NONE, NONE };

	if (form == FORM_TYPE)
		return now[bits >> 8 & 7];
	if (bits >> (form == FORM_END ? 10 : 11) & 1)
		return END;
	return sp_reg == REG_UNDEFINED ? NONE : old[bits >> 8 & 3];
}

static bool read_entry(const struct orc *o, uint32_t n, const struct cfi_memory *mem, struct entry *e)
{
	uint16_t raw[3];

	if (!mem->read(mem->ctx, o->entries + (uint64_t)n * ENTRY, raw, sizeof(raw)))
		return false;
	*e = (struct entry){ .sp = (int16_t)raw[0],
			     .bp = (int16_t)raw[1],
			     .sp_reg = raw[2] & 15,
			     .bp_reg = raw[2] >> 4 & 15 };
	e->type = type_of((enum form)o->form, raw[2], e->sp_reg);
	return true;
}

static bool code_address(const struct orc *o, uint32_t n, const struct cfi_memory *mem, uint64_t *ip)
{
	uint64_t at = o->ips + 4ull * n;
	int32_t relative;

	if (!mem->read(mem->ctx, at, &relative, sizeof(relative)))
		return false;
	*ip = at + (uint64_t)(int64_t)relative;
	return true;
}

bool orc_open(struct orc *o, uint64_t ips, uint64_t ips_end, uint64_t entries, bool header,
	      const struct cfi_memory *mem)
{
	uint64_t count = (ips_end - ips) / 4;
	uint16_t raw[3];

	if (ips_end <= ips || count > MOST || !mem->read(mem->ctx, entries, raw, sizeof(raw)))
		return false;
	*o = (struct orc){ .ips = ips, .entries = entries, .count = (uint32_t)count };
	/* The first entry, of the kernel's first instruction, ends stacks. */
	o->form = header ? FORM_TYPE : raw[2] & 0x800 ? FORM_SIGNAL_END : FORM_END;
	return true;
}

struct orc orc_of_module(const struct orc *kernel, uint64_t ips, uint64_t entries, uint32_t count)
{
	return (struct orc){
		.ips = ips, .entries = entries, .count = count < MOST ? count : 0, .form = kernel->form
	};
}

/* The last entry whose code begins at PC or below. */
static bool find(const struct orc *o, uint64_t pc, const struct cfi_memory *mem, struct entry *e)
{
	uint32_t lo = 0, hi = o->count;
	uint64_t ip;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (!code_address(o, mid, mem, &ip))
			return false;
		if (ip <= pc)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && read_entry(o, lo - 1, mem, e);
}

/* ---- one step ---- */

/* The stack pointer of the caller, or the place of the registers that an interruption has stored. */
static bool frame_at(const struct cfi_regs *r, const struct entry *e, const struct cfi_memory *mem,
		     uint64_t *at)
{
	/* columns: DWARF's number, from 1 on; 0: none */
	static const uint8_t numbers[16] = {
		[REG_DX] = 1 + 1,   [REG_DI] = 1 + 5,	[REG_BP] = 1 + 6,	   [REG_SP] = 1 + 7,
		[REG_R10] = 1 + 10, [REG_R13] = 1 + 13, [REG_BP_INDIRECT] = 1 + 6, [REG_SP_INDIRECT] = 1 + 7,
	};
	unsigned n = numbers[e->sp_reg];
	uint64_t offset = (uint64_t)(int64_t)e->sp;

	if (!n || !(r->known >> (n - 1) & 1))
		return false;
	*at = r->val[n - 1];
	if (e->sp_reg == REG_SP_INDIRECT)
		return read_word(mem, *at, at) && (*at += offset, true);
	*at += offset;
	return e->sp_reg != REG_BP_INDIRECT || read_word(mem, *at, at);
}

static void know(struct cfi_regs *r, unsigned n, uint64_t val)
{
	r->val[n] = val;
	r->known |= 1u << n;
}

/* The caller's frame pointer, as far as it is known. */
static void frame_pointer(struct cfi_regs *caller, const struct cfi_regs *r, const struct entry *e,
			  uint64_t cfa, const struct cfi_memory *mem)
{
	unsigned bp = r->arch->bp;
	bool known = r->known >> bp & 1;
	uint64_t val = r->val[bp], offset = (uint64_t)(int64_t)e->bp;

	if (e->bp_reg == REG_PREV_SP)
		known = read_word(mem, cfa + offset, &val);
	else if (e->bp_reg == REG_BP)
		known = known && read_word(mem, val + offset, &val);
	if (known)
		know(caller, bp, val);
}

static bool step_call(struct cfi_regs *r, const struct entry *e, uint64_t cfa, const struct cfi_memory *mem)
{
	struct cfi_regs caller = { .arch = r->arch };
	uint64_t pc;

	if (!read_word(mem, cfa - 8, &pc))
		return false;
	know(&caller, r->arch->pc, pc);
	know(&caller, r->arch->sp, cfa);
	frame_pointer(&caller, r, e, cfa, mem);
	*r = caller;
	return true;
}

/* All registers, as the kernel's entry code stores them (struct pt_regs), or what the processor has pushed.
 */
static bool step_regs(struct cfi_regs *r, const struct entry *e, uint64_t at, const struct cfi_memory *mem)
{
	/* DWARF's numbers, in the order of memory */
	static const uint8_t order[15] = { 15, 14, 13, 12, 6, 3, 11, 10, 9, 8, 0, 2, 1, 4, 5 };
	uint64_t all[15], pushed[5]; /* rip, cs, rflags, rsp, ss */
	struct cfi_regs caller = { .arch = r->arch };
	bool full = e->type == REGS;

	if (full && !mem->read(mem->ctx, at, all, sizeof(all)))
		return false;
	if (!mem->read(mem->ctx, full ? at + sizeof(all) + 8 : at, pushed, sizeof(pushed)))
		return false;
	for (unsigned i = 0; full && i < ARRAY_LEN(all); i++)
		know(&caller, order[i], all[i]);
	if (!full)
		frame_pointer(&caller, r, e, at, mem);
	know(&caller, r->arch->pc, pushed[0]);
	know(&caller, r->arch->sp, pushed[3]);
	*r = caller;
	return true;
}

enum cfi_step orc_step(const struct orc *o, struct cfi_regs *r, bool exact, const struct cfi_memory *mem)
{
	struct entry e;
	uint64_t at;

	if (r->arch != &cfi_amd64 || !find(o, r->val[r->arch->pc] - !exact, mem, &e) || e.type == NONE)
		return CFI_NONE;
	if (e.type == END)
		return CFI_END;
	if (!frame_at(r, &e, mem, &at))
		return CFI_NONE;
	if (e.type == CALL)
		return step_call(r, &e, at, mem) ? CFI_STEP : CFI_NONE;
	return step_regs(r, &e, at, mem) ? CFI_TRAP : CFI_NONE;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 * The verifier's rules. A fragment may touch
 *   - the window: GS override with 32-bit addresses, so that nothing of the
 *     address can leave 4 GiB;
 *   - its virtual processor: [r15+disp], no index, inside the struct, written only in
 *     the parts that are for it; or [scratch] after "lea scratch,[r15+disp]";
 *   - the jump table: a load from [r12+scratch*4], the scratch register shifted so
 *     that it cannot leave the table;
 *   - the shadow entries: a load from [scratch+page*4], the pointer loaded from its
 *     field of the virtual processor, the page a 32-bit value shifted right by 12;
 *   - the page that is never there, with a constant in r9: a load through its field
 *     of the virtual processor, by which the monitor is called;
 *   - the window that a quarter of the address space is in: base loaded from the
 *     virtual processor by the address' upper two bits, added to a 32-bit scratch
 *     register, then one access through that: guard space is behind each window;
 *   - the translation cache: a load relative to RIP;
 *   - the window by string instructions, whose destination takes no override:
 *     between "lea rsi|rdi,[same+r13]" (or + a quarter's base) and the next 32-bit
 *     write of it (guard space on both sides of a window stops a REP that runs out);
 *   - a stack inside the virtual processor's struct: from "lea rsp,[r15+disp]"
 *     to "mov rsp, scratch" only pushes and pops, which stay in the struct.
 * A guest register may be exchanged with a scratch register around one instruction
 * ("xchg rdi,r8; add [rdi],ah; xchg rdi,r8"), which takes over what [scratch] may do.
 * It may go to its own instructions, to targets its owner vouches for, through
 * a scratch register that holds an entry of the jump table, or through a pointer
 * in the virtual processor (with a constant in r9, which the monitor follows).
 * r12-r15 are never written. RSP is a guest register, so
 * nothing else may use the stack. What Capstone does not know is not allowed.
 *
 * What holds only after certain instructions (a host address in rsi or rdi, such
 * a stack, an exchanged register) must be gone at every branch, and no branch may
 * lead into the middle of it. What is known of a scratch register (struct fact) is
 * followed in order; where a rule relies on it, no branch may lead to between the
 * instruction that the knowledge starts with and the one that needs it.
 *
 * Operands are judged by what they are, not by Capstone's access flags, which
 * have holes: a fixed register may only appear where the instructions listed
 * here read it. */
#include "bt/verify.h"

#include <capstone/capstone.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct verifier {
	csh cs;
	cs_insn *insn;
	uint8_t *starts; /* one bit for each byte of the fragment: an instruction begins here */
	size_t room;
};

enum { HOST_RSI = 1, HOST_RDI = 2 };

/* What is known of a scratch register. */
enum fact_kind {
	F_NONE,
	F_CONST,  /* a constant: VALUE */
	F_BELOW,  /* less than 2 to the power of VALUE */
	F_VCPU,   /* r15 + VALUE */
	F_FIELD,  /* what the monitor keeps in the virtual processor at VALUE */
	F_BASE,   /* base of a window, by quarter */
	F_HOST,   /* such a base plus 32 bits */
	F_ENTRY,  /* loaded from the jump table */
	F_TARGET, /* ... and added to the base of the cache */
};
struct fact {
	enum fact_kind kind;
	int64_t value;
	size_t from; /* offset of the instruction it starts with */
};

/* One check under way. */
struct check {
	const struct verify_env *env;
	const cs_insn *in;
	const cs_x86 *x;
	uint64_t host, end;
	unsigned pointers; /* HOST_*: which of rsi and rdi hold host addresses */
	bool own_stack;    /* rsp is in the virtual processor, at: */
	int64_t rsp;
	struct fact fact[4]; /* of r8 to r11 */
	unsigned swapped, swapped_with, swap_age; /* exchanged: guest and scratch register, instructions ago */
	struct fact swap_fact; /* of the guest register meanwhile */
	bool stops;        /* the instruction does not go on to the next one */
};

/* ---- facts about instructions ---- */

/* Never in a fragment, whatever the operands. */
static const uint16_t forbidden[] = {
	/* implicit stack (on a stack of our own: check_stack) */
	X86_INS_PUSH, X86_INS_POP, X86_INS_PUSHF, X86_INS_PUSHFD, X86_INS_PUSHFQ, X86_INS_POPF, X86_INS_POPFD,
	X86_INS_POPFQ, X86_INS_PUSHAL, X86_INS_PUSHAW, X86_INS_POPAL, X86_INS_POPAW, X86_INS_ENTER, X86_INS_LEAVE,
	X86_INS_CALL, X86_INS_RET,
	/* far transfers, interrupts, system calls */
	X86_INS_LCALL, X86_INS_LJMP, X86_INS_RETF, X86_INS_RETFQ, X86_INS_INT, X86_INS_INT1, X86_INS_INT3,
	X86_INS_INTO, X86_INS_IRET, X86_INS_IRETD, X86_INS_IRETQ, X86_INS_SYSCALL, X86_INS_SYSENTER,
	X86_INS_SYSEXIT, X86_INS_SYSRET, X86_INS_XBEGIN, X86_INS_XEND, X86_INS_XABORT, X86_INS_XTEST,
	/* segments and bases */
	X86_INS_LDS, X86_INS_LES, X86_INS_LFS, X86_INS_LGS, X86_INS_LSS, X86_INS_WRFSBASE, X86_INS_WRGSBASE,
	X86_INS_RDFSBASE, X86_INS_RDGSBASE, X86_INS_SWAPGS, X86_INS_ARPL, X86_INS_LAR, X86_INS_LSL, X86_INS_VERR,
	X86_INS_VERW,
	/* system state, and what would show the host's */
	X86_INS_IN, X86_INS_OUT, X86_INS_INSB, X86_INS_INSD, X86_INS_INSW, X86_INS_OUTSB, X86_INS_OUTSD,
	X86_INS_OUTSW, X86_INS_HLT, X86_INS_CLI, X86_INS_STI, X86_INS_CLTS, X86_INS_LGDT, X86_INS_LIDT,
	X86_INS_LLDT, X86_INS_LTR, X86_INS_LMSW, X86_INS_SGDT, X86_INS_SIDT, X86_INS_SLDT, X86_INS_STR,
	X86_INS_SMSW, X86_INS_INVD, X86_INS_WBINVD, X86_INS_INVLPG, X86_INS_INVLPGA, X86_INS_INVPCID,
	X86_INS_RDMSR, X86_INS_WRMSR, X86_INS_RDPMC, X86_INS_CPUID, X86_INS_XSETBV, X86_INS_XGETBV,
	X86_INS_MONITOR, X86_INS_MWAIT, X86_INS_CLAC, X86_INS_STAC, X86_INS_RSM, X86_INS_GETSEC, X86_INS_SKINIT,
	X86_INS_STGI, X86_INS_CLGI, X86_INS_VMCALL, X86_INS_VMMCALL, X86_INS_VMLAUNCH, X86_INS_VMRESUME,
	X86_INS_VMXOFF, X86_INS_VMXON, X86_INS_VMCLEAR, X86_INS_VMPTRLD, X86_INS_VMPTRST, X86_INS_VMREAD,
	X86_INS_VMWRITE, X86_INS_VMRUN, X86_INS_VMLOAD, X86_INS_VMSAVE, X86_INS_VMFUNC, X86_INS_INVEPT,
	X86_INS_INVVPID, X86_INS_XSAVES, X86_INS_XSAVES64, X86_INS_XRSTORS, X86_INS_XRSTORS64,
	X86_INS_XSAVE64, X86_INS_XRSTOR64, X86_INS_XSAVEOPT64, X86_INS_XSAVEC64, X86_INS_MONTMUL, X86_INS_XSTORE,
	X86_INS_XCRYPTCBC, X86_INS_XCRYPTCFB, X86_INS_XCRYPTCTR, X86_INS_XCRYPTECB, X86_INS_XCRYPTOFB,
	X86_INS_XSHA1, X86_INS_XSHA256,
};

/* Memory through a register that is not written as an operand: which way. */
enum implicit { IMP_SRC = 1, IMP_DST = 2, IMP_WINDOW = 4 /* takes the override: window form only */ };
static const struct { uint16_t id; uint8_t how; } implicit[] = {
	{ X86_INS_MOVSB, IMP_SRC | IMP_DST }, { X86_INS_MOVSW, IMP_SRC | IMP_DST },
	{ X86_INS_MOVSQ, IMP_SRC | IMP_DST }, { X86_INS_CMPSB, IMP_SRC | IMP_DST },
	{ X86_INS_CMPSW, IMP_SRC | IMP_DST }, { X86_INS_CMPSQ, IMP_SRC | IMP_DST },
	{ X86_INS_STOSB, IMP_DST }, { X86_INS_STOSW, IMP_DST }, { X86_INS_STOSD, IMP_DST },
	{ X86_INS_STOSQ, IMP_DST }, { X86_INS_SCASB, IMP_DST }, { X86_INS_SCASW, IMP_DST },
	{ X86_INS_SCASD, IMP_DST }, { X86_INS_SCASQ, IMP_DST }, { X86_INS_LODSB, IMP_SRC },
	{ X86_INS_LODSW, IMP_SRC }, { X86_INS_LODSD, IMP_SRC }, { X86_INS_LODSQ, IMP_SRC },
	{ X86_INS_XLATB, IMP_WINDOW }, { X86_INS_MASKMOVQ, IMP_WINDOW }, { X86_INS_MASKMOVDQU, IMP_WINDOW },
	{ X86_INS_VMASKMOVDQU, IMP_WINDOW },
};

/* These read their second register operand and leave it alone. */
static const uint16_t reads_second[] = {
	X86_INS_MOV, X86_INS_ADD, X86_INS_SUB, X86_INS_CMP, X86_INS_AND, X86_INS_OR, X86_INS_XOR, X86_INS_TEST,
};
static const uint16_t reads_first[] = { X86_INS_CMP, X86_INS_TEST };

static bool listed(const uint16_t *ids, unsigned n, unsigned id)
{
	for (unsigned i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return false;
}
#define LISTED(list, id) listed(list, ARRAY_LEN(list), id)

static bool is_branch(const struct check *c)
{
	for (unsigned i = 0; i < c->in->detail->groups_count; i++)
		if (c->in->detail->groups[i] == X86_GRP_JUMP)
			return true;
	return c->in->id == X86_INS_JRCXZ || c->in->id == X86_INS_JECXZ || c->in->id == X86_INS_LOOP ||
	       c->in->id == X86_INS_LOOPE || c->in->id == X86_INS_LOOPNE;
}

/* ---- registers ---- */

static unsigned fixed_reg(unsigned r) /* 12..15, or 0 */
{
	static const uint16_t first[] = { X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B };

	for (unsigned i = 0; i < ARRAY_LEN(first); i++)
		if (r >= first[i] && r < first[i] + 4u)
			return 12 + r - first[i];
	return 0;
}

static bool scratch64(unsigned r) { return r >= X86_REG_R8 && r <= X86_REG_R11; }

static unsigned scratch_number(unsigned r) /* 8..11 in any size, or 0 */
{
	static const uint16_t first[] = { X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B };

	for (unsigned i = 0; i < ARRAY_LEN(first); i++)
		if (r >= first[i] && r < first[i] + 4u)
			return 8 + r - first[i];
	return 0;
}

static bool is_segment(unsigned r)
{
	return r == X86_REG_CS || r == X86_REG_DS || r == X86_REG_ES || r == X86_REG_FS || r == X86_REG_GS ||
	       r == X86_REG_SS;
}

static bool is_system(unsigned r)
{
	return (r >= X86_REG_CR0 && r <= X86_REG_CR15) || (r >= X86_REG_DR0 && r <= X86_REG_DR15);
}

static const char *check_reg(const struct check *c, unsigned i, unsigned r)
{
	if (is_segment(r))
		return "segment register as an operand";
	if (is_system(r))
		return "control or debug register as an operand";
	if (!fixed_reg(r))
		return NULL;
	if (i == 0 && LISTED(reads_first, c->in->id))
		return NULL;
	if (i == 1 && c->x->op_count == 2 && LISTED(reads_second, c->in->id))
		return NULL;
	return "r12-r15 may be written";
}

/* ---- memory ---- */

static bool a32(const struct check *c) { return c->x->addr_size == 4; }

static const char *check_window(const struct check *c, const x86_op_mem *m)
{
	if (!a32(c))
		return "GS access without 32-bit address size";
	if (m->base == X86_REG_RIP || m->base == X86_REG_EIP)
		return "window access relative to RIP";
	if (fixed_reg(m->base) || fixed_reg(m->index))
		return "window access through r12-r15";
	return NULL;
}

static bool is_load(const struct check *c, unsigned i)
{
	return i > 0 && (c->in->id == X86_INS_MOV || c->in->id == X86_INS_MOVSXD || c->in->id == X86_INS_MOVZX ||
			 c->in->id == X86_INS_ADD);
}

/* Is it certain that operand I is only read? */
static bool only_read(const struct check *c, unsigned i)
{
	return is_load(c, i) || c->in->id == X86_INS_CMP || c->in->id == X86_INS_TEST || c->in->id == X86_INS_JMP;
}

/* May code write [AT, AT+SIZE) of the virtual processor? */
static bool writable(const struct verify_env *env, int64_t at, unsigned size)
{
	for (unsigned i = 0; i < env->nwritable; i++)
		if (at >= env->writable[i].off && at + size <= (int64_t)env->writable[i].off + env->writable[i].size)
			return true;
	return false;
}

/* Bytes accessed, where Capstone's operand size is not that. */
static const struct { uint16_t id, size; } sizes[] = {
	{ X86_INS_FXSAVE, 512 }, { X86_INS_FXRSTOR, 512 }, { X86_INS_FNSAVE, 108 }, { X86_INS_FRSTOR, 108 },
	{ X86_INS_XSAVE, 4096 }, { X86_INS_XSAVEC, 4096 }, { X86_INS_XSAVEOPT, 4096 }, { X86_INS_XRSTOR, 4096 },
};

static const char *check_inside_vcpu(const struct check *c, int64_t at, unsigned size, unsigned i)
{
	for (unsigned k = 0; k < ARRAY_LEN(sizes); k++)
		if (sizes[k].id == c->in->id)
			size = sizes[k].size;
	if (at < 0 || (uint64_t)at + size > c->env->vcpu_size)
		return "access beyond the virtual processor";
	if (only_read(c, i) || writable(c->env, at, size))
		return NULL;
	return "store to the monitor's part of the virtual processor";
}

/* The fact about register R (64-bit); nothing is known of a guest register unless
 * it is exchanged. */
static const struct fact *fact_of(const struct check *c, unsigned r)
{
	static const struct fact nothing;

	if (c->swap_age && r == c->swapped)
		return &c->swap_fact;
	return scratch64(r) ? &c->fact[r - X86_REG_R8] : &nothing;
}

/* A rule needs F here: no branch to between. */
static void rely(const struct check *c, const struct fact *f)
{
	uint8_t *starts = c->env->v->starts;

	for (size_t o = f->from + 1; o <= c->in->address - c->host; o++)
		starts[o / 8] &= (uint8_t)~(1 << o % 8);
}

/* Is register R known to be less than 2 to the power of BITS? */
static bool below(const struct check *c, unsigned r, unsigned bits)
{
	const struct fact *f = fact_of(c, r);

	if (f->kind != F_BELOW || f->value > bits)
		return false;
	rely(c, f);
	return true;
}

/* [r15 + quarter*8 + Q]: a window, or its shadow */
static bool is_quarter(const struct check *c, const x86_op_mem *m)
{
	return (m->disp == c->env->quarter || m->disp == c->env->shadow_quarter) && m->scale == 8 &&
	       below(c, m->index, 2);
}

static const char *check_vcpu(const struct check *c, const x86_op_mem *m, unsigned size, unsigned i)
{
	bool indexed = m->index != X86_REG_INVALID;

	if (indexed && is_quarter(c, m) && is_load(c, i) && size == 8)
		return NULL;
	if (indexed)
		return "indexed access to the virtual processor";
	return check_inside_vcpu(c, m->disp, size, i);
}

static const char *check_table(const struct check *c, const x86_op_mem *m, unsigned i)
{
	if (m->index != X86_REG_INVALID && (!scratch64(m->index) || m->scale != 4))
		return "jump table access with another index";
	if (m->disp)
		return "jump table access with a displacement";
	if (!only_read(c, i))
		return "jump table access is not a load";
	if (m->index == X86_REG_INVALID || below(c, m->index, c->env->table_bits))
		return NULL;
	return "jump table index may be too large";
}

static const char *check_rip(const struct check *c, const x86_op_mem *m, unsigned size, unsigned i)
{
	uint64_t at = c->in->address + c->in->size + (uint64_t)m->disp;

	if (at < c->env->tc_base || at + size > c->env->tc_base + c->env->tc_size)
		return "RIP-relative access outside the translation cache";
	return is_load(c, i) || c->in->id == X86_INS_JMP ? NULL : "RIP-relative access is not a load";
}

/* [shadow + page*4] */
static const char *check_shadow(const struct check *c, const x86_op_mem *m, unsigned size, unsigned i)
{
	if (m->disp || m->scale != 4 || size != 4 || !is_load(c, i))
		return "shadow entry accessed in another way";
	return below(c, m->index, 20) ? NULL : "shadow index may be too large";
}

static bool is_trap_page(const struct check *c, const x86_op_mem *m)
{
	const struct fact *f = fact_of(c, m->base);

	return f->kind == F_FIELD && f->value == c->env->trap && m->segment == X86_REG_INVALID;
}

/* [page that is never there]: the fault handler calls the monitor with the record in r9. */
static const char *check_trap(const struct check *c, const x86_op_mem *m, unsigned size, unsigned i)
{
	const struct fact *record = fact_of(c, X86_REG_R9);

	if (m->disp || m->index != X86_REG_INVALID || size != 4 || !is_load(c, i))
		return "trap page accessed in another way";
	if (c->pointers)
		return "trap with a host address in rsi or rdi";
	if (record->kind != F_CONST)
		return "trap without a record in r9";
	rely(c, record);
	return NULL;
}

/* [register + disp] by what is known of the register. */
static const char *check_known(const struct check *c, const x86_op_mem *m, unsigned size, unsigned i)
{
	const struct fact *f = fact_of(c, m->base);

	if (f->kind == F_NONE)
		return "memory operand in no allowed form";
	rely(c, f);
	if (f->kind == F_FIELD && f->value == c->env->shadow)
		return check_shadow(c, m, size, i);
	if (is_trap_page(c, m))
		return check_trap(c, m, size, i);
	if (m->index != X86_REG_INVALID)
		return "memory operand in no allowed form";
	if (f->kind == F_VCPU)
		return check_inside_vcpu(c, f->value + m->disp, size, i);
	return f->kind == F_HOST && !m->disp ? NULL : "memory operand in no allowed form";
}

/* BT and its like reach as far as the register says. */
static bool is_bit_string(const struct check *c)
{
	unsigned id = c->in->id;

	return (id == X86_INS_BT || id == X86_INS_BTS || id == X86_INS_BTR || id == X86_INS_BTC) &&
	       c->x->operands[1].type == X86_OP_REG;
}

static const char *check_mem(const struct check *c, const cs_x86_op *op, unsigned i)
{
	const x86_op_mem *m = &op->mem;

	if (m->segment == X86_REG_GS)
		return check_window(c, m);
	if (is_bit_string(c))
		return "bit string outside the window";
	if (m->segment == X86_REG_FS)
		return "FS override";
	if (a32(c))
		return "32-bit address without GS";
	switch (m->base) {
	case X86_REG_R15: return check_vcpu(c, m, op->size, i);
	case X86_REG_R12: return check_table(c, m, i);
	case X86_REG_RIP: return check_rip(c, m, op->size, i);
	default: return check_known(c, m, op->size, i);
	}
}

/* ---- string instructions ---- */

static unsigned implicit_memory(const struct check *c)
{
	unsigned id = c->in->id;

	/* movsd and cmpsd are SSE instructions too; the string ones have no such operand */
	if (id == X86_INS_MOVSD || id == X86_INS_CMPSD)
		return c->x->opcode[0] == 0xa5 || c->x->opcode[0] == 0xa7 ? IMP_SRC | IMP_DST : 0;
	for (unsigned i = 0; i < ARRAY_LEN(implicit); i++)
		if (implicit[i].id == id)
			return implicit[i].how;
	return 0;
}

static bool has_gs(const struct check *c) { return c->x->prefix[1] == X86_PREFIX_GS; }

static const char *check_implicit(const struct check *c, unsigned how)
{
	if (has_gs(c) && a32(c) && !(how & IMP_DST)) /* all of it takes the override */
		return NULL;
	if (how & IMP_WINDOW)
		return "implicit memory operand outside the window";
	if (!c->env->strings)
		return "string instruction";
	if (a32(c) || c->x->prefix[1])
		return "string instruction with a prefix that misleads it";
	if ((how & IMP_SRC) && !(c->pointers & HOST_RSI))
		return "string source is not a window pointer";
	if ((how & IMP_DST) && !(c->pointers & HOST_RDI))
		return "string destination is not a window pointer";
	return NULL;
}

static bool is_window_base(const struct check *c, unsigned r)
{
	if (r == X86_REG_R13)
		return true;
	if (fact_of(c, r)->kind != F_BASE)
		return false;
	rely(c, fact_of(c, r));
	return true;
}

/* "lea rsi,[rsi+r13]" (or a quarter's base): 1 for rsi, 2 for rdi, 0 for anything else. */
static unsigned makes_pointer(const struct check *c)
{
	const cs_x86_op *op = c->x->operands;
	unsigned r = c->x->op_count == 2 && op[0].type == X86_OP_REG ? op[0].reg : X86_REG_INVALID;
	bool self;

	if (c->in->id != X86_INS_LEA || (r != X86_REG_RSI && r != X86_REG_RDI) || a32(c))
		return 0;
	self = (op[1].mem.base == r && is_window_base(c, op[1].mem.index)) ||
	       (op[1].mem.index == r && is_window_base(c, op[1].mem.base));
	if (!self || op[1].mem.scale != 1 || op[1].mem.disp)
		return 0;
	return r == X86_REG_RSI ? HOST_RSI : HOST_RDI;
}

/* Follow what the instruction does to rsi and rdi. Only two things are allowed
 * while one is a host address: string instructions, and getting back. */
static const char *track_pointers(struct check *c)
{
	unsigned made = makes_pointer(c);
	unsigned r;

	if (made) {
		if (!c->env->strings || (c->pointers & made))
			return "host pointer made in a register that has one";
		c->pointers |= made;
		return NULL;
	}
	for (unsigned i = 0; i < c->x->op_count; i++)
		if (c->x->operands[i].type == X86_OP_REG && !(i == 1 && LISTED(reads_second, c->in->id)) &&
		    (c->x->operands[i].reg == X86_REG_RSI || c->x->operands[i].reg == X86_REG_RDI))
			return "64-bit write of rsi or rdi";
	r = c->x->op_count && c->x->operands[0].type == X86_OP_REG ? c->x->operands[0].reg : X86_REG_INVALID;
	if (c->in->id != X86_INS_MOV && c->in->id != X86_INS_LEA && c->in->id != X86_INS_SUB)
		return NULL;
	if (r == X86_REG_ESI)
		c->pointers &= ~(unsigned)HOST_RSI;
	if (r == X86_REG_EDI)
		c->pointers &= ~(unsigned)HOST_RDI;
	return NULL;
}

static bool is_lea_rsp(const struct check *c)
{
	const cs_x86_op *op = c->x->operands;

	return c->in->id == X86_INS_LEA && op[0].reg == X86_REG_RSP && op[1].mem.base == X86_REG_R15 &&
	       op[1].mem.index == X86_REG_INVALID && !a32(c);
}

/* ---- a guest register exchanged for one instruction ---- */

static bool is_exchange(const struct check *c, unsigned *guest, unsigned *scratch)
{
	const cs_x86_op *op = c->x->operands;
	unsigned a, b;

	if (c->in->id != X86_INS_XCHG || op[0].type != X86_OP_REG || op[1].type != X86_OP_REG || op[0].size != 8)
		return false;
	a = op[0].reg;
	b = op[1].reg;
	*guest = scratch64(a) ? b : a;
	*scratch = scratch64(a) ? a : b;
	return scratch64(*scratch) && !scratch64(*guest) && !fixed_reg(*guest) && *guest != X86_REG_RSP &&
	       !c->pointers;
}

static void start_exchange(struct check *c, unsigned guest, unsigned scratch)
{
	c->swap_fact = *fact_of(c, scratch);
	c->swapped = guest;
	c->swapped_with = scratch;
	c->swap_age = 1;
}

/* The instruction in between: leaves the scratch register, which holds the
 * guest's, alone and goes on. */
static const char *check_between(struct check *c)
{
	unsigned how = implicit_memory(c);

	c->swap_age = 2;
	if (is_branch(c) || (how & ~(unsigned)IMP_WINDOW) || is_lea_rsp(c) || makes_pointer(c))
		return "not between an exchange and its end";
	for (unsigned i = 0; i < c->x->op_count; i++) {
		const cs_x86_op *op = &c->x->operands[i];

		if (op->type == X86_OP_REG && scratch_number(op->reg) == scratch_number(c->swapped_with))
			return "exchanged register used before it is back";
	}
	return NULL;
}

static const char *check_exchange_end(struct check *c)
{
	unsigned guest, scratch;

	if (!is_exchange(c, &guest, &scratch) || guest != c->swapped || scratch != c->swapped_with)
		return "exchanged register is not given back";
	c->swapped = c->swapped_with = c->swap_age = 0;
	return NULL;
}

/* ---- a stack in the virtual processor ---- */

/* How far the instruction moves rsp; 0 when it is none that may. */
static int stack_step(const struct check *c)
{
	const cs_x86_op *op = c->x->operands;

	switch (c->in->id) {
	case X86_INS_PUSHFQ: return -8;
	case X86_INS_POPFQ: return 8;
	case X86_INS_PUSH: return op->type == X86_OP_REG && scratch64(op->reg) ? -8 : 0;
	case X86_INS_POP: return op->type == X86_OP_REG && scratch64(op->reg) ? 8 : 0;
	default: return 0;
	}
}

/* While rsp is ours. */
static const char *check_stack(struct check *c)
{
	const cs_x86_op *op = c->x->operands;
	int step = stack_step(c);

	if (c->in->id == X86_INS_MOV && op[0].type == X86_OP_REG && op[1].type == X86_OP_REG &&
	    op[0].reg == X86_REG_RSP && scratch64(op[1].reg)) {
		c->own_stack = false;
		return NULL;
	}
	if (!step)
		return "neither a push nor a pop while rsp is in the virtual processor";
	c->rsp += step;
	if (c->rsp < 0 || c->rsp > c->env->vcpu_size)
		return "stack runs out of the virtual processor";
	if (step > 0 || writable(c->env, c->rsp, 8))
		return NULL;
	return "push to the monitor's part of the virtual processor";
}

static const char *take_stack(struct check *c)
{
	c->own_stack = true;
	c->rsp = c->x->operands[1].mem.disp;
	return c->rsp >= 0 && c->rsp <= c->env->vcpu_size ? NULL : "stack outside the virtual processor";
}

/* ---- control flow ---- */

/* Through a scratch register: an entry of the jump table. */
static const char *check_register_jump(const struct check *c, unsigned r)
{
	if (!scratch64(r))
		return "indirect jump through a guest register";
	if (fact_of(c, r)->kind != F_TARGET)
		return "indirect jump to what is not from the jump table";
	rely(c, fact_of(c, r));
	return NULL;
}

/* Through the virtual processor: the way out, or a call whose record is in r9. */
static const char *check_monitor_jump(const struct check *c, const cs_x86_op *op)
{
	const struct fact *f = fact_of(c, X86_REG_R9);

	if (op->mem.segment != X86_REG_INVALID || op->mem.base != X86_REG_R15 ||
	    op->mem.index != X86_REG_INVALID || a32(c))
		return "indirect jump through memory";
	if (op->mem.disp == c->env->exit)
		return NULL;
	if (op->mem.disp != c->env->call[0] && op->mem.disp != c->env->call[1])
		return "indirect jump through another field of the virtual processor";
	if (f->kind != F_CONST && !(f->kind == F_FIELD && f->value == c->env->record))
		return "call of the monitor without a record in r9";
	rely(c, f);
	return NULL;
}

static const char *check_branch(struct check *c)
{
	const cs_x86_op *op = &c->x->operands[0];
	uint64_t to = (uint64_t)op->imm;

	if (c->in->id == X86_INS_JMP)
		c->stops = true;
	if (c->pointers)
		return "branch with a host address in rsi or rdi";
	switch (op->type) {
	case X86_OP_IMM:
		if (to >= c->host && to < c->end)
			return NULL; /* on an instruction: looked at in the end */
		return c->env->ok_target(c->env->ctx, to) ? NULL : "branch to an unknown target";
	case X86_OP_REG: return check_register_jump(c, op->reg);
	case X86_OP_MEM: return check_monitor_jump(c, op);
	default: return "branch without a target";
	}
}

/* ---- what is known of scratch registers ---- */

static unsigned scratch32(unsigned r) /* the 64-bit name, or X86_REG_INVALID */
{
	return r >= X86_REG_R8D && r <= X86_REG_R11D ? r - X86_REG_R8D + X86_REG_R8 : X86_REG_INVALID;
}

static unsigned full_register(unsigned r)
{
	return scratch32(r) != X86_REG_INVALID ? scratch32(r) : r;
}

/* SHRX by a constant leaves that many bits fewer. */
static struct fact after_shift(const struct check *c, size_t here)
{
	const struct fact *count = fact_of(c, full_register(c->x->operands[2].reg));

	if (count->kind != F_CONST)
		return (struct fact){ F_BELOW, 32, here };
	return (struct fact){ F_BELOW, 32 - (count->value & 31), count->from };
}

/* A 32-bit write: the upper half is zero. */
static struct fact fact_32(const struct check *c, size_t here)
{
	const cs_x86_op *src = &c->x->operands[1];

	switch (c->in->id) {
	case X86_INS_MOV:
		if (src->type == X86_OP_IMM)
			return (struct fact){ F_CONST, src->imm & 0xffffffff, here };
		if (src->type == X86_OP_MEM && src->mem.base == X86_REG_R12)
			return (struct fact){ F_ENTRY, 0, here };
		return (struct fact){ F_BELOW, 32, here };
	case X86_INS_SHRX: return after_shift(c, here);
	case X86_INS_LEA: case X86_INS_MOVZX: case X86_INS_SHLX: case X86_INS_RORX: case X86_INS_PEXT:
	case X86_INS_PDEP: return (struct fact){ F_BELOW, 32, here };
	default: return (struct fact){ 0 };
	}
}

static struct fact fact_load(const struct check *c, const x86_op_mem *m, size_t here)
{
	if (m->segment != X86_REG_INVALID || m->base != X86_REG_R15)
		return (struct fact){ 0 };
	if (m->index != X86_REG_INVALID && m->disp == c->env->shadow_quarter)
		return (struct fact){ F_FIELD, c->env->shadow, fact_of(c, m->index)->from };
	if (m->index != X86_REG_INVALID) /* checked: a quarter */
		return (struct fact){ F_BASE, 0, fact_of(c, m->index)->from };
	if (writable(c->env, m->disp, 1))
		return (struct fact){ 0 };
	return (struct fact){ F_FIELD, m->disp, here };
}

static size_t earlier(const struct fact *a, const struct fact *b) { return a->from < b->from ? a->from : b->from; }

static struct fact fact_sum(const struct check *c, const x86_op_mem *m, size_t here)
{
	const struct fact *a = fact_of(c, m->base), *b = fact_of(c, m->index);

	if (m->base == X86_REG_R15 && m->index == X86_REG_INVALID)
		return (struct fact){ F_VCPU, m->disp, here };
	if (m->disp || m->scale != 1)
		return (struct fact){ 0 };
	if (a->kind == F_ENTRY && m->index == X86_REG_R14)
		return (struct fact){ F_TARGET, 0, a->from };
	if (a->kind == F_BELOW && b->kind == F_BASE)
		return (struct fact){ F_HOST, 0, earlier(a, b) };
	return (struct fact){ 0 };
}

static struct fact fact_64(const struct check *c, size_t here)
{
	const cs_x86_op *src = &c->x->operands[1];

	if ((c->in->id == X86_INS_MOV || c->in->id == X86_INS_MOVABS) && src->type == X86_OP_IMM)
		return (struct fact){ F_CONST, src->imm, here };
	if (c->in->id == X86_INS_MOV && src->type == X86_OP_MEM)
		return fact_load(c, &src->mem, here);
	if (c->in->id == X86_INS_LEA && !a32(c))
		return fact_sum(c, &src->mem, here);
	return (struct fact){ 0 };
}

/* Does the instruction only read its register operands but the first? */
static bool writes_first_only(const struct check *c)
{
	switch (c->in->id) {
	case X86_INS_MOV: case X86_INS_MOVABS: case X86_INS_MOVZX: case X86_INS_LEA: case X86_INS_SHRX:
	case X86_INS_SHLX: case X86_INS_RORX: case X86_INS_PEXT: case X86_INS_PDEP: return true;
	default: return false;
	}
}

static void track_facts(struct check *c)
{
	size_t here = c->in->address - c->host;
	bool first_only = writes_first_only(c);
	struct fact f = { 0 };
	unsigned d;

	if (c->stops) { /* what follows is reached from elsewhere */
		memset(c->fact, 0, sizeof(c->fact));
		return;
	}
	d = c->x->op_count && c->x->operands[0].type == X86_OP_REG ? c->x->operands[0].reg : X86_REG_INVALID;
	if (first_only && scratch32(d) != X86_REG_INVALID)
		f = fact_32(c, here);
	else if (first_only && scratch64(d))
		f = fact_64(c, here);
	for (unsigned i = 0; i < (first_only ? 1u : c->x->op_count); i++) {
		unsigned n = c->x->operands[i].type == X86_OP_REG ? scratch_number(c->x->operands[i].reg) : 0;

		if (n)
			c->fact[n - 8] = (struct fact){ 0 };
	}
	if (f.kind)
		c->fact[scratch_number(d) - 8] = f;
}

/* ---- one instruction ---- */

static const char *check_operands(const struct check *c)
{
	bool address_only = c->in->id == X86_INS_LEA || c->in->id == X86_INS_NOP;

	for (unsigned i = 0; i < c->x->op_count; i++) {
		const cs_x86_op *op = &c->x->operands[i];
		const char *why = NULL;

		if (op->type == X86_OP_REG)
			why = check_reg(c, i, op->reg);
		else if (op->type == X86_OP_MEM && !address_only)
			why = check_mem(c, op, i);
		if (why)
			return why;
	}
	return NULL;
}

/* "lea r11,[rip+disp]": where the monitor comes back to. */
static bool is_return_address(const struct check *c)
{
	return c->in->id == X86_INS_LEA && c->x->operands[1].mem.base == X86_REG_RIP;
}

static uint64_t return_address(const struct check *c)
{
	return c->in->address + c->in->size + (uint64_t)c->x->operands[1].mem.disp;
}

static bool leads_inside(const struct check *c)
{
	return return_address(c) >= c->host && return_address(c) <= c->end; /* end: it does not come back */
}

/* A load that never happens: the monitor goes on where it likes. */
static bool traps(const struct check *c)
{
	return c->in->id == X86_INS_MOV && c->x->operands[1].type == X86_OP_MEM &&
	       is_trap_page(c, &c->x->operands[1].mem);
}

static const char *check_insn(struct check *c)
{
	unsigned how, guest, scratch;
	const char *why;

	c->stops = c->in->id == X86_INS_UD2 || traps(c);
	if (c->swap_age == 2)
		return check_exchange_end(c);
	if (c->swap_age == 1 && (why = check_between(c)))
		return why;
	if (c->own_stack)
		return check_stack(c);
	if (is_lea_rsp(c))
		return take_stack(c);
	if (LISTED(forbidden, c->in->id))
		return "instruction that a fragment must not contain";
	for (unsigned i = 0; i < c->in->detail->groups_count; i++)
		if (c->in->detail->groups[i] == X86_GRP_PRIVILEGE || c->in->detail->groups[i] == X86_GRP_VM)
			return "privileged instruction";
	if (is_branch(c))
		return check_branch(c);
	how = implicit_memory(c);
	if (how)
		return check_implicit(c, how);
	if (!c->swapped && is_exchange(c, &guest, &scratch)) {
		start_exchange(c, guest, scratch);
		return NULL;
	}
	if (is_return_address(c) && !leads_inside(c))
		return "return address outside the fragment";
	why = check_operands(c);
	return why ? why : track_pointers(c);
}

/* ---- decoding ---- */

/* What Capstone 4 lacks, and an instruction with the same operands that it has:
 * VEX map, L and pp (the byte behind it, masked), opcode, the twin's opcode. */
static const struct { uint8_t map, lpp, op, twin; } gaps[] = {
	{ 2, 5, 0x5a, 0x1a }, /* VBROADCASTI128 ymm, m128: VBROADCASTF128 */
};

/* Where the three-byte VEX prefix of a gap starts in CODE; -1: none there. */
static int find_gap(const uint8_t *code, size_t len, uint8_t *twin)
{
	size_t i = 0;

	while (i < len && (code[i] == X86_PREFIX_GS || code[i] == X86_PREFIX_ADDRSIZE))
		i++;
	if (i + 4 > len || code[i] != 0xc4)
		return -1;
	for (unsigned g = 0; g < ARRAY_LEN(gaps); g++)
		if ((code[i + 1] & 31) == gaps[g].map && (code[i + 2] & 7) == gaps[g].lpp &&
		    code[i + 3] == gaps[g].op) {
			*twin = gaps[g].twin;
			return (int)i;
		}
	return -1;
}

static bool decode(struct verifier *v, const uint8_t **code, size_t *len, uint64_t *at)
{
	uint8_t copy[16], twin;
	const uint8_t *p = copy;
	size_t n = *len < 15 ? *len : 15;
	int gap;

	if (cs_disasm_iter(v->cs, code, len, at, v->insn))
		return true;
	gap = find_gap(*code, n, &twin);
	if (gap < 0)
		return false;
	memcpy(copy, *code, n);
	copy[gap + 3] = twin;
	if (!cs_disasm_iter(v->cs, &p, &n, at, v->insn))
		return false;
	*code += v->insn->size;
	*len -= v->insn->size;
	return true;
}

/* ---- the fragment ---- */

static bool reserve(struct verifier *v, size_t len)
{
	size_t need = len / 8 + 1;

	if (need > v->room) {
		free(v->starts);
		v->starts = malloc(need);
		v->room = v->starts ? need : 0;
	}
	if (v->starts)
		memset(v->starts, 0, need);
	return v->starts;
}

static const char *fail(struct verify_error *err, const uint8_t *code, size_t len, size_t off, const cs_insn *in,
			const char *why)
{
	*err = (struct verify_error){ .off = (uint32_t)off };
	err->len = in ? (uint8_t)in->size : len - off < 15 ? (uint8_t)(len - off) : 15;
	if (err->len > sizeof(err->bytes))
		err->len = sizeof(err->bytes);
	memcpy(err->bytes, code + off, err->len);
	if (in)
		snprintf(err->text, sizeof(err->text), "%.20s %.70s", in->mnemonic, in->op_str);
	return why;
}

/* Branches inside must reach an instruction, not the middle of one. */
static const char *check_inside(const struct verify_env *env, const uint8_t *code, size_t len, uint64_t host,
				struct verify_error *err)
{
	struct verifier *v = env->v;
	const uint8_t *p = code;
	size_t left = len;
	uint64_t at = host, to;

	while (left && decode(v, &p, &left, &at)) {
		const cs_x86 *x = &v->insn->detail->x86;
		struct check c = { .in = v->insn, .x = x };

		if (is_branch(&c) && x->operands[0].type == X86_OP_IMM)
			to = (uint64_t)x->operands[0].imm - host;
		else if (is_return_address(&c))
			to = return_address(&c) - host;
		else
			continue;
		if (to < len && !(v->starts[to / 8] & 1 << to % 8))
			return fail(err, code, len, (size_t)(v->insn->address - host), v->insn,
				    "branch into the middle of an instruction or of a sequence");
	}
	return NULL;
}

const char *bt_verify(const struct verify_env *env, const uint8_t *code, size_t len, uint64_t host,
		      struct verify_error *err)
{
	struct verifier *v = env->v;
	struct check c = { .env = env, .in = v->insn, .x = &v->insn->detail->x86,
			   .host = host, .end = host + len };
	const uint8_t *p = code;
	uint64_t at = host;
	size_t left = len;
	const char *why;

	*err = (struct verify_error){ 0 };
	if (!reserve(v, len))
		return "out of memory";
	while (left) {
		size_t off = len - left;

		if (!c.pointers && !c.own_stack && !c.swapped)
			v->starts[off / 8] |= (uint8_t)(1 << off % 8);
		if (!decode(v, &p, &left, &at))
			return fail(err, code, len, off, NULL, "bytes that Capstone does not know");
		why = check_insn(&c);
		if (why)
			return fail(err, code, len, off, v->insn, why);
		track_facts(&c);
	}
	if (!c.stops || c.own_stack || c.swapped)
		return fail(err, code, len, 0, NULL, "runs off the end of the fragment");
	return check_inside(env, code, len, host, err);
}

struct verifier *bt_verifier_new(void)
{
	struct verifier *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &v->cs) == CS_ERR_OK &&
	    cs_option(v->cs, CS_OPT_DETAIL, CS_OPT_ON) == CS_ERR_OK)
		v->insn = cs_malloc(v->cs);
	if (v->insn)
		return v;
	bt_verifier_free(v);
	return NULL;
}

void bt_verifier_free(struct verifier *v)
{
	if (!v)
		return;
	if (v->insn)
		cs_free(v->insn, 1);
	if (v->cs)
		cs_close(&v->cs);
	free(v->starts);
	free(v);
}

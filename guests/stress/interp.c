/* SPDX-License-Identifier: GPL-3.0-or-later
 * The model's processor: the subset of the instruction set that gen.c and stubs.h use, after
 * the manual's volume 2. Instructions it does not know, including garbage, are OPEN. */
#include "guests/stress/stress.h"

struct regs cpu;
bool cpu_user;
u32 cpu_undef;

/* The current instruction. */
static struct {
	u32 size; /* of operands: 2 or 4 */
	u8 rep;	  /* F2, F3 or 0 */
	bool lock;
	u8 mod, reg, rm;
	u32 ea;
	bool is_reg;
} in;

/* ---- memory and registers ---- */

static enum outcome fetch(u32 n, u32 *v)
{
	u8 b[4] = { 0 };

	for (u32 i = 0; i < n; i++, cpu.eip++) {
		struct span s = { .n = { 1, 0 } };
		enum outcome o = translate(cpu.eip, AC_FETCH | (cpu_user ? AC_USER : 0), &s.at[0]);
		u32 f = s.at[0].frame;
		unsigned part;

		if (o != OK)
			return o;
		if (f < F_KTEXT && (f >= NPOOL || role[f] != R_CODE || load(&s, b + i) != OK))
			return OPEN;
		if (f >= F_KTEXT)
			load(&s, b + i);
		else if (st.written[f] && st.written[f] != ((cpu.eip >> 12) << 2 | 2))
			return OPEN;
		part = fetching.n[0] &&
		       (fetching.at[0].frame != f || s.at[0].off != fetching.at[0].off + fetching.n[0]);
		if (!fetching.n[part]++)
			fetching.at[part] = s.at[0];
	}
	*v = b[0] | b[1] << 8 | b[2] << 16 | (u32)b[3] << 24;
	return OK;
}

static enum outcome get_mem(u32 va, u32 n, u8 *v)
{
	struct span s = { 0 };
	enum outcome o = reach(va, n, cpu_user ? AC_USER : 0, &s);

	return o != OK ? o : load(&s, v);
}

static enum outcome put_mem(u32 va, u32 n, const u8 *v)
{
	struct span s = { 0 };
	enum outcome o = reach(va, n, AC_WRITE | (cpu_user ? AC_USER : 0), &s);

	return o != OK ? o : store(&s, va, v);
}

static enum outcome rd(u32 va, u32 n, u32 *v)
{
	u8 b[4] = { 0 };
	enum outcome o = get_mem(va, n, b);

	*v = b[0] | b[1] << 8 | b[2] << 16 | (u32)b[3] << 24;
	return o;
}

static enum outcome wr(u32 va, u32 n, u32 v)
{
	u8 b[4] = { (u8)v, (u8)(v >> 8), (u8)(v >> 16), (u8)(v >> 24) };

	return put_mem(va, n, b);
}

static u32 mask(u32 n)
{
	return n == 4 ? ~0u : (1u << 8 * n) - 1;
}

static u32 reg_get(u32 r, u32 n)
{
	return n == 1 ? (cpu.r[r & 3] >> (r & 4 ? 8 : 0)) & 0xff : cpu.r[r] & mask(n);
}

static void reg_put(u32 r, u32 n, u32 v)
{
	u32 shift = n == 1 && (r & 4) ? 8 : 0;
	u32 *p = &cpu.r[n == 1 ? r & 3 : r];

	*p = (*p & ~(mask(n) << shift)) | (v & mask(n)) << shift;
}

/* ---- flags ---- */

static void set_flags(u32 keep, u32 v, u32 defined)
{
	cpu.fl = (cpu.fl & ~FL_ARITH) | (cpu.fl & keep & FL_ARITH) | (v & FL_ARITH & ~keep);
	cpu_undef = (cpu_undef & keep) | (FL_ARITH & ~defined & ~keep);
}

static u32 szp(u32 v, u32 n)
{
	u32 p = v & 0xff;

	p ^= p >> 4;
	p ^= p >> 2;
	p ^= p >> 1;
	return (v & mask(n) ? 0 : FL_ZF) | ((v >> (8 * n - 1)) & 1 ? FL_SF : 0) | (p & 1 ? 0 : FL_PF);
}

static u32 add(u32 a, u32 b, u32 c, u32 n, u32 keep)
{
	u64 wide = (u64)(a & mask(n)) + (b & mask(n)) + c;
	u32 r = (u32)wide & mask(n);

	set_flags(keep,
		  szp(r, n) | (wide >> 8 * n ? FL_CF : 0) | ((a ^ b ^ r) & FL_AF) |
		      ((((a ^ r) & (b ^ r)) >> (8 * n - 1)) & 1 ? FL_OF : 0),
		  FL_ARITH);
	return r;
}

static u32 sub(u32 a, u32 b, u32 c, u32 n, u32 keep)
{
	u32 r = (a - b - c) & mask(n);

	set_flags(keep,
		  szp(r, n) | ((u64)(b & mask(n)) + c > (a & mask(n)) ? FL_CF : 0) | ((a ^ b ^ r) & FL_AF) |
		      ((((a ^ b) & (a ^ r)) >> (8 * n - 1)) & 1 ? FL_OF : 0),
		  FL_ARITH);
	return r;
}

static u32 logic(u32 r, u32 n)
{
	set_flags(0, szp(r, n), FL_ARITH & ~FL_AF);
	return r;
}

enum { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };

static u32 alu(u32 op, u32 a, u32 b, u32 n)
{
	u32 c = cpu.fl & FL_CF ? 1 : 0;

	switch (op) {
	case ALU_ADD:
		return add(a, b, 0, n, 0);
	case ALU_OR:
		return logic(a | b, n);
	case ALU_ADC:
		return add(a, b, c, n, 0);
	case ALU_SBB:
		return sub(a, b, c, n, 0);
	case ALU_AND:
		return logic(a & b, n);
	case ALU_XOR:
		return logic(a ^ b, n);
	default:
		return sub(a, b, 0, n, 0);
	}
}

/* ---- operands ---- */

#define TRY(e)                                                                                               \
	do {                                                                                                 \
		enum outcome o_ = (e);                                                                       \
		if (o_ != OK)                                                                                \
			return o_;                                                                           \
	} while (0)

static enum outcome modrm(void)
{
	u32 b, sib, disp = 0, base = 0;

	TRY(fetch(1, &b));
	in.mod = (u8)(b >> 6);
	in.reg = (b >> 3) & 7;
	in.rm = b & 7;
	in.is_reg = in.mod == 3;
	if (in.is_reg)
		return OK;
	if (in.rm == 4) {
		TRY(fetch(1, &sib));
		if (((sib >> 3) & 7) != 4)
			base = cpu.r[(sib >> 3) & 7] << (sib >> 6);
		if ((sib & 7) == 5 && !in.mod)
			TRY(fetch(4, &disp));
		else
			base += cpu.r[sib & 7];
	} else if (in.rm == 5 && !in.mod) {
		TRY(fetch(4, &disp));
	} else {
		base = cpu.r[in.rm];
	}
	if (in.mod == 1) {
		TRY(fetch(1, &disp));
		disp = (u32)(int)(signed char)disp;
	} else if (in.mod == 2) {
		TRY(fetch(4, &disp));
	}
	in.ea = base + disp;
	return OK;
}

static enum outcome rm_get(u32 n, u32 *v)
{
	if (!in.is_reg)
		return rd(in.ea, n, v);
	*v = reg_get(in.rm, n);
	return OK;
}

static enum outcome rm_put(u32 n, u32 v)
{
	if (!in.is_reg)
		return wr(in.ea, n, v);
	reg_put(in.rm, n, v);
	return OK;
}

/* Before a read-modify-write: check both rights without accessing. */
static enum outcome rm_both(u32 n)
{
	struct span s = { 0 };

	return in.is_reg ? OK : reach(in.ea, n, AC_WRITE | AC_RMW | (cpu_user ? AC_USER : 0), &s);
}

static enum outcome push(u32 v)
{
	enum outcome o = wr(cpu.r[ESP] - 4, 4, v);

	if (o == OK)
		cpu.r[ESP] -= 4;
	return o;
}

static enum outcome pop(u32 *v)
{
	enum outcome o = rd(cpu.r[ESP], 4, v);

	if (o == OK)
		cpu.r[ESP] += 4;
	return o;
}

static bool condition(u32 cc, enum outcome *o)
{
	static const u32 tested[8] = { FL_OF, FL_CF, FL_ZF,	    FL_CF | FL_ZF,
				       FL_SF, FL_PF, FL_SF | FL_OF, FL_SF | FL_OF | FL_ZF };
	u32 f = cpu.fl & tested[cc >> 1];
	bool yes = f != 0;

	if (cpu_undef & tested[cc >> 1])
		*o = OPEN;
	if (cc >> 1 >= 6)
		yes = (f & FL_ZF) || !(f & FL_SF) != !(f & FL_OF);
	return yes != (cc & 1);
}

/* ---- instructions by group ---- */

/* Which operand of CMPS or MOVS faults first? */
static enum outcome either_first(u32 n, bool write)
{
	unsigned how = cpu_user ? AC_USER : 0;
	struct span s = { 0 };
	enum outcome si = reach(cpu.r[ESI], n, how, &s), di;
	struct fault f = fault;

	di = reach(cpu.r[EDI], n, how | (write ? AC_WRITE : 0), &s);
	if (si == OPEN || di == OPEN || (si == FAULT && di == FAULT))
		return OPEN;
	if (si == FAULT)
		fault = f;
	return si == FAULT ? si : di;
}

/* A REP MOVS that overwrites its own source through another address: processors that move many bytes at
 * once compare linear addresses only. */
static bool overlaps_unseen(u32 n)
{
	struct place from, to;
	u32 d;

	if (!in.rep || peek(cpu.r[ESI], &from) < 0 || peek(cpu.r[EDI], &to) < 0 || from.frame != to.frame)
		return false;
	d = (u32)from.off - to.off + 128 + n;
	return d < 256 + 2 * n && (cpu.r[ESI] ^ cpu.r[EDI]) >> 12;
}

static enum outcome string_once(u32 op, u32 n)
{
	u32 d = cpu.fl & FL_DF ? -n : n, v, w;

	switch (op & 0xfe) {
	case 0xa4:
		if (overlaps_unseen(n))
			return OPEN;
		TRY(either_first(n, true));
		TRY(rd(cpu.r[ESI], n, &v));
		TRY(wr(cpu.r[EDI], n, v));
		break;
	case 0xa6:
		TRY(either_first(n, false));
		TRY(rd(cpu.r[ESI], n, &v));
		TRY(rd(cpu.r[EDI], n, &w));
		sub(v, w, 0, n, 0);
		break;
	case 0xaa:
		TRY(wr(cpu.r[EDI], n, reg_get(EAX, n)));
		cpu.r[EDI] += d;
		return OK;
	case 0xac:
		TRY(rd(cpu.r[ESI], n, &v));
		reg_put(EAX, n, v);
		cpu.r[ESI] += d;
		return OK;
	default:
		TRY(rd(cpu.r[EDI], n, &v));
		sub(reg_get(EAX, n), v, 0, n, 0);
		cpu.r[EDI] += d;
		return OK;
	}
	cpu.r[ESI] += d;
	cpu.r[EDI] += d;
	return OK;
}

/* A processor may prefetch translations that a REP will need, but not mark pages as written. */
static void not_reached(u32 op, u32 n)
{
	unsigned how = cpu_user ? AC_USER : 0;

	for (u32 i = 0; i < cpu.r[ECX] * n + 4096; i += 4096) {
		u32 by = cpu.fl & FL_DF ? -i : i;

		if ((op & 0xfe) <= 0xa6 || (op & 0xfe) == 0xac)
			look_ahead(cpu.r[ESI] + by, how);
		if ((op & 0xfe) != 0xac)
			look_ahead(cpu.r[EDI] + by, how);
	}
}

static enum outcome string(u32 op)
{
	u32 n = op & 1 ? in.size : 1;
	bool compares = (op & 0xfe) == 0xa6 || (op & 0xfe) == 0xae;

	enum outcome o = OK;

	if (!in.rep)
		return string_once(op, n);
	if (cpu.r[ECX] > 9000 || (in.rep == 0xf2 && !compares))
		return OPEN;
	while (o == OK && cpu.r[ECX]) {
		o = model_room() ? string_once(op, n) : OPEN;
		if (o != OK)
			break;
		commit(true);
		cpu.r[ECX]--;
		if (compares && !(cpu.fl & FL_ZF) == (in.rep == 0xf3))
			break;
	}
	if (o != OPEN && cpu.r[ECX])
		not_reached(op, n);
	return o;
}

static enum outcome group1(u32 op)
{
	u32 n = op & 1 ? in.size : 1, a, b;

	TRY(modrm());
	TRY(fetch(op == 0x81 ? in.size : 1, &b));
	if (op == 0x83)
		b = (u32)(int)(signed char)b;
	if (in.reg != ALU_CMP)
		TRY(rm_both(n));
	TRY(rm_get(n, &a));
	a = alu(in.reg, a, b, n);
	return in.reg == ALU_CMP ? OK : rm_put(n, a);
}

static enum outcome alu_rm(u32 op)
{
	u32 n = op & 1 ? in.size : 1, k = op >> 3, a, b;

	TRY(modrm());
	if (!(op & 2) && k != ALU_CMP)
		TRY(rm_both(n));
	TRY(rm_get(n, &a));
	b = reg_get(in.reg, n);
	if (op & 2) {
		a = alu(k, b, a, n);
		if (k != ALU_CMP)
			reg_put(in.reg, n, a);
		return OK;
	}
	a = alu(k, a, b, n);
	return k == ALU_CMP ? OK : rm_put(n, a);
}

static enum outcome jump(u32 target)
{
	cpu.eip = target;
	return OK;
}

static enum outcome group_ff(u32 op)
{
	u32 n = op & 1 ? in.size : 1, v;

	TRY(modrm());
	if (in.reg >= 2 && (!(op & 1) || n != 4))
		return OPEN;
	if (in.reg < 2) {
		TRY(rm_both(n));
		TRY(rm_get(n, &v));
		v = in.reg ? sub(v, 1, 0, n, FL_CF) : add(v, 1, 0, n, FL_CF);
		return rm_put(n, v);
	}
	if (in.reg == 3 || in.reg == 5 || in.reg == 7)
		return OPEN;
	TRY(rm_get(4, &v));
	if (in.reg == 6)
		return push(v);
	if (in.reg == 2)
		TRY(push(cpu.eip));
	return jump(v);
}

static enum outcome group_f6(u32 op)
{
	u32 n = op & 1 ? in.size : 1, v, w;

	TRY(modrm());
	if (!in.reg) {
		TRY(fetch(n, &w));
		TRY(rm_get(n, &v));
		logic(v & w, n);
		return OK;
	}
	if (in.reg != 2 && in.reg != 3)
		return OPEN;
	TRY(rm_both(n));
	TRY(rm_get(n, &v));
	return rm_put(n, in.reg == 2 ? ~v & mask(n) : sub(0, v, 0, n, 0));
}

static enum outcome shift_left(void)
{
	u32 v, c;

	TRY(modrm());
	if (in.reg != 4 || !in.is_reg)
		return OPEN;
	TRY(fetch(1, &c));
	c &= 31;
	if (!c || in.size != 4)
		return OPEN;
	TRY(rm_get(4, &v));
	set_flags(0, szp(v << c, 4) | ((v >> (32 - c)) & 1 ? FL_CF : 0), FL_ARITH & ~(FL_AF | FL_OF));
	return rm_put(4, v << c);
}

static enum outcome sse_load(void)
{
	u32 v[4];

	TRY(get_mem(in.ea, 16, (u8 *)v));
	memcpy(st.xmm[in.reg], v, 16);
	return OK;
}

static enum outcome sse_move(u32 op)
{
	enum outcome o;

	TRY(modrm());
	if (in.size != 4 || in.rep)
		return OPEN;
	if (in.is_reg) {
		const u32 *from = st.xmm[op == 0x10 ? in.rm : in.reg];
		u32 *to = st.xmm[op == 0x10 ? in.reg : in.rm];

		for (unsigned i = 0; i < 4; i++)
			to[i] = from[i];
		return OK;
	}
	if (op == 0x10)
		return sse_load();
	o = put_mem(in.ea, 16, (u8 *)st.xmm[in.reg]);
	/* some processors store a part before they fault in the second page */
	return o == FAULT && (in.ea & 0xfff) > 4096 - 16 ? OPEN : o;
}

static enum outcome control(u32 op)
{
	if (cpu_user)
		return OPEN;
	TRY(modrm());
	if (op == 0x01) {
		if (in.reg != 7 || in.is_reg)
			return OPEN;
		flush_page(in.ea);
		return OK;
	}
	if (!in.is_reg || in.reg != 3)
		return OPEN;
	if (op == 0x20) {
		cpu.r[in.rm] = space_root(st.space);
		return OK;
	}
	for (u32 s = 0; s < NSPACES; s++)
		if (space_root(s) == cpu.r[in.rm]) {
			st.space = (u8)s;
			flush_local();
			return OK;
		}
	return OPEN;
}

static enum outcome exchange(u32 op)
{
	u32 n = op & 1 ? in.size : 1, a, b;

	TRY(modrm());
	TRY(rm_both(n));
	TRY(rm_get(n, &a));
	b = reg_get(in.reg, n);
	if (op < 0x100) { /* XCHG */
		TRY(rm_put(n, b));
		reg_put(in.reg, n, a);
	} else if (op >= 0x1c0) { /* XADD */
		TRY(rm_put(n, (a + b) & mask(n)));
		reg_put(in.reg, n, a);
		TRY(in.is_reg ? rm_put(n, (a + b) & mask(n)) : OK);
		add(a, b, 0, n, 0);
	} else { /* CMPXCHG */
		sub(reg_get(EAX, n), a, 0, n, 0);
		TRY(rm_put(n, cpu.fl & FL_ZF ? b : a));
		if (!(cpu.fl & FL_ZF))
			reg_put(EAX, n, a);
	}
	return OK;
}

static enum outcome two_bytes(void)
{
	enum outcome o = OK;
	u32 op, v;

	TRY(fetch(1, &op));
	if (in.lock && (op & 0xfe) != 0xb0 && (op & 0xfe) != 0xc0)
		return OPEN;
	switch (op) {
	case 0x01:
	case 0x20:
	case 0x22:
		return control(op);
	case 0x10:
	case 0x11:
		return sse_move(op);
	case 0x80 ... 0x8f:
		TRY(fetch(4, &v));
		if (in.size == 4 && condition(op & 15, &o))
			cpu.eip += v;
		return in.size == 4 ? o : OPEN;
	case 0xb0:
	case 0xb1:
	case 0xc0:
	case 0xc1:
		return exchange(op | 0x100);
	case 0xb6:
	case 0xb7:
	case 0xbe:
	case 0xbf:
		TRY(modrm());
		TRY(rm_get(op & 1 ? 2 : 1, &v));
		if (op >= 0xbe)
			v = op & 1 ? (u32)(int)(short)v : (u32)(int)(signed char)v;
		reg_put(in.reg, in.size, v);
		return OK;
	default:
		return OPEN;
	}
}

static enum outcome move(u32 op)
{
	u32 n = op & 1 ? in.size : 1, v;

	TRY(modrm());
	if (op >= 0xc6) {
		TRY(fetch(n, &v));
		return in.reg ? OPEN : rm_put(n, v);
	}
	if (!(op & 2))
		return rm_put(n, reg_get(in.reg, n));
	TRY(rm_get(n, &v));
	reg_put(in.reg, n, v);
	return OK;
}

static enum outcome pop_rm(void)
{
	u32 v, esp = cpu.r[ESP];
	enum outcome o;

	if (in.size != 4)
		return OPEN;
	cpu.r[ESP] += 4; /* an address with ESP uses the new one */
	o = modrm();
	cpu.r[ESP] = esp;
	if (o != OK || in.reg) /* 8F with another register field is another instruction, or undefined */
		return o != OK ? o : OPEN;
	TRY(rd(esp, 4, &v));
	cpu.r[ESP] = esp + 4;
	o = rm_put(4, v);
	if (o != OK)
		cpu.r[ESP] = esp;
	return o;
}

static enum outcome execute(u32 op, u32 *vector)
{
	enum outcome o = OK;
	u32 v, w;

	switch (op) {
	case 0x00 ... 0x03:
	case 0x08 ... 0x0b:
	case 0x10 ... 0x13:
	case 0x18 ... 0x1b:
	case 0x20 ... 0x23:
	case 0x28 ... 0x2b:
	case 0x30 ... 0x33:
	case 0x38 ... 0x3b:
		return alu_rm(op);
	case 0x0f:
		return two_bytes();
	case 0x40 ... 0x47:
		reg_put(op & 7, in.size, add(reg_get(op & 7, in.size), 1, 0, in.size, FL_CF));
		return OK;
	case 0x48 ... 0x4f:
		reg_put(op & 7, in.size, sub(reg_get(op & 7, in.size), 1, 0, in.size, FL_CF));
		return OK;
	case 0x50 ... 0x57:
		return in.size == 4 ? push(cpu.r[op & 7]) : OPEN;
	case 0x58 ... 0x5f:
		if (in.size != 4)
			return OPEN;
		TRY(pop(&v));
		cpu.r[op & 7] = v;
		return OK;
	case 0x70 ... 0x7f:
		TRY(fetch(1, &v));
		if (in.size == 4 && condition(op & 15, &o))
			cpu.eip += (u32)(int)(signed char)v;
		return in.size == 4 ? o : OPEN;
	case 0x80:
	case 0x81:
	case 0x83:
		return group1(op);
	case 0x84:
	case 0x85:
		TRY(modrm());
		TRY(rm_get(op & 1 ? in.size : 1, &v));
		logic(v & reg_get(in.reg, op & 1 ? in.size : 1), op & 1 ? in.size : 1);
		return OK;
	case 0x86:
	case 0x87:
		return exchange(op);
	case 0x88 ... 0x8b:
	case 0xc6:
	case 0xc7:
		return move(op);
	case 0x8d:
		TRY(modrm());
		reg_put(in.reg, in.size, in.ea);
		return in.is_reg ? OPEN : OK;
	case 0x8f:
		return pop_rm();
	case 0x90:
		return OK;
	case 0xa4 ... 0xa7:
	case 0xaa ... 0xaf:
		return string(op);
	case 0xb8 ... 0xbf:
		TRY(fetch(in.size, &v));
		reg_put(op & 7, in.size, v);
		return OK;
	case 0xc1:
		return shift_left();
	case 0xc3:
		TRY(pop(&v));
		return jump(v);
	case 0xcd:
		TRY(fetch(1, vector));
		return INT;
	case 0xe8:
		TRY(fetch(4, &v));
		w = cpu.eip;
		TRY(push(w));
		return jump(w + v);
	case 0xe9:
		TRY(fetch(4, &v));
		return jump(cpu.eip + v);
	case 0xeb:
		TRY(fetch(1, &v));
		return jump(cpu.eip + (u32)(int)(signed char)v);
	case 0xf6:
	case 0xf7:
		return group_f6(op);
	case 0xfa:
	case 0xfb:
		if (cpu_user)
			return OPEN;
		cpu.fl = op & 1 ? cpu.fl | FL_IF : cpu.fl & ~FL_IF;
		return OK;
	case 0xfc:
	case 0xfd:
		cpu.fl = op & 1 ? cpu.fl | FL_DF : cpu.fl & ~FL_DF;
		return OK;
	case 0xfe:
	case 0xff:
		return group_ff(op);
	default:
		return OPEN;
	}
}

/* LOCK is allowed with read-modify-writes only. */
static bool may_lock(u32 op)
{
	if (op < 0x40)
		return (op & 7) < 2 && op < 0x38;
	return op == 0x0f || op == 0x80 || op == 0x81 || op == 0x83 || op == 0x86 || op == 0x87 ||
	       op == 0xf6 || op == 0xf7 || op >= 0xfe;
}

static bool lock_fits(u32 op)
{
	if (in.is_reg)
		return false;
	if (op == 0x80 || op == 0x81 || op == 0x83)
		return in.reg != ALU_CMP;
	if (op == 0xf6 || op == 0xf7)
		return in.reg == 2 || in.reg == 3;
	return op < 0xfe || in.reg < 2;
}

static enum outcome decode(u32 *vector)
{
	enum outcome o;
	u32 op;

	in.size = 4;
	in.rep = 0;
	in.lock = false;
	for (u32 n = 0;; n++) {
		TRY(fetch(1, &op));
		if (op == 0x66)
			in.size = 2;
		else if (op == 0xf2 || op == 0xf3)
			in.rep = (u8)op;
		else if (op == 0xf0)
			in.lock = true;
		else
			break;
		if (n == 3)
			return OPEN;
	}
	if (in.rep && (op < 0xa4 || op > 0xaf))
		return OPEN;
	if (in.size == 2 && ((op & 0xf8) == 0xe8 || op == 0xc3 || op == 0xcd))
		return OPEN;
	if (in.lock && !may_lock(op))
		return OPEN;
	o = execute(op, vector);
	return in.lock && !lock_fits(op) ? OPEN : o;
}

/* Execute one instruction. A REP that faults keeps its progress. */
enum outcome step(u32 *vector)
{
	struct regs before = cpu;
	u32 undef = cpu_undef;
	enum outcome o;

	instruction_begins();
	o = decode(vector);
	commit(o != FAULT);
	/* in kernel mode interrupts need a stack */
	if (read_what_it_marked() || (!cpu_user && cpu.r[ESP] - (u32)kstack - 2048 > 2048))
		return OPEN;
	if (o != FAULT)
		return o;
	if (in.rep) {
		before.r[ECX] = cpu.r[ECX];
		before.r[ESI] = cpu.r[ESI];
		before.r[EDI] = cpu.r[EDI];
	}
	/* the manual restores the flags of a REP CMPS that faults; not every processor does */
	cpu_undef = in.rep ? FL_ARITH : undef;
	cpu = before;
	return FAULT;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 * Code generation: random functions written into pages of the pool, and the choice of function and
 * registers for each run. Functions load and store anywhere, change their own numbers and each
 * other's, call, loop, ask the kernel for a change (SERVICE_INT), and end with END_INT. A function
 * that the model finds OPEN too often is dropped. */
#include "guests/stress/stress.h"

enum { MAX_CODE = 460, MAX_CONSTS = 8, NFUNCTIONS = 48, PATIENCE = 6 };

struct function {
	u32 va, sub, len;
	u8 space, patience;
	bool kernel, used;
	u8 nconsts;
	u16 consts[MAX_CONSTS]; /* offsets of numbers that may have any value */
};
static struct function functions[NFUNCTIONS];

/* The function being written. */
static struct {
	u8 b[MAX_CODE + 64];
	u32 n, va;
	struct function *f;
	u32 nfixes;
	u16 fixes[8]; /* offsets of addresses to be replaced by those of numbers */
} g;

static void e8(u32 v)
{
	if (g.n < sizeof(g.b))
		g.b[g.n++] = (u8)v;
}

static void e32(u32 v)
{
	for (unsigned i = 0; i < 4; i++)
		e8(v >> 8 * i);
}

/* A register that is free: not ESP, not EBP, which counts loops. */
static u32 any_reg(void)
{
	static const u8 regs[] = { EAX, ECX, EDX, EBX, ESI, EDI };

	return regs[below(LEN(regs))];
}

static u32 byte_reg(void)
{
	return below(8);
}

static void movi(u32 r, u32 v)
{
	e8(0xb8 + r);
	e32(v);
}

static void number(u32 r)
{
	if (g.f->nconsts < MAX_CONSTS)
		g.f->consts[g.f->nconsts++] = (u16)(g.n + 1);
	movi(r, rnd());
}

/* ModRM for [address], reached in one of several ways; may load a register first. Returns
 * the base for modrm_at. */
static u32 address(u32 va, u32 avoid, u32 *disp)
{
	u32 base;

	*disp = va;
	if (chance(40))
		return 8;
	do
		base = any_reg();
	while (base == avoid);
	*disp = below(3) * (rnd() & 0x7f);
	movi(base, va - *disp);
	return base;
}

static void modrm_at(u32 reg, u32 base, u32 disp)
{
	if (base == 8) {
		e8(reg << 3 | 5);
		e32(disp);
	} else if (!disp) {
		e8(reg << 3 | base);
	} else if (disp < 0x80) {
		e8(0x40 | reg << 3 | base);
		e8(disp);
	} else {
		e8(0x80 | reg << 3 | base);
		e32(disp);
	}
}

static void with_memory(const u8 *op, u32 nop, u32 reg, u32 avoid, bool write)
{
	u32 disp, base = address(random_place(write, !g.f->kernel), avoid, &disp);

	for (u32 i = 0; i < nop; i++)
		e8(op[i]);
	modrm_at(reg, base, disp);
}

/* ---- kinds of instruction ---- */

static void g_load(void)
{
	static const u8 ops[][2] = { { 0x8b, 0 },    { 0x8a, 0 },    { 0x0f, 0xb6 }, { 0x0f, 0xb7 },
				     { 0x0f, 0xbe }, { 0x0f, 0xbf }, { 0x03, 0 },    { 0x33, 0 },
				     { 0x3b, 0 },    { 0x2a, 0 },    { 0x85, 0 } };
	const u8 *op = ops[below(LEN(ops))];

	with_memory(op, op[0] == 0x0f ? 2 : 1, (op[0] & 1) ? any_reg() : byte_reg(), 16, false);
}

static void g_store(void)
{
	u32 k = below(100), r = any_reg();

	if (k < 40)
		with_memory((const u8[]){ 0x89 }, 1, r, 16, true);
	else if (k < 55)
		with_memory((const u8[]){ 0x88 }, 1, byte_reg(), 16, true);
	else if (k < 70)
		with_memory((const u8[]){ 0x66, 0x89 }, 2, r, 16, true);
	else {
		with_memory((const u8[]){ 0xc7 }, 1, 0, 16, true);
		if (g.f->nconsts < MAX_CONSTS)
			g.f->consts[g.f->nconsts++] = (u16)g.n;
		e32(rnd());
	}
}

static void g_rmw(void)
{
	static const u8 ops[][3] = { { 1, 0x01 },	{ 1, 0x31 }, { 1, 0x29 },	{ 1, 0x00 },
				     { 1, 0x87 },	{ 1, 0x86 }, { 2, 0xf0, 0x01 }, { 2, 0x0f, 0xc1 },
				     { 2, 0x0f, 0xb1 }, { 1, 0x11 } };
	const u8 *op = ops[below(LEN(ops))];

	with_memory(op + 1, op[0], (op[op[0]] & 1) ? any_reg() : byte_reg(), 16, true);
}

static void g_rmw_one(void)
{
	static const u8 ops[][2] = { { 0xff, 0 }, { 0xff, 1 }, { 0xf7, 2 },
				     { 0xf7, 3 }, { 0xfe, 0 }, { 0xf6, 2 } };
	const u8 *op = ops[below(LEN(ops))];

	with_memory(op, 1, op[1], 16, true);
}

static void g_sse(void)
{
	with_memory((const u8[]){ 0x0f, 0x10 }, 2, below(8), 16, false);
	with_memory((const u8[]){ 0x0f, 0x11 }, 2, below(8), 16, true);
}

static void g_alu(void)
{
	static const u8 ops[] = { 0x01, 0x29, 0x31, 0x21, 0x09, 0x39, 0x11, 0x85, 0x89 };

	e8(ops[below(sizeof(ops))]);
	e8(0xc0 | any_reg() << 3 | any_reg());
}

static void g_number(void)
{
	number(any_reg());
}

static void g_string(void)
{
	static const u8 ops[] = { 0xaa, 0xab, 0xa4, 0xa5, 0xa6, 0xa7, 0xae, 0xaf, 0xab, 0xa5 };
	u32 op = ops[below(sizeof(ops))];
	bool compares = (op & 0xfe) == 0xa6 || (op & 0xfe) == 0xae, down = chance(20);

	movi(EDI, random_place(!compares, !g.f->kernel));
	movi(ESI, random_place(false, !g.f->kernel));
	movi(ECX, chance(80) ? below(40) : below(1500));
	if (down)
		e8(0xfd);
	if (chance(85))
		e8(compares && chance(50) ? 0xf2 : 0xf3);
	e8(op);
	if (down)
		e8(0xfc);
}

static void g_push(void)
{
	e8(0x50 + any_reg());
	g_alu();
	if (chance(30))
		with_memory((const u8[]){ 0x8f }, 1, 0, 16, true);
	else
		e8(0x58 + any_reg());
}

/* A store into a number of this function itself. */
static void g_own_number(void)
{
	if (g.nfixes == LEN(g.fixes))
		return;
	if (chance(50)) {
		e8(0x89);
		e8(any_reg() << 3 | 5);
		g.fixes[g.nfixes++] = (u16)g.n;
		e32(0);
	} else {
		e8(0xc7);
		e8(5);
		g.fixes[g.nfixes++] = (u16)g.n;
		e32(0);
		e32(rnd());
	}
}

static void g_service(void)
{
	e8(0xcd);
	e8(SERVICE_INT);
}

/* A call of another function's second entry, or of the one at the end of this one. */
static void g_call(void)
{
	const struct function *f = &functions[below(NFUNCTIONS)];

	if (f->used && (!f->kernel || g.f->kernel) && chance(60)) {
		movi(EAX, f->sub);
		e8(0xff);
		e8(0xd0);
	} else {
		e8(0xe8);
		e32(0xdeadca11); /* resolved at the end */
	}
}

/* Kernel only: store an entry, and flush. */
static void g_entry(void)
{
	u32 at, value, va;

	if (!g.f->kernel || !random_pte(&at, &value, &va)) {
		g_alu();
		return;
	}
	e8(0xc7);
	e8(5);
	e32(at);
	e32(value);
	if (chance(70)) {
		e8(0x0f);
		e8(0x01);
		e8(7 << 3 | 5);
		e32(va);
	} else {
		e8(0x0f);
		e8(0x20);
		e8(0xc0 | 3 << 3 | EAX);
		e8(0x0f);
		e8(0x22);
		e8(0xc0 | 3 << 3 | EAX);
	}
}

/* Kernel only: another address space, or the interrupt flag. */
static void g_system(void)
{
	if (!g.f->kernel) {
		g_alu();
		return;
	}
	if (chance(50)) {
		movi(EAX, space_root(chance(50) ? g.f->space : below(NSPACES)));
		e8(0x0f);
		e8(0x22);
		e8(0xc0 | 3 << 3 | EAX);
	} else {
		e8(chance(30) ? 0xfa : 0xfb);
	}
}

static void body(u32 n);

static void g_skip(void)
{
	static const u8 ccs[] = { 2, 3, 4, 5, 8, 9 };
	u32 at;

	e8(0x31);
	e8(0xc0 | any_reg() << 3 | any_reg());
	e8(0x83); /* CMP, so that all flags are defined */
	e8(0xf8 | any_reg());
	e8(rnd());
	e8(0x70 + ccs[below(sizeof(ccs))]);
	at = g.n;
	e8(0);
	body(1 + below(2));
	if (g.n - at - 1 < 0x80)
		g.b[at] = (u8)(g.n - at - 1);
}

static const struct {
	void (*gen)(void);
	u8 weight;
} kinds[] = {
	{ g_load, 18 },	  { g_store, 14 },  { g_rmw, 8 },    { g_rmw_one, 4 }, { g_sse, 4 },
	{ g_alu, 12 },	  { g_number, 10 }, { g_string, 8 }, { g_push, 5 },    { g_own_number, 8 },
	{ g_service, 5 }, { g_call, 6 },    { g_entry, 5 },  { g_system, 2 },  { g_skip, 5 },
};

static void body(u32 n)
{
	u32 total = 0;

	for (u32 i = 0; i < LEN(kinds); i++)
		total += kinds[i].weight;
	while (n-- && g.n < MAX_CODE - 80) {
		u32 k = below(total), i = 0;

		while (k >= kinds[i].weight)
			k -= kinds[i++].weight;
		kinds[i].gen();
	}
}

static void loop(void)
{
	u32 start;

	movi(EBP, chance(80) ? 1 + below(12) : 40 + below(150));
	start = g.n;
	body(1 + below(6));
	e8(0x4d); /* DEC EBP */
	e8(0x0f);
	e8(0x85);
	e32(start - g.n - 4);
}

/* Addresses of numbers, and calls to the second entry. */
static void resolve(void)
{
	for (u32 i = 0; i < g.nfixes; i++) {
		u32 at =
		    g.f->nconsts ? g.va + g.f->consts[below(g.f->nconsts)] : random_place(true, !g.f->kernel);

		memcpy(&g.b[g.fixes[i]], &at, 4);
	}
	for (u32 i = 0; i + 5 <= g.n; i++) {
		static const u8 mark[] = { 0xe8, 0x11, 0xca, 0xad, 0xde };
		u32 rel = g.f->sub - (g.va + i + 5);

		if (!memcmp(&g.b[i], mark, 5))
			memcpy(&g.b[i + 1], &rel, 4);
	}
}

/* Write into the pages that hold the code, regardless of rights. */
static bool place_code(void)
{
	for (u32 i = 0; i < g.n; i++) {
		struct place at;
		int f = peek(g.va + i, &at);

		if (f < 0 || f >= NPOOL || role[f] > R_CODE)
			return false;
	}
	for (u32 i = 0; i < g.n; i++) {
		struct place at;
		int f = peek(g.va + i, &at);

		role[f] = R_CODE;
		mem[f][at.off] = g.b[i];
		*(volatile u8 *)phys(frame_pa((u32)f) + at.off) = g.b[i];
	}
	return true;
}

void gen_function(void)
{
	struct function *f = &functions[below(NFUNCTIONS)];
	u32 zone = chance(60) ? below(2) : Z_KA + below(2), code = 0;

	for (u32 i = 0; i < NPOOL; i++)
		code += role[i] == R_CODE;
	*f = (struct function){ .space = st.space,
				.kernel = zone >= Z_KA ? chance(90) : chance(40),
				.patience = PATIENCE };
	g.n = g.nfixes = 0;
	g.f = f;
	for (u32 tries = 0; tries < 10; tries++) {
		struct place at;
		int frame;

		g.va = page_va(zone, below(ZPAGES)) + (chance(25) ? 4096 - below(100) : below(3600));
		frame = peek(g.va, &at);
		if (frame >= 0 && frame < NPOOL && role[frame] == (code < 14 && chance(50) ? R_DATA : R_CODE))
			break;
	}
	number(EDX);
	body(1 + below(5));
	if (chance(70))
		loop();
	body(1 + below(4));
	e8(0xcd);
	e8(END_INT);
	f->sub = g.va + g.n;
	number(any_reg());
	for (u32 n = 1 + below(3); n; n--)
		chance(50) ? g_own_number() : g_alu();
	if (chance(30))
		g_service();
	e8(0xc3);
	resolve();
	f->va = g.va;
	f->len = g.n;
	f->used = g.n < MAX_CODE && place_code();
	counts.functions += f->used;
}

/* A number in the code of some function, if it is still where it was written. */
bool gen_constant(struct place *at)
{
	const struct function *f = &functions[below(NFUNCTIONS)];
	u32 va;
	int frame;

	if (!f->used || !f->nconsts)
		return false;
	va = f->va + f->consts[below(f->nconsts)];
	frame = peek(va, at);
	return frame >= 0 && frame < NPOOL && role[frame] == R_CODE && at->off <= 4092;
}

static void random_regs(u32 r[8])
{
	for (u32 i = 0; i < 8; i++)
		r[i] = rnd();
}

void gen_run(void)
{
	struct function *f = NULL;
	u32 r[8], times = chance(80) ? 1 + below(4) : 5 + below(40);
	bool user;

	for (u32 tries = 0; tries < 12; tries++) {
		f = &functions[below(NFUNCTIONS)];
		if (f->used && (f->space == st.space || chance(10)))
			break;
	}
	if (!f->used)
		return;
	user = !f->kernel && chance(80);
	while (times--) {
		random_regs(r);
		if (!run(f->va, r, user, chance(80))) {
			f->used = --f->patience;
			return;
		}
		f->patience = PATIENCE;
	}
}

/* Operands of the fixed instructions of stubs.h: addresses in EBX, ESI, EDI; a count in ECX. */
enum { IN_BX = 1, IN_SI = 2, IN_DI = 4, WR_BX = 8, WR_DI = 16, COUNT = 32, STRIDE = 64, CODE = 128 };
static const u8 stub_inputs[] = {
	IN_BX,
	IN_BX | WR_BX,
	IN_BX | WR_BX,
	IN_BX,
	IN_BX | WR_BX,
	IN_BX | WR_BX,
	IN_BX | WR_BX,
	IN_BX | WR_BX,
	IN_DI | WR_DI | COUNT,
	IN_DI | WR_DI | COUNT,
	IN_SI | IN_DI | WR_DI | COUNT,
	IN_SI | IN_DI | WR_DI | COUNT,
	IN_SI | IN_DI | COUNT,
	IN_DI | COUNT,
	IN_BX,
	IN_BX | WR_BX,
	IN_BX | WR_BX,
	IN_BX,
	IN_BX | COUNT | STRIDE,
	IN_BX | WR_BX | COUNT | STRIDE,
	IN_BX | WR_BX | COUNT | STRIDE,
	IN_SI | IN_DI | WR_DI | COUNT | STRIDE,
	IN_BX | IN_DI | WR_DI,
	IN_SI | IN_DI | WR_DI | COUNT,
	IN_BX | WR_BX,
	IN_BX | WR_BX,
	CODE,
	IN_BX | WR_BX,
};

static void stub_regs(u32 in, u32 r[8], bool user)
{
	static const u32 strides[] = { 4, 4, 8, 60, 64, 1000, 4096, 4092, -4u, -4096u };

	random_regs(r);
	if (in & IN_BX)
		r[EBX] = random_place(in & WR_BX, user);
	if (in & IN_SI)
		r[ESI] = random_place(false, user);
	if (in & IN_DI)
		r[EDI] = random_place(in & WR_DI, user);
	if (in & COUNT)
		r[ECX] = 1 + below(chance(80) ? 30 : 1200);
	if (in & STRIDE) {
		r[EBP] = strides[below(LEN(strides))];
		r[ECX] = 1 + below(24);
	}
}

void stub_run(void)
{
	u32 n = below(LEN(stub_inputs)), in = stub_inputs[n], r[8],
	    times = chance(70) ? 1 + below(6) : 10 + below(60);
	bool user = chance(55);
	u32 va, at, value;

	for (u32 fails = 0; times && fails < 4; times--) {
		stub_regs(in, r, user);
		if (n == 1 && chance(30) && random_pte(&at, &value, &va)) {
			r[EBX] = at;
			r[EAX] = value;
		}
		if (in & CODE) { /* CALL *(ESI): the fixed stack holds a function's address */
			const struct function *f = &functions[below(NFUNCTIONS)];

			if (!f->used || (user && f->kernel))
				return;
			r[ESI] = random_place(false, user) & ~3u;
			if (peek(r[ESI], &(struct place){ 0 }) < 0)
				return;
			driver_begin();
			struct place p = { 0 };
			int frame = peek(r[ESI], &p);

			if (frame >= NPOOL || role[frame] != R_DATA)
				return;
			do_store((u32)frame, p.off, f->sub);
			driver_end();
		}
		if (!run((user ? USER_TEXT : (u32)kstubs) + n * STUB_SIZE, r, user, chance(80)))
			fails++;
	}
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 * Driver: runs every generated case on the host CPU and under the engine; prints a line for each failing case
 * and the totals. With --native the engine is left out: each case runs twice on the host and must agree with
 * itself. */
#include <capstone/capstone.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/conform/conform.h"
#include "tests/conform/rows.h"

struct options {
	uint64_t seed;
	unsigned cases, max_report;
	long only_case;
	const char *only;
	bool native_only, verbose;
	struct engine_options engine;
};

struct run {
	struct options opt;
	struct native *native;
	struct engine *engine;
	struct gen *gen;
	csh cs32, cs16;
	unsigned cases, failed, known, ended[32];
	uint8_t *mem[3];
};

static const char *const gpr_names[8] = { "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi" };
static const char *const seg_names[SEG_COUNT] = { "es", "cs", "ss", "ds", "fs", "gs" };

/* ---- comparison ---- */

struct diff {
	char text[160];
	bool any;
};

static void differ(struct diff *d, const char *what, uint64_t native, uint64_t engine)
{
	if (!d->any)
		snprintf(d->text, sizeof(d->text), "%s native %llx engine %llx", what,
			 (unsigned long long)native, (unsigned long long)engine);
	d->any = true;
}

/* Bring an XSAVE image to canonical form: write out components in their initial state, clear x87 pointers,
 * which are the host's. */
static void canonical_fpu(struct xsave_image *x)
{
	if (!(x->xstate_bv & XCR0_X87)) {
		memset(x->st, 0, sizeof(x->st));
		x->fcw = FCW_INIT;
		x->fsw = x->ftw = 0;
	}
	if (!(x->xstate_bv & XCR0_SSE))
		memset(x->xmm, 0, sizeof(x->xmm));
	if (!(x->xstate_bv & XCR0_AVX))
		memset(x->ymmh, 0, sizeof(x->ymmh));
	x->pad1 = 0;
	memset(&x->fop, 0, offsetof(struct xsave_image, mxcsr) - offsetof(struct xsave_image, fop));
	for (unsigned i = 0; i < 8; i++)
		memset(x->st[i] + 10, 0, 6);
}

enum {
	ST_AT = offsetof(struct xsave_image, st),
	XMM_AT = offsetof(struct xsave_image, xmm),
	YMMH_AT = offsetof(struct xsave_image, ymmh),
};

/* Name byte I of an XSAVE image. */
static void name_fpu(char *buf, size_t n, unsigned i)
{
	unsigned at = i >= YMMH_AT ? YMMH_AT : i >= XMM_AT ? XMM_AT : ST_AT;

	if (i < ST_AT)
		snprintf(buf, n, "fxsave+%u", i);
	else
		snprintf(buf, n, "%s%u+%u",
			 at == YMMH_AT	? "ymmh"
			 : at == XMM_AT ? "xmm"
					: "st",
			 (i - at) / 16, i % 16);
}

/* Not ZMM8 to ZMM15, whose upper halves VZEROUPPER clears in host code; the same YMM registers are left out,
 * too. */
static void compare_wide(struct diff *d, struct avx512_image *a, struct avx512_image *b)
{
	unsigned i;
	char what[32];

	memset(a->zmmh[8], 0, sizeof(a->zmmh) / 2);
	memset(b->zmmh[8], 0, sizeof(b->zmmh) / 2);
	i = wide_differs(a, b);

	if (i == sizeof(*a))
		return;
	snprintf(what, sizeof(what), "AVX-512 image+%u", i);
	differ(d, what, ((const uint8_t *)a)[i], ((const uint8_t *)b)[i]);
}

static void compare_fpu(struct diff *d, unsigned loose, struct outcome *a, struct outcome *b)
{
	uint16_t x, y;
	char what[32];

	canonical_fpu(&a->st.fpu.x);
	canonical_fpu(&b->st.fpu.x);
	if (loose & LOOSE_MXCSR) {
		a->st.fpu.x.mxcsr &= ~MXCSR_FLAGS;
		b->st.fpu.x.mxcsr &= ~MXCSR_FLAGS;
	}
	for (unsigned i = 0; i < XSAVE_BYTES && !d->any; i += 2) {
		if (loose & LOOSE_TAGS && i < offsetof(struct xsave_image, mxcsr))
			continue;
		if ((i >= ST_AT - 4 && i < ST_AT) || (i >= XMM_AT + 8 * 16 && i < YMMH_AT) ||
		    i >= YMMH_AT + 8 * 16)
			continue; /* MXCSR mask, registers of 64-bit mode, header */
		memcpy(&x, a->st.fpu.b + i, 2);
		memcpy(&y, b->st.fpu.b + i, 2);
		name_fpu(what, sizeof(what), i);
		if (x != y)
			differ(d, what, x, y);
	}
	if (host_has_wide())
		compare_wide(d, &a->st.wide, &b->st.wide);
}

static bool skipped(const struct conform_case *c, unsigned loose, uint32_t a)
{
	return a - c->skip[0].addr < c->skip[0].len || a - c->skip[1].addr < c->skip[1].len ||
	       (loose & LOOSE_MEM && a - c->stored.addr < c->stored.len);
}

static void compare_memory(struct diff *d, const struct conform_case *c, unsigned loose, const uint8_t *a,
			   const uint8_t *b)
{
	if (memcmp(a, b, MEM_BYTES) == 0)
		return;
	for (unsigned i = 0; i < RGN_COUNT && !d->any; i++) {
		const struct region *r = &conform_regions[i];

		for (uint32_t o = 0; o < r->size && !d->any; o++) {
			char what[32];

			if (a[r->at + o] == b[r->at + o] || skipped(c, loose, r->addr + o))
				continue;
			snprintf(what, sizeof(what), "byte at %08x", r->addr + o);
			differ(d, what, a[r->at + o], b[r->at + o]);
		}
	}
}

static bool has_error_code(uint32_t v)
{
	return v == EXC_TS || (v >= EXC_NP && v <= EXC_PF) || v == EXC_AC;
}

/* The host's kernel returns by IRET, which clears the RPL of a null selector. */
static bool both_null(uint16_t a, uint16_t b)
{
	return !((a | b) & ~3);
}

static void compare(struct diff *d, const struct run *r, const struct conform_case *c, struct outcome *a,
		    struct outcome *b)
{
	uint32_t cr2_mask = ~0u, flag_mask = c->flag_mask;
	/* A call whose target faults is complete. */
	bool fault = a->vector != EXC_BP && !(c->loose & LOOSE_MEM && a->st.gpr[R_ESP] != c->st.gpr[R_ESP]);
	unsigned loose = fault ? c->loose : 0;

	/* Device memory: the reported byte of an operand across pages depends on the processor, because some
	 * operands are accessed in pieces. */
	if (r->opt.engine.mmio || loose & LOOSE_CR2)
		cr2_mask = ~(uint32_t)PAGE_MASK;
	*d = (struct diff){ 0 };
	if (a->vector != b->vector)
		differ(d, "vector", a->vector, b->vector);
	if (has_error_code(a->vector) && a->err != b->err)
		differ(d, "error code", a->err, b->err);
	if ((a->cr2 ^ b->cr2) & cr2_mask)
		differ(d, "cr2", a->cr2, b->cr2);
	if (a->st.eip != b->st.eip)
		differ(d, "eip", a->st.eip, b->st.eip);
	for (unsigned i = 0; i < 8; i++) {
		uint32_t undef = i == c->undef_reg ? c->undef_bits : 0;

		if (loose & LOOSE_REGS && i != R_ESP)
			continue;
		if ((a->st.gpr[i] ^ b->st.gpr[i]) & ~undef)
			differ(d, gpr_names[i], a->st.gpr[i], b->st.gpr[i]);
	}
	for (unsigned i = 0; i < SEG_COUNT; i++)
		if (a->st.seg[i] != b->st.seg[i] && !both_null(a->st.seg[i], b->st.seg[i]))
			differ(d, seg_names[i], a->st.seg[i], b->st.seg[i]);
	if (loose & LOOSE_FLAGS)
		flag_mask &= ~FL_ARITH;
	if ((a->st.eflags ^ b->st.eflags) & flag_mask)
		differ(d, "eflags", a->st.eflags & flag_mask, b->st.eflags & flag_mask);
	compare_fpu(d, loose, a, b);
	compare_memory(d, c, loose, a->mem, b->mem);
}

/* A known difference: under the engine, the pages of the guest's kernel exist. */
static bool in_kernel(const struct outcome *native, struct outcome *engine)
{
	if (native->vector != EXC_PF || engine->vector != EXC_PF || !engine_owns(engine->cr2) ||
	    native->err == engine->err)
		return false;
	engine->err &= ~1u;
	return true;
}

/* A known difference: a call with a bad target and no room on the stack. AMD's manual leaves the order open
 * and its processors push first; Intel's check the target first. */
static bool bad_call(const struct conform_case *c, const struct outcome *native, struct outcome *engine)
{
	if (strncmp(c->form, "call", 4) || native->vector != EXC_SS || engine->vector != EXC_GP)
		return false;
	engine->vector = EXC_SS;
	return true;
}

/* A known difference: of the two faults of an instruction, Intel's processors report that of its values:
 * BOUND with a bad upper half of its operand, VCVTPS2PH with a bad destination. */
static bool value_first(const struct conform_case *c, const struct outcome *native, struct outcome *engine)
{
	if (engine->vector != EXC_GP && engine->vector != EXC_SS && engine->vector != EXC_PF)
		return false;
	if (!(native->vector == EXC_BR && !strncmp(c->form, "bound", 5)) &&
	    !(native->vector == EXC_XM && !strncmp(c->form, "avx.f16cst", 10)))
		return false;
	engine->vector = native->vector;
	engine->err = engine->cr2 = 0;
	return true;
}

/* A known difference: a 32-bit PUSH of a segment register at the edge of the stack. Intel's processors store
 * 16 bits, AMD's and the engine 32. */
static bool segment_push(const struct conform_case *c, const struct outcome *native, struct outcome *engine)
{
	uint8_t *mem = engine->mem;

	if (strncmp(c->form, "push.edge (06)", 14) || native->vector != EXC_BP || engine->vector == EXC_BP)
		return false;
	memcpy(mem, native->mem, MEM_BYTES);
	*engine = *native;
	engine->mem = mem;
	return true;
}

/* A known difference: an access beyond 4 GiB. The engine emits no limit check for a segment that reaches that
 * far; its windows end in a guard. If the last page is not mapped, its fault comes first. On Intel's
 * processors such an access wraps, and the fault is always that of the page. No operating system places an
 * operand there.
 */
static bool beyond_4g(const struct outcome *native, struct outcome *engine)
{
	if (native->vector == EXC_PF && native->cr2 >= 0xffffffc0u &&
	    (engine->vector == EXC_GP || engine->vector == EXC_SS) && !engine->err) {
		engine->vector = EXC_PF;
		engine->err = native->err;
		engine->cr2 = native->cr2;
		return true;
	}
	if ((native->vector != EXC_GP && native->vector != EXC_SS) || native->err ||
	    engine->vector != EXC_PF || engine->cr2 < 0xffffffc0u)
		return false;
	engine->vector = native->vector;
	engine->err = engine->cr2 = 0;
	return true;
}

/* ---- report ---- */

static void disassemble(const struct run *r, const struct conform_case *c, char *buf, size_t n)
{
	cs_insn *insn = NULL;
	size_t k = cs_disasm(c->code16 ? r->cs16 : r->cs32, c->code, c->len, c->st.eip, 1, &insn);

	snprintf(buf, n, "%.20s %.70s", k ? insn->mnemonic : "?", k ? insn->op_str : "");
	if (k)
		cs_free(insn, k);
}

static void show_state(const char *title, const struct cpu_state *s)
{
	printf("#   %s eip %08x eflags %08x", title, s->eip, s->eflags);
	for (unsigned i = 0; i < 8; i++)
		printf(" %s %08x", gpr_names[i], s->gpr[i]);
	for (unsigned i = 0; i < SEG_COUNT; i++)
		printf(" %s %x", seg_names[i], s->seg[i]);
	putchar('\n');
}

static void report(struct run *r, const struct conform_case *c, const char *what, const struct outcome o[2])
{
	char text[96], hex[64] = "";

	for (unsigned i = 0; i < c->len && i < 20; i++)
		snprintf(hex + 3 * i, sizeof(hex) - 3 * i, "%02x ", c->code[i]);
	disassemble(r, c, text, sizeof(text));
	printf("# case %u: %s: %s: %s: %s\n", c->number, c->form, hex, text, what);
	if (!r->opt.verbose)
		return;
	show_state("before", &c->st);
	show_state("native", &o[0].st);
	show_state("engine", &o[1].st);
	printf("#   native vector %u error %x cr2 %x, engine vector %u error %x cr2 %x\n", o[0].vector,
	       o[0].err, o[0].cr2, o[1].vector, o[1].err, o[1].cr2);
}

/* ---- run ---- */

static void run_case(struct run *r, const struct conform_case *c)
{
	struct outcome o[2] = { { .mem = r->mem[1] }, { .mem = r->mem[2] } };
	bool ok = true;
	struct diff d;

	native_run(r->native, c, &o[0]);
	if (r->opt.native_only)
		native_run(r->native, c, &o[1]);
	else
		ok = engine_run(r->engine, c, &o[1]);
	r->cases++;
	r->ended[o[0].vector & 31]++;
	r->known += ok && (beyond_4g(&o[0], &o[1]) || in_kernel(&o[0], &o[1]) || bad_call(c, &o[0], &o[1]) ||
			   value_first(c, &o[0], &o[1]) || segment_push(c, &o[0], &o[1]));
	if (ok)
		compare(&d, r, c, &o[0], &o[1]);
	if (ok && !d.any)
		return;
	if (r->failed++ < r->opt.max_report)
		report(r, c, ok ? d.text : engine_error(r->engine), o);
}

static void run_all(struct run *r)
{
	struct conform_case c = { .mem = r->mem[0] };

	if (r->opt.only_case >= 0)
		gen_seek(r->gen, (unsigned)r->opt.only_case);
	while (gen_next(r->gen, &c)) {
		run_case(r, &c);
		if (r->opt.only_case >= 0)
			break;
	}
}

static int skip(const char *why)
{
	printf("1..0 # SKIP %s\n", why);
	return 77;
}

static int start(struct run *r)
{
	const char *why = NULL;
	char err[256] = "";

	for (unsigned i = 0; i < ARRAY_LEN(r->mem); i++)
		r->mem[i] = malloc(MEM_BYTES);
	r->native = native_new(&why);
	if (!r->native)
		return skip(why);
	if (!native_has_ldt(r->native))
		printf("# modify_ldt is not available: no 16-bit code and no based segments\n");
	r->engine = r->opt.native_only ? NULL : engine_new(&r->opt.engine, err, sizeof(err));
	if (!r->opt.native_only && !r->engine) {
		fprintf(stderr, "conformance: %s\n", err);
		return 1;
	}
	if (!native_find_foreign(r->native)) {
		fprintf(stderr, "conformance: too many mappings below 4 GiB\n");
		return 1;
	}
	cs_open(CS_ARCH_X86, CS_MODE_32, &r->cs32);
	cs_open(CS_ARCH_X86, CS_MODE_16, &r->cs16);
	r->gen = gen_new(r->opt.seed, r->opt.cases, native_has_ldt(r->native), r->opt.only);
	return 0;
}

static void finish(struct run *r)
{
	gen_free(r->gen);
	engine_free(r->engine);
	native_free(r->native);
	cs_close(&r->cs32);
	cs_close(&r->cs16);
	for (unsigned i = 0; i < ARRAY_LEN(r->mem); i++)
		free(r->mem[i]);
}

static const struct option long_options[] = {
	{ "seed", required_argument, NULL, 's' },
	{ "cases", required_argument, NULL, 'n' },
	{ "only", required_argument, NULL, 'o' },
	{ "case", required_argument, NULL, 'k' },
	{ "native", no_argument, NULL, 'N' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "report", required_argument, NULL, 'r' },
	{ "mmio", no_argument, NULL, 'm' },
	{ "no-verify", no_argument, NULL, 'V' },
	{ "no-chain", no_argument, NULL, 'c' },
	{ "tu-max", required_argument, NULL, 't' },
	{ "divide", no_argument, NULL, 'd' },
	{ "precheck", no_argument, NULL, 'l' },
	{ "soft", no_argument, NULL, 'S' },
	{ NULL, 0, NULL, 0 },
};

static bool parse(struct options *o, int argc, char **argv)
{
	int ch;

	*o = (struct options){ .seed = 1, .cases = 1, .max_report = 40, .only_case = -1 };
	while ((ch = getopt_long(argc, argv, "s:n:o:k:Nvr:mdlSct:V", long_options, NULL)) != -1) {
		switch (ch) {
		case 's':
			o->seed = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			o->cases = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'o':
			o->only = optarg;
			break;
		case 'k':
			o->only_case = strtol(optarg, NULL, 0);
			break;
		case 'N':
			o->native_only = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 'r':
			o->max_report = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'm':
			o->engine.mmio = true;
			break;
		case 'd':
			o->engine.divide = true;
			break;
		case 'l':
			o->engine.precheck = true;
			break;
		case 'S':
			o->engine.soft = true;
			break;
		case 'c':
			o->engine.no_chain = true;
			break;
		case 'V':
			o->engine.no_verify = true;
			break;
		case 't':
			o->engine.tu_max = (unsigned)strtoul(optarg, NULL, 0);
			break;
		default:
			return false;
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	struct run r = { 0 };
	int status;

	if (!parse(&r.opt, argc, argv))
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(600); /* against a case that never ends */
	status = start(&r);
	if (status)
		return status;
	run_all(&r);
	printf("# ended by:");
	for (unsigned i = 0; i < ARRAY_LEN(r.ended); i++)
		if (r.ended[i])
			printf(" vector %u: %u", i, r.ended[i]);
	printf("\n# conformance: %u forms, %u cases, %u failed, %u known differences\n", gen_forms(r.gen),
	       r.cases, r.failed, r.known);
	printf("1..%d\n%s 1 - instructions behave as on the host CPU\n",
	       1 + (r.opt.engine.divide | r.opt.engine.precheck | r.opt.engine.soft),
	       r.failed ? "not ok" : "ok");
	if (r.opt.engine.precheck) {
		uint64_t n = engine_bypasses(r.engine);

		printf("%s 2 - accesses are bypassed (%llu)\n", n ? "ok" : "not ok", (unsigned long long)n);
		r.failed += !n;
	}
	if (r.opt.engine.soft) {
		uint64_t n = engine_softs(r.engine);

		printf("%s 2 - pages are soft (%llu)\n", n ? "ok" : "not ok", (unsigned long long)n);
		r.failed += !n;
	}
	if (r.opt.engine.divide) {
		uint64_t n = engine_divide_callouts(r.engine);

		printf("%s 2 - divide errors are found by callouts (%llu)\n", n ? "ok" : "not ok",
		       (unsigned long long)n);
		r.failed += !n;
	}
	finish(&r);
	return r.failed != 0;
}

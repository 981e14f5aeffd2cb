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

#include "tests/conform/rows.h"
#include "tests/long/long.h"

struct options {
	uint64_t seed;
	unsigned cases, max_report;
	long only_case;
	const char *only;
	bool native_only, verbose, strict;
	struct engine_options engine;
};

struct run {
	struct options opt;
	struct native *native;
	struct engine *engine;
	struct gen *gen;
	csh cs;
	unsigned cases, failed, known, ended[32];
	uint8_t *coverage; /* by row */
	uint8_t *mem[2];
};

static const char *const gpr_names[REGS] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
					     "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };
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

static void compare_wide(struct diff *d, struct avx512_image *a, struct avx512_image *b)
{
	unsigned i = wide_differs(a, b);
	char what[32];

	if (i == sizeof(*a))
		return;
	if (i < offsetof(struct avx512_image, zmmh))
		snprintf(what, sizeof(what), "k%u+%u", (i - 576) / 8, i % 8);
	else if (i < offsetof(struct avx512_image, zmm16))
		snprintf(what, sizeof(what), "zmm%u+%u", (i - 640) / 32, 32 + i % 32);
	else
		snprintf(what, sizeof(what), "zmm%u+%u", 16 + (i - 1152) / 64, i % 64);
	differ(d, what, ((const uint8_t *)a)[i], ((const uint8_t *)b)[i]);
}

static void compare_fpu(struct diff *d, const struct long_case *c, struct outcome *a, struct outcome *b)
{
	bool loose = c->loose_tags && a->vector != EXC_BP;
	uint16_t x, y;
	char what[32];

	canonical_fpu(&a->st.fpu.x);
	canonical_fpu(&b->st.fpu.x);
	if (c->loose_mxcsr && a->vector != EXC_BP) {
		a->st.fpu.x.mxcsr &= ~MXCSR_FLAGS;
		b->st.fpu.x.mxcsr &= ~MXCSR_FLAGS;
	}
	for (unsigned i = 0; i < XSAVE_BYTES && !d->any; i += 2) {
		if (loose && i < offsetof(struct xsave_image, mxcsr))
			continue;
		if ((i >= ST_AT - 4 && i < ST_AT) || (i >= XMM_AT + REGS * 16 && i < YMMH_AT))
			continue; /* MXCSR mask, header */
		memcpy(&x, a->st.fpu.b + i, 2);
		memcpy(&y, b->st.fpu.b + i, 2);
		name_fpu(what, sizeof(what), i);
		if (x != y)
			differ(d, what, x, y);
	}
	if (host_has_wide())
		compare_wide(d, &a->st.wide, &b->st.wide);
}

/* A call to an address that is not canonical: Intel's processors have written the return address. */
static bool is_pushed(const struct long_case *c, const struct outcome *native, uint64_t a)
{
	return native->vector == EXC_GP && strncmp(c->form, "call", 4) == 0 && a - (c->st.gpr[R_ESP] - 8) < 8;
}

static bool skipped(const struct long_case *c, const struct outcome *native, uint64_t a)
{
	return a - c->skip[0].addr < c->skip[0].len || a - c->skip[1].addr < c->skip[1].len ||
	       is_pushed(c, native, a);
}

static void compare_memory(struct diff *d, const struct long_case *c, const struct outcome *native,
			   const uint8_t *b)
{
	const uint8_t *a = native->mem;

	if (memcmp(a, b, MEM_BYTES) == 0)
		return;
	for (unsigned i = 0; i < RGN_COUNT && !d->any; i++) {
		const struct region *r = &long_regions[i];

		for (uint32_t o = 0; o < r->size && !d->any; o++) {
			char what[32];

			if (a[r->at + o] == b[r->at + o] || skipped(c, native, r->addr + o))
				continue;
			snprintf(what, sizeof(what), "byte at %llx", (unsigned long long)(r->addr + o));
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

/* The host's kernel hides which pages exist behind the last of user space. */
static uint32_t error_of(const struct outcome *o)
{
	return o->vector == EXC_PF && o->cr2 >= 0x7ffffffff000u ? o->err | 1 : o->err;
}

static void compare(struct diff *d, const struct run *r, const struct long_case *c, struct outcome *a,
		    struct outcome *b)
{
	/* Device memory: the reported byte of an operand across pages depends on the processor, because some
	 * operands are accessed in pieces. */
	uint64_t cr2_mask = r->opt.engine.mmio ? ~(uint64_t)PAGE_MASK : ~0ull, flag_mask = c->flag_mask;

	bool kernel = r->opt.engine.kernel;

	*d = (struct diff){ 0 };
	if (a->vector != b->vector)
		differ(d, "vector", a->vector, b->vector);
	if (has_error_code(a->vector) && (error_of(a) ^ error_of(b)) & ~(kernel ? 4u : 0u))
		differ(d, "error code", a->err, b->err);
	if ((a->cr2 ^ b->cr2) & cr2_mask && a->cr2 - b->cr2 + c->cr2_slack > 2ull * c->cr2_slack)
		differ(d, "cr2", a->cr2, b->cr2);
	if (a->st.rip != b->st.rip)
		differ(d, "rip", a->st.rip, b->st.rip);
	for (unsigned i = 0; i < REGS; i++) {
		uint64_t undef = i == c->undef_reg ? c->undef_bits : 0;

		if (c->low_index && (i == R_ECX || i == R_ESI || i == R_EDI))
			undef = ~0ull << 32;

		if ((a->st.gpr[i] ^ b->st.gpr[i]) & ~undef)
			differ(d, gpr_names[i], a->st.gpr[i], b->st.gpr[i]);
	}
	for (unsigned i = 0; i < SEG_COUNT; i++)
		if (!(kernel && (i == SEG_CS || i == SEG_SS)) && a->st.seg[i] != b->st.seg[i] &&
		    !both_null(a->st.seg[i], b->st.seg[i]))
			differ(d, seg_names[i], a->st.seg[i], b->st.seg[i]);
	if (a->st.fs_base != b->st.fs_base)
		differ(d, "fs_base", a->st.fs_base, b->st.fs_base);
	if (a->st.gs_base != b->st.gs_base)
		differ(d, "gs_base", a->st.gs_base, b->st.gs_base);
	if (c->loose_flags && a->vector != EXC_BP)
		flag_mask &= ~(uint64_t)FL_ARITH;
	if ((a->st.rflags ^ b->st.rflags) & flag_mask)
		differ(d, "rflags", a->st.rflags & flag_mask, b->st.rflags & flag_mask);
	compare_fpu(d, c, a, b);
	compare_memory(d, c, a, b->mem);
}

/* ---- known differences ---- */

static bool is_row(const struct long_case *c, const char *name)
{
	return strncmp(c->form, name, strlen(name)) == 0;
}

/* The instruction is none, and its last byte has no page. */
static bool fetch(const struct outcome *native, const struct outcome *engine)
{
	return native->vector == EXC_PF && (native->err & 0x10) && engine->vector == EXC_UD;
}

/* An operand on the stack that wants an alignment, or a reserved bit in it, and an address that is not
 * canonical: the engine reports one for the other. */
static bool stack_operand(const struct long_case *c, const struct outcome *native,
			  const struct outcome *engine)
{
	return native->vector + engine->vector == EXC_SS + EXC_GP && (c->misaligned || is_row(c, "ldmxcsr"));
}

/* Both operands of a comparison of strings fault: Intel's processors read the second one first. */
static bool other_operand(const struct long_case *c, const struct outcome *native,
			  const struct outcome *engine)
{
	return native->vector == EXC_PF && (engine->vector == EXC_GP || engine->vector == EXC_PF) &&
	       (is_row(c, "cmps") || is_row(c, "rep.cmps"));
}

/* A transfer to an address that is not canonical, by way of the dispatcher: the fault is the fetch's. */
static bool far_target(const struct outcome *native, const struct outcome *engine)
{
	return native->vector == EXC_GP && engine->vector == EXC_PF && engine->st.rip == engine->cr2 &&
	       !cpu_canonical(engine->cr2);
}

/* No byte of MASKMOVQ's is selected: whether it faults depends on the processor (SDM vol. 2B, MASKMOVQ). */
static bool nothing_masked(const struct long_case *c, const struct outcome *native,
			   const struct outcome *engine)
{
	return is_row(c, "mmx.maskmovq") && native->vector == EXC_PF && engine->vector == EXC_BP;
}

/* Of two faults of a conversion on its way to memory either may come first. */
static bool other_fault(const struct long_case *c, const struct outcome *native, const struct outcome *engine)
{
	return is_row(c, "avx.f16cst") && native->vector + engine->vector == EXC_XM + EXC_PF;
}

static bool is_known(const struct long_case *c, const struct outcome *native, const struct outcome *engine)
{
	return far_target(native, engine) || fetch(native, engine) || stack_operand(c, native, engine) ||
	       other_operand(c, native, engine) || nothing_masked(c, native, engine) ||
	       other_fault(c, native, engine);
}

/* ---- report ---- */

static void disassemble(const struct run *r, const struct long_case *c, char *buf, size_t n)
{
	cs_insn *insn = NULL;
	size_t k = cs_disasm(r->cs, c->code, c->len, c->st.rip, 1, &insn);

	snprintf(buf, n, "%.20s %.70s", k ? insn->mnemonic : "?", k ? insn->op_str : "");
	if (k)
		cs_free(insn, k);
}

static void show_state(const char *title, const struct long_state *s)
{
	printf("#   %s rip %llx rflags %llx fs %llx gs %llx", title, (unsigned long long)s->rip,
	       (unsigned long long)s->rflags, (unsigned long long)s->fs_base, (unsigned long long)s->gs_base);
	for (unsigned i = 0; i < REGS; i++)
		printf(" %s %llx", gpr_names[i], (unsigned long long)s->gpr[i]);
	for (unsigned i = 0; i < SEG_COUNT; i++)
		printf(" %s %x", seg_names[i], s->seg[i]);
	putchar('\n');
}

static void report(struct run *r, const struct long_case *c, const char *what, const struct outcome o[2])
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
	printf("#   native vector %u error %x cr2 %llx, engine vector %u error %x cr2 %llx\n", o[0].vector,
	       o[0].err, (unsigned long long)o[0].cr2, o[1].vector, o[1].err, (unsigned long long)o[1].cr2);
}

/* ---- run ---- */

/* Instructions that CPL 0 may, or does otherwise. */
static bool is_privileged(const struct long_case *c)
{
	static const char *const rows[] = { "priv",   "io",	  "ins-outs", "mov.cr",	     "mov.dr", "lgdt",
					    "lldt",   "popf",	  "mov.to",   "mov.fromseg", "lar",    "verr",
					    "pop.fs", "push.seg", "int",      "pop.edge",    "clflush" };

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (is_row(c, rows[i]))
			return true;
	return false;
}

/* Was a row tried, and was there a case that did not fault? */
enum { RAN = 1, FINISHED = 2 };

static uint8_t *coverage_of(struct run *r, const struct form_row *row)
{
	return &r->coverage[row - gen_row(0)];
}

static void list_rows(struct run *r, const char *title, uint8_t wanted)
{
	const struct form_row *row;
	unsigned n = 0;

	for (unsigned i = 0; (row = gen_row(i)); i++)
		n += *coverage_of(r, row) == wanted;
	printf("# %u rows %s%s", n, title, wanted & FINISHED ? "" : ":");
	for (unsigned i = 0; (row = gen_row(i)) && !(wanted & FINISHED); i++)
		if (*coverage_of(r, row) == wanted)
			printf(" %s", row->name);
	printf("\n");
}

/* Say which rows of the table had no case that did what the instruction does. */
static void show_coverage(struct run *r)
{
	list_rows(r, "executed", RAN | FINISHED);
	list_rows(r, "raised an exception in each case, as on the host", RAN);
	list_rows(r, "not tried, which are other instructions in 64-bit mode or may leave it", 0);
}

static void run_case(struct run *r, const struct long_case *c)
{
	struct outcome o[2] = { { .mem = r->mem[0] }, { .mem = r->mem[1] } };
	bool ok = true;
	struct diff d;

	if (r->opt.engine.kernel && is_privileged(c))
		return;
	native_run(r->native, c, &o[0]);
	if (r->opt.native_only)
		native_run(r->native, c, &o[1]);
	else
		ok = engine_run(r->engine, c, &o[1]);
	r->cases++;
	r->ended[o[0].vector & 31]++;
	*coverage_of(r, c->row) |= o[0].vector == EXC_BP ? RAN | FINISHED : RAN;
	if (ok)
		compare(&d, r, c, &o[0], &o[1]);
	if (ok && !d.any)
		return;
	if (ok && !r->opt.strict && is_known(c, &o[0], &o[1])) {
		r->known++;
		return;
	}
	if (r->failed++ < r->opt.max_report)
		report(r, c, ok ? d.text : engine_error(r->engine), o);
}

static void run_all(struct run *r)
{
	struct long_case c;

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
	r->engine = r->opt.native_only ? NULL : engine_new(&r->opt.engine, err, sizeof(err));
	if (!r->opt.native_only && !r->engine) {
		fprintf(stderr, "conformance: %s\n", err);
		return 1;
	}
	cs_open(CS_ARCH_X86, CS_MODE_64, &r->cs);
	r->gen = gen_new(r->opt.seed, r->opt.cases, r->opt.only);
	for (unsigned i = 0; gen_row(i); i++)
		r->coverage = realloc(r->coverage, i + 1), r->coverage[i] = 0;
	return 0;
}

static void finish(struct run *r)
{
	free(r->coverage);
	gen_free(r->gen);
	engine_free(r->engine);
	native_free(r->native);
	cs_close(&r->cs);
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
	{ "strict", no_argument, NULL, 'x' }, /* known differences are failures */
	{ "mmio", no_argument, NULL, 'm' },
	{ "kernel", no_argument, NULL, 'K' },
	{ "no-verify", no_argument, NULL, 'V' },
	{ "no-chain", no_argument, NULL, 'c' },
	{ "tu-max", required_argument, NULL, 't' },
	{ "device", no_argument, NULL, 'D' }, /* as mmio, and sites are promoted at once */
	{ "divide", no_argument, NULL, 'd' },
	{ "precheck", no_argument, NULL, 'l' },
	{ "soft", no_argument, NULL, 'S' },
	{ NULL, 0, NULL, 0 },
};

static bool parse(struct options *o, int argc, char **argv)
{
	int ch;

	*o = (struct options){ .seed = 1, .cases = 8, .max_report = 40, .only_case = -1 };
	while ((ch = getopt_long(argc, argv, "s:n:o:k:Nvr:xmKDdlSct:V", long_options, NULL)) != -1) {
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
		case 'x':
			o->strict = true;
			break;
		case 'K':
			o->engine.kernel = true;
			break;
		case 'm':
			o->engine.mmio = true;
			break;
		case 'D':
			o->engine.device = true;
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

/* 32-bit addresses of cases would be the sanitizers' memory. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#else
#define SANITIZED false
#endif

int main(int argc, char **argv)
{
	struct run r = { 0 };
	int status;

	if (!parse(&r.opt, argc, argv))
		return 2;
	if (SANITIZED) {
		printf("1..0 # SKIP sanitizers have memory where the cases have none\n");
		return 0;
	}
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
	printf("\n# 64-bit conformance: %u encodings, %u cases, %u failed, %u known differences\n",
	       gen_encodings(r.gen), r.cases, r.failed, r.known);
	show_coverage(&r);
	if (r.opt.engine.device || r.opt.engine.divide) {
		printf("# %llu callouts of promoted sites\n", (unsigned long long)engine_callouts(r.engine));
		r.failed += !engine_callouts(r.engine);
	}
	printf("1..1\n%s 1 - 64-bit instructions behave as on the host CPU\n", r.failed ? "not ok" : "ok");
	finish(&r);
	return r.failed != 0;
}

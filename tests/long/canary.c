/* SPDX-License-Identifier: GPL-3.0-or-later
 * Soundness of the probe, end to end: 64-bit code with any register values reaches nothing but the guest's
 * memory.
 *
 * The cases are conformance's (gen.c), but most registers hold what leads elsewhere: addresses of canaries,
 * of the monitor's own objects, of the edges of regions, of no region, of nothing; as guest addresses and
 * displaced. Canaries are memory of this process. Each case runs while they have one content, and again while
 * they have another: what was read would make the outcomes differ, what was written is seen.
 *
 * The rest of the host's address space is made to look readable: a probe that reads where nothing is mapped
 * gets a byte, and any other access there is an escape. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "bt/state/vcpu.h"
#include "tests/long/gen.h"

enum { BLOCKS = 48, BLOCK_BYTES = 1 << 20, BATCH = 256, NEARBY = 64 };

struct canaries {
	uint8_t *block[BLOCKS];
	int fd[2]; /* the two contents */
};

struct run {
	struct engine *engine;
	const struct bt_vcpu *b;
	struct gen *gen;
	struct canaries canaries;
	uint64_t rng;
	struct first {
		uint64_t hash, rip, cr2;
		uint32_t vector, err;
		struct long_state st; /* before */
	} * first;		      /* of a batch */
	uint8_t *mem;
	unsigned cases, failed, ended[32];
};

/* ---- the rest of the host's address space ---- */

static struct run *running;
static struct sigaction engines;
static volatile unsigned probes_let, escapes;
static volatile uint64_t escape_at, escape_rip;

static bool is_mapped(uint64_t a)
{
	return !msync((void *)(a & ~(uint64_t)PAGE_MASK), PAGE_SIZE, MS_ASYNC) || errno != ENOMEM;
}

/* movzx r32, byte [base + the same register - 20], or without displacement; its length, or 0. */
static unsigned probe_length(const uint8_t *p, unsigned *reg)
{
	if ((p[0] & 0xf9) != 0x41 || p[1] != 0x0f || p[2] != 0xb6 || (p[3] & 7) != 4)
		return 0;
	*reg = (p[3] >> 3 & 7) + (p[0] & 4 ? 8 : 0);
	if ((p[4] >> 3 & 7) + (p[0] & 2 ? 8u : 0) != *reg || p[4] >> 6)
		return 0;
	return p[3] >> 6 == 0 ? 5 : p[3] >> 6 == 1 && p[5] == 0xec ? 6 : 0;
}

static void on_fault(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;
	greg_t *g = uc->uc_mcontext.gregs;
	uint64_t addr = (uint64_t)si->si_addr, rip = (uint64_t)g[REG_RIP];
	int saved = errno;
	unsigned reg, n;

	if (si->si_code == SEGV_MAPERR && !(addr >> 47) && rip - running->b->tc_base < running->b->tc.size &&
	    !is_mapped(addr)) {
		n = probe_length((const uint8_t *)rip, &reg);
		if (n && reg >= 8) {
			probes_let++;
			g[REG_R8 + (int)reg - 8] = 0x5a;
			g[REG_RIP] += n;
			errno = saved;
			return;
		}
		escapes++;
		escape_at = addr;
		escape_rip = rip;
	}
	errno = saved;
	engines.sa_sigaction(sig, si, ctx);
}

static void watch_faults(struct run *r)
{
	struct sigaction mine;

	running = r;
	sigaction(SIGSEGV, NULL, &engines);
	mine = engines;
	mine.sa_sigaction = on_fault;
	sigaction(SIGSEGV, &mine, NULL);
}

/* ---- canaries ---- */

static uint8_t pattern(unsigned which, unsigned at)
{
	return (uint8_t)(which ? 0xa5 + 3 * at : 0x5a - 7 * at);
}

static bool make_canaries(struct canaries *c)
{
	for (unsigned w = 0; w < 2; w++) {
		uint8_t *p;

		c->fd[w] = memfd_create("canary", 0);
		if (c->fd[w] < 0 || ftruncate(c->fd[w], BLOCK_BYTES))
			return false;
		p = mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd[w], 0);
		if (p == MAP_FAILED)
			return false;
		for (unsigned i = 0; i < BLOCK_BYTES; i++)
			p[i] = pattern(w, i);
		munmap(p, BLOCK_BYTES);
	}
	return true;
}

static bool take(struct run *r, unsigned i, void *at)
{
	uint8_t *p = mmap(at, BLOCK_BYTES, PROT_READ | PROT_WRITE,
			  MAP_SHARED | (at ? MAP_FIXED_NOREPLACE : 0), r->canaries.fd[0], 0);

	if (p == MAP_FAILED)
		return false;
	r->canaries.block[i] = p;
	return true;
}

/* A third where mmap() puts them, beside the monitor's memory; the others anywhere. */
static bool place_canaries(struct run *r)
{
	for (unsigned i = 0; i < BLOCKS; i++) {
		bool placed = i < BLOCKS / 3 && take(r, i, NULL);

		for (unsigned tries = 0; !placed && tries < 1000; tries++)
			placed = take(r, i, (void *)(rng_next(&r->rng) & 0x7ffffff00000u));
		if (!placed)
			return false;
	}
	return true;
}

static void show_content(struct run *r, unsigned which)
{
	for (unsigned i = 0; i < BLOCKS; i++)
		if (mmap(r->canaries.block[i], BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			 r->canaries.fd[which], 0) == MAP_FAILED)
			abort();
}

/* All blocks are the same memory. */
static bool is_intact(const struct run *r, unsigned which)
{
	for (unsigned i = 0; i < BLOCK_BYTES; i++)
		if (r->canaries.block[0][i] != pattern(which, i))
			return false;
	return true;
}

/* ---- registers ---- */

static uint64_t displacement(struct run *r)
{
	const struct bt_vcpu *b = r->b;
	uint64_t d[3] = { b->space.d, b->parts[0].d[rng_next(&r->rng) & 255],
			  b->parts[1].d[rng_next(&r->rng) & 255] };

	return d[rng_next(&r->rng) % 3];
}

/* An address of this process. */
static uint64_t host_address(struct run *r)
{
	const struct bt_vcpu *b = r->b;
	uint64_t own[] = {
		(uint64_t)b,	  (uint64_t)b->tc.rw, b->tc_base,	  (uint64_t)r,
		(uint64_t)r->gen, (uint64_t)&own,     (uint64_t)&running, (uint64_t)host_address,
		b->space.v,	  b->space.vt,	      b->jt_live,	  (uint64_t)b->guard.trap_page
	};
	uint64_t n = rng_next(&r->rng);

	if (n & 3)
		return (uint64_t)r->canaries.block[(n >> 8) % BLOCKS] + (n >> 20) % BLOCK_BYTES;
	return own[(n >> 8) % ARRAY_LEN(own)] + (n >> 20) % 256;
}

static uint64_t near_region(struct run *r)
{
	static const int64_t off[] = { 0,	   1ll << 31,  -(1ll << 31),  1ll << 32,  -(1ll << 32),
				       34ll << 30, 36ll << 30, -(36ll << 30), 40ll << 30, -(18ll << 30) };
	uint64_t n = rng_next(&r->rng);

	return long_regions[n % RGN_COUNT].addr + (uint64_t)off[(n >> 8) % ARRAY_LEN(off)] +
	       (n >> 16) % 8192 - 4096;
}

static uint64_t hostile_value(struct run *r)
{
	uint64_t n = rng_next(&r->rng);

	switch (n >> 8 & 7) {
	case 0:
		return n;
	case 1:
		return (uint64_t)((int64_t)(n << 16) >> 16); /* canonical */
	case 2:
		return (uint32_t)n;
	case 3:
		return 0x7fffffffffff + (n >> 16 & 1) * 0xffff000000000000u - 64 + (n >> 17) % 128;
	case 4:
		return near_region(r);
	case 5:
		return host_address(r) + (n & 1 ? displacement(r) : 0);
	default:
		return host_address(r) - displacement(r);
	}
}

/* What was solved for the operand remains in some registers. */
static void make_hostile(struct run *r, struct long_case *c)
{
	uint64_t n = rng_next(&r->rng);

	r->rng = n ^ c->number;
	for (unsigned i = 0; i < REGS; i++)
		if (n >> i & 1 || n >> (16 + i) & 1)
			if (i != R_ESP || (n >> 40 & 3) == 0)
				c->st.gpr[i] = hostile_value(r);
	if ((n >> 48 & 7) == 0)
		c->st.fs_base = (uint64_t)((int64_t)(hostile_value(r) << 16) >> 16);
	if ((n >> 52 & 7) == 0)
		c->st.gs_base = (uint64_t)((int64_t)(hostile_value(r) << 16) >> 16);
	if ((n >> 56 & 3) == 0)
		c->st.rflags ^= FL_DF;
}

/* ---- runs ---- */

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i + 8 <= n; i += 8) {
		uint64_t v;

		memcpy(&v, b + i, 8);
		h = (h ^ v) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	return h;
}

static uint64_t hash(const struct long_case *c, struct outcome *o)
{
	struct xsave_image *x = &o->st.fpu.x;
	uint64_t h = o->vector,
		 f[] = { o->st.rip, o->st.rflags, o->st.fs_base, o->st.gs_base, o->err, o->cr2 };

	h = mix(h, f, sizeof(f));
	h = mix(h, o->st.gpr, sizeof(o->st.gpr));
	h = mix(h, x->st, sizeof(x->st) + sizeof(x->xmm));
	h = mix(h, x->ymmh, sizeof(x->ymmh));
	if (host_has_wide()) {
		avx512_expand(&o->st.wide);
		h = mix(h, o->st.wide.k, sizeof(o->st.wide) - offsetof(struct avx512_image, k));
	}
	return c->row->attr & A_FPTRS ? h : mix(h, o->mem, MEM_BYTES); /* pointers of code before */
}

static bool is_row(const struct long_case *c, const char *name)
{
	return strncmp(c->form, name, strlen(name)) == 0;
}

/* Instructions that differ from run to run, or leave the case at CPL 0. */
static bool is_left_out(const struct long_case *c, bool kernel)
{
	static const char *const varied[] = { "rdtsc", "rdrand", "rdseed", "rdpid" };
	static const char *const rows[] = { "priv",   "io",	  "ins-outs", "mov.cr",	     "mov.dr", "lgdt",
					    "lldt",   "popf",	  "mov.to",   "mov.fromseg", "lar",    "verr",
					    "pop.fs", "push.seg", "int",      "pop.edge",    "clflush" };

	for (unsigned i = 0; i < ARRAY_LEN(varied); i++)
		if (is_row(c, varied[i]))
			return true;
	for (unsigned i = 0; i < ARRAY_LEN(rows) && kernel; i++)
		if (is_row(c, rows[i]))
			return true;
	return false;
}

/* Both operands of a comparison of strings fault. */
static bool other_operand(const struct long_case *c, uint32_t a, uint32_t b)
{
	return (is_row(c, "cmps") || is_row(c, "rep.cmps")) && a != EXC_BP && b != EXC_BP;
}

static void report(struct run *r, const struct long_case *c, const char *what)
{
	if (r->failed++ >= 20)
		return;
	printf("# case %u: %s:", c->number, c->form);
	for (unsigned i = 0; i < c->len; i++)
		printf(" %02x", c->code[i]);
	printf(": %s\n#  ", what);
	for (unsigned i = 0; i < REGS; i++)
		printf(" %llx", (unsigned long long)c->st.gpr[i]);
	printf(" fs %llx gs %llx d %llx\n", (unsigned long long)c->st.fs_base,
	       (unsigned long long)c->st.gs_base, (unsigned long long)r->b->space.d);
}

static void run_case(struct run *r, struct long_case *c, unsigned pass, unsigned i)
{
	struct outcome o = { .mem = r->mem };
	unsigned before = escapes;
	uint64_t h;

	if (!engine_run(r->engine, c, &o)) {
		report(r, c, engine_error(r->engine));
		return;
	}
	h = hash(c, &o);
	if (escapes != before) {
		char text[96];

		snprintf(text, sizeof(text), "host code at %llx accessed %llx",
			 (unsigned long long)escape_rip, (unsigned long long)escape_at);
		report(r, c, text);
	}
	if (!pass) {
		r->first[i] = (struct first){ h, o.st.rip, o.cr2, o.vector, o.err, r->first[i].st };
		r->cases++;
		r->ended[o.vector & 31]++;
	} else if (h != r->first[i].hash && !other_operand(c, r->first[i].vector, o.vector)) {
		const struct first *f = &r->first[i];

		report(r, c, "another outcome with other canaries");
		printf("#   vector %u error %x cr2 %llx rip %llx, then %u %x %llx %llx\n", f->vector, f->err,
		       (unsigned long long)f->cr2, (unsigned long long)f->rip, o.vector, o.err,
		       (unsigned long long)o.cr2, (unsigned long long)o.st.rip);
	}
}

/* Run the cases from NUMBER on with both contents. False: there are no more. */
static bool run_batch(struct run *r, unsigned number, bool kernel)
{
	bool more = true;

	for (unsigned pass = 0; pass < 2; pass++) {
		struct long_case c = { 0 };

		show_content(r, pass);
		gen_seek(r->gen, number);
		for (unsigned i = 0; i < BATCH && (more = gen_next(r->gen, &c)); i++) {
			if (!pass)
				make_hostile(r, &c);
			else
				c.st = r->first[i].st;
			r->first[i].st = c.st;
			if (!is_left_out(&c, kernel))
				run_case(r, &c, pass, i);
		}
		if (!is_intact(r, pass))
			report(r, &c, "a canary was written, in this case or one before");
	}
	return more;
}

/* ---- options ---- */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct options {
	uint64_t seed;
	unsigned cases, seconds;
	const char *only, *mode;
};

static bool prepare(struct run *r, const struct options *o, const struct engine_options *e)
{
	char err[160];

	r->rng = o->seed * 0x9e3779b97f4a7c15u;
	r->engine = engine_new(e, err, sizeof(err));
	r->gen = gen_new(o->seed, o->cases, o->only);
	if (!r->engine || !make_canaries(&r->canaries) || !place_canaries(r)) {
		printf("# not to be had: %s\n", r->engine ? "memory" : err);
		return false;
	}
	r->b = engine_vcpu(r->engine);
	r->mem = malloc(MEM_BYTES);
	r->first = calloc(BATCH, sizeof(*r->first));
	return r->mem && r->first;
}

/* All cases with one engine. */
static void one(unsigned n, const char *name, const struct options *o, const struct engine_options *e)
{
	double end = now() + o->seconds;
	struct run r = { 0 };
	unsigned number = 0;

	escapes = probes_let = 0;
	if (!prepare(&r, o, e)) {
		printf("not ok %u - %s\n", n, name);
		return;
	}
	watch_faults(&r);
	while (run_batch(&r, number, e->kernel) && (!o->seconds || now() < end) && r.failed < 20)
		number += BATCH;
	sigaction(SIGSEGV, &engines, NULL);
	printf("# %s: %u cases, %u probes of what is not mapped; ended by:", name, r.cases, probes_let);
	for (unsigned i = 0; i < ARRAY_LEN(r.ended); i++)
		if (r.ended[i])
			printf(" vector %u: %u", i, r.ended[i]);
	printf("\n%s %u - %s: no canary is read or written\n", r.failed ? "not ok" : "ok", n, name);
	for (unsigned i = 0; i < BLOCKS; i++)
		munmap(r.canaries.block[i], BLOCK_BYTES);
	close(r.canaries.fd[0]);
	close(r.canaries.fd[1]);
	gen_free(r.gen);
	engine_free(r.engine);
	free(r.first);
	free(r.mem);
}

static bool parse(struct options *o, int argc, char **argv)
{
	int ch;

	*o = (struct options){ .seed = 1, .cases = 3 };
	while ((ch = getopt(argc, argv, "s:n:o:t:m:")) != -1) {
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
		case 'm':
			o->mode = optarg;
			break;
		case 't':
			o->seconds = (unsigned)strtoul(optarg, NULL, 0);
			o->cases = 1u << 20;
			break;
		default:
			return false;
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		struct engine_options e;
	} runs[] = {
		{ "user code", { .no_verify = true } },
		{ "kernel code", { .no_verify = true, .kernel = true } },
		{ "single instructions", { .no_verify = true, .tu_max = 1 } },
	};
	struct options o;

	if (!parse(&o, argc, argv))
		return 2;
#ifdef __SANITIZE_ADDRESS__
	printf("1..0 # SKIP sanitizers have memory where the cases have none\n");
	return 0;
#endif
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%zu\n", ARRAY_LEN(runs));
	for (unsigned i = 0; i < ARRAY_LEN(runs); i++)
		if (!o.mode || !strcmp(o.mode, runs[i].name))
			one(i + 1, runs[i].name, &o, &runs[i].e);
	return 0;
}

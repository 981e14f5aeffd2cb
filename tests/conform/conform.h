/* SPDX-License-Identifier: GPL-3.0-or-later
 * Conformance suite: executes the same bytes from the same state on the host CPU in compatibility mode
 * (native.c) and under the engine (engine.c).
 *
 * gen.c turns the rows of forms.def into forms and cases; main.c compares the outcomes. Both sides use the
 * same linear addresses, selectors and descriptors, at CPL 3, so results are compared directly. */
#ifndef TESTS_CONFORM_H
#define TESTS_CONFORM_H
#include "x86/cpu.h"

/* Memory: name, linear address, pages, writable, executable. Everything else is unmapped. */
#define CONFORM_REGIONS(X)                                                                                   \
	X(LOW, 0x00004000, 4, 1, 0)                                                                          \
	X(LOWRO, 0x00008000, 1, 0, 0)                                                                        \
	X(CODE, 0x10000000, 2, 1, 1)                                                                         \
	X(HIGH, 0x20000000, 4, 1, 0)                                                                         \
	X(HIGHRO, 0x20004000, 1, 0, 0)                                                                       \
	X(STACK, 0x30000000, 3, 1, 0)

enum region_id {
#define X(name, addr, pages, w, x) RGN_##name,
	CONFORM_REGIONS(X)
#undef X
	    RGN_COUNT
};

enum {
#define X(name, addr, pages, w, x) RGN_##name##_ADDR = addr, RGN_##name##_SIZE = (pages)*4096,
	CONFORM_REGIONS(X)
#undef X
#define X(name, addr, pages, w, x) +(pages)*4096
	    MEM_BYTES = 0 CONFORM_REGIONS(X)
#undef X
};

struct region {
	const char *name;
	uint32_t addr, size;
	bool write, exec;
	uint32_t at; /* offset in a memory image */
};
extern const struct region conform_regions[RGN_COUNT];

/* Descriptors in the LDT, same index on both sides. */
#define CONFORM_LDT(X) /* name, base, limit, code, 32-bit, writable, expand down */                          \
	X(CODE16, RGN_CODE_ADDR, 0x1fff, 1, 0, 1, 0)                                                         \
	X(CODE32, RGN_CODE_ADDR, 0x1fff, 1, 1, 1, 0)                                                         \
	X(DATA_FS, RGN_HIGH_ADDR, 0x3fff, 0, 1, 1, 0)                                                        \
	X(DATA_GS, RGN_LOW_ADDR, 0x17ff, 0, 1, 1, 0)                                                         \
	X(STACK16, RGN_STACK_ADDR, 0x2fff, 0, 0, 1, 0)                                                       \
	X(STACK32, RGN_STACK_ADDR, 0x2fff, 0, 1, 1, 0)                                                       \
	X(DATA_RO, RGN_HIGH_ADDR, 0x3fff, 0, 1, 0, 0)                                                        \
	X(DATA_DOWN, RGN_HIGH_ADDR, 0x0fff, 0, 0, 1, 1)

enum ldt_index {
#define X(name, base, limit, code, big, w, down) LDT_##name,
	CONFORM_LDT(X)
#undef X
	    LDT_COUNT
};

struct ldt_entry {
	uint32_t base, limit;
	bool code, big, write, down;
};
extern const struct ldt_entry conform_ldt[LDT_COUNT];

enum {
	SEL_CS = 0x23,
	SEL_DS = 0x2b, /* flat, as in the host's GDT */
};
#define SEL_LDT(i) ((uint16_t)((i)*8 + 7))

union fpu_image {
	struct xsave_image x;
	uint8_t b[XSAVE_BYTES];
} __attribute__((aligned(64)));

struct cpu_state {
	uint32_t gpr[8], eip, eflags;
	uint16_t seg[SEG_COUNT];
	union fpu_image fpu;
	struct avx512_image wide __attribute__((aligned(64))); /* where the host has it */
};

/* How a case ended: vector 3 (the int3 after the instruction) is the normal end. */
struct outcome {
	struct cpu_state st;
	uint32_t vector, err, cr2;
	uint8_t *mem; /* MEM_BYTES, provided by the caller */
};

/* What an instruction that faults may have changed before. */
enum loose {
	LOOSE_REGS = 1,	  /* registers except ESP */
	LOOSE_TAGS = 2,	  /* x87 state except its registers */
	LOOSE_MEM = 4,	  /* the bytes conform_case.stored */
	LOOSE_FLAGS = 8,  /* arithmetic flags */
	LOOSE_MXCSR = 16, /* exception flags in MXCSR */
	LOOSE_CR2 = 32,	  /* CR2's offset in the page */
};

struct form_row;

struct conform_case {
	const struct form_row *row;
	char form[96]; /* the form's name: mnemonic, operand size, addressing, prefixes */
	uint8_t code[64];
	unsigned len;
	struct cpu_state st;
	uint8_t *mem;	    /* MEM_BYTES, code included */
	uint32_t flag_mask; /* EFLAGS bits to compare */
	bool code16;
	/* Differences that the architecture permits and the comparison ignores: bytes of memory (x87
	 * pointers), bits of one register, and what a fault may leave changed. */
	struct {
		uint32_t addr, len;
	} skip[2], stored;
	uint32_t undef_bits;
	uint8_t undef_reg;
	unsigned loose;	 /* bits of enum loose */
	unsigned number; /* argument of --case, to repeat it */
};

static inline const struct region *region_of(uint32_t lin)
{
	for (unsigned i = 0; i < RGN_COUNT; i++)
		if (lin - conform_regions[i].addr < conform_regions[i].size)
			return &conform_regions[i];
	return NULL;
}

/* Return the byte of memory image MEM at LIN; NULL if unmapped. */
static inline uint8_t *mem_at(uint8_t *mem, uint32_t lin)
{
	const struct region *r = region_of(lin);

	return r ? mem + r->at + (lin - r->addr) : NULL;
}

static inline bool sel_is_ldt(uint16_t sel)
{
	return sel & 4;
}
static inline uint32_t sel_base(uint16_t sel)
{
	return sel_is_ldt(sel) ? conform_ldt[sel >> 3].base : 0;
}
static inline uint32_t sel_limit(uint16_t sel)
{
	return sel_is_ldt(sel) ? conform_ldt[sel >> 3].limit : ~0u;
}

/* ---- native.c ---- */
struct native;
/* Map the regions, install the LDT and the signal handlers. One instance at a time in a process. On failure
 * NULL, with the reason in *WHY. */
struct native *native_new(const char **why);
/* Find what the process has mapped below 4 GiB: cases must not reach it. After the engine is made. False:
 * there is too much. */
bool native_find_foreign(struct native *n);
void native_free(struct native *n);
bool native_has_ldt(const struct native *n);
void native_run(struct native *n, const struct conform_case *c, struct outcome *out);

/* ---- engine.c ---- */
struct engine;
struct engine_options {
	bool mmio;     /* the HIGH region is a device, not RAM */
	bool divide;   /* promote at the first divide error */
	bool soft;     /* make every access in a soft page where possible */
	bool precheck; /* precheck every access, and bypass where possible */
	bool no_chain;
	bool no_verify;	 /* run without the verifier */
	unsigned tu_max; /* 0: default */
};
struct engine *engine_new(const struct engine_options *o, char *err, size_t errlen);
void engine_free(struct engine *e);
/* False if the engine itself failed; engine_error() has the text. */
bool engine_run(struct engine *e, const struct conform_case *c, struct outcome *out);
const char *engine_error(const struct engine *e);
/* Divide errors found by callouts, not host signals, so far. */
uint64_t engine_divide_callouts(const struct engine *e);
uint64_t engine_bypasses(const struct engine *e); /* accesses served without a mapping */
uint64_t engine_softs(const struct engine *e);	  /* pages that became soft so far */
/* Does LIN belong to the engine guest's own kernel? */
bool engine_owns(uint32_t lin);

/* ---- gen.c ---- */
struct gen;
struct gen *gen_new(uint64_t seed, unsigned cases_per_form, bool have_ldt, const char *only);
/* Make N the number of the next case. */
void gen_seek(struct gen *g, unsigned n);
void gen_free(struct gen *g);
/* Fill C (the caller sets c->mem) with the next case. False after the last. */
bool gen_next(struct gen *g, struct conform_case *c);
unsigned gen_forms(const struct gen *g);
unsigned gen_rows(const struct gen *g);
#endif

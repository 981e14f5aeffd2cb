/* SPDX-License-Identifier: GPL-3.0-or-later
 * Conformance of 64-bit code: the same bytes are executed from the same state on the host CPU (native.c) and
 * under the engine (engine.c), both at CPL 3 and with the same linear addresses.
 *
 * The instructions are those of tests/conform/forms.def, each in random forms: registers, addressing, REX and
 * other prefixes. gen.c makes the cases, main.c compares the outcomes. */
#ifndef TESTS_LONG_H
#define TESTS_LONG_H
#include "x86/cpu.h"

/* Memory: name, linear address, pages, writable, executable. LOW can be addressed by 32 bits; EDGE lies
 * across a multiple of 4 GiB. Everything else is unmapped. */
#define LONG_REGIONS(X)                                                                                      \
	X(LOW, 0x10000000, 2, 1, 0)                                                                          \
	X(LOWRO, 0x10002000, 1, 0, 0)                                                                        \
	X(CODE, 0x200010000000, 2, 1, 1)                                                                     \
	X(HIGH, 0x200020000000, 2, 1, 0)                                                                     \
	X(HIGHRO, 0x200020002000, 1, 0, 0)                                                                   \
	X(STACK, 0x700030000000, 2, 1, 0)                                                                    \
	X(EDGE, 0x2000fffff000, 2, 1, 0)

enum region_id {
#define X(name, addr, pages, w, x) RGN_##name,
	LONG_REGIONS(X)
#undef X
	    RGN_COUNT
};
enum {
#define X(name, addr, pages, w, x) +(pages)*4096
	MEM_BYTES = 0 LONG_REGIONS(X)
#undef X
};

struct region {
	uint64_t addr;
	uint32_t size;
	bool write, exec;
	uint32_t at; /* offset in a memory image */
};
extern const struct region long_regions[RGN_COUNT];

/* User selectors, as in the host's GDT. */
enum { SEL_CS32 = 0x23, SEL_DS = 0x2b, SEL_CS = 0x33 };

enum { REGS = 16 };

union fpu_image {
	struct xsave_image x;
	uint8_t b[XSAVE_BYTES];
} __attribute__((aligned(64)));

struct long_state {
	uint64_t gpr[REGS], rip, rflags, fs_base, gs_base;
	uint16_t seg[SEG_COUNT];
	union fpu_image fpu;
	struct avx512_image wide __attribute__((aligned(64))); /* where the host has it */
};

/* How a case ended: vector 3 (the INT3 after the instruction) is the normal end. */
struct outcome {
	struct long_state st;
	uint32_t vector, err;
	uint64_t cr2;
	uint8_t *mem; /* MEM_BYTES, provided by the caller */
};

struct form_row;

struct long_case {
	const struct form_row *row;
	char form[64];
	uint8_t code[64];
	unsigned len;
	struct long_state st;
	const uint8_t *mem; /* MEM_BYTES, code included */
	uint64_t flag_mask; /* RFLAGS bits to compare */
	/* Differences that the architecture permits and the comparison ignores: bytes of memory (x87
	 * pointers), bits of one register; after a fault the x87 state except its registers, arithmetic
	 * flags, exception flags in MXCSR (tests/conform/setup.c says where). */
	struct {
		uint64_t addr, len;
	} skip[2];
	uint64_t undef_bits;
	uint8_t undef_reg;
	bool loose_tags, loose_flags, loose_mxcsr;
	bool low_index;	    /* a string instruction by 32-bit addresses: the upper halves of its registers */
	uint16_t cr2_slack; /* CR2 may be that of another byte of the operand */
	bool misaligned;    /* the operand wants an alignment, or has none */
	unsigned number;    /* argument of --case, to repeat it */
};

static inline const struct region *region_of(uint64_t lin)
{
	for (unsigned i = 0; i < RGN_COUNT; i++)
		if (lin - long_regions[i].addr < long_regions[i].size)
			return &long_regions[i];
	return NULL;
}

/* ---- native.c ---- */
struct native;
/* Map the regions. One instance at a time in a process. On failure NULL, with the reason in *WHY. */
struct native *native_new(const char **why);
void native_free(struct native *n);
void native_run(struct native *n, const struct long_case *c, struct outcome *out);

/* ---- engine.c ---- */
struct engine;
struct engine_options {
	bool precheck, soft, mmio, device, divide, no_chain, no_verify;
	bool kernel;	 /* at CPL 0, whose accesses to user pages go another way; each case several times */
	unsigned tu_max; /* 0: default */
};
struct engine *engine_new(const struct engine_options *o, char *err, size_t errlen);
void engine_free(struct engine *e);
/* False if the engine itself failed; engine_error() has the text. */
bool engine_run(struct engine *e, const struct long_case *c, struct outcome *out);
const char *engine_error(const struct engine *e);
struct bt_vcpu;
const struct bt_vcpu *engine_vcpu(const struct engine *e);
/* How often the callouts of promoted sites found divide errors, or reached the device. */
uint64_t engine_callouts(const struct engine *e);

/* ---- gen.c ---- */
struct gen;
struct gen *gen_new(uint64_t seed, unsigned cases, const char *only);
void gen_free(struct gen *g);
/* Make N the number of the next case. */
void gen_seek(struct gen *g, unsigned n);
/* Fill C with the next case; C's memory is the generator's until the next call. False after the last. */
bool gen_next(struct gen *g, struct long_case *c);
const struct form_row *gen_row(unsigned i); /* of the table; NULL: there are no more */
unsigned gen_encodings(const struct gen *g);
#endif

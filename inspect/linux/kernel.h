/* SPDX-License-Identifier: GPL-3.0-or-later
 * A Linux kernel seen from outside: where it is, its symbols, its page tables, and where the members of its
 * structures are. Found from the processor's interrupt table and memory alone. */
#ifndef INSPECT_LINUX_KERNEL_H
#define INSPECT_LINUX_KERNEL_H
#include "inspect/debuginfo/symbols.h"
#include "inspect/linux/btf.h"
#include "inspect/linux/memory.h"

enum lx_field {
#define FIELD(id, type, member) LX_##id,
#define FIELD_OR(id, type, member)
#define SIZE(id, type) LX_##id,
#include "inspect/linux/fields.def"
#undef FIELD
#undef FIELD_OR
#undef SIZE
	LX_FIELDS
};

/* How a field was found. */
enum lx_from { LX_UNKNOWN, LX_BTF, LX_DWARF, LX_VMCOREINFO, LX_INFERRED, LX_FROMS };

struct lx_layout {
	uint16_t off[LX_FIELDS];
	uint8_t from[LX_FIELDS]; /* enum lx_from */
};

/* What is needed of the processor. */
struct lx_cpu {
	struct lx_space space; /* in which it executes */
	uint64_t idt;	       /* base; 0: none */
	bool wide;	       /* gates of 16 bytes: IA-32e mode */
};

struct lx {
	struct lx_mem mem;
	unsigned width;
	struct lx_space space;
	bool own_space;	     /* SPACE is the kernel's own; else that of the processor when it was seen last */
	int64_t delta;	     /* physical less linear addresses of the image */
	uint64_t start, end; /* of the image, linear; without END's symbol, as far as symbols go */
	uint64_t banner_at;
	char banner[200];
	unsigned version;			/* major * 1000 + minor */
	struct symbols symbols, module_symbols; /* the latter below the former */
	struct {
		uint64_t current, hot; /* offsets of current_task, pcpu_hot; 0: none */
		uint64_t offsets;      /* address of the array of the blocks' offsets; 0: not known */
	} percpu;
	uint64_t init_task;  /* address; 0: not known */
	uint64_t current_at; /* address of the pointer to the task that executes */
	char *vmcoreinfo;    /* NULL: not there yet */
	struct btf *btf;
	struct lx_layout layout;
	bool inferred; /* members of tasks have been looked for with success */
	bool modules_inferred;
	uint64_t modules;      /* address of the list of modules, 0: not known */
	uint64_t modules_hash; /* of those whose symbols there are */
};

/* Find the kernel of which the processor is as C says. NULL: there is none.
 */
struct lx *lx_find(const struct lx_mem *m, const struct lx_cpu *c);
void lx_free(struct lx *k);
/* The address of the page-fault handler by the interrupt table; 0: none. While it stays, so does the kernel.
 */
uint64_t lx_fault_handler(const struct lx_mem *m, const struct lx_cpu *c);
/* Is the kernel still there? The processor's state, C, may have changed. */
bool lx_is_there(struct lx *k, const struct lx_cpu *c);
/* Look for what was not there before. */
void lx_update(struct lx *k, const struct lx_cpu *c);
/* Take the types of BTF data instead of the kernel's own. False: it is no BTF. */
bool lx_set_btf(struct lx *k, const void *data, size_t len);

/* Take the layout of structures from FILE, the kernel with debugging information. Return how many members it
 * has, -1 with the reason in ERR. */
long lx_set_dwarf(struct lx *k, const char *file, char *err, size_t errlen);

/* Read N bytes of the kernel's memory, all or none. */
bool lx_read(const struct lx *k, uint64_t va, void *buf, size_t n);
size_t lx_read_some(const struct lx *k, uint64_t va, void *buf,
		    size_t n);				    /* as far as possible; returns how many */
bool lx_word(const struct lx *k, uint64_t va, uint64_t *v); /* of WIDTH bytes */
bool lx_u32(const struct lx *k, uint64_t va, uint32_t *v);
/* Read the text at VA, at most SIZE - 1 bytes of it; bytes that cannot be printed become '?'. */
bool lx_text(const struct lx *k, uint64_t va, char *buf, size_t size);
/* How far the kernel is from where it was linked (KASLR). */
uint64_t lx_offset(const struct lx *k);
/* Could VA be an address of the kernel's data? */
bool lx_is_pointer(const struct lx *k, uint64_t va);
/* Could VA be an address of user memory? */
bool lx_is_user(const struct lx *k, uint64_t va);
/* The address of a symbol or of exported data. */
bool lx_symbol(const struct lx *k, const char *name, uint64_t *addr);
bool lx_data_symbol(const struct lx *k, const char *name, uint64_t *addr); /* of a symbol only */
/* A number that the kernel notes for programs that read its dumps: "SYMBOL(prb)=" in hexadecimal,
 * "OFFSET(a.b)=". */
bool lx_note(const struct lx *k, const char *key, unsigned radix, uint64_t *v);

static inline bool lx_has(const struct lx *k, enum lx_field f)
{
	return k->layout.from[f] != LX_UNKNOWN;
}
static inline uint64_t lx_at(const struct lx *k, uint64_t base, enum lx_field f)
{
	return base + k->layout.off[f];
}
/* Read member F of the structure at BASE: an address or a long; a number of 32 bits. False: F is not known,
 * or it cannot be read. */
bool lx_get(const struct lx *k, uint64_t base, enum lx_field f, uint64_t *v);
bool lx_get32(const struct lx *k, uint64_t base, enum lx_field f, uint32_t *v);
void lx_set(struct lx *k, enum lx_field f, uint64_t off, enum lx_from from);

/* Structure and member of F, and the source of its offset, as text. */
const char *lx_field_type(enum lx_field f);
const char *lx_field_member(enum lx_field f);
extern const char *const lx_from_texts[LX_FROMS];
#endif

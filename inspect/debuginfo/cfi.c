/* SPDX-License-Identifier: GPL-3.0-or-later
 * See debuginfo/cfi.h. libdw finds the table row for an address; expressions are evaluated here.
 *
 * The sections are copied into a small ELF image of our own: kernel files have hundreds of megabytes
 * of other debug data, which libdw would read, and may be rewritten while we use them. Files are not
 * trusted: libdw checks the tables, we check their statements about the guest. */
#include "inspect/debuginfo/cfi.h"
#include "base/alloc.h"

#include <elfutils/libdw.h>
#include <dwarf.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

const struct cfi_arch cfi_i386 = { 4, 4, 5, 8, { 0, 1, 2, 3, 4, 5, 6, 7 } };
const struct cfi_arch cfi_amd64 = { 8, 7, 6, 16, { 0, 2, 1, 3, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15 } };

enum { SECTION_MAX = 256 << 20, STACK = 32, MAX_OPS = 256 };

struct cfi {
	struct cfi *next;
	const struct cfi_arch *arch;
	int64_t offset;
	char *image; /* the image behind ELF */
	Elf *elf;
	Dwarf *dwarf;	/* of .debug_frame, or NULL */
	Dwarf_CFI *cfi; /* of .eh_frame: ours; of .debug_frame: DWARF's */
};

/* ---- an image with one section ---- */

static const char names[] = "\0.shstrtab\0.eh_frame\0.debug_frame";
enum { NAME_SHSTRTAB = 1, NAME_EH = 11, NAME_DEBUG = 21 };

/* The headers of an image, in both classes. */
#define HEAD(bits, machine)                                                                                  \
	struct head##bits {                                                                                  \
		Elf##bits##_Ehdr ehdr;                                                                       \
		Elf##bits##_Shdr shdr[3];                                                                    \
		char names[sizeof(names)];                                                                   \
	};                                                                                                   \
	static size_t put_head##bits(char *to, const struct section *s)                                      \
	{                                                                                                    \
		struct head##bits h = {                                                                      \
			.ehdr = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS##bits,           \
					       ELFDATA2LSB, EV_CURRENT },                                    \
				  .e_type = ET_EXEC,                                                         \
				  .e_machine = machine,                                                      \
				  .e_version = EV_CURRENT,                                                   \
				  .e_ehsize = sizeof(Elf##bits##_Ehdr),                                      \
				  .e_shoff = offsetof(struct head##bits, shdr),                              \
				  .e_shentsize = sizeof(Elf##bits##_Shdr),                                   \
				  .e_shnum = ARRAY_LEN(h.shdr),                                              \
				  .e_shstrndx = 1 },                                                         \
			.shdr[1] = { .sh_name = NAME_SHSTRTAB,                                               \
				     .sh_type = SHT_STRTAB,                                                  \
				     .sh_offset = offsetof(struct head##bits, names),                        \
				     .sh_size = sizeof(names),                                               \
				     .sh_addralign = 1 },                                                    \
			.shdr[2] = { .sh_name = s->debug ? NAME_DEBUG : NAME_EH,                             \
				     .sh_type = SHT_PROGBITS,                                                \
				     .sh_flags = s->debug ? 0 : SHF_ALLOC,                                   \
				     .sh_addr = (Elf##bits##_Addr)s->addr,                                   \
				     .sh_offset = sizeof(h),                                                 \
				     .sh_size = s->size,                                                     \
				     .sh_addralign = bits / 8 },                                             \
		};                                                                                           \
                                                                                                             \
		if (to) {                                                                                    \
			memcpy(h.names, names, sizeof(names));                                               \
			memcpy(to, &h, sizeof(h));                                                           \
		}                                                                                            \
		return sizeof(h);                                                                            \
	}

/* A section with call frame information. */
struct section {
	const void *bytes;
	uint32_t size;
	uint64_t addr;
	bool debug; /* .debug_frame, not .eh_frame */
	bool wide;  /* x86-64 */
};
HEAD(32, EM_386)
HEAD(64, EM_X86_64)
#undef HEAD

static char *make_image(const struct section *s, size_t *len)
{
	size_t (*put_head)(char *to, const struct section *s) = s->wide ? put_head64 : put_head32;
	size_t head = put_head(NULL, s);
	char *image = malloc(head + s->size); /* a file decides the size */

	if (!image)
		return NULL;
	put_head(image, s);
	memcpy(image + head, s->bytes, s->size);
	*len = head + s->size;
	return image;
}

static void free_one(struct cfi *c)
{
	if (c->cfi && !c->dwarf)
		dwarf_cfi_end(c->cfi);
	dwarf_end(c->dwarf);
	elf_end(c->elf);
	free(c->image);
	free(c);
}

static void add_section(struct cfi **list, const struct section *s, int64_t offset)
{
	struct cfi *c = xcalloc(1, sizeof(*c));
	size_t len;

	c->offset = offset;
	c->arch = s->wide ? &cfi_amd64 : &cfi_i386;
	c->image = make_image(s, &len);
	c->elf = c->image ? elf_memory(c->image, len) : NULL;
	if (c->elf && s->debug) {
		c->dwarf = dwarf_begin_elf(c->elf, DWARF_C_READ, NULL);
		c->cfi = c->dwarf ? dwarf_getcfi(c->dwarf) : NULL;
	} else if (c->elf) {
		c->cfi = dwarf_getcfi_elf(c->elf);
	}
	if (!c->cfi) {
		free_one(c);
		return;
	}
	c->next = *list;
	*list = c;
}

static bool elf_is_ours(const GElf_Ehdr *eh)
{
	return (eh->e_machine == EM_386 && eh->e_ident[EI_CLASS] == ELFCLASS32) ||
	       (eh->e_machine == EM_X86_64 && eh->e_ident[EI_CLASS] == ELFCLASS64);
}

void cfi_add(struct cfi **list, Elf *elf, int64_t offset)
{
	Elf_Scn *scn = NULL;
	size_t strings;
	GElf_Ehdr eh;
	GElf_Shdr sh;

	if (!gelf_getehdr(elf, &eh) || !elf_is_ours(&eh) || (eh.e_type != ET_EXEC && eh.e_type != ET_DYN) ||
	    elf_getshdrstrndx(elf, &strings))
		return;
	while ((scn = elf_nextscn(elf, scn))) {
		const char *name = gelf_getshdr(scn, &sh) ? elf_strptr(elf, strings, sh.sh_name) : NULL;
		bool debug = name && !strcmp(name, ".debug_frame");
		Elf_Data *data;

		if (!name || sh.sh_type == SHT_NOBITS || (!debug && strcmp(name, ".eh_frame")))
			continue;
		if ((sh.sh_flags & SHF_COMPRESSED) && elf_compress(scn, 0, 0) < 0)
			continue;
		data = elf_rawdata(scn, NULL);
		if (data && data->d_buf && data->d_size && data->d_size <= SECTION_MAX)
			add_section(list,
				    &(struct section){ .bytes = data->d_buf,
						       .size = (uint32_t)data->d_size,
						       .addr = sh.sh_addr,
						       .debug = debug,
						       .wide = eh.e_machine == EM_X86_64 },
				    offset);
	}
}

void cfi_free(struct cfi *list)
{
	struct cfi *next;

	for (; list; list = next) {
		next = list->next;
		free_one(list);
	}
}

/* ---- expressions ---- */

struct machine {
	const struct cfi_regs *regs;
	const struct cfi_memory *mem;
	uint64_t cfa;
	uint64_t stack[STACK];
	unsigned depth;
};

/* V as a word of the machine, and as a signed one. */
static uint64_t word(const struct machine *m, uint64_t v)
{
	return m->regs->arch->word == 8 ? v : (uint32_t)v;
}

static int64_t signed_word(const struct machine *m, uint64_t v)
{
	return m->regs->arch->word == 8 ? (int64_t)v : (int32_t)v;
}

static bool push(struct machine *m, uint64_t v)
{
	if (m->depth == STACK)
		return false;
	m->stack[m->depth++] = word(m, v);
	return true;
}

static bool push_reg(struct machine *m, uint64_t n, uint64_t offset)
{
	return n <= m->regs->arch->pc && (m->regs->known >> n & 1) && push(m, m->regs->val[n] + offset);
}

static bool deref(struct machine *m, uint64_t size)
{
	uint64_t v = 0;

	if (!m->depth || size < 1 || size > m->regs->arch->word ||
	    !m->mem->read(m->mem->ctx, m->stack[m->depth - 1], &v, (unsigned)size))
		return false;
	m->stack[m->depth - 1] = v;
	return true;
}

static bool unary(struct machine *m, uint8_t op)
{
	uint64_t *top = m->stack + m->depth - 1;

	if (!m->depth)
		return false;
	*top = word(m, op == DW_OP_neg		  ? -*top
		       : op == DW_OP_not	  ? ~*top
		       : signed_word(m, *top) < 0 ? -*top
						  : *top);
	return true;
}

static uint64_t shifted(const struct machine *m, uint8_t op, uint64_t a, uint64_t n)
{
	int64_t s = signed_word(m, a);

	if (n >= 8 * m->regs->arch->word)
		return op == DW_OP_shra && s < 0 ? ~0ull : 0;
	return op == DW_OP_shl ? a << n : op == DW_OP_shr ? a >> n : (uint64_t)(s >> n);
}

static bool binary(struct machine *m, uint8_t op)
{
	int64_t sa, sb;
	uint64_t a, b, v;

	if (m->depth < 2)
		return false;
	a = m->stack[m->depth - 2];
	b = m->stack[m->depth - 1];
	sa = signed_word(m, a);
	sb = signed_word(m, b);
	switch (op) {
	case DW_OP_plus:
		v = a + b;
		break;
	case DW_OP_minus:
		v = a - b;
		break;
	case DW_OP_mul:
		v = a * b;
		break;
	case DW_OP_and:
		v = a & b;
		break;
	case DW_OP_or:
		v = a | b;
		break;
	case DW_OP_xor:
		v = a ^ b;
		break;
	case DW_OP_shl:
	case DW_OP_shr:
	case DW_OP_shra:
		v = shifted(m, op, a, b);
		break;
	case DW_OP_eq:
		v = a == b;
		break;
	case DW_OP_ne:
		v = a != b;
		break;
	case DW_OP_lt:
		v = sa < sb;
		break;
	case DW_OP_le:
		v = sa <= sb;
		break;
	case DW_OP_gt:
		v = sa > sb;
		break;
	case DW_OP_ge:
		v = sa >= sb;
		break;
	default:
		return false;
	}
	m->stack[--m->depth - 1] = word(m, v);
	return true;
}

static bool pick(struct machine *m, uint64_t n)
{
	return n < m->depth && push(m, m->stack[m->depth - 1 - n]);
}

static bool swap(struct machine *m)
{
	uint64_t top;

	if (m->depth < 2)
		return false;
	top = m->stack[m->depth - 1];
	m->stack[m->depth - 1] = m->stack[m->depth - 2];
	m->stack[m->depth - 2] = top;
	return true;
}

/* Branches are left out: no compiler writes them into frame tables. */
static bool operate(struct machine *m, const Dwarf_Op *op)
{
	switch (op->atom) {
	case DW_OP_lit0 ... DW_OP_lit31:
		return push(m, op->atom - DW_OP_lit0);
	case DW_OP_addr:
	case DW_OP_const1u ... DW_OP_consts:
		return push(m, op->number);
	case DW_OP_reg0 ... DW_OP_reg31:
		return push_reg(m, op->atom - DW_OP_reg0, 0);
	case DW_OP_regx:
		return push_reg(m, op->number, 0);
	case DW_OP_breg0 ... DW_OP_breg31:
		return push_reg(m, op->atom - DW_OP_breg0, op->number);
	case DW_OP_bregx:
		return push_reg(m, op->number, op->number2);
	case DW_OP_call_frame_cfa:
		return push(m, m->cfa);
	case DW_OP_plus_uconst:
		return push(m, op->number) && binary(m, DW_OP_plus);
	case DW_OP_deref:
		return deref(m, m->regs->arch->word);
	case DW_OP_deref_size:
		return deref(m, op->number);
	case DW_OP_dup:
		return pick(m, 0);
	case DW_OP_over:
		return pick(m, 1);
	case DW_OP_pick:
		return pick(m, op->number);
	case DW_OP_drop:
		return m->depth && m->depth--;
	case DW_OP_swap:
		return swap(m);
	case DW_OP_neg:
	case DW_OP_not:
	case DW_OP_abs:
		return unary(m, op->atom);
	case DW_OP_nop:
	case DW_OP_stack_value:
		return true;
	default:
		return binary(m, op->atom);
	}
}

static bool evaluate(struct machine *m, const Dwarf_Op *ops, size_t n, uint64_t *val)
{
	m->depth = 0;
	for (size_t i = 0; i < n; i++)
		if (i == MAX_OPS || !operate(m, &ops[i]))
			return false;
	if (!m->depth)
		return false;
	*val = m->stack[m->depth - 1];
	return true;
}

/* Load the value at a location; registers and immediate values need no load. */
static bool fetch(struct machine *m, const Dwarf_Op *ops, size_t n, uint64_t *val)
{
	uint8_t last = ops[n - 1].atom;

	if (!evaluate(m, ops, n, val))
		return false;
	if (last == DW_OP_stack_value || last == DW_OP_regx || (last >= DW_OP_reg0 && last <= DW_OP_reg31))
		return true;
	m->depth = 1;
	m->stack[0] = *val;
	if (!deref(m, m->regs->arch->word))
		return false;
	*val = m->stack[0];
	return true;
}

/* ---- one step ---- */

/* Get the caller's register N. OUTERMOST: the table says that there is no return address. */
static void recover(Dwarf_Frame *f, struct machine *m, unsigned n, int rule_of, struct cfi_regs *caller,
		    bool *outermost)
{
	Dwarf_Op mem[3], *ops;
	size_t nops;
	uint64_t val;

	if (dwarf_frame_register(f, rule_of, mem, &ops, &nops))
		return;
	if (!nops && ops) {
		*outermost |= n == m->regs->arch->pc;
		return;
	}
	if (!nops) {
		val = m->regs->val[n];
		if (!(m->regs->known >> n & 1))
			return;
	} else if (!fetch(m, ops, nops, &val)) {
		return;
	}
	caller->val[n] = val;
	caller->known |= 1u << n;
}

static enum cfi_step step_frame(Dwarf_Frame *f, struct cfi_regs *r, const struct cfi_memory *mem)
{
	const struct cfi_arch *arch = r->arch;
	struct machine m = { .regs = r, .mem = mem };
	struct cfi_regs caller = { .arch = arch };
	bool trap = false, outermost = false;
	int ra = dwarf_frame_info(f, NULL, NULL, &trap);
	Dwarf_Op *ops;
	size_t nops;

	if (ra < 0 || dwarf_frame_cfa(f, &ops, &nops) || !nops || !evaluate(&m, ops, nops, &m.cfa))
		return CFI_NONE;
	for (unsigned n = 0; n <= arch->pc; n++)
		recover(f, &m, n, n == arch->pc ? ra : (int)n, &caller, &outermost);
	if (outermost)
		return CFI_END;
	if (!(caller.known >> arch->pc & 1))
		return CFI_NONE;
	if (!trap) { /* by definition (System V ABI i386, 2.5; x86-64, 3.6.2) */
		caller.val[arch->sp] = m.cfa;
		caller.known |= 1u << arch->sp;
	}
	*r = caller;
	return trap ? CFI_TRAP : CFI_STEP;
}

enum cfi_step cfi_step(struct cfi *list, struct cfi_regs *r, bool exact, const struct cfi_memory *mem)
{
	uint64_t pc = r->val[r->arch->pc] - !exact;

	for (struct cfi *c = list; c; c = c->next) {
		uint64_t at = pc - (uint64_t)c->offset;
		Dwarf_Frame *f = NULL;
		enum cfi_step did;

		if (c->arch != r->arch ||
		    dwarf_cfi_addrframe(c->cfi, c->arch->word == 8 ? at : (uint32_t)at, &f))
			continue;
		did = step_frame(f, r, mem);
		free(f);
		if (did != CFI_NONE)
			return did;
	}
	return CFI_NONE;
}

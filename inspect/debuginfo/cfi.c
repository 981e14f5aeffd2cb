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

enum { SECTION_MAX = 256 << 20, STACK = 32, MAX_OPS = 256 };

struct cfi {
	struct cfi *next;
	int64_t offset;
	char *image; /* the image behind ELF */
	Elf *elf;
	Dwarf *dwarf;	/* of .debug_frame, or NULL */
	Dwarf_CFI *cfi; /* of .eh_frame: ours; of .debug_frame: DWARF's */
};

/* ---- an image with one section ---- */

static const char names[] = "\0.shstrtab\0.eh_frame\0.debug_frame";
enum { NAME_SHSTRTAB = 1, NAME_EH = 11, NAME_DEBUG = 21 };

struct image_head {
	Elf32_Ehdr ehdr;
	Elf32_Shdr shdr[3];
	char names[sizeof(names)];
};

static char *make_image(const void *bytes, uint32_t size, uint32_t addr, bool debug, size_t *len)
{
	struct image_head h = {
		.ehdr = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB,
				       EV_CURRENT },
			  .e_type = ET_EXEC,
			  .e_machine = EM_386,
			  .e_version = EV_CURRENT,
			  .e_ehsize = sizeof(Elf32_Ehdr),
			  .e_shoff = offsetof(struct image_head, shdr),
			  .e_shentsize = sizeof(Elf32_Shdr),
			  .e_shnum = ARRAY_LEN(h.shdr),
			  .e_shstrndx = 1 },
		.shdr[1] = { .sh_name = NAME_SHSTRTAB,
			     .sh_type = SHT_STRTAB,
			     .sh_offset = offsetof(struct image_head, names),
			     .sh_size = sizeof(names),
			     .sh_addralign = 1 },
		.shdr[2] = { .sh_name = debug ? NAME_DEBUG : NAME_EH,
			     .sh_type = SHT_PROGBITS,
			     .sh_flags = debug ? 0 : SHF_ALLOC,
			     .sh_addr = addr,
			     .sh_offset = sizeof(h),
			     .sh_size = size,
			     .sh_addralign = 4 },
	};
	char *image = malloc(sizeof(h) + size); /* a file decides the size */

	if (!image)
		return NULL;
	memcpy(h.names, names, sizeof(names));
	memcpy(image, &h, sizeof(h));
	memcpy(image + sizeof(h), bytes, size);
	*len = sizeof(h) + size;
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

static void add_section(struct cfi **list, const void *bytes, uint32_t size, uint32_t addr, bool debug,
			int64_t offset)
{
	struct cfi *c = xcalloc(1, sizeof(*c));
	size_t len;

	c->offset = offset;
	c->image = make_image(bytes, size, addr, debug, &len);
	c->elf = c->image ? elf_memory(c->image, len) : NULL;
	if (c->elf && debug) {
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

void cfi_add(struct cfi **list, Elf *elf, int64_t offset)
{
	Elf_Scn *scn = NULL;
	size_t strings;
	GElf_Ehdr eh;
	GElf_Shdr sh;

	if (!gelf_getehdr(elf, &eh) || eh.e_machine != EM_386 || eh.e_ident[EI_CLASS] != ELFCLASS32 ||
	    (eh.e_type != ET_EXEC && eh.e_type != ET_DYN) || elf_getshdrstrndx(elf, &strings))
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
			add_section(list, data->d_buf, (uint32_t)data->d_size, (uint32_t)sh.sh_addr, debug,
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
	uint32_t cfa;
	uint32_t stack[STACK];
	unsigned depth;
};

static bool push(struct machine *m, uint64_t v)
{
	if (m->depth == STACK)
		return false;
	m->stack[m->depth++] = (uint32_t)v;
	return true;
}

static bool push_reg(struct machine *m, uint64_t n, uint64_t offset)
{
	return n < CFI_REGS && (m->regs->known >> n & 1) && push(m, m->regs->val[n] + offset);
}

static bool deref(struct machine *m, uint64_t size)
{
	uint32_t v = 0;

	if (!m->depth || size < 1 || size > 4 ||
	    !m->mem->read(m->mem->ctx, m->stack[m->depth - 1], &v, (unsigned)size))
		return false;
	m->stack[m->depth - 1] = v;
	return true;
}

static bool unary(struct machine *m, uint8_t op)
{
	uint32_t *top = m->stack + m->depth - 1;

	if (!m->depth)
		return false;
	*top = op == DW_OP_neg ? -*top : op == DW_OP_not ? ~*top : (int32_t)*top < 0 ? -*top : *top;
	return true;
}

static uint32_t shifted(uint8_t op, uint32_t a, uint32_t n)
{
	if (n > 31)
		return op == DW_OP_shra && (int32_t)a < 0 ? ~0u : 0;
	return op == DW_OP_shl ? a << n : op == DW_OP_shr ? a >> n : (uint32_t)((int32_t)a >> n);
}

static bool binary(struct machine *m, uint8_t op)
{
	uint32_t a, b, v;

	if (m->depth < 2)
		return false;
	a = m->stack[m->depth - 2];
	b = m->stack[m->depth - 1];
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
		v = shifted(op, a, b);
		break;
	case DW_OP_eq:
		v = a == b;
		break;
	case DW_OP_ne:
		v = a != b;
		break;
	case DW_OP_lt:
		v = (int32_t)a < (int32_t)b;
		break;
	case DW_OP_le:
		v = (int32_t)a <= (int32_t)b;
		break;
	case DW_OP_gt:
		v = (int32_t)a > (int32_t)b;
		break;
	case DW_OP_ge:
		v = (int32_t)a >= (int32_t)b;
		break;
	default:
		return false;
	}
	m->stack[--m->depth - 1] = v;
	return true;
}

static bool pick(struct machine *m, uint64_t n)
{
	return n < m->depth && push(m, m->stack[m->depth - 1 - n]);
}

static bool swap(struct machine *m)
{
	uint32_t top;

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
		return deref(m, 4);
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

static bool evaluate(struct machine *m, const Dwarf_Op *ops, size_t n, uint32_t *val)
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
static bool fetch(struct machine *m, const Dwarf_Op *ops, size_t n, uint32_t *val)
{
	uint8_t last = ops[n - 1].atom;

	if (!evaluate(m, ops, n, val))
		return false;
	if (last == DW_OP_stack_value || last == DW_OP_regx || (last >= DW_OP_reg0 && last <= DW_OP_reg31))
		return true;
	m->depth = 1;
	m->stack[0] = *val;
	if (!deref(m, 4))
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
	uint32_t val;

	if (dwarf_frame_register(f, rule_of, mem, &ops, &nops))
		return;
	if (!nops && ops) {
		*outermost |= n == CFI_EIP;
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
	caller->known |= (uint16_t)(1u << n);
}

static enum cfi_step step_frame(Dwarf_Frame *f, struct cfi_regs *r, const struct cfi_memory *mem)
{
	struct machine m = { .regs = r, .mem = mem };
	struct cfi_regs caller = { 0 };
	bool trap = false, outermost = false;
	int ra = dwarf_frame_info(f, NULL, NULL, &trap);
	Dwarf_Op *ops;
	size_t nops;

	if (ra < 0 || dwarf_frame_cfa(f, &ops, &nops) || !nops || !evaluate(&m, ops, nops, &m.cfa))
		return CFI_NONE;
	for (unsigned n = 0; n < CFI_REGS; n++)
		recover(f, &m, n, n == CFI_EIP ? ra : (int)n, &caller, &outermost);
	if (outermost)
		return CFI_END;
	if (!(caller.known >> CFI_EIP & 1))
		return CFI_NONE;
	if (!trap) { /* by definition (System V ABI i386, 2.5) */
		caller.val[CFI_ESP] = m.cfa;
		caller.known |= 1u << CFI_ESP;
	}
	*r = caller;
	return trap ? CFI_TRAP : CFI_STEP;
}

enum cfi_step cfi_step(struct cfi *list, struct cfi_regs *r, bool exact, const struct cfi_memory *mem)
{
	uint32_t pc = r->val[CFI_EIP] - !exact;

	for (struct cfi *c = list; c; c = c->next) {
		Dwarf_Frame *f = NULL;
		enum cfi_step did;

		if (dwarf_cfi_addrframe(c->cfi, (uint32_t)(pc - (uint64_t)c->offset), &f))
			continue;
		did = step_frame(f, r, mem);
		free(f);
		if (did != CFI_NONE)
			return did;
	}
	return CFI_NONE;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 * An ELF core of the guest, as kdump writes it: physical memory once, registers, the notes of a Linux kernel
 * (vmcoreinfo). Segments say where memory is in the address space: physical memory at the kernel's direct
 * map, and then whatever else page tables map, which refers to the same bytes of the file. */
#include "inspect/session_int.h"
#include "base/alloc.h"
#include "mm/mm.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	CHUNK = 1 << 16,
	MAX_SEGMENTS = 0xfff0,
	MAX_TABLES = 1 << 17,
	REGS32 = 17,
	REGS64 = 27,
	STATUS32 = 144, /* bytes of struct elf_prstatus, of a pid's place and of registers' in it */
	STATUS32_PID = 24,
	STATUS32_REGS = 72,
	STATUS64 = 336,
	STATUS64_PID = 32,
	STATUS64_REGS = 112,
};
#define PHYSICAL_END (1ull << 36) /* RAM is searched up to there */
#define NOWHERE UINT64_MAX	  /* memory that is not mapped, as kdump marks it */

struct segment {
	uint64_t va, pa, size, offset; /* OFFSET: in the file */
};

struct core {
	struct inspect *s;
	struct lx *k; /* NULL: no Linux kernel */
	bool wide;
	struct segment *list;
	size_t n, ram; /* the first RAM ones are physical memory */
	uint8_t *notes;
	size_t notes_len;
};

/* ---- segments ---- */

static void add(struct core *c, uint64_t va, uint64_t pa, uint64_t size)
{
	if (c->n == MAX_SEGMENTS)
		return;
	if (!(c->n & (c->n + 1)) || !c->list)
		c->list = xreallocarray(c->list, 2 * c->n + 2, sizeof(*c->list));
	c->list[c->n++] = (struct segment){ va, pa, size, 0 };
}

/* Where the direct map begins; NOWHERE: there is none. */
static uint64_t direct_map(const struct core *c)
{
	uint64_t at, base;

	if (!c->k)
		return NOWHERE;
	if (c->k->width == 4)
		return 0xc0000000;
	return lx_data_symbol(c->k, "page_offset_base", &at) && lx_word(c->k, at, &base) ? base : NOWHERE;
}

/* Physical memory. */
static void add_ram(struct core *c)
{
	const struct mm_vm *vm = machine_vm(c->s->m);
	uint64_t map = direct_map(c), start = NOWHERE, pa, left;

	for (uint64_t at = 0; at <= PHYSICAL_END; at += PAGE_SIZE) {
		bool ram = at < PHYSICAL_END && mm_is_ram(vm, at, PAGE_SIZE);
		bool mapped = ram && c->k && map != NOWHERE && (c->wide || at < 0x38000000) &&
			      lx_translate(&c->k->mem, &c->k->space, map + at, &pa, &left) && pa == at;
		uint64_t va = mapped ? map + at : NOWHERE;

		if (start != NOWHERE && (!ram || (va == NOWHERE) != (c->list[c->n - 1].va == NOWHERE))) {
			c->list[c->n - 1].size = at - start;
			start = NOWHERE;
		}
		if (ram && start == NOWHERE && c->n < MAX_SEGMENTS) {
			add(c, va, at, 0);
			start = at;
		}
	}
	c->ram = c->n;
}

/* The segment of physical memory that has PA. */
static const struct segment *ram_at(const struct core *c, uint64_t pa)
{
	for (size_t i = 0; i < c->ram; i++)
		if (pa - c->list[i].pa < c->list[i].size)
			return &c->list[i];
	return NULL;
}

static bool is_upper(const struct core *c, uint64_t va)
{
	return c->wide ? va >> 63 : c->k && va >= 0xc0000000;
}

struct tour {
	struct core *c;
	bool upper, lower; /* halves that are wanted */
};

/* Linear addresses VA on are mapped to PA on; skip what is no memory, or there already. */
static void add_mapping(void *ctx, uint64_t va, uint64_t pa, uint64_t size)
{
	struct tour *t = ctx;

	if (is_upper(t->c, va) ? !t->upper : !t->lower)
		return;
	while (size) {
		const struct segment *ram = ram_at(t->c, pa);
		uint64_t n = ram ? ram->size - (pa - ram->pa) : PAGE_SIZE;

		if (n > size)
			n = size;
		if (ram && va - ram->va != pa - ram->pa)
			add(t->c, va, pa, n);
		va += n;
		pa += n;
		size -= n;
	}
}

/* Place all in the file behind HEAD bytes. Return the file's length. */
static uint64_t place(struct core *c, uint64_t head)
{
	uint64_t at = (head + PAGE_MASK) & ~(uint64_t)PAGE_MASK;

	for (size_t i = 0; i < c->ram; i++) {
		c->list[i].offset = at;
		at += c->list[i].size;
	}
	for (size_t i = c->ram; i < c->n; i++) {
		const struct segment *ram = ram_at(c, c->list[i].pa);

		c->list[i].offset = ram->offset + (c->list[i].pa - ram->pa);
	}
	return at;
}

static void find_segments(struct core *c)
{
	struct lx_mem mem = kernel_memory(c->s);
	struct lx_space now = kernel_space(c->s);
	unsigned tables = MAX_TABLES;
	struct tour t = { c, .upper = !c->k, .lower = true };

	add_ram(c);
	lx_space_each(&mem, &now, &tables, add_mapping, &t);
	if (!c->k)
		return;
	t = (struct tour){ c, .upper = true };
	lx_space_each(&mem, &c->k->space, &tables, add_mapping, &t);
}

/* ---- notes ---- */

static void add_note(struct core *c, const char *name, unsigned type, const void *desc, size_t len)
{
	Elf32_Nhdr h = { .n_namesz = (Elf32_Word)strlen(name) + 1,
			 .n_descsz = (Elf32_Word)len,
			 .n_type = type };
	size_t name_len = (h.n_namesz + 3u) & ~3u, desc_len = (len + 3) & ~(size_t)3;
	uint8_t *p;

	c->notes = xrealloc(c->notes, c->notes_len + sizeof(h) + name_len + desc_len);
	p = c->notes + c->notes_len;
	memset(p, 0, sizeof(h) + name_len + desc_len);
	memcpy(p, &h, sizeof(h));
	memcpy(p + sizeof(h), name, h.n_namesz);
	memcpy(p + sizeof(h) + name_len, desc, len);
	c->notes_len += sizeof(h) + name_len + desc_len;
}

/* Registers in the order of struct user_regs_struct. */
static void put_registers(const struct cpu *cpu, bool wide, uint8_t *to)
{
	const uint64_t *g = cpu->gpr;
	const struct seg_cache *sg = cpu->seg;
	const uint64_t narrow[REGS32] = {
		g[R_EBX], g[R_ECX],	  g[R_EDX],	   g[R_ESI],	   g[R_EDI],	   g[R_EBP],
		g[R_EAX], sg[SEG_DS].sel, sg[SEG_ES].sel,  sg[SEG_FS].sel, sg[SEG_GS].sel, UINT32_MAX,
		cpu->rip, sg[SEG_CS].sel, cpu_eflags(cpu), g[R_ESP],	   sg[SEG_SS].sel,
	};
	const uint64_t all[REGS64] = {
		g[15],
		g[14],
		g[13],
		g[12],
		g[R_EBP],
		g[R_EBX],
		g[11],
		g[10],
		g[9],
		g[8],
		g[R_EAX],
		g[R_ECX],
		g[R_EDX],
		g[R_ESI],
		g[R_EDI],
		UINT64_MAX,
		cpu->rip,
		sg[SEG_CS].sel,
		cpu_eflags(cpu),
		g[R_ESP],
		sg[SEG_SS].sel,
		sg[SEG_FS].base,
		sg[SEG_GS].base,
		sg[SEG_DS].sel,
		sg[SEG_ES].sel,
		sg[SEG_FS].sel,
		sg[SEG_GS].sel,
	};

	for (unsigned i = 0; i < (wide ? REGS64 : REGS32); i++)
		memcpy(to + i * (wide ? 8 : 4), wide ? &all[i] : &narrow[i], wide ? 8 : 4);
}

static void make_notes(struct core *c)
{
	uint8_t status[STATUS64] = { 0 };
	struct lx_task task;

	put_registers(session_cpu(c->s), c->wide, status + (c->wide ? STATUS64_REGS : STATUS32_REGS));
	if (kernel_task(c->s, &task))
		memcpy(status + (c->wide ? STATUS64_PID : STATUS32_PID), &task.pid, sizeof(task.pid));
	add_note(c, "CORE", NT_PRSTATUS, status, c->wide ? STATUS64 : STATUS32);
	if (c->k && c->k->vmcoreinfo)
		add_note(c, "VMCOREINFO", 0, c->k->vmcoreinfo, strlen(c->k->vmcoreinfo));
}

/* ---- the file ---- */

static void write_header(const struct core *c, FILE *f)
{
	Elf64_Ehdr h = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				      EV_CURRENT },
			 .e_type = ET_CORE,
			 .e_machine = EM_X86_64,
			 .e_version = EV_CURRENT,
			 .e_phoff = sizeof(h),
			 .e_ehsize = sizeof(h),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = (Elf64_Half)(c->n + 1) };
	Elf32_Ehdr n = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB,
				      EV_CURRENT },
			 .e_type = ET_CORE,
			 .e_machine = EM_386,
			 .e_version = EV_CURRENT,
			 .e_phoff = sizeof(n),
			 .e_ehsize = sizeof(n),
			 .e_phentsize = sizeof(Elf32_Phdr),
			 .e_phnum = (Elf32_Half)(c->n + 1) };

	fwrite(c->wide ? (void *)&h : (void *)&n, c->wide ? sizeof(h) : sizeof(n), 1, f);
}

static void write_phdr(const struct core *c, FILE *f, unsigned type, const struct segment *g)
{
	Elf64_Phdr h = { .p_type = type,
			 .p_flags = type == PT_LOAD ? PF_R | PF_W | PF_X : 0,
			 .p_offset = g->offset,
			 .p_vaddr = g->va,
			 .p_paddr = g->pa,
			 .p_filesz = g->size,
			 .p_memsz = type == PT_LOAD ? g->size : 0 };
	Elf32_Phdr n = { .p_type = type,
			 .p_flags = h.p_flags,
			 .p_offset = (Elf32_Off)g->offset,
			 .p_vaddr = (Elf32_Addr)g->va,
			 .p_paddr = (Elf32_Addr)g->pa,
			 .p_filesz = (Elf32_Word)g->size,
			 .p_memsz = (Elf32_Word)h.p_memsz };

	fwrite(c->wide ? (void *)&h : (void *)&n, c->wide ? sizeof(h) : sizeof(n), 1, f);
}

static bool is_zero(const uint8_t *p, size_t n)
{
	return !p[0] && !memcmp(p, p + 1, n - 1);
}

static bool write_memory(const struct core *c, const struct segment *g, FILE *f)
{
	struct lx_mem mem = kernel_memory(c->s);
	uint8_t *buf = xmalloc(CHUNK);
	bool ok = true;

	for (uint64_t done = 0; done < g->size && ok; done += CHUNK) {
		size_t n = g->size - done < CHUNK ? (size_t)(g->size - done) : CHUNK;

		lx_phys_fill(&mem, g->pa + done, buf, n);
		if (!is_zero(buf, n))
			ok = !fseeko(f, (off_t)(g->offset + done), SEEK_SET) && fwrite(buf, 1, n, f) == n;
		if (session_interrupted(c->s)) {
			errno = EINTR;
			ok = false;
		}
	}
	free(buf);
	return ok;
}

static bool write_core(struct core *c, FILE *f, uint64_t *len)
{
	size_t head = (c->wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr)) +
		      (c->n + 1) * (c->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr));
	struct segment notes = { 0, 0, c->notes_len, head };
	bool ok = true;

	*len = place(c, head + c->notes_len);
	if (!c->wide && *len > UINT32_MAX) {
		errno = EFBIG;
		return false;
	}
	write_header(c, f);
	write_phdr(c, f, PT_NOTE, &notes);
	for (size_t i = 0; i < c->n; i++)
		write_phdr(c, f, PT_LOAD, &c->list[i]);
	fwrite(c->notes, c->notes_len, 1, f);
	for (size_t i = 0; i < c->ram && ok; i++)
		ok = write_memory(c, &c->list[i], f);
	return ok && !fflush(f) && !ferror(f) && !ftruncate(fileno(f), (off_t)*len);
}

int cmd_dump_core(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct core c = { .s = s };
	const char *why;
	uint64_t len;
	FILE *f;
	bool ok;

	f = fopen(a->argv[0], "we");
	if (!f)
		return result_fail(r, "dump-core: cannot write %s: %s", a->argv[0], strerror(errno));
	c.k = kernel_of(s, &why);
	c.wide = cpu_long(session_cpu(s));
	find_segments(&c);
	make_notes(&c);
	ok = write_core(&c, f, &len);
	why = strerror(errno);
	ok = !fclose(f) && ok;
	if (ok)
		result_text(r, "%zu segments, %llu bytes written to %s", c.n, (unsigned long long)len,
			    a->argv[0]);
	free(c.list);
	free(c.notes);
	return ok ? 0 : result_fail(r, "dump-core: cannot write %s: %s", a->argv[0], why);
}

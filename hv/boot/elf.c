/* SPDX-License-Identifier: GPL-3.0-or-later
 * ELF images of 32 and 64 bits (System V ABI): segments go to their physical addresses; notes tell the entry
 * of the PVH protocol (Xen's docs/misc/pvh.pandoc). All offsets are checked against the file. */
#include "hv/boot/kernel.h"

#include <elf.h>
#include <string.h>

enum { XEN_NOTE_PHYS32_ENTRY = 18 };

/* What of a program header is used; a note's address is not. */
struct segment {
	uint32_t type;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct elf_file {
	bool is_64;
	uint64_t entry, phoff;
	unsigned phnum;
};

static bool is_elf(const struct blob *k, unsigned class, size_t header)
{
	return k->len >= header && !memcmp(k->data, ELFMAG, SELFMAG) && k->data[EI_CLASS] == class;
}

bool elf_probe(const struct blob *k)
{
	return is_elf(k, ELFCLASS32, sizeof(Elf32_Ehdr)) || is_elf(k, ELFCLASS64, sizeof(Elf64_Ehdr));
}

/* Read the ELF header of K, which elf_probe() has accepted. Returns why it is not usable, or NULL. */
static const char *read_header(const struct blob *k, struct elf_file *f)
{
	size_t phentsize;
	unsigned machine;

	f->is_64 = k->data[EI_CLASS] == ELFCLASS64;
	if (f->is_64) {
		Elf64_Ehdr eh;

		memcpy(&eh, k->data, sizeof(eh));
		*f = (struct elf_file){ true, eh.e_entry, eh.e_phoff, eh.e_phnum };
		phentsize = eh.e_phentsize == sizeof(Elf64_Phdr) ? sizeof(Elf64_Phdr) : 0;
		machine = eh.e_machine == EM_X86_64;
	} else {
		Elf32_Ehdr eh;

		memcpy(&eh, k->data, sizeof(eh));
		*f = (struct elf_file){ false, eh.e_entry, eh.e_phoff, eh.e_phnum };
		phentsize = eh.e_phentsize == sizeof(Elf32_Phdr) ? sizeof(Elf32_Phdr) : 0;
		machine = eh.e_machine == EM_386;
	}
	if (!machine)
		return "an ELF file, but not for x86";
	if (!phentsize || f->phoff > k->len || f->phnum * phentsize > k->len - f->phoff)
		return "ELF program headers are outside the file";
	return NULL;
}

static void read_segment(const struct blob *k, const struct elf_file *f, unsigned i, struct segment *s)
{
	if (f->is_64) {
		Elf64_Phdr p;

		memcpy(&p, k->data + f->phoff + i * sizeof(p), sizeof(p));
		*s = (struct segment){ p.p_type,   p.p_offset, p.p_vaddr, p.p_paddr,
				       p.p_filesz, p.p_memsz,  p.p_align };
	} else {
		Elf32_Phdr p;

		memcpy(&p, k->data + f->phoff + i * sizeof(p), sizeof(p));
		*s = (struct segment){ p.p_type,   p.p_offset, p.p_vaddr, p.p_paddr,
				       p.p_filesz, p.p_memsz,  p.p_align };
	}
}

static uint64_t round_up(uint64_t n, uint64_t align)
{
	return (n + align - 1) & ~(align - 1);
}

/* Is there PVH's entry among the notes of S? */
static bool find_pvh(const struct blob *k, const struct segment *s, uint64_t *entry)
{
	uint64_t at = s->offset, end, align = s->align == 8 ? 8 : 4;
	Elf32_Nhdr n; /* the same in both classes */

	if (s->offset > k->len || s->filesz > k->len - s->offset)
		return false;
	for (end = at + s->filesz; end - at >= sizeof(n);) {
		uint64_t name, desc;

		memcpy(&n, k->data + at, sizeof(n));
		name = at + sizeof(n);
		desc = round_up(name + n.n_namesz, align);
		at = round_up(desc + n.n_descsz, align);
		if (desc + n.n_descsz > end)
			return false;
		if (n.n_type == XEN_NOTE_PHYS32_ENTRY && n.n_namesz == 4 &&
		    !memcmp(k->data + name, "Xen", 4) && (n.n_descsz == 4 || n.n_descsz == 8)) {
			*entry = 0;
			memcpy(entry, k->data + desc, n.n_descsz);
			return true;
		}
		if (at > end)
			return false;
	}
	return false;
}

bool elf_probe_pvh(const struct blob *k)
{
	struct elf_file f;
	struct segment s;
	uint64_t entry;

	if (!elf_probe(k) || read_header(k, &f))
		return false;
	for (unsigned i = 0; i < f.phnum; i++) {
		read_segment(k, &f, i, &s);
		if (s.type == PT_NOTE && find_pvh(k, &s, &entry))
			return true;
	}
	return false;
}

static bool load_segment(struct loader *l, const struct blob *k, const struct segment *s)
{
	if (s->offset > k->len || s->filesz > k->len - s->offset)
		return image_fail(l, "%s: truncated: segment needs %#llx file bytes at %#llx of %#zx",
				  image_name(l), (unsigned long long)s->filesz, (unsigned long long)s->offset,
				  k->len);
	if (s->filesz > s->memsz)
		return image_fail(l, "%s: segment at %#llx is larger in the file than in memory",
				  image_name(l), (unsigned long long)s->paddr);
	return kernel_put(l, s->paddr, k->data + s->offset, s->filesz, s->memsz);
}

bool elf_load(struct loader *l, const struct blob *k, struct elf_image *e)
{
	struct elf_file f;
	struct segment s;
	const char *why = elf_probe(k) ? read_header(k, &f) : "not an ELF file";

	*e = (struct elf_image){ 0 };
	if (why)
		return image_fail(l, "%s: %s", image_name(l), why);
	l->bits = f.is_64 ? 64 : 32;
	if (f.is_64 && !l->lm)
		return image_needs_64(l);
	e->is_64 = f.is_64;
	e->entry = f.entry;
	e->begin = UINT64_MAX;
	for (unsigned i = 0; i < f.phnum; i++) {
		read_segment(k, &f, i, &s);
		if (s.type == PT_NOTE && find_pvh(k, &s, &e->pvh_entry))
			e->has_pvh = true;
		if (s.type != PT_LOAD || !s.memsz)
			continue;
		if (!load_segment(l, k, &s))
			return false;
		if (f.entry >= s.vaddr && f.entry - s.vaddr < s.memsz)
			e->entry = f.entry - s.vaddr + s.paddr;
		if (s.paddr < e->begin)
			e->begin = s.paddr;
		if (s.paddr + s.memsz > e->end)
			e->end = s.paddr + s.memsz;
	}
	return e->end ? true : image_fail(l, "%s: ELF file has nothing to load", image_name(l));
}

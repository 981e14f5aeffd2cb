/* SPDX-License-Identifier: GPL-3.0-or-later
 * The symbol table: loaded whole, sorted at the first query, searched by bisection.
 * Files are not trusted: libelf checks the structure, we check its results. */
#include "inspect/debuginfo/symbols.h"
#include "base/alloc.h"
#include "base/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <libiberty/demangle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 1 << 16, REACH = 1 << 16, MANGLED = 1024 /* longer names stay as they are */ };

struct string_chunk {
	struct string_chunk *next;
	size_t used, size;
	char text[];
};

void symbols_init(struct symbols *t)
{
	*t = (struct symbols){ 0 };
}

void symbols_fini(struct symbols *t)
{
	struct string_chunk *c, *next;

	for (c = t->strings; c; c = next) {
		next = c->next;
		free(c);
	}
	free(t->by_addr);
	free(t->by_name);
	cfi_free(t->cfi);
	lines_free(t->lines);
	symbols_init(t);
}

static const char *keep_string(struct symbols *t, const char *s, size_t len)
{
	struct string_chunk *c = t->strings;

	if (!c || c->size - c->used < len + 1) {
		size_t size = len + 1 > CHUNK ? len + 1 : CHUNK;

		c = xmalloc(sizeof(*c) + size);
		c->next = t->strings;
		c->used = 0;
		c->size = size;
		t->strings = c;
	}
	memcpy(c->text + c->used, s, len);
	c->text[c->used + len] = 0;
	c->used += len + 1;
	return c->text + c->used - len - 1;
}

/* Give SYM, whose name is mangled as C++ and Rust do it, the name that its source has, without parameters. */
static void demangle(struct symbols *t, struct symbol *sym)
{
	char *name = NULL;

	if (sym->name[0] == '_' && (sym->name[1] == 'Z' || sym->name[1] == 'R') &&
	    strlen(sym->name) < MANGLED)
		name = cplus_demangle(sym->name, DMGL_AUTO);
	if (!name)
		return;
	sym->raw = sym->name;
	sym->name = keep_string(t, name, strlen(name));
	free(name);
}

static void add(struct symbols *t, struct symbol sym)
{
	demangle(t, &sym);
	if (t->count == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 1024;
		t->by_addr = xreallocarray(t->by_addr, t->cap, sizeof(*t->by_addr));
	}
	t->by_addr[t->count++] = sym;
	t->stale = true;
}

const char *symbols_string(struct symbols *t, const char *s)
{
	return keep_string(t, s, strlen(s));
}

void symbols_add(struct symbols *t, uint64_t addr, uint64_t size, const char *name, const char *module,
		 bool code)
{
	add(t, (struct symbol){ .addr = addr,
				.size = size,
				.name = keep_string(t, name, strlen(name)),
				.module = module,
				.code = code });
}

/* ---- order ---- */

/* Local labels and mapping symbols rank below names from the source. */
static int rank(const struct symbol *s)
{
	return (s->code ? 0 : 2) + (s->name[0] == '.' || s->name[0] == '$' || !strncmp(s->name, "__", 2));
}

static int by_addr(const void *pa, const void *pb)
{
	const struct symbol *a = pa, *b = pb;

	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	if (rank(a) != rank(b))
		return rank(a) - rank(b);
	return strcmp(a->name, b->name);
}

static int by_name(const void *pa, const void *pb)
{
	const struct symbol *a = *(struct symbol *const *)pa, *b = *(struct symbol *const *)pb;
	int d = strcmp(a->name, b->name);

	if (d)
		return d;
	return a->addr < b->addr ? -1 : a->addr > b->addr;
}

static void sort(struct symbols *t)
{
	if (!t->stale || !t->count)
		return;
	qsort(t->by_addr, t->count, sizeof(*t->by_addr), by_addr);
	t->by_name = xreallocarray(t->by_name, t->count, sizeof(*t->by_name));
	for (size_t i = 0; i < t->count; i++)
		t->by_name[i] = &t->by_addr[i];
	qsort(t->by_name, t->count, sizeof(*t->by_name), by_name);
	t->stale = false;
}

/* ---- queries ---- */

static const struct symbol *at_here(struct symbols *t, uint64_t addr)
{
	size_t lo = 0, hi;

	sort(t);
	hi = t->count;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (t->by_addr[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return NULL;
	lo--;
	while (lo && t->by_addr[lo - 1].addr == t->by_addr[lo].addr)
		lo--;
	if (addr - t->by_addr[lo].addr >= (t->by_addr[lo].size > REACH ? t->by_addr[lo].size : REACH))
		return NULL;
	return &t->by_addr[lo];
}

const struct symbol *symbols_at(struct symbols *t, uint64_t addr)
{
	const struct symbol *best = at_here(t, addr), *s;

	for (t = t->below; t; t = t->below) {
		s = at_here(t, addr);
		if (s && (!best || s->addr > best->addr))
			best = s;
	}
	return best;
}

/* Index of the first symbol whose name is not below NAME. */
static size_t lower_bound(struct symbols *t, const char *name)
{
	size_t lo = 0, hi;

	sort(t);
	hi = t->count;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (strcmp(t->by_name[mid]->name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static const struct symbol *find_raw(struct symbols *t, const char *name)
{
	for (; t; t = t->below)
		for (size_t i = 0; i < t->count; i++)
			if (t->by_addr[i].raw && !strcmp(t->by_addr[i].raw, name))
				return &t->by_addr[i];
	return NULL;
}

const struct symbol *symbols_find(struct symbols *t, const char *name)
{
	struct symbols *all = t;

	for (; t; t = t->below) {
		size_t i = lower_bound(t, name);

		if (i < t->count && !strcmp(t->by_name[i]->name, name))
			return t->by_name[i];
	}
	return name[0] == '_' && (name[1] == 'Z' || name[1] == 'R') ? find_raw(all, name) : NULL;
}

void symbols_complete(struct symbols *t, const char *prefix, unsigned max,
		      void (*found)(void *ctx, const char *name), void *ctx)
{
	const char *last = "";

	if (t->below)
		symbols_complete(t->below, prefix, max, found, ctx);
	for (size_t i = lower_bound(t, prefix); i < t->count && max; i++) {
		const char *name = t->by_name[i]->name;

		if (strncmp(name, prefix, strlen(prefix)))
			break;
		if (!strcmp(name, last) || (t->below && symbols_find(t->below, name)))
			continue;
		found(ctx, name);
		last = name;
		max--;
	}
}

void symbols_text(struct symbols *t, uint64_t addr, char *buf, size_t len)
{
	const struct symbol *s = symbols_at(t, addr);

	if (!s)
		buf[0] = 0;
	else if (s->addr == addr)
		snprintf(buf, len, "%s", s->name);
	else
		snprintf(buf, len, "%s+0x%llx", s->name, (unsigned long long)(addr - s->addr));
}

/* ---- ELF ---- */

static bool wanted(const GElf_Sym *sym)
{
	int type = GELF_ST_TYPE(sym->st_info);

	return sym->st_shndx != SHN_UNDEF && sym->st_shndx != SHN_ABS &&
	       (type == STT_FUNC || type == STT_OBJECT || type == STT_NOTYPE);
}

static long load_section(struct symbols *t, Elf *elf, Elf_Scn *scn, const GElf_Shdr *sh, const char *module,
			 int64_t offset)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	size_t n = sh->sh_entsize ? sh->sh_size / sh->sh_entsize : 0;
	long added = 0;

	for (size_t i = 0; data && i < n; i++) {
		const char *name;
		GElf_Sym sym;

		if (!gelf_getsym(data, (int)i, &sym))
			break;
		name = elf_strptr(elf, sh->sh_link, sym.st_name);
		if (!name || !name[0] || !wanted(&sym))
			continue;
		add(t, (struct symbol){ .addr = sym.st_value + (uint64_t)offset,
					.size = sym.st_size,
					.name = keep_string(t, name, strlen(name)),
					.module = module,
					.code = GELF_ST_TYPE(sym.st_info) == STT_FUNC });
		added++;
	}
	return added;
}

static long load_tables(struct symbols *t, Elf *elf, unsigned type, const char *module, int64_t offset)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;
	long added = 0;

	while ((scn = elf_nextscn(elf, scn)))
		if (gelf_getshdr(scn, &sh) && sh.sh_type == type)
			added += load_section(t, elf, scn, &sh, module, offset);
	return added;
}

static long load_elf(struct symbols *t, Elf *elf, const char *module, int64_t offset, char *err,
		     size_t errlen)
{
	long added;

	if (!elf || elf_kind(elf) != ELF_K_ELF) {
		snprintf(err, errlen, "not a usable ELF file");
		elf_end(elf);
		return -1;
	}
	t->has_32 |= gelf_getclass(elf) == ELFCLASS32;
	t->has_64 |= gelf_getclass(elf) == ELFCLASS64;
	added = load_tables(t, elf, SHT_SYMTAB, module, offset);
	if (!added)
		added = load_tables(t, elf, SHT_DYNSYM, module, offset);
	cfi_add(&t->cfi, elf, offset);
	elf_end(elf);
	if (!added) {
		snprintf(err, errlen, "the ELF file has no symbols");
		return -1;
	}
	return added;
}

/* ---- lists: "c0100000 T name [module]", also inside other text such as a console log ---- */

static bool load_line(struct symbols *t, char *line, const char *module, int64_t offset)
{
	char digits[17], type, name[256], owner[128] = "";

	if (sscanf(line, "%16[0-9a-fA-F] %c%*1[ \t]%255s %127s", digits, &type, name, owner) < 3 ||
	    !isalpha((unsigned char)type))
		return false;
	if (strchr("aAU", type))
		return true;
	add(t, (struct symbol){ .addr = strtoull(digits, NULL, 16) + (uint64_t)offset,
				.name = keep_string(t, name, strlen(name)),
				.module = owner[0] ? keep_string(t, owner, strlen(owner)) : module,
				.code = strchr("tTwW", type) != NULL });
	return true;
}

static long load_list(struct symbols *t, FILE *f, const char *module, int64_t offset, char *err,
		      size_t errlen)
{
	size_t before = t->count, len = 0;
	char *line = NULL;
	long lists = 0;

	while (getline(&line, &len, f) > 0)
		lists += load_line(t, line, module, offset);
	free(line);
	if (t->count > before)
		return (long)(t->count - before);
	snprintf(err, errlen,
		 lists ? "no symbols in this file" : "neither ELF nor lines \"ADDRESS TYPE NAME\"");
	return -1;
}

long symbols_load(struct symbols *t, const char *file, int64_t offset, char *err, size_t errlen)
{
	const char *base = strrchr(file, '/');
	char magic[4] = "", why[160];
	const char *module;
	long added;
	FILE *f = file_open(file);

	if (!f) {
		snprintf(err, errlen, "%s: %s", file, strerror(errno));
		return -1;
	}
	base = base ? base + 1 : file;
	module = keep_string(t, base, strlen(base));
	if (fread(magic, 1, 4, f) == 4 && !memcmp(magic, "\177ELF", 4)) {
		elf_version(EV_CURRENT);
		added = load_elf(t, elf_begin(fileno(f), ELF_C_READ, NULL), module, offset, why, sizeof(why));
		if (added >= 0)
			lines_add(&t->lines, file, offset);
	} else {
		rewind(f);
		added = load_list(t, f, module, offset, why, sizeof(why));
	}
	if (added < 0)
		snprintf(err, errlen, "%s: %s", file, why);
	fclose(f);
	return added;
}

long symbols_load_memory(struct symbols *t, const void *elf, size_t len, const char *name, char *err,
			 size_t errlen)
{
	elf_version(EV_CURRENT);
	/* libelf does not write to an image opened for reading */
	return load_elf(t, elf_memory((char *)(uintptr_t)elf, len), keep_string(t, name, strlen(name)), 0,
			err, errlen);
}

long symbols_save(const struct symbols *t, const char *file)
{
	FILE *f = fopen(file, "we");
	long n = 0;

	for (; f && t; t = t->below)
		for (size_t i = 0; i < t->count; i++, n++)
			fprintf(f, "%016llx %c %s\n", (unsigned long long)t->by_addr[i].addr,
				t->by_addr[i].code ? 'T' : 'D',
				t->by_addr[i].raw ? t->by_addr[i].raw : t->by_addr[i].name);
	return f && !fclose(f) ? n : -1;
}

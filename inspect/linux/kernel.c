/* SPDX-License-Identifier: GPL-3.0-or-later
 * The search for the kernel. The gate of the page-fault exception has the address of code in the image, whose
 * pages are contiguous in physical memory; from there the kernel's table of symbols is searched. Its
 * addresses are those after relocation, so kernels at random addresses need nothing special. Data that is
 * not in that table may be among the symbols for modules (__ksymtab). */
#include "inspect/linux/kernel_int.h"
#include "base/alloc.h"
#include "inspect/linux/kallsyms.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	REACH_BEFORE = 48 << 20, /* the image is searched this far around the handler */
	REACH_BEHIND = 64 << 20,
	FAULT_VECTOR = 14,
	IMAGE_MAX = 128 << 20,
	NOTES = PAGE_SIZE, /* bytes of vmcoreinfo */
	BTF_MAX = 64 << 20,
};
#define LOWMEM_MAX (1ull << 30)

/* ---- reading ---- */

bool lx_read(const struct lx *k, uint64_t va, void *buf, size_t n)
{
	if (va >= k->start && va < k->end && n <= k->end - va)
		return k->mem.read(k->mem.ctx, va + (uint64_t)k->delta, buf, n);
	return lx_space_read(&k->mem, &k->space, va, buf, n) == n;
}

size_t lx_read_some(const struct lx *k, uint64_t va, void *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		size_t piece = PAGE_SIZE - ((va + done) & PAGE_MASK);

		if (piece > n - done)
			piece = n - done;
		if (!lx_read(k, va + done, (char *)buf + done, piece))
			break;
		done += piece;
	}
	return done;
}

bool lx_word(const struct lx *k, uint64_t va, uint64_t *v)
{
	uint8_t raw[8];

	if (!lx_read(k, va, raw, k->width))
		return false;
	*v = lx_le(raw, k->width);
	return true;
}

bool lx_u32(const struct lx *k, uint64_t va, uint32_t *v)
{
	uint8_t raw[4];

	if (!lx_read(k, va, raw, 4))
		return false;
	*v = lx_le32(raw);
	return true;
}

bool lx_text(const struct lx *k, uint64_t va, char *buf, size_t size)
{
	size_t n = lx_read_some(k, va, buf, size - 1);

	buf[n] = 0;
	n = strlen(buf);
	for (size_t i = 0; i < n; i++)
		if (!isprint((unsigned char)buf[i]))
			buf[i] = '?';
	return n > 0;
}

bool lx_is_pointer(const struct lx *k, uint64_t va)
{
	return k->width == 8 ? va >= 0xffff800000000000ull && va < 0xfffffffffffff000ull
			     : va >= 0x40000000 && va < 0xfffff000;
}

bool lx_get(const struct lx *k, uint64_t base, enum lx_field f, uint64_t *v)
{
	return lx_has(k, f) && lx_word(k, lx_at(k, base, f), v);
}

bool lx_get32(const struct lx *k, uint64_t base, enum lx_field f, uint32_t *v)
{
	return lx_has(k, f) && lx_u32(k, lx_at(k, base, f), v);
}

bool lx_is_user(const struct lx *k, uint64_t va)
{
	return va < (k->width == 8 ? 1ull << 56 : 0xc0000000);
}

/* ---- exported data ---- */

/* Read the image from FROM to its end; malloced, NULL: too large. */
static uint8_t *read_image(const struct lx *k, uint64_t from, size_t *n)
{
	uint8_t *buf;

	if (from >= k->end || k->end - from > IMAGE_MAX)
		return NULL;
	*n = (size_t)(k->end - from);
	buf = xmalloc(*n);
	lx_phys_fill(&k->mem, from + (uint64_t)k->delta, buf, *n);
	return buf;
}

/* An entry of __ksymtab has the distances from itself to the data, then to the name. */
static bool entry_for(const uint8_t *image, size_t n, size_t name, size_t *value)
{
	for (size_t at = 4; at + 4 <= n; at += 4)
		if (at + (size_t)(int64_t)(int32_t)lx_le32(image + at) == name) {
			*value = at - 4 + (size_t)(int64_t)(int32_t)lx_le32(image + at - 4);
			return true;
		}
	return false;
}

static bool exported(const struct lx *k, const char *name, uint64_t *addr)
{
	const struct symbol *etext = symbols_find((struct symbols *)(uintptr_t)&k->symbols, "_etext");
	size_t n, len = strlen(name) + 2, value;
	uint64_t from = etext ? etext->addr : k->start;
	char *quoted = xasprintf("%c%s", '.', name);
	uint8_t *image = read_image(k, from, &n), *p;
	bool found = false;

	quoted[0] = 0; /* names lie one behind another */
	for (p = image; p && !found && (p = memmem(p, (size_t)(image + n - p), quoted, len)); p++)
		if (entry_for(image, n, (size_t)(p - image) + 1, &value)) {
			*addr = from + value;
			found = true;
		}
	free(quoted);
	free(image);
	return found;
}

bool lx_data_symbol(const struct lx *k, const char *name, uint64_t *addr)
{
	/* a look-up may sort the table, which is not a change to those who read it */
	const struct symbol *s = symbols_find((struct symbols *)(uintptr_t)&k->symbols, name);

	if (s)
		*addr = s->addr;
	return s;
}

bool lx_symbol(const struct lx *k, const char *name, uint64_t *addr)
{
	return lx_data_symbol(k, name, addr) || exported(k, name, addr);
}

/* ---- vmcoreinfo ---- */

bool lx_note(const struct lx *k, const char *key, unsigned radix, uint64_t *v)
{
	const char *p = k->vmcoreinfo;
	size_t n = strlen(key);
	char *end;

	for (; p && *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (!strncmp(p, key, n)) {
			*v = strtoull(p + n, &end, (int)radix);
			return end > p + n;
		}
	return false;
}

static bool take_notes(struct lx *k, uint64_t pa)
{
	char text[NOTES + 1];

	if (!k->mem.read(k->mem.ctx, pa, text, NOTES))
		return false;
	text[NOTES] = 0;
	if (strncmp(text, "OSRELEASE=", 10) || !strstr(text, "\nSYMBOL("))
		return false;
	k->vmcoreinfo = xstrdup(text);
	return true;
}

/* They are in a page of their own, to which a variable points that may have no symbol. */
static void find_notes(struct lx *k)
{
	uint64_t at, pa, left;
	const struct symbol *s = symbols_find(&k->symbols, "vmcoreinfo_data");
	char head[10];

	if (s) {
		if (lx_word(k, s->addr, &at) && lx_translate(&k->mem, &k->space, at, &pa, &left))
			take_notes(k, pa & ~(uint64_t)PAGE_MASK);
		return;
	}
	for (pa = 0; pa < LOWMEM_MAX; pa += PAGE_SIZE)
		if (k->mem.read(k->mem.ctx, pa, head, sizeof(head)) &&
		    !memcmp(head, "OSRELEASE=", sizeof(head)) && take_notes(k, pa))
			return;
}

uint64_t lx_offset(const struct lx *k)
{
	uint64_t off;

	if (lx_note(k, "KERNELOFFSET=", 16, &off))
		return off;
	return k->start -
	       (k->width == 8 ? 0xffffffff81000000ull : 0xc1000000); /* where distributions link it */
}

/* ---- page tables ---- */

/* Do the tables of SP map the image? */
static bool maps_image(const struct lx *k, const struct lx_space *sp)
{
	uint64_t pa, left;

	return lx_translate(&k->mem, sp, k->banner_at, &pa, &left) && pa == k->banner_at + (uint64_t)k->delta;
}

static void find_space(struct lx *k)
{
	static const char *const names[] = { "init_top_pgt", "swapper_pg_dir" };
	struct lx_space sp = k->space;
	uint64_t va;

	for (size_t i = 0; i < ARRAY_LEN(names) && !k->own_space; i++) {
		const struct symbol *s = symbols_find(&k->symbols, names[i]);

		if (!s)
			continue;
		sp.root = s->addr + (uint64_t)k->delta;
		k->own_space = maps_image(k, &sp);
	}
	if (!k->own_space && lx_note(k, "SYMBOL(swapper_pg_dir)=", 16, &va)) {
		sp.root = va + (uint64_t)k->delta;
		k->own_space = maps_image(k, &sp);
	}
	if (k->own_space)
		k->space = sp;
}

/* Until the kernel's own tables are known use the processor's; with isolated tables, the kernel's half of the
 * pair. */
static void use_space(struct lx *k, const struct lx_cpu *c)
{
	struct lx_space sp = c->space;

	if (k->own_space)
		return;
	sp.root &= ~(uint64_t)PAGE_SIZE;
	k->space = maps_image(k, &sp) ? sp : c->space;
}

/* ---- types ---- */

bool lx_set_btf(struct lx *k, const void *data, size_t len)
{
	struct btf *b = btf_new(data, len);

	if (!b)
		return false;
	btf_free(k->btf);
	k->btf = b;
	k->layout = (struct lx_layout){ 0 };
	k->inferred = k->modules_inferred = false;
	lx_layout_btf(k);
	return true;
}

static void find_btf(struct lx *k)
{
	const struct symbol *s = symbols_find(&k->symbols, "__start_BTF");
	const struct symbol *e = symbols_find(&k->symbols, "__stop_BTF");
	uint8_t *buf;

	if (!s || !e || e->addr <= s->addr || e->addr - s->addr > BTF_MAX)
		return;
	buf = xmalloc((size_t)(e->addr - s->addr));
	if (lx_read(k, s->addr, buf, (size_t)(e->addr - s->addr)))
		lx_set_btf(k, buf, (size_t)(e->addr - s->addr));
	free(buf);
}

/* ---- the search ---- */

uint64_t lx_fault_handler(const struct lx_mem *m, const struct lx_cpu *c)
{
	unsigned size = c->wide ? 16 : 8;
	uint8_t gate[16];
	uint64_t addr;

	if (!c->idt || c->space.paging == LX_FLAT ||
	    lx_space_read(m, &c->space, c->idt + FAULT_VECTOR * size, gate, size) != size ||
	    !(gate[5] & 0x80))
		return 0;
	addr = lx_le16(gate) | (uint64_t)lx_le16(gate + 6) << 16;
	if (c->wide)
		addr |= (uint64_t)lx_le32(gate + 8) << 32;
	return addr;
}

static void add_symbol(void *ctx, uint64_t addr, char type, const char *name)
{
	struct lx *k = ctx;

	if (addr < k->start) { /* in the block of a processor's own variables */
		if (!strcmp(name, "current_task"))
			k->percpu.current = addr;
		if (!strcmp(name, "pcpu_hot"))
			k->percpu.hot = addr;
		return;
	}
	if (type != 'A' && type != 'a')
		symbols_add(&k->symbols, addr, 0, name, "kernel", strchr("tTwW", type) != NULL);
	if (addr > k->end)
		k->end = addr;
}

/* Find "Linux version" in the image. */
static bool find_banner(struct lx *k)
{
	const struct symbol *s = symbols_find(&k->symbols, "linux_banner");
	static const char start[] = "Linux version ";
	unsigned major, minor;
	uint8_t *image, *p;
	size_t n;

	if (s) {
		k->banner_at = s->addr;
	} else if ((image = read_image(k, k->start, &n))) {
		for (p = image; (p = memmem(p, (size_t)(image + n - p), start, sizeof(start) - 1)); p++)
			if (p + sizeof(start) < image + n && isdigit(p[sizeof(start) - 1]))
				break;
		k->banner_at = p ? k->start + (uint64_t)(p - image) : 0;
		free(image);
	}
	if (!k->banner_at || !lx_text(k, k->banner_at, k->banner, sizeof(k->banner)) ||
	    strncmp(k->banner, start, sizeof(start) - 1))
		return false;
	if (k->banner[strlen(k->banner) - 1] == '?') /* the end of the line */
		k->banner[strlen(k->banner) - 1] = 0;
	if (sscanf(k->banner + sizeof(start) - 1, "%3u.%3u", &major, &minor) != 2)
		return false;
	k->version = major * 1000 + minor;
	return true;
}

/* Take the symbols of TABLE and what they lead to. */
static bool take_kernel(struct lx *k, const struct kallsyms *table, const struct lx_cpu *c)
{
	const struct symbol *end;

	k->start = table->base;
	kallsyms_each(table, add_symbol, k);
	end = symbols_find(&k->symbols, "_end");
	k->end = end ? end->addr : (k->end | PAGE_MASK) + 1;
	if (!find_banner(k))
		return false;
	use_space(k, c);
	find_btf(k);
	if (!lx_is_there(k, c))
		return false;
	lx_update(k, c);
	return true;
}

struct lx *lx_find(const struct lx_mem *m, const struct lx_cpu *c)
{
	uint64_t handler = lx_fault_handler(m, c), pa, left;
	struct kallsyms table;
	struct lx *k;
	bool ok;

	if (!handler || handler < (c->wide ? 0xffffffff00000000ull : 0x40000000) ||
	    !lx_translate(m, &c->space, handler, &pa, &left))
		return NULL;
	if (!kallsyms_find(&table, m, pa > REACH_BEFORE ? pa - REACH_BEFORE : 0, pa + REACH_BEHIND,
			   c->wide ? 8 : 4))
		return NULL;
	k = xcalloc(1, sizeof(*k));
	k->mem = *m;
	k->width = table.width;
	k->space = c->space;
	k->delta = (int64_t)(pa - handler);
	symbols_init(&k->symbols);
	symbols_init(&k->module_symbols);
	k->symbols.below = &k->module_symbols;
	ok = take_kernel(k, &table, c);
	kallsyms_fini(&table);
	if (ok)
		return k;
	lx_free(k);
	return NULL;
}

bool lx_is_there(struct lx *k, const struct lx_cpu *c)
{
	char now[64];
	size_t n = strlen(k->banner);

	if (n > sizeof(now) - 1)
		n = sizeof(now) - 1;
	if (!lx_text(k, k->banner_at, now, sizeof(now)) || strncmp(now, k->banner, n))
		return false;
	use_space(k, c);
	return true;
}

void lx_update(struct lx *k, const struct lx_cpu *c)
{
	use_space(k, c);
	if (!k->own_space)
		find_space(k);
	if (!k->vmcoreinfo) {
		find_notes(k);
		if (k->vmcoreinfo)
			lx_layout_notes(k);
	}
	if (!k->own_space)
		find_space(k);
}

void lx_free(struct lx *k)
{
	if (!k)
		return;
	symbols_fini(&k->symbols);
	symbols_fini(&k->module_symbols);
	btf_free(k->btf);
	free(k->vmcoreinfo);
	free(k);
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 * Modules are on a ring whose head, "modules", has a symbol only in kernels that keep those of data. In
 * others it is found in the code of functions that walk it: an address in several of them at which a ring of
 * modules is. Each module has its part of the symbols, as an ELF table. */
#include "inspect/linux/modules.h"
#include "inspect/linux/kernel_int.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAX_MODULES = 4096,
	MAX_USERS = 256,
	MAX_MODULE_SYMBOLS = 1 << 16,
	CODE = 384, /* bytes of a function that are searched */
	SAMPLE = 16,
	SPAN = 1024,
	MEMORIES = 7, /* of a module, since 6.4 */
	REF_BASE = 1, /* what the kernel itself counts */
};

static bool name_ok(const char *s, size_t size)
{
	size_t n = strnlen(s, size);

	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '_' && s[i] != '-')
			return false;
	return n && n < size;
}

static bool name_at(const struct lx *k, uint64_t module, char name[LX_MODULE_NAME])
{
	return lx_has(k, LX_MOD_NAME) &&
	       lx_read(k, lx_at(k, module, LX_MOD_NAME), name, LX_MODULE_NAME - 1) &&
	       (name[LX_MODULE_NAME - 1] = 0, name_ok(name, LX_MODULE_NAME - 1));
}

/* Is a ring of modules, perhaps an empty one, at HEAD? Up to MAX of them go to ADDR. -1: no. */
static int ring(const struct lx *k, uint64_t head, uint64_t *addr, unsigned max)
{
	uint64_t at = head, next, prev, module;
	char name[LX_MODULE_NAME];

	for (unsigned n = 0; n <= MAX_MODULES; n++) {
		if (!lx_word(k, at, &next) || !lx_is_pointer(k, next) ||
		    !lx_word(k, next + k->width, &prev) || prev != at)
			return -1;
		if (next == head)
			return (int)n;
		module = next - k->layout.off[LX_MOD_LIST];
		if (!name_at(k, module, name))
			return -1;
		if (n < max)
			addr[n] = module;
		at = next;
	}
	return -1;
}

/* ---- the head ---- */

struct candidate {
	uint64_t head;
	unsigned functions; /* that have the address */
	int modules;
};

static void count_candidate(const struct lx *k, uint64_t head, unsigned function, struct candidate *c,
			    unsigned *n)
{
	int modules;

	for (unsigned i = 0; i < *n; i++)
		if (c[i].head == head) {
			c[i].functions |= 1u << function;
			return;
		}
	if (*n == 64 || !lx_is_pointer(k, head) || (head & (k->width - 1)))
		return;
	modules = ring(k, head, NULL, 0);
	if (modules >= 0)
		c[(*n)++] = (struct candidate){ head, 1u << function, modules };
}

/* Find the head in code. *EMPTY: it is that of an empty ring, and may be of something else. */
static uint64_t head_in_code(const struct lx *k, bool *empty)
{
	static const char *const functions[] = { "m_start",
						 "find_module_all",
						 "module_kallsyms_lookup_name",
						 "module_kallsyms_on_each_symbol",
						 "print_modules",
						 "find_module" };
	struct candidate c[64], *best = NULL;
	unsigned n = 0;

	for (unsigned f = 0; f < ARRAY_LEN(functions); f++) {
		uint8_t code[CODE];
		uint64_t at;

		if (!lx_data_symbol(k, functions[f], &at) || !lx_read(k, at, code, CODE))
			continue;
		for (unsigned i = 0; i + 4 <= CODE; i++) {
			uint32_t v = lx_le32(code + i);
			uint64_t wide = (uint64_t)(int64_t)(int32_t)v;

			count_candidate(k, k->width == 4 ? v : wide, f, c, &n);
			if (k->width == 8)
				count_candidate(k, at + i + 4 + wide, f, c, &n);
		}
	}
	for (unsigned i = 0; i < n; i++)
		if (!best || c[i].modules > best->modules ||
		    (c[i].modules == best->modules &&
		     __builtin_popcount(c[i].functions) > __builtin_popcount(best->functions)))
			best = &c[i];
	if (!best || (!best->modules && __builtin_popcount(best->functions) < 2))
		return 0;
	*empty = !best->modules;
	return best->head;
}

static void default_layout(struct lx *k)
{
	if (lx_has(k, LX_MOD_LIST))
		return;
	lx_set(k, LX_MOD_STATE, 0, LX_INFERRED);
	lx_set(k, LX_MOD_LIST, k->width, LX_INFERRED);
	lx_set(k, LX_MOD_NAME, 3 * k->width, LX_INFERRED);
}

static uint64_t find_head(struct lx *k)
{
	bool empty = false;
	uint64_t head;

	default_layout(k);
	if (k->modules)
		return k->modules;
	if (lx_data_symbol(k, "modules", &head)) {
		k->modules = head;
		return head;
	}
	head = head_in_code(k, &empty);
	if (!empty)
		k->modules = head;
	return head;
}

/* ---- layout without BTF ---- */

struct sample {
	const struct lx *k;
	unsigned n, w;
	uint64_t addr[SAMPLE];
	uint8_t bytes[SAMPLE][SPAN];
};

static uint64_t word(const struct sample *s, unsigned i, unsigned off)
{
	return off + s->w <= SPAN ? lx_le(s->bytes[i] + off, s->w) : 0;
}

static uint32_t u32(const struct sample *s, unsigned i, unsigned off)
{
	return off + 4 <= SPAN ? lx_le32(s->bytes[i] + off) : 0;
}

/* core_layout: base and size of an area that has the structure itself. */
static bool fits_core(const struct sample *s, unsigned off)
{
	for (unsigned i = 0; i < s->n; i++) {
		uint64_t base = word(s, i, off);
		uint32_t size = u32(s, i, off + s->w);

		if (!lx_is_pointer(s->k, base) || (base & PAGE_MASK) || (size & PAGE_MASK) ||
		    size > 64 << 20 || s->addr[i] - base >= size)
			return false;
	}
	return true;
}

/* kallsyms: a pointer to where, in the structure itself, table, number, and two more addresses are. */
static bool fits_kallsyms(const struct sample *s, unsigned off)
{
	for (unsigned i = 0; i < s->n; i++) {
		uint64_t in = word(s, i, off) - s->addr[i];

		if (in >= SPAN - 4 * s->w || !lx_is_pointer(s->k, word(s, i, (unsigned)in)) ||
		    !u32(s, i, (unsigned)in + s->w) || u32(s, i, (unsigned)in + s->w) > MAX_MODULE_SYMBOLS ||
		    !lx_is_pointer(s->k, word(s, i, (unsigned)in + 2 * s->w)))
			return false;
	}
	return true;
}

static bool is_list(const struct sample *s, unsigned i, unsigned off)
{
	uint64_t next = word(s, i, off), prev;

	return lx_is_pointer(s->k, next) && lx_word(s->k, next + s->w, &prev) && prev == s->addr[i] + off;
}

/* source_list, target_list, exit, refcnt. */
static bool fits_users(const struct sample *s, unsigned off)
{
	for (unsigned i = 0; i < s->n; i++) {
		uint64_t exit = word(s, i, off + 4 * s->w);
		uint32_t refs = u32(s, i, off + 5 * s->w);

		if (!is_list(s, i, off) || !is_list(s, i, off + 2 * s->w) ||
		    (exit && !lx_is_pointer(s->k, exit)) || !refs || refs > 1u << 20)
			return false;
	}
	return true;
}

static unsigned find(const struct sample *s, bool (*fits)(const struct sample *s, unsigned off))
{
	for (unsigned off = 3 * s->w + LX_MODULE_NAME; off + 6 * s->w <= SPAN; off += s->w)
		if (fits(s, off))
			return off;
	return 0;
}

static void infer(struct lx *k, uint64_t head)
{
	struct sample s = { .k = k, .w = k->width };
	int n = ring(k, head, s.addr, SAMPLE);
	unsigned off;

	if (k->modules_inferred || k->btf || n <= 0)
		return;
	s.n = n < SAMPLE ? (unsigned)n : SAMPLE;
	for (unsigned i = 0; i < s.n; i++) {
		memset(s.bytes[i], 0, SPAN);
		lx_read_some(k, s.addr[i], s.bytes[i], SPAN);
	}
	if ((off = find(&s, fits_core)) && k->version < 6004) {
		lx_set(k, LX_MOD_CORE, off, LX_INFERRED);
		lx_set(k, LX_MOD_CORE_SIZE, off + s.w, LX_INFERRED);
	}
	if ((off = find(&s, fits_kallsyms))) {
		lx_set(k, LX_MOD_KALLSYMS, off, LX_INFERRED);
		for (unsigned i = 0; i < 4; i++)
			lx_set(k, LX_MODSYM_TABLE + i, i * s.w, LX_INFERRED);
	}
	if ((off = find(&s, fits_users))) {
		lx_set(k, LX_MOD_USERS, off, LX_INFERRED);
		lx_set(k, LX_MOD_REFS, off + 5 * s.w, LX_INFERRED);
		lx_set(k, LX_USE_LIST, 0, LX_INFERRED);
		lx_set(k, LX_USE_SOURCE, 4 * s.w, LX_INFERRED);
	}
	k->modules_inferred = true;
}

/* ---- modules ---- */

/* The modules that use M. */
static void find_users(const struct lx *k, struct lx_module *m)
{
	uint64_t head = lx_at(k, m->addr, LX_MOD_USERS), at, source;
	char name[LX_MODULE_NAME];
	size_t n = 0;

	if (!lx_has(k, LX_MOD_USERS) || !lx_has(k, LX_USE_SOURCE) || !lx_word(k, head, &at))
		return;
	for (unsigned i = 0; i < MAX_USERS && at != head && n < sizeof(m->users); i++) {
		if (!lx_get(k, at - k->layout.off[LX_USE_LIST], LX_USE_SOURCE, &source) ||
		    !name_at(k, source, name) || !lx_word(k, at, &at))
			return;
		n += (size_t)snprintf(m->users + n, sizeof(m->users) - n, "%s%s", n ? "," : "", name);
	}
}

static void find_memory(const struct lx *k, struct lx_module *m)
{
	uint32_t size = 0, more = 0;
	uint64_t base;

	if (lx_has(k, LX_MOD_CORE)) {
		lx_get(k, m->addr, LX_MOD_CORE, &m->base);
		lx_get32(k, m->addr, LX_MOD_CORE_SIZE, &size);
		lx_get32(k, m->addr, LX_MOD_INIT_SIZE, &more);
		m->size = (uint64_t)size + more;
		return;
	}
	for (unsigned i = 0; i < MEMORIES && lx_has(k, LX_MOD_MEM) && lx_has(k, LX_SIZE_MEM); i++) {
		uint64_t at = lx_at(k, m->addr, LX_MOD_MEM) + (uint64_t)i * k->layout.off[LX_SIZE_MEM];

		if (!lx_get(k, at, LX_MEM_BASE, &base) || !lx_get32(k, at, LX_MEM_SIZE, &size))
			return;
		if (!i)
			m->base = base;
		m->size += size;
	}
}

static bool module_at(const struct lx *k, uint64_t addr, struct lx_module *m)
{
	uint32_t v;

	*m = (struct lx_module){ .addr = addr, .refs = -1 };
	if (!name_at(k, addr, m->name))
		return false;
	if (lx_get32(k, addr, LX_MOD_STATE, &v))
		m->state = v;
	if (lx_get32(k, addr, LX_MOD_REFS, &v) && v < INT32_MAX)
		m->refs = (int)v - REF_BASE;
	find_memory(k, m);
	find_users(k, m);
	return true;
}

const char *lx_modules_each(struct lx *k, void (*found)(void *ctx, const struct lx_module *m), void *ctx)
{
	uint64_t head = find_head(k), at = head, prev;
	struct lx_module m;

	if (!head)
		return "the kernel's list of modules was not found";
	infer(k, head);
	for (unsigned n = 0; n <= MAX_MODULES; n++) {
		uint64_t last = at;

		if (!lx_word(k, last, &at) || !lx_word(k, at + k->width, &prev) || prev != last)
			break;
		if (at == head)
			return NULL;
		if (!module_at(k, at - k->layout.off[LX_MOD_LIST], &m))
			break;
		found(ctx, &m);
	}
	return "the kernel's list of modules is damaged, or being changed";
}

/* ---- symbols ---- */

struct table {
	uint64_t symbols, count, strings, types;
};

static bool table_of(const struct lx *k, const struct lx_module *m, struct table *t)
{
	uint64_t at;
	uint32_t count;

	if (!lx_get(k, m->addr, LX_MOD_KALLSYMS, &at) || !lx_is_pointer(k, at) ||
	    !lx_get(k, at, LX_MODSYM_TABLE, &t->symbols) || !lx_get32(k, at, LX_MODSYM_COUNT, &count) ||
	    !lx_get(k, at, LX_MODSYM_STRINGS, &t->strings) || count > MAX_MODULE_SYMBOLS)
		return false;
	t->count = count;
	if (!lx_get(k, at, LX_MODSYM_TYPES, &t->types))
		t->types = 0;
	return true;
}

static void add_symbols(struct lx *k, const struct lx_module *m)
{
	unsigned size = k->width == 8 ? 24 : 16;
	char name[128], owner[LX_MODULE_NAME + 2];
	const char *kept;
	struct table t;

	if (!table_of(k, m, &t))
		return;
	snprintf(owner, sizeof(owner), "[%s]", m->name);
	kept = symbols_string(&k->module_symbols, owner);
	for (uint64_t i = 1; i < t.count; i++) {
		uint8_t raw[24], type = 't';
		uint64_t value, bytes;

		if (!lx_read(k, t.symbols + i * size, raw, size))
			return;
		value = size == 24 ? lx_le64(raw + 8) : lx_le32(raw + 4);
		bytes = size == 24 ? lx_le64(raw + 16) : lx_le32(raw + 8);
		if (!lx_le16(raw + (size == 24 ? 6 : 14)) || !lx_is_pointer(k, value) ||
		    !lx_text(k, t.strings + lx_le32(raw), name, sizeof(name)))
			continue;
		if (t.types && !lx_read(k, t.types + i, &type, 1))
			type = 't';
		symbols_add(&k->module_symbols, value, bytes < 1 << 24 ? bytes : 0, name, kept,
			    strchr("tTwW", type) != NULL);
	}
}

static void mix(uint64_t *h, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*h = (*h ^ ((const uint8_t *)p)[i]) * 0x100000001b3ull;
}

static void hash_module(void *ctx, const struct lx_module *m)
{
	mix(ctx, &m->addr, sizeof(m->addr));
	mix(ctx, &m->state, sizeof(m->state));
	mix(ctx, m->name, strlen(m->name));
}

static void load_module(void *ctx, const struct lx_module *m)
{
	struct lx *k = ctx;

	if (k->module_symbols.count < 1 << 20)
		add_symbols(k, m);
}

void lx_modules_symbols(struct lx *k)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	if (lx_modules_each(k, hash_module, &hash) || hash == k->modules_hash)
		return;
	k->modules_hash = hash;
	symbols_fini(&k->module_symbols);
	lx_modules_each(k, load_module, k);
}

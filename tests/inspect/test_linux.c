/* SPDX-License-Identifier: GPL-3.0-or-later
 * The search for a Linux kernel, its symbols and types, on make-believe memory: as it should be, and damaged.
 */
#include "inspect/debuginfo/types.h"
#include "inspect/linux/modules.h"
#include "inspect/linux/printk.h"
#include "inspect/linux/vmas.h"
#include "tests/inspect/lx_structures.h"
#include "tests/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory and symbols ---- */

static const struct {
	enum lx_paging paging;
	bool late;
} forms[] = { { LX_TWO_LEVELS, false },	 { LX_PAE, false },	   { LX_PAE, true },
	      { LX_FOUR_LEVELS, false }, { LX_FOUR_LEVELS, true }, { LX_FIVE_LEVELS, true } };

START_TEST(test_find)
{
	const struct symbol *sym;
	struct image im;
	uint64_t addr;
	struct lx *k;

	image_init(&im, forms[_i].paging, forms[_i].late);
	image_symbol(&im, "some_data", im.start + IMAGE_FREE);
	image_link(&im);
	image_word(&im, im.start + IMAGE_FREE + 8, 0xc1234567);
	k = lx_find(&im.lx, &im.cpu);
	ck_assert_ptr_nonnull(k);
	ck_assert_str_eq(k->banner, "Linux version 6.1.0-test (make-believe)");
	ck_assert_uint_eq(k->version, 6001);
	ck_assert_uint_eq(k->symbols.count, IMAGE_SYMBOLS + im.nnamed);
	ck_assert(lx_symbol(k, "some_data", &addr) && addr == im.start + IMAGE_FREE);
	ck_assert(lx_word(k, addr + 8, &addr) && addr == 0xc1234567);
	ck_assert(!lx_symbol(k, "no_data", &addr));
	sym = symbols_at(&k->symbols, im.start + 16 * 3000 + 5);
	ck_assert_str_eq(sym->name, "function_3000");
	ck_assert(lx_is_there(k, &im.cpu));
	image_at(&im, im.start + IMAGE_BANNER)[17] = 'x';
	ck_assert(!lx_is_there(k, &im.cpu));
	lx_free(k);
	image_fini(&im);
}
END_TEST

START_TEST(test_translate)
{
	struct image im;
	uint64_t pa, left;
	uint8_t buf[8];

	image_init(&im, forms[_i].paging, false);
	ck_assert(lx_translate(&im.lx, &im.cpu.space, im.start + 0x1234, &pa, &left));
	ck_assert_uint_eq(pa, IMAGE_PA + 0x1234);
	ck_assert_uint_eq(left, (im.cpu.space.paging == LX_TWO_LEVELS ? 4u << 20 : 2u << 20) - 0x1234);
	ck_assert(!lx_translate(&im.lx, &im.cpu.space, im.start + IMAGE_SIZE, &pa, &left));
	ck_assert(!lx_translate(&im.lx, &im.cpu.space, 0x8000000000000000ull, &pa, &left));
	ck_assert_uint_eq(lx_space_read(&im.lx, &im.cpu.space, im.start + IMAGE_SIZE - 3, buf, 8), 3);
	image_fini(&im);
}
END_TEST

static void count_range(void *ctx, uint64_t va, uint64_t pa, uint64_t size)
{
	uint64_t *sum = ctx;

	(void)va;
	(void)pa;
	*sum += size;
}

/* All that is mapped; a table that is its own page ends by the limit. */
START_TEST(test_space)
{
	struct lx_space self = { 0x20000, LX_FOUR_LEVELS };
	unsigned tables = 100;
	uint64_t sum = 0;
	struct image im;

	image_init(&im, forms[_i].paging, false);
	lx_space_each(&im.lx, &im.cpu.space, &tables, count_range, &sum);
	ck_assert_uint_eq(sum, IMAGE_SIZE);
	ck_assert_uint_ge(tables, 95);
	for (unsigned i = 0; i < 512; i++)
		im.mem[0x20000 + 8 * i] = 3, im.mem[0x20000 + 8 * i + 2] = 2;
	lx_space_each(&im.lx, &self, &tables, count_range, &sum);
	ck_assert_uint_eq(tables, 0);
	image_fini(&im);
}
END_TEST

/* An entry of __ksymtab: data that is not in the table of symbols. */
START_TEST(test_exported)
{
	uint64_t at, name, addr;
	struct image im;
	struct lx *k;

	image_init(&im, forms[_i].paging, false);
	at = im.start + IMAGE_FREE;
	name = at + 0x1001;
	image_symbol(&im, "_etext", at - 0x1000);
	image_symbol(&im, "_end", im.start + IMAGE_SIZE);
	image_link(&im);
	image_u32(&im, at, (uint32_t)(at + 0x3000 - at));
	image_u32(&im, at + 4, (uint32_t)(name - (at + 4)));
	strcpy((char *)image_at(&im, name), "exported_data");
	k = lx_find(&im.lx, &im.cpu);
	ck_assert_ptr_nonnull(k);
	ck_assert(lx_symbol(k, "exported_data", &addr));
	ck_assert_uint_eq(addr, at + 0x3000);
	ck_assert(!lx_symbol(k, "exported_dat", &addr));
	lx_free(k);
	image_fini(&im);
}
END_TEST

/* Damage the tables; whatever is found then, nothing may be read that is not there. */
START_TEST(test_damaged)
{
	unsigned found = 0;

	srand((unsigned)_i);
	for (unsigned n = 0; n < 12; n++) {
		struct image im;
		struct lx *k;

		image_init(&im, forms[_i].paging, forms[_i].late);
		image_link(&im);
		for (unsigned j = 0; j < 1u << n % 12; j++)
			image_at(&im, im.start)[rand() % (n % 3 ? 0x60000 : IMAGE_FREE)] ^=
			    (uint8_t)(1 << rand() % 8);
		k = lx_find(&im.lx, &im.cpu);
		if (k) {
			found++;
			symbols_at(&k->symbols, im.start + 0x3456);
		}
		lx_free(k);
		image_fini(&im);
	}
	ck_assert_uint_gt(found, 0); /* one bit matters seldom */
}
END_TEST

/* Memory full of what looks like the beginning of the tables takes no longer than the limits allow. */
START_TEST(test_full_of_digits)
{
	struct image im;

	image_init(&im, LX_PAE, false);
	for (uint8_t *p = image_at(&im, im.start + IMAGE_TABLES), *end = im.mem + IMAGE_MEMORY; p + 20 < end;
	     p += 20)
		memcpy(p, "0\0001\0002\0003\0004\0005\0006\0007\0008\0009", 20);
	ck_assert_ptr_null(lx_find(&im.lx, &im.cpu));
	image_fini(&im);
}
END_TEST

/* ---- tasks, log, modules ---- */

static bool count_task(void *ctx, const struct lx_task *t)
{
	struct image_seen *seen = ctx;

	seen->tasks++;
	if (t->pid == IMAGE_USER)
		seen->user = *t;
	return true;
}

static void count_record(void *ctx, const struct lx_record *r)
{
	struct image_seen *seen = ctx;

	snprintf(seen->texts + strlen(seen->texts), sizeof(seen->texts) - strlen(seen->texts), "%llu %s|",
		 (unsigned long long)r->seq, r->text);
	seen->level = r->level;
	seen->time = r->time;
}

static void count_module(void *ctx, const struct lx_module *m)
{
	struct image_seen *seen = ctx;

	snprintf(seen->modules + strlen(seen->modules), sizeof(seen->modules) - strlen(seen->modules),
		 "%s %llu %d %s|", m->name, (unsigned long long)m->size, m->refs, m->users);
}

static void count_area(void *ctx, const struct lx_vma *v)
{
	struct image_seen *seen = ctx;

	snprintf(seen->areas + strlen(seen->areas), sizeof(seen->areas) - strlen(seen->areas), "%llx %s %s|",
		 (unsigned long long)v->start, v->rights, v->name);
}

/* Look at all there is. */
static void look(struct lx *k, struct image_seen *seen)
{
	char line[100];
	const char *why;

	*seen = (struct image_seen){ 0 };
	if (lx_tasks_known(k, &why))
		seen->why[0] = lx_tasks_each(k, true, count_task, seen);
	else
		seen->why[0] = why;
	if (lx_current(k, &seen->current))
		lx_command_line(k, &seen->current, line, sizeof(line));
	seen->why[1] = lx_printk_each(k, count_record, seen);
	seen->why[2] = lx_modules_each(k, count_module, seen);
	lx_modules_symbols(k);
	seen->why[3] = lx_vmas_each(k, &seen->user, count_area, seen);
	lx_file_place(k, &seen->user, 0x08000123, seen->place, sizeof(seen->place));
}

START_TEST(test_structures)
{
	const struct symbol *sym;
	struct image_seen seen;
	struct image im;
	char line[100];
	struct lx *k;

	image_init(&im, forms[_i].paging, forms[_i].late);
	image_structures(&im);
	image_link(&im);
	k = lx_find(&im.lx, &im.cpu);
	ck_assert_ptr_nonnull(k);
	look(k, &seen);
	ck_assert_ptr_null(seen.why[0]);
	ck_assert_uint_eq(seen.tasks, IMAGE_TASKS);
	ck_assert_str_eq(seen.user.comm, "program");
	ck_assert_uint_eq(seen.user.parent, 1);
	ck_assert_int_eq(seen.user.state, 'S');
	ck_assert_uint_ne(seen.user.root, 0);
	ck_assert_str_eq(seen.current.comm, "program");
	if (forms[_i].paging == LX_TWO_LEVELS) {
		ck_assert(lx_command_line(k, &seen.user, line, sizeof(line)));
		ck_assert_str_eq(line, "program -x");
	}
	ck_assert_ptr_null(seen.why[1]);
	ck_assert_str_eq(seen.texts, "5 five|6 six|7 at the end|8 wrapped|");
	ck_assert_uint_eq(seen.level, 6);
	ck_assert_uint_eq(seen.time, 8000000);
	ck_assert_ptr_null(seen.why[2]);
	ck_assert_str_eq(seen.modules, "first 8192 1 second|second 8192 0 |");
	sym = symbols_find(&k->symbols, "second_function");
	ck_assert_ptr_nonnull(sym);
	ck_assert_str_eq(sym->module, "[second]");
	ck_assert_ptr_null(seen.why[3]);
	ck_assert_str_eq(seen.areas, "8000000 r-xp /prog|8212000 rw-p [stack]|");
	ck_assert_str_eq(seen.place, "prog+0x2123");
	lx_free(k);
	image_fini(&im);
}
END_TEST

/* Damage them: what is found may be wrong, but everything ends, and nothing is read that is not there. */
START_TEST(test_structures_damaged)
{
	unsigned whole = 0, broken = 0, size = IMAGE_STRUCTURES_END - IMAGE_FREE;
	uint8_t *copy = malloc(size), *place;
	struct image_seen seen;
	struct image im;
	struct lx *k, was;

	srand((unsigned)_i);
	image_init(&im, forms[_i].paging, forms[_i].late);
	image_structures(&im);
	image_link(&im);
	k = lx_find(&im.lx, &im.cpu);
	ck_assert_ptr_nonnull(k);
	place = image_at(&im, im.start + IMAGE_FREE);
	memcpy(copy, place, size);
	for (unsigned n = 0; n < 600; n++) {
		was = *k;
		for (unsigned j = 0; j < 1u << n % 9; j++) {
			unsigned at = (unsigned)rand() % size & ~3u;

			if (n % 2)
				place[at] ^= (uint8_t)(1 << rand() % 8);
			else /* a pointer to somewhere else, or a large number */
				memcpy(place + at, copy + ((unsigned)rand() % size & ~3u), 4);
		}
		look(k, &seen);
		whole += !seen.why[0] && !seen.why[1] && !seen.why[2] && !seen.why[3];
		broken += seen.why[0] || seen.why[1] || seen.why[2] || seen.why[3];
		memcpy(place, copy, size);
		if (n % 3) { /* find the layout again */
			k->inferred = k->modules_inferred = false;
			k->modules_hash = 0;
			k->layout = was.layout;
			memset(k->layout.from, 0, LX_PRB_DESCS);
		}
	}
	ck_assert_uint_gt(whole, 0);
	ck_assert_uint_gt(broken, 0);
	lx_free(k);
	image_fini(&im);
	free(copy);
}
END_TEST

/* ---- BTF ---- */

/* struct inner { int x; }; struct outer { struct inner a; union { long b; struct { int c, d; }; }; typedef
 * inner e; }; */
static const char strings[] = "\0int\0x\0inner\0a\0b\0c\0d\0outer\0e\0inner_t";
enum {
	S_INT = 1,
	S_X = 5,
	S_INNER = 7,
	S_A = 13,
	S_B = 15,
	S_C = 17,
	S_D = 19,
	S_OUTER = 21,
	S_E = 27,
	S_INNER_T = 29
};

static const uint32_t types[] = {
	S_INT,	   1u << 24,	 4,  32,				/* 1 */
	S_INNER,   4u << 24 | 1, 4,  S_X, 1, 0,				/* 2 */
	0,	   4u << 24 | 2, 8,  S_C, 1, 0, S_D, 1, 32,		/* 3 */
	0,	   5u << 24 | 2, 8,  S_B, 1, 0, 0,   3, 0,		/* 4 */
	S_INNER_T, 8u << 24,	 2,					/* 5 */
	S_OUTER,   4u << 24 | 3, 16, S_A, 2, 0, 0,   4, 32, S_E, 5, 96, /* 6 */
};

struct blob {
	uint32_t magic_version_flags, head, type_off, type_len, string_off, string_len;
	uint32_t types[ARRAY_LEN(types)];
	char strings[sizeof(strings)];
};

static struct blob blob(void)
{
	struct blob b = { 0x1eb9f, 24, 0, sizeof(types), sizeof(types), sizeof(strings), { 0 }, { 0 } };

	memcpy(b.types, types, sizeof(types));
	memcpy(b.strings, strings, sizeof(strings));
	return b;
}

START_TEST(test_btf)
{
	static const struct {
		const char *type, *path;
		long off;
	} want[] = { { "inner", "x", 0 },  { "outer", "a", 0 },	  { "outer", "b", 4 },
		     { "outer", "d", 8 },  { "outer", "a.x", 0 }, { "outer", "e.x", 12 },
		     { "outer", "z", -1 }, { "none", "x", -1 },	  { "outer", "b.x", -1 } };
	struct blob bl = blob();
	struct btf *b = btf_new(&bl, sizeof(bl));

	ck_assert_ptr_nonnull(b);
	ck_assert_uint_eq(btf_types(b), 6);
	ck_assert_int_eq(btf_size(b, "outer"), 16);
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		ck_assert_int_eq(btf_member(b, want[i].type, want[i].path), want[i].off);
	btf_free(b);
}
END_TEST

START_TEST(test_btf_damaged)
{
	srand(1);
	for (unsigned n = 0; n < 20000; n++) {
		struct blob bl = blob();
		struct btf *b;

		for (unsigned j = 0; j < 1 + n % 4; j++)
			((uint8_t *)&bl)[(unsigned)rand() % sizeof(bl)] ^= (uint8_t)(1 << rand() % 8);
		b = btf_new(&bl, sizeof(bl) - (n % 7 ? 0 : (unsigned)rand() % sizeof(bl)));
		if (!b)
			continue;
		btf_member(b, "outer", "d");
		btf_member(b, "outer", "e.x");
		btf_size(b, "inner");
		btf_free(b);
	}
}
END_TEST

/* ---- DWARF ---- */

/* Its offsets in this program's own DWARF. */
struct test_types_probe {
	int a;
	union {
		long b;
		struct {
			int c, d;
		};
	};
	struct {
		char x;
		int y;
	} e;
};

START_TEST(test_dwarf)
{
	static struct test_types_probe probe; /* the compiler describes what is used */
	struct type_query q[] = { { "test_types_probe", "a", 0 },   { "test_types_probe", "b", 0 },
				  { "test_types_probe", "d", 0 },   { "test_types_probe", "e.y", 0 },
				  { "test_types_probe", NULL, 0 },  { "test_types_probe", "z", 0 },
				  { "test_types_probe", "b.x", 0 }, { "no_such_structure", "a", 0 } };
	char err[200] = "";
	long n = types_load("/proc/self/exe", q, ARRAY_LEN(q), err, sizeof(err));

	probe.a = (int)n;
	if (n <= 0) { /* built without -g */
		ck_assert(n == 0 || strstr(err, "no debugging information"));
		return;
	}
	ck_assert_int_eq(probe.a, 5);
	ck_assert_int_eq(q[0].off, offsetof(struct test_types_probe, a));
	ck_assert_int_eq(q[1].off, offsetof(struct test_types_probe, b));
	ck_assert_int_eq(q[2].off, offsetof(struct test_types_probe, d));
	ck_assert_int_eq(q[3].off, offsetof(struct test_types_probe, e.y));
	ck_assert_int_eq(q[4].off, sizeof(struct test_types_probe));
	ck_assert_int_eq(types_load("/nonexistent/file", q, 1, err, sizeof(err)), -1);
	ck_assert_ptr_nonnull(strstr(err, "No such file"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("linux");
	TCase *t = tcase_create("linux");

	tcase_add_loop_test(t, test_find, 0, ARRAY_LEN(forms));
	tcase_add_loop_test(t, test_translate, 0, ARRAY_LEN(forms));
	tcase_add_loop_test(t, test_space, 0, ARRAY_LEN(forms));
	tcase_add_loop_test(t, test_exported, 0, ARRAY_LEN(forms));
	tcase_add_loop_test(t, test_damaged, 0, ARRAY_LEN(forms));
	tcase_add_loop_test(t, test_structures, 0, ARRAY_LEN(forms));
	tcase_add_loop_test(t, test_structures_damaged, 0, ARRAY_LEN(forms));
	tcase_add_test(t, test_full_of_digits);
	tcase_add_test(t, test_dwarf);
	tcase_add_test(t, test_btf);
	tcase_add_test(t, test_btf_damaged);
	suite_add_tcase(s, t);
	return suite_run(s);
}

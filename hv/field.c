/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/field.h. */
#include "hv/field.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/alloc.h"
#include "hv/clock.h"

/* A part without fields has no table: NULL + 0 is not defined. */
static const struct state_field *fields_end(const struct state_part *p)
{
	return p->nfields ? p->fields + p->nfields : p->fields;
}

static uint8_t *element(const struct state_part *p, const struct state_field *f, unsigned i)
{
	return (uint8_t *)p->obj + f->off + (size_t)i * f->stride;
}

static unsigned elements(const struct state_field *f)
{
	return f->count ? f->count : 1;
}

/* ---- pages ---- */

enum { PIECE = 4096 };

/* The next piece of F from *AT on that is not all zero; false: there is none. */
static bool next_piece(const uint8_t *bytes, const struct state_field *f, uint32_t *at)
{
	static const uint8_t zeros[PIECE];

	for (; *at + PIECE <= f->size; *at += PIECE)
		if (memcmp(bytes + *at, zeros, PIECE))
			return true;
	return false;
}

static void hash_pages(const uint8_t *bytes, const struct state_field *f, struct XXH3_state_s *h)
{
	for (uint32_t at = 0; next_piece(bytes, f, &at); at += PIECE) {
		XXH3_64bits_update(h, &at, sizeof(at));
		XXH3_64bits_update(h, bytes + at, PIECE);
	}
}

void part_hash(const struct state_part *p, struct XXH3_state_s *h)
{
	for (const struct state_field *f = p->fields; f < fields_end(p); f++) {
		if (f->kind == FIELD_PAGES && !f->unhashed)
			hash_pages(element(p, f, 0), f, h);
		for (unsigned i = 0; f->kind != FIELD_PAGES && !f->unhashed && i < elements(f); i++)
			XXH3_64bits_update(h, element(p, f, i), f->size);
	}
}

/* ---- values ---- */

/* The number at AT, zero-extended: little-endian, as the host is. */
static int64_t get(const uint8_t *at, unsigned size)
{
	int64_t v = 0;

	memcpy(&v, at, size);
	return v;
}

json_t *hex_save(const uint8_t *p, size_t n)
{
	char *text = xmalloc(2 * n + 1);
	json_t *j;

	for (size_t i = 0; i < n; i++) {
		text[2 * i] = "0123456789abcdef"[p[i] >> 4];
		text[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
	}
	j = json_stringn(text, 2 * n);
	free(text);
	return j;
}

static int digit(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* P may be NULL: check only. */
bool hex_load(const json_t *j, uint8_t *p, size_t n)
{
	const char *text = json_string_value(j);

	if (!text || json_string_length(j) != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int hi = digit(text[2 * i]), lo = digit(text[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		if (p)
			p[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

/* ---- saving ---- */

static json_t *save_numbers(const struct state_part *p, const struct state_field *f)
{
	json_t *a;

	if (!f->count)
		return json_integer(get(element(p, f, 0), f->size));
	a = json_array();
	for (unsigned i = 0; i < f->count; i++)
		json_array_append_new(a, json_integer(get(element(p, f, i), f->size)));
	return a;
}

/* An object: offset in hexadecimal digits, bytes. */
static json_t *save_pages(const uint8_t *bytes, const struct state_field *f)
{
	json_t *j = json_object();
	char key[16];

	for (uint32_t at = 0; next_piece(bytes, f, &at); at += PIECE) {
		snprintf(key, sizeof(key), "%x", at);
		json_object_set_new(j, key, hex_save(bytes + at, PIECE));
	}
	return j;
}

static json_t *save_timer(const struct vm_timer *t, const struct vm_clock *clock)
{
	json_int_t order = 0;

	if (!t->armed)
		return json_null();
	for (const struct vm_timer *i = clock->head; i && i != t; i = i->next)
		order++;
	return json_pack("{s:I, s:I}", "deadline", (json_int_t)t->deadline, "order", order);
}

json_t *part_save(const struct state_part *p, const struct vm_clock *clock)
{
	json_t *j = json_object();

	for (const struct state_field *f = p->fields; f < fields_end(p); f++) {
		json_t *v = f->kind == FIELD_NUMBERS ? save_numbers(p, f)
			    : f->kind == FIELD_HEX   ? hex_save(element(p, f, 0), f->size)
			    : f->kind == FIELD_PAGES ? save_pages(element(p, f, 0), f)
						     : save_timer((void *)element(p, f, 0), clock);

		json_object_set_new(j, f->name, v);
	}
	return j;
}

/* ---- checking and loading ---- */

static bool fits(const struct state_field *f, const json_t *v)
{
	json_int_t n = json_integer_value(v);

	if (!json_is_integer(v) || (f->size < 8 && (n < 0 || n >> (8 * f->size))))
		return false;
	return f->max <= f->min || (n >= f->min && n <= f->max);
}

static bool numbers_fit(const struct state_field *f, const json_t *v)
{
	if (!f->count)
		return fits(f, v);
	if (!json_is_array(v) || json_array_size(v) != f->count)
		return false;
	for (unsigned i = 0; i < f->count; i++)
		if (!fits(f, json_array_get(v, i)))
			return false;
	return true;
}

/* BYTES may be NULL: check only. Pages that J does not have become zero. */
static bool load_pages(const json_t *j, uint8_t *bytes, const struct state_field *f)
{
	const char *key;
	json_t *v;

	if (!json_is_object(j))
		return false;
	for (uint32_t at = 0; bytes && next_piece(bytes, f, &at); at += PIECE)
		memset(bytes + at, 0, PIECE);
	json_object_foreach((json_t *)(uintptr_t)j, key, v)
	{
		char *end;
		unsigned long at = strtoul(key, &end, 16);

		if (*end || at % PIECE || at >= f->size || !hex_load(v, bytes ? bytes + at : NULL, PIECE))
			return false;
	}
	return true;
}

static bool timer_fits(const json_t *v)
{
	return json_is_null(v) ||
	       (json_object_size(v) == 2 && json_is_integer(json_object_get(v, "deadline")) &&
		json_is_integer(json_object_get(v, "order")));
}

static bool field_fits(const struct state_field *f, const json_t *v)
{
	switch (f->kind) {
	case FIELD_NUMBERS:
		return numbers_fit(f, v);
	case FIELD_HEX:
		return hex_load(v, NULL, f->size);
	case FIELD_PAGES:
		return load_pages(v, NULL, f);
	default:
		return timer_fits(v);
	}
}

bool part_check(const struct state_part *p, const json_t *j, char *err, size_t errlen)
{
	if (!json_is_object(j)) {
		snprintf(err, errlen, "%s: no such object", p->name);
		return false;
	}
	for (const struct state_field *f = p->fields; f < fields_end(p); f++) {
		const json_t *v = json_object_get(j, f->name);

		if (v && field_fits(f, v))
			continue;
		snprintf(err, errlen, "%s: %s: %s", p->name, f->name, v ? "impossible value" : "missing");
		return false;
	}
	if (json_object_size(j) == p->nfields)
		return true;
	snprintf(err, errlen, "%s: has fields that this version does not know", p->name);
	return false;
}

static void load_numbers(const struct state_part *p, const struct state_field *f, const json_t *v)
{
	for (unsigned i = 0; i < elements(f); i++) {
		json_int_t n = json_integer_value(f->count ? json_array_get(v, i) : v);

		memcpy(element(p, f, i), &n, f->size);
	}
}

void part_load(const struct state_part *p, const json_t *j)
{
	for (const struct state_field *f = p->fields; f < fields_end(p); f++) {
		const json_t *v = json_object_get(j, f->name);

		if (f->kind == FIELD_NUMBERS)
			load_numbers(p, f, v);
		else if (f->kind == FIELD_HEX)
			hex_load(v, element(p, f, 0), f->size);
		else if (f->kind == FIELD_PAGES)
			load_pages(v, element(p, f, 0), f);
	}
}

/* ---- timers ---- */

void part_timers(const struct state_part *p, const json_t *j, struct vm_clock *clock, struct timer_set *set)
{
	for (const struct state_field *f = p->fields; f < fields_end(p); f++) {
		const json_t *v = json_object_get(j, f->name);
		struct vm_timer *t = (void *)element(p, f, 0);

		if (f->kind != FIELD_TIMER)
			continue;
		timer_cancel(clock, t);
		if (json_is_null(v) || set->n == TIMERS_MAX)
			continue;
		set->t[set->n++] = (struct saved_timer){
			t,
			(uint64_t)json_integer_value(json_object_get(v, "deadline")),
			json_integer_value(json_object_get(v, "order")),
		};
	}
}

static int by_order(const void *a, const void *b)
{
	const struct saved_timer *x = a, *y = b;

	return (x->order > y->order) - (x->order < y->order);
}

void timers_arm(struct timer_set *set, struct vm_clock *clock)
{
	qsort(set->t, set->n, sizeof(set->t[0]), by_order);
	for (unsigned i = 0; i < set->n; i++)
		timer_arm(clock, set->t[i].timer, set->t[i].deadline);
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 * A type's number is its place in the series of records, so their places are noted at the start. What records
 * say is checked where it is used: numbers of types, offsets of names, and depth, as types may be circular.
 */
#include "inspect/linux/btf.h"
#include "inspect/linux/memory.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum {
	MAGIC = 0xeb9f,
	HEADER = 24,
	RECORD = 12,
	MEMBER = 12,
	MAX_DEPTH = 16,
	MAX_TYPES = 1 << 22,
	MAX_WORK = 1 << 20
};
enum {
	KIND_INT = 1,
	KIND_ARRAY = 3,
	KIND_STRUCT = 4,
	KIND_UNION = 5,
	KIND_ENUM = 6,
	KIND_TYPEDEF = 8,
	KIND_VOLATILE = 9,
	KIND_CONST = 10,
	KIND_RESTRICT = 11,
	KIND_FUNC_PROTO = 13,
	KIND_VAR = 14,
	KIND_DATASEC = 15,
	KIND_DECL_TAG = 17,
	KIND_TYPE_TAG = 18,
	KIND_ENUM64 = 19,
};

struct btf {
	uint8_t *data;
	const uint8_t *types, *strings;
	size_t strings_len;
	uint32_t *at; /* of type I + 1, in TYPES */
	unsigned count;
};

/* A record of a type. */
struct record {
	const char *name;
	unsigned kind, vlen;
	bool kind_flag;
	uint32_t size; /* or type */
	const uint8_t *rest;
};

/* Bytes that follow a record: a constant, and for each of its elements. */
static const struct {
	uint8_t once, each;
} extra[32] = {
	[KIND_INT] = { 4, 0 },	   [KIND_ARRAY] = { 12, 0 },   [KIND_STRUCT] = { 0, 12 },
	[KIND_UNION] = { 0, 12 },  [KIND_ENUM] = { 0, 8 },     [KIND_FUNC_PROTO] = { 0, 8 },
	[KIND_VAR] = { 4, 0 },	   [KIND_DATASEC] = { 0, 12 }, [KIND_DECL_TAG] = { 4, 0 },
	[KIND_ENUM64] = { 0, 12 },
};

static size_t record_size(const uint8_t *p)
{
	uint32_t info = lx_le32(p + 4);

	return RECORD + extra[info >> 24 & 31].once + (size_t)extra[info >> 24 & 31].each * (info & 0xffff);
}

static bool index_types(struct btf *b, size_t len)
{
	size_t at = 0, cap = 0;

	while (at < len) {
		if (len - at < RECORD || record_size(b->types + at) > len - at || b->count == MAX_TYPES)
			return false;
		if (b->count == cap) {
			cap = cap ? cap * 2 : 4096;
			b->at = xreallocarray(b->at, cap, sizeof(*b->at));
		}
		b->at[b->count++] = (uint32_t)at;
		at += record_size(b->types + at);
	}
	return b->count != 0;
}

struct btf *btf_new(const void *data, size_t len)
{
	const uint8_t *h = data;
	uint64_t head, types, types_len, strings, strings_len;
	struct btf *b;

	if (len < HEADER || len > UINT32_MAX || lx_le16(h) != MAGIC)
		return NULL;
	head = lx_le32(h + 4);
	types = head + lx_le32(h + 8);
	types_len = lx_le32(h + 12);
	strings = head + lx_le32(h + 16);
	strings_len = lx_le32(h + 20);
	if (types + types_len > len || !strings_len || strings + strings_len > len ||
	    h[strings + strings_len - 1])
		return NULL;
	b = xcalloc(1, sizeof(*b));
	b->data = xmalloc(len);
	memcpy(b->data, data, len);
	b->types = b->data + types;
	b->strings = b->data + strings;
	b->strings_len = (size_t)strings_len;
	if (index_types(b, (size_t)types_len))
		return b;
	btf_free(b);
	return NULL;
}

void btf_free(struct btf *b)
{
	if (!b)
		return;
	free(b->data);
	free(b->at);
	free(b);
}

unsigned btf_types(const struct btf *b)
{
	return b->count;
}

static const char *string_at(const struct btf *b, uint32_t off)
{
	return off < b->strings_len ? (const char *)b->strings + off : "";
}

static bool type_at(const struct btf *b, uint32_t id, struct record *r)
{
	const uint8_t *p;
	uint32_t info;

	if (!id || id > b->count)
		return false;
	p = b->types + b->at[id - 1];
	info = lx_le32(p + 4);
	*r = (struct record){ .name = string_at(b, lx_le32(p)),
			      .kind = info >> 24 & 31,
			      .vlen = info & 0xffff,
			      .kind_flag = info >> 31,
			      .size = lx_le32(p + 8),
			      .rest = p + RECORD };
	return true;
}

static bool is_compound(const struct record *r)
{
	return r->kind == KIND_STRUCT || r->kind == KIND_UNION;
}

/* Get the type ID, or that which it names or qualifies. */
static bool resolve(const struct btf *b, uint32_t id, struct record *r)
{
	for (unsigned i = 0; i < MAX_DEPTH && type_at(b, id, r); i++) {
		if (r->kind != KIND_TYPEDEF && r->kind != KIND_TYPE_TAG &&
		    !(r->kind >= KIND_VOLATILE && r->kind <= KIND_RESTRICT))
			return true;
		id = r->size;
	}
	return false;
}

/* A member that was found, and the number of members that may still be looked at for it. */
struct search {
	uint64_t off; /* in bits */
	uint32_t type;
	unsigned work;
};

/* Find member NAME (LEN bytes) of R. */
static bool member(const struct btf *b, const struct record *r, const char *name, size_t len, unsigned depth,
		   struct search *s)
{
	for (unsigned i = 0; i < r->vlen && s->work; i++, s->work--) {
		const uint8_t *m = r->rest + (size_t)i * MEMBER;
		const char *is = string_at(b, lx_le32(m));
		uint64_t at = r->kind_flag ? lx_le32(m + 8) & 0xffffff : lx_le32(m + 8);
		uint32_t type = lx_le32(m + 4);
		struct record inner;

		if (!strncmp(is, name, len) && !is[len]) {
			s->off = at;
			s->type = type;
			return true;
		}
		if (is[0] || depth == MAX_DEPTH || !resolve(b, type, &inner) || !is_compound(&inner))
			continue;
		if (member(b, &inner, name, len, depth + 1, s)) {
			s->off += at;
			return true;
		}
	}
	return false;
}

static bool find(const struct btf *b, const char *type, struct record *r)
{
	for (unsigned id = 1; id <= b->count; id++)
		if (type_at(b, id, r) && is_compound(r) && !strcmp(r->name, type) && r->vlen)
			return true;
	return false;
}

long btf_member(const struct btf *b, const char *type, const char *path)
{
	struct search s = { .work = MAX_WORK };
	uint64_t bits = 0;
	struct record r;

	if (!find(b, type, &r))
		return -1;
	for (unsigned depth = 0; depth < MAX_DEPTH; depth++) {
		size_t len = strcspn(path, ".");

		if (!is_compound(&r) || !member(b, &r, path, len, 0, &s))
			return -1;
		bits += s.off;
		if (!path[len])
			return (long)(bits / 8);
		path += len + 1;
		if (!resolve(b, s.type, &r))
			return -1;
	}
	return -1;
}

long btf_size(const struct btf *b, const char *type)
{
	struct record r;

	return find(b, type, &r) ? (long)r.size : -1;
}

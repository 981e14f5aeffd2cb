/* SPDX-License-Identifier: GPL-3.0-or-later
 * Areas are in a maple tree since 6.1 (Documentation/core-api/maple_tree.rst), before that on a list. A
 * pointer to a node has the node's kind in its low bits; a node has pivots, the last address of each slot but
 * the last one, and slots. In a kernel without BTF the layout is that of 6.1's headers, taken if what it
 * leads to names its mm_struct. */
#include "inspect/linux/vmas.h"
#include "inspect/linux/kernel_int.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum {
	MAX_VMAS = 1 << 16,
	MAX_NODES = 1 << 16,
	MAX_DEPTH = 12,
	MAX_SLOTS = 64,
	NODE_MASK = 0xff,
	KIND_SHIFT = 3,
	KIND_MASK = 15,
	MAX_PARTS = 64, /* of a path */
};
enum { LEAF = 1, RANGE = 2, ARANGE = 3 };
enum { VM_READ = 1, VM_WRITE = 2, VM_EXEC = 4, VM_SHARED = 8 };

struct walk {
	const struct lx *k;
	const struct lx_task *t;
	void (*found)(void *ctx, const struct lx_vma *v);
	void *ctx;
	bool named;	      /* names are wanted */
	unsigned vmas, nodes; /* left */
	uint64_t last;	      /* end of the last one */
};

static const char damaged[] = "the list of memory areas is damaged, or being changed";

/* ---- names ---- */

static bool dentry_name(const struct lx *k, uint64_t dentry, char *buf, size_t size)
{
	uint64_t at;

	return lx_get(k, dentry, LX_DENTRY_NAME, &at) && lx_is_pointer(k, at) && lx_text(k, at, buf, size);
}

/* Write the path of FILE in its file system. */
static bool file_path(const struct lx *k, uint64_t file, char *buf, size_t size)
{
	char part[256], rest[512] = "";
	uint64_t dentry, parent;
	size_t n;

	buf[0] = 0;
	if (!lx_get(k, file, LX_FILE_DENTRY, &dentry))
		return false;
	for (unsigned i = 0; i < MAX_PARTS && lx_is_pointer(k, dentry); i++, dentry = parent) {
		if (!dentry_name(k, dentry, part, sizeof(part)) ||
		    !lx_get(k, dentry, LX_DENTRY_PARENT, &parent))
			return false;
		if (parent == dentry) { /* the root */
			snprintf(buf, size, "%s", rest[0] ? rest : part);
			return true;
		}
		n = (size_t)snprintf(buf, size, "/%s%s", part, rest);
		if (n >= size || n >= sizeof(rest))
			return false;
		memcpy(rest, buf, n + 1);
	}
	return false;
}

static void name_of(const struct walk *w, uint64_t vma, const struct lx_vma *v, char *buf, size_t size)
{
	uint64_t file = 0, start, brk, stack;
	const struct lx *k = w->k;

	buf[0] = 0;
	if (lx_get(k, vma, LX_VMA_FILE, &file) && lx_is_pointer(k, file)) {
		file_path(k, file, buf, size);
		return;
	}
	if (!lx_has(k, LX_MM_CODE) || !lx_word(k, lx_at(k, w->t->mm, LX_MM_CODE) + 4 * k->width, &start) ||
	    !lx_word(k, lx_at(k, w->t->mm, LX_MM_CODE) + 5 * k->width, &brk) ||
	    !lx_word(k, lx_at(k, w->t->mm, LX_MM_CODE) + 6 * k->width, &stack))
		return;
	if (v->start <= brk && v->end >= start && brk > start)
		snprintf(buf, size, "[heap]");
	else if (v->start <= stack && stack < v->end)
		snprintf(buf, size, "[stack]");
}

/* ---- areas ---- */

static const char *tell(struct walk *w, uint64_t vma)
{
	const struct lx *k = w->k;
	struct lx_vma v = { .addr = vma, .rights = "---p" };
	uint64_t flags = 0, pages = 0;
	char name[512];

	if (!w->vmas--)
		return "too many memory areas";
	if (!lx_is_pointer(k, vma) || !lx_get(k, vma, LX_VMA_START, &v.start) ||
	    !lx_get(k, vma, LX_VMA_END, &v.end) || v.start >= v.end || v.start < w->last)
		return damaged;
	w->last = v.end;
	if (lx_get(k, vma, LX_VMA_FLAGS, &flags)) {
		v.rights[0] = flags & VM_READ ? 'r' : '-';
		v.rights[1] = flags & VM_WRITE ? 'w' : '-';
		v.rights[2] = flags & VM_EXEC ? 'x' : '-';
		v.rights[3] = flags & VM_SHARED ? 's' : 'p';
	}
	name[0] = 0;
	if (w->named)
		name_of(w, vma, &v, name, sizeof(name));
	if (name[0] && name[0] != '[' && lx_get(k, vma, LX_VMA_PGOFF, &pages))
		v.offset = pages << PAGE_SHIFT;
	v.name = name;
	w->found(w->ctx, &v);
	return NULL;
}

/* The layout of a kind of node. */
static bool node_of(const struct lx *k, unsigned kind, unsigned *pivots, unsigned *slots, unsigned *n)
{
	enum lx_field p = kind == ARANGE ? LX_MT_APIVOT : LX_MT_PIVOT,
		      s = kind == ARANGE ? LX_MT_ASLOT : LX_MT_SLOT;

	if (kind < LEAF || kind > ARANGE || !lx_has(k, p) || !lx_has(k, s) ||
	    k->layout.off[s] <= k->layout.off[p])
		return false;
	*pivots = k->layout.off[p];
	*slots = k->layout.off[s];
	*n = (*slots - *pivots) / k->width + 1;
	return *n <= MAX_SLOTS;
}

static const char *walk_node(struct walk *w, uint64_t entry, uint64_t max, unsigned depth)
{
	unsigned kind = entry >> KIND_SHIFT & KIND_MASK, pivots, slots, n;
	uint64_t node = entry & ~(uint64_t)NODE_MASK, pivot, slot;
	const struct lx *k = w->k;
	const char *why = NULL;

	if (depth == MAX_DEPTH || !w->nodes-- || !lx_is_pointer(k, node) ||
	    !node_of(k, kind, &pivots, &slots, &n))
		return damaged;
	for (unsigned i = 0; i < n && !why; i++) {
		pivot = max;
		if (!lx_word(k, node + slots + i * k->width, &slot) ||
		    (i + 1 < n && !lx_word(k, node + pivots + i * k->width, &pivot)))
			return damaged;
		if (!pivot && i) /* the slots end */
			pivot = max;
		if (slot && kind == LEAF)
			why = tell(w, slot);
		else if (slot)
			why = walk_node(w, slot, pivot, depth + 1);
		if (pivot >= max)
			break;
	}
	return why;
}

static const char *walk_list(struct walk *w)
{
	uint64_t vma;

	if (!lx_get(w->k, w->t->mm, LX_MM_MMAP, &vma))
		return damaged;
	while (vma) {
		const char *why = tell(w, vma);

		if (why)
			return why;
		if (!lx_get(w->k, vma, LX_VMA_NEXT, &vma))
			return damaged;
	}
	return NULL;
}

/* ---- layout without BTF ---- */

/* The first area in the tree below ENTRY. */
static uint64_t first_area(const struct lx *k, uint64_t entry)
{
	for (unsigned depth = 0; depth < MAX_DEPTH; depth++) {
		unsigned kind = entry >> KIND_SHIFT & KIND_MASK, pivots, slots, n;
		uint64_t node = entry & ~(uint64_t)NODE_MASK, slot = 0;

		if (!lx_is_pointer(k, node) || !node_of(k, kind, &pivots, &slots, &n))
			return 0;
		for (unsigned i = 0; i < n && !slot; i++)
			if (!lx_word(k, node + slots + i * k->width, &slot))
				return 0;
		if (kind == LEAF)
			return slot;
		entry = slot;
	}
	return 0;
}

static void infer(struct lx *k, uint64_t mm)
{
	unsigned w = k->width, flags = 3 * w + (k->space.paging == LX_TWO_LEVELS ? 4 : 8);
	/* slots of nodes: two node sizes, 256 bytes both */
	const struct {
		enum lx_field field;
		unsigned off;
	} known[] = {
		{ LX_MT_ROOT, w },
		{ LX_MT_PIVOT, w },
		{ LX_MT_SLOT, 128 },
		{ LX_MT_APIVOT, w },
		{ LX_MT_ASLOT, w == 8 ? 80 : 84 },
		{ LX_VMA_START, 0 },
		{ LX_VMA_END, w },
		{ LX_VMA_FLAGS, flags },
		{ LX_VMA_PGOFF, flags + 9 * w },
		{ LX_VMA_FILE, flags + 10 * w },
		{ LX_FILE_DENTRY, 3 * w },
		{ LX_DENTRY_PARENT, 8 + 2 * w },
		{ LX_DENTRY_NAME, 16 + 3 * w },
	};

	if (k->btf || lx_has(k, LX_MM_MT) || k->version < 6001)
		return;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		lx_set(k, known[i].field, known[i].off, LX_INFERRED);
	for (unsigned off = 0; off < 32 * w; off += w) {
		uint64_t entry, vma, owner;

		if (!lx_word(k, mm + off, &entry) || (entry & 3) != 2 || !(vma = first_area(k, entry)) ||
		    !lx_word(k, vma + 2 * w, &owner) || owner != mm)
			continue;
		lx_set(k, LX_MM_MT, off - w, LX_INFERRED);
		return;
	}
}

static const char *walk(struct lx *k, struct walk *w)
{
	uint64_t entry, mm = w->t->mm;

	w->k = k;
	w->vmas = MAX_VMAS;
	w->nodes = MAX_NODES;
	if (!mm)
		return "the task has no user memory";
	infer(k, mm);
	if (lx_has(k, LX_MM_MMAP))
		return walk_list(w);
	if (!lx_has(k, LX_MM_MT) || !lx_has(k, LX_MT_ROOT))
		return "how this kernel keeps memory areas is not known";
	if (!lx_word(k, lx_at(k, mm, LX_MM_MT) + k->layout.off[LX_MT_ROOT], &entry) || (entry & 3) != 2)
		return damaged;
	return walk_node(w, entry, k->width == 8 ? UINT64_MAX : UINT32_MAX, 0);
}

const char *lx_vmas_each(struct lx *k, const struct lx_task *t,
			 void (*found)(void *ctx, const struct lx_vma *v), void *ctx)
{
	struct walk w = { .t = t, .found = found, .ctx = ctx, .named = true };

	return walk(k, &w);
}

struct place {
	uint64_t addr;
	struct lx_vma vma;
};

static void keep_area(void *ctx, const struct lx_vma *v)
{
	struct place *p = ctx;

	if (p->addr >= v->start && p->addr < v->end)
		p->vma = *v;
}

/* The structure of the file at P->addr, and the byte of it. */
static bool find_file(struct lx *k, const struct lx_task *t, struct place *p, uint64_t *file,
		      uint64_t *offset)
{
	struct walk w = { .t = t, .found = keep_area, .ctx = p };
	uint64_t pages;

	walk(k, &w);
	if (!p->vma.end || !lx_get(k, p->vma.addr, LX_VMA_FILE, file) || !lx_is_pointer(k, *file) ||
	    !lx_get(k, p->vma.addr, LX_VMA_PGOFF, &pages))
		return false;
	*offset = p->addr - p->vma.start + (pages << PAGE_SHIFT);
	return true;
}

bool lx_file_at(struct lx *k, const struct lx_task *t, uint64_t addr, char *path, size_t size,
		uint64_t *offset)
{
	struct place p = { .addr = addr };
	uint64_t file;

	return find_file(k, t, &p, &file, offset) && file_path(k, file, path, size);
}

bool lx_file_place(struct lx *k, const struct lx_task *t, uint64_t addr, char *buf, size_t size)
{
	struct place p = { .addr = addr };
	uint64_t file, offset, dentry;
	char name[256];

	if (!find_file(k, t, &p, &file, &offset) || !lx_get(k, file, LX_FILE_DENTRY, &dentry) ||
	    !dentry_name(k, dentry, name, sizeof(name)))
		return false;
	snprintf(buf, size, "%s+0x%llx", name, (unsigned long long)offset);
	return true;
}

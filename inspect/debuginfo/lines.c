/* SPDX-License-Identifier: GPL-3.0-or-later
 * libdw reads and keeps the line table of a unit when it is first used; which unit has an address is a table
 * of our own, made when it is first asked for, as not all compilers write .debug_aranges. Files are not
 * trusted: libdw checks their structure, and rows are used only as far as they are in order. */
#include "inspect/debuginfo/lines.h"
#include "base/alloc.h"
#include "base/file.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Code of one unit. */
struct span {
	Dwarf_Addr low, high;
	Dwarf_Off unit; /* its DIE */
};

struct lines {
	struct lines *next;
	FILE *f;
	Dwarf *dwarf;
	uint64_t offset;
	struct span *spans; /* sorted by LOW; NULL until they are needed */
	size_t count;
	Dwarf_Off *units;
	size_t nunits;
	bool looked;
};

bool lines_add(struct lines **l, const char *path, int64_t offset)
{
	FILE *f = file_open(path);
	Dwarf *dwarf = f ? dwarf_begin(fileno(f), DWARF_C_READ) : NULL;
	struct lines *new;

	if (!dwarf) {
		if (f)
			fclose(f);
		return false;
	}
	new = xcalloc(1, sizeof(*new));
	*new = (struct lines){ .next = *l, .f = f, .dwarf = dwarf, .offset = (uint64_t)offset };
	*l = new;
	return true;
}

void lines_free(struct lines *l)
{
	struct lines *next;

	for (; l; l = next) {
		next = l->next;
		dwarf_end(l->dwarf);
		fclose(l->f);
		free(l->spans);
		free(l->units);
		free(l);
	}
}

/* ---- units ---- */

static int by_low(const void *pa, const void *pb)
{
	const struct span *a = pa, *b = pb;

	return a->low < b->low ? -1 : a->low > b->low;
}

static void add_unit(struct lines *l, Dwarf_Die *unit)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;

	l->units = xreallocarray(l->units, l->nunits + 1, sizeof(*l->units));
	l->units[l->nunits++] = dwarf_dieoffset(unit);
	while ((at = dwarf_ranges(unit, at, &base, &low, &high)) > 0) {
		if (low >= high)
			continue;
		l->spans = xreallocarray(l->spans, l->count + 1, sizeof(*l->spans));
		l->spans[l->count++] = (struct span){ low, high, dwarf_dieoffset(unit) };
	}
}

static void look(struct lines *l)
{
	Dwarf_Off at = 0, next;
	size_t head;

	if (l->looked)
		return;
	l->looked = true;
	for (; !dwarf_nextcu(l->dwarf, at, &next, &head, NULL, NULL, NULL); at = next) {
		Dwarf_Die unit;

		if (dwarf_offdie(l->dwarf, at + head, &unit) && dwarf_tag(&unit) == DW_TAG_compile_unit)
			add_unit(l, &unit);
	}
	if (l->count)
		qsort(l->spans, l->count, sizeof(*l->spans), by_low);
}

static bool unit_at(struct lines *l, Dwarf_Addr addr, Dwarf_Die *unit)
{
	size_t lo = 0, hi;

	look(l);
	for (hi = l->count; lo < hi;) {
		size_t mid = (lo + hi) / 2;

		if (l->spans[mid].low <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && addr < l->spans[lo - 1].high && dwarf_offdie(l->dwarf, l->spans[lo - 1].unit, unit);
}

/* ---- rows ---- */

struct row {
	Dwarf_Addr addr;
	int line;
	bool statement, end;
	const char *file;
};

/* Row I of the table T; false: there is none. */
static bool row_get(Dwarf_Lines *t, size_t i, struct row *r)
{
	Dwarf_Line *line = dwarf_onesrcline(t, i);

	if (!line || dwarf_lineaddr(line, &r->addr) || dwarf_lineno(line, &r->line) ||
	    dwarf_linebeginstatement(line, &r->statement) || dwarf_lineendsequence(line, &r->end))
		return false;
	r->file = dwarf_linesrc(line, NULL, NULL);
	return r->file != NULL;
}

static bool same_line(const struct row *a, const struct row *b)
{
	return !a->end && !b->end && a->line == b->line && !strcmp(a->file, b->file);
}

/* The last row at or in front of ADDR; N: there is none. */
static size_t row_at(Dwarf_Lines *t, size_t n, Dwarf_Addr addr)
{
	size_t lo = 0, hi = n;
	struct row r;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (row_get(t, mid, &r) && r.addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? lo - 1 : n;
}

/* The name in the line table, without the directory of the unit. */
static const char *short_name(Dwarf_Die *unit, const char *path)
{
	Dwarf_Attribute attr;
	const char *dir = dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &attr));
	size_t len = dir ? strlen(dir) : 0;

	if (len && !strncmp(path, dir, len) && path[len] == '/')
		path += len + 1;
	return strncmp(path, "./", 2) ? path : path + 2;
}

static bool at_here(struct lines *l, uint64_t addr, struct source_line *found)
{
	Dwarf_Addr at = addr - l->offset;
	Dwarf_Lines *t;
	Dwarf_Die unit;
	struct row r, other;
	size_t n, i, first;

	if (!unit_at(l, at, &unit) || dwarf_getsrclines(&unit, &t, &n))
		return false;
	i = row_at(t, n, at);
	if (i == n || !row_get(t, i, &r) || r.end || !r.line)
		return false;
	first = i;
	while (first && row_get(t, first - 1, &other) && same_line(&other, &r))
		first--;
	while (i + 1 < n && row_get(t, i + 1, &other) && same_line(&other, &r))
		i++;
	if (i + 1 == n || !row_get(t, i + 1, &other) || other.addr <= at || !row_get(t, first, &r))
		return false;
	*found = (struct source_line){ short_name(&unit, r.file), r.file,     r.line, r.addr + l->offset,
				       other.addr + l->offset,	  r.statement };
	return true;
}

bool lines_at(struct lines *l, uint64_t addr, struct source_line *found)
{
	for (; l; l = l->next)
		if (at_here(l, addr, found))
			return true;
	return false;
}

/* ---- from a line to code ---- */

/* Does PATH end in the components NAME? */
static bool ends_in(const char *path, const char *name)
{
	size_t len = strlen(path), n = strlen(name);

	return n && len >= n && !strcmp(path + len - n, name) &&
	       (len == n || path[len - n - 1] == '/' || name[0] == '/');
}

static bool unit_has_file(Dwarf_Die *unit, const char *name)
{
	Dwarf_Files *files;
	size_t n;

	if (dwarf_getsrcfiles(unit, &files, &n))
		return false;
	for (size_t i = 0; i < n; i++) {
		const char *path = dwarf_filesrc(files, i, NULL, NULL);

		if (path && ends_in(path, name))
			return true;
	}
	return false;
}

struct finding {
	const char *file;
	int wanted, line; /* the best line so far; INT_MAX: none */
	uint64_t *at;
	size_t max, count;
};

static void find_in_unit(struct lines *l, Dwarf_Die *unit, struct finding *q)
{
	struct row r, before = { .end = true };
	Dwarf_Lines *t;
	size_t n;

	if (!unit_has_file(unit, q->file) || dwarf_getsrclines(unit, &t, &n))
		return;
	for (size_t i = 0; i < n && row_get(t, i, &r); i++) {
		bool starts = !same_line(&before, &r);

		before = r;
		if (r.end || !r.statement || !starts || r.line < q->wanted || r.line > q->line ||
		    !ends_in(r.file, q->file))
			continue;
		if (r.line < q->line)
			q->count = 0;
		q->line = r.line;
		if (q->count < q->max)
			q->at[q->count] = r.addr + l->offset;
		q->count++;
	}
}

size_t lines_find(struct lines *l, const char *file, int line, uint64_t *at, size_t max, int *found)
{
	struct finding q = { .file = file, .wanted = line, .line = INT_MAX, .at = at, .max = max };

	for (; l; l = l->next) {
		look(l);
		for (size_t i = 0; i < l->nunits; i++) {
			Dwarf_Die unit;

			if (dwarf_offdie(l->dwarf, l->units[i], &unit))
				find_in_unit(l, &unit, &q);
		}
	}
	*found = q.line;
	return q.count;
}

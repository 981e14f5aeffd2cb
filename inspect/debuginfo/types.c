/* SPDX-License-Identifier: GPL-3.0-or-later
 * Units are read until each question has its answer: the first definition of a structure counts. Files are
 * not trusted: types may be circular, so depth and the number of members are limited. */
#include "inspect/debuginfo/types.h"
#include "base/file.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MAX_DEPTH = 16, MAX_WORK = 1 << 20 };

static bool number_of(Dwarf_Die *die, unsigned name, Dwarf_Word *v)
{
	Dwarf_Attribute attr;

	return dwarf_attr(die, name, &attr) && !dwarf_formudata(&attr, v);
}

/* The type of a member, without qualifiers. */
static bool type_of(Dwarf_Die *member, Dwarf_Die *type)
{
	Dwarf_Attribute attr;

	return dwarf_attr(member, DW_AT_type, &attr) && dwarf_formref_die(&attr, type) &&
	       !dwarf_peel_type(type, type);
}

static bool is_compound(Dwarf_Die *die)
{
	return dwarf_tag(die) == DW_TAG_structure_type || dwarf_tag(die) == DW_TAG_union_type;
}

/* Find member NAME (LEN bytes) of DIE, also in members without a name. *TYPE is its type. */
static bool find_member(Dwarf_Die *die, const char *name, size_t len, unsigned depth, unsigned *work,
			Dwarf_Word *off, Dwarf_Die *type)
{
	Dwarf_Die m;

	if (depth == MAX_DEPTH || dwarf_child(die, &m))
		return false;
	do {
		const char *is = dwarf_tag(&m) == DW_TAG_member ? dwarf_diename(&m) : NULL;
		Dwarf_Word at = 0, inner;

		if (!*work)
			return false;
		--*work;
		if (dwarf_tag(&m) != DW_TAG_member)
			continue;
		if (!number_of(&m, DW_AT_data_member_location, &at) &&
		    number_of(&m, DW_AT_data_bit_offset, &at))
			at /= 8;
		if (is && !strncmp(is, name, len) && !is[len]) {
			*off = at;
			return type_of(&m, type);
		}
		if (!is && type_of(&m, type) && is_compound(type)) {
			Dwarf_Die unnamed = *type;

			if (find_member(&unnamed, name, len, depth + 1, work, &inner, type)) {
				*off = at + inner;
				return true;
			}
		}
	} while (!dwarf_siblingof(&m, &m));
	return false;
}

static long answer(Dwarf_Die *die, const char *path)
{
	unsigned work = MAX_WORK;
	Dwarf_Word sum = 0, off;
	Dwarf_Die type;

	for (unsigned depth = 0; depth < MAX_DEPTH; depth++) {
		size_t len = strcspn(path, ".");

		if (!is_compound(die) || !find_member(die, path, len, 0, &work, &off, &type))
			return -1;
		sum += off;
		if (!path[len])
			return (long)sum;
		path += len + 1;
		die = &type;
		*die = type;
	}
	return -1;
}

static void ask_structure(Dwarf_Die *die, struct type_query *q, size_t n)
{
	const char *name = dwarf_diename(die);
	int size = dwarf_bytesize(die);

	for (size_t i = 0; name && i < n; i++)
		if (q[i].off < 0 && !strcmp(q[i].type, name)) {
			Dwarf_Die copy = *die;

			q[i].off = q[i].member ? answer(&copy, q[i].member) : size;
		}
}

static size_t answered(const struct type_query *q, size_t n)
{
	size_t done = 0;

	for (size_t i = 0; i < n; i++)
		done += q[i].off >= 0;
	return done;
}

static void ask_units(Dwarf *d, struct type_query *q, size_t n)
{
	Dwarf_Off at = 0, next;
	size_t head;

	for (; !dwarf_nextcu(d, at, &next, &head, NULL, NULL, NULL) && answered(q, n) < n; at = next) {
		Dwarf_Die unit, die;

		if (!dwarf_offdie(d, at + head, &unit) || dwarf_child(&unit, &die))
			continue;
		do
			if (dwarf_tag(&die) == DW_TAG_structure_type &&
			    !dwarf_hasattr(&die, DW_AT_declaration))
				ask_structure(&die, q, n);
		while (!dwarf_siblingof(&die, &die));
	}
}

long types_load(const char *file, struct type_query *q, size_t n, char *err, size_t errlen)
{
	FILE *f = file_open(file);
	Dwarf *d;

	for (size_t i = 0; i < n; i++)
		q[i].off = -1;
	if (!f) {
		snprintf(err, errlen, "%s: %s", file, strerror(errno));
		return -1;
	}
	d = dwarf_begin(fileno(f), DWARF_C_READ);
	if (d)
		ask_units(d, q, n);
	else
		snprintf(err, errlen, "%s: no debugging information: %s", file, dwarf_errmsg(-1));
	if (d)
		dwarf_end(d);
	fclose(f);
	return d ? (long)answered(q, n) : -1;
}

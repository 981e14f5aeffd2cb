/* SPDX-License-Identifier: GPL-3.0-or-later
 * Symbols of guests: from ELF files (libelf) and from System.map or kallsyms
 * lists. Names keep their module. ELF files also provide call frame information and source lines. */
#ifndef INSPECT_SYMBOLS_H
#define INSPECT_SYMBOLS_H
#include "inspect/debuginfo/cfi.h"
#include "inspect/debuginfo/lines.h"

struct symbol {
	uint64_t addr;
	uint64_t size;	    /* 0: not known */
	const char *name;   /* owned by the table; of a C++ or Rust function without parameters */
	const char *raw;    /* as the file has it, where NAME was demangled; else NULL */
	const char *module; /* file name, or [module] of a kallsyms line */
	bool code;
};

struct symbols {
	struct symbol *by_addr;	 /* sorted by address, better names first */
	struct symbol **by_name; /* sorted by name */
	size_t count, cap;
	bool stale; /* by_addr and by_name must be sorted before use */
	struct string_chunk *strings;
	struct cfi *cfi;
	struct lines *lines;   /* source lines, of ELF files with debug information */
	struct symbols *below; /* another table, for what is not here; borrowed, NULL: none */
	bool has_32, has_64;   /* ELF files of either class were loaded */
};

void symbols_init(struct symbols *t);
void symbols_fini(struct symbols *t);
/* Add the symbols of FILE, moved by OFFSET. Return how many, or -1 with the reason in ERR. */
long symbols_load(struct symbols *t, const char *file, int64_t offset, char *err, size_t errlen);
/* Likewise from an ELF file of LEN bytes in memory, called NAME. */
long symbols_load_memory(struct symbols *t, const void *elf, size_t len, const char *name, char *err,
			 size_t errlen);
/* Write all symbols, those of the tables below too, to FILE as symbols_load() reads them. Return how many, or
 * -1 with errno set. */
long symbols_save(const struct symbols *t, const char *file);
/* A copy of S that lives as long as the table. */
const char *symbols_string(struct symbols *t, const char *s);
/* Add a symbol; NAME is copied, MODULE borrowed. */
void symbols_add(struct symbols *t, uint64_t addr, uint64_t size, const char *name, const char *module,
		 bool code);
/* The symbol that contains ADDR (up to 64 KiB behind the last symbol), or NULL. */
const struct symbol *symbols_at(struct symbols *t, uint64_t addr);
/* A symbol by exact name, demangled or not, NULL if there is none. */
const struct symbol *symbols_find(struct symbols *t, const char *name);
/* Call FOUND for each distinct name that starts with PREFIX, at most MAX times. */
void symbols_complete(struct symbols *t, const char *prefix, unsigned max,
		      void (*found)(void *ctx, const char *name), void *ctx);
/* "name+0x10", "name", or "" if no symbol contains it. */
void symbols_text(struct symbols *t, uint64_t addr, char *buf, size_t len);
#endif

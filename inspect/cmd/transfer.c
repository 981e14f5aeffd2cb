/* SPDX-License-Identifier: GPL-3.0-or-later
 * Guest memory in bulk: dump and load files, find bytes. */
#include "inspect/cmd/hex_int.h"
#include "inspect/tables_int.h"
#include "base/address.h"
#include "base/alloc.h"
#include "base/file.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1 << 16, MAX_FOUND = 100, MAX_NEEDLE = 256 };

/* Accept /p, for physical addresses. */
static int physical_fmt(const struct cmd_args *a, struct result *r, bool *physical)
{
	*physical = !strcmp(a->fmt, "p");
	return *physical || !a->fmt[0]
		   ? 0
		   : result_fail(r, "%s: /%s is not /p (physical addresses)", a->name, a->fmt);
}

/* Accept p, for physical addresses, and h, for Intel HEX, in any order. */
static int file_fmt(const struct cmd_args *a, struct result *r, bool *physical, bool *hex)
{
	*physical = strchr(a->fmt, 'p');
	*hex = strchr(a->fmt, 'h');
	return strspn(a->fmt, "ph") == strlen(a->fmt)
		   ? 0
		   : result_fail(r, "%s: /%s is not /p (physical addresses), /h (Intel HEX) or both", a->name,
				 a->fmt);
}

/* Get the address in argument I and, with LEN, the length in the next one. */
static int place(struct inspect *s, const struct cmd_args *a, int i, struct result *r, bool physical,
		 int64_t *addr, int64_t *len)
{
	if (session_eval(s, a->argv[i], addr, r) || (len && session_eval(s, a->argv[i + 1], len, r)))
		return -1;
	if (!session_is_range(s, physical, false, *addr, len ? *len : 1))
		return result_fail(r, "%s: not a range of this guest's addresses", a->name);
	return 0;
}

static int cmd_dump(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	int64_t addr, len, done = 0;
	bool physical, hex, written;
	uint64_t base = 0;
	uint8_t *buf;
	FILE *f;
	size_t n, want;

	if (file_fmt(a, r, &physical, &hex) || place(s, a, 1, r, physical, &addr, &len))
		return -1;
	if (hex && (uint64_t)addr + (uint64_t)len > 1ull << 32)
		return result_fail(r, "dump: Intel HEX has addresses of 32 bits; with /ph they are physical");
	f = fopen(a->argv[0], "we");
	if (!f)
		return result_fail(r, "dump: cannot write %s: %s", a->argv[0], strerror(errno));
	buf = xmalloc(CHUNK);
	do {
		want = len - done < CHUNK ? (size_t)(len - done) : CHUNK;
		n = debug_read(s, physical, (uint64_t)(addr + done), buf, want);
		if (hex)
			hex_put(f, (uint64_t)(addr + done), buf, n, &base);
		written = hex ? !ferror(f) : fwrite(buf, 1, n, f) == n;
		if (!written)
			break;
		done += (int64_t)n;
	} while (n == want && done < len);
	free(buf);
	if (hex)
		hex_end(f);
	if (fclose(f) || (done < len && n == want))
		return result_fail(r, "dump: cannot write %s: %s", a->argv[0], strerror(errno));
	result_text(r, "%lld bytes written to %s", (long long)done, a->argv[0]);
	if (done < len)
		return result_fail(r, "dump: cannot read memory at 0x%llx",
				   (unsigned long long)(addr + done));
	return 0;
}

/* Intel HEX. */
struct hex_load {
	struct inspect *s;
	int64_t offset; /* to be added to its addresses */
	bool physical, checking;
	size_t done;
};

static bool put_bytes(void *ctx, uint64_t addr, const uint8_t *bytes, size_t n)
{
	struct hex_load *l = ctx;

	addr += (uint64_t)l->offset;
	if (l->checking || !n)
		return true;
	if (!session_is_range(l->s, l->physical, false, (int64_t)addr, (int64_t)n) ||
	    debug_write(l->s, l->physical, addr, bytes, n) != n)
		return false;
	l->done += n;
	return true;
}

/* Load FILE, after all of it has been found to be right. */
static int load_hex(struct inspect *s, const struct cmd_args *a, bool physical, struct result *r)
{
	struct hex_load l = { .s = s, .physical = physical, .checking = true };
	char err[200];
	bool good;
	FILE *f;

	if (a->argc > 1 && session_eval(s, a->argv[1], &l.offset, r))
		return -1;
	f = file_open(a->argv[0]);
	if (!f)
		return result_fail(r, "load: cannot open %s: %s", a->argv[0], strerror(errno));
	good = hex_read(f, put_bytes, &l, err, sizeof(err));
	if (good) {
		l.checking = false;
		rewind(f);
		good = hex_read(f, put_bytes, &l, err, sizeof(err));
		session_changed(s);
	}
	fclose(f);
	if (!good)
		return result_fail(r, "load: %s: %s", a->argv[0], err);
	result_text(r, "%zu byte%s written", l.done, l.done == 1 ? "" : "s");
	return 0;
}

static int cmd_load(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	size_t n, put = 0, done = 0;
	bool physical, hex;
	int64_t addr;
	char *buf;
	FILE *f;

	if (file_fmt(a, r, &physical, &hex))
		return -1;
	if (hex)
		return load_hex(s, a, physical, r);
	if (a->argc < 2)
		return result_fail(r, "usage: load [/p] FILE ADDRESS");
	if (place(s, a, 1, r, physical, &addr, NULL))
		return -1;
	f = file_open(a->argv[0]);
	if (!f)
		return result_fail(r, "load: cannot open %s: %s", a->argv[0], strerror(errno));
	buf = xmalloc(CHUNK);
	while ((n = fread(buf, 1, CHUNK, f))) {
		put = debug_write(s, physical, (uint64_t)addr + done, buf, n);
		done += put;
		if (put < n)
			break;
	}
	free(buf);
	fclose(f);
	session_changed(s);
	result_text(r, "%zu byte%s written to 0x%s", done, done == 1 ? "" : "s", ADDRESS((uint64_t)addr));
	if (n)
		return result_fail(r, "load: cannot write memory at 0x%llx",
				   (unsigned long long)(addr + (int64_t)done));
	return 0;
}

/* ---- find ---- */

static int hex_digit(char c)
{
	return isdigit((unsigned char)c)    ? c - '0'
	       : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
					    : -1;
}

/* Parse arguments from I on as bytes: a quoted text, or pairs of hex digits. 0: neither. */
static size_t needle(const struct cmd_args *a, int i, uint8_t *bytes)
{
	size_t n = 0;

	if (strpbrk(a->rest, "\"'")) {
		n = strlen(a->argv[i]);
		if (i + 1 != a->argc || n > MAX_NEEDLE)
			return 0;
		memcpy(bytes, a->argv[i], n);
		return n;
	}
	for (; i < a->argc; i++)
		for (const char *p = a->argv[i]; *p; p += 2) {
			int hi = hex_digit(p[0]), lo = hi < 0 ? -1 : hex_digit(p[1]);

			if (lo < 0 || n == MAX_NEEDLE)
				return 0;
			bytes[n++] = (uint8_t)(hi << 4 | lo);
		}
	return n;
}

static const struct view_col find_cols[] = {
	{ "address", "Address", VAL_ADDR, "", "of the first byte" },
	{ "symbol", "Symbol", VAL_SYMBOL, "", "where that is" },
};
RECORD_DOC(find_record, "find", find_cols);

static void found(struct inspect *s, struct table *t, uint64_t addr)
{
	char sym[300];

	symbols_text(&s->symbols, addr, sym, sizeof(sym));
	table_row(t, (struct value[]){ V_ADDR(addr), sym[0] ? V_STR(sym) : V_NONE });
}

/* Search [AT, END), skipping unmapped pages. Chunks overlap by the length of the needle. */
static void search(struct inspect *s, bool physical, uint64_t at, uint64_t end, const uint8_t *what, size_t n,
		   struct table *t)
{
	uint8_t *buf = xmalloc(CHUNK), *hit;

	while (at < end && end - at >= n && t->nrows < MAX_FOUND && !session_interrupted(s)) {
		size_t want = end - at < CHUNK ? (size_t)(end - at) : CHUNK, pos = 0;
		size_t got = debug_read(s, physical, at, buf, want);

		while (pos + n <= got && t->nrows < MAX_FOUND &&
		       (hit = memmem(buf + pos, got - pos, what, n))) {
			found(s, t, at + (uint64_t)(hit - buf));
			pos = (size_t)(hit - buf) + 1;
		}
		at = got < want ? ((at + got) | PAGE_MASK) + 1 : want < CHUNK ? end : at + got - (n - 1);
	}
	free(buf);
}

static int cmd_find(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	uint8_t bytes[MAX_NEEDLE];
	int64_t addr, len;
	struct table *t;
	bool physical;
	size_t n;

	if (physical_fmt(a, r, &physical) || place(s, a, 0, r, physical, &addr, &len))
		return -1;
	n = needle(a, 2, bytes);
	if (!n)
		return result_fail(r, "find: expected pairs of hex digits or one \"TEXT\" after the length");
	t = result_table(r, find_cols, ARRAY_LEN(find_cols), TABLE_PLAIN, "{address} {symbol}");
	search(s, physical, (uint64_t)addr, (uint64_t)(addr + len), bytes, n, t);
	if (t->nrows == MAX_FOUND)
		result_text(r, "only the first %d are shown", MAX_FOUND);
	return t->nrows ? 0 : result_fail(r, "find: no match");
}

/* ---- sum ---- */

static const struct view_col sum_cols[] = {
	{ "sum", "Sum", VAL_UINT, "", "the 16-bit checksum of BSD, as 'sum -r' prints it" },
	{ "bytes", "Bytes", VAL_UINT, "B", "how many were read" },
};
RECORD_DOC(sum_record, "sum", sum_cols);

static int cmd_sum(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	int64_t addr, len, done = 0;
	uint16_t sum = 0;
	struct table *t;
	bool physical;
	uint8_t *buf;
	size_t n, want;

	if (physical_fmt(a, r, &physical) || place(s, a, 0, r, physical, &addr, &len))
		return -1;
	buf = xmalloc(CHUNK);
	do {
		want = len - done < CHUNK ? (size_t)(len - done) : CHUNK;
		n = debug_read(s, physical, (uint64_t)(addr + done), buf, want);
		for (size_t i = 0; i < n; i++)
			sum = (uint16_t)((uint16_t)(sum >> 1 | sum << 15) + buf[i]);
		done += (int64_t)n;
	} while (n == want && done < len && !session_interrupted(s));
	free(buf);
	if (done < len)
		return result_fail(r, "sum: cannot read memory at 0x%llx", (unsigned long long)(addr + done));
	t = result_table(r, sum_cols, ARRAY_LEN(sum_cols), TABLE_PLAIN, "{sum}");
	table_row(t, (struct value[]){ V_UINT(sum), V_UINT((uint64_t)len) });
	return 0;
}

static const struct command commands[] = {
	{ "dump", NULL, "[/ph] FILE ADDRESS LENGTH", "write guest memory to FILE",
	  "With /p ADDRESS is physical, with /h FILE is text in Intel's HEX format, which objcopy -I ihex reads.",
	  cmd_dump, CMD_MACHINE | CMD_PAUSE | CMD_FMT | CMD_FILES, 3, 3, "<file> <expr> <expr>" },
	{ "dump-core", NULL, "FILE", "write all guest memory and the registers to FILE, an ELF core",
	  "gdb opens it, with the guest's kernel or program as its file, and so does crash, which needs the debug symbols "
	  "of the kernel. Its segments are physical memory, at the addresses where a Linux kernel has it, and what "
	  "else the address space maps. Memory that is all zero takes no room on the disk.",
	  cmd_dump_core, CMD_MACHINE | CMD_PAUSE | CMD_FILES, 1, 1, COMP_FILE },
	{ "load", "restore", "[/ph] FILE ADDRESS", "write the contents of FILE to guest memory",
	  "With /p ADDRESS is physical. With /h FILE is Intel HEX, which has addresses of its own: ADDRESS is added to them, "
	  "and may be missing.",
	  cmd_load, CMD_STOPPED | CMD_FMT | CMD_FILES, 1, 2, "<file> <expr>" },
	{ "hexdump", "hd", "[/p] ADDRESS [LENGTH]", "show memory as bytes and text",
	  "LENGTH is 128 if it is missing. With /p ADDRESS is physical.", cmd_hexdump,
	  CMD_MACHINE | CMD_PAUSE | CMD_FMT, 1, 2, COMP_EXPR },
	{ "store", NULL, "[/p] ADDRESS SIZE VALUE...", "write numbers of SIZE bytes (1, 2, 4, 8) to memory",
	  "With /p ADDRESS is physical. The guest sees it; 'set *(u32)ADDRESS = VALUE' does the same for linear ones.",
	  cmd_store, CMD_MACHINE | CMD_PAUSE | CMD_FMT, 3, -1, COMP_EXPR },
	{ "find", NULL, "[/p] ADDRESS LENGTH BYTES...|\"TEXT\"", "search guest memory for bytes or a text",
	  "BYTES are pairs of hex digits. The first 100 places are shown.", cmd_find,
	  CMD_MACHINE | CMD_PAUSE | CMD_FMT, 3, -1, COMP_EXPR },
	{ "sum", NULL, "[/p] ADDRESS LENGTH", "show a checksum of memory",
	  "The 16-bit sum that 'sum -r' of coreutils computes. With /p ADDRESS is physical.", cmd_sum,
	  CMD_MACHINE | CMD_PAUSE | CMD_FMT, 2, 2, COMP_EXPR },
	{ 0 },
};

const struct command_group cmd_transfer_group = { "transfer", "Memory in bulk", commands };

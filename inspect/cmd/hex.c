/* SPDX-License-Identifier: GPL-3.0-or-later
 * Memory as text: hexdump, store, and files in Intel's hexadecimal object format (Intel, "Hexadecimal Object
 * File Format Specification", 1988), which assemblers, objcopy and programmers of ROMs write and read. */
#include "inspect/cmd/hex_int.h"
#include "base/address.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { PER_LINE = 16, MAX_SHOWN = 1 << 20 };

/* ---- Intel HEX ---- */

enum { REC_DATA, REC_END, REC_SEGMENT, REC_START_SEGMENT, REC_LINEAR, REC_START_LINEAR };

static void put_record(FILE *f, unsigned type, unsigned at, const uint8_t *bytes, unsigned n)
{
	uint8_t sum = (uint8_t)(n + (at >> 8) + at + type);

	fprintf(f, ":%02X%04X%02X", n, at & 0xffff, type);
	for (unsigned i = 0; i < n; i++) {
		fprintf(f, "%02X", bytes[i]);
		sum = (uint8_t)(sum + bytes[i]);
	}
	fprintf(f, "%02X\n", (uint8_t)-sum);
}

void hex_put(FILE *f, uint64_t addr, const uint8_t *bytes, size_t n, uint64_t *base)
{
	while (n) {
		unsigned piece = PER_LINE - (addr % PER_LINE);
		uint8_t upper[2] = { (uint8_t)(addr >> 24), (uint8_t)(addr >> 16) };

		if (piece > n)
			piece = (unsigned)n;
		if (addr >> 16 != *base)
			put_record(f, REC_LINEAR, 0, upper, 2);
		*base = addr >> 16;
		put_record(f, REC_DATA, (unsigned)(addr & 0xffff), bytes, piece);
		addr += piece;
		bytes += piece;
		n -= piece;
	}
}

void hex_end(FILE *f)
{
	put_record(f, REC_END, 0, NULL, 0);
}

struct record {
	unsigned type, at, n;
	uint8_t bytes[255];
};

static int digits(const char *p)
{
	char text[3] = { p[0], p[0] ? p[1] : 0, 0 };

	return isxdigit((unsigned char)text[0]) && isxdigit((unsigned char)text[1])
		   ? (int)strtoul(text, NULL, 16)
		   : -1;
}

/* Parse LINE. False: it is no record, or its sum is wrong. */
static bool parse(const char *line, struct record *rec)
{
	uint8_t all[5 + 255], sum = 0;
	unsigned n = 0;
	int byte;

	if (*line++ != ':')
		return false;
	for (; (byte = digits(line)) >= 0 && n < sizeof(all); line += 2) {
		all[n++] = (uint8_t)byte;
		sum = (uint8_t)(sum + byte);
	}
	if (n < 5 || n != all[0] + 5u || sum || line[strspn(line, " \t\r\n")])
		return false;
	rec->n = all[0];
	rec->at = (unsigned)all[1] << 8 | all[2];
	rec->type = all[3];
	memcpy(rec->bytes, all + 4, rec->n);
	return (rec->type != REC_SEGMENT && rec->type != REC_LINEAR) || rec->n == 2;
}

bool hex_read(FILE *f, bool (*put)(void *ctx, uint64_t addr, const uint8_t *bytes, size_t n), void *ctx,
	      char *err, size_t errlen)
{
	uint64_t base = 0;
	struct record rec;
	char *line = NULL;
	unsigned number = 0;
	bool ended = false;
	size_t cap = 0;

	err[0] = 0;
	while (!ended && !err[0] && getline(&line, &cap, f) > 0) {
		number++;
		if (!line[strspn(line, " \t\r\n")])
			continue;
		if (!parse(line, &rec))
			snprintf(err, errlen, "line %u is no record of Intel HEX, or its sum is wrong",
				 number);
		else if (rec.type == REC_DATA && !put(ctx, base + rec.at, rec.bytes, rec.n))
			snprintf(err, errlen, "line %u: there is no memory at its address", number);
		else if (rec.type == REC_SEGMENT)
			base = ((unsigned)rec.bytes[0] << 8 | rec.bytes[1]) << 4;
		else if (rec.type == REC_LINEAR)
			base = (uint64_t)((unsigned)rec.bytes[0] << 8 | rec.bytes[1]) << 16;
		ended = rec.type == REC_END;
	}
	free(line);
	if (!err[0] && !ended)
		snprintf(err, errlen, "the file has no record of its end");
	return !err[0];
}

/* ---- hexdump ---- */

static const struct view_col hexdump_cols[] = {
	{ "address", "Address", VAL_ADDR, "", "of the first byte" },
	{ "bytes", "Bytes", VAL_STR, "", "sixteen of them" },
	{ "text", "Text", VAL_STR, "", "the same as ASCII, . where it is none" },
};
RECORD_DOC(hexdump_record, "hexdump", hexdump_cols);

static void dump_row(struct table *t, uint64_t addr, const uint8_t *bytes, size_t n)
{
	char hex[3 * PER_LINE + 2], text[PER_LINE + 3];
	size_t at = 0;

	for (unsigned i = 0; i < PER_LINE; i++) {
		if (i < n)
			at += (size_t)snprintf(hex + at, sizeof(hex) - at, "%s%02x",
					       i == 8 ? "  "
					       : i    ? " "
						      : "",
					       bytes[i]);
		else
			at += (size_t)snprintf(hex + at, sizeof(hex) - at, "%s  ",
					       i == 8 ? "  "
					       : i    ? " "
						      : "");
	}
	text[0] = '|';
	for (size_t i = 0; i < n; i++)
		text[1 + i] = (char)(bytes[i] >= 0x20 && bytes[i] < 0x7f ? bytes[i] : '.');
	text[1 + n] = '|';
	text[2 + n] = 0;
	table_row(t, (struct value[]){ V_ADDR(addr), V_STR(hex), V_STR(text) });
}

int cmd_hexdump(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	bool physical = !strcmp(a->fmt, "p");
	int64_t addr, len = 128, done = 0;
	uint8_t bytes[PER_LINE];
	struct table *t;
	size_t n = 1;

	if (a->fmt[0] && !physical)
		return result_fail(r, "hexdump: /%s is not /p (physical addresses)", a->fmt);
	if (session_eval(s, a->argv[0], &addr, r) || (a->argc > 1 && session_eval(s, a->argv[1], &len, r)))
		return -1;
	if (len < 1 || len > MAX_SHOWN || !session_is_range(s, physical, false, addr, len))
		return result_fail(r, "hexdump: not a range of this guest's addresses, or more than %d bytes",
				   MAX_SHOWN);
	t = result_table(r, hexdump_cols, ARRAY_LEN(hexdump_cols), TABLE_PLAIN, "{address}  {bytes}  {text}");
	for (; done < len && n; done += (int64_t)n) {
		size_t want = len - done < PER_LINE ? (size_t)(len - done) : PER_LINE;

		n = debug_read(s, physical, (uint64_t)(addr + done), bytes, want);
		if (n)
			dump_row(t, (uint64_t)(addr + done), bytes, n);
	}
	if (done < len)
		return result_fail(r, "hexdump: cannot read memory at 0x%s",
				   ADDRESS((uint64_t)(addr + done)));
	return 0;
}

/* ---- store ---- */

int cmd_store(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	bool physical = !strcmp(a->fmt, "p");
	int64_t addr, size, value;

	if (a->fmt[0] && !physical)
		return result_fail(r, "store: /%s is not /p (physical addresses)", a->fmt);
	if (session_eval(s, a->argv[0], &addr, r) || session_eval(s, a->argv[1], &size, r))
		return -1;
	if (size != 1 && size != 2 && size != 4 && size != 8)
		return result_fail(r, "store: %s is not a size of 1, 2, 4 or 8 bytes", a->argv[1]);
	for (int i = 2; i < a->argc; i++, addr += size) {
		if (session_eval(s, a->argv[i], &value, r))
			return -1;
		if (size < 8 && (value >> (8 * size - 1)) >> 1 && value >> (8 * size - 1) != -1)
			return result_fail(r, "store: %s does not fit into %lld byte%s", a->argv[i],
					   (long long)size, size == 1 ? "" : "s");
		if (!session_is_range(s, physical, false, addr, size) ||
		    debug_write(s, physical, (uint64_t)addr, &value, (size_t)size) != (size_t)size)
			return result_fail(r, "store: cannot write memory at 0x%s", ADDRESS((uint64_t)addr));
		session_changed(s);
	}
	return 0;
}

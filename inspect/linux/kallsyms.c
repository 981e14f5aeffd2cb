/* SPDX-License-Identifier: GPL-3.0-or-later
 * Names are compressed: each is a list of numbers of tokens, and most digits are tokens of their own. So the
 * table of tokens, which is sorted by number, has the digits one after another, and the table of their 256
 * offsets follows. Before it are the markers, the position of every 256th name; before those the names, and
 * before the names their number. Addresses are offsets from a base: before the number until 6.4, behind the
 * tokens since. */
#include "inspect/linux/kallsyms.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum {
	TOKENS = 256,
	GROUP = 256,	      /* names from marker to marker */
	NAME_MAX_BYTES = 512, /* of a name; longer ones are cut */
	MAX_SYMBOLS = 1 << 20,
	BEFORE = 8 << 20, /* bytes before and behind the tokens that have the other tables */
	BEHIND = 8 << 20,
	STEP = 1 << 18, /* searched at once */
	MIN_MARKERS = 16,
	TOKENS_MAX = 1 << 14,
	/* Limits on what a guest can make us do: places with digits, places with tokens, names and places for
	 * names looked at. */
	MAX_DIGITS = 4096,
	MAX_TRIES = 8,
	MAX_WORK = 1 << 26,
};

static const uint8_t digits[] = "0\0001\0002\0003\0004\0005\0006\0007\0008\0009";

static bool has(const struct kallsyms *k, size_t at, size_t n)
{
	return at <= k->len && n <= k->len - at;
}

static size_t align_up(size_t at, size_t to)
{
	return (at + to - 1) & ~(to - 1);
}

/* Is the table of token offsets at AT? AT_DIGIT is where token '0' is. */
static bool is_index(const struct kallsyms *k, size_t at, size_t at_digit)
{
	unsigned last = 0;

	if (!has(k, at, TOKENS * 2) || lx_le16(k->image + at))
		return false;
	for (unsigned i = 1; i < TOKENS; i++) {
		unsigned v = lx_le16(k->image + at + 2 * (size_t)i);

		if (v <= last)
			return false;
		last = v;
	}
	return lx_le16(k->image + at + 2 * '0') <= at_digit;
}

/* Find the tokens of which '0' is at AT. */
static bool find_tokens(struct kallsyms *k, size_t at)
{
	size_t end = at;

	for (unsigned i = '0'; i < TOKENS; i++) {
		const uint8_t *nul = has(k, end, 1) ? memchr(k->image + end, 0, k->len - end) : NULL;

		if (!nul)
			return false;
		end = (size_t)(nul - k->image) + 1;
		if (end - at > TOKENS_MAX)
			return false;
	}
	for (size_t to = 1; to <= 8; to *= 2) {
		k->index = align_up(end, to);
		if (is_index(k, k->index, at)) {
			k->tokens = at - lx_le16(k->image + k->index + 2 * '0');
			return true;
		}
	}
	return false;
}

/* The number of markers at AT: an ascending series from 0 with plausible steps. */
static unsigned markers_at(const struct kallsyms *k, size_t at)
{
	uint32_t last = 0;
	unsigned n = 1;

	if (lx_le32(k->image + at))
		return 0;
	for (at += 4; has(k, at, 4); at += 4, n++) {
		uint32_t v = lx_le32(k->image + at);

		if (v <= last || v - last < GROUP || v - last > GROUP * NAME_MAX_BYTES)
			break;
		last = v;
	}
	return n;
}

/* Advance *AT past the name there. */
static bool skip_name(const struct kallsyms *k, size_t *at)
{
	size_t len;

	if (!has(k, *at, 2))
		return false;
	len = k->image[(*at)++];
	if (len & 0x80)
		len = (len & 0x7f) | (size_t)k->image[(*at)++] << 7;
	if (!len || !has(k, *at, len))
		return false;
	*at += len;
	return true;
}

/* Do COUNT names at NAMES agree with the markers? */
static bool names_agree(struct kallsyms *k, size_t names, unsigned count, size_t markers)
{
	size_t at = names;

	for (unsigned i = 0; i < count; i++) {
		if (i % GROUP == 0 && at - names != lx_le32(k->image + markers + i / GROUP * 4))
			return false;
		if (!skip_name(k, &at) || at > markers || !k->work--)
			return false;
	}
	return markers - at < 64;
}

/* Find the number of names and the names that the N markers at MARKERS are of; *AT: where the number is. */
static bool find_names(struct kallsyms *k, size_t markers, unsigned n, size_t *at)
{
	size_t last = lx_le32(k->image + markers + (n - 1) * 4), from;

	if (markers < last + k->width)
		return false;
	from = markers - last < GROUP * NAME_MAX_BYTES
		   ? 0
		   : (markers - last - GROUP * NAME_MAX_BYTES) & ~(size_t)3;
	for (*at = from; *at + 4 <= markers - last && k->work > GROUP; *at += 4) {
		uint32_t count = lx_le32(k->image + *at);

		k->work--;
		if (count > MAX_SYMBOLS || (count + GROUP - 1) / GROUP != n)
			continue;
		k->names = align_up(*at + 4, k->width);
		k->count = count;
		if (names_agree(k, k->names, count, markers))
			return true;
	}
	return false;
}

static uint64_t address(const struct kallsyms *k, unsigned i)
{
	int32_t o = (int32_t)lx_le32(k->image + k->offsets + 4 * (size_t)i);
	uint64_t a;

	if (!k->percpu)
		a = k->base + (uint32_t)o;
	else
		a = o < 0 ? k->base - 1 - (uint64_t)(int64_t)o : (uint64_t)o;
	return k->width == 4 ? (uint32_t)a : a;
}

static bool is_base(const struct kallsyms *k, uint64_t base)
{
	return !(base & PAGE_MASK) && (k->width == 4 ? base >= 0x40000000 : base >= 0xffff800000000000ull);
}

/* Are the offsets at OFFSETS, and what they are relative to at BASE? */
static bool try_offsets(struct kallsyms *k, size_t offsets, size_t base)
{
	if (!has(k, offsets, 4 * (size_t)k->count) || !has(k, base, k->width))
		return false;
	k->base = lx_le(k->image + base, k->width);
	k->offsets = offsets;
	k->percpu = false;
	if (!is_base(k, k->base))
		return false;
	for (unsigned i = 0; k->width == 8 && i < k->count; i++)
		k->percpu |= k->image[offsets + 4 * (size_t)i + 3] >> 7;
	for (unsigned i = 1; i < k->count; i++)
		if (address(k, i) < address(k, i - 1))
			return false;
	return true;
}

static bool find_offsets(struct kallsyms *k, size_t number)
{
	size_t w = k->width, n = 4 * (size_t)k->count, behind = k->index + TOKENS * 2;

	if (number >= w + n + w && try_offsets(k, (number - w - n) & ~(w - 1), number - w))
		return true;
	behind = align_up(behind, w);
	return try_offsets(k, behind, align_up(behind + n, w));
}

/* Find the other tables around token '0' at AT. */
static bool find_tables(struct kallsyms *k, size_t at)
{
	size_t number;

	if (!find_tokens(k, at))
		return false;
	for (size_t m = k->tokens & ~(size_t)3; m >= 4; m -= 4) {
		unsigned n = markers_at(k, m - 4);

		for (unsigned less = 0; n >= MIN_MARKERS && less < 2; less++)
			if (find_names(k, m - 4, n - less, &number))
				return find_offsets(k, number);
	}
	return false;
}

/* Read the BEFORE bytes before PA and the BEHIND bytes behind it. Return where PA is. */
static size_t take_image(struct kallsyms *k, const struct lx_mem *m, uint64_t pa, uint64_t before,
			 uint64_t behind)
{
	if (before > pa)
		before = pa;
	before += (pa - before) & 7; /* alignment in the image is that in memory */
	k->pa = pa - before;
	k->len = (size_t)(before + behind);
	k->image = xmalloc(k->len);
	lx_phys_fill(m, k->pa, k->image, k->len);
	return (size_t)before;
}

/* Try token '0' at PA. */
static bool try_at(struct kallsyms *k, const struct lx_mem *m, uint64_t pa, unsigned *tries)
{
	bool tokens = find_tokens(k, take_image(k, m, pa, 4 * TOKENS, TOKENS_MAX + 4 * TOKENS));

	kallsyms_fini(k);
	if (!tokens || !*tries)
		return false;
	--*tries;
	if (find_tables(k, take_image(k, m, pa, BEFORE, BEHIND)))
		return true;
	kallsyms_fini(k);
	return false;
}

bool kallsyms_find(struct kallsyms *k, const struct lx_mem *m, uint64_t from, uint64_t to, unsigned width)
{
	size_t overlap = sizeof(digits), n = STEP + overlap;
	unsigned places = MAX_DIGITS, tries = MAX_TRIES;
	uint8_t *buf = xmalloc(n), *p;
	bool found = false;

	*k = (struct kallsyms){ .width = width, .work = MAX_WORK };
	for (uint64_t at = from & ~(uint64_t)PAGE_MASK; at < to && !found; at += STEP) {
		lx_phys_fill(m, at, buf, n);
		for (p = buf; !found && (p = memmem(p, (size_t)(buf + n - p), digits, sizeof(digits))); p++)
			found = places && places-- && try_at(k, m, at + (uint64_t)(p - buf), &tries);
	}
	free(buf);
	return found;
}

void kallsyms_fini(struct kallsyms *k)
{
	free(k->image);
	k->image = NULL;
}

/* Write the name at *AT, without its type, and advance *AT. Return the type. */
static char expand(const struct kallsyms *k, size_t *at, char *name, size_t size)
{
	size_t start = *at, n = 0;
	char type = 0;

	if (!skip_name(k, at))
		return 0;
	start += k->image[start] & 0x80 ? 2 : 1;
	for (; start < *at; start++) {
		size_t t = k->tokens + lx_le16(k->image + k->index + 2 * (size_t)k->image[start]);

		for (; has(k, t, 1) && k->image[t]; t++) {
			if (!type)
				type = (char)k->image[t];
			else if (n + 1 < size)
				name[n++] = (char)k->image[t];
		}
	}
	name[n] = 0;
	return type;
}

void kallsyms_each(const struct kallsyms *k,
		   void (*found)(void *ctx, uint64_t addr, char type, const char *name), void *ctx)
{
	char name[NAME_MAX_BYTES];
	size_t at = k->names;

	for (unsigned i = 0; i < k->count; i++) {
		char type = expand(k, &at, name, sizeof(name));

		if (type)
			found(ctx, address(k, i), type, name);
	}
}

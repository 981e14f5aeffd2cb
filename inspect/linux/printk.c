/* SPDX-License-Identifier: GPL-3.0-or-later
 * Records have consecutive numbers from that of the tail to that of the head; a number's low bits are its
 * place among the descriptors. A descriptor says where the text is in the ring of data: positions there only
 * grow, and their low bits are the place. Text that would cross the end of the ring begins at its start.
 * Kernel documentation: kernel/printk/printk_ringbuffer.c. */
#include "inspect/linux/printk.h"
#include "inspect/linux/kernel_int.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_COUNT_BITS = 20, MAX_SIZE_BITS = 28, TEXT_MAX = 1 << 14 };

struct log {
	uint64_t descs, infos, head, tail;
	uint64_t data; /* of the ring of text */
	uint32_t count_bits, size_bits;
	unsigned desc_size, info_size;
	unsigned state_shift; /* the two top bits of a descriptor's state are its progress */
};

enum { STATE_COMMITTED = 1, STATE_FINALIZED = 2 };

static const char no_log[] =
    "the kernel's log was not found: its vmcoreinfo is not there yet, or it is older than 5.10";

static bool find_log(struct lx *k, struct log *l)
{
	uint64_t at, prb, ring, text;

	if (!lx_note(k, "SYMBOL(prb)=", 16, &at) && !lx_data_symbol(k, "prb", &at))
		return false;
	if (!lx_word(k, at, &prb) || !lx_is_pointer(k, prb))
		return false;
	for (enum lx_field f = LX_PRB_DESCS; f <= LX_INFO_LEVEL; f++)
		if (!lx_has(k, f))
			return false;
	ring = lx_at(k, prb, LX_PRB_DESCS);
	text = lx_at(k, prb, LX_PRB_TEXT);
	l->desc_size = k->layout.off[LX_SIZE_DESC];
	l->info_size = k->layout.off[LX_SIZE_INFO];
	l->state_shift = 8 * k->width - 2;
	return lx_get32(k, ring, LX_DESCS_BITS, &l->count_bits) && l->count_bits <= MAX_COUNT_BITS &&
	       lx_get(k, ring, LX_DESCS_LIST, &l->descs) && lx_get(k, ring, LX_DESCS_INFOS, &l->infos) &&
	       lx_get(k, ring, LX_DESCS_HEAD, &l->head) && lx_get(k, ring, LX_DESCS_TAIL, &l->tail) &&
	       lx_get32(k, text, LX_RING_BITS, &l->size_bits) && l->size_bits <= MAX_SIZE_BITS &&
	       lx_get(k, text, LX_RING_DATA, &l->data);
}

static uint64_t id_mask(const struct log *l)
{
	return (1ull << l->state_shift) - 1;
}

/* Find the LEN bytes of text of the block [BEGIN, NEXT). 0: it has none. */
static uint64_t text_at(const struct lx *k, const struct log *l, uint64_t begin, uint64_t next, size_t *len)
{
	uint64_t mask = (1ull << l->size_bits) - 1, room;

	if (begin & 1) /* none: never written, or empty */
		return 0;
	if (begin >> l->size_bits != next >> l->size_bits && (next & mask)) { /* it has been wrapped */
		begin = next & ~mask;
		if ((begin & mask) || next - begin > mask)
			return 0;
	}
	room = next - begin;
	if (room <= k->width || room > mask + 1)
		return 0;
	room -= k->width; /* the block begins with the number of its record */
	if (*len > room)
		*len = (size_t)room;
	return l->data + (begin & mask) + k->width;
}

/* Read record ID. False: it is not complete, or has been overwritten. */
static bool record_at(const struct lx *k, const struct log *l, uint64_t id, char *buf, struct lx_record *r)
{
	uint64_t slot = id & ((1ull << l->count_bits) - 1), desc = l->descs + slot * l->desc_size, state;
	uint64_t info = l->infos + slot * l->info_size, block = lx_at(k, desc, LX_DESC_BLOCK), begin, next,
		 at;
	uint8_t seq[8], time[8], len[2], facility, level;
	size_t n, got;

	if (!lx_get(k, desc, LX_DESC_STATE, &state) || (state & id_mask(l)) != id ||
	    (state >> l->state_shift != STATE_COMMITTED && state >> l->state_shift != STATE_FINALIZED))
		return false;
	if (!lx_get(k, block, LX_BLOCK_BEGIN, &begin) || !lx_get(k, block, LX_BLOCK_NEXT, &next) ||
	    !lx_read(k, lx_at(k, info, LX_INFO_SEQ), seq, 8) ||
	    !lx_read(k, lx_at(k, info, LX_INFO_TIME), time, 8) ||
	    !lx_read(k, lx_at(k, info, LX_INFO_LEN), len, 2) ||
	    !lx_read(k, lx_at(k, info, LX_INFO_FACILITY), &facility, 1) ||
	    !lx_read(k, lx_at(k, info, LX_INFO_LEVEL), &level, 1) ||
	    !lx_get32(k, info, LX_INFO_CALLER, &r->caller))
		return false;
	n = lx_le16(len) < TEXT_MAX ? lx_le16(len) : TEXT_MAX - 1;
	at = text_at(k, l, begin, next, &n);
	got = at ? lx_read_some(k, at, buf, n) : 0;
	for (size_t i = 0; i < got; i++)
		if (((unsigned char)buf[i] < ' ' && buf[i] != '\n' && buf[i] != '\t') || buf[i] == 127)
			buf[i] = '?';
	while (got && buf[got - 1] == '\n')
		got--;
	buf[got] = 0;
	r->seq = lx_le64(seq);
	r->time = lx_le64(time);
	r->facility = facility;
	r->level = level >> 5;
	r->text = buf;
	return true;
}

const char *lx_printk_each(struct lx *k, void (*found)(void *ctx, const struct lx_record *r), void *ctx)
{
	uint64_t id, mask, last;
	struct lx_record r;
	struct log l;
	char *buf;

	if (!find_log(k, &l))
		return no_log;
	mask = id_mask(&l);
	id = l.tail & mask;
	last = l.head & mask;
	if (((last - id) & mask) >> l.count_bits)
		return "the kernel's log is damaged";
	buf = xmalloc(TEXT_MAX);
	for (;; id = (id + 1) & mask) {
		if (record_at(k, &l, id, buf, &r))
			found(ctx, &r);
		if (id == last)
			break;
	}
	free(buf);
	return NULL;
}

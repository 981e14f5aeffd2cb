/* SPDX-License-Identifier: GPL-3.0-or-later
 * See packet.h. Replies are not run-length encoded: they repeat too little. */
#include "gdbstub/packet.h"
#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- receiving ---- */

static enum packet_event begin(struct packet_reader *r, uint8_t byte)
{
	switch (byte) {
	case '$':
		r->state = PACKET_BODY;
		r->len = 0;
		r->sum = 0;
		r->overflow = false;
		return PACKET_MORE;
	case 3:
		return PACKET_INTERRUPT;
	case '+':
		return PACKET_ACK;
	case '-':
		return PACKET_NAK;
	default:
		return PACKET_NOISE;
	}
}

static enum packet_event body(struct packet_reader *r, uint8_t byte)
{
	if (byte == '#') {
		r->state = PACKET_SUM1;
		return PACKET_MORE;
	}
	if (byte == '$') /* the previous packet was cut off */
		return begin(r, byte);
	r->sum = (uint8_t)(r->sum + byte);
	if (r->len < PACKET_MAX)
		r->buf[r->len++] = (char)byte;
	else
		r->overflow = true;
	return PACKET_MORE;
}

static enum packet_event end(struct packet_reader *r, int low)
{
	r->state = PACKET_IDLE;
	r->buf[r->len] = 0;
	if (r->overflow)
		return PACKET_LONG;
	return low < 0 || (r->claimed << 4 | low) != r->sum ? PACKET_BAD : PACKET_READY;
}

enum packet_event packet_feed(struct packet_reader *r, uint8_t byte)
{
	int digit;

	switch (r->state) {
	case PACKET_IDLE:
		return begin(r, byte);
	case PACKET_BODY:
		return body(r, byte);
	case PACKET_SUM1:
		digit = hex_digit((char)byte);
		if (digit < 0)
			return end(r, -1);
		r->claimed = (uint8_t)digit;
		r->state = PACKET_SUM2;
		return PACKET_MORE;
	default:
		return end(r, hex_digit((char)byte));
	}
}

/* ---- building ---- */

void out_fini(struct out *o)
{
	free(o->data);
	*o = (struct out){ 0 };
}

void out_clear(struct out *o)
{
	o->len = 0;
}

static char *out_room(struct out *o, size_t n)
{
	if (o->len + n + 1 > o->cap) {
		o->cap = (o->len + n + 1) * 2;
		o->data = xrealloc(o->data, o->cap);
	}
	return o->data + o->len;
}

void out_bytes(struct out *o, const void *bytes, size_t n)
{
	char *to = out_room(o, n);

	if (n)
		memcpy(to, bytes, n);
	to[n] = 0;
	o->len += n;
}

void out_printf(struct out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	va_start(ap, fmt);
	vsnprintf(out_room(o, (size_t)n), (size_t)n + 1, fmt, ap);
	va_end(ap);
	o->len += (size_t)n;
}

void out_hex(struct out *o, const void *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	char *to = out_room(o, 2 * n);
	const uint8_t *in = bytes;

	for (size_t i = 0; i < n; i++) {
		*to++ = digits[in[i] >> 4];
		*to++ = digits[in[i] & 15];
	}
	*to = 0;
	o->len += 2 * n;
}

static bool needs_escape(char c)
{
	return c == '$' || c == '#' || c == '}' || c == '*';
}

void out_binary(struct out *o, const void *bytes, size_t n)
{
	char *to = out_room(o, 2 * n), *start = to;
	const char *in = bytes;

	for (size_t i = 0; i < n; i++) {
		if (needs_escape(in[i]))
			*to++ = '}';
		*to++ = needs_escape(in[i]) ? in[i] ^ 0x20 : in[i];
	}
	*to = 0;
	o->len += (size_t)(to - start);
}

void packet_frame(struct out *o, const char *body, size_t n)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = (uint8_t)(sum + (uint8_t)body[i]);
	out_bytes(o, "$", 1);
	out_bytes(o, body, n);
	out_bytes(o, "#", 1);
	out_hex(o, &sum, 1);
}

/* ---- parsing ---- */

size_t packet_unescape(char *buf, size_t n)
{
	size_t to = 0;

	for (size_t i = 0; i < n; i++)
		buf[to++] = buf[i] == '}' && i + 1 < n ? buf[++i] ^ 0x20 : buf[i];
	return to;
}

int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t hex_decode(const char *text, size_t n, void *bytes, size_t max)
{
	uint8_t *to = bytes;
	size_t i;

	for (i = 0; i < max && 2 * i + 1 < n; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			break;
		to[i] = (uint8_t)(high << 4 | low);
	}
	return i;
}

bool span_char(struct span *s, char c)
{
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

bool span_word(struct span *s, const char *word)
{
	size_t n = strlen(word);

	if (span_left(s) < n || memcmp(s->p, word, n))
		return false;
	s->p += n;
	return true;
}

bool span_hex(struct span *s, uint64_t *val)
{
	unsigned digits = 0;

	*val = 0;
	while (s->p < s->end && hex_digit(*s->p) >= 0 && digits < 17) {
		*val = *val << 4 | (unsigned)hex_digit(*s->p++);
		digits++;
	}
	return digits && digits < 17;
}

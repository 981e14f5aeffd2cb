/* SPDX-License-Identifier: GPL-3.0-or-later
 * The frame around gdb's packets ("$...#xx", acknowledgements, 0x03), hexadecimal and the
 * binary escape. Pure functions over buffers. (gdb manual, appendix E.1.) */
#ifndef GDBSTUB_PACKET_H
#define GDBSTUB_PACKET_H
#include "base/types.h"

enum { PACKET_MAX = 0x8000 }; /* longest packet, between $ and # */

enum packet_event {
	PACKET_MORE,	  /* incomplete */
	PACKET_READY,	  /* a packet with a valid checksum is in buf[0..len) */
	PACKET_BAD,	  /* a packet with an invalid checksum: request it again */
	PACKET_LONG,	  /* a packet longer than PACKET_MAX, dropped */
	PACKET_INTERRUPT, /* 0x03 between packets */
	PACKET_ACK,
	PACKET_NAK,
	PACKET_NOISE, /* between packets, a byte that no debugger sends there */
};

/* The receiving side. Zero it to initialize. */
struct packet_reader {
	enum { PACKET_IDLE, PACKET_BODY, PACKET_SUM1, PACKET_SUM2 } state;
	bool overflow;
	uint8_t sum, claimed;
	size_t len;
	char buf[PACKET_MAX + 1]; /* the body as sent, with its escapes, and a NUL */
};

enum packet_event packet_feed(struct packet_reader *r, uint8_t byte);

/* A growing byte string: the packet being built. */
struct out {
	char *data;
	size_t len, cap;
};

void out_fini(struct out *o);
void out_clear(struct out *o);
void out_bytes(struct out *o, const void *bytes, size_t n);
void out_printf(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3), nonnull(1, 2)));
void out_hex(struct out *o, const void *bytes, size_t n);
/* Append N bytes as they are, escaped. */
void out_binary(struct out *o, const void *bytes, size_t n);
/* Append the frame around the N bytes at BODY. */
void packet_frame(struct out *o, const char *body, size_t n);

/* Remove the escapes in place; return the new length. */
size_t packet_unescape(char *buf, size_t n);
int hex_digit(char c); /* -1: none */
/* Decode up to MAX bytes of hexadecimal, up to the first other character; return how many. */
size_t hex_decode(const char *text, size_t n, void *bytes, size_t max);

/* The part of a packet that is not parsed yet. */
struct span {
	const char *p, *end;
};

bool span_char(struct span *s, char c); /* consume C if it is next */
bool span_word(struct span *s, const char *word);
/* Consume a hexadecimal number of at most 16 digits. */
bool span_hex(struct span *s, uint64_t *val);
static inline size_t span_left(const struct span *s)
{
	return (size_t)(s->end - s->p);
}
#endif

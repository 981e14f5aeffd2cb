/* SPDX-License-Identifier: GPL-3.0-or-later
 * Frames, hexadecimal, escapes, and agent expressions: bytes in, events and values out. */
#include "gdbstub/agent.h"
#include "gdbstub/packet.h"
#include "tests/suite.h"

#include <stdlib.h>
#include <string.h>

/* ---- receiving ---- */

static const char event_letters[] = ".RBLI+-N"; /* in the order of enum packet_event */

/* Rows: input; an event letter for each byte that completes something; the last packet. */
static const struct {
	const char *in, *events, *packet;
} frames[] = {
	{ "$?#3f", "R", "?" },
	{ "$#00", "R", "" },
	{ "$?#3F", "R", "?" },
	{ "$?#3e", "B", NULL },
	{ "$?#zz", "BN", NULL },
	{ "$?#3$#00$?#3f", "BNNNR",
	  "?" }, /* a $ in the checksum: that packet is bad, and the next one is noise */
	{ "x$?#3f", "NR", "?" },
	{ "$?#3f\n$?#3f", "RNR", "?" },
	{ "GET", "NNN", NULL },
	{ "+$?#3f-", "+R-", "?" },
	{ "\003", "I", NULL },
	{ "$\003#03", "R", "\003" },
	{ "$ab$?#3f", "R", "?" },
	{ "+++\003$g#67", "+++IR", "g" },
};

START_TEST(test_frames)
{
	struct packet_reader *r = calloc(1, sizeof(*r));
	char events[32] = "";
	size_t n = 0;

	for (const char *p = frames[_i].in; *p; p++) {
		enum packet_event e = packet_feed(r, (uint8_t)*p);

		if (e != PACKET_MORE)
			events[n++] = event_letters[e];
	}
	ck_assert_str_eq(events, frames[_i].events);
	if (frames[_i].packet)
		ck_assert_str_eq(r->buf, frames[_i].packet);
	free(r);
}
END_TEST

START_TEST(test_longest_packet)
{
	for (size_t extra = 0; extra < 2; extra++) {
		struct packet_reader *r = calloc(1, sizeof(*r));
		struct out o = { 0 };
		char *body = malloc(PACKET_MAX + extra);
		enum packet_event e = PACKET_MORE;

		memset(body, 'x', PACKET_MAX + extra);
		packet_frame(&o, body, PACKET_MAX + extra);
		for (size_t i = 0; i < o.len; i++)
			e = packet_feed(r, (uint8_t)o.data[i]);
		ck_assert_int_eq(e, extra ? PACKET_LONG : PACKET_READY);
		/* the next packet is received */
		packet_feed(r, '$');
		packet_feed(r, '#');
		packet_feed(r, '0');
		ck_assert_int_eq(packet_feed(r, '0'), PACKET_READY);
		free(body);
		out_fini(&o);
		free(r);
	}
}
END_TEST

/* ---- both ways ---- */

START_TEST(test_every_byte_survives)
{
	struct packet_reader *r = calloc(1, sizeof(*r));
	struct out body = { 0 }, frame = { 0 };
	enum packet_event e = PACKET_MORE;
	uint8_t all[256];

	for (int i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	out_binary(&body, all, sizeof(all));
	packet_frame(&frame, body.data, body.len);
	for (size_t i = 0; i < frame.len; i++)
		e = packet_feed(r, (uint8_t)frame.data[i]);
	ck_assert_int_eq(e, PACKET_READY);
	ck_assert_uint_eq(packet_unescape(r->buf, r->len), sizeof(all));
	ck_assert_mem_eq(r->buf, all, sizeof(all));
	out_fini(&body);
	out_fini(&frame);
	free(r);
}
END_TEST

START_TEST(test_hex)
{
	uint8_t bytes[4] = { 0 };
	struct out o = { 0 };

	out_hex(&o, "\x00\x7f\xff", 3);
	ck_assert_str_eq(o.data, "007fff");
	ck_assert_uint_eq(hex_decode("12aBf", 5, bytes, 4), 2);
	ck_assert_uint_eq(bytes[1], 0xab);
	ck_assert_uint_eq(hex_decode("1g", 2, bytes, 4), 0);
	ck_assert_uint_eq(hex_decode("0102030405", 10, bytes, 4), 4);
	out_fini(&o);
}
END_TEST

static const struct {
	const char *text;
	bool good;
	uint64_t val;
} numbers[] = {
	{ "0", true, 0 },	 { "ffffffffffffffff", true, UINT64_MAX },
	{ "fFf,", true, 0xfff }, { "", false, 0 },
	{ ",1", false, 0 },	 { "11111111111111111", false, 0 },
};

START_TEST(test_numbers)
{
	struct span s = { numbers[_i].text, numbers[_i].text + strlen(numbers[_i].text) };
	uint64_t val;

	ck_assert_int_eq(span_hex(&s, &val), numbers[_i].good);
	if (numbers[_i].good)
		ck_assert_uint_eq(val, numbers[_i].val);
}
END_TEST

/* ---- agent expressions ---- */

static bool env_reg(void *ctx, unsigned n, uint64_t *val)
{
	(void)ctx;
	*val = 100 + n;
	return n < 10;
}

static bool env_read(void *ctx, uint64_t addr, void *buf, unsigned n)
{
	(void)ctx;
	memset(buf, (int)addr, n);
	return addr < 0x1000;
}

/* Rows: bytecode in hexadecimal, whether it completes, its value. */
static const struct {
	const char *code;
	bool good;
	uint64_t val;
} programs[] = {
	{ "220527", true, 5 },
	{ "2205220727", true, 7 },
	{ "2205220702"
	  "27",
	  true, 12 },
	{ "2205220703"
	  "27",
	  true, (uint64_t)-2 },
	{ "220722030527", true, 2 },
	{ "2206220005"
	  "27",
	  false, 0 }, /* division by zero */
	{ "25800000000000000022ff160805"
	  "27",
	  false, 0 },			    /* the quotient that overflows */
	{ "22ff160827", true, UINT64_MAX }, /* ext 8 */
	{ "22ff16080a"
	  "27",
	  false, 0 }, /* one value is missing */
	{ "2600030a"
	  "27",
	  false, 0 }, /* likewise */
	{ "26000327", true, 103 },
	{ "26000a27", false, 0 }, /* no such register */
	{ "2212"
	  "17"
	  "27",
	  true, 0x12 },
	{ "2212"
	  "19"
	  "27",
	  true, 0x12121212 },
	{ "232000"
	  "19"
	  "27",
	  false, 0 }, /* not readable */
	{ "2201"
	  "200008"
	  "2209"
	  "27"
	  "2204"
	  "27",
	  true, 4 },		/* if_goto to 8 */
	{ "210000", false, 0 }, /* an endless loop */
	{ "21ffff", false, 0 },
	{ "2201", false, 0 },	  /* no end */
	{ "24000000", false, 0 }, /* operand cut off */
	{ "27", false, 0 },	  /* nothing on the stack */
	{ "fe", false, 0 },
	{ "2201"
	  "2202"
	  "2b"
	  "03"
	  "27",
	  true, 1 }, /* swap: 2 - 1 */
	{ "2201"
	  "2202"
	  "2203"
	  "33"
	  "29"
	  "29"
	  "27",
	  true, 3 }, /* rot: 3 1 2 */
	{ "22012202"
	  "3201"
	  "27",
	  true, 1 },
	{ "3205"
	  "27",
	  false, 0 },
	{ "2201"
	  "2250"
	  "09"
	  "27",
	  true, 0 },
	{ "220122400927", true, 0 }, /* shift by 64 */
	{ "26000027", true, 100 },
	{ "22ff"
	  "2a04"
	  "27",
	  true, 15 },
	{ "220527"
	  "ffff",
	  true, 5 },
	{ "2205220513"
	  "27",
	  true, 1 },
	{ "22052206"
	  "14"
	  "27",
	  true, 1 },
	{ "22050e27", true, 0 },
};

START_TEST(test_agent)
{
	struct agent_env env = { NULL, env_reg, env_read };
	uint8_t code[64];
	size_t n = hex_decode(programs[_i].code, strlen(programs[_i].code), code, sizeof(code));
	uint64_t val = 0;

	ck_assert_int_eq(agent_eval(&env, code, n, &val), programs[_i].good);
	if (programs[_i].good)
		ck_assert_uint_eq(val, programs[_i].val);
}
END_TEST

START_TEST(test_agent_stack_overflow)
{
	struct agent_env env = { NULL, env_reg, env_read };
	uint8_t code[] = { 0x22, 1, 0x28, 0x21, 0, 2 }; /* an endless loop of dup */
	uint64_t val;

	ck_assert(!agent_eval(&env, code, sizeof(code), &val));
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("packet");
	Suite *su = suite_create("packet");

	tcase_add_loop_test(tc, test_frames, 0, ARRAY_LEN(frames));
	tcase_add_test(tc, test_longest_packet);
	tcase_add_test(tc, test_every_byte_survives);
	tcase_add_test(tc, test_hex);
	tcase_add_loop_test(tc, test_numbers, 0, ARRAY_LEN(numbers));
	tcase_add_loop_test(tc, test_agent, 0, ARRAY_LEN(programs));
	tcase_add_test(tc, test_agent_stack_overflow);
	suite_add_tcase(su, tc);
	return suite_run(su);
}

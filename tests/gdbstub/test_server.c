/* SPDX-License-Identifier: GPL-3.0-or-later
 * Sessions over a socket pair with the stub on the fake machine: packets in, packets out. */
#include "base/loop.h"
#include "gdbstub/gdbstub.h"
#include "gdbstub/packet.h"
#include "inspect/command.h"
#include "inspect/debug.h"
#include "tests/inspect/fake_machine.h"
#include "tests/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* 1000 inc eax; inc ecx; inc edx; jmp 1000 */
static const uint8_t looping[] = { 0x40, 0x41, 0x42, 0xeb, 0xfb };
static const uint8_t exiting[] = { 0x90, 0xb8, 3, 0, 0, 0, 0xe6, 0xf4 };

struct talk {
	struct loop *loop;
	struct inspect *s;
	struct machine *m;
	struct gdb *g;
	int fd;	    /* gdb's end; -1: disconnected */
	char *said; /* the last packet's body, or "" */
	bool all;   /* keep all packets in said, with their frames */
};

static bool call(struct talk *t)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return false;
	t->fd = pair[0];
	return gdb_adopt(t->g, pair[1]);
}

static void begin(struct talk *t, const uint8_t *code, size_t len)
{
	*t = (struct talk){ .loop = loop_new(), .s = inspect_new(NULL), .said = strdup("") };
	t->m = fake_machine(code, len);
	inspect_attach(t->s, &(struct inspect_machine){ .machine = t->m, .icount = true });
	t->g = gdb_new(t->s, t->loop);
	inspect_add(t->s, gdb_addon(t->g));
	ck_assert(call(t));
}

static void end(struct talk *t)
{
	if (t->fd >= 0)
		close(t->fd);
	gdb_free(t->g);
	inspect_free(t->s);
	machine_free(t->m);
	loop_free(t->loop);
	free(t->said);
}

static void turn(struct talk *t)
{
	loop_turn(t->loop, 0, -1);
	debug_look(t->s);
}

/* Receive all packets; keep the last one. */
static void hear(struct talk *t)
{
	static const size_t room = 1 << 18;
	char *buf = malloc(room), *last = NULL, *hash;
	ssize_t n;

	for (int i = 0; i < 6; i++)
		turn(t);
	n = recv(t->fd, buf, room - 1, MSG_DONTWAIT);
	free(t->said);
	t->said = strdup("");
	if (n > 0) {
		buf[n] = 0;
		last = memrchr(buf, '$', (size_t)n);
	}
	if (n > 0 && t->all) {
		free(t->said);
		t->said = strdup(buf);
		last = NULL;
	}
	hash = last ? strchr(last, '#') : NULL;
	if (hash) {
		free(t->said);
		t->said = strndup(last + 1, (size_t)(hash - last - 1));
	}
	free(buf);
}

static const char *ask(struct talk *t, const char *body)
{
	struct out o = { 0 };

	packet_frame(&o, body, strlen(body));
	ck_assert_int_eq(send(t->fd, o.data, o.len, MSG_NOSIGNAL), (ssize_t)o.len);
	out_fini(&o);
	hear(t);
	return t->said;
}

/* Rows: packet, start of the reply (NULL: no reply). One session. */
static const struct {
	const char *packet, *reply;
} script[] = {
	{ "qSupported:multiprocess+;swbreak+;hwbreak+;xmlRegisters=i386",
	  "PacketSize=8000;QStartNoAckMode+" },
	{ "vMustReplyEmpty", "" },
	{ "?", "T05thread:p1.1;" }, /* no registers in stop replies before gdb has read them */
	{ "g", "0000000000000000" },
	{ "Hgp0.0", "OK" },
	{ "Hgp1.7", "E" },
	{ "Hc-1", "OK" },
	{ "Tp1.1", "OK" },
	{ "Tp1.2", "E" },
	{ "qC", "QCp1.1" },
	{ "qfThreadInfo", "mp1.1" },
	{ "qsThreadInfo", "l" },
	{ "qThreadExtraInfo,p1.1", "43505520" },
	{ "qAttached:1", "1" },
	{ "qXfer:features:read:target.xml:0,10", "m<?xml version=\"1" },
	{ "qXfer:features:read:target.xml:fffff,10", "E" },
	{ "qXfer:features:read:other.xml:0,10", "" },
	{ "vCont?", "vCont;c;C;s;S;t;r" },
	{ "p8", "00100000" },
	{ "pff", "E" },
	{ "p", "E" },
	{ "P0=44332211", "OK" },
	{ "p0", "44332211" },
	{ "P0=443322", "E" },
	{ "P0", "E" },
	{ "m1000,5", "404142ebfb" },
	{ "m1000,5x", "404142ebfb" },
	{ "m,5", "E" },
	{ "mfffe,8", "0000" }, /* the readable part */
	{ "m10000,8", "E0e" },
	{ "mffffffffffffffff,8", "E0e" },
	{ "m1000,0", "" },
	{ "x1000,3", "b@AB" },
	{ "M2000,2:beef", "OK" },
	{ "M2000,3:beef", "E" },
	{ "M20000,1:00", "E0e" },
	{ "X2002,3:a}\003b", "OK" },
	{ "m2000,5", "beef612362" },
	{ "qSearch:memory:1000;2000;\xbe\xef", "1,2000" },
	{ "qSearch:memory:1000;500;\xbe\xef", "0" },
	{ "qSearch:memory:1000;500;", "E" },
	{ "s", "T0500:45332211" },
	{ "vCont;s:p1.1;c:p1.-1", "T05" },
	{ "vCont;r1000,1003:p1.1", "T05" },
	{ "vCont;x", "E" },
	{ "vCont", "E" },
	{ "vCont;c:p7.7", "E" },
	{ "Z0,1001,1", "OK" },
	{ "c", "T05swbreak:;" },
	{ "p8", "01100000" },
	{ "z0,1001,1", "OK" },
	{ "Z1,1001,1", "OK" },
	{ "vCont;c", "T05hwbreak:;" },
	{ "z1,1001,1", "OK" },
	{ "Z0,1000,1;X3,220027", "OK" },     /* a condition that never holds */
	{ "Z0,1002,1;X5,2600012204", "OK" }, /* a condition that cannot be evaluated */
	{ "c", "T05swbreak:;" },
	{ "p8", "02100000" },
	{ "z0,1002,1", "OK" },
	{ "z0,1000,1", "OK" },
	{ "Z2,2000,40", "" }, /* unsupported: this engine has no watchpoints */
	{ "Z9,2000,1", "" },
	{ "Z0", "" },
	{ "qqemu.sstepbits", "ENABLE=1,NOIRQ=2,NOTIMER=4" },
	{ "qqemu.sstep", "0x7" },
	{ "Qqemu.sstep=0x5", "OK" },
	{ "qqemu.sstep", "0x5" },
	{ "Qqemu.sstep=9", "E" },
	{ "Qqemu.PhyMemMode:1", "OK" },
	{ "qqemu.PhyMemMode", "1" },
	{ "m1000,2", "4041" },
	{ "qXfer:memory-map:read::0,1000", "l<?xml" },
	{ "qHostInfo", "triple:" },
	{ "qMemoryRegionInfo:1000", "start:0;size:400000;permissions:r" },
	{ "qRcmd,6563686f206869", "OK" }, /* echo hi */
	{ "qRcmd,", "OK" },
	{ "qRcmd,zz", "OK" },
	{ "qRcmd,61726368206938303836", "OK" }, /* arch i8086 */
	{ "qXfer:features:read:target.xml:64,2000", "m" },
	{ "QStartNoAckMode", "OK" },
	{ "!", "OK" },
	{ "vKillX", NULL },
};

START_TEST(test_conversation)
{
	struct talk t;

	begin(&t, looping, sizeof(looping));
	for (size_t i = 0; script[i].reply; i++) {
		const char *got = ask(&t, script[i].packet);

		ck_assert_msg(script[i].reply[0] ? !strncmp(got, script[i].reply, strlen(script[i].reply))
						 : !got[0],
			      "%s: '%.60s' instead of '%s'", script[i].packet, got, script[i].reply);
	}
	end(&t);
}
END_TEST

START_TEST(test_interrupt)
{
	struct talk t;

	begin(&t, looping, sizeof(looping));
	ck_assert_str_eq(ask(&t, "c"), "");
	ck_assert(inspect_running(t.s));
	ck_assert_int_eq(send(t.fd, "\003", 1, 0), 1);
	hear(&t);
	ck_assert_msg(!strncmp(t.said, "T02", 3), "%s", t.said);
	ck_assert(!inspect_running(t.s));
	end(&t);
}
END_TEST

/* However a debugger disconnects, it leaves no breakpoint and a running guest. */
START_TEST(test_leaving)
{
	struct talk t;

	begin(&t, looping, sizeof(looping));
	ask(&t, "Z0,1002,1");
	ask(&t, "c");
	ck_assert_uint_eq(fake_machine_breakpoints(t.m), 1);
	switch (_i) {
	case 0:
		ck_assert_str_eq(ask(&t, "D;1"), "OK");
		break;
	case 1:
		close(t.fd);
		t.fd = -1;
		break;
	case 2:
		send(t.fd, "$m1000,", 7, 0); /* in the middle of a packet */
		close(t.fd);
		t.fd = -1;
		break;
	}
	for (int i = 0; i < 4; i++)
		turn(&t);
	ck_assert_uint_eq(fake_machine_breakpoints(t.m), 0);
	ck_assert(inspect_running(t.s));
	if (t.fd >= 0)
		close(t.fd);
	/* a client may connect again */
	ck_assert(call(&t));
	ck_assert_str_eq(ask(&t, "qAttached:1"), "1");
	ck_assert(!inspect_running(t.s));
	end(&t);
}
END_TEST

START_TEST(test_second_client)
{
	struct talk t;
	int pair[2];
	char line[80];
	ssize_t n;

	begin(&t, looping, sizeof(looping));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert(!gdb_adopt(t.g, pair[1]));
	n = recv(pair[0], line, sizeof(line), 0);
	ck_assert(n > 0 && line[n - 1] == '\n');
	close(pair[0]);
	ck_assert_str_eq(ask(&t, "qAttached"), "1");
	end(&t);
}
END_TEST

START_TEST(test_exit)
{
	struct talk t;

	begin(&t, exiting, sizeof(exiting));
	ask(&t, "qSupported:multiprocess+");
	ck_assert_str_eq(ask(&t, "c"), "W07;process:1");
	end(&t);
}
END_TEST

/* Removing all breakpoints at a stop and inserting them again does not reach the engine. */
START_TEST(test_lazy_removal)
{
	struct talk t;

	begin(&t, looping, sizeof(looping));
	ask(&t, "Z0,1001,1");
	ask(&t, "Z0,1002,1");
	ask(&t, "c");
	ask(&t, "z0,1001,1");
	ask(&t, "z0,1002,1");
	ck_assert_uint_eq(fake_machine_breakpoints(t.m), 2);
	ask(&t, "s");
	ck_assert_uint_eq(fake_machine_breakpoints(t.m), 2);
	ask(&t, "Z0,1002,1");
	ask(&t, "c");
	ck_assert_uint_eq(fake_machine_breakpoints(t.m), 1);
	end(&t);
}
END_TEST

static const struct inspect_sink silent = { 0 };

static void ten_turns(struct talk *t)
{
	for (int i = 0; i < 10; i++)
		turn(t);
}

/* A point that gdb has removed stops nobody, and a new one at its place begins to count anew. */
START_TEST(test_removed_point)
{
	struct talk t;

	begin(&t, looping, sizeof(looping));
	ask(&t, "Z0,1001,1");
	ck_assert_msg(!strncmp(ask(&t, "c"), "T05", 3), "%s", t.said);
	ask(&t, "z0,1001,1");
	inspect_exec(t.s, "continue &", &silent);
	ten_turns(&t);
	ck_assert(inspect_running(t.s));
	ck_assert_uint_eq(fake_machine_breakpoints(t.m), 0);
	inspect_exec(t.s, "stop", &silent);
	/* the same, while the guest runs: removal by a client that does not stop it first */
	ask(&t, "Z0,1002,1");
	ask(&t, "z0,1002,1");
	inspect_exec(t.s, "profile 0.02", &silent);
	inspect_exec(t.s, "pick $n break hits", &silent);
	ck_assert_uint_eq(fake_machine_breakpoints(t.m), 0);
	end(&t);
}
END_TEST

/* Run LINE; is TEXT in what it says? */
static void keep_text(void *ctx, const struct result *r)
{
	char **text = ctx;
	size_t len = 0;
	FILE *f;

	free(*text); /* of the command before on the line */
	f = open_memstream(text, &len);

	result_render(r, false, f);
	result_render_error(r, false, "", f);
	fclose(f);
}

static bool says(struct talk *t, const char *line, const char *text)
{
	char *said = NULL;
	struct inspect_sink sink = { .ctx = &said, .emit = keep_text };
	bool is;

	inspect_exec(t->s, line, &sink);
	is = said && strstr(said, text);
	if (!is)
		printf("# %s: %s\n", line, said ? said : "nothing");
	free(said);
	return is;
}

/* reg 0 == const8 N */
#define EAX_IS(n) ";X7,26000022" n "1327"

START_TEST(test_condition)
{
	struct talk t;

	begin(&t, looping, sizeof(looping));
	ck_assert_str_eq(ask(&t, "Z0,1001,1" EAX_IS("05")), "OK");
	ck_assert_msg(!strncmp(ask(&t, "c"), "T05", 3), "%s", t.said);
	ck_assert(says(&t, "info break", "($eax == 5)"));
	ck_assert(says(&t, "info break", "  1  "));
	ask(&t, "z0,1001,1");
	ask(&t, "Z0,1001,1" EAX_IS("05")); /* as at each stop */
	ck_assert(says(&t, "pick $n break hits; print $n", "1  0x1"));
	ask(&t, "z0,1001,1");
	ask(&t, "Z0,1001,1" EAX_IS("09")); /* another one */
	ck_assert(says(&t, "info break", "($eax == 9)"));
	ck_assert(says(&t, "pick $n break hits; print $n", "0  0x0"));
	ask(&t, "z0,1001,1");
	inspect_exec(t.s, "run-icount 40", &silent);
	ask(&t, "Z0,1001,1" EAX_IS("09"));
	ck_assert(says(&t, "pick $n break hits; print $n", "0  0x0"));
	end(&t);
}
END_TEST

/* A client that says nothing is no debugger. */
START_TEST(test_port_scan)
{
	struct talk t;

	begin(&t, looping, sizeof(looping));
	debug_expect(t.s, true);
	close(t.fd);
	ten_turns(&t);
	ck_assert(debug_expected(t.s));
	ck_assert(!inspect_running(t.s));
	inspect_exec(t.s, "continue &", &silent);
	ck_assert(call(&t));
	ten_turns(&t);
	ck_assert(inspect_running(t.s));
	ck_assert_str_eq(ask(&t, "qAttached"), "1");
	ck_assert(!inspect_running(t.s));
	ck_assert(!debug_expected(t.s));
	end(&t);
}
END_TEST

/* Receive everything; return the number of O packets with the text HEX, of all O packets in *ALL. */
static unsigned lines_heard(struct talk *t, const char *hex, unsigned *all)
{
	static const size_t room = 1 << 20;
	char *buf = malloc(room), want[80];
	unsigned found = 0;
	ssize_t n;

	snprintf(want, sizeof(want), "$O%s", hex);
	for (int i = 0; i < 20; i++)
		turn(t);
	n = recv(t->fd, buf, room - 1, MSG_DONTWAIT);
	buf[n > 0 ? n : 0] = 0;
	*all = 0;
	for (char *p = buf; (p = strstr(p, "$O")); p++) {
		found += !strncmp(p, want, strlen(want));
		++*all;
	}
	free(buf);
	return found;
}

/* Lines of trace points reach gdb while it waits, not too many of them, and never while it does not. */
START_TEST(test_lines)
{
	struct talk t;
	struct out o = { 0 };
	unsigned n, all;

	begin(&t, looping, sizeof(looping));
	ask(&t, "QStartNoAckMode");
	inspect_exec(t.s, "trace 0x1001 \"line\"", &silent);
	packet_frame(&o, "c", 1);
	ck_assert_int_eq(send(t.fd, o.data, o.len, MSG_NOSIGNAL), (ssize_t)o.len);
	n = lines_heard(&t, "6c696e650a", &all);
	ck_assert_uint_gt(n, 10);
	ck_assert_uint_le(n * 5, 4 * 16384); /* a few intervals at most */
	inspect_exec(t.s, "stop", &silent);
	lines_heard(&t, "", &all);
	/* another front end's run */
	ck_assert_int_eq(inspect_exec(t.s, "run-icount $icount + 1000", &silent), INSPECT_OK);
	lines_heard(&t, "", &all);
	ck_assert_uint_eq(all, 0);
	out_fini(&o);
	end(&t);
}
END_TEST

START_TEST(test_kill)
{
	struct talk t;

	begin(&t, looping, sizeof(looping));
	ask(&t, "qSupported:multiprocess+");
	ck_assert_str_eq(ask(&t, "vKill;2"), "E16");
	ck_assert(!inspect_ended(t.s));
	ck_assert_str_eq(ask(&t, "!"), "OK");
	ask(&t, "s");
	ck_assert_str_eq(ask(&t, "vKill;1"), "OK");
	ck_assert(!strncmp(ask(&t, "vAttach;1"), "E", 1));
	ck_assert_msg(!strncmp(ask(&t, "vRun;"), "T05", 3), "%s", t.said);
	ck_assert_str_eq(ask(&t, "p8"), "00100000");
	ck_assert(!inspect_ended(t.s));
	ck_assert_str_eq(ask(&t, "vKill;1"), "OK");
	close(t.fd);
	t.fd = -1;
	ten_turns(&t);
	ck_assert(inspect_ended(t.s));
	end(&t);
}
END_TEST

/* Two front ends: the shell's breakpoint ends gdb's run, and a stop by the shell is reported. */
START_TEST(test_two_faces)
{
	struct talk t;

	begin(&t, looping, sizeof(looping));
	ask(&t, "qSupported:swbreak+");
	ask(&t, "g");
	inspect_exec(t.s, "tbreak *0x1002", &silent);
	ck_assert_msg(!strncmp(ask(&t, "c"), "T0500", 5), "not a plain trap: %s", t.said);
	ask(&t, "c");
	ck_assert(inspect_running(t.s));
	inspect_exec(t.s, "stop", &silent);
	hear(&t);
	ck_assert_msg(!strncmp(t.said, "T02", 3), "%s", t.said);
	end(&t);
}
END_TEST

START_TEST(test_garbage)
{
	static const char *const rubbish[] = {
		"+-$$$##",  "$#0$",	   "$g#00",
		"$}}}}#00", "$}#7d",	   "$vCont;s:p#3c",
		"$G#47",    "$Z0,,,;X#b2", "$qXfer:features:read:target.xml:,#00"
	};
	struct talk t;

	begin(&t, looping, sizeof(looping));
	for (size_t i = 0; i < ARRAY_LEN(rubbish); i++) {
		ck_assert_int_ge(send(t.fd, rubbish[i], strlen(rubbish[i]), 0), 1);
		hear(&t);
	}
	ck_assert_str_eq(ask(&t, "qAttached"), "1");
	end(&t);
}
END_TEST

/* What does not speak the protocol is dropped at its first byte that no debugger sends there: nothing of it
 * is executed, nothing is answered, and the guest goes on. */
static const char *const noise[] = {
	"POST / HTTP/1.1\r\nHost: localhost:1234\r\n\r\n$qRcmd,71756974#00",
	"GET / HTTP/1.0\r\n\r\n",
	"\x16\x03\x01\x02",
	"\n$k#6b",
	"+\r\n$k#6b",
	"++-\003 $k#6b",
	"SSH-2.0-x\r\n",
	" $qRcmd,71756974#be",
};

START_TEST(test_noise)
{
	struct talk t;
	char byte;

	begin(&t, looping, sizeof(looping));
	ask(&t, "c");
	close(t.fd);
	for (int i = 0; i < 4; i++)
		turn(&t);
	ck_assert(inspect_running(t.s));
	ck_assert(call(&t));
	ck_assert_int_eq(send(t.fd, noise[_i], strlen(noise[_i]), 0), (ssize_t)strlen(noise[_i]));
	for (int i = 0; i < 6; i++)
		turn(&t);
	ck_assert_int_eq(recv(t.fd, &byte, 1, MSG_DONTWAIT), 0);
	ck_assert(inspect_running(t.s) && !debug_quitting(t.s) && !inspect_ended(t.s));
	close(t.fd);
	ck_assert(call(&t));
	ck_assert_str_eq(ask(&t, "qAttached"), "1");
	end(&t);
}
END_TEST

START_TEST(test_noise_between_packets)
{
	static const char quit[] = "$qRcmd,71756974#be";
	struct talk t;

	begin(&t, looping, sizeof(looping));
	ck_assert_str_eq(ask(&t, "qAttached"), "1");
	ck_assert_int_eq(send(t.fd, "\r\n", 2, 0), 2);
	ck_assert_int_eq(send(t.fd, quit, sizeof(quit) - 1, 0), sizeof(quit) - 1);
	hear(&t);
	ck_assert_str_eq(t.said, "");
	ck_assert(!debug_quitting(t.s));
	end(&t);
}
END_TEST

/* The first text of a monitor command that reaches files, with and without leave: "... refused" and "...
 * cannot". */
START_TEST(test_files)
{
	struct talk t;

	begin(&t, looping, sizeof(looping));
	gdb_allow_files(t.g, _i);
	t.all = true;
	ask(&t, "qRcmd,736f75726365202f6e6f6e6578697374656e742f78"); /* source /nonexistent/x */
	ck_assert_msg(
	    strstr(t.said, _i ? "O736f757263653a2063616e6e6f74" : "O736f757263653a2072656675736564"), "%s",
	    t.said);
	end(&t);
}
END_TEST

START_TEST(test_bad_addresses)
{
	static const char *const bad[] = { "",		 "x",		":",
					   "1234x",	 "256.0.0.1:1", "unix:/nonexistent/dir/s",
					   "no..host:1", "-1",		"99999",
					   "65536",	 "123456789012" };
	struct talk t;
	char err[300] = "";

	begin(&t, looping, sizeof(looping));
	ck_assert_msg(!gdb_listen(t.g, bad[_i], err, sizeof(err)), "'%s' is taken for an address", bad[_i]);
	ck_assert(err[0] && !strchr(err, '\n'));
	ck_assert(gdb_listen(t.g, "0", err, sizeof(err)));
	ck_assert(!gdb_listen(t.g, "0", err, sizeof(err)));
	end(&t);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("server");
	Suite *su = suite_create("server");

	tcase_add_test(tc, test_conversation);
	tcase_add_test(tc, test_interrupt);
	tcase_add_loop_test(tc, test_leaving, 0, 3);
	tcase_add_test(tc, test_second_client);
	tcase_add_test(tc, test_exit);
	tcase_add_test(tc, test_lazy_removal);
	tcase_add_test(tc, test_removed_point);
	tcase_add_test(tc, test_condition);
	tcase_add_test(tc, test_port_scan);
	tcase_add_test(tc, test_lines);
	tcase_add_test(tc, test_kill);
	tcase_add_test(tc, test_two_faces);
	tcase_add_test(tc, test_garbage);
	tcase_add_loop_test(tc, test_noise, 0, ARRAY_LEN(noise));
	tcase_add_test(tc, test_noise_between_packets);
	tcase_add_loop_test(tc, test_files, 0, 2);
	tcase_add_loop_test(tc, test_bad_addresses, 0, 11);
	suite_add_tcase(su, tc);
	return suite_run(su);
}

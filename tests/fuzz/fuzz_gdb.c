/* SPDX-License-Identifier: GPL-3.0-or-later
 * The gdb stub against arbitrary bytes: the client's side of a session, with valid checksums
 * added where the input marks packets, on the fake machine. With libFuzzer (--enable-fuzzing) it
 * explores; without, replay.c gives it
 * the files of a corpus.
 *
 * Input: lines. A line that begins with ':' is sent as the packet of what follows; another one is sent raw.
 */
#include "base/loop.h"
#include "gdbstub/gdbstub.h"
#include "gdbstub/packet.h"
#include "inspect/command.h"
#include "inspect/debug.h"
#include "tests/fuzz/fuzz.h"
#include "tests/inspect/fake_machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Commands that would write files. */
static bool is_harmful(const struct out *o)
{
	static const char rcmd[] = "$qRcmd,";

	return o->len > sizeof(rcmd) && !memcmp(o->data, rcmd, sizeof(rcmd) - 1);
}

static void send_line(int fd, const uint8_t *line, size_t n)
{
	struct out o = { 0 };

	if (n && line[0] == ':')
		packet_frame(&o, (const char *)line + 1, n - 1);
	else
		out_bytes(&o, line, n);
	if (!is_harmful(&o) && send(fd, o.data, o.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		o.len = 0; /* it disconnected: allowed */
	out_fini(&o);
}

static void turn(struct loop *loop, struct inspect *s, int fd)
{
	char sink[65536];

	for (int i = 0; i < 3; i++) {
		loop_turn(loop, 0, -1);
		debug_look(s);
		while (recv(fd, sink, sizeof(sink), MSG_DONTWAIT) > 0)
			;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t code[] = { 0x40, 0x41, 0x42, 0xeb, 0xfb };
	struct machine *m = fake_machine(code, sizeof(code));
	struct inspect *s = inspect_new(NULL);
	struct loop *loop = loop_new();
	struct gdb *g;
	int pair[2];

	inspect_attach(s, &(struct inspect_machine){ .machine = m, .icount = true });
	g = gdb_new(s, loop);
	inspect_add(s, gdb_addon(g));
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		abort();
	gdb_adopt(g, pair[1]);
	while (size) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t n = end ? (size_t)(end - data) : size;

		send_line(pair[0], data, n);
		turn(loop, s, pair[0]);
		n += end != NULL;
		data += n;
		size -= n;
	}
	close(pair[0]);
	loop_turn(loop, 0, -1);
	gdb_free(g);
	inspect_free(s);
	machine_free(m);
	loop_free(loop);
	return 0;
}

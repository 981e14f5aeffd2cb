/* SPDX-License-Identifier: GPL-3.0-or-later
 * The connection: listening, one client at a time, bytes in, packets out, stop replies,
 * disconnection. All on the session's thread, called from its event loop.
 *
 * The event loop may be entered again while a packet is being handled (a monitor command that
 * runs the guest). Bytes that come then are buffered and only searched for 0x03; a
 * connection that breaks then is only marked, and the outermost call drops it. */
#include "base/monotonic.h"
#include "gdbstub/gdb_int.h"
#include "base/alloc.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SIG_INT = 2, SIG_TRAP = 5, SIG_SEGV = 11, SEND_SECONDS = 5 };
#define SPIN_NS 60000 /* how long to poll for the next packet before sleeping */

/* ---- sending ---- */

static void send_raw(struct gdb *g, const char *bytes, size_t n)
{
	while (n && g->conn >= 0 && !g->broken) {
		ssize_t done = send(g->conn, bytes, n, MSG_NOSIGNAL);

		if (done < 0 && errno != EINTR)
			g->broken = true;
		if (done > 0) {
			bytes += done;
			n -= (size_t)done;
			g->stats.bytes_out += (uint64_t)done;
		}
	}
}

void gdb_send(struct gdb *g, const char *body, size_t n)
{
	out_clear(&g->frame);
	packet_frame(&g->frame, body, n);
	send_raw(g, g->frame.data, g->frame.len);
}

/* ---- stop replies ---- */

/* Append the cause of the stop, where it is a point of gdb's. */
static void put_cause(struct gdb *g, const struct debug_stop *stop, struct out *o)
{
	static const char *const watches[POINT_KINDS] = {
		[POINT_WATCH] = "watch", [POINT_RWATCH] = "rwatch", [POINT_AWATCH] = "awatch"
	};

	if (stop->kind != DEBUG_POINT || stop->owner != &g->owner || g->interrupt)
		return;
	if (watches[stop->point_kind])
		out_printf(o, "%s:%llx;", watches[stop->point_kind], (unsigned long long)stop->watched);
	else if (stop->point_kind == POINT_BREAK && g->swbreak)
		out_printf(o, "swbreak:;");
	else if (stop->point_kind == POINT_HBREAK && g->hwbreak)
		out_printf(o, "hwbreak:;");
}

/* Append the registers that gdb needs after every stop. Not before it has read all of them: if it rejected
 * our description (its file is for another architecture), that reply makes gdb say so, while a
 * register of another size here only causes confusing errors. */
static void put_registers(struct gdb *g, struct out *o)
{
	const struct cpu *c = debug_cpu(g->s);
	uint8_t bytes[GDB_REG_BYTES];

	for (unsigned i = 0; g->read_regs && i < g->regs.expedited; i++) {
		out_printf(o, "%02x:", i);
		out_hex(o, bytes, gdb_reg_get(&g->regs, c, i, bytes));
		out_printf(o, ";");
	}
}

/* The guest has ended: report that the process has exited. */
static void say_exit(struct gdb *g, const struct debug_stop *stop)
{
	out_clear(&g->reply);
	out_printf(&g->reply, "W%02x%s", stop->kind == DEBUG_EXITED ? stop->status & 0xff : 0,
		   g->multiprocess ? ";process:1" : "");
	gdb_send(g, g->reply.data, g->reply.len);
	debug_detach(g->s, &g->listener);
}

/* RAN: gdb resumed the guest, so a stop by another front end is SIGINT. */
static int stop_signal(const struct gdb *g, const struct debug_stop *stop, bool ran)
{
	if (stop->kind == DEBUG_DEAD)
		return SIG_SEGV;
	return (stop->kind == DEBUG_STOPPED && ran) || g->interrupt ? SIG_INT : SIG_TRAP;
}

/* gdb knows of signals and of its own points only: say what else stopped the guest. */
void gdb_say_why(struct gdb *g)
{
	struct debug_stop stop;
	char text[400] = "";

	debug_last_stop(g->s, &stop);
	if (stop.kind == DEBUG_DEAD)
		snprintf(text, sizeof(text), "the guest %s: %s\n", stop.reason, stop.detail);
	else if (stop.kind == DEBUG_OFF)
		snprintf(text, sizeof(text), "the guest is powered off\n");
	else if (stop.kind == DEBUG_EXITED)
		snprintf(text, sizeof(text), "the guest exited: status %d\n", stop.status);
	else if (stop.kind == DEBUG_STOPPED && g->waiting && !g->asked)
		snprintf(text, sizeof(text), "stopped by another front end\n");
	else if (stop.kind == DEBUG_POINT && stop.point && stop.owner != &g->owner)
		snprintf(text, sizeof(text), "%s %u%s%s\n", stop.reason, stop.point,
			 stop.detail[0] ? ": " : "", stop.detail);
	gdb_lines_done(g);
	gdb_say(g, text, strlen(text));
}

void gdb_stop_reply(struct gdb *g)
{
	bool was_waiting = g->waiting;
	struct debug_stop stop;

	g->waiting = false;
	g->threads.task = -1; /* gdb takes the thread of the reply for the selected one */
	g->stats.stops++;
	debug_last_stop(g->s, &stop);
	if (stop.kind == DEBUG_OFF || stop.kind == DEBUG_EXITED) {
		say_exit(g, &stop);
		return;
	}
	out_clear(&g->reply);
	out_printf(&g->reply, "T%02x", stop_signal(g, &stop, was_waiting));
	put_cause(g, &stop, &g->reply);
	put_registers(g, &g->reply);
	out_printf(&g->reply, "thread:%s;", gdb_thread(g));
	gdb_send(g, g->reply.data, g->reply.len);
}

/* Called by run control: the guest has stopped. */
static void stopped(void *ctx)
{
	struct gdb *g = ctx;

	if (g->waiting && g->in_fault)
		gdb_step_again(g);
	if (!g->waiting)
		return;
	gdb_say_why(g);
	gdb_stop_reply(g);
}

/* ---- receiving ---- */

/* The layout of registers is the client's for the whole session, whatever modes the guest enters. */
static void choose_arch(struct gdb *g)
{
	const struct gdb_arch *arch = gdb_arch_default(debug_wide(g->s));

	if (!g->arch_chosen && g->regs.arch != arch)
		gdb_regs_init(&g->regs, arch, gdb_host_vectors());
}

/* The first packet: only now is it known to be a debugger, and not a port scan. */
static void greet(struct gdb *g)
{
	g->greeted = true;
	g->found_stopped = !inspect_running(g->s) && !debug_expected(g->s);
	debug_halt(g->s);
	choose_arch(g);
	debug_attach(g->s, &g->listener);
	inspect_tap(g->s, &g->tap);
	debug_expect(g->s, false);
}

static void interrupt(struct gdb *g)
{
	if (!g->greeted)
		return;
	g->interrupt = !inspect_running(g->s) && g->sliced; /* gdb is about to resume: handled then */
	g->asked = true;
	if (inspect_running(g->s))
		debug_halt(g->s);
	g->asked = false;
}

static void packet(struct gdb *g)
{
	g->stats.packets++;
	if (!g->greeted)
		greet(g);
	if (!g->noack)
		send_raw(g, "+", 1);
	g->busy = true;
	gdb_handle(g, g->in.buf, g->in.len);
	g->busy = false;
	g->raw.stale = g->raw.len;
	if (g->interrupt && !g->sliced)
		interrupt(g);
}

/* Handle E, which byte AT of what was received completed. */
static void act(struct gdb *g, enum packet_event e, size_t at)
{
	switch (e) {
	case PACKET_READY:
		packet(g);
		break;
	case PACKET_BAD:
		g->stats.bad_packets++;
		if (!g->noack)
			send_raw(g, "-", 1);
		break;
	case PACKET_LONG:
		g->stats.bad_packets++;
		if (!g->noack)
			send_raw(g, "+", 1);
		reply_error(g, E_INVAL, "the packet is too long");
		gdb_send(g, g->reply.data, g->reply.len);
		break;
	case PACKET_INTERRUPT:
		interrupt(g);
		break;
	case PACKET_NAK: /* gdb also says so, and without acknowledgements too, when it has waited for two
			    seconds */
		if (!g->noack && at >= g->raw.stale)
			send_raw(g, g->frame.data, g->frame.len);
		break;
	case PACKET_NOISE: /* no debugger: a browser, a port scanner */
		g->stats.bad_packets++;
		g->broken = true;
		break;
	case PACKET_ACK:
	case PACKET_MORE:
		break;
	}
}

/* Handle what was received. More may be received meanwhile. */
static void pump(struct gdb *g)
{
	for (size_t at = 0; at < g->raw.len && g->conn >= 0 && !g->broken; at++)
		act(g, packet_feed(&g->in, g->raw.bytes[at]), at);
	g->raw.len = g->raw.stale = 0;
}

/* 0x03 while a packet is being handled ends what it waits for. So does another packet: at a Ctrl-C during a
 * monitor command gdb sends no 0x03 but returns to its prompt, and its next packet must not get the
 * command's answer. */
static void look_for_interrupt(struct gdb *g, const uint8_t *bytes, size_t n)
{
	bool asked = memchr(bytes, 3, n);

	g->interrupt |= asked;
	g->given_up |= g->in_command && memchr(bytes, '$', n);
	if (g->in_command && (asked || g->given_up))
		inspect_interrupt(g->s); /* the command polls for it; on_monitor() clears it */
}

/* Receive without blocking. True if anything came. */
static bool receive(struct gdb *g)
{
	uint8_t *to = g->raw.bytes + g->raw.len;
	ssize_t n = recv(g->conn, to, RAW_MAX - g->raw.len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		g->broken = true; /* also if the buffer is full: no client sends so much at once */
		return false;
	}
	g->raw.len += (size_t)n;
	g->stats.bytes_in += (uint64_t)n;
	if (g->busy)
		look_for_interrupt(g, to, (size_t)n);
	return true;
}

/* Packets come in series, and a wake-up costs more than polling for a short time. */
static bool more_soon(struct gdb *g)
{
	int64_t end = monotonic_ns() + SPIN_NS;

	while (g->conn >= 0 && !g->broken && monotonic_ns() < end) {
		if (g->waiting)
			debug_look(g->s);
		if (receive(g))
			return true;
	}
	return false;
}

static void conn_ready(void *ctx, int fd)
{
	struct gdb *g = ctx;

	(void)fd;
	if (!receive(g) || g->busy) {
		if (g->broken && !g->busy)
			gdb_drop(g, true);
		return;
	}
	do {
		pump(g);
	} while (more_soon(g));
	if (g->broken)
		gdb_drop(g, true);
}

/* ---- attaching and dropping clients ---- */

static void fresh_client(struct gdb *g, int fd)
{
	struct timeval patience = { .tv_sec = SEND_SECONDS };
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	g->conn = fd;
	memset(&g->in, 0, offsetof(struct packet_reader, buf));
	g->raw.len = g->raw.stale = 0;
	g->noack = g->multiprocess = g->swbreak = g->hwbreak = g->error_text = false;
	g->in_fault = g->read_regs = g->physical = g->busy = g->waiting = g->interrupt = g->given_up =
	    g->sliced = g->broken = g->threads.tasks = g->asked = false;
	g->threads.task = -1;
	g->greeted = g->extended = g->killed = false;
	g->lines.bytes = g->lines.lost = 0;
	g->sstep = SSTEP_ENABLE | SSTEP_NOIRQ | SSTEP_NOTIMER;
	g->stats.clients++;
}

bool gdb_adopt(struct gdb *g, int fd)
{
	static const char full[] = "vitrine: another gdb is attached\r\n";

	if (g->conn >= 0 || !inspect_has_machine(g->s)) {
		if (send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			g->stats.bad_packets++;
		close(fd);
		return false;
	}
	fresh_client(g, fd);
	loop_watch(g->loop, fd, conn_ready, g);
	return true;
}

void gdb_drop(struct gdb *g, bool go_on)
{
	if (g->conn < 0)
		return;
	if (g->busy) {
		shutdown(g->conn, SHUT_WR);
		g->busy = false;
	}
	loop_forget(g->loop, g->conn);
	close(g->conn);
	g->conn = -1;
	g->waiting = false;
	if (!g->greeted)
		return;
	g->greeted = false;
	if (g->killed)
		debug_power_off(g->s);
	debug_detach(g->s, &g->listener);
	inspect_untap(g->s, &g->tap);
	if (!inspect_has_machine(g->s))
		return;
	if (inspect_hold(g->s)) {
		debug_points_clear(g->s, &g->owner);
		inspect_release(g->s);
		return;
	}
	debug_points_clear(g->s, &g->owner);
	if (go_on && !g->found_stopped && !inspect_ended(g->s) && !debug_quitting(g->s))
		debug_go(g->s);
}

static void listen_ready(void *ctx, int fd)
{
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	if (conn >= 0)
		gdb_adopt(ctx, conn);
}

/* ---- listening ---- */

static bool fail(char *err, size_t errlen, const char *where, const char *why)
{
	snprintf(err, errlen, "gdb: %s: %s", where, why);
	return false;
}

/* Split "[HOST:]PORT", or QEMU's form "tcp:HOST:PORT". */
static void split_address(const char *where, char *host, size_t len, const char **port)
{
	const char *colon;

	if (!strncmp(where, "tcp:", 4))
		where += 4;
	colon = strrchr(where, ':');
	*port = colon ? colon + 1 : where;
	snprintf(host, len, "%.*s", colon ? (int)(colon - where) : 0, where);
	if (host[0] == '[' && host[strlen(host) - 1] == ']') {
		host[strlen(host) - 1] = 0;
		memmove(host, host + 1, strlen(host));
	}
	if (!strcmp(host, "*"))
		snprintf(host, len, "0.0.0.0");
	if (!host[0])
		snprintf(host, len, "127.0.0.1");
}

/* Note the actual address: port 0 requests any free one. */
static void note_address(struct gdb *g, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char host[100], port[16];

	if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0 &&
	    getnameinfo((struct sockaddr *)&ss, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		snprintf(g->where, sizeof(g->where), strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static int listen_tcp(struct gdb *g, const char *where, const char **why)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *ai;
	const char *port;
	char host[128];
	int fd, rc, one = 1;

	split_address(where, host, sizeof(host), &port);
	*why = "expected [HOST:]PORT or unix:PATH";
	if (!*port || port[strspn(port, "0123456789")])
		return -1;
	*why = "the port must be from 0 to 65535";
	if (strlen(port) > 5 || strtoul(port, NULL, 10) > 65535)
		return -1;
	rc = getaddrinfo(host, port, &hints, &ai);
	if (rc) {
		*why = gai_strerror(rc);
		return -1;
	}
	*why = NULL;
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
			bind(fd, ai->ai_addr, ai->ai_addrlen) < 0)) {
		rc = errno;
		close(fd);
		errno = rc;
		fd = -1;
	}
	freeaddrinfo(ai);
	if (fd >= 0)
		note_address(g, fd);
	return fd;
}

bool gdb_listen(struct gdb *g, const char *where, char *err, size_t errlen)
{
	const char *why = NULL;
	int fd;

	if (g->listening.fd >= 0)
		return fail(err, errlen, g->where, "already listening there");
	if (!strncmp(where, "unix:", 5)) {
		if (!unix_socket_listen(&g->listening, where + 5, SOCK_STREAM, &why))
			return fail(err, errlen, where, why);
		snprintf(g->where, sizeof(g->where), "%s", where);
		loop_watch(g->loop, g->listening.fd, listen_ready, g);
		return true;
	}
	fd = listen_tcp(g, where, &why);
	if (fd < 0)
		return fail(err, errlen, where, why ? why : strerror(errno));
	if (listen(fd, 4) < 0) {
		fail(err, errlen, where, strerror(errno));
		close(fd);
		return false;
	}
	g->listening.fd = fd;
	loop_watch(g->loop, fd, listen_ready, g);
	return true;
}

static void listen_no_more(struct gdb *g)
{
	if (g->listening.fd < 0)
		return;
	loop_forget(g->loop, g->listening.fd);
	unix_socket_close(&g->listening);
	g->where[0] = 0;
}

void gdb_allow_files(struct gdb *g, bool allowed)
{
	g->files = allowed;
}

void gdb_close(struct gdb *g)
{
	listen_no_more(g);
	if (g->busy)
		g->broken = true; /* "monitor gdb stop" */
	else
		gdb_drop(g, true);
}

/* ---- life ---- */

struct gdb *gdb_new(struct inspect *session, struct loop *loop)
{
	struct gdb *g = xcalloc(1, sizeof(*g));

	g->s = session;
	g->loop = loop;
	g->listening.fd = g->conn = -1;
	g->listener = (struct debug_listener){ .ctx = g, .stopped = stopped };
	g->tap = (struct inspect_tap){ .ctx = g, .output = gdb_line };
	g->owner = (struct point_owner){ .name = "gdb",
					 .ctx = g,
					 .holds = gdb_condition_holds,
					 .same = gdb_condition_same,
					 .text = gdb_condition_text };
	g->addon = (struct inspect_addon){
		.commands = &gdb_commands, .views = gdb_views, .owner = g, .records = gdb_records
	};
	gdb_regs_init(&g->regs, &gdb_archs[0], gdb_host_vectors());
	return g;
}

void gdb_free(struct gdb *g)
{
	if (!g)
		return;
	listen_no_more(g);
	gdb_drop(g, false);
	out_fini(&g->reply);
	out_fini(&g->frame);
	free(g);
}

const struct inspect_addon *gdb_addon(struct gdb *g)
{
	return &g->addon;
}

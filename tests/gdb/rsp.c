/* SPDX-License-Identifier: GPL-3.0-or-later
 * A client that sends exactly what its arguments say: rsp SOCKET WORD...
 *   p:BODY   send a packet, print the reply's body
 *   P:BODY   send a packet without waiting
 *   w        print the next packet's body
 *   u:BODY   print packets up to one that is BODY
 *   i        send 0x03, print the milliseconds to the reply, and the reply
 *   raw:HEX  send these bytes         long:N  send a packet of N bytes
 *   sleep:MS                          read    print what comes until the stub disconnects
 *   eof      wait for the end of standard input
 * Fails when a reply takes longer than a minute. */
#include "gdbstub/packet.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000 };

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int dial(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	return fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 ? fd : -1;
}

static void put(int fd, const void *bytes, size_t n)
{
	if (send(fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
		perror("rsp: send");
}

static void put_packet(int fd, const char *body, size_t n)
{
	struct out o = { 0 };

	packet_frame(&o, body, n);
	put(fd, o.data, o.len);
	out_fini(&o);
}

/* Receive the next packet. False if none came. */
static bool get_packet(int fd, struct packet_reader *r)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t byte;

	while (poll(&p, 1, PATIENCE_MS) > 0 && read(fd, &byte, 1) == 1)
		if (packet_feed(r, byte) == PACKET_READY) {
			put(fd, "+", 1);
			return true;
		}
	return false;
}

static bool show_packet(int fd, struct packet_reader *r)
{
	if (!get_packet(fd, r)) {
		puts("(no reply)");
		return false;
	}
	printf("%s\n", r->buf);
	fflush(stdout);
	return true;
}

static bool show_until(int fd, struct packet_reader *r, const char *body)
{
	while (show_packet(fd, r))
		if (!strcmp((const char *)r->buf, body))
			return true;
	return false;
}

static bool interrupt(int fd, struct packet_reader *r)
{
	double start = now_ms();

	put(fd, "\003", 1);
	if (!get_packet(fd, r)) {
		puts("(no reply)");
		return false;
	}
	printf("%.1f ms %s\n", now_ms() - start, r->buf);
	return true;
}

static void put_long(int fd, size_t n)
{
	char *body = malloc(n + 1);

	if (!body)
		exit(1);
	memset(body, 'm', n);
	put_packet(fd, body, n);
	free(body);
}

static bool show_rest(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[256];
	ssize_t n;

	while (poll(&p, 1, PATIENCE_MS) > 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, (size_t)n, stdout);
	return true;
}

static bool word(int fd, struct packet_reader *r, const char *w)
{
	uint8_t bytes[4096];

	if (!strncmp(w, "p:", 2) || !strncmp(w, "P:", 2)) {
		put_packet(fd, w + 2, strlen(w + 2));
		return w[0] == 'P' || show_packet(fd, r);
	}
	if (!strcmp(w, "w"))
		return show_packet(fd, r);
	if (!strncmp(w, "u:", 2))
		return show_until(fd, r, w + 2);
	if (!strcmp(w, "i"))
		return interrupt(fd, r);
	if (!strcmp(w, "read"))
		return show_rest(fd);
	if (!strcmp(w, "eof"))
		return getchar() == EOF;
	if (!strncmp(w, "raw:", 4))
		put(fd, bytes, hex_decode(w + 4, strlen(w + 4), bytes, sizeof(bytes)));
	else if (!strncmp(w, "long:", 5))
		put_long(fd, strtoul(w + 5, NULL, 0));
	else if (!strncmp(w, "sleep:", 6))
		usleep((useconds_t)strtoul(w + 6, NULL, 0) * 1000);
	return true;
}

int main(int argc, char **argv)
{
	struct packet_reader *r = calloc(1, sizeof(*r));
	int fd = argc > 1 ? dial(argv[1]) : -1;
	bool good = fd >= 0 && r;

	if (fd < 0)
		fprintf(stderr, "rsp: cannot connect\n");
	for (int i = 2; good && i < argc; i++)
		good = word(fd, r, argv[i]);
	free(r);
	return !good;
}

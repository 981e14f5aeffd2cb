/* SPDX-License-Identifier: GPL-3.0-or-later
 * Traffic for `make bench-io`, in the guest: a static program without a C library. ADDRESS is that of a
 * server, as a number.
 *   net send ADDRESS PORT BYTES      by TCP
 *   net recv ADDRESS PORT            by TCP, until the server closes
 *   net pace ADDRESS PORT RATE MS    datagrams of 1,400 bytes, RATE a second */
#include "bench/traffic.h"

enum { SYS_nanosleep = 162, SYS_socketcall = 102 };
enum {
	CALL_SOCKET = 1,
	CALL_CONNECT = 3,
	AF_INET = 2,
	STREAM = 1,
	DGRAM = 2,
	CHUNK = 65536,
	DATAGRAM = 1400
};
enum { BATCH_US = 5000 };

static u8 buf[CHUNK];

static long open_socket(int kind, u32 address, u32 port)
{
	struct {
		unsigned short family, port;
		u32 address, pad[2];
	} at = { AF_INET, (unsigned short)(port << 8 | port >> 8), __builtin_bswap32(address), { 0, 0 } };
	long args[3] = { AF_INET, kind, 0 };
	long fd = sys3(SYS_socketcall, CALL_SOCKET, (long)args, 0);
	long to[3] = { fd, (long)&at, sizeof(at) };

	if (fd < 0 || sys3(SYS_socketcall, CALL_CONNECT, (long)to, 0) < 0) {
		put("net: cannot connect\n");
		sys_exit(1);
	}
	return fd;
}

static u32 send_all(long fd, u32 bytes)
{
	u32 done = 0;

	while (done < bytes) {
		long n = sys3(SYS_write, fd, (long)buf, bytes - done < CHUNK ? (long)(bytes - done) : CHUNK);

		if (n <= 0)
			break;
		done += (u32)n;
	}
	return done;
}

static u32 receive_all(long fd)
{
	u32 done = 0;
	long n;

	while ((n = sys3(SYS_read, fd, (long)buf, CHUNK)) > 0)
		done += (u32)n;
	return done;
}

static u32 pace(long fd, u32 rate, u32 ms)
{
	long nap[2] = { 0, BATCH_US * 1000L };
	u32 t0 = now_us(), sent = 0, bytes = 0;

	for (u32 us = 0; us < ms * 1000; us = now_us() - t0) {
		for (; sent < us / 1000 * rate / 1000; sent++)
			if (sys3(SYS_write, fd, (long)buf, DATAGRAM) == DATAGRAM)
				bytes += DATAGRAM;
		sys3(SYS_nanosleep, (long)nap, 0, 0);
	}
	return bytes;
}

int run(int argc, char **argv)
{
	u32 address, port, t0, bytes;
	long fd;

	if (argc < 4)
		return 2;
	address = number(argv[2]);
	port = number(argv[3]);
	fd = open_socket(argv[1][0] == 'p' ? DGRAM : STREAM, address, port);
	t0 = begin();
	if (argv[1][0] == 's')
		bytes = send_all(fd, number(argv[4]));
	else if (argv[1][0] == 'r')
		bytes = receive_all(fd);
	else
		bytes = pace(fd, number(argv[4]), number(argv[5]));
	sys3(SYS_close, fd, 0, 0);
	end(bytes, t0);
	return 0;
}

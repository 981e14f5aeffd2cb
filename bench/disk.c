/* SPDX-License-Identifier: GPL-3.0-or-later
 * Disk accesses for `make bench-io`, in the guest: a static program without a C library. WHAT is read or
 * write, DEVICE a block device of at least MEGABYTES, all of which are used.
 *   disk seq WHAT DEVICE MEGABYTES             in order, 1 MiB at a time, by the page cache; fsync at the end
 *   disk random WHAT DEVICE MEGABYTES COUNT    COUNT blocks of 4 KiB anywhere, one by one, O_DIRECT */
#include "bench/traffic.h"

enum { SYS_open = 5, SYS_fsync = 118, SYS_pread64 = 180, SYS_pwrite64 = 181 };
enum { RDWR = 2, DIRECT = 0x4000, CHUNK = 1 << 20, BLOCK = 4096 };

static u8 buf[CHUNK] __attribute__((aligned(BLOCK)));

static void transfer(long nr, long fd, u32 n, u32 at)
{
	if (sys5(nr, fd, (long)buf, n, (long)at, 0) == (long)n)
		return;
	put("disk: an access failed\n");
	sys_exit(1);
}

static u32 sequential(long nr, long fd, u32 bytes)
{
	for (u32 at = 0; at < bytes; at += CHUNK)
		transfer(nr, fd, CHUNK, at);
	if (nr == SYS_pwrite64 && sys3(SYS_fsync, fd, 0, 0) < 0)
		put("disk: fsync failed\n");
	return bytes;
}

static u32 at_random(long nr, long fd, u32 bytes, u32 count)
{
	u32 x = 1;

	for (u32 i = 0; i < count; i++) {
		x = x * 1664525 + 1013904223;
		transfer(nr, fd, BLOCK, (x >> 8) % (bytes / BLOCK) * BLOCK);
	}
	return count * BLOCK;
}

int run(int argc, char **argv)
{
	u32 bytes, t0;
	int random;
	long fd, nr;

	if (argc < 5 || (argv[1][0] == 'r' && argc < 6))
		return 2;
	random = argv[1][0] == 'r';
	nr = argv[2][0] == 'w' ? SYS_pwrite64 : SYS_pread64;
	bytes = number(argv[4]) << 20;
	fd = sys3(SYS_open, (long)argv[3], RDWR | (random ? DIRECT : 0), 0);
	if (fd < 0) {
		put("disk: cannot open the device\n");
		return 1;
	}
	t0 = begin();
	bytes = random ? at_random(nr, fd, bytes, number(argv[5])) : sequential(nr, fd, bytes);
	end(bytes, t0);
	return 0;
}

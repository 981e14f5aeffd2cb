/* SPDX-License-Identifier: GPL-3.0-or-later
 * Image loaders against arbitrary bytes. Input: a byte that chooses what the rest is (kernel, embedded
 * guest, initial RAM disk or modules, flat binary, disk image, firmware), and the image. A loader succeeds,
 * or fails with one line; it does not change what lies behind the guest's memory. */
#include "hv/boot/image.h"
#include "mm/mm.h"
#include "tests/fuzz/fuzz.h"
#include "x86/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MEMORY = 4 << 20, AS_KERNEL = 0, AS_BLOB, AS_INITRD, AS_FLAT, AS_DISK, AS_FIRMWARE, AS_CD, KINDS };

/* A Multiboot kernel by its address fields, of which the input is the module; and firmware, by its size. */
static const uint8_t kernel[4096] = {
	0x02, 0xb0, 0xad, 0x1b, 0x00, 0x00, 0x01, 0x00, 0xfe, 0x4f, 0x51, 0xe4,
	0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x20, 0x00, 0x10, 0x00, 0xf4, 0xf4, 0xf4, 0xf4,
};

/* A file with the N bytes at DATA; close *FD after use. */
static const char *file_of(const void *data, size_t n, char path[40], int *fd)
{
	*fd = memfd_create("image", MFD_CLOEXEC);
	if (*fd < 0 || write(*fd, data, n) != (ssize_t)n)
		abort();
	snprintf(path, 40, "/proc/self/fd/%d", *fd);
	return path;
}

static bool load(struct loader *l, struct mm_pool *pool)
{
	uint64_t rom;
	bool ok = image_open(l);

	if (!ok)
		return false;
	l->vm = mm_vm_new(pool);
	if (!l->vm)
		abort();
	rom = l->bios.len;
	if (mm_vm_add_ram(l->vm, 0, MEMORY, false) ||
	    (rom && mm_vm_add_ram(l->vm, 0x100000000ull - rom, rom, true)))
		return image_fail(l, "no machine memory");
	return image_load(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image_config cfg = { .append = "console=ttyS0 quiet" };
	char err[256] = "", path[40], other[40];
	struct cpu *cpu = aligned_alloc(64, (sizeof(*cpu) + 63) & ~63ul);
	struct loader l = { .cfg = &cfg,
			    .memory = MEMORY,
			    .ram = MEMORY,
			    .cpu = cpu,
			    .lm = true,
			    .err = err,
			    .errlen = sizeof(err) };
	struct mm_pool *pool = mm_pool_new(MEMORY + (18 << 20));
	unsigned kind = size ? data[0] % KINDS : 0;
	const char *file;
	int fd, second;

	if (!pool || !cpu)
		abort();
	cpu_reset(cpu);
	data += size > 0;
	size -= size > 0;
	file = file_of(data, size, path, &fd);
	file_of(kernel, sizeof(kernel), other, &second);
	cfg.kernel = kind == AS_KERNEL ? file : kind == AS_INITRD ? other : NULL;
	cfg.initrd = kind == AS_INITRD ? file : NULL;
	cfg.flat = kind == AS_FLAT ? file : NULL;
	cfg.flat_addr = 0x3ff000;
	cfg.blob = kind == AS_BLOB ? data : NULL;
	cfg.blob_len = size;
	cfg.boot_sector = kind == AS_DISK || kind == AS_FIRMWARE ? file : NULL;
	cfg.cdrom.file = kind == AS_CD ? file : NULL;
	cfg.bios = kind == AS_FIRMWARE ? file : kind == AS_DISK ? other : NULL;
	if (!load(&l, pool) && (!err[0] || strchr(err, '\n') || !memchr(err, 0, sizeof(err))))
		abort();
	image_close(&l);
	if (l.vm)
		mm_vm_free(l.vm);
	mm_pool_free(pool);
	free(cpu);
	close(fd);
	close(second);
	return 0;
}

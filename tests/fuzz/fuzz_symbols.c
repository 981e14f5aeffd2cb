/* SPDX-License-Identifier: GPL-3.0-or-later
 * Symbol files against arbitrary bytes: as an ELF image in memory, and as a file, which may also be a list of
 * names as System.map and kallsyms are. What was loaded is looked up by address and name, and frames are
 * unwound by its call frame information over memory whose contents are its own addresses. */
#include "inspect/debuginfo/symbols.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FRAMES = 16, PLACES = 32 };

static bool read_memory(void *ctx, uint64_t addr, void *buf, unsigned n)
{
	(void)ctx;
	if (addr < 0x1000)
		return false;
	for (unsigned i = 0; i < n; i++)
		((uint8_t *)buf)[i] = (uint8_t)((addr + i) >> 8 * (i & 3));
	return true;
}

static void unwind_as(struct symbols *t, const struct cfi_arch *arch, uint64_t pc)
{
	const struct cfi_memory mem = { .read = read_memory };
	struct cfi_regs r = { .arch = arch, .known = (2u << arch->pc) - 1 };

	for (unsigned i = 0; i < CFI_REGS; i++)
		r.val[i] = 0x10000 + 0x100 * i;
	r.val[arch->pc] = pc;
	for (unsigned i = 0; i < FRAMES && cfi_step(t->cfi, &r, i == 0, &mem) >= CFI_STEP; i++)
		;
}

static void unwind(struct symbols *t, uint64_t pc)
{
	unwind_as(t, &cfi_i386, (uint32_t)pc);
	unwind_as(t, &cfi_amd64, pc);
}

static void found(void *ctx, const char *name)
{
	*(size_t *)ctx += strlen(name);
}

static void use(struct symbols *t)
{
	char text[64];
	size_t n = 0;

	symbols_find(t, "main"); /* sorts */
	for (size_t i = 0; i < t->count && i < PLACES; i++) {
		const struct symbol *y = &t->by_addr[i];

		symbols_text(t, y->addr + 1, text, sizeof(text));
		if (!symbols_find(t, y->name) || strlen(text) >= sizeof(text))
			abort();
		unwind(t, (uint32_t)y->addr);
	}
	for (uint32_t at = 0; at < 0x2000; at += 0x40)
		unwind(t, at);
	symbols_at(t, 0);
	symbols_at(t, UINT64_MAX);
	symbols_complete(t, "m", 8, found, &n);
}

static void check(long n, const char *err)
{
	if (n < 0 && (!err[0] || strchr(err, '\n')))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char err[400] = "", path[40];
	struct symbols t;
	int fd = memfd_create("symbols", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	symbols_init(&t);
	check(symbols_load_memory(&t, data, size, "image", err, sizeof(err)), err);
	use(&t);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	check(symbols_load(&t, path, size % 3 ? 0 : 0x1000, err, sizeof(err)), err);
	use(&t);
	symbols_fini(&t);
	close(fd);
	return 0;
}

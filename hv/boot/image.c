/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/boot/image.h: choice of the loader, and code that the loaders share. All sizes are checked in
 * 64 bits; a bad file gives one line of text, never a crash. */
#include "hv/boot/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "hv/boot/acpi.h"
#include "hv/ram.h"
#include "x86/paging.h"

enum { GDT_AT = 0xff000, GDT_ENTRIES = 4, LOW_END = 0x9fc00, EBDA_SEG = 0x9fc0 };

bool image_fail(struct loader *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->err, l->errlen, fmt, ap);
	va_end(ap);
	return false;
}

const char *image_name(const struct loader *l)
{
	return l->cfg->kernel ? l->cfg->kernel : "embedded guest";
}

void blob_free(struct blob *b)
{
	free(b->data);
	*b = (struct blob){ 0 };
}

/* ---- files ---- */

struct image_file {
	struct image_file *next;
	int fd;
	char path[];
};

static int open_image(struct loader *l, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not block */

	if (fd < 0)
		image_fail(l, "%s: cannot open: %s", path, strerror(errno));
	return fd;
}

/* A descriptor of the file PATH, which the loader keeps; -1 with the error. */
static int file_of(struct loader *l, const char *path)
{
	struct image_file *f = l->files;
	size_t n = strlen(path) + 1;
	int fd;

	while (f && strcmp(f->path, path))
		f = f->next;
	if (f)
		return f->fd;
	fd = open_image(l, path);
	f = fd < 0 ? NULL : malloc(sizeof(*f) + n);
	if (f) {
		*f = (struct image_file){ .next = l->files, .fd = fd };
		memcpy(f->path, path, n);
		l->files = f;
		return fd;
	}
	if (fd >= 0) {
		close(fd);
		image_fail(l, "%s: out of memory", path);
	}
	return -1;
}

bool image_reopen(struct loader *l)
{
	for (struct image_file *f = l->files; f; f = f->next) {
		int fd = open_image(l, f->path);

		if (fd < 0)
			return false;
		close(f->fd);
		f->fd = fd;
	}
	return true;
}

static bool read_all(struct loader *l, int fd, const char *path, struct blob *out)
{
	size_t n = 0;
	ssize_t got = 1;

	while (n < out->len && got > 0) {
		got = pread(fd, out->data + n, out->len - n, (off_t)n);
		if (got < 0 && errno == EINTR)
			got = 1;
		else if (got > 0)
			n += (size_t)got;
	}
	if (n == out->len)
		return true;
	blob_free(out);
	return image_fail(l, "%s: cannot read: %s", path,
			  got < 0 ? strerror(errno) : "file is shorter than it says");
}

bool image_read_file(struct loader *l, const char *path, uint64_t max, struct blob *out)
{
	int fd = file_of(l, path);
	struct stat st;

	*out = (struct blob){ 0 };
	if (fd < 0)
		return false;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return image_fail(l, "%s: not a regular file", path);
	if (!st.st_size || (uint64_t)st.st_size > max)
		return image_fail(l, "%s: %s (%llu bytes, at most %llu)", path,
				  st.st_size ? "file too large" : "file is empty",
				  (unsigned long long)st.st_size, (unsigned long long)max);
	out->len = (size_t)st.st_size;
	out->data = malloc(out->len);
	return out->data ? read_all(l, fd, path, out) : image_fail(l, "%s: out of memory", path);
}

bool image_put(struct loader *l, gpa at, const void *data, uint64_t n, const char *what)
{
	if (n > l->memory || at > l->memory - n)
		return image_fail(l, "%s: %llu bytes at %#llx do not fit into %llu KiB of memory", what,
				  (unsigned long long)n, (unsigned long long)at,
				  (unsigned long long)l->memory >> 10);
	if (!mm_phys_write(l->vm, at, data, n))
		return image_fail(l, "%s: no memory at %#llx", what, (unsigned long long)at);
	return true;
}

/* Selectors 0x10 and 0x18, as the Linux boot protocol requires. */
static const uint64_t gdt[GDT_ENTRIES] = { 0, 0, 0x00cf9b000000ffffull, 0x00cf93000000ffffull };
static const struct seg_cache flat_code = {
	.sel = 0x10,
	.limit = 0xffffffff,
	.attr = SA_P | SA_S | SA_CODE | SA_RW | SA_A | SA_DB | SA_G,
};
static const struct seg_cache flat_data = {
	.sel = 0x18,
	.limit = 0xffffffff,
	.attr = SA_P | SA_S | SA_RW | SA_A | SA_DB | SA_G,
};

bool image_enter_flat(struct loader *l, uint32_t entry, uint32_t esp)
{
	if (!l->bits)
		l->bits = 32;
	struct cpu *c = l->cpu;

	for (int i = 0; i < SEG_COUNT; i++)
		c->seg[i] = flat_data;
	c->seg[SEG_CS] = flat_code;
	c->gdtr = (struct dt_reg){ .base = GDT_AT, .limit = sizeof(gdt) - 1 };
	c->idtr = (struct dt_reg){ 0 };
	c->cr0 = CR0_PE | CR0_ET;
	c->cpl = 0;
	cpu_set_eflags(c, FL_ONE);
	memset(c->gpr, 0, sizeof(c->gpr));
	c->gpr[R_ESP] = esp;
	c->rip = entry;
	return image_put(l, GDT_AT, gdt, sizeof(gdt), "descriptor table");
}

static const struct seg_cache long_code = {
	.sel = 0x10,
	.limit = 0xffffffff,
	.attr = SA_P | SA_S | SA_CODE | SA_RW | SA_A | SA_L | SA_G,
};

/* Four levels: one table of each of the upper two, and a directory of 2 MiB pages for each GiB. */
static bool put_identity(struct loader *l)
{
	enum { GIBS = 4, TABLES_AT = IDENTITY_AT + 2 * PAGE_SIZE, ENTRIES = PAGE_SIZE / 8 };
	uint64_t table[ENTRIES] = { (IDENTITY_AT + PAGE_SIZE) | PTE_P | PTE_W };

	if (!image_put(l, IDENTITY_AT, table, sizeof(table), "page tables"))
		return false;
	for (unsigned i = 0; i < GIBS; i++)
		table[i] = (TABLES_AT + i * PAGE_SIZE) | PTE_P | PTE_W;
	if (!image_put(l, IDENTITY_AT + PAGE_SIZE, table, sizeof(table), "page tables"))
		return false;
	for (uint64_t g = 0; g < GIBS; g++) {
		for (uint64_t i = 0; i < ENTRIES; i++)
			table[i] = (g << 30 | i << 21) | PTE_P | PTE_W | PTE_PS;
		if (!image_put(l, TABLES_AT + g * PAGE_SIZE, table, sizeof(table), "page tables"))
			return false;
	}
	return true;
}

bool image_enter_64(struct loader *l, uint64_t entry, uint64_t rsp)
{
	uint64_t table[GDT_ENTRIES];
	struct cpu *c = l->cpu;

	memcpy(table, gdt, sizeof(table));
	table[2] = 0x00af9b000000ffffull;
	if (!image_enter_flat(l, 0, 0) || !put_identity(l) ||
	    !image_put(l, GDT_AT, table, sizeof(table), "descriptor table"))
		return false;
	c->seg[SEG_CS] = long_code;
	c->cr3 = IDENTITY_AT;
	c->cr4 |= CR4_PAE;
	c->efer |= EFER_LME | EFER_LMA;
	c->cr0 |= CR0_PG;
	c->gpr[R_ESP] = rsp;
	c->rip = entry;
	return true;
}

bool image_needs_64(struct loader *l)
{
	return image_fail(l, "%s: needs a 64-bit processor (--cpu MODEL,+lm)", image_name(l));
}

uint32_t image_upper_kib(uint64_t ram)
{
	return (uint32_t)((ram_low(ram) - 0x100000) >> 10);
}

unsigned image_memory_map(uint64_t ram, struct memory_range out[E820_MAX])
{
	unsigned n = 0;

	out[n++] = (struct memory_range){ 0, LOW_END, E820_RAM };
	out[n++] = (struct memory_range){ LOW_END, 0xa0000 - LOW_END, E820_RESERVED };
	out[n++] = (struct memory_range){ 0xe0000, 0x20000, E820_RESERVED }; /* ACPI tables */
	if (ram > 0x100000)
		out[n++] = (struct memory_range){ 0x100000, ram_low(ram) - 0x100000, E820_RAM };
	if (ram_high(ram))
		out[n++] = (struct memory_range){ RAM_HIGH_AT, ram_high(ram), E820_RAM };
	return n;
}

bool image_wants_bios(const struct image_config *cfg)
{
	return !cfg->kernel && !cfg->flat && !cfg->blob;
}

/* The parts of the BIOS data area that kernels read: COM1, memory size, EBDA, an 80x25 colour screen. */
static bool put_bda(struct loader *l)
{
	static const struct {
		uint16_t at, val;
	} words[] = {
		{ 0x400, 0x3f8 }, { 0x40e, EBDA_SEG }, { 0x410, 0x0226 }, { 0x413, 639 }, { 0x44a, 80 },
		{ 0x44c, 4096 },  { 0x449, 3 },	       { 0x463, 0x3d4 },  { 0x484, 24 },  { 0x485, 16 },
	};
	uint8_t bda[0x100] = { 0 };
	uint16_t blank[80 * 25];

	for (unsigned i = 0; i < ARRAY_LEN(words); i++)
		memcpy(bda + (words[i].at - 0x400), &words[i].val, words[i].at == 0x449 ? 1 : 2);
	for (unsigned i = 0; i < ARRAY_LEN(blank); i++)
		blank[i] = 0x0720;
	return image_put(l, 0x400, bda, sizeof(bda), "BIOS data area") &&
	       image_put(l, 0xb8000, blank, sizeof(blank), "screen");
}

static bool unknown_kernel(struct loader *l, const struct blob *k)
{
	const char *what = image_identify(k);

	if (what)
		return image_fail(l, "%s: this is %s", image_name(l), what);
	return image_fail(l, "%s: neither a Linux bzImage nor a Multiboot kernel", image_name(l));
}

/* Ways into a kernel, in the order in which they are tried. */
static const struct way {
	const char *option; /* the value of --entry that chooses it */
	bool (*probe)(const struct blob *k);
	bool (*load)(struct loader *l, const struct blob *k);
	const char *what;
} ways[] = {
	{ "32", linux_probe, linux_load, "a Linux bzImage" },
	{ "64", linux_probe, linux_load_64, "a Linux bzImage" },
	{ "multiboot", multiboot_probe, multiboot_load, "a Multiboot kernel" },
	{ "multiboot2", multiboot2_probe, multiboot2_load, "a Multiboot 2 kernel" },
	{ "pvh", pvh_probe, pvh_load, "an ELF file with PVH's note" },
};

static bool load_by_way(struct loader *l, const struct blob *k)
{
	const char *option = l->cfg->entry;
	unsigned i = 0;

	while (i < ARRAY_LEN(ways) && (option ? strcmp(ways[i].option, option) != 0 : !ways[i].probe(k)))
		i++;
	if (i == ARRAY_LEN(ways))
		return option
			   ? image_fail(l, "no entry \"%s\": there are 32, 64, multiboot, multiboot2 and pvh",
					option)
			   : unknown_kernel(l, k);
	if (!ways[i].probe(k))
		return image_fail(l, "%s: not %s", image_name(l), ways[i].what);
	return ways[i].load(l, k);
}

static bool load_kernel(struct loader *l)
{
	struct blob k = { 0 };
	bool ok;

	if (!image_read_file(l, l->cfg->kernel, 1ull << 30, &k))
		return false;
	ok = load_by_way(l, &k);
	blob_free(&k);
	return ok;
}

static bool load_blob(struct loader *l)
{
	struct blob k = { .len = l->cfg->blob_len };

	k.data = (uint8_t *)(uintptr_t)l->cfg->blob; /* borrowed; loaders only read it */
	return load_by_way(l, &k);
}

bool image_open(struct loader *l)
{
	bool bios = image_wants_bios(l->cfg);

	return (!bios || bios_open(l)) && drives_open(&l->drives, l->cfg, bios, l->err, l->errlen);
}

void image_close(struct loader *l)
{
	blob_free(&l->bios);
	blob_free(&l->vgabios);
	drives_close(&l->drives);
	while (l->files) {
		struct image_file *f = l->files;

		l->files = f->next;
		close(f->fd);
		free(f);
	}
}

bool image_load(struct loader *l)
{
	if (image_wants_bios(l->cfg))
		return bios_load(l);
	if (!put_bda(l))
		return false;
	if (!acpi_write(l->vm, (l->apic ? ACPI_WITH_APIC : 0) | (l->pvpanic ? ACPI_WITH_PVPANIC : 0)) ||
	    (l->apic && !mp_write(l->vm, l->cpu_signature, l->cpu_features)))
		return image_fail(l, "no memory for ACPI tables");
	if (l->cfg->flat)
		return flat_load(l);
	return l->cfg->blob ? load_blob(l) : load_kernel(l);
}

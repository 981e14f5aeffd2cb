/* SPDX-License-Identifier: GPL-3.0-or-later
 * See programs_int.h. A file is read once for each address to which it is moved, as processes have their
 * libraries at different ones; the table that was used longest ago makes room. Paths come from the guest,
 * which is not trusted: they cannot leave the directory. */
#include "inspect/programs_int.h"
#include "base/alloc.h"

#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_TABLES = 32 };

struct program {
	char *path; /* in the guest */
	int64_t bias;
	bool found;
	struct symbols symbols;
	uint64_t used;
};

struct programs {
	char *root;
	uint64_t clock;
	struct program list[MAX_TABLES];
	unsigned count;
};

static void clear(struct program *g)
{
	free(g->path);
	symbols_fini(&g->symbols);
	*g = (struct program){ 0 };
}

void programs_set(struct programs **p, const char *root)
{
	for (unsigned i = 0; *p && i < (*p)->count; i++)
		clear(&(*p)->list[i]);
	if (*p)
		free((*p)->root);
	free(*p);
	*p = NULL;
	if (!root)
		return;
	*p = xcalloc(1, sizeof(**p));
	(*p)->root = xstrdup(root);
}

static bool leaves(const char *path)
{
	for (const char *at = path; (at = strstr(at, "..")); at += 2)
		if ((at == path || at[-1] == '/') && (!at[2] || at[2] == '/'))
			return true;
	return false;
}

/* Open the file of PATH; its name on the host goes to NAME. -1: there is none. */
static int open_file(const struct programs *p, const char *path, char *name, size_t size)
{
	const char *base = strrchr(path, '/');
	int fd = -1;

	if (leaves(path))
		return -1;
	snprintf(name, size, "%s/%s", p->root, path + (path[0] == '/'));
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && base) {
		snprintf(name, size, "%s/%s", p->root, base + 1);
		fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	}
	return fd;
}

/* How far the file is from where it was linked, when its byte OFFSET is at ADDR. False: no segment has that
 * byte. */
static bool bias_of(int fd, uint64_t offset, uint64_t addr, int64_t *bias)
{
	bool found = false;
	GElf_Phdr ph;
	size_t n;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf || elf_getphdrnum(elf, &n))
		n = 0;
	for (size_t i = 0; i < n && !found; i++) {
		if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_LOAD || offset < ph.p_offset ||
		    offset - ph.p_offset >= ph.p_filesz)
			continue;
		*bias = (int64_t)(addr - (ph.p_vaddr + (offset - ph.p_offset)));
		found = true;
	}
	elf_end(elf);
	return found;
}

static struct program *place_for(struct programs *p)
{
	struct program *oldest = &p->list[0];

	if (p->count < MAX_TABLES)
		return &p->list[p->count++];
	for (unsigned i = 1; i < p->count; i++)
		if (p->list[i].used < oldest->used)
			oldest = &p->list[i];
	clear(oldest);
	return oldest;
}

struct symbols *programs_symbols(struct programs *p, const char *path, uint64_t offset, uint64_t addr)
{
	char name[4096], err[400];
	struct program *g;
	int64_t bias = 0;
	bool found;
	int fd;

	fd = open_file(p, path, name, sizeof(name));
	found = fd >= 0 && bias_of(fd, offset, addr, &bias);
	if (fd >= 0)
		close(fd);
	if (!found)
		return NULL;
	for (unsigned i = 0; i < p->count; i++) {
		g = &p->list[i];
		if (g->bias != bias || strcmp(g->path, path))
			continue;
		g->used = ++p->clock;
		return g->found ? &g->symbols : NULL;
	}
	g = place_for(p);
	*g = (struct program){ .path = xstrdup(path), .bias = bias, .used = ++p->clock };
	symbols_init(&g->symbols);
	g->found = symbols_load(&g->symbols, name, bias, err, sizeof(err)) > 0 || g->symbols.cfi;
	return g->found ? &g->symbols : NULL;
}

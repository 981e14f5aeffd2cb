/* SPDX-License-Identifier: GPL-3.0-or-later
 * Building PCI functions (hv/pci.h): identity, base address registers, capabilities, ROM, and which bits a
 * guest may write; and what a BIOS does for a guest that has none: addresses, interrupt lines, routes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "hv/dev/pci_int.h"

enum { STATUS_CAPABILITIES = 0x10, STATUS_MEDIUM = 2 /* of the high byte: DEVSEL timing */ };
enum { BAR_IO = 1, BAR_64 = 4, BAR_PREFETCH = 8, ROM_ENABLE = 1, ROM_MIN = 2048, ROM_MAX = 16 << 20 };
/* Of a ROM's header, where its data structure is; offsets in that. */
enum { ROM_DATA = 0x18, ROM_VENDOR = 4, ROM_DEVICE = 6, ROM_REVISION = 0x12, ROM_DATA_LEN = 0x1c };
enum { CACHE_LINE = 0xc, LATENCY = 0xd, COMMAND_BITS = 0x547, FIRST_FREE_DEVICE = 3, DEVICES = 32 };
/* Without one of its own, a function has this identity: SeaBIOS asks for it before it reads fw_cfg. */
enum { SUBSYSTEM_VENDOR = 0x1af4, SUBSYSTEM = 0x1100 };
/* As SeaBIOS routes the wires; lines 10 and 11 are level-triggered for it (ELCR, 82371SB 2.5.5). */
static const uint8_t pirq_lines[PCI_PIRQS] = { 10, 10, 11, 11 };
enum { PIRQ_ROUTE = 0x60, ELCR2 = 0x4d1, ELCR2_PCI = 3 << 2 };
/* Addresses to give out: the host bridge's window in the DSDT ends here; ports begin here. */
enum { PORTS_FROM = 0xc000, PORTS_END = 0x10000 };
#define MEMORY_END 0xfec00000u

static struct pci *bus_of(const struct pci_function *f)
{
	return (struct pci *)f->d->board->dev[SLOT_pci];
}

/* ---- building ---- */

static void set_bar(struct pci_function *f, unsigned i)
{
	const struct pci_bar *bar = &f->cls->bar[i];
	unsigned reg = pci_region_reg(i), flags = 0;

	if (bar->kind == PCI_BAR_NONE)
		return;
	pci_put32(f->writable + reg, (uint32_t) ~(bar->size - 1));
	if (bar->kind == PCI_BAR_IO)
		flags = BAR_IO;
	else
		flags =
		    (bar->kind == PCI_BAR_MEMORY64 ? BAR_64 : 0u) | (bar->prefetchable ? BAR_PREFETCH : 0u);
	pci_put32(f->initial + reg, flags);
	if (bar->kind == PCI_BAR_MEMORY64)
		pci_put32(f->writable + reg + 4, (uint32_t)(~(bar->size - 1) >> 32));
}

static void set_identity(struct pci_function *f)
{
	const struct pci_class *c = f->cls;
	uint8_t *p = f->initial;

	pci_put16(p + PCI_VENDOR, c->vendor);
	pci_put16(p + PCI_VENDOR + 2, c->device);
	p[PCI_STATUS + 1] = STATUS_MEDIUM;
	pci_put32(p + PCI_REVISION, c->class_code << 8 | c->revision);
	pci_put16(p + PCI_SUBSYSTEM, c->subsystem_vendor ? c->subsystem_vendor : SUBSYSTEM_VENDOR);
	pci_put16(p + PCI_SUBSYSTEM + 2, c->subsystem_vendor ? c->subsystem : SUBSYSTEM);
	p[PCI_PIN] = c->pin;
	pci_put16(f->writable + PCI_COMMAND, COMMAND_BITS);
	f->writable[PCI_LINE] = f->writable[CACHE_LINE] = f->writable[LATENCY] = 0xff;
}

unsigned pci_capability(struct pci_function *f, uint8_t id, const void *bytes, unsigned len)
{
	unsigned at = f->cap_end ? (f->cap_end + 3u) & ~3u : PCI_DEVICE_SPECIFIC;

	if (len < 2 || at + len > PCI_CONFIG - 1)
		return 0;
	memcpy(f->initial + at, bytes, len);
	f->initial[at] = id;
	f->initial[at + 1] = 0;
	f->initial[f->cap_last ? f->cap_last + 1 : PCI_CAPABILITIES] = (uint8_t)at;
	f->initial[PCI_STATUS] |= STATUS_CAPABILITIES;
	f->cap_last = (uint8_t)at;
	f->cap_end = (uint8_t)(at + len);
	return at;
}

static void add_msi(struct pci_function *f)
{
	uint8_t cap[MSI_LEN] = { 0 };
	unsigned n = f->cls->msi, log = 0;
	uint32_t vectors = n == 32 ? UINT32_MAX : (1u << n) - 1;

	while (1u << log < n)
		log++;
	pci_put16(cap + CAP_CONTROL, (uint16_t)(MSI_64 | MSI_MASKABLE | log << 1));
	f->cap_msi = (uint8_t)pci_capability(f, PCI_CAP_MSI, cap, sizeof(cap));
	pci_put16(f->writable + f->cap_msi + CAP_CONTROL, MSI_ENABLE | 7 << 4);
	pci_put32(f->writable + f->cap_msi + MSI_ADDRESS, ~3u);
	pci_put32(f->writable + f->cap_msi + MSI_ADDRESS + 4, UINT32_MAX);
	pci_put16(f->writable + f->cap_msi + MSI_DATA, UINT16_MAX);
	pci_put32(f->writable + f->cap_msi + MSI_MASK, vectors);
}

static void add_msix(struct pci_function *f)
{
	uint8_t cap[MSIX_LEN] = { 0 };

	pci_put16(cap + CAP_CONTROL, (uint16_t)(f->cls->msix - 1));
	pci_put32(cap + MSIX_TABLE_REG, f->cls->msix_bar);
	pci_put32(cap + MSIX_PBA_REG, MSIX_PBA | f->cls->msix_bar);
	f->cap_msix = (uint8_t)pci_capability(f, PCI_CAP_MSIX, cap, sizeof(cap));
	pci_put16(f->writable + f->cap_msix + CAP_CONTROL, MSIX_ENABLE | MSIX_MASK_ALL);
}

/* A place for a function: DEVFN, or the first free device; -1: none. */
static int place(const struct pci *p, int devfn)
{
	if (devfn != PCI_ANY)
		return pci_at(p, (unsigned)devfn) ? -1 : devfn;
	for (int dev = FIRST_FREE_DEVICE; dev < DEVICES; dev++)
		if (!pci_at(p, (unsigned)PCI_AT(dev, 0)))
			return PCI_AT(dev, 0);
	return -1;
}

static bool join(struct pci *p, struct pci_function *f, int devfn)
{
	int at = place(p, devfn);

	for (unsigned i = 0; at >= 0 && i < PCI_MAX_FUNCTIONS; i++)
		if (!p->fn[i]) {
			f->devfn = (uint8_t)at;
			f->index = (uint8_t)i;
			p->fn[i] = f;
			return true;
		}
	return false;
}

bool pci_add(struct pci_function *f, const struct pci_class *cls, struct dev *d, int devfn, char *err,
	     size_t errlen)
{
	*f = (struct pci_function){ .cls = cls, .d = d };
	if (!join(bus_of(f), f, devfn)) {
		snprintf(err, errlen, "device %s: the PCI bus has no room for it", d->name);
		return false;
	}
	set_identity(f);
	for (unsigned i = 0; i < PCI_REGIONS; i++)
		f->mapped[i] = PCI_UNMAPPED;
	for (unsigned i = 0; i < PCI_BARS; i++)
		set_bar(f, i);
	if (cls->msi)
		add_msi(f);
	if (cls->msix)
		add_msix(f);
	return true;
}

void pci_remove(struct pci_function *f)
{
	if (!f->cls)
		return;
	bus_of(f)->fn[f->index] = NULL;
	free(f->rom);
	f->rom = NULL;
}

/* ---- ROM ---- */

static bool read_rom(struct pci_function *f, int fd, uint64_t len)
{
	uint32_t size = ROM_MIN;

	while (size < len)
		size *= 2;
	f->rom = xmalloc(size);
	memset(f->rom, 0xff, size);
	f->rom_len = size;
	for (uint64_t at = 0; at < len;) {
		ssize_t n = read(fd, f->rom + at, len - at);

		if (n <= 0)
			return false;
		at += (uint64_t)n;
	}
	return true;
}

static unsigned rom16(const struct pci_function *f, uint32_t at)
{
	return at + 2 <= f->rom_len ? f->rom[at] | (unsigned)f->rom[at + 1] << 8 : 0;
}

/* A driver for several devices of a vendor (virtio, old and new) names one of them in its ROM's header, and
 * SeaBIOS executes it for no other. The user has said that it is for F: the header gets F's number, and the
 * vendor's revision, which is data for nobody, makes up for the change in the image's sum. */
static void adopt_rom(struct pci_function *f)
{
	uint32_t at = rom16(f, ROM_DATA);
	unsigned old = rom16(f, at + ROM_DEVICE), id = f->cls->device;

	if (at + ROM_DATA_LEN > f->rom_len || memcmp(f->rom + at, "PCIR", 4) ||
	    rom16(f, at + ROM_VENDOR) != f->cls->vendor)
		return;
	f->rom[at + ROM_DEVICE] = (uint8_t)id;
	f->rom[at + ROM_DEVICE + 1] = (uint8_t)(id >> 8);
	f->rom[at + ROM_REVISION] = (uint8_t)(f->rom[at + ROM_REVISION] + old + (old >> 8) - id - (id >> 8));
}

bool pci_rom(struct pci_function *f, const char *path, char *err, size_t errlen)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const char *why = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		why = strerror(errno);
	else if (!S_ISREG(st.st_mode) || st.st_size < 512 || st.st_size > ROM_MAX)
		why = "not a ROM of 512 bytes to 16 MiB";
	else if (!read_rom(f, fd, (uint64_t)st.st_size))
		why = "cannot be read";
	if (fd >= 0)
		close(fd);
	if (why) {
		snprintf(err, errlen, "%s: %s", path, why);
		return false;
	}
	adopt_rom(f);
	pci_put32(f->writable + PCI_ROM_BAR, ~(f->rom_len - 1) | ROM_ENABLE);
	return true;
}

/* ---- what a BIOS does ---- */

struct room {
	uint32_t ports;	 /* the next free one */
	uint64_t memory; /* free below this */
};

static void assign_region(struct pci_function *f, unsigned region, struct room *r)
{
	uint64_t size = pci_region_size(f, region), at;
	bool io = f->cls->bar[region].kind == PCI_BAR_IO;

	if (!size)
		return;
	if (io) {
		at = (r->ports + size - 1) & ~(size - 1);
		if (at + size > PORTS_END)
			return;
		r->ports = (uint32_t)(at + size);
	} else {
		if (size > r->memory)
			return;
		at = (r->memory - size) & ~(size - 1);
		r->memory = at;
	}
	pci_config_write(f, pci_region_reg(region), 4, (uint32_t)at);
}

static void assign_function(struct board *b, struct pci_function *f, struct room *r)
{
	unsigned command = pci_command(f);

	for (unsigned i = 0; i < PCI_BARS; i++) {
		if (f->cls->bar[i].kind == PCI_BAR_NONE)
			continue;
		assign_region(f, i, r);
		command |= f->cls->bar[i].kind == PCI_BAR_IO ? PCI_IO : PCI_MEMORY;
	}
	pci_config_write(f, PCI_COMMAND, 2, command);
	if (f->cls->pin && !f->cfg[PCI_LINE])
		f->cfg[PCI_LINE] = (uint8_t)piix_route(b->dev[SLOT_piix], pci_wire(f));
}

void pci_assign(struct board *b)
{
	struct pci *p = (struct pci *)b->dev[SLOT_pci];
	struct room r = { PORTS_FROM, MEMORY_END };

	pci_config_write(pci_at(p, PCI_AT(1, 0)), PIRQ_ROUTE, 4, pci_get32(pirq_lines));
	bus_out(&b->bus, ELCR2, 1, ELCR2_PCI);
	for (unsigned devfn = 0; devfn < 256; devfn++)
		if (pci_at(p, devfn))
			assign_function(b, pci_at(p, devfn), &r);
}

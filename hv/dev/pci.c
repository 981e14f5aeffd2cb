/* SPDX-License-Identifier: GPL-3.0-or-later
 * The PCI bus: configuration mechanism #1 (PCI 3.0, 3.2.2.3), configuration space of type 0 (chapter 6), base
 * address registers that move ranges of ports and memory, interrupt pins and wires, MSI and MSI-X (6.8); and
 * the reset control register at 0xCF9 (82371SB 2.5.17). What the functions are is up to devices (hv/pci.h);
 * which line a wire raises, to the ISA bridge (piix.c). GPR-only code (base/gpr.h).
 *
 * A region is decoded while the command register enables it, its address is not 0, and no other device has
 * part of it; one that is refused is tried again whenever a region moves. */
#include "base/log.h"
#include "hv/dev/pci_int.h"
#include "hv/io/door.h"
#include "mm/pages.h"

enum { ADDR_ENABLE = 1u << 31, RESET_CPU = 4 };
enum { STATUS_INTX = 8, STATUS_CLEARABLE = 0xf9 /* of its high byte */ };

static const struct dev_ports ports[] = { { 0xcf8, 0xcff, 7 } };
static const struct state_field fields[] = {
	F_NUM(pci, address),
	F_NUM(pci, reset),
};

static struct pci *bus_of(const struct pci_function *f)
{
	return (struct pci *)f->d->board->dev[SLOT_pci];
}

struct pci_function *pci_at(const struct pci *p, unsigned devfn)
{
	for (unsigned i = 0; i < PCI_MAX_FUNCTIONS; i++)
		if (p->fn[i] && p->fn[i]->devfn == devfn)
			return p->fn[i];
	return NULL;
}

/* ---- regions ---- */

uint64_t pci_region_size(const struct pci_function *f, unsigned region)
{
	if (region == PCI_ROM)
		return f->rom_len;
	return f->cls->bar[region].kind == PCI_BAR_NONE ? 0 : f->cls->bar[region].size;
}

unsigned pci_region_reg(unsigned region)
{
	return region == PCI_ROM ? PCI_ROM_BAR : PCI_BAR0 + 4 * region;
}

static bool is_io(const struct pci_function *f, unsigned region)
{
	return region != PCI_ROM && f->cls->bar[region].kind == PCI_BAR_IO;
}

uint64_t pci_region_address(const struct pci_function *f, unsigned region)
{
	const uint8_t *reg = &f->cfg[pci_region_reg(region)];
	uint64_t a = pci_get32(reg);

	if (region != PCI_ROM && f->cls->bar[region].kind == PCI_BAR_MEMORY64)
		a |= (uint64_t)pci_get32(reg + 4) << 32;
	return a & ~(pci_region_size(f, region) - 1);
}

static uint64_t wanted(const struct pci_function *f, unsigned region)
{
	uint64_t size = pci_region_size(f, region), a = pci_region_address(f, region);

	if (!size || !a || !(pci_command(f) & (is_io(f, region) ? PCI_IO : PCI_MEMORY)))
		return PCI_UNMAPPED;
	if (region == PCI_ROM && !(f->cfg[PCI_ROM_BAR] & 1))
		return PCI_UNMAPPED;
	return is_io(f, region) && a + size > 0x10000 ? PCI_UNMAPPED : a;
}

/* Device and number by which a range is registered. */
static struct dev *owner(struct pci *p, const struct pci_function *f, unsigned *region)
{
	if (*region == PCI_ROM) {
		*region = REGION_ROM + f->index;
	} else if (f->cls->msix && *region == f->cls->msix_bar) {
		*region = REGION_MSIX + f->index;
	} else {
		return f->d;
	}
	return &p->d;
}

static void unmap(struct pci *p, struct pci_function *f, unsigned region)
{
	unsigned number = region;
	struct dev *d = owner(p, f, &number);

	if (is_io(f, region))
		bus_release_region(&p->d.board->bus, d, number);
	else
		mmio_remove(&p->d.board->mmio, d, number);
	f->mapped[region] = PCI_UNMAPPED;
}

static void map(struct pci *p, struct pci_function *f, unsigned region, uint64_t at)
{
	uint64_t size = pci_region_size(f, region);
	unsigned number = region, sizes = region == PCI_ROM ? 15 : f->cls->bar[region].sizes;
	struct dev *d = owner(p, f, &number);
	bool ok;

	if (d == &p->d && region != PCI_ROM)
		sizes = 12;
	if (is_io(f, region))
		ok = bus_claim_region(&p->d.board->bus, d, number, (uint16_t)at, (uint16_t)(at + size - 1),
				      (uint8_t)sizes);
	else
		ok = mmio_add(&p->d.board->mmio, d, number, at, size, sizes);
	if (ok)
		f->mapped[region] = at;
	else
		LOG(dev, "PCI %02x.%x: region %u at %#llx: another device is there", f->devfn >> 3,
		    f->devfn & 7, region, (unsigned long long)at);
}

void pci_remap(struct pci *p)
{
	for (unsigned i = 0; i < PCI_MAX_FUNCTIONS; i++)
		for (unsigned r = 0; p->fn[i] && r < PCI_REGIONS; r++)
			if (p->fn[i]->mapped[r] != PCI_UNMAPPED && p->fn[i]->mapped[r] != wanted(p->fn[i], r))
				unmap(p, p->fn[i], r);
	for (unsigned i = 0; i < PCI_MAX_FUNCTIONS; i++)
		for (unsigned r = 0; p->fn[i] && r < PCI_REGIONS; r++)
			if (p->fn[i]->mapped[r] == PCI_UNMAPPED && wanted(p->fn[i], r) != PCI_UNMAPPED)
				map(p, p->fn[i], r, wanted(p->fn[i], r));
}

/* ---- interrupts ---- */

static unsigned control(const struct pci_function *f, unsigned cap)
{
	return cap ? f->cfg[cap + CAP_CONTROL] | f->cfg[cap + CAP_CONTROL + 1] << 8 : 0;
}

bool pci_msi_on(const struct pci_function *f)
{
	return control(f, f->cap_msi) & MSI_ENABLE;
}

bool pci_msix_on(const struct pci_function *f)
{
	return control(f, f->cap_msix) & MSIX_ENABLE;
}

static bool asserts(const struct pci_function *f)
{
	return f->intx && f->cls->pin && !(pci_command(f) & PCI_INTX_OFF) && !pci_msi_on(f) &&
	       !pci_msix_on(f);
}

static uint8_t wire_levels(const struct pci *p)
{
	unsigned levels = 0;

	for (unsigned i = 0; i < PCI_MAX_FUNCTIONS; i++)
		if (p->fn[i] && asserts(p->fn[i]))
			levels |= 1u << pci_wire(p->fn[i]);
	return (uint8_t)levels;
}

static void update_wires(struct pci *p)
{
	uint8_t levels = wire_levels(p), changed = levels ^ p->wires;

	p->wires = levels;
	for (unsigned i = 0; i < PCI_PIRQS; i++)
		if (changed >> i & 1)
			piix_pirq(p->d.board->dev[SLOT_piix], i, levels >> i & 1);
}

void pci_intx(struct pci_function *f, bool level)
{
	if (f->intx == level)
		return;
	f->intx = level;
	f->raised += level;
	update_wires(bus_of(f));
}

/* A message is a write by the function as a bus master. */
static void message(struct pci_function *f, gpa a, uint32_t data)
{
	if (!(pci_command(f) & PCI_MASTER)) {
		f->denied++;
		return;
	}
	f->messages++;
	board_msi(f->d->board, a, data);
}

static void msi_send(struct pci_function *f, unsigned n)
{
	uint8_t *cap = &f->cfg[f->cap_msi];
	uint64_t a = pci_get32(cap + MSI_ADDRESS) | (uint64_t)pci_get32(cap + MSI_ADDRESS + 4) << 32;
	unsigned given = 1u << (control(f, f->cap_msi) >> 4 & 7);
	uint32_t data = (uint32_t)(cap[MSI_DATA] | cap[MSI_DATA + 1] << 8);

	if (given > f->cls->msi)
		given = f->cls->msi;
	message(f, a, (data & ~(given - 1)) | (n & (given - 1)));
}

void pci_msi(struct pci_function *f, unsigned n)
{
	uint8_t *cap = &f->cfg[f->cap_msi];

	if (!pci_msi_on(f) || n >= f->cls->msi)
		return;
	if (pci_get32(cap + MSI_MASK) >> n & 1)
		pci_put32(cap + MSI_PENDING, pci_get32(cap + MSI_PENDING) | 1u << n);
	else
		msi_send(f, n);
}

static bool msix_masked(const struct pci_function *f, unsigned n)
{
	return (control(f, f->cap_msix) & MSIX_MASK_ALL) || (f->msix_table[n * MSIX_ENTRY + 12] & 1);
}

static void msix_send(struct pci_function *f, unsigned n)
{
	const uint8_t *e = &f->msix_table[n * MSIX_ENTRY];

	message(f, pci_get32(e) | (uint64_t)pci_get32(e + 4) << 32, pci_get32(e + 8));
}

void pci_msix(struct pci_function *f, unsigned n)
{
	if (!pci_msix_on(f) || n >= f->cls->msix)
		return;
	if (msix_masked(f, n))
		f->msix_pending |= 1u << n;
	else
		msix_send(f, n);
}

/* Send what was pending and is not masked any more. */
static void send_pending(struct pci_function *f)
{
	uint8_t *cap = &f->cfg[f->cap_msi];
	uint32_t ready = pci_msi_on(f) ? pci_get32(cap + MSI_PENDING) & ~pci_get32(cap + MSI_MASK) : 0;

	if (ready)
		pci_put32(cap + MSI_PENDING, pci_get32(cap + MSI_PENDING) & ~ready);
	for (unsigned n = 0; n < f->cls->msi; n++)
		if (ready >> n & 1)
			msi_send(f, n);
	for (unsigned n = 0; pci_msix_on(f) && n < f->cls->msix; n++)
		if ((f->msix_pending >> n & 1) && !msix_masked(f, n)) {
			f->msix_pending &= ~(1u << n);
			msix_send(f, n);
		}
}

/* ---- DMA ---- */

bool pci_dma_read(struct pci_function *f, gpa a, void *buf, uint64_t n)
{
	if (pci_command(f) & PCI_MASTER)
		return board_dma_read(f->d->board, a, buf, n);
	f->denied++;
	return false;
}

bool pci_dma_read_for_disk(struct pci_function *f, gpa a, void *buf, uint64_t n)
{
	if (pci_command(f) & PCI_MASTER)
		mm_disk_written(f->d->board->vm, a, n);
	return pci_dma_read(f, a, buf, n);
}

bool pci_dma_write(struct pci_function *f, gpa a, const void *buf, uint64_t n)
{
	if (pci_command(f) & PCI_MASTER)
		return board_dma_write(f->d->board, a, buf, n);
	f->denied++;
	return false;
}

/* ---- configuration space ---- */

/* A call of a device's hook, on its way through the door. */
struct host_hook {
	void (*hook)(struct pci_function *f, unsigned reg, unsigned size);
	struct pci_function *f;
	unsigned reg, size;
};

static void host_hook(void *arg)
{
	const struct host_hook *h = arg;

	h->hook(h->f, h->reg, h->size);
}

static void call_hook(struct pci_function *f, void (*hook)(struct pci_function *, unsigned, unsigned),
		      unsigned reg, unsigned size)
{
	struct host_hook h = { hook, f, reg, size };

	if (f->d->cls->gpr_only)
		hook(f, reg, size);
	else
		door_call(f->d->board->door, f->d->user, DOOR_REGISTER, host_hook, &h);
}

uint32_t pci_config_read(struct pci_function *f, unsigned reg, unsigned size)
{
	uint32_t val = 0;

	if (f->cls->config_read)
		call_hook(f, f->cls->config_read, reg, size);
	for (unsigned i = 0; i < size; i++) {
		uint8_t byte = f->cfg[reg + i];

		if (reg + i == PCI_STATUS && f->intx)
			byte |= STATUS_INTX;
		val |= (uint32_t)byte << (8 * i);
	}
	return val;
}

static bool touches(unsigned reg, unsigned size, unsigned first, unsigned len)
{
	return reg < first + len && first < reg + size;
}

void pci_config_write(struct pci_function *f, unsigned reg, unsigned size, uint32_t val)
{
	struct pci *p = bus_of(f);

	for (unsigned i = 0; i < size; i++) {
		uint8_t byte = (uint8_t)(val >> (8 * i)), *at = &f->cfg[reg + i];

		if (reg + i == PCI_STATUS + 1)
			*at &= (uint8_t) ~(byte & STATUS_CLEARABLE);
		else
			*at = (uint8_t)((*at & ~f->writable[reg + i]) | (byte & f->writable[reg + i]));
	}
	if (touches(reg, size, PCI_COMMAND, 2) || touches(reg, size, PCI_BAR0, 4 * PCI_BARS) ||
	    touches(reg, size, PCI_ROM_BAR, 4))
		pci_remap(p);
	send_pending(f);
	update_wires(p);
	if (f->cls->config_written)
		call_hook(f, f->cls->config_written, reg, size);
}

/* The function that the address register points to, or NULL. */
static struct pci_function *selected(struct pci *p)
{
	if (!(p->address & ADDR_ENABLE) || p->address >> 16 & 0xff)
		return NULL;
	return pci_at(p, p->address >> 8 & 0xff);
}

static uint32_t pci_in(struct dev *d, uint16_t port, unsigned size)
{
	struct pci *p = (struct pci *)d;
	struct pci_function *f;

	if (port == 0xcf9 && size == 1)
		return p->reset;
	if (port < 0xcfc)
		return port == 0xcf8 && size == 4 ? p->address : UINT32_MAX;
	f = selected(p);
	return f ? pci_config_read(f, (p->address & 0xfc) + (port & 3), size) : UINT32_MAX;
}

static void reset_control(struct pci *p, uint8_t val)
{
	if ((val & RESET_CPU) && !(p->reset & RESET_CPU))
		board_event(p->d.board, EVENT_RESET);
	p->reset = val & 6;
}

static void pci_out(struct dev *d, uint16_t port, unsigned size, uint32_t val)
{
	struct pci *p = (struct pci *)d;
	struct pci_function *f;

	if (port == 0xcf9 && size == 1)
		reset_control(p, (uint8_t)val);
	else if (port == 0xcf8 && size == 4)
		p->address = val & 0x80fffffc;
	if (port < 0xcfc)
		return;
	f = selected(p);
	if (f)
		pci_config_write(f, (p->address & 0xfc) + (port & 3), size, val);
}

/* ---- regions of the bus itself: MSI-X tables, ROMs ---- */

static uint64_t load(const uint8_t *p, unsigned size)
{
	uint64_t val = 0;

	for (unsigned i = 0; i < size; i++)
		val |= (uint64_t)p[i] << (8 * i);
	return val;
}

static uint64_t region_read(struct dev *d, unsigned region, uint64_t off, unsigned size)
{
	struct pci_function *f = ((struct pci *)d)->fn[region % PCI_MAX_FUNCTIONS];

	if (!f)
		return UINT64_MAX;
	if (region >= REGION_ROM)
		return off + size <= f->rom_len ? load(f->rom + off, size) : UINT64_MAX;
	if (off + size <= f->cls->msix * (uint64_t)MSIX_ENTRY)
		return load(f->msix_table + off, size);
	return off == MSIX_PBA ? f->msix_pending : 0;
}

static void region_write(struct dev *d, unsigned region, uint64_t off, unsigned size, uint64_t val)
{
	struct pci_function *f = ((struct pci *)d)->fn[region % PCI_MAX_FUNCTIONS];

	if (!f || region >= REGION_ROM || off + size > f->cls->msix * (uint64_t)MSIX_ENTRY)
		return;
	for (unsigned i = 0; i < size; i++)
		f->msix_table[off + i] = (uint8_t)(val >> (8 * i));
	send_pending(f);
}

/* ---- the device ---- */

static void reset_function(struct pci_function *f)
{
	gpr_copy(f->cfg, f->initial, sizeof(f->cfg));
	gpr_zero(f->msix_table, sizeof(f->msix_table));
	for (unsigned i = 0; i < PCI_MAX_VECTORS; i++)
		f->msix_table[i * MSIX_ENTRY + 12] = 1; /* masked */
	f->msix_pending = 0;
	f->intx = false;
}

static void pci_reset(struct dev *d)
{
	struct pci *p = (struct pci *)d;

	p->address = 0;
	p->reset = 0;
	p->wires = 0; /* the ISA bridge's own reset follows */
	for (unsigned i = 0; i < PCI_MAX_FUNCTIONS; i++)
		if (p->fn[i])
			reset_function(p->fn[i]);
	pci_remap(p);
}

static void pci_loaded(struct dev *d)
{
	struct pci *p = (struct pci *)d;

	p->wires = wire_levels(p);
	for (unsigned i = 0; i < PCI_PIRQS; i++)
		piix_pirq(d->board->dev[SLOT_piix], i, p->wires >> i & 1);
	pci_remap(p);
}

const struct dev_class pci_class = {
	.name = "pci",
	.help = "PCI bus: configuration space, MSI-X tables, ROMs; reset control",
	.size = sizeof(struct pci),
	DEV_PORTS(ports),
	DEV_FIELDS(fields),
	.reset = pci_reset,
	.loaded = pci_loaded,
	.in = pci_in,
	.out = pci_out,
	.mmio_read = region_read,
	.mmio_write = region_write,
};

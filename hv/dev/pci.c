/* SPDX-License-Identifier: GPL-3.0-or-later
 * PCI configuration mechanism #1 (PCI 2.1, 3.2.2.3) with the functions that firmware looks for: an
 * i440FX-like host bridge, a PIIX3-like ISA bridge and the PIIX4's power management, through which
 * SeaBIOS finds the block that switches the machine off (dev/acpi_pm.c, at a fixed address); and the
 * reset control register at 0xCF9 (82371SB 2.5.17).
 *
 * The host bridge's PAM registers (82441FX 3.2.18) say for each segment from 768 KiB to 1 MiB whether reads
 * and writes go to RAM or to the ROM behind it. Here a segment that is read from ROM holds a copy of the ROM,
 * so what was in its RAM is lost; one that is written as RAM but read from ROM is RAM, which holds that
 * copy: firmware that copies itself there finds the result it expects. */
#include "base/view.h"
#include "hv/boot/acpi.h"
#include "hv/board.h"

enum { CFG_BYTES = 256, NFUNC = 3, ADDR_ENABLE = 1u << 31, RESET_CPU = 4 };
enum {
	PCI_COMMAND = 4,
	PCI_STATUS = 6,
	PCI_LINE = 0x3c,
	PCI_PIN = 0x3d,
	PCI_DEVICE_SPECIFIC = 0x40,
	PAM0 = 0x59
};
/* Power management: base and enable bit of its block; device activity B, whose APMC_EN tells SeaBIOS that
 * system management mode is set up, else it would set that up and wait for it (82371AB 7.1, 7.2). */
enum { PM_BASE = 0x40, PM_DEVACTB = 0x58, PM_MISC = 0x80, PM_APMC_EN = 1 << 1 /* of byte 3 */ };

/* Identity of each function on bus 0. */
struct pci_id {
	const char *name;
	uint8_t dev, fn;
	uint16_t vendor, device, command;
	uint32_t class_rev; /* class, subclass, interface, revision */
	uint8_t header;
};

static const struct pci_id ids[NFUNC] = {
	{ "host bridge", 0, 0, 0x8086, 0x1237, 0x0006, 0x06000002, 0x00 },
	{ "ISA bridge", 1, 0, 0x8086, 0x7000, 0x0007, 0x06010000, 0x80 },
	{ "power management", 1, 3, 0x8086, 0x7113, 0x0001, 0x06800003, 0x00 },
};
enum { SUBSYS_VENDOR = 0x1af4, SUBSYS = 0x1100 }; /* SeaBIOS asks for these before it reads fw_cfg */

struct pci {
	struct dev d;
	uint32_t address;
	uint8_t reset;
	uint8_t cfg[NFUNC][CFG_BYTES];
};

static const struct dev_ports ports[] = { { 0xcf8, 0xcff, 7 } };
static const struct state_field fields[] = {
	F_NUM(pci, address),
	F_NUM(pci, reset),
	F_HEX(pci, cfg),
};

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

/* Configuration space that the address register points to, or NULL. */
static uint8_t *selected(struct pci *p)
{
	unsigned bus = p->address >> 16 & 0xff, dev = p->address >> 11 & 31, fn = p->address >> 8 & 7;

	if (!(p->address & ADDR_ENABLE) || bus)
		return NULL;
	for (int i = 0; i < NFUNC; i++)
		if (ids[i].dev == dev && ids[i].fn == fn)
			return p->cfg[i];
	return NULL;
}

/* ---- shadow memory ---- */

enum { PAM_FIRST = 0xc0000, PAM_SEGMENT = 0x4000, PAM_LAST = 0xf0000, ROM_COPY = 0xe0000, PAM_REGS = 7 };

static unsigned pam_rights(const struct pci *p, unsigned i)
{
	const uint8_t *pam = &p->cfg[0][PAM0];

	/* The first register's high half is the last segment. */
	return (i == PAM_SEGMENTS - 1 ? pam[0] >> 4 : pam[1 + i / 2] >> (i & 1 ? 4 : 0)) &
	       (PAM_READ | PAM_WRITE);
}

struct pam_segment pci_pam(const struct dev *d, unsigned i)
{
	uint32_t at = PAM_FIRST + i * PAM_SEGMENT;

	return (struct pam_segment){ .at = at,
				     .len = at == PAM_LAST ? 0x10000 : PAM_SEGMENT,
				     .rights = pam_rights((const struct pci *)d, i) };
}

/* Make a page what is read there without RAM: the ROM below 4 GiB shows through from 896 KiB on. */
static void show_rom(struct mm_vm *vm, uint32_t at)
{
	uint8_t want[PAGE_SIZE], now[PAGE_SIZE];

	if (at < ROM_COPY || !mm_phys_read(vm, 0xfff00000ull + at, want, sizeof(want)))
		gpr_fill(want, 0xff, sizeof(want));
	if (!mm_phys_read(vm, at, now, sizeof(now)))
		return;
	for (unsigned i = 0; i < sizeof(want); i++)
		if (want[i] != now[i]) {
			mm_phys_write(vm, at, want, sizeof(want));
			return;
		}
}

static bool has_rom(const struct pci *p)
{
	return mm_is_ram(p->d.board->vm, 0xfffff000, PAGE_SIZE);
}

/* HIDE: what was in RAM so far is to be hidden by the ROM, if there is one. */
static void apply_segment(struct pci *p, unsigned i, bool hide)
{
	struct pam_segment s = pci_pam(&p->d, i);

	if (hide && has_rom(p))
		for (uint32_t at = s.at; at < s.at + s.len; at += PAGE_SIZE)
			show_rom(p->d.board->vm, at);
	mm_vm_set_rom(p->d.board->vm, s.at, s.len, !(s.rights & PAM_WRITE));
}

static void write_pam(struct pci *p, unsigned reg, uint8_t val)
{
	unsigned before[PAM_SEGMENTS];

	for (unsigned i = 0; i < PAM_SEGMENTS; i++)
		before[i] = pam_rights(p, i);
	p->cfg[0][reg] = val & 0x33;
	for (unsigned i = 0; i < PAM_SEGMENTS; i++)
		if (pam_rights(p, i) != before[i])
			apply_segment(p, i, before[i] & ~pam_rights(p, i) & PAM_READ);
}

void pci_open_shadow(struct dev *d)
{
	for (unsigned i = 0; i < PAM_REGS; i++)
		write_pam((struct pci *)d, PAM0 + i, 0x33);
}

/* Make memory what the registers say; its content is right already. */
static void pci_loaded(struct dev *d)
{
	struct pci *p = (struct pci *)d;

	for (unsigned i = 0; i < PAM_SEGMENTS; i++)
		apply_segment(p, i, false);
}

/* ---- configuration space ---- */

static bool writable(unsigned reg)
{
	return reg == PCI_COMMAND || reg == PCI_COMMAND + 1 || reg == PCI_LINE || reg >= PCI_DEVICE_SPECIFIC;
}

static uint32_t pci_in(struct dev *d, uint16_t port, unsigned size)
{
	struct pci *p = (struct pci *)d;
	uint8_t *cfg = selected(p);
	uint32_t val = 0;

	if (port < 0xcfc) {
		if (port == 0xcf9 && size == 1)
			return p->reset;
		return port == 0xcf8 && size == 4 ? p->address : 0xffffffffu;
	}
	if (!cfg)
		return 0xffffffffu;
	for (unsigned i = 0; i < size; i++)
		val |= (uint32_t)cfg[((p->address & 0xfc) + (port & 3) + i) & 0xff] << (8 * i);
	return val;
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
	uint8_t *cfg = selected(p);

	if (port < 0xcfc) {
		if (port == 0xcf9 && size == 1)
			reset_control(p, (uint8_t)val);
		else if (port == 0xcf8 && size == 4)
			p->address = val & 0x80fffffc;
		return;
	}
	for (unsigned i = 0; cfg && i < size; i++) {
		unsigned reg = ((p->address & 0xfc) + (port & 3) + i) & 0xff;

		if (cfg == p->cfg[0] && reg >= PAM0 && reg < PAM0 + PAM_REGS)
			write_pam(p, reg, (uint8_t)(val >> (8 * i)));
		else if (writable(reg))
			cfg[reg] = (uint8_t)(val >> (8 * i));
	}
}

static void pci_reset(struct dev *d)
{
	struct pci *p = (struct pci *)d;

	p->address = 0;
	p->reset = 0;
	gpr_zero(p->cfg, sizeof(p->cfg));
	for (int i = 0; i < NFUNC; i++) {
		uint8_t *c = p->cfg[i];

		put16(c, ids[i].vendor);
		put16(c + 2, ids[i].device);
		put16(c + PCI_COMMAND, ids[i].command);
		put16(c + PCI_STATUS, 0x0200);
		put16(c + 8, (uint16_t)ids[i].class_rev);
		put16(c + 10, (uint16_t)(ids[i].class_rev >> 16));
		c[0xe] = ids[i].header;
		put16(c + 0x2c, SUBSYS_VENDOR);
		put16(c + 0x2e, SUBSYS);
	}
	for (unsigned i = 0; i < PAM_SEGMENTS; i++)
		apply_segment(p, i, true);
	gpr_fill(&p->cfg[1][0x60], 0x80, 4); /* PIRQ A-D: not routed */
	put16(&p->cfg[2][PM_BASE], ACPI_PM_BASE | 1);
	p->cfg[2][PM_DEVACTB + 3] = PM_APMC_EN;
	p->cfg[2][PM_MISC] = 1;
	p->cfg[2][PCI_LINE] = ACPI_SCI_IRQ;
	p->cfg[2][PCI_PIN] = 1;
}

void pci_rows(struct dev *d, struct row_sink *s)
{
	struct pci *p = (struct pci *)d;

	for (int i = 0; i < NFUNC; i++) {
		char where[] = "00:00.0";
		const uint8_t *c = p->cfg[i];

		where[3] += (char)(ids[i].dev >> 4);
		where[4] = "0123456789abcdef"[ids[i].dev & 15];
		where[6] += (char)ids[i].fn;
		s->row(s, (const struct value[]){ V_STR(where), V_HEX(ids[i].vendor), V_HEX(ids[i].device),
						  V_HEX(ids[i].class_rev >> 8),
						  V_HEX((uint64_t)c[PCI_COMMAND] | c[PCI_COMMAND + 1] << 8),
						  V_STR(ids[i].name) });
	}
}

const struct dev_class pci_class = {
	.name = "pci",
	.help = "PCI configuration space, reset control",
	.size = sizeof(struct pci),
	DEV_PORTS(ports),
	DEV_FIELDS(fields),
	.reset = pci_reset,
	.loaded = pci_loaded,
	.in = pci_in,
	.out = pci_out,
};

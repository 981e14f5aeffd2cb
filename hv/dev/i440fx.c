/* SPDX-License-Identifier: GPL-3.0-or-later
 * An i440FX-like host bridge, 00:00.0. Its PAM registers (82441FX 3.2.18) say for each segment from 768 KiB
 * to 1 MiB whether reads and writes go to RAM or to the ROM behind it. Here a segment that is read from ROM
 * holds a copy of the ROM, so what was in its RAM is lost; one that is written as RAM but read from ROM is
 * RAM, which holds that copy: firmware that copies itself there finds the result it expects. GPR-only code
 * (base/gpr.h). */
#include "hv/pci.h"

enum { PAM0 = 0x59, PAM_REGS = 7, PAM_BITS = 0x33 };
enum { PAM_FIRST = 0xc0000, PAM_SEGMENT = 0x4000, PAM_LAST = 0xf0000, ROM_COPY = 0xe0000 };

struct i440fx {
	struct dev d;
	struct pci_function f;
	uint8_t rights[PAM_SEGMENTS]; /* as memory is now: follows from the registers */
};

static const struct state_field fields[] = { F_PCI(i440fx, f) };

static unsigned pam_rights(const struct i440fx *h, unsigned i)
{
	const uint8_t *pam = &h->f.cfg[PAM0];

	/* The first register's high half is the last segment. */
	return (i == PAM_SEGMENTS - 1 ? pam[0] >> 4 : pam[1 + i / 2] >> (i & 1 ? 4 : 0)) &
	       (PAM_READ | PAM_WRITE);
}

struct pam_segment i440fx_pam(const struct dev *d, unsigned i)
{
	uint32_t at = PAM_FIRST + i * PAM_SEGMENT;

	return (struct pam_segment){ .at = at,
				     .len = at == PAM_LAST ? 0x10000 : PAM_SEGMENT,
				     .rights = pam_rights((const struct i440fx *)d, i) };
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

static bool has_rom(const struct i440fx *h)
{
	return mm_is_ram(h->d.board->vm, 0xfffff000, PAGE_SIZE);
}

/* HIDE: what was in RAM so far is to be hidden by the ROM, if there is one. */
static void apply_segment(struct i440fx *h, unsigned i, bool hide)
{
	struct pam_segment s = i440fx_pam(&h->d, i);

	if (hide && has_rom(h))
		for (uint32_t at = s.at; at < s.at + s.len; at += PAGE_SIZE)
			show_rom(h->d.board->vm, at);
	mm_vm_set_rom(h->d.board->vm, s.at, s.len, !(s.rights & PAM_WRITE));
	h->rights[i] = (uint8_t)s.rights;
}

/* SeaBIOS makes an MP table (Intel MP specification 1.4, 4.1) whatever CPUID says. On a machine without an
 * APIC a kernel that believed the table would mask the PICs: erase the pointer to it. */
static void hide_mp_table(struct board *b)
{
	enum { MP_POINTER = 16, MP_END = 0x100000 };
	uint8_t p[MP_POINTER], none[MP_POINTER];

	gpr_zero(none, sizeof(none));
	for (uint32_t at = PAM_LAST; at < MP_END; at += MP_POINTER)
		if (mm_phys_read(b->vm, at, p, sizeof(p)) && *(const any32 *)p == 0x5f504d5f /* "_MP_" */)
			mm_phys_write(b->vm, at, none, sizeof(none));
}

static void config_written(struct pci_function *f, unsigned reg, unsigned size)
{
	struct i440fx *h = (struct i440fx *)f->d;
	bool last_open = h->rights[PAM_SEGMENTS - 1] & PAM_WRITE;

	(void)reg, (void)size;
	for (unsigned i = 0; i < PAM_SEGMENTS; i++)
		if (pam_rights(h, i) != h->rights[i])
			apply_segment(h, i, h->rights[i] & ~pam_rights(h, i) & PAM_READ);
	/* The BIOS locks its tables when they are complete. */
	if (last_open && !(h->rights[PAM_SEGMENTS - 1] & PAM_WRITE) && !f->d->board->apic.present)
		hide_mp_table(f->d->board);
}

void i440fx_open_shadow(struct dev *d)
{
	struct i440fx *h = (struct i440fx *)d;

	gpr_fill(&h->f.cfg[PAM0], PAM_BITS, PAM_REGS);
	config_written(&h->f, PAM0, PAM_REGS);
}

static const struct pci_class function = {
	.name = "Intel 440FX-like host bridge",
	.vendor = 0x8086,
	.device = 0x1237,
	.class_code = 0x060000,
	.revision = 2,
	.config_written = config_written,
};

static bool i440fx_open(struct dev *d, char *err, size_t errlen)
{
	struct i440fx *h = (struct i440fx *)d;

	if (!pci_add(&h->f, &function, d, PCI_AT(0, 0), err, errlen))
		return false;
	h->f.initial[PCI_COMMAND] = PCI_MEMORY | PCI_MASTER;
	gpr_fill(h->f.writable + PCI_DEVICE_SPECIFIC, 0xff, PCI_CONFIG - PCI_DEVICE_SPECIFIC);
	gpr_fill(h->f.writable + PAM0, PAM_BITS, PAM_REGS);
	return true;
}

static void i440fx_reset(struct dev *d)
{
	for (unsigned i = 0; i < PAM_SEGMENTS; i++)
		apply_segment((struct i440fx *)d, i, true);
}

/* Make memory what the registers say; its content is right already. */
static void i440fx_loaded(struct dev *d)
{
	for (unsigned i = 0; i < PAM_SEGMENTS; i++)
		apply_segment((struct i440fx *)d, i, false);
}

static void i440fx_fini(struct dev *d)
{
	pci_remove(&((struct i440fx *)d)->f);
}

const struct dev_class i440fx_class = {
	.name = "i440fx",
	.help = "host bridge: shadow memory",
	.size = sizeof(struct i440fx),
	.gpr_only = GPR_ONLY_BUILD,
	DEV_FIELDS(fields),
	.open = i440fx_open,
	.reset = i440fx_reset,
	.loaded = i440fx_loaded,
	.fini = i440fx_fini,
};

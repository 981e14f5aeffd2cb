/* SPDX-License-Identifier: GPL-3.0-or-later
 * A PIIX3-like ISA bridge, 00:01.0, whose registers say which interrupt line each wire of the PCI bus drives
 * (82371SB 2.2.9), and the PIIX4's power management, 00:01.3, through which SeaBIOS finds the block that
 * switches the machine off (acpi_pm.c, at a fixed address). GPR-only code (base/gpr.h). */
#include "hv/boot/acpi.h"
#include "hv/pci.h"

/* A wire's route: no line while the high bit is set. Lines of the bridge's own devices cannot be chosen. */
enum { PIRQ_ROUTE = 0x60, ROUTE_OFF = 0x80, ROUTE_BITS = 0x8f, ROUTE_LINE = 15, LINES_ALLOWED = 0xdef8 };
/* Power management: base and enable bit of its block; device activity B, whose APMC_EN tells SeaBIOS that
 * system management mode is set up, else it would set that up and wait for it (82371AB 7.1, 7.2). */
enum { PM_BASE = 0x40, PM_DEVACTB = 0x58, PM_MISC = 0x80, PM_APMC_EN = 1 << 1 /* of byte 3 */ };
enum { NO_LINE = -1, MULTIFUNCTION = 0x80 };

struct piix {
	struct dev d;
	struct pci_function isa, pm;
	bool level[PCI_PIRQS];	   /* of each wire: follows from the functions on the bus */
	int8_t driving[PCI_PIRQS]; /* the line that each wire drives now: follows from the registers */
};

static const struct state_field fields[] = { F_PCI(piix, isa), F_PCI(piix, pm) };

int piix_route(const struct dev *d, unsigned n)
{
	uint8_t reg = ((const struct piix *)d)->isa.cfg[PIRQ_ROUTE + n];

	return (reg & ROUTE_OFF) || !(LINES_ALLOWED >> (reg & ROUTE_LINE) & 1) ? NO_LINE : reg & ROUTE_LINE;
}

static void drive(struct piix *x, unsigned n)
{
	enum irq_source source = IRQ_PIRQA + n;
	int line = piix_route(&x->d, n);

	if (x->driving[n] != NO_LINE && x->driving[n] != line)
		board_irq_from(x->d.board, source, (unsigned)x->driving[n], false);
	x->driving[n] = (int8_t)line;
	if (line != NO_LINE)
		board_irq_from(x->d.board, source, (unsigned)line, x->level[n]);
}

void piix_pirq(struct dev *d, unsigned n, bool level)
{
	struct piix *x = (struct piix *)d;

	x->level[n] = level;
	drive(x, n);
}

static void isa_written(struct pci_function *f, unsigned reg, unsigned size)
{
	(void)reg, (void)size;
	for (unsigned n = 0; n < PCI_PIRQS; n++)
		if (piix_route(f->d, n) != ((struct piix *)f->d)->driving[n])
			drive((struct piix *)f->d, n);
}

static const struct pci_class isa_function = {
	.name = "Intel PIIX3-like ISA bridge",
	.vendor = 0x8086,
	.device = 0x7000,
	.class_code = 0x060100,
	.config_written = isa_written,
};

static const struct pci_class pm_function = {
	.name = "Intel PIIX4-like power management",
	.vendor = 0x8086,
	.device = 0x7113,
	.class_code = 0x068000,
	.revision = 3,
};

static void setup_isa(struct pci_function *f)
{
	f->initial[PCI_COMMAND] = PCI_IO | PCI_MEMORY | PCI_MASTER;
	f->initial[PCI_HEADER] = MULTIFUNCTION;
	gpr_fill(f->writable + PCI_DEVICE_SPECIFIC, 0xff, PCI_CONFIG - PCI_DEVICE_SPECIFIC);
	gpr_fill(f->initial + PIRQ_ROUTE, ROUTE_OFF, PCI_PIRQS);
	gpr_fill(f->writable + PIRQ_ROUTE, ROUTE_BITS, PCI_PIRQS);
}

static void setup_pm(struct pci_function *f)
{
	f->initial[PCI_COMMAND] = PCI_IO;
	gpr_fill(f->writable + PCI_DEVICE_SPECIFIC, 0xff, PCI_CONFIG - PCI_DEVICE_SPECIFIC);
	f->initial[PM_BASE] = (uint8_t)(ACPI_PM_BASE | 1);
	f->initial[PM_BASE + 1] = ACPI_PM_BASE >> 8;
	f->initial[PM_DEVACTB + 3] = PM_APMC_EN;
	f->initial[PM_MISC] = 1;
	f->initial[PCI_LINE] = ACPI_SCI_IRQ; /* not by a wire: the block drives the line itself */
	f->initial[PCI_PIN] = 1;
}

static bool piix_open(struct dev *d, char *err, size_t errlen)
{
	struct piix *x = (struct piix *)d;

	if (!pci_add(&x->isa, &isa_function, d, PCI_AT(1, 0), err, errlen))
		return false;
	if (!pci_add(&x->pm, &pm_function, d, PCI_AT(1, 3), err, errlen)) {
		pci_remove(&x->isa);
		return false;
	}
	setup_isa(&x->isa);
	setup_pm(&x->pm);
	return true;
}

static void piix_reset(struct dev *d)
{
	struct piix *x = (struct piix *)d;

	for (unsigned n = 0; n < PCI_PIRQS; n++) {
		x->level[n] = false;
		x->driving[n] = NO_LINE;
	}
}

/* Whatever a saved state says of the lines: each wire drives its own alone. */
static void piix_loaded(struct dev *d)
{
	struct piix *x = (struct piix *)d;

	for (unsigned n = 0; n < PCI_PIRQS; n++) {
		for (unsigned line = 0; line < IRQ_LINES; line++)
			if ((int)line != piix_route(d, n))
				board_irq_from(d->board, IRQ_PIRQA + n, line, false);
		drive(x, n);
	}
}

static void piix_fini(struct dev *d)
{
	pci_remove(&((struct piix *)d)->isa);
	pci_remove(&((struct piix *)d)->pm);
}

const struct dev_class piix_class = {
	.name = "piix",
	.help = "ISA bridge: routes of the PCI bus' interrupts; power management's PCI function",
	.size = sizeof(struct piix),
	.gpr_only = GPR_ONLY_BUILD,
	DEV_FIELDS(fields),
	.open = piix_open,
	.reset = piix_reset,
	.loaded = piix_loaded,
	.fini = piix_fini,
};

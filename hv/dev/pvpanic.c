/* SPDX-License-Identifier: GPL-3.0-or-later
 * By which a guest's kernel says that it has panicked: a register that reads as the events it may report and
 * is written with one. As an ISA device, whose port the DSDT names, and as a PCI function with the register
 * in memory. A panic stops the machine; that a crash kernel has been started instead is counted. */
#include "hv/pci.h"

enum { PORT = 0x505, PANICKED = 1, CRASH_LOADED = 2, EVENTS = PANICKED | CRASH_LOADED };

struct pvpanic {
	struct dev d;
	struct pci_function f; /* of the PCI one */
	uint64_t panics, crashes;
};

static const struct state_field isa_fields[] = {
	F_COUNTER(pvpanic, panics),
	F_COUNTER(pvpanic, crashes),
};
static const struct state_field pci_fields[] = {
	F_PCI(pvpanic, f),
	F_COUNTER(pvpanic, panics),
	F_COUNTER(pvpanic, crashes),
};
static const struct dev_counter counters[] = {
	{ "panics", offsetof(struct pvpanic, panics), "panics that stopped the machine" },
	{ "crashes", offsetof(struct pvpanic, crashes),
	  "panics that the guest's crash kernel takes care of" },
};
static const struct dev_ports ports[] = { { PORT, PORT, 1 } };

static void report(struct pvpanic *p, uint32_t events)
{
	if (events & CRASH_LOADED)
		p->crashes++;
	if (events & PANICKED) {
		p->panics++;
		board_event(p->d.board, EVENT_PANIC);
	}
}

/* ---- ISA ---- */

static uint32_t port_in(struct dev *d, uint16_t port, unsigned size)
{
	(void)d, (void)port, (void)size;
	return EVENTS;
}

static void port_out(struct dev *d, uint16_t port, unsigned size, uint32_t val)
{
	(void)port, (void)size;
	report((struct pvpanic *)d, val);
}

const struct dev_class pvpanic_class = {
	.name = "pvpanic",
	.help = "port that stops the machine when the guest's kernel panics",
	.size = sizeof(struct pvpanic),
	DEV_PORTS(ports),
	DEV_FIELDS(isa_fields),
	DEV_COUNTERS(counters),
	.in = port_in,
	.out = port_out,
};

/* ---- PCI ---- */

static const struct pci_class function = {
	.name = "Panic notifier",
	.vendor = 0x1b36,
	.device = 0x0011,
	.subsystem_vendor = 0x1af4,
	.subsystem = 0x1100,
	.class_code = 0x088000,
	.revision = 1,
	.bar = { { PCI_BAR_MEMORY, false, 1, 16 } },
};

static bool open_pci(struct dev *d, char *err, size_t errlen)
{
	struct pvpanic *p = (struct pvpanic *)d;

	return pci_add(&p->f, &function, d, PCI_ANY, err, errlen);
}

static void fini_pci(struct dev *d)
{
	pci_remove(&((struct pvpanic *)d)->f);
}

static uint64_t memory_read(struct dev *d, unsigned region, uint64_t off, unsigned size)
{
	(void)d, (void)region, (void)size;
	return off ? 0 : EVENTS;
}

static void memory_write(struct dev *d, unsigned region, uint64_t off, unsigned size, uint64_t val)
{
	(void)region, (void)size;
	if (!off)
		report((struct pvpanic *)d, (uint32_t)val);
}

const struct dev_class pvpanic_pci_class = {
	.name = "pvpanic-pci",
	.help = "PCI function that stops the machine when the guest's kernel panics",
	.size = sizeof(struct pvpanic),
	DEV_FIELDS(pci_fields),
	DEV_COUNTERS(counters),
	.open = open_pci,
	.fini = fini_pci,
	.mmio_read = memory_read,
	.mmio_write = memory_write,
};

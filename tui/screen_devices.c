/* SPDX-License-Identifier: GPL-3.0-or-later
 * Screen 5: the devices around the processor. */
#include "tui/pane_table.h"

TABLE_PANE(irqs, "irq", "Interrupts", true,
	   "interrupt lines: raised, taken by the processor, and how often a second", .line = "info irq",
	   .cols = "line vector level raised taken", .key = "line", .count = "taken", .spark = true,
	   .empty = "no interrupt so far");
TABLE_PANE(pic, "pic", "Interrupt controllers", true, "the two 8259s", .line = "info pic",
	   .cols = "chip irr isr imr base lines elcr lowest auto_eoi special spurious");
TABLE_PANE(pit, "pit", "Timer", true, "the channels of the 8254", .line = "info pit",
	   .cols = "channel mode hz irqs count now out gate", .key = "channel");
TABLE_PANE(serial, "serial", "Serial port", true, "COM1", .line = "info serial", .facts = true);
TABLE_PANE(rtc, "rtc", "Clock", true, "the MC146818", .line = "info rtc", .facts = true);
TABLE_PANE(pci, "pci", "PCI", true, "PCI functions", .line = "info pci", .empty = "no PCI");
TABLE_PANE(ports, "ports", "I/O ports", true, "port ranges: reads and writes, and accesses a second",
	   .line = "info ports", .cols = "first last device reads writes", .key = "first", .count = "reads",
	   .sort = "-reads", .spark = true);
TABLE_PANE(cpus, "cpus", "Processor", true, "the virtual processor and VM time", .line = "info cpus",
	   .facts = true);

static const struct pane_class *const panes[] = {
	&irqs, &ports, &pic, &pit, &serial, &rtc, &pci, &cpus, NULL
};

const struct screen_class screen_devices = {
	.name = "devices",
	.title = "Devices",
	.help = "interrupt controllers, timers, serial port, PCI, I/O ports",
	.panes = panes,
	.layouts = { { 0, 0, "v(h(irq,pic:36):8,h(pit,serial:38):6,h(ports,pci:38))" },
		     { 110, 30, "v(h(irq,v(pic:4,pit)):9,h(v(serial,rtc:4):60,v(cpus:8,pci)):13,ports)" } },
};

/* SPDX-License-Identifier: GPL-3.0-or-later
 * Screen 5: devices. */
#include "tui/pane_table.h"

TABLE_PANE(irqs, "irq", "Interrupts", "interrupt lines: requests raised, taken by the processor, rate",
	   .view = "irq", .cols = "line vector level raised taken", .drop = "level vector raised",
	   .totals = "raised taken", .key = "line", .count = "taken", .spark = true,
	   .empty = "no interrupts yet");
TABLE_PANE(pic, "pic", "Interrupt controllers", "the two 8259s", .view = "pic",
	   .cols = "chip irr isr imr base lines elcr lowest auto_eoi special spurious",
	   .drop = "special auto_eoi lowest elcr spurious base");
TABLE_PANE(pit, "pit", "Timer", "the channels of the 8254", .view = "pit",
	   .cols = "channel mode hz irqs count now out gate", .drop = "gate out now count", .key = "channel");
TABLE_PANE(serial, "serial", "Serial port", "COM1", .view = "serial", .facts = true);
TABLE_PANE(rtc, "rtc", "Clock", "the MC146818", .view = "rtc", .facts = true);
TABLE_PANE(pci, "pci", "PCI", "PCI functions", .view = "pci", .empty = "no PCI functions");
TABLE_PANE(ports, "ports", "I/O ports", "port ranges: reads, writes, rate", .view = "ports",
	   .cols = "first last device reads writes", .key = "first last", .count = "reads writes",
	   .sort = "-reads", .spark = true, .places = true);
TABLE_PANE(cpus, "cpus", "Processor", "the virtual processor and VM time", .view = "cpus", .facts = true);

static const struct pane_class *const panes[] = {
	&irqs, &ports, &pic, &pit, &serial, &rtc, &pci, &cpus, NULL
};

const struct screen_class screen_devices = {
	.name = "devices",
	.title = "Devices",
	.help = "interrupt controllers, timers, serial port, PCI, I/O ports",
	.of_vm = true,
	.panes = panes,
	.layouts = { { 0, 0, "v(h(irq,pic:36):8,h(pit,serial:38):6,h(ports,pci:38))" },
		     { 110, 30, "v(h(irq,v(pic:4,pit)):9,h(v(serial,rtc:4):60,v(cpus:8,pci)):13,ports)" } },
};

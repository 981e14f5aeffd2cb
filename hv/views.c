/* SPDX-License-Identifier: GPL-3.0-or-later
 * The machine's views. Owner: struct machine. Rows of a device come from the device. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "hv/boot/acpi.h"
#include "hv/machine_int.h"
#include "hv/views_int.h"
#include "hv/ram.h"

#define DEV_VIEW(slot, rows_fn)                                                                              \
	static const char *slot##_view_rows(void *owner, const char *arg, struct row_sink *s)                \
	{                                                                                                    \
		(void)arg;                                                                                   \
		rows_fn(((struct machine *)owner)->board.dev[SLOT_##slot], s);                               \
		return NULL;                                                                                 \
	}
DEV_VIEW(pic, pic_rows)
DEV_VIEW(pit, pit_rows)
DEV_VIEW(rtc, rtc_rows)
DEV_VIEW(com1, uart_rows)
DEV_VIEW(kbd, mouse_rows)

#define PCI_VIEW(name)                                                                                       \
	static const char *name##_view(void *owner, const char *arg, struct row_sink *s)                     \
	{                                                                                                    \
		return name##_rows(((struct machine *)owner)->board.dev[SLOT_pci], arg, s);                  \
	}
PCI_VIEW(pci)
PCI_VIEW(pci_region)
PCI_VIEW(pci_config)

static const struct view_col pic_cols[] = {
	{ "chip", "chip", VAL_STR, "", "master (IRQ 0-7) or slave (IRQ 8-15)" },
	{ "irr", "irr", VAL_HEX, "", "interrupt request register" },
	{ "isr", "isr", VAL_HEX, "", "in-service register" },
	{ "imr", "imr", VAL_HEX, "", "interrupt mask register" },
	{ "lines", "lines", VAL_HEX, "", "input levels" },
	{ "elcr", "elcr", VAL_HEX, "", "inputs that are level triggered" },
	{ "base", "base", VAL_HEX, "", "vector of input 0" },
	{ "lowest", "lowest", VAL_UINT, "", "input of lowest priority" },
	{ "auto_eoi", "auto-eoi", VAL_BOOL, "", "end of interrupt at acknowledgement" },
	{ "special", "special", VAL_BOOL, "", "special mask mode" },
	{ "spurious", "spurious", VAL_UINT, "", "acknowledgements with no request" },
};

static const struct view_col pit_cols[] = {
	{ "channel", "ch", VAL_UINT, "", "channel" },
	{ "mode", "mode", VAL_UINT, "", "counting mode 0-5" },
	{ "count", "count", VAL_UINT, "", "initial count, 0 when none is loaded" },
	{ "now", "now", VAL_UINT, "", "present count" },
	{ "out", "out", VAL_BOOL, "", "output level" },
	{ "gate", "gate", VAL_BOOL, "", "gate level" },
	{ "hz", "hz", VAL_REAL, "Hz", "rate of a periodic mode" },
	{ "irqs", "irqs", VAL_UINT, "", "interrupts raised" },
};

static const struct view_col rtc_cols[] = {
	{ "date", "date", VAL_STR, "", "date and time of day (UTC)" },
	{ "a", "a", VAL_HEX, "", "register A" },
	{ "b", "b", VAL_HEX, "", "register B" },
	{ "c", "c", VAL_HEX, "", "register C" },
	{ "hz", "hz", VAL_REAL, "Hz", "periodic rate" },
	{ "index", "index", VAL_HEX, "", "register selected at port 0x70" },
	{ "shutdown", "shutdown", VAL_HEX, "", "CMOS shutdown status" },
};

static const struct view_col mouse_cols[] = {
	{ "kind", "kind", VAL_STR, "", "what the driver has chosen" },
	{ "reporting", "reporting", VAL_BOOL, "", "the driver wants to be told of moves" },
	{ "rate", "rate", VAL_UINT, "Hz", "sampling rate that the driver has set" },
	{ "resolution", "resolution", VAL_UINT, "1/mm", "counts that it has set" },
	{ "buttons", "buttons", VAL_HEX, "", "those that are down: left 1, right 2, middle 4" },
	{ "moves", "moves", VAL_UINT, "", "times that it was moved or clicked" },
	{ "packets", "packets", VAL_UINT, "", "what the guest was told of that" },
	{ "lost", "lost", VAL_UINT, "", "moves and clicks while the driver did not want to know" },
	{ "waiting", "waiting", VAL_UINT, "B", "bytes that the guest has not read yet" },
};

static const struct view_col serial_cols[] = {
	{ "name", "name", VAL_STR, "", "port" },
	{ "port", "port", VAL_HEX, "", "first I/O port" },
	{ "irq", "irq", VAL_UINT, "", "interrupt line" },
	{ "baud", "baud", VAL_UINT, "Bd", "rate by the divisor latch" },
	{ "ier", "ier", VAL_HEX, "", "interrupt enable register" },
	{ "iir", "iir", VAL_HEX, "", "interrupt identification" },
	{ "lcr", "lcr", VAL_HEX, "", "line control" },
	{ "mcr", "mcr", VAL_HEX, "", "modem control" },
	{ "lsr", "lsr", VAL_HEX, "", "line status" },
	{ "msr", "msr", VAL_HEX, "", "modem status" },
	{ "fifo", "fifo", VAL_UINT, "B", "bytes in the receiver" },
	{ "rx", "rx", VAL_UINT, "B", "bytes received" },
	{ "tx", "tx", VAL_UINT, "B", "bytes sent" },
};

static const struct view_col pci_cols[] = {
	{ "address", "address", VAL_STR, "", "bus:device.function" },
	{ "kind", "kind", VAL_STR, "", "name of the class" },
	{ "name", "name", VAL_STR, "", "name of the function" },
	{ "vendor", "vendor", VAL_HEX, "", "vendor id" },
	{ "device", "device", VAL_HEX, "", "device id" },
	{ "class", "class", VAL_HEX, "", "class, subclass, interface" },
	{ "revision", "rev", VAL_HEX, "", "revision" },
	{ "command", "command", VAL_HEX, "", "command register" },
	{ "wire", "wire", VAL_STR, "", "interrupt pin, and the wire it is connected to" },
	{ "line", "irq", VAL_UINT, "", "interrupt line that the ISA bridge routes the wire to" },
	{ "intx", "intx", VAL_BOOL, "", "the device asserts its pin" },
	{ "raised", "raised", VAL_UINT, "", "times it did" },
	{ "messages", "messages", VAL_UINT, "", "message-signalled interrupts sent" },
	{ "denied", "denied", VAL_UINT, "", "DMA and messages lost, as it was no bus master" },
	{ "board", "board", VAL_STR, "", "name of the device on the board" },
	{ "regions", "regions", VAL_STR, "", "base address registers and ROM: address+size" },
	{ "capabilities", "capabilities", VAL_STR, "", "offset and kind; + or -: enabled or not" },
};

static const struct view_col pci_region_cols[] = {
	{ "address", "address", VAL_STR, "", "bus:device.function" },
	{ "board", "device", VAL_STR, "", "name of the device on the board" },
	{ "region", "region", VAL_UINT, "", "base address register 0-5; 6: expansion ROM" },
	{ "type", "type", VAL_STR, "", "ports or memory" },
	{ "at", "at", VAL_ADDR, "", "address in the register" },
	{ "size", "size", VAL_UINT, "B", "size" },
	{ "state", "state", VAL_STR, "", "whether accesses to it reach the device" },
};

static const struct view_col pci_config_cols[] = {
	{ "address", "address", VAL_STR, "", "bus:device.function" },
	{ "offset", "offset", VAL_HEX, "", "offset of the first byte" },
	{ "bytes", "bytes", VAL_STR, "", "sixteen bytes of configuration space" },
};

static const struct view_col port_cols[] = {
	{ "first", "first", VAL_HEX, "", "first port" },
	{ "last", "last", VAL_HEX, "", "last port" },
	{ "device", "device", VAL_STR, "", "device" },
	{ "reads", "reads", VAL_UINT, "", "read accesses" },
	{ "writes", "writes", VAL_UINT, "", "write accesses" },
	{ "help", "what", VAL_HELP, "", "what the device is" },
};

static const char *port_rows(void *owner, const char *arg, struct row_sink *s)
{
	struct bus *b = &((struct machine *)owner)->board.bus;

	(void)arg;
	for (unsigned i = 1; i <= b->nranges; i++) {
		const struct port_range *r = &b->range[i % b->nranges];

		if (!r->dev && r != b->range)
			continue;
		s->row(s, (const struct value[]){
			      V_HEX(r->first), V_HEX(r->last), V_STR(r->dev ? r->dev->name : "(unanswered)"),
			      V_UINT(r->reads), V_UINT(r->writes),
			      V_STR(r->dev ? r->dev->cls->help : "ports without a device") });
	}
	return NULL;
}

static const struct view_col mmio_cols[] = {
	{ "first", "first", VAL_ADDR, "",
	  "first guest-physical address; none: accesses that no device answered, and to ROM" },
	{ "last", "last", VAL_ADDR, "", "last guest-physical address" },
	{ "device", "device", VAL_STR, "", "device" },
	{ "region", "region", VAL_UINT, "", "the device's number for the range" },
	{ "reads", "reads", VAL_UINT, "", "read accesses" },
	{ "writes", "writes", VAL_UINT, "", "write accesses" },
	{ "recent", "recent", VAL_ADDR, "", "address of the last access" },
	{ "help", "what", VAL_HELP, "", "what the device is" },
};

static const char *mmio_rows(void *owner, const char *arg, struct row_sink *s)
{
	const struct mmio_bus *b = &((struct machine *)owner)->board.mmio;
	const struct mmio_misses *n = &b->missed;
	gpa rom_recent;
	uint64_t rom_writes = mm_rom_writes(((struct machine *)owner)->vm, &rom_recent);

	(void)arg;
	for (const struct mmio_range *r = b->range; r < b->range + b->nranges; r++)
		s->row(s, (const struct value[]){ V_ADDR(r->first), V_ADDR(r->last), V_STR(r->dev->name),
						  V_UINT(r->region), V_UINT(r->reads), V_UINT(r->writes),
						  r->reads + r->writes ? V_ADDR(r->recent) : V_NONE,
						  V_STR(r->dev->cls->help) });
	s->row(s,
	       (const struct value[]){ V_NONE, V_NONE, V_STR("(unanswered)"), V_NONE, V_UINT(n->reads),
				       V_UINT(n->writes), n->reads + n->writes ? V_ADDR(n->recent) : V_NONE,
				       V_STR("addresses without memory or device") });
	s->row(s, (const struct value[]){ V_NONE, V_NONE, V_STR("(ROM)"), V_NONE, V_NONE, V_UINT(rom_writes),
					  rom_writes ? V_ADDR(rom_recent) : V_NONE,
					  V_STR("writes to ROM, which are dropped") });
	return NULL;
}

static const struct view_col range_cols[] = {
	{ "first", "first", VAL_ADDR, "", "first guest-physical address" },
	{ "last", "last", VAL_ADDR, "", "last guest-physical address" },
	{ "size", "KiB", VAL_UINT, "KiB", "size" },
	{ "type", "type", VAL_STR, "", "kind of memory" },
};

static void range_row(struct row_sink *s, gpa first, uint64_t len, const char *type)
{
	if (len)
		s->row(s, (const struct value[]){ V_ADDR(first), V_ADDR(first + len - 1), V_UINT(len >> 10),
						  V_STR(type) });
}

static const char *e820_rows(void *owner, const char *arg, struct row_sink *s)
{
	struct machine *m = owner;
	struct memory_range map[E820_MAX];
	unsigned n = image_memory_map(m->memory, map);

	(void)arg;
	if (image_wants_bios(&m->cfg.image))
		return "the BIOS makes the memory map of this machine";
	for (unsigned i = 0; i < n; i++)
		range_row(s, map[i].base, map[i].len, map[i].type == E820_RAM ? "usable" : "reserved");
	return NULL;
}

static const char *shadow_type(const struct pam_segment *p)
{
	switch (p->rights) {
	case 0:
		return p->at < 0xe0000 ? "no memory" : "ROM: BIOS";
	case PAM_READ:
		return "RAM: shadow, read-only";
	case PAM_WRITE:
		return "RAM: shadow, write-only";
	default:
		return "RAM: shadow";
	}
}

/* Shadow memory as the host bridge has it: one row for neighbours that are alike. */
static void shadow_rows(struct machine *m, struct row_sink *s)
{
	struct pam_segment run = i440fx_pam(m->board.dev[SLOT_i440fx], 0);

	for (unsigned i = 1; i < PAM_SEGMENTS; i++) {
		struct pam_segment p = i440fx_pam(m->board.dev[SLOT_i440fx], i);

		if (!strcmp(shadow_type(&run), shadow_type(&p))) {
			run.len += p.len;
			continue;
		}
		range_row(s, run.at, run.len, shadow_type(&run));
		run = p;
	}
	range_row(s, run.at, run.len, shadow_type(&run));
}

static const char *mtree_rows(void *owner, const char *arg, struct row_sink *s)
{
	struct machine *m = owner;
	const struct mmio_bus *b = &m->board.mmio;
	bool bios = image_wants_bios(&m->cfg.image);
	uint64_t low = ram_low(m->memory);
	char device[64];

	(void)arg;
	range_row(s, 0, 0xa0000, "RAM");
	range_row(s, 0xb0000, 0x10000, "video RAM");
	if (bios) {
		shadow_rows(m, s);
	} else {
		range_row(s, 0xc0000, 0x20000, "RAM");
		range_row(s, ACPI_AT, ACPI_AREA, "RAM: ACPI tables");
		range_row(s, ACPI_AT + ACPI_AREA, 0x20000 - ACPI_AREA, "RAM: reserved");
	}
	range_row(s, 0x100000, low - 0x100000, "RAM");
	range_row(s, low, RAM_HIGH_AT - m->loader.bios.len - low, "no memory");
	for (const struct mmio_range *r = b->range; r < b->range + b->nranges; r++) {
		snprintf(device, sizeof(device), "device: %s", r->dev->name);
		range_row(s, r->first, r->last - r->first + 1, device);
	}
	range_row(s, RAM_HIGH_AT - m->loader.bios.len, m->loader.bios.len, "ROM: BIOS");
	range_row(s, RAM_HIGH_AT, ram_high(m->memory), "RAM");
	return NULL;
}

static const struct view_col cpu_cols[] = {
	{ "id", "cpu", VAL_UINT, "", "virtual processor" },
	{ "engine", "engine", VAL_STR, "", "the engine that executes it" },
	{ "model", "model", VAL_STR, "", "CPUID model" },
	{ "state", "state", VAL_STR, "", "running, halted, stopped, or how it ended" },
	{ "cs", "cs", VAL_HEX, "", "code segment selector" },
	{ "pc", "pc", VAL_ADDR, "", "linear address of the next instruction" },
	{ "mode", "mode", VAL_STR, "", "processor mode" },
	{ "cpl", "cpl", VAL_UINT, "", "privilege level" },
	{ "icount", "icount", VAL_UINT, "", "instructions retired (icount clock)" },
	{ "clock_ns", "clock", VAL_UINT, "ns", "VM time" },
	{ "tsc_khz", "tsc", VAL_UINT, "kHz", "time-stamp counter rate" },
	{ "halts", "halts", VAL_UINT, "", "waits in HLT" },
	{ "halted_ns", "idle", VAL_UINT, "ns", "VM time spent in HLT" },
	{ "sandbox", "sandbox", VAL_STR, "",
	  "whether its threads are restricted to the system calls they need" },
	{ "pages", "pages", VAL_STR, "", "how the host maps the guest's pages: by userfaultfd, or slower" },
};

static const char *const state_names[] = {
	[MACHINE_STOPPED] = "stopped", [MACHINE_RUNNING] = "running", [MACHINE_OFF] = "off",
	[MACHINE_EXITED] = "exited",   [MACHINE_DEAD] = "dead",	      [MACHINE_FAILED] = "failed",
};

static const char *mode_name(const struct cpu *c)
{
	if (!cpu_pe(c))
		return "real";
	if (cpu_v86(c))
		return "v86";
	if (cpu_long(c))
		return cpu_64(c) ? "64-bit" : "compatibility";
	return c->seg[SEG_CS].attr & SA_DB ? "protected, 32-bit" : "protected, 16-bit";
}

static const char *cpu_rows(void *owner, const char *arg, struct row_sink *s)
{
	struct machine *m = owner;
	const struct cpu *c = &m->v->cpu;
	enum machine_state st = machine_state(m);
	const char *slow = m->v->mmu ? mmu_pages_slow(m->v->mmu) : NULL;

	(void)arg;
	if (m->held && st == MACHINE_STOPPED)
		st = MACHINE_RUNNING;
	s->row(s, (const struct value[]){
		      V_UINT(0), V_STR(m->v->ops->name), V_STR(m->cfg.cpu_model ? m->cfg.cpu_model : "host"),
		      V_STR(st == MACHINE_STOPPED && c->halted ? "stopped, halted" : state_names[st]),
		      V_HEX(c->seg[SEG_CS].sel), V_ADDR(cpu_pc(c)), V_STR(mode_name(c)), V_UINT(c->cpl),
		      m->board.clock.mode == CLOCK_ICOUNT ? V_UINT(m->v->icount) : V_NONE,
		      V_UINT(machine_clock_ns(m)), V_UINT(m->board.clock.tsc_khz), V_UINT(m->halts),
		      V_UINT(m->halted_ns), V_STR(m->cfg.sandbox ? m->cfg.sandbox : "off"),
		      slow	  ? V_STR(slow)
		      : m->v->mmu ? V_STR("opened by userfaultfd")
				  : V_NONE });
	return NULL;
}

/* ---- the screen ---- */

static const struct view_col debug_cols[] = {
	{ "text", "text", VAL_STR, "", "a line the guest wrote to port 0xe9 or 0x402" },
};

static const char *debug_rows(void *owner, const char *arg, struct row_sink *s)
{
	const struct byte_ring *r = &((struct machine *)owner)->board.debug;
	uint64_t total = r->total, at = total > BOARD_RING ? total - BOARD_RING : 0;
	char line[256];
	size_t n = 0;

	(void)arg;
	for (; at < total; at++) {
		char c = (char)r->buf[at % BOARD_RING];

		if (c != '\n' && c != '\r' && n < sizeof(line) - 1)
			line[n++] = c >= 0x20 && c < 0x7f ? c : ' ';
		if (c != '\n' && n < sizeof(line) - 1 && at + 1 < total)
			continue;
		line[n] = 0;
		s->row(s, (const struct value[]){ V_STR(line) });
		n = 0;
	}
	return NULL;
}

static const struct view_col block_cols[] = {
	{ "drive", "drive", VAL_STR, "", "where it is attached: floppy, ide, virtio, with its number" },
	{ "kind", "back end", VAL_STR, "", "what is behind it: raw, overlay, nbd" },
	{ "file", "file", VAL_STR, "", "image file or URI" },
	{ "size", "size", VAL_UINT, "bytes", "size of the medium" },
	{ "writable", "writable", VAL_BOOL, "", "the guest may write" },
	{ "reads", "reads", VAL_UINT, "", "read requests" },
	{ "read_bytes", "bytes read", VAL_UINT, "bytes", "bytes read" },
	{ "writes", "writes", VAL_UINT, "", "write requests" },
	{ "write_bytes", "bytes written", VAL_UINT, "bytes", "bytes written" },
	{ "flushes", "flushes", VAL_UINT, "", "flush requests" },
	{ "discards", "discards", VAL_UINT, "", "discard requests" },
	{ "errors", "errors", VAL_UINT, "", "requests that failed" },
	{ "last_error", "last error", VAL_STR, "", "why the last of them failed" },
	{ "delayed", "delayed", VAL_UINT, "", "requests that a limit held back" },
	{ "at_once", "at once", VAL_UINT, "", "requests that were served without the drive's thread" },
	{ "depth", "depth", VAL_UINT, "", "requests in flight" },
	{ "depth_max", "most", VAL_UINT, "", "most requests in flight so far" },
	{ "latency", "latency", VAL_UINT, "ns", "mean VM time from a request to its completion" },
	{ "latency_max", "longest", VAL_UINT, "ns", "the longest" },
};

static const char *block_rows(void *owner, const char *arg, struct row_sink *s)
{
	static const char *const where[] = {
		[DRIVE_FLOPPY] = "floppy", [DRIVE_DISK] = "ide", [DRIVE_CD] = "ide"
	};
	const struct drives *ds = &((struct machine *)owner)->loader.drives;

	(void)arg;
	for (unsigned i = 0; i < ds->n; i++) {
		const struct drive *d = &ds->d[i];
		const struct block_stats *t = d->block ? block_stats(d->block) : NULL;
		char name[32];

		if (!t)
			continue;
		snprintf(name, sizeof(name), "%s%u", d->virtio ? "virtio" : where[d->kind], d->unit);
		s->row(s, (const struct value[]){
			      V_STR(name), V_STR(block_kind(d->block)), V_STR(d->path),
			      V_UINT(block_size(d->block)), V_BOOL(!d->read_only),
			      V_UINT(t->requests[BLOCK_READ]), V_UINT(t->bytes[BLOCK_READ]),
			      V_UINT(t->requests[BLOCK_WRITE]), V_UINT(t->bytes[BLOCK_WRITE]),
			      V_UINT(t->requests[BLOCK_FLUSH]), V_UINT(t->requests[BLOCK_DISCARD]),
			      V_UINT(t->errors), t->last_error ? V_STR(strerror(t->last_error)) : V_NONE,
			      V_UINT(t->delayed), V_UINT(t->at_once), V_UINT(t->depth), V_UINT(t->depth_max),
			      V_UINT(t->completed ? t->latency / t->completed : 0), V_UINT(t->latency_max) });
	}
	return NULL;
}

static const struct view views[] = {
	{ .name = "cpus",
	  .help = "virtual processors",
	  VIEW_COLS(cpu_cols),
	  .rows = cpu_rows,
	  .flags = VIEW_VERTICAL | VIEW_LIVE },
	{ .name = "pic",
	  .help = "interrupt controllers",
	  VIEW_COLS(pic_cols),
	  .rows = pic_view_rows,
	  .flags = VIEW_LIVE },
	{ .name = "pit",
	  .help = "interval timer channels",
	  VIEW_COLS(pit_cols),
	  .rows = pit_view_rows,
	  .flags = VIEW_LIVE },
	{ .name = "rtc",
	  .help = "real-time clock",
	  VIEW_COLS(rtc_cols),
	  .rows = rtc_view_rows,
	  .flags = VIEW_VERTICAL | VIEW_LIVE },
	{ .name = "serial",
	  .help = "serial ports",
	  VIEW_COLS(serial_cols),
	  .rows = com1_view_rows,
	  .flags = VIEW_VERTICAL | VIEW_LIVE },
	{ .name = "mouse",
	  .help = "PS/2 mouse",
	  VIEW_COLS(mouse_cols),
	  .rows = kbd_view_rows,
	  .flags = VIEW_VERTICAL | VIEW_LIVE },
	{ .name = "pci",
	  .help = "PCI functions, or one: info pci 00:01.0",
	  VIEW_COLS(pci_cols),
	  .rows = pci_view,
	  .flags = VIEW_LIVE },
	{ .name = "pci-regions",
	  .help = "ports, memory and ROMs of PCI functions, or of one",
	  VIEW_COLS(pci_region_cols),
	  .rows = pci_region_view,
	  .flags = VIEW_LIVE },
	{ .name = "pci-config",
	  .help = "configuration space of PCI functions, or of one",
	  VIEW_COLS(pci_config_cols),
	  .rows = pci_config_view,
	  .flags = VIEW_LIVE },
	{ .name = "block",
	  .help = "drives, what is behind them and their use",
	  VIEW_COLS(block_cols),
	  .rows = block_rows,
	  .flags = VIEW_LIVE | VIEW_VERTICAL },
	{ .name = "mtree",
	  .help = "guest-physical memory map",
	  VIEW_COLS(range_cols),
	  .rows = mtree_rows,
	  .flags = VIEW_LIVE },
	{ .name = "e820",
	  .help = "memory map that the guest gets",
	  VIEW_COLS(range_cols),
	  .rows = e820_rows,
	  .flags = VIEW_LIVE },
	{ .name = "ports",
	  .help = "I/O ports and their use",
	  VIEW_COLS(port_cols),
	  .rows = port_rows,
	  .flags = VIEW_LIVE },
	{ .name = "mmio",
	  .help = "memory ranges of devices and their use",
	  VIEW_COLS(mmio_cols),
	  .rows = mmio_rows },
	{ .name = "debugcon",
	  .help = "last lines of the guest's debug console",
	  VIEW_COLS(debug_cols),
	  .rows = debug_rows },
};

const struct view *const machine_views[] = {
	&views[0],	&views[1],     &views[2],     &irq_views[0],	   &irq_views[1],  &irq_views[2],
	&irq_views[3],	&irq_views[4], &views[3],     &views[4],	   &views[5],	   &views[6],
	&views[7],	&views[8],     &views[9],     &views[10],	   &views[11],	   &views[12],
	&views[13],	&views[14],    &view_screen,  &view_worlds,	   &view_switches, &view_hosted,
	&view_net,	&view_virtio,  &view_balloon, &view_balloon_stats, &view_time,	   &view_devices,
	&view_counters, &view_qtree,   NULL,
};

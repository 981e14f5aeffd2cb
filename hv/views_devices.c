/* SPDX-License-Identifier: GPL-3.0-or-later
 * The view "devices": all there are, with the ports and the memory at which they are now; and "counters":
 * what some of them count. Owner: struct machine. */
#include <stdio.h>
#include <string.h>

#include "hv/dev/pci_int.h"
#include "hv/machine_int.h"
#include "hv/views_int.h"

static const struct view_col device_cols[] = {
	{ "device", "device", VAL_STR, "", "its name" },
	{ "world", "world", VAL_STR, "",
	  "vmm: accesses are served where the guest runs; host: behind a world switch" },
	{ "ports", "ports", VAL_STR, "", "I/O ports, as they are mapped now" },
	{ "memory", "memory", VAL_STR, "", "guest-physical addresses, as they are mapped now" },
	{ "accesses", "accesses", VAL_UINT, "", "reads and writes of both" },
	{ "what", "what", VAL_HELP, "", "the device in words" },
};

struct places {
	char ports[300], memory[300];
	uint64_t accesses;
};

static void add(char *buf, size_t size, uint64_t first, uint64_t last)
{
	size_t n = strlen(buf);

	if (first == last)
		snprintf(buf + n, size - n, "%s%llx", n ? " " : "", (unsigned long long)first);
	else
		snprintf(buf + n, size - n, "%s%llx-%llx", n ? " " : "", (unsigned long long)first,
			 (unsigned long long)last);
}

static struct places places_of(const struct machine *m, const struct dev *d)
{
	const struct bus *b = &m->board.bus;
	const struct mmio_bus *mem = &m->board.mmio;
	struct places p = { .accesses = 0 };

	for (unsigned i = 1; i < b->nranges; i++)
		if (b->range[i].dev == d) {
			add(p.ports, sizeof(p.ports), b->range[i].first, b->range[i].last);
			p.accesses += b->range[i].reads + b->range[i].writes;
		}
	for (unsigned i = 0; i < mem->nranges; i++)
		if (mem->range[i].dev == d) {
			add(p.memory, sizeof(p.memory), mem->range[i].first, mem->range[i].last);
			p.accesses += mem->range[i].reads + mem->range[i].writes;
		}
	return p;
}

static const char *device_rows(void *owner, const char *arg, struct row_sink *s)
{
	struct machine *m = owner;
	bool any = false;

	for (unsigned i = 0; i < m->board.ndevs; i++) {
		const struct dev *d = m->board.dev[i];
		struct places p = places_of(m, d);

		if (*arg && strcmp(arg, d->name))
			continue;
		any = true;
		s->row(s, (const struct value[]){
			      V_STR(d->name), V_STR(d->cls->hosted && !d->direct ? "host" : "vmm"),
			      p.ports[0] ? V_STR(p.ports) : V_NONE, p.memory[0] ? V_STR(p.memory) : V_NONE,
			      V_UINT(p.accesses), V_STR(d->cls->help) });
	}
	return any ? NULL : "there is no device of that name";
}

/* ---- by bus ---- */

static const struct view_col qtree_cols[] = {
	{ "bus", "bus", VAL_STR, "",
	  "pci; isa: ports without a PCI function; system: memory alone, or neither" },
	{ "place", "place", VAL_STR, "", "of a PCI function" },
	{ "device", "device", VAL_STR, "", "its name" },
	{ "lines", "lines", VAL_STR, "", "interrupt lines; MSI-X: messages instead, now" },
	{ "ports", "ports", VAL_STR, "", "I/O ports, as they are mapped now" },
	{ "memory", "memory", VAL_STR, "", "guest-physical addresses, as they are mapped now" },
	{ "accesses", "accesses", VAL_UINT, "", "reads and writes of both" },
	{ "what", "what", VAL_HELP, "", "the device or the function in words" },
};

static void qtree_row(const struct machine *m, const struct dev *d, const char *bus,
		      const struct pci_function *f, struct row_sink *s)
{
	struct places p = places_of(m, d);
	const char *lines = d->cls->lines;
	char place[8] = "", line[16];

	if (f)
		snprintf(place, sizeof(place), "00:%02x.%x", f->devfn >> 3 & 31u, f->devfn & 7u);
	if (f && f->cls->pin) {
		snprintf(line, sizeof(line), "%u", f->cfg[PCI_LINE]);
		lines = pci_msix_on(f) ? "MSI-X" : pci_msi_on(f) ? "MSI" : line;
	}
	s->row(s, (const struct value[]){ V_STR(bus), f ? V_STR(place) : V_NONE, V_STR(d->name),
					  lines ? V_STR(lines) : V_NONE, p.ports[0] ? V_STR(p.ports) : V_NONE,
					  p.memory[0] ? V_STR(p.memory) : V_NONE, V_UINT(p.accesses),
					  V_STR(f ? f->cls->name : d->cls->help) });
}

static bool has_function(const struct pci *bus, const struct dev *d)
{
	for (unsigned i = 0; i < PCI_MAX_FUNCTIONS; i++)
		if (bus->fn[i] && bus->fn[i]->d == d)
			return true;
	return false;
}

static const char *qtree_rows(void *owner, const char *arg, struct row_sink *s)
{
	const struct machine *m = owner;
	const struct board *b = &m->board;
	const struct pci *bus = (const struct pci *)b->dev[SLOT_pci];

	(void)arg;
	for (unsigned ports = 0; ports < 2; ports++)
		for (unsigned i = 0; i < b->ndevs; i++)
			if (!has_function(bus, b->dev[i]) && !!places_of(m, b->dev[i]).ports[0] == ports)
				qtree_row(m, b->dev[i], ports ? "isa" : "system", NULL, s);
	for (unsigned devfn = 0; devfn < 256; devfn++) {
		const struct pci_function *f = pci_at(bus, devfn);

		if (f)
			qtree_row(m, f->d, "pci", f, s);
	}
	return NULL;
}

const struct view view_qtree = {
	.name = "qtree",
	.help = "devices by the bus they are on, with interrupt lines, ports and memory",
	VIEW_COLS(qtree_cols),
	.rows = qtree_rows,
	.flags = VIEW_LIVE,
};

/* ---- what they count ---- */

static const struct view_col counter_cols[] = {
	{ "device", "device", VAL_STR, "", "its name" },
	{ "counter", "counter", VAL_STR, "", "what it counts" },
	{ "value", "value", VAL_UINT, "", "how many" },
	{ "what", "what", VAL_HELP, "", "the counter in words" },
};

static const char *counter_rows(void *owner, const char *arg, struct row_sink *s)
{
	const struct board *b = &((struct machine *)owner)->board;

	if (*arg && !board_find(b, arg))
		return "there is no device of that name";
	for (unsigned i = 0; i < b->ndevs; i++) {
		const struct dev *d = b->dev[i];

		if (*arg && strcmp(arg, d->name))
			continue;
		for (unsigned k = 0; k < d->cls->ncounters; k++) {
			const struct dev_counter *c = &d->cls->counters[k];
			uint64_t val;

			memcpy(&val, (const char *)d + c->off, sizeof(val));
			s->row(s, (const struct value[]){ V_STR(d->name), V_STR(c->name), V_UINT(val),
							  V_STR(c->help) });
		}
	}
	return NULL;
}

const struct view view_counters = {
	.name = "counters",
	.help = "what small devices have counted ('info counters NAME': one device)",
	VIEW_COLS(counter_cols),
	.rows = counter_rows,
	.flags = VIEW_LIVE,
};
const struct view view_devices = {
	.name = "devices",
	.help =
	    "the machine's devices: where they are, and how much they are used ('info devices NAME': one)",
	VIEW_COLS(device_cols),
	.rows = device_rows,
	.flags = VIEW_LIVE,
};

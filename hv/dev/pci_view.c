/* SPDX-License-Identifier: GPL-3.0-or-later
 * What views show of the PCI bus, much as lspci does: functions, their regions, configuration space. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/view.h"
#include "hv/dev/pci_int.h"

enum { ADDRESS = 8, TEXT = 160, LINE_BYTES = 16 };

/* Classes by class and subclass (PCI Code and ID Assignment 1.11, appendix D). */
static const struct class_row {
	uint16_t code;
	const char *name;
} class_names[] = {
	{ 0x0100, "SCSI storage controller" },
	{ 0x0101, "IDE interface" },
	{ 0x0102, "Floppy disk controller" },
	{ 0x0106, "SATA controller" },
	{ 0x0180, "Mass storage controller" },
	{ 0x0200, "Ethernet controller" },
	{ 0x0300, "VGA compatible controller" },
	{ 0x0380, "Display controller" },
	{ 0x0600, "Host bridge" },
	{ 0x0601, "ISA bridge" },
	{ 0x0604, "PCI bridge" },
	{ 0x0680, "Bridge" },
	{ 0x0780, "Communication controller" },
	{ 0x0500, "RAM memory" },
	{ 0x0c03, "USB controller" },
	{ 0x0c05, "SMBus" },
	{ 0x00ff, "Unclassified device" },
};

static const char *class_name(uint32_t class_code)
{
	for (unsigned i = 0; i < ARRAY_LEN(class_names); i++)
		if (class_names[i].code == class_code >> 8)
			return class_names[i].name;
	return "Device";
}

static void address_text(const struct pci_function *f, char out[ADDRESS])
{
	snprintf(out, ADDRESS, "00:%02x.%x", f->devfn >> 3 & 31u, f->devfn & 7u);
}

/* Is F what ARG asks for: "00:03.0", "03.0", or nothing, which means all? */
static bool chosen(const struct pci_function *f, const char *arg)
{
	char text[ADDRESS];

	address_text(f, text);
	return !*arg || !strcmp(arg, text) || !strcmp(arg, text + 3);
}

static const char *region_type(const struct pci_function *f, unsigned region)
{
	const struct pci_bar *bar = &f->cls->bar[region % PCI_BARS];

	if (region == PCI_ROM)
		return "ROM";
	if (bar->kind == PCI_BAR_IO)
		return "ports";
	if (bar->kind == PCI_BAR_MEMORY64)
		return bar->prefetchable ? "memory, 64-bit, prefetchable" : "memory, 64-bit";
	return bar->prefetchable ? "memory, prefetchable" : "memory";
}

static const char *region_state(const struct pci_function *f, unsigned region)
{
	bool io = region != PCI_ROM && f->cls->bar[region].kind == PCI_BAR_IO;

	if (f->mapped[region] != PCI_UNMAPPED)
		return "decoded";
	if (!pci_region_address(f, region))
		return "no address";
	if (!(pci_command(f) & (io ? PCI_IO : PCI_MEMORY)) ||
	    (region == PCI_ROM && !(f->cfg[PCI_ROM_BAR] & 1)))
		return "disabled";
	return "refused: not free";
}

/* Append TEXT to OUT, with a comma where there is some already. */
static void append(char out[TEXT], const char *text)
{
	size_t n = strlen(out);

	snprintf(out + n, TEXT - n, "%s%s", n ? ", " : "", text);
}

static void regions_text(const struct pci_function *f, char out[TEXT])
{
	char text[48];

	out[0] = 0;
	for (unsigned r = 0; r < PCI_REGIONS; r++) {
		uint64_t size = pci_region_size(f, r);

		if (!size)
			continue;
		snprintf(text, sizeof(text), "%s%c %llx+%llx%s", r == PCI_ROM ? "ROM" : "BAR",
			 r == PCI_ROM ? ' ' : (char)('0' + r), (unsigned long long)pci_region_address(f, r),
			 (unsigned long long)size, f->mapped[r] == PCI_UNMAPPED ? " [off]" : "");
		append(out, text);
	}
}

/* The list as a guest finds it. */
static void capabilities_text(const struct pci_function *f, char out[TEXT])
{
	unsigned at = f->cfg[PCI_CAPABILITIES];
	char text[32];

	out[0] = 0;
	for (unsigned n = 0; at >= PCI_DEVICE_SPECIFIC && at < PCI_CONFIG - 1 && n < 16;
	     n++, at = f->cfg[at + 1]) {
		const char *what = f->cfg[at] == PCI_CAP_VENDOR ? "vendor" : "other";

		if (at == f->cap_msi)
			what = pci_msi_on(f) ? "MSI+" : "MSI-";
		else if (at == f->cap_msix)
			what = pci_msix_on(f) ? "MSI-X+" : "MSI-X-";
		snprintf(text, sizeof(text), "[%02x] %s", at, what);
		append(out, text);
	}
}

static void function_row(const struct pci_function *f, const struct dev *piix, struct row_sink *s)
{
	char address[ADDRESS], regions[TEXT], caps[TEXT], irq[24] = "";

	address_text(f, address);
	regions_text(f, regions);
	capabilities_text(f, caps);
	if (f->cls->pin)
		snprintf(irq, sizeof(irq), "INT%c PIRQ%c", 'A' + f->cls->pin - 1, 'A' + (char)pci_wire(f));
	s->row(s, (const struct value[]){
		      V_STR(address), V_STR(class_name(f->cls->class_code)), V_STR(f->cls->name),
		      V_HEX(f->cfg[PCI_VENDOR] | f->cfg[PCI_VENDOR + 1] << 8),
		      V_HEX(f->cfg[PCI_VENDOR + 2] | f->cfg[PCI_VENDOR + 3] << 8), V_HEX(f->cls->class_code),
		      V_HEX(f->cfg[PCI_REVISION]), V_HEX(pci_command(f)), V_STR(irq),
		      f->cls->pin && piix_route(piix, pci_wire(f)) >= 0
			  ? V_UINT((uint64_t)piix_route(piix, pci_wire(f)))
			  : V_NONE,
		      V_BOOL(f->intx), V_UINT(f->raised), V_UINT(f->messages), V_UINT(f->denied),
		      V_STR(f->d->name), V_STR(regions), V_STR(caps) });
}

const char *pci_rows(struct dev *d, const char *arg, struct row_sink *s)
{
	struct pci *p = (struct pci *)d;
	bool any = false;

	for (unsigned devfn = 0; devfn < 256; devfn++) {
		const struct pci_function *f = pci_at(p, devfn);

		if (!f || !chosen(f, arg))
			continue;
		function_row(f, d->board->dev[SLOT_piix], s);
		any = true;
	}
	return any ? NULL : "no such PCI function";
}

const char *pci_region_rows(struct dev *d, const char *arg, struct row_sink *s)
{
	struct pci *p = (struct pci *)d;
	char address[ADDRESS];

	for (unsigned devfn = 0; devfn < 256; devfn++) {
		const struct pci_function *f = pci_at(p, devfn);

		for (unsigned r = 0; f && chosen(f, arg) && r < PCI_REGIONS; r++) {
			if (!pci_region_size(f, r))
				continue;
			address_text(f, address);
			s->row(s, (const struct value[]){
				      V_STR(address), V_STR(f->d->name), V_UINT(r), V_STR(region_type(f, r)),
				      V_ADDR(pci_region_address(f, r)), V_UINT(pci_region_size(f, r)),
				      V_STR(region_state(f, r)) });
		}
	}
	return NULL;
}

const char *pci_config_rows(struct dev *d, const char *arg, struct row_sink *s)
{
	struct pci *p = (struct pci *)d;
	char address[ADDRESS], text[3 * LINE_BYTES];
	bool any = false;

	for (unsigned devfn = 0; devfn < 256; devfn++) {
		const struct pci_function *f = pci_at(p, devfn);

		if (!f || !chosen(f, arg))
			continue;
		any = true;
		address_text(f, address);
		for (unsigned at = 0; at < PCI_CONFIG; at += LINE_BYTES) {
			for (unsigned i = 0; i < LINE_BYTES; i++)
				snprintf(text + 3 * i, sizeof(text) - 3 * i, "%02x ", f->cfg[at + i]);
			text[sizeof(text) - 1] = 0;
			s->row(s, (const struct value[]){ V_STR(address), V_HEX(at), V_STR(text) });
		}
	}
	return any ? NULL : "no such PCI function";
}

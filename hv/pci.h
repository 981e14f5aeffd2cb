/* SPDX-License-Identifier: GPL-3.0-or-later
 * PCI functions: what a device on the PCI bus is besides a struct dev. The device embeds a struct
 * pci_function, calls pci_add() when it opens, and has F_PCI() in its field table; the bus keeps
 * configuration space, moves the base address registers' ranges (their accesses arrive at the device's
 * mmio_read and mmio_write by the register's number, ports and memory alike), serves MSI-X tables and ROMs,
 * and resets all that before the device's own reset. Runs on the vCPU thread; all but pci_add(),
 * pci_capability(), pci_rom() and pci_assign() may be called from GPR-only code. */
#ifndef HV_PCI_H
#define HV_PCI_H
#include "hv/board.h"

enum {
	PCI_VENDOR = 0,
	PCI_COMMAND = 4,
	PCI_STATUS = 6,
	PCI_REVISION = 8,
	PCI_HEADER = 0xe,
	PCI_BAR0 = 0x10,
	PCI_SUBSYSTEM = 0x2c,
	PCI_ROM_BAR = 0x30,
	PCI_CAPABILITIES = 0x34,
	PCI_LINE = 0x3c,
	PCI_PIN = 0x3d,
	PCI_DEVICE_SPECIFIC = 0x40,
	PCI_CONFIG = 256
};
enum { PCI_IO = 1, PCI_MEMORY = 2, PCI_MASTER = 4, PCI_INTX_OFF = 0x400 }; /* of the command register */
enum { PCI_BARS = 6, PCI_ROM = 6, PCI_REGIONS = 7, PCI_MAX_VECTORS = 32, PCI_PIRQS = 4 };
enum { PCI_CAP_MSI = 5, PCI_CAP_VENDOR = 9, PCI_CAP_MSIX = 0x11 };
/* A place on bus 0. PCI_ANY: function 0 of the next free device number. */
#define PCI_AT(device, function) ((device) << 3 | (function))
enum { PCI_ANY = -1 };
#define PCI_UNMAPPED UINT64_MAX

/* A base address register. A MEMORY64 one takes the next register, too. */
struct pci_bar {
	enum { PCI_BAR_NONE, PCI_BAR_IO, PCI_BAR_MEMORY, PCI_BAR_MEMORY64 } kind;
	bool prefetchable;
	uint8_t sizes; /* as of struct mmio_range */
	uint64_t size; /* a power of two: at least 4 (ports), 16 (memory) */
};

struct pci_function;
struct pci_class {
	const char *name;
	uint16_t vendor, device, subsystem_vendor, subsystem;
	uint32_t class_code; /* class, subclass, interface */
	uint8_t revision;
	uint8_t pin;		/* 1 to 4: INTA# to INTD#; 0: none */
	uint8_t msi;		/* number of vectors: 0, or a power of two up to 32 */
	uint8_t msix, msix_bar; /* number of vectors, up to 32; the register for their table alone (4 KiB) */
	struct pci_bar bar[PCI_BARS];
	/* SIZE bytes of configuration space at REG are about to be read: put into f->cfg what changes by
	 * itself. They were written, as far as f->writable lets them. Either may be NULL. */
	void (*config_read)(struct pci_function *f, unsigned reg, unsigned size);
	void (*config_written)(struct pci_function *f, unsigned reg, unsigned size);
};

struct pci_function {
	const struct pci_class *cls;
	struct dev *d;
	uint8_t devfn, index;	   /* place on bus 0; number in the bus' list */
	uint8_t cap_msi, cap_msix; /* offsets in configuration space; 0: none */
	uint8_t cap_last, cap_end; /* the last capability; the first free offset */
	bool intx;		   /* the device asserts its pin */
	uint8_t cfg[PCI_CONFIG];
	uint8_t initial[PCI_CONFIG],
	    writable[PCI_CONFIG];     /* cfg after a reset; bits that a guest may change */
	uint64_t mapped[PCI_REGIONS]; /* where each region is decoded, or PCI_UNMAPPED */
	uint8_t msix_table[PCI_MAX_VECTORS * 16];
	uint32_t msix_pending;
	uint8_t *rom;
	uint32_t rom_len;		   /* a power of two */
	uint64_t raised, messages, denied; /* pin asserted; messages sent; DMA while no bus master */
};
#define F_PCI(type, f)                                                                                       \
	F_HEX(type, f.cfg), F_HEX(type, f.msix_table), F_NUM(type, f.msix_pending),                          \
	    F_NUM_IN(type, f.intx, 0, 1)

/* Put function F of device D on the bus: call when the device opens, and pci_remove() when it ends. False
 * with one line in ERR when the place is taken or the bus is full. */
bool pci_add(struct pci_function *f, const struct pci_class *cls, struct dev *d, int devfn, char *err,
	     size_t errlen);
void pci_remove(struct pci_function *f);
/* After pci_add(): add a capability of LEN bytes, ID and link first, to the list; return its offset, 0 when
 * there is no room. What a guest may write of it is up to f->writable. */
unsigned pci_capability(struct pci_function *f, uint8_t id, const void *bytes, unsigned len);
/* Likewise: give F an expansion ROM, a copy of the file PATH. False with one line in ERR. */
bool pci_rom(struct pci_function *f, const char *path, char *err, size_t errlen);

static inline unsigned pci_command(const struct pci_function *f)
{
	return f->cfg[PCI_COMMAND] | f->cfg[PCI_COMMAND + 1] << 8;
}
/* The interrupt pin. It has no effect while the function uses messages, or INTx is disabled. */
void pci_intx(struct pci_function *f, bool level);
bool pci_msi_on(const struct pci_function *f);
bool pci_msix_on(const struct pci_function *f);
/* Send message N, or keep it pending while it is masked. Nothing happens while MSI (MSI-X) is off. */
void pci_msi(struct pci_function *f, unsigned n);
void pci_msix(struct pci_function *f, unsigned n);
/* DMA of a bus master. False, and nothing done: it is none now, or there is no memory in part of the range.
 * What it writes to ROM is lost. */
bool pci_dma_read(struct pci_function *f, gpa a, void *buf, uint64_t n);
/* The same for what goes to a drive's medium. */
bool pci_dma_read_for_disk(struct pci_function *f, gpa a, void *buf, uint64_t n);
bool pci_dma_write(struct pci_function *f, gpa a, const void *buf, uint64_t n);

/* ---- the bus ---- */
/* Assign addresses and interrupt lines as a BIOS would, for guests that are entered without one. */
void pci_assign(struct board *b);
/* The interrupt line that wire N (0..3: PIRQA to PIRQD) is routed to; -1: none. */
int piix_route(const struct dev *d, unsigned n);
void piix_pirq(struct dev *d, unsigned n, bool level);
#endif

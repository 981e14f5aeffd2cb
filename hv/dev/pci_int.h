/* SPDX-License-Identifier: GPL-3.0-or-later
 * Private to the PCI bus: its state, shared by pci.c, pci_setup.c and pci_view.c. */
#ifndef HV_DEV_PCI_INT_H
#define HV_DEV_PCI_INT_H
#include "hv/pci.h"

enum { PCI_MAX_FUNCTIONS = 32 };
enum { MSIX_ENTRY = 16, MSIX_PBA = 0x800, MSIX_BAR_SIZE = 0x1000 };
/* Offsets in the capabilities, and bits of their control registers. */
enum { CAP_CONTROL = 2, MSI_ADDRESS = 4, MSI_DATA = 12, MSI_MASK = 16, MSI_PENDING = 20, MSI_LEN = 24 };
enum { MSIX_TABLE_REG = 4, MSIX_PBA_REG = 8, MSIX_LEN = 12 };
enum { MSI_ENABLE = 1, MSI_64 = 0x80, MSI_MASKABLE = 0x100, MSIX_ENABLE = 0x8000, MSIX_MASK_ALL = 0x4000 };
/* The bus' own regions: the MSI-X table of function N, and its ROM. */
enum { REGION_MSIX = 0, REGION_ROM = PCI_MAX_FUNCTIONS };

struct pci {
	struct dev d;
	uint32_t address; /* configuration address register */
	uint8_t reset;	  /* reset control register */
	uint8_t wires;	  /* levels of PIRQA to PIRQD, by bit: follows from the functions */
	struct pci_function *fn[PCI_MAX_FUNCTIONS]; /* NULL: free */
};

static inline uint32_t pci_get32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline void pci_put32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static inline void pci_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

/* The number of wire, 0 to 3, that F's pin is connected to: pins rotate by slot. */
static inline unsigned pci_wire(const struct pci_function *f)
{
	return (f->cls->pin - 1u + (f->devfn >> 3) - 1u) & 3;
}

/* Size of a region, the register of configuration space that holds its address, and the address. */
uint64_t pci_region_size(const struct pci_function *f, unsigned region);
unsigned pci_region_reg(unsigned region);
uint64_t pci_region_address(const struct pci_function *f, unsigned region);
/* Decode all regions where the registers now say. */
void pci_remap(struct pci *p);
struct pci_function *pci_at(const struct pci *p, unsigned devfn);
/* Configuration space, as a guest accesses it: SIZE bytes within an aligned double word. */
uint32_t pci_config_read(struct pci_function *f, unsigned reg, unsigned size);
void pci_config_write(struct pci_function *f, unsigned reg, unsigned size, uint32_t val);
#endif

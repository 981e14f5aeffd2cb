/* SPDX-License-Identifier: GPL-3.0-or-later
 * Private to the PCnet: its state, shared by pcnet.c (registers) and pcnet_ring.c (descriptors and frames).
 */
#ifndef HV_DEV_PCNET_INT_H
#define HV_DEV_PCNET_INT_H
#include "hv/io/nic.h"
#include "hv/pci.h"

/* Control and status registers, by number. */
enum {
	CSR_IADR = 1, /* and 2 */
	CSR_MASK = 3,
	CSR_FEATURES = 4,
	CSR_EXTENDED = 5,
	CSR_LADRF = 8, /* to 11 */
	CSR_PADR = 12, /* to 14 */
	CSR_MODE = 15,
	CSR_BADR = 24, /* and 25: where the receive ring is */
	CSR_BADX = 30, /* and 31: the transmit ring */
	CSR_STYLE = 58,
	CSR_RCVRC = 72, /* what is left of a turn of the rings */
	CSR_XMTRC = 74,
	CSR_RCVRL = 76, /* the rings' lengths, negative */
	CSR_XMTRL = 78,
	CSR_CHIP = 88, /* and 89 */
	CSR_MISSED = 112,
	CSRS = 128,
};
enum {
	CSR0_INIT = 1,
	CSR0_STRT = 2,
	CSR0_STOP = 4,
	CSR0_TDMD = 8,
	CSR0_TXON = 0x10,
	CSR0_RXON = 0x20,
	CSR0_IENA = 0x40,
	CSR0_INTR = 0x80,
	CSR0_IDON = 0x100,
	CSR0_TINT = 0x200,
	CSR0_RINT = 0x400,
	CSR0_MERR = 0x800,
	CSR0_MISS = 0x1000,
	CSR0_CERR = 0x2000,
	CSR0_BABL = 0x4000,
	CSR0_ERR = 0x8000,
	CSR0_EVENTS = 0x7f00, /* cleared by writing 1 */
};
enum { CSR3_DXSUFLO = 0x40 };
enum { CSR4_DPOLL = 0x1000, CSR4_UINTCMD = 0x80, CSR4_UINT = 0x40, CSR4_TXSTRT = 8, CSR4_EVENTS = 0x26a };
enum { CSR5_TOKINTD = 0x8000, CSR5_LTINTEN = 0x4000, CSR5_EVENTS = 0xa90, CSR5_SPND = 1 };
enum {
	MODE_DRX = 1,
	MODE_DTX = 2,
	MODE_LOOP = 4,
	MODE_DRCVPA = 0x2000,
	MODE_DRCVBC = 0x4000,
	MODE_PROM = 0x8000
};
enum { BCR_LED0 = 4, BCR_BURST = 18, BCR_STYLE = 20, BCRS = 32 };
enum { BURST_DWIO = 0x80, STYLE_SSIZE32 = 0x100, STYLE_CSRPCNET = 0x200 };
enum { PCNET_RING_MAX = 512 };

/* A ring of descriptors. */
struct pcnet_ring {
	uint32_t at;
	uint16_t len, index; /* INDEX is below LEN where that is not 0 */
};

struct pcnet {
	struct dev d;
	struct pci_function pci;
	struct nic nic;
	uint8_t aprom[16];
	uint16_t rap;
	uint16_t csr[CSRS], bcr[BCRS];
	struct pcnet_ring rx, tx;
	uint16_t tx_used;     /* descriptors of the frame that next() returned */
	bool demanded;	      /* the driver demands transmissions: it does not wait for the poll */
	struct vm_timer poll; /* looks for frames that nobody demanded to be sent */
	uint64_t loops;	      /* frames that went round in loopback */
};

/* ---- pcnet_ring.c ---- */
/* Read the initialization block, and set IDON or MERR. */
void pcnet_initialize(struct pcnet *p);
extern const struct nic_ops pcnet_nic_ops;
/* Send what the transmit ring has. */
void pcnet_transmit(struct pcnet *p);

/* ---- pcnet.c ---- */
/* Set events in CSR0, and the interrupt pin. */
void pcnet_event(struct pcnet *p, uint16_t events);

static inline bool pcnet_wide(const struct pcnet *p)
{
	return p->bcr[BCR_STYLE] & STYLE_SSIZE32;
}
#endif

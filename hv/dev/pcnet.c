/* SPDX-License-Identifier: GPL-3.0-or-later
 * AMD PCnet-PCI II, Am79C970A: its registers (data sheet, "User Accessible Registers"). Rings and frames are
 * in pcnet_ring.c. GPR-only code (base/gpr.h).
 *
 * The controller looks at the transmit ring when the driver demands it. For drivers that never do it also
 * polls, every 10 ms instead of 1.6, as each poll costs a host timer. */
#include "base/log.h"
#include "hv/dev/pcnet_int.h"

enum { APROM_END = 0x10, REGISTERS = 0x20, REG_DATA = 0x10 };
enum { RDP, RAP, RESET, BDP };
enum { POLL_NS = 10000000, CHIP_ID = 0x02621003 };

static const struct state_field fields[] = {
	F_PCI(pcnet, pci),
	F_HEX(pcnet, aprom),
	F_NUM(pcnet, rap),
	F_ARRAY(pcnet, csr),
	F_ARRAY(pcnet, bcr),
	F_NUM(pcnet, rx.at),
	F_NUM_IN(pcnet, rx.len, 0, PCNET_RING_MAX),
	F_NUM_IN(pcnet, rx.index, 0, PCNET_RING_MAX - 1),
	F_NUM(pcnet, tx.at),
	F_NUM_IN(pcnet, tx.len, 0, PCNET_RING_MAX),
	F_NUM_IN(pcnet, tx.index, 0, PCNET_RING_MAX - 1),
	F_NUM_IN(pcnet, demanded, 0, 1),
	F_TIMER(pcnet, poll),
};

/* ---- interrupt ---- */

/* CSR4's events have their masks one bit below, CSR5's too. */
static bool extended(uint16_t csr, uint16_t events, bool mask_enables)
{
	uint16_t masks = (uint16_t)(csr << 1);

	return csr & events & (mask_enables ? masks : ~masks);
}

static void update(struct pcnet *p)
{
	uint16_t on = p->csr[0] & CSR0_EVENTS & ~CSR0_CERR & (uint16_t)~p->csr[CSR_MASK];
	bool intr = on || extended(p->csr[CSR_FEATURES], CSR4_EVENTS & ~CSR4_UINT, false) ||
		    (p->csr[CSR_FEATURES] & CSR4_UINT) || extended(p->csr[CSR_EXTENDED], CSR5_EVENTS, true);
	uint16_t errors = CSR0_BABL | CSR0_CERR | CSR0_MISS | CSR0_MERR;

	p->csr[0] &= (uint16_t) ~(CSR0_INTR | CSR0_ERR);
	p->csr[0] |= (uint16_t)((intr ? CSR0_INTR : 0) | (p->csr[0] & errors ? CSR0_ERR : 0));
	pci_intx(&p->pci, intr && (p->csr[0] & CSR0_IENA));
}

void pcnet_event(struct pcnet *p, uint16_t events)
{
	p->csr[0] |= events;
	update(p);
}

/* ---- states ---- */

static void stop(struct pcnet *p)
{
	p->csr[0] = CSR0_STOP;
	p->csr[CSR_FEATURES] &= (uint16_t)~CSR4_EVENTS;
	p->csr[CSR_EXTENDED] &= (uint16_t) ~(CSR5_EVENTS | CSR5_SPND);
	timer_cancel(&p->d.board->clock, &p->poll);
	nic_reset(&p->nic);
	update(p);
}

static void set_style(struct pcnet *p, uint16_t val)
{
	static const uint16_t meaning[] = { STYLE_CSRPCNET, STYLE_SSIZE32, STYLE_SSIZE32 | STYLE_CSRPCNET,
					    STYLE_SSIZE32 | STYLE_CSRPCNET };
	unsigned style = val & 0xff;

	if (style >= ARRAY_LEN(meaning))
		style = 0;
	p->bcr[BCR_STYLE] = (uint16_t)((val & 0x400) | meaning[style] | style);
	p->csr[CSR_STYLE] = p->bcr[BCR_STYLE];
}

/* What a read of the reset register does. */
static void soft_reset(struct pcnet *p)
{
	gpr_zero(p->csr, sizeof(p->csr));
	p->rx = p->tx = (struct pcnet_ring){ 0 };
	p->rap = 0;
	p->demanded = false;
	for (unsigned i = 0; i < 3; i++)
		p->csr[CSR_PADR + i] = (uint16_t)(p->aprom[2 * i] | p->aprom[2 * i + 1] << 8);
	p->csr[CSR_FEATURES] = 0x0115;
	p->csr[CSR_CHIP] = CHIP_ID & 0xffff;
	p->csr[CSR_CHIP + 1] = CHIP_ID >> 16;
	p->csr[80] = 0x1410;
	set_style(p, p->bcr[BCR_STYLE]);
	stop(p);
}

static void start(struct pcnet *p)
{
	uint16_t mode = p->csr[CSR_MODE];

	p->csr[0] |= CSR0_STRT;
	p->csr[0] |= (uint16_t)((mode & MODE_DTX ? 0 : CSR0_TXON) | (mode & MODE_DRX ? 0 : CSR0_RXON));
	timer_arm(&p->d.board->clock, &p->poll, clock_now(&p->d.board->clock) + POLL_NS);
}

static void poll_ring(void *ctx)
{
	struct pcnet *p = ctx;

	if (p->demanded || !(p->csr[0] & CSR0_TXON))
		return;
	if (!(p->csr[CSR_FEATURES] & CSR4_DPOLL))
		pcnet_transmit(p);
	timer_arm(&p->d.board->clock, &p->poll, clock_now(&p->d.board->clock) + POLL_NS);
}

/* ---- control and status registers ---- */

static void csr0_write(struct pcnet *p, uint16_t val)
{
	bool begins;

	p->csr[0] &= (uint16_t) ~(val & CSR0_EVENTS);
	p->csr[0] = (uint16_t)((p->csr[0] & ~CSR0_IENA) | (val & CSR0_IENA));
	if (val & CSR0_STOP) {
		stop(p);
		return;
	}
	begins = val & (CSR0_INIT | CSR0_STRT);
	if (begins)
		p->csr[0] &= (uint16_t)~CSR0_STOP;
	if ((val & CSR0_INIT) && !(p->csr[0] & CSR0_INIT)) {
		p->csr[0] |= CSR0_INIT;
		pcnet_initialize(p);
	}
	if ((val & CSR0_STRT) && !(p->csr[0] & CSR0_STRT))
		start(p);
	update(p);
	if (val & CSR0_TDMD) {
		p->demanded = true;
		pcnet_transmit(p);
	}
	if (p->nic.stalled)
		nic_take(&p->nic);
}

/* Registers that describe what is set up: only while the controller is stopped or suspended. */
static bool at_rest(const struct pcnet *p)
{
	return (p->csr[0] & CSR0_STOP) || (p->csr[CSR_EXTENDED] & CSR5_SPND);
}

static void ring_write(struct pcnet *p, unsigned n, uint16_t val)
{
	struct pcnet_ring *r = n == CSR_RCVRL || n == CSR_BADR || n == CSR_BADR + 1 ? &p->rx : &p->tx;
	unsigned base = r == &p->rx ? CSR_BADR : CSR_BADX, len = (uint16_t)-val;

	p->csr[n] = val;
	if (n == CSR_RCVRL || n == CSR_XMTRL) {
		r->len = (uint16_t)(len > PCNET_RING_MAX ? PCNET_RING_MAX : len);
		r->index = 0;
		return;
	}
	r->at = (uint32_t)p->csr[base + 1] << 16 | p->csr[base];
	r->at &= pcnet_wide(p) ? ~15u : ~7u;
}

static void csr5_write(struct pcnet *p, uint16_t val)
{
	uint16_t was = p->csr[CSR_EXTENDED];

	p->csr[CSR_EXTENDED] = (uint16_t)((val & ~CSR5_EVENTS) | (was & CSR5_EVENTS & ~val));
	update(p);
	if (!(was & CSR5_SPND) || (val & CSR5_SPND))
		return;
	pcnet_transmit(p);
	if (p->nic.stalled)
		nic_take(&p->nic);
}

static void csr4_write(struct pcnet *p, uint16_t val)
{
	uint16_t events = CSR4_EVENTS | CSR4_UINT, was = p->csr[CSR_FEATURES];

	p->csr[CSR_FEATURES] = (uint16_t)((val & ~(events | CSR4_UINTCMD)) | (was & events & ~val));
	if (val & CSR4_UINTCMD)
		p->csr[CSR_FEATURES] |= CSR4_UINT;
	update(p);
}

static void csr_write(struct pcnet *p, unsigned n, uint16_t val)
{
	switch (n) {
	case 0:
		csr0_write(p, val);
		return;
	case CSR_MASK:
		p->csr[n] = val;
		update(p);
		return;
	case CSR_FEATURES:
		csr4_write(p, val);
		return;
	case CSR_EXTENDED:
		csr5_write(p, val);
		return;
	case CSR_MISSED:
	case CSR_CHIP:
	case CSR_CHIP + 1:
		return;
	}
	if (!at_rest(p))
		return;
	if (n == 16 || n == 17)
		n = CSR_IADR + n - 16;
	if (n == CSR_STYLE)
		set_style(p, val);
	else if (n == CSR_BADR || n == CSR_BADR + 1 || n == CSR_BADX || n == CSR_BADX + 1 || n == CSR_RCVRL ||
		 n == CSR_XMTRL)
		ring_write(p, n, val);
	else if (n < CSRS)
		p->csr[n] = val;
}

static uint16_t csr_read(struct pcnet *p, unsigned n)
{
	switch (n) {
	case 16:
	case 17:
		return p->csr[CSR_IADR + n - 16];
	case CSR_RCVRC:
		return (uint16_t)(p->rx.index - p->rx.len);
	case CSR_XMTRC:
		return (uint16_t)(p->tx.index - p->tx.len);
	}
	return n < CSRS ? p->csr[n] : 0;
}

/* ---- bus configuration registers ---- */

static void bcr_write(struct pcnet *p, unsigned n, uint16_t val)
{
	if (n == BCR_STYLE && at_rest(p))
		set_style(p, val);
	else if (n == BCR_BURST)
		p->bcr[n] = (uint16_t)((val & ~BURST_DWIO) | (p->bcr[n] & BURST_DWIO));
	else if (n == 2 || (n >= 4 && n <= 7) || n == 9)
		p->bcr[n] = val;
}

static uint16_t bcr_read(const struct pcnet *p, unsigned n)
{
	if (n ==
	    BCR_LED0) /* the LED that shows the link's state, unless the driver has given it another job */
		return (uint16_t)(p->bcr[n] | (atomic_load(p->nic.up) && (p->bcr[n] & 0x40) ? 0x8000 : 0));
	return n < BCRS ? p->bcr[n] : 0;
}

/* ---- access ---- */

/* The register at OFF for an access of SIZE bytes, which must be the width of the mode; -1: none. */
static int register_at(const struct pcnet *p, uint64_t off, unsigned size)
{
	unsigned width = p->bcr[BCR_BURST] & BURST_DWIO ? 4 : 2;

	if (off < REG_DATA || size != width || off % width || (off - REG_DATA) / width > BDP)
		return -1;
	return (int)((off - REG_DATA) / width);
}

static uint64_t pcnet_read(struct dev *d, unsigned region, uint64_t off, unsigned size)
{
	struct pcnet *p = (struct pcnet *)d;
	uint64_t val = 0;

	(void)region;
	if (off < APROM_END) {
		for (unsigned i = 0; i < size; i++)
			val |= (uint64_t)p->aprom[(off + i) % APROM_END] << (8 * i);
		return val;
	}
	switch (register_at(p, off, size)) {
	case RDP:
		return csr_read(p, p->rap);
	case RAP:
		return p->rap;
	case RESET:
		soft_reset(p);
		return 0;
	case BDP:
		return bcr_read(p, p->rap);
	}
	return size == 8 ? UINT64_MAX : (1ull << (8 * size)) - 1;
}

static void pcnet_write(struct dev *d, unsigned region, uint64_t off, unsigned size, uint64_t val)
{
	struct pcnet *p = (struct pcnet *)d;

	(void)region;
	if (off == REG_DATA && size == 4 && !(p->bcr[BCR_BURST] & BURST_DWIO)) {
		p->bcr[BCR_BURST] |= BURST_DWIO;
		LOG(dev, "pcnet: double-word mode");
	}
	switch (register_at(p, off, size)) {
	case RDP:
		csr_write(p, p->rap, (uint16_t)val);
		break;
	case RAP:
		p->rap = val & 0x7f;
		break;
	case BDP:
		bcr_write(p, p->rap, (uint16_t)val);
		break;
	}
}

/* ---- class ---- */

static void fill_aprom(struct pcnet *p, const uint8_t mac[6])
{
	unsigned sum = 0;

	gpr_zero(p->aprom, sizeof(p->aprom));
	gpr_copy(p->aprom, mac, 6);
	p->aprom[9] = 0x11; /* hardware id: PCI */
	p->aprom[14] = p->aprom[15] = 'W';
	for (unsigned i = 0; i < sizeof(p->aprom); i++)
		sum += p->aprom[i];
	p->aprom[12] = (uint8_t)sum;
	p->aprom[13] = (uint8_t)(sum >> 8);
}

static const struct pci_class function = {
	.name = "AMD PCnet-PCI II",
	.vendor = 0x1022,
	.device = 0x2000,
	.class_code = 0x020000,
	.revision = 0x16,
	.pin = 1,
	.bar = { { .kind = PCI_BAR_IO, .sizes = 7, .size = REGISTERS },
		 { .kind = PCI_BAR_MEMORY, .sizes = 7, .size = REGISTERS } },
};

static bool pcnet_open(struct dev *d, char *err, size_t errlen)
{
	struct pcnet *p = (struct pcnet *)d;
	const struct nic_link *link = d->config;

	if (!pci_add(&p->pci, &function, d, PCI_ANY, err, errlen))
		return false;
	if (link->rom && !pci_rom(&p->pci, link->rom, err, errlen)) {
		pci_remove(&p->pci);
		return false;
	}
	p->poll = (struct vm_timer){ .fire = poll_ring, .ctx = p };
	fill_aprom(p, link->mac);
	nic_join(d->board->nics, &p->nic, d, &pcnet_nic_ops);
	return true;
}

static void pcnet_reset(struct dev *d)
{
	struct pcnet *p = (struct pcnet *)d;

	gpr_zero(p->bcr, sizeof(p->bcr));
	p->bcr[0] = p->bcr[1] = 5;
	p->bcr[2] = 2;
	p->bcr[BCR_LED0] = 0xc0;
	p->bcr[5] = 0x84;
	p->bcr[6] = 0x88;
	p->bcr[7] = 0x90;
	p->bcr[BCR_BURST] = 0x9001;
	p->bcr[BCR_STYLE] = STYLE_CSRPCNET;
	p->bcr[22] = 0xff06;
	soft_reset(p);
}

static void pcnet_fini(struct dev *d)
{
	struct pcnet *p = (struct pcnet *)d;

	nic_leave(d->board->nics, &p->nic);
	pci_remove(&p->pci);
}

/* Frames on the way were not saved. */
static void pcnet_loaded(struct dev *d)
{
	struct pcnet *p = (struct pcnet *)d;

	p->tx_used = 0;
	nic_reset(&p->nic);
	pcnet_transmit(p);
}

const struct dev_class pcnet_class = {
	.name = "pcnet",
	.help = "AMD PCnet-PCI II network controller",
	.size = sizeof(struct pcnet),
	.gpr_only = GPR_ONLY_BUILD,
	.hosted = true,
	DEV_FIELDS(fields),
	.open = pcnet_open,
	.reset = pcnet_reset,
	.fini = pcnet_fini,
	.loaded = pcnet_loaded,
	.mmio_read = pcnet_read,
	.mmio_write = pcnet_write,
};

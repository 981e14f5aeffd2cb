/* SPDX-License-Identifier: GPL-3.0-or-later
 * The PCnet's initialization block, descriptor rings and frames (Am79C970A data sheet, "Buffer Management"
 * and "Software Interface"). A descriptor is read once, as a whole, and believed as it was then; it is given
 * back by one write of the word with its OWN bit, after the rest. Frames arrive without a check sequence: the
 * four bytes where it would be are zero. GPR-only code (base/gpr.h). */
#include "hv/dev/pcnet_int.h"

enum {
	OWN = 1u << 31,
	ERR = 1 << 30,
	TX_LTINT = 1 << 28,
	RX_OFLO = 1 << 28,
	RX_BUFF = 1 << 26,
	STP = 1 << 25,
	ENP = 1 << 24,
	RX_PAM = 1 << 22,
	RX_LAFM = 1 << 21,
	RX_BAM = 1 << 20,
	RX_STATUS = 0x7ff00000, /* what the controller writes of the word with OWN */
};
enum { TX_BUFF = 1u << 31, TX_UFLO = 1 << 30 };
enum { FCS = 4, ETHERNET_MIN = 60, ETHERNET_MAX = 1518, MTU_WIRE = ETHERNET_MAX + FCS };

/* A descriptor of any style, in the layout of style 2. */
struct desc {
	uint32_t buffer;
	uint32_t flags;	 /* OWN and status, byte count */
	uint32_t status; /* message length of a received frame, errors of a sent one */
	gpa at;
};

static unsigned style(const struct pcnet *p)
{
	return p->bcr[BCR_STYLE] & 0xff;
}

/* Upper byte of the addresses of 24 bits. */
static uint32_t upper(const struct pcnet *p)
{
	return (uint32_t)(p->csr[CSR_IADR + 1] & 0xff00) << 16;
}

/* ---- descriptors ---- */

/* Words of the 8-byte descriptor: address, flags and address, count, status. */
static void widen(const struct pcnet *p, const uint16_t w[4], bool tx, struct desc *e)
{
	e->buffer = upper(p) | (uint32_t)(w[1] & 0xff) << 16 | w[0];
	e->flags = (uint32_t)(w[1] & 0xff00) << 16 | w[2];
	e->status = tx ? (uint32_t)w[3] << 16 : w[3];
}

/* Read descriptor I of R. False: there is no memory. */
static bool read_desc(struct pcnet *p, const struct pcnet_ring *r, unsigned i, struct desc *e)
{
	uint32_t w[4];
	uint16_t half[4];

	if (!pcnet_wide(p)) {
		e->at = r->at + 8 * (i % r->len);
		if (!pci_dma_read(&p->pci, e->at, half, sizeof(half)))
			return false;
		widen(p, half, r == &p->tx, e);
		return true;
	}
	e->at = r->at + 16 * (i % r->len);
	if (!pci_dma_read(&p->pci, e->at, w, sizeof(w)))
		return false;
	e->buffer = style(p) == 3 ? w[2] : w[0];
	e->flags = w[1];
	e->status = style(p) == 3 ? w[0] : w[2];
	return true;
}

/* Give E back to the driver: status first. */
static void write_desc(struct pcnet *p, const struct desc *e, bool tx)
{
	uint32_t flags = e->flags & ~OWN, status = e->status;
	uint16_t half = (uint16_t)(tx ? status >> 16 : status);
	uint8_t top = (uint8_t)(flags >> 24);

	if (!pcnet_wide(p)) {
		pci_dma_write(&p->pci, e->at + 6, &half, sizeof(half));
		pci_dma_write(&p->pci, e->at + 3, &top, sizeof(top));
		return;
	}
	pci_dma_write(&p->pci, e->at + (style(p) == 3 ? 0 : 8), &status, sizeof(status));
	pci_dma_write(&p->pci, e->at + 4, &flags, sizeof(flags));
}

/* Bytes of a buffer: its count is negative, in 12 bits. 0 is 4096. */
static uint32_t room(const struct desc *e)
{
	return 0x1000 - (e->flags & 0xfff);
}

static void step(struct pcnet_ring *r, unsigned n)
{
	r->index = (uint16_t)((r->index + n) % r->len);
}

/* ---- initialization ---- */

static void set_ring(struct pcnet *p, struct pcnet_ring *r, uint32_t at, unsigned log)
{
	unsigned n = r == &p->rx ? CSR_BADR : CSR_BADX;

	r->at = at & (pcnet_wide(p) ? ~15u : ~7u);
	r->len = (uint16_t)(1u << (log > 9 ? 9 : log));
	r->index = 0;
	p->csr[n] = (uint16_t)r->at;
	p->csr[n + 1] = (uint16_t)(r->at >> 16);
	p->csr[r == &p->rx ? CSR_RCVRL : CSR_XMTRL] = (uint16_t)-r->len;
}

static void set_words(struct pcnet *p, unsigned csr, const uint8_t *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p->csr[csr + i] = (uint16_t)(b[2 * i] | b[2 * i + 1] << 8);
}

static uint32_t get32(const uint8_t *b)
{
	return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

void pcnet_initialize(struct pcnet *p)
{
	gpa at = (uint32_t)p->csr[CSR_IADR + 1] << 16 | p->csr[CSR_IADR];
	uint8_t b[28];
	bool wide = pcnet_wide(p);

	if (!pci_dma_read(&p->pci, at & (wide ? ~3ull : ~1ull), b, wide ? 28 : 24)) {
		pcnet_event(p, CSR0_MERR);
		return;
	}
	set_words(p, CSR_MODE, b, 1);
	set_words(p, CSR_PADR, b + (wide ? 4 : 2), 3);
	set_words(p, CSR_LADRF, b + (wide ? 12 : 8), 4);
	if (wide) {
		set_ring(p, &p->rx, get32(b + 20), b[2] >> 4);
		set_ring(p, &p->tx, get32(b + 24), b[3] >> 4);
	} else {
		set_ring(p, &p->rx, upper(p) | (get32(b + 16) & 0xffffff), b[19] >> 5);
		set_ring(p, &p->tx, upper(p) | (get32(b + 20) & 0xffffff), b[23] >> 5);
	}
	pcnet_event(p, CSR0_IDON);
}

/* ---- transmission ---- */

static bool transmits(const struct pcnet *p)
{
	return (p->csr[0] & CSR0_TXON) && p->tx.len && !(p->csr[CSR_EXTENDED] & CSR5_SPND);
}

/* Give back the descriptors of a frame that is not all there. The last one is E, N-th of the frame. */
static void underflow(struct pcnet *p, struct desc *e, unsigned n)
{
	struct desc before;

	for (unsigned i = 0; i + 1 < n; i++)
		if (read_desc(p, &p->tx, p->tx.index + i, &before))
			write_desc(p, &before, true);
	e->flags |= ERR;
	e->status |= TX_BUFF | TX_UFLO;
	write_desc(p, e, true);
	step(&p->tx, n);
	if (!(p->csr[CSR_MASK] & CSR3_DXSUFLO))
		p->csr[0] &= (uint16_t)~CSR0_TXON;
	pcnet_event(p, CSR0_TINT);
}

/* Skip descriptors in the middle of a frame whose beginning is gone. False: the controller owns none. */
static bool find_start(struct pcnet *p, struct desc *e)
{
	for (unsigned i = 0; i < p->tx.len; i++) {
		if (!read_desc(p, &p->tx, p->tx.index, e)) {
			pcnet_event(p, CSR0_MERR);
			return false;
		}
		if (!(e->flags & OWN))
			return false;
		if (e->flags & STP)
			return true;
		write_desc(p, e, true);
		step(&p->tx, 1);
	}
	return false;
}

/* Append the buffer of E to the frame; its length so far, or 0 when there is no memory. What exceeds
 * FRAME_MAX is lost: the frame is babble. */
static uint32_t append(struct pcnet *p, const struct desc *e, uint8_t *buf, uint32_t len)
{
	uint32_t n = room(e);

	if (len + n > FRAME_MAX) {
		pcnet_event(p, CSR0_BABL);
		n = FRAME_MAX - len;
	}
	if (n && !pci_dma_read(&p->pci, e->buffer, buf + len, n)) {
		pcnet_event(p, CSR0_MERR);
		return 0;
	}
	return len + n;
}

static uint32_t next(struct dev *d, uint8_t *buf)
{
	struct pcnet *p = (struct pcnet *)d;
	struct desc e, after;
	uint32_t len = 0;

	p->tx_used = 0;
	if (!transmits(p) || !find_start(p, &e))
		return 0;
	for (;; e = after) {
		len = append(p, &e, buf, len);
		p->tx_used++;
		if (len && (e.flags & ENP))
			return len;
		if (!len || p->tx_used == p->tx.len ||
		    !read_desc(p, &p->tx, p->tx.index + p->tx_used, &after) || !(after.flags & OWN)) {
			underflow(p, &e, p->tx_used);
			return 0;
		}
	}
}

static void sent(struct dev *d)
{
	struct pcnet *p = (struct pcnet *)d;
	uint16_t ext = p->csr[CSR_EXTENDED];
	struct desc e = { 0 };

	for (unsigned i = 0; i < p->tx_used; i++)
		if (read_desc(p, &p->tx, p->tx.index + i, &e)) {
			e.flags &= ~(uint32_t)ERR;
			e.status = 0;
			write_desc(p, &e, true);
		}
	step(&p->tx, p->tx_used);
	p->tx_used = 0;
	p->csr[CSR_FEATURES] |= CSR4_TXSTRT;
	if (!(ext & CSR5_TOKINTD) && (!(ext & CSR5_LTINTEN) || (e.flags & TX_LTINT)))
		pcnet_event(p, CSR0_TINT);
}

/* ---- reception ---- */

/* The upper six bits of the CRC of a group address, which choose its bit in the filter. */
static unsigned hash(const uint8_t *mac)
{
	uint32_t crc = UINT32_MAX;

	for (unsigned i = 0; i < 6; i++) {
		crc ^= mac[i];
		for (unsigned k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return crc >> 26;
}

static bool is_broadcast(const uint8_t *f)
{
	return (f[0] & f[1] & f[2] & f[3] & f[4] & f[5]) == 0xff;
}

static bool is_ours(const struct pcnet *p, const uint8_t *f)
{
	for (unsigned i = 0; i < 6; i++)
		if (f[i] != (uint8_t)(p->csr[CSR_PADR + i / 2] >> (8 * (i & 1))))
			return false;
	return true;
}

/* Is the frame for us? Sets in *HOW which filter matched. */
static bool accepts(const struct pcnet *p, const uint8_t *f, uint32_t *how)
{
	uint16_t mode = p->csr[CSR_MODE];
	unsigned h;

	*how = 0;
	if (is_broadcast(f) && !(mode & MODE_DRCVBC)) {
		*how = RX_BAM;
		return true;
	}
	if (!(f[0] & 1) && is_ours(p, f) && !(mode & MODE_DRCVPA)) {
		*how = RX_PAM;
		return true;
	}
	if ((f[0] & 1) && !is_broadcast(f)) {
		h = hash(f);
		*how = p->csr[CSR_LADRF + h / 16] >> (h & 15) & 1 ? RX_LAFM : 0;
		if (*how)
			return true;
	}
	return mode & MODE_PROM;
}

/* Put N bytes of F at AT, as far as the frame has so many; zeros after it. */
static bool put(struct pcnet *p, gpa at, const uint8_t *f, uint32_t len, uint32_t from, uint32_t n)
{
	static const uint8_t zeros[ETHERNET_MIN + FCS];
	uint32_t real = from < len ? len - from : 0;

	if (real > n)
		real = n;
	if (real && !pci_dma_write(&p->pci, at, f + from, real))
		return false;
	return real == n || pci_dma_write(&p->pci, at + real, zeros, n - real);
}

/* Finish descriptor E of a frame of TOTAL bytes: the last one of it, or one that is full. */
static void give(struct pcnet *p, struct desc *e, uint32_t flags, uint32_t total)
{
	e->flags = (e->flags & ~(uint32_t)RX_STATUS) | flags;
	if (flags & ENP)
		e->status = total;
	write_desc(p, e, false);
	step(&p->rx, 1);
}

/* Store F, of which TOTAL bytes count, from the descriptor E on. */
static void store(struct pcnet *p, struct desc *e, const uint8_t *f, uint32_t len, uint32_t total,
		  uint32_t how)
{
	uint32_t done = 0, flags = STP | how;

	for (unsigned used = 1;; used++) {
		uint32_t n = total - done < room(e) ? total - done : room(e);
		struct desc after;

		if (!put(p, e->buffer, f, len, done, n)) {
			give(p, e, flags | ERR | RX_BUFF | ENP, total);
			pcnet_event(p, CSR0_MERR | CSR0_RINT);
			return;
		}
		done += n;
		if (done == total) {
			give(p, e, flags | ENP, total);
			pcnet_event(p, CSR0_RINT);
			return;
		}
		if (used == p->rx.len || !read_desc(p, &p->rx, p->rx.index + 1u, &after) ||
		    !(after.flags & OWN)) {
			give(p, e, flags | ERR | RX_BUFF | RX_OFLO, total);
			pcnet_event(p, CSR0_RINT);
			return;
		}
		give(p, e, flags, total);
		*e = after;
		flags = how;
	}
}

static bool receive(struct dev *d, const uint8_t *f, uint32_t len)
{
	struct pcnet *p = (struct pcnet *)d;
	uint32_t total = (len < ETHERNET_MIN ? ETHERNET_MIN : len) + FCS, how;
	struct desc e;

	if (!(p->csr[0] & CSR0_RXON) || !p->rx.len || total > MTU_WIRE || !accepts(p, f, &how))
		return true;
	if (p->csr[CSR_EXTENDED] & CSR5_SPND)
		return false;
	if (!read_desc(p, &p->rx, p->rx.index, &e)) {
		pcnet_event(p, CSR0_MERR);
		return true;
	}
	if (!(e.flags & OWN))
		return false;
	store(p, &e, f, len, total, how);
	return true;
}

const struct nic_ops pcnet_nic_ops = { next, sent, receive };

static void go_round(struct pcnet *p)
{
	uint32_t len;

	for (unsigned i = 0; i < PCNET_RING_MAX && (len = next(&p->d, p->nic.frame)); i++) {
		sent(&p->d);
		p->loops++;
		if (len >= 14 && !receive(&p->d, p->nic.frame, len)) {
			p->csr[CSR_MISSED]++;
			pcnet_event(p, CSR0_MISS);
		}
	}
}

void pcnet_transmit(struct pcnet *p)
{
	if (!transmits(p))
		return;
	if (p->csr[CSR_MODE] & MODE_LOOP)
		go_round(p);
	else
		nic_transmit(&p->nic);
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 * 16550A serial port COM1 (National PC16550D data sheet). Bytes leave at once and arrive as fast as
 * the guest reads them. Output is buffered and handed to the outside at a newline, when the buffer is
 * full, or after 2 ms. */
#include "base/view.h"
#include "hv/board.h"

enum { COM1 = 0x3f8, COM1_IRQ = 4, FIFO = 16, OUT_MAX = 64, IN_MAX = 4096, FLUSH_NS = 2000000 };
enum { IER_RDA = 1, IER_THRE = 2, IER_RLS = 4, IER_MSR = 8 };
enum {
	IIR_NONE = 1,
	IIR_MSR = 0,
	IIR_THRE = 2,
	IIR_RDA = 4,
	IIR_RLS = 6,
	IIR_TIMEOUT = 0xc,
	IIR_FIFO = 0xc0
};
enum { FCR_ENABLE = 1, FCR_CLEAR_RX = 2 };
enum { LCR_DLAB = 0x80, MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 0x10 };
enum { LSR_DR = 1, LSR_OE = 2, LSR_ERRORS = 0x1e, LSR_THRE = 0x20, LSR_TEMT = 0x40 };
enum { MSR_DELTA = 0xf, MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80 };

struct uart {
	struct dev d;
	uint8_t ier, fcr, lcr, mcr, lsr, msr, scr, dll, dlm;
	uint8_t thre;	    /* transmitter-empty interrupt pending */
	uint8_t fifo[FIFO]; /* receiver */
	uint8_t fifo_head, fifo_len;
	uint8_t in[IN_MAX]; /* arrived, not yet in the FIFO */
	uint32_t in_head, in_len;
	uint8_t out[OUT_MAX]; /* output not yet handed over */
	unsigned out_len;
	uint64_t rx_bytes, tx_bytes;
	struct vm_timer flush;
};

static const struct dev_ports ports[] = { { COM1, COM1 + 7, 1 } };
static const struct state_field fields[] = {
	F_NUM(uart, ier),
	F_NUM(uart, fcr),
	F_NUM(uart, lcr),
	F_NUM(uart, mcr),
	F_NUM(uart, lsr),
	F_NUM(uart, msr),
	F_NUM(uart, scr),
	F_NUM(uart, dll),
	F_NUM(uart, dlm),
	F_NUM(uart, thre),
	F_HEX(uart, fifo),
	F_NUM_IN(uart, fifo_head, 0, FIFO - 1),
	F_NUM_IN(uart, fifo_len, 0, FIFO),
	{ .name = "in",
	  .off = offsetof(struct uart, in),
	  .size = IN_MAX,
	  .kind = FIELD_HEX,
	  .unhashed = true },
	{ .name = "in_head",
	  .off = offsetof(struct uart, in_head),
	  .size = 4,
	  .unhashed = true,
	  .max = IN_MAX - 1 },
	{ .name = "in_len",
	  .off = offsetof(struct uart, in_len),
	  .size = 4,
	  .unhashed = true,
	  .max = IN_MAX },
	F_COUNTER(uart, rx_bytes),
	F_COUNTER(uart, tx_bytes),
	F_TIMER(uart, flush),
};
static const uint8_t triggers[4] = { 1, 4, 8, 14 };

static unsigned depth(const struct uart *u)
{
	return (u->fcr & FCR_ENABLE) ? FIFO : 1;
}
static unsigned trigger(const struct uart *u)
{
	return (u->fcr & FCR_ENABLE) ? triggers[u->fcr >> 6] : 1;
}

/* The interrupt of highest priority, as IIR shows it. Characters below the trigger level count as timed
 * out at once, because the rest has not arrived. */
static uint8_t cause(const struct uart *u)
{
	if ((u->ier & IER_RLS) && (u->lsr & LSR_ERRORS))
		return IIR_RLS;
	if ((u->ier & IER_RDA) && u->fifo_len)
		return u->fifo_len >= trigger(u) ? IIR_RDA : IIR_TIMEOUT;
	if ((u->ier & IER_THRE) && u->thre)
		return IIR_THRE;
	if ((u->ier & IER_MSR) && (u->msr & MSR_DELTA))
		return IIR_MSR;
	return IIR_NONE;
}

static void update(struct uart *u)
{
	bool on = (u->mcr & MCR_OUT2) && cause(u) != IIR_NONE; /* "fully operational" in loopback, too */

	board_irq(u->d.board, COM1_IRQ, on);
}

static void deliver(const struct uart *u, const struct machine_config *cfg)
{
	struct vector_state s;

	vectors_away(&s);
	cfg->serial_out(cfg->serial_ctx, u->out, u->out_len);
	vectors_back(&s);
}

static void flush(struct dev *d)
{
	struct uart *u = (struct uart *)d;
	const struct machine_config *cfg = d->board->cfg;

	timer_cancel(&d->board->clock, &u->flush);
	if (u->out_len && cfg->serial_out)
		deliver(u, cfg);
	u->out_len = 0;
}

static void flush_fire(void *ctx)
{
	flush(ctx);
}

static void send(struct uart *u, uint8_t c)
{
	u->tx_bytes++;
	u->out[u->out_len++] = c;
	if (u->out_len == OUT_MAX || c == '\n')
		flush(&u->d);
	else if (u->out_len == 1)
		timer_arm(&u->d.board->clock, &u->flush, clock_now(&u->d.board->clock) + FLUSH_NS);
}

static void fifo_put(struct uart *u, uint8_t c)
{
	if (u->fifo_len >= depth(u)) {
		u->lsr |= LSR_OE;
		return;
	}
	u->fifo[(u->fifo_head + u->fifo_len++) % FIFO] = c;
	u->lsr |= LSR_DR;
	u->rx_bytes++;
}

static void refill(struct uart *u)
{
	while (u->in_len && u->fifo_len < depth(u) && !(u->mcr & MCR_LOOP)) {
		fifo_put(u, u->in[u->in_head]);
		u->in_head = (u->in_head + 1) % IN_MAX;
		u->in_len--;
	}
}

static size_t uart_accept(struct dev *d, enum arrival_kind kind, const uint8_t *data, size_t n)
{
	struct uart *u = (struct uart *)d;
	size_t i;

	(void)kind;
	for (i = 0; i < n && u->in_len < IN_MAX; i++)
		u->in[(u->in_head + u->in_len++) % IN_MAX] = data[i];
	refill(u);
	update(u);
	return i;
}

static void thr_write(struct uart *u, uint8_t c)
{
	u->thre = 0;
	update(u);
	if (u->mcr & MCR_LOOP)
		fifo_put(u, c);
	else
		send(u, c);
	u->thre = 1;
}

static uint8_t rbr_read(struct uart *u)
{
	uint8_t c = u->fifo[u->fifo_head];

	if (!u->fifo_len)
		return 0;
	u->fifo_head = (u->fifo_head + 1) % FIFO;
	u->fifo_len--;
	if (!u->fifo_len) /* lower the line, so that the next byte makes an edge */
		update(u);
	refill(u);
	if (!u->fifo_len)
		u->lsr &= (uint8_t)~LSR_DR;
	return c;
}

static void fcr_write(struct uart *u, uint8_t val)
{
	if ((val & FCR_CLEAR_RX) || ((val ^ u->fcr) & FCR_ENABLE)) {
		u->fifo_len = 0;
		u->lsr &= (uint8_t) ~(LSR_DR | LSR_OE);
	}
	u->fcr = (val & FCR_ENABLE) ? val & 0xc9 : 0;
	refill(u);
}

/* Modem inputs: those of a device that is always ready, or the outputs looped back. */
static uint8_t modem_lines(const struct uart *u)
{
	if (!(u->mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	return (uint8_t)((u->mcr & MCR_RTS ? MSR_CTS : 0) | (u->mcr & MCR_DTR ? MSR_DSR : 0) |
			 (u->mcr & MCR_OUT1 ? MSR_RI : 0) | (u->mcr & MCR_OUT2 ? MSR_DCD : 0));
}

static void mcr_write(struct uart *u, uint8_t val)
{
	uint8_t old = u->msr, lines, delta;

	u->mcr = val & 0x1f;
	lines = modem_lines(u);
	delta = (uint8_t)((old ^ lines) >> 4);
	if (!((old & ~lines) & MSR_RI)) /* RI: trailing edge only */
		delta &= 0xb;
	u->msr = (uint8_t)(lines | (old & MSR_DELTA) | delta);
	refill(u);
}

static uint8_t iir_read(struct uart *u)
{
	uint8_t c = cause(u);

	if (c == IIR_THRE)
		u->thre = 0;
	return (uint8_t)(c | (u->fcr & FCR_ENABLE ? IIR_FIFO : 0));
}

static uint32_t uart_in(struct dev *d, uint16_t port, unsigned size)
{
	struct uart *u = (struct uart *)d;
	uint8_t val = 0;

	(void)size;
	switch (port & 7) {
	case 0:
		val = (u->lcr & LCR_DLAB) ? u->dll : rbr_read(u);
		break;
	case 1:
		return (u->lcr & LCR_DLAB) ? u->dlm : u->ier;
	case 2:
		val = iir_read(u);
		break;
	case 3:
		return u->lcr;
	case 4:
		return u->mcr;
	case 5:
		val = u->lsr | LSR_THRE | LSR_TEMT;
		if (!(u->lsr & LSR_ERRORS))
			return val;
		u->lsr &= (uint8_t)~LSR_ERRORS;
		break;
	case 6:
		val = u->msr;
		u->msr &= (uint8_t)~MSR_DELTA;
		break;
	case 7:
		return u->scr;
	}
	update(u);
	return val;
}

static void ier_write(struct uart *u, uint8_t val)
{
	if (!(u->ier & IER_THRE) && (val & IER_THRE))
		u->thre = 1;
	u->ier = val & 0xf;
}

static void uart_out(struct dev *d, uint16_t port, unsigned size, uint32_t v)
{
	struct uart *u = (struct uart *)d;
	uint8_t val = (uint8_t)v;
	bool dlab = u->lcr & LCR_DLAB;

	(void)size;
	switch (port & 7) {
	case 0:
		if (dlab)
			u->dll = val;
		else
			thr_write(u, val);
		break;
	case 1:
		if (dlab)
			u->dlm = val;
		else
			ier_write(u, val);
		break;
	case 2:
		fcr_write(u, val);
		break;
	case 3:
		u->lcr = val;
		return;
	case 4:
		mcr_write(u, val);
		break;
	case 7:
		u->scr = val;
		return;
	}
	update(u);
}

static void uart_init(struct dev *d)
{
	struct uart *u = (struct uart *)d;

	u->flush = (struct vm_timer){ .fire = flush_fire, .ctx = u };
}

static void uart_reset(struct dev *d)
{
	struct uart *u = (struct uart *)d;

	flush(d);
	u->ier = u->fcr = u->lcr = u->mcr = u->lsr = u->scr = u->dlm = 0;
	u->dll = 12; /* 9600 baud */
	u->thre = 0;
	u->fifo_len = u->fifo_head = 0;
	gpr_zero(u->fifo, sizeof(u->fifo));
	u->in_len = u->in_head = 0;
	u->msr = modem_lines(u);
}

void uart_rows(struct dev *d, struct row_sink *s)
{
	const struct uart *u = (const struct uart *)d;
	unsigned div = u->dlm << 8 | u->dll;
	const struct value v[] = {
		V_STR("COM1"),
		V_HEX(COM1),
		V_UINT(COM1_IRQ),
		V_UINT(div ? 115200 / div : 0),
		V_HEX(u->ier),
		V_HEX(cause(u)),
		V_HEX(u->lcr),
		V_HEX(u->mcr),
		V_HEX(u->lsr | LSR_THRE | LSR_TEMT),
		V_HEX(u->msr),
		V_UINT(u->fifo_len),
		V_UINT(u->rx_bytes),
		V_UINT(u->tx_bytes),
	};

	s->row(s, v);
}

const struct dev_class uart_class = {
	.name = "serial",
	.help = "16550A serial port COM1",
	.lines = "4",
	.size = sizeof(struct uart),
	DEV_PORTS(ports),
	DEV_FIELDS(fields),
	.init = uart_init,
	.reset = uart_reset,
	.in = uart_in,
	.out = uart_out,
	.flush = flush,
	.accept = uart_accept,
};

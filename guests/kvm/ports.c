/* SPDX-License-Identifier: GPL-3.0-or-later
 * Devices behind ports: a 16550 without input, the clock's seconds, debug exit, power off by ACPI's port,
 * reset by the keyboard controller. Others read as all bits set. */
#include "guests/kvm/client.h"

enum {
	COM1 = 0x3f8,
	COM1_IRQ = 4,
	DEBUG_EXIT = 0xf4,
	ACPI_PM1A = 0x604,
	CMOS = 0x70,
	KBC = 0x64,
	RESET = 0xcf9
};
enum { LCR_DLAB = 0x80, IER_THRE = 2, LSR_EMPTY = 0x60, MSR_READY = 0xb0 };

static struct {
	u8 ier, lcr, mcr, scratch, divisor[2];
	u8 empty;	/* the interrupt of the transmitter is pending */
	char text[256]; /* output, up to the end of the line */
	u32 used;
} uart;
static u8 cmos_index;

static void flush(void)
{
	sys3(SYS_write, 1, (long)uart.text, (long)uart.used);
	uart.used = 0;
}

static void uart_interrupt(struct client *c)
{
	irq_line(c, COM1_IRQ, uart.ier & IER_THRE && uart.empty);
}

static void uart_out(struct client *c, u32 reg, u8 v)
{
	switch (reg) {
	case 0:
		if (uart.lcr & LCR_DLAB) {
			uart.divisor[0] = v;
			break;
		}
		uart.text[uart.used++] = (char)v;
		if (v == '\n' || uart.used == sizeof(uart.text) || !(uart.ier & IER_THRE))
			flush();
		uart.empty = 1;
		break;
	case 1:
		if (uart.lcr & LCR_DLAB) {
			uart.divisor[1] = v;
			break;
		}
		uart.empty |= v & IER_THRE && !(uart.ier & IER_THRE);
		uart.ier = v & 0xf;
		break;
	case 3:
		uart.lcr = v;
		break;
	case 4:
		uart.mcr = v;
		break;
	case 7:
		uart.scratch = v;
		break;
	}
	uart_interrupt(c);
}

static u8 uart_in(struct client *c, u32 reg)
{
	u8 v = 0;

	switch (reg) {
	case 0:
		return uart.lcr & LCR_DLAB ? uart.divisor[0] : 0;
	case 1:
		return uart.lcr & LCR_DLAB ? uart.divisor[1] : uart.ier;
	case 2:
		v = uart.ier & IER_THRE && uart.empty ? 2 : 1;
		if (v == 2)
			uart.empty = 0; /* reading the cause clears it */
		uart_interrupt(c);
		if (uart.used)
			flush();
		return v | 0xc0;
	case 3:
		return uart.lcr;
	case 4:
		return uart.mcr;
	case 5:
		return LSR_EMPTY;
	case 6: /* loopback shows the modem control bits */
		return uart.mcr & 0x10
			   ? (u8)((uart.mcr & 1) << 5 | (uart.mcr & 2) << 3 | (uart.mcr & 0xc) << 4)
			   : MSR_READY;
	default:
		return uart.scratch;
	}
}

/* Seconds, minutes and hours since 1970 as of a clock in BCD; the date is fixed. */
static u8 cmos_in(void)
{
	static const u8 fixed[16] = {
		[6] = 1, [7] = 1, [8] = 1, [9] = 0x26, [10] = 0x26, [11] = 2, [13] = 0x80
	};
	long ts[2] = { 0, 0 };
	u32 n, t;

	sys3(SYS_clock_gettime, 0, (long)ts, 0);
	t = (u32)ts[0];
	n = cmos_index == 0 ? t % 60 : cmos_index == 2 ? t / 60 % 60 : t / 3600 % 24;
	if (cmos_index == 0 || cmos_index == 2 || cmos_index == 4)
		return (u8)(n / 10 << 4 | n % 10);
	return cmos_index < sizeof(fixed) ? fixed[cmos_index] : 0;
}

static void end_with(struct client *c, int status)
{
	if (uart.used)
		flush();
	c->status = status;
}

static void out(struct client *c, u16 port, u32 v)
{
	if (port >= COM1 && port < COM1 + 8)
		uart_out(c, port - COM1, (u8)v);
	else if (port == DEBUG_EXIT)
		end_with(c, (int)(v << 1 | 1) & 0xff);
	else if (port == CMOS)
		cmos_index = v & 0x7f;
	else if ((port == ACPI_PM1A && v & 0x2000) || (port == KBC && (u8)v == 0xfe) ||
		 (port == RESET && v & 4))
		end_with(c, 0);
}

static u32 in(struct client *c, u16 port)
{
	if (port >= COM1 && port < COM1 + 8)
		return uart_in(c, port - COM1);
	if (port == CMOS + 1)
		return cmos_in();
	return port == KBC ? 0 : ~0u;
}

void port_io(struct client *c, bool is_out, u16 port, u32 size, u8 *data)
{
	u32 v = 0;

	if (is_out) {
		copy(&v, data, size);
		out(c, port, v);
	} else {
		v = in(c, port);
		copy(data, &v, size);
	}
}

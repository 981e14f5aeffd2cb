/* SPDX-License-Identifier: GPL-3.0-or-later
 * MC146818A real-time clock and the PC's CMOS memory. The date is kept as an offset in seconds to the
 * VM clock; registers are computed when read. Memory sizes are where every BIOS since the AT puts them
 * (Phoenix CMOS map). */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/view.h"
#include "hv/board.h"
#include "hv/boot/drives.h"
#include "hv/ram.h"

enum {
	SEC,
	SEC_ALARM,
	MIN,
	MIN_ALARM,
	HOUR,
	HOUR_ALARM,
	WDAY,
	MDAY,
	MONTH,
	YEAR,
	REG_A,
	REG_B,
	REG_C,
	REG_D,
	SHUTDOWN = 0xf,
	CENTURY = 0x32
};
enum { A_UIP = 0x80, A_RATE = 0xf, A_DIVIDER = 0x70 };
enum { B_24H = 2, B_BINARY = 4, B_UIE = 0x10, B_AIE = 0x20, B_PIE = 0x40, B_SET = 0x80 };
enum { C_UF = 0x10, C_AF = 0x20, C_PF = 0x40, C_IRQF = 0x80, D_VALID = 0x80 };
enum { RTC_IRQ = 8, UIP_NS = 244000 };
#define FIXED_DATE 1577836800ll /* 2020-01-01 00:00:00 UTC */
#define DATE_LIMIT (1ll << 60)	/* seconds; far beyond any date the registers can hold */

struct mc146818 {
	struct dev d;
	uint8_t cmos[128];
	uint8_t index;
	int64_t offset;	    /* seconds since 1970 = offset + VM seconds */
	int64_t frozen;	    /* the date while B_SET holds the clock */
	uint64_t checked;   /* VM second up to which update and alarm were checked */
	uint64_t period_at; /* VM ns of the next periodic interrupt */
	struct vm_timer periodic, update;
};

static const struct dev_ports ports[] = { { 0x70, 0x71, 1 } };
static const struct state_field fields[] = {
	F_HEX(mc146818, cmos),
	F_NUM_IN(mc146818, index, 0, 127),
	F_NUM_IN(mc146818, offset, -DATE_LIMIT, DATE_LIMIT),
	F_NUM_IN(mc146818, frozen, -DATE_LIMIT, DATE_LIMIT),
	F_NUM(mc146818, checked),
	F_NUM(mc146818, period_at),
	F_TIMER(mc146818, periodic),
	F_TIMER(mc146818, update),
};

static uint64_t now_ns(const struct mc146818 *r)
{
	return clock_now(&r->d.board->clock);
}
static int64_t now_sec(const struct mc146818 *r)
{
	if (r->cmos[REG_B] & B_SET)
		return r->frozen;
	return r->offset + (int64_t)(now_ns(r) / NS_PER_SEC);
}

static uint8_t encode(const struct mc146818 *r, unsigned n)
{
	return (uint8_t)((r->cmos[REG_B] & B_BINARY) ? n : n / 10 % 10 << 4 | n % 10);
}

static unsigned decode(const struct mc146818 *r, uint8_t n)
{
	return (r->cmos[REG_B] & B_BINARY) ? n : (n >> 4) * 10u + (n & 15);
}

static uint8_t encode_hour(const struct mc146818 *r, unsigned h)
{
	if (r->cmos[REG_B] & B_24H)
		return encode(r, h);
	return (uint8_t)(encode(r, h % 12 ? h % 12 : 12) | (h >= 12 ? 0x80 : 0));
}

static unsigned decode_hour(const struct mc146818 *r, uint8_t v)
{
	if (r->cmos[REG_B] & B_24H)
		return decode(r, v);
	return decode(r, v & 0x7f) % 12 + (v & 0x80 ? 12 : 0);
}

/* Put the date into the registers. */
static void date_to_regs(struct mc146818 *r)
{
	time_t t = (time_t)now_sec(r);
	struct tm tm = { 0 };

	gmtime_r(&t, &tm);
	r->cmos[SEC] = encode(r, (unsigned)tm.tm_sec);
	r->cmos[MIN] = encode(r, (unsigned)tm.tm_min);
	r->cmos[HOUR] = encode_hour(r, (unsigned)tm.tm_hour);
	r->cmos[WDAY] = encode(r, (unsigned)tm.tm_wday + 1);
	r->cmos[MDAY] = encode(r, (unsigned)tm.tm_mday);
	r->cmos[MONTH] = encode(r, (unsigned)tm.tm_mon + 1);
	r->cmos[YEAR] = encode(r, (unsigned)tm.tm_year % 100);
	r->cmos[CENTURY] = encode(r, ((unsigned)tm.tm_year + 1900) / 100);
}

/* Take the date from the registers. */
static void regs_to_date(struct mc146818 *r)
{
	struct tm tm = {
		.tm_sec = (int)decode(r, r->cmos[SEC]),
		.tm_min = (int)decode(r, r->cmos[MIN]),
		.tm_hour = (int)decode_hour(r, r->cmos[HOUR]),
		.tm_mday = (int)decode(r, r->cmos[MDAY]),
		.tm_mon = (int)decode(r, r->cmos[MONTH]) - 1,
		.tm_year = (int)(decode(r, r->cmos[CENTURY]) * 100 + decode(r, r->cmos[YEAR])) - 1900,
	};

	r->frozen = timegm(&tm);
	r->offset = r->frozen - (int64_t)(now_ns(r) / NS_PER_SEC);
}

static void raise_flags(struct mc146818 *r, uint8_t flags)
{
	r->cmos[REG_C] |= flags;
	if (r->cmos[REG_C] & r->cmos[REG_B] & (C_UF | C_AF | C_PF)) {
		r->cmos[REG_C] |= C_IRQF;
		board_irq(r->d.board, RTC_IRQ, true);
	}
}

/* Period of the square wave and the periodic interrupt in ns, 0: off. */
static uint64_t period_ns(const struct mc146818 *r)
{
	unsigned rate = r->cmos[REG_A] & A_RATE;

	if (!rate)
		return 0;
	if (rate < 3)
		rate += 7;
	return muldiv64(1ull << (rate - 1), NS_PER_SEC, 32768);
}

static void arm_periodic(struct mc146818 *r)
{
	uint64_t period = period_ns(r);

	if (!period || !(r->cmos[REG_B] & B_PIE)) {
		timer_cancel(&r->d.board->clock, &r->periodic);
		return;
	}
	if (r->periodic.armed)
		return;
	r->period_at = now_ns(r) + period;
	timer_arm(&r->d.board->clock, &r->periodic, r->period_at);
}

static void periodic_fire(void *ctx)
{
	struct mc146818 *r = ctx;
	uint64_t period = period_ns(r), now = now_ns(r);

	raise_flags(r, C_PF);
	if (!period)
		return;
	r->period_at += period;
	if (r->period_at <= now)
		r->period_at = now + period;
	timer_arm(&r->d.board->clock, &r->periodic, r->period_at);
}

static bool alarm_field(const struct mc146818 *r, int alarm, int reg)
{
	return r->cmos[alarm] >= 0xc0 || r->cmos[alarm] == r->cmos[reg];
}

/* Runs once per second while update or alarm interrupts are enabled. */
static void arm_update(struct mc146818 *r)
{
	if (!(r->cmos[REG_B] & (B_UIE | B_AIE)) || (r->cmos[REG_B] & B_SET))
		timer_cancel(&r->d.board->clock, &r->update);
	else if (!r->update.armed)
		timer_arm(&r->d.board->clock, &r->update, (now_ns(r) / NS_PER_SEC + 1) * NS_PER_SEC);
}

static void update_flags(struct mc146818 *r)
{
	uint64_t sec = now_ns(r) / NS_PER_SEC;
	uint8_t flags = C_UF;

	if (sec == r->checked || (r->cmos[REG_B] & B_SET))
		return;
	r->checked = sec;
	date_to_regs(r);
	if (alarm_field(r, SEC_ALARM, SEC) && alarm_field(r, MIN_ALARM, MIN) &&
	    alarm_field(r, HOUR_ALARM, HOUR))
		flags |= C_AF;
	raise_flags(r, flags);
}

static void update_fire(void *ctx)
{
	struct mc146818 *r = ctx;

	update_flags(r);
	arm_update(r);
}

static uint8_t reg_c_read(struct mc146818 *r)
{
	uint8_t c;

	update_flags(r);
	c = r->cmos[REG_C];
	r->cmos[REG_C] = 0;
	board_irq(r->d.board, RTC_IRQ, false);
	return c;
}

static uint8_t reg_a_read(const struct mc146818 *r)
{
	bool uip = !(r->cmos[REG_B] & B_SET) && now_ns(r) % NS_PER_SEC >= NS_PER_SEC - UIP_NS;

	return (uint8_t)((r->cmos[REG_A] & ~A_UIP) | (uip ? A_UIP : 0));
}

static bool is_date(unsigned i)
{
	return i == CENTURY || (i <= YEAR && i != SEC_ALARM && i != MIN_ALARM && i != HOUR_ALARM);
}

static uint32_t rtc_in(struct dev *d, uint16_t port, unsigned size)
{
	struct mc146818 *r = (struct mc146818 *)d;

	(void)size;
	if (!(port & 1))
		return 0xff;
	if (is_date(r->index) && !(r->cmos[REG_B] & B_SET))
		date_to_regs(r);
	switch (r->index) {
	case REG_A:
		return reg_a_read(r);
	case REG_C:
		return reg_c_read(r);
	default:
		return r->cmos[r->index];
	}
}

static void reg_b_write(struct mc146818 *r, uint8_t val)
{
	uint8_t old = r->cmos[REG_B];

	if (!(old & B_SET) && (val & B_SET)) {
		date_to_regs(r);
		r->frozen = now_sec(r);
	}
	r->cmos[REG_B] = val;
	if ((old & B_SET) && !(val & B_SET))
		r->offset = r->frozen - (int64_t)(now_ns(r) / NS_PER_SEC);
	if (!(old & (B_UIE | B_AIE)))
		r->checked = now_ns(r) / NS_PER_SEC;
	raise_flags(r, 0);
	arm_periodic(r);
	arm_update(r);
}

static void data_write(struct mc146818 *r, uint8_t val)
{
	switch (r->index) {
	case REG_A:
		r->cmos[REG_A] = val & (A_RATE | A_DIVIDER);
		timer_cancel(&r->d.board->clock, &r->periodic);
		arm_periodic(r);
		break;
	case REG_B:
		reg_b_write(r, val);
		break;
	case REG_C:
	case REG_D:
		break;
	default:
		if (is_date(r->index) && !(r->cmos[REG_B] & B_SET))
			date_to_regs(r);
		r->cmos[r->index] = val;
		if (is_date(r->index))
			regs_to_date(r);
	}
}

static void rtc_out(struct dev *d, uint16_t port, unsigned size, uint32_t val)
{
	struct mc146818 *r = (struct mc146818 *)d;

	(void)size;
	if (port & 1)
		data_write(r, (uint8_t)val);
	else
		r->index = val & 0x7f;
}

static void put16(uint8_t *p, uint64_t v)
{
	v = v > 0xffff ? 0xffff : v;
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

void rtc_set_memory(struct dev *d, uint64_t bytes)
{
	struct mc146818 *r = (struct mc146818 *)d;
	uint64_t low = ram_low(bytes), ext = low > 0x100000 ? low - 0x100000 : 0;
	uint64_t high = low > 0x1000000 ? low - 0x1000000 : 0, above = ram_high(bytes) >> 16;

	put16(r->cmos + 0x15, 640);
	put16(r->cmos + 0x17, ext >> 10);
	put16(r->cmos + 0x30, ext >> 10);
	put16(r->cmos + 0x34, high >> 16);
	put16(r->cmos + 0x5b, above & 0xffff); /* above 4 GiB, in 64 KiB */
	r->cmos[0x5d] = (uint8_t)(above >> 16);
	r->cmos[0x14] = 0x06; /* equipment: 80x25 colour by VGA, FPU */
}

/* Floppy drives, and the order in which SeaBIOS boots: 1 floppy (of any signature), 2 hard disk, 3 CD, 4
 * network. */
static void set_drives(struct mc146818 *r, const struct drives *ds)
{
	static const uint8_t codes[] = { [DRIVE_FLOPPY] = 1, [DRIVE_DISK] = 2, [DRIVE_CD] = 3 };
	const struct drive *f[] = { drive_floppy(ds, 0), drive_floppy(ds, 1) };
	uint8_t boot = ds->boot ? codes[ds->boot->kind] : 4, next = boot == 2 ? 3 : 2;

	r->cmos[0x10] = (uint8_t)((f[0] ? f[0]->geo.type << 4 : 0) | (f[1] ? f[1]->geo.type : 0));
	r->cmos[0x14] |= f[0] ? (f[1] ? 0x41 : 1) : 0;
	r->cmos[0x3d] = (uint8_t)(boot | next << 4);
	r->cmos[0x38] = 0x41;
}

static void rtc_init(struct dev *d)
{
	struct mc146818 *r = (struct mc146818 *)d;

	memset(r->cmos, 0, sizeof(r->cmos));
	r->periodic = (struct vm_timer){ .fire = periodic_fire, .ctx = r };
	r->update = (struct vm_timer){ .fire = update_fire, .ctx = r };
	r->cmos[REG_A] = 0x26;
	r->cmos[REG_B] = B_24H;
	r->cmos[REG_D] = D_VALID;
	r->offset = d->board->clock.mode == CLOCK_ICOUNT ? FIXED_DATE : (int64_t)time(NULL);
	rtc_set_memory(d, d->board->memory);
	if (d->board->drives)
		set_drives(r, d->board->drives);
}

/* RESET clears enables and flags; date and memory are battery-backed. */
static void rtc_reset(struct dev *d)
{
	struct mc146818 *r = (struct mc146818 *)d;

	if (r->cmos[REG_B] & B_SET)
		r->offset = r->frozen - (int64_t)(now_ns(r) / NS_PER_SEC);
	r->cmos[REG_B] &= B_24H | B_BINARY;
	r->cmos[REG_C] = 0;
	timer_cancel(&d->board->clock, &r->periodic);
	timer_cancel(&d->board->clock, &r->update);
}

void rtc_rows(struct dev *d, struct row_sink *s)
{
	struct mc146818 *r = (struct mc146818 *)d;
	time_t t = (time_t)now_sec(r);
	uint64_t period = period_ns(r);
	char date[32] = "";
	struct tm tm;

	if (gmtime_r(&t, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	s->row(s, (const struct value[]){ V_STR(date), V_HEX(reg_a_read(r)), V_HEX(r->cmos[REG_B]),
					  V_HEX(r->cmos[REG_C]), V_REAL(period ? 1e9 / (double)period : 0),
					  V_HEX(r->index), V_HEX(r->cmos[SHUTDOWN]) });
}

const struct dev_class mc146818_class = {
	.name = "rtc",
	.help = "MC146818 real-time clock and CMOS memory",
	.lines = "8",
	.size = sizeof(struct mc146818),
	DEV_PORTS(ports),
	DEV_FIELDS(fields),
	.init = rtc_init,
	.reset = rtc_reset,
	.in = rtc_in,
	.out = rtc_out,
};

/* SPDX-License-Identifier: GPL-3.0-or-later
 * The two 8237A DMA controllers of an AT with their page registers (Intel 8237A data sheet; AT Technical
 * Reference). Channels 0 to 3 move bytes, 5 to 7 words. A device asks for a transfer by dma_move(), which
 * makes it at once; memory to memory, and requests by software, are not there. Port 80h, among the page
 * registers, takes the codes of a BIOS' self-test. GPR-only code (base/gpr.h). */
#include "hv/board.h"

enum { CHANNELS = 8, PAGES = 16, PAGE_PORT = 0x80 };
enum { ADDRESS, COUNT };
enum { CONTROL = 8, REQUEST, MASK_ONE, MODE, FLIP_FLOP, CLEAR, MASK_NONE, MASK_ALL };
enum { MODE_TO_MEMORY = 4, MODE_FROM_MEMORY = 8, MODE_TRANSFER = 0xc, MODE_AUTO = 0x10, MODE_DOWN = 0x20 };
enum { CONTROL_OFF = 4 };

struct i8237 {
	struct dev d;
	uint16_t base[CHANNELS][2], now[CHANNELS][2]; /* address, count */
	uint8_t mode[CHANNELS];
	uint8_t page[PAGES];
	uint8_t control[2], mask[2], status[2], flip[2];
};

static const struct dev_ports ports[] = { { 0x00, 0x1f, 1 }, { 0x80, 0x8f, 1 }, { 0xc0, 0xdf, 1 } };
static const struct state_field fields[] = {
	F_HEX(i8237, base),	 F_HEX(i8237, now),    F_ARRAY(i8237, mode),   F_ARRAY(i8237, page),
	F_ARRAY(i8237, control), F_ARRAY(i8237, mask), F_ARRAY(i8237, status), F_ARRAY(i8237, flip),
};
/* The page register of each channel. */
static const uint8_t pages[CHANNELS] = { 7, 3, 1, 2, 0xf, 0xb, 9, 0xa };

/* ---- transfers ---- */

/* The address of what is to be transferred next. */
static gpa place(const struct i8237 *x, unsigned ch)
{
	gpa page = x->page[pages[ch]], at = x->now[ch][ADDRESS];

	return ch < 4 ? page << 16 | at : (page & 0xfe) << 16 | at << 1;
}

static bool off(const struct i8237 *x, unsigned ch)
{
	return (x->control[ch / 4] & CONTROL_OFF) || (x->mask[ch / 4] >> (ch & 3) & 1);
}

/* The count has passed zero. */
static void terminal_count(struct i8237 *x, unsigned ch)
{
	x->status[ch / 4] |= (uint8_t)(1 << (ch & 3));
	if (x->mode[ch] & MODE_AUTO) {
		x->now[ch][ADDRESS] = x->base[ch][ADDRESS];
		x->now[ch][COUNT] = x->base[ch][COUNT];
	} else
		x->mask[ch / 4] |= (uint8_t)(1 << (ch & 3));
}

static void move(struct i8237 *x, unsigned ch, uint8_t *buf, unsigned n)
{
	struct board *b = x->d.board;

	switch (x->mode[ch] & MODE_TRANSFER) {
	case MODE_TO_MEMORY:
		board_dma_write(b, place(x, ch), buf, n);
		break;
	case MODE_FROM_MEMORY:
		board_dma_read(b, place(x, ch), buf, n);
		break;
	default: /* verify: nothing is moved */
		break;
	}
}

/* Addresses wrap within their page, and may count down: units one by one there. */
static unsigned run_length(const struct i8237 *x, unsigned ch, unsigned units)
{
	unsigned left = x->now[ch][COUNT] + 1u, to_wrap = 0x10000u - x->now[ch][ADDRESS];

	if (x->mode[ch] & MODE_DOWN)
		return 1;
	units = units < left ? units : left;
	return units < to_wrap ? units : to_wrap;
}

unsigned dma_available(const struct dev *d, unsigned ch)
{
	const struct i8237 *x = (const struct i8237 *)d;

	return off(x, ch) ? 0 : (x->now[ch][COUNT] + 1u) << (ch >= 4);
}

unsigned dma_move(struct dev *d, unsigned ch, uint8_t *buf, unsigned n, bool *end)
{
	struct i8237 *x = (struct i8237 *)d;
	unsigned shift = ch >= 4, done = 0;

	*end = false;
	while (done + (1u << shift) <= n && !*end && !off(x, ch)) {
		unsigned units = run_length(x, ch, (n - done) >> shift);

		move(x, ch, buf + done, units << shift);
		done += units << shift;
		x->now[ch][ADDRESS] =
		    (uint16_t)(x->now[ch][ADDRESS] + ((x->mode[ch] & MODE_DOWN) ? -units : units));
		*end = units > x->now[ch][COUNT];
		x->now[ch][COUNT] = (uint16_t)(x->now[ch][COUNT] - units);
		if (*end)
			terminal_count(x, ch);
	}
	return done;
}

/* ---- registers ---- */

static uint8_t word_in(struct i8237 *x, unsigned c, unsigned reg)
{
	uint16_t val = x->now[4 * c + (reg >> 1)][reg & 1];

	x->flip[c] ^= 1;
	return (uint8_t)(x->flip[c] ? val : val >> 8);
}

static void word_out(struct i8237 *x, unsigned c, unsigned reg, uint8_t val)
{
	uint16_t *base = &x->base[4 * c + (reg >> 1)][reg & 1];

	*base = (uint16_t)(x->flip[c] ? (*base & 0xff) | val << 8 : (*base & 0xff00) | val);
	x->now[4 * c + (reg >> 1)][reg & 1] = *base;
	x->flip[c] ^= 1;
}

static void clear(struct i8237 *x, unsigned c)
{
	x->control[c] = x->status[c] = x->flip[c] = 0;
	x->mask[c] = 0xf;
}

static void control_out(struct i8237 *x, unsigned c, unsigned reg, uint8_t val)
{
	uint8_t bit = (uint8_t)(1 << (val & 3));

	switch (reg) {
	case CONTROL:
		x->control[c] = val;
		break;
	case MASK_ONE:
		x->mask[c] = (uint8_t)(val & 4 ? x->mask[c] | bit : x->mask[c] & ~bit);
		break;
	case MODE:
		x->mode[4 * c + (val & 3)] = val;
		break;
	case FLIP_FLOP:
		x->flip[c] = 0;
		break;
	case CLEAR:
		clear(x, c);
		break;
	case MASK_NONE:
		x->mask[c] = 0;
		break;
	case MASK_ALL:
		x->mask[c] = val & 0xf;
		break;
	default:
		break;
	}
}

/* The controller and register that a port means; false: a page register. */
static bool decode(uint16_t port, unsigned *c, unsigned *reg)
{
	if (port >= PAGE_PORT && port < PAGE_PORT + PAGES) {
		*reg = port - PAGE_PORT;
		return false;
	}
	*c = port >= 0xc0;
	*reg = (*c ? port >> 1 : port) & 15;
	return true;
}

static uint32_t i8237_in(struct dev *d, uint16_t port, unsigned size)
{
	struct i8237 *x = (struct i8237 *)d;
	unsigned c = 0, reg;
	uint8_t val;

	(void)size;
	if (!decode(port, &c, &reg))
		return x->page[reg];
	if (reg < CONTROL)
		return word_in(x, c, reg);
	if (reg == MASK_ALL)
		return x->mask[c] | 0xf0u;
	if (reg != CONTROL)
		return 0;
	val = x->status[c];
	x->status[c] = 0;
	return val;
}

static void i8237_out(struct dev *d, uint16_t port, unsigned size, uint32_t val)
{
	struct i8237 *x = (struct i8237 *)d;
	unsigned c = 0, reg;

	(void)size;
	if (!decode(port, &c, &reg))
		x->page[reg] = (uint8_t)val;
	else if (reg < CONTROL)
		word_out(x, c, reg, (uint8_t)val);
	else
		control_out(x, c, reg, (uint8_t)val);
}

static void i8237_reset(struct dev *d)
{
	struct i8237 *x = (struct i8237 *)d;

	gpr_zero(x->base, sizeof(x->base));
	gpr_zero(x->now, sizeof(x->now));
	gpr_zero(x->mode, sizeof(x->mode));
	gpr_zero(x->page, sizeof(x->page));
	clear(x, 0);
	clear(x, 1);
}

const struct dev_class i8237_class = {
	.name = "dma",
	.help = "DMA controllers and page registers",
	.size = sizeof(struct i8237),
	DEV_PORTS(ports),
	DEV_FIELDS(fields),
	.reset = i8237_reset,
	.in = i8237_in,
	.out = i8237_out,
};

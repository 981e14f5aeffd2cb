/* SPDX-License-Identifier: GPL-3.0-or-later
 * The i8042 keyboard controller with a keyboard on its first port and a mouse on its second (IBM PS/2
 * Technical Reference, keyboard controller; hv/dev/ps2_mouse.c). Keys arrive as set 1 codes, which a guest
 * sees with translation on. */
#include "base/view.h"
#include "hv/board.h"
#include "hv/dev/ps2_mouse.h"

enum { ST_OBF = 1, ST_SYS = 4, ST_CMD = 8, ST_UNLOCKED = 0x10, ST_AUX = 0x20 };
enum { CCB_IRQ1 = 1, CCB_IRQ12 = 2, CCB_SYS = 4, CCB_KBD_OFF = 0x10, CCB_AUX_OFF = 0x20, CCB_XLATE = 0x40 };
enum { OUT_RESET = 1, OUT_A20 = 2, KBD_ACK = 0xfa, KBD_RESEND = 0xfe, QUEUE = 64 };
enum { FROM_AUX = 0x100 };

struct byte_queue {
	uint16_t item[QUEUE];
	uint8_t head, len;
};

struct i8042 {
	struct dev d;
	uint8_t ccb; /* controller command byte */
	uint8_t status;
	uint8_t outport;
	uint8_t data;	     /* output buffer */
	uint8_t command;     /* controller command that waits for its data byte, 0 none */
	uint8_t kbd_command; /* keyboard command that waits for its argument, 0 none */
	uint8_t set;	     /* scan code set */
	uint8_t scanning;
	uint8_t leds;
	uint8_t ram[32];
	struct byte_queue reply; /* from the controller */
	struct byte_queue kbd;	 /* from the keyboard */
	struct ps2_mouse mouse;
};

static const struct dev_ports ports[] = { { 0x60, 0x60, 1 }, { 0x64, 0x64, 1 } };
static const struct state_field fields[] = {
	F_NUM(i8042, ccb),
	F_NUM(i8042, status),
	F_NUM(i8042, outport),
	F_NUM(i8042, data),
	F_NUM(i8042, command),
	F_NUM(i8042, kbd_command),
	F_NUM(i8042, set),
	F_NUM(i8042, scanning),
	F_NUM(i8042, leds),
	F_HEX(i8042, ram),
	F_ARRAY(i8042, reply.item),
	F_NUM_IN(i8042, reply.head, 0, QUEUE - 1),
	F_NUM_IN(i8042, reply.len, 0, QUEUE),
	F_ARRAY(i8042, kbd.item),
	F_NUM_IN(i8042, kbd.head, 0, QUEUE - 1),
	F_NUM_IN(i8042, kbd.len, 0, QUEUE),
	F_NUM(i8042, mouse.id),
	F_NUM(i8042, mouse.command),
	F_NUM(i8042, mouse.rate),
	F_NUM(i8042, mouse.resolution),
	F_NUM_IN(i8042, mouse.scaling, 0, 1),
	F_NUM_IN(i8042, mouse.reporting, 0, 1),
	F_NUM_IN(i8042, mouse.remote, 0, 1),
	F_NUM_IN(i8042, mouse.wrap, 0, 1),
	F_NUM(i8042, mouse.buttons),
	F_NUM(i8042, mouse.told),
	F_HEX(i8042, mouse.rates),
	F_NUM_IN(i8042, mouse.dx, -MOUSE_MOVES, MOUSE_MOVES),
	F_NUM_IN(i8042, mouse.dy, -MOUSE_MOVES, MOUSE_MOVES),
	F_NUM_IN(i8042, mouse.dz, -MOUSE_MOVES, MOUSE_MOVES),
	F_HEX(i8042, mouse.queue),
	F_NUM_IN(i8042, mouse.head, 0, MOUSE_QUEUE - 1),
	F_NUM_IN(i8042, mouse.len, 0, MOUSE_QUEUE),
	F_NUM(i8042, mouse.last),
	F_COUNTER(i8042, mouse.moves),
	F_COUNTER(i8042, mouse.packets),
	F_COUNTER(i8042, mouse.lost),
};
static const struct dev_counter counters[] = {
	{ "moves", offsetof(struct i8042, mouse.moves), "times that the mouse was moved or clicked" },
	{ "packets", offsetof(struct i8042, mouse.packets), "what the guest was told of that" },
	{ "lost", offsetof(struct i8042, mouse.lost), "moves and clicks while it did not want to know" },
};

/* Set 2 code of each set 1 code, 0: none. */
static const uint8_t set2[0x59] = {
	0x00, 0x76, 0x16, 0x1e, 0x26, 0x25, 0x2e, 0x36, 0x3d, 0x3e, 0x46, 0x45, 0x4e, 0x55, 0x66,
	0x0d, 0x15, 0x1d, 0x24, 0x2d, 0x2c, 0x35, 0x3c, 0x43, 0x44, 0x4d, 0x54, 0x5b, 0x5a, 0x14,
	0x1c, 0x1b, 0x23, 0x2b, 0x34, 0x33, 0x3b, 0x42, 0x4b, 0x4c, 0x52, 0x0e, 0x12, 0x5d, 0x1a,
	0x22, 0x21, 0x2a, 0x32, 0x31, 0x3a, 0x41, 0x49, 0x4a, 0x59, 0x7c, 0x11, 0x29, 0x58, 0x05,
	0x06, 0x04, 0x0c, 0x03, 0x0b, 0x83, 0x0a, 0x01, 0x09, 0x77, 0x7e, 0x6c, 0x75, 0x7d, 0x7b,
	0x6b, 0x73, 0x74, 0x79, 0x69, 0x72, 0x7a, 0x70, 0x71, 0x84, 0x60, 0x61, 0x78, 0x07,
};

static void put(struct byte_queue *q, uint16_t item)
{
	if (q->len < QUEUE)
		q->item[(q->head + q->len++) % QUEUE] = item;
}

static uint16_t get(struct byte_queue *q)
{
	uint16_t item = q->item[q->head];

	q->head = (q->head + 1) % QUEUE;
	q->len--;
	return item;
}

/* The next byte for the output buffer: the controller's own, then the keyboard's, then the mouse's; a port
 * that is off keeps its bytes. False: there is none. */
static bool next(struct i8042 *k, uint16_t *item)
{
	if (k->reply.len)
		*item = get(&k->reply);
	else if (k->kbd.len && !(k->ccb & CCB_KBD_OFF))
		*item = get(&k->kbd);
	else if (k->mouse.len && !(k->ccb & CCB_AUX_OFF))
		*item = FROM_AUX | ps2_mouse_next(&k->mouse);
	else
		return false;
	return true;
}

/* Move the next byte into the output buffer when it is free, and drive the lines. */
static void update(struct i8042 *k)
{
	bool full, aux;
	uint16_t item;

	if (!(k->status & ST_OBF) && next(k, &item)) {
		k->data = (uint8_t)item;
		k->status &= (uint8_t)~ST_AUX;
		k->status |= item & FROM_AUX ? ST_OBF | ST_AUX : ST_OBF;
	}
	full = k->status & ST_OBF;
	aux = k->status & ST_AUX;
	board_irq(k->d.board, 1, full && !aux && (k->ccb & CCB_IRQ1));
	board_irq(k->d.board, 12, full && aux && (k->ccb & CCB_IRQ12));
}

/* Keys that fit, with space kept for the replies to commands. */
static unsigned room(const struct i8042 *k)
{
	unsigned len = k->kbd.len, keys = QUEUE - 16;

	return len < keys ? (keys - len) / 2 : 0;
}

static void scancode(struct i8042 *k, uint8_t code)
{
	uint8_t make = code & 0x7f;

	if (!k->scanning)
		return;
	if ((k->ccb & CCB_XLATE) || k->set == 1 || code == 0xe0 || code == 0xe1 || make >= sizeof(set2)) {
		put(&k->kbd, code);
	} else {
		if (code & 0x80)
			put(&k->kbd, 0xf0);
		put(&k->kbd, set2[make]);
	}
	update(k);
}

/* A record that is cut short, as a saved state may have, is dropped. */
static size_t mouse_accept(struct i8042 *k, const uint8_t *data, size_t n)
{
	struct mouse_move v;

	for (size_t i = 0; i + sizeof(v) <= n; i += sizeof(v)) {
		gpr_copy(&v, data + i, sizeof(v));
		ps2_mouse_moved(&k->mouse, v.dx, v.dy, v.dz, v.buttons);
	}
	update(k);
	return n;
}

static size_t kbd_accept(struct dev *d, enum arrival_kind kind, const uint8_t *data, size_t n)
{
	struct i8042 *k = (struct i8042 *)d;

	if (kind == ARRIVAL_MOUSE)
		return mouse_accept(k, data, n);
	n = n < room(k) ? n : room(k);
	for (size_t i = 0; i < n; i++)
		scancode(k, data[i]);
	return n;
}

/* Second bytes of keyboard commands. */
static void kbd_argument(struct i8042 *k, uint8_t val)
{
	uint8_t cmd = k->kbd_command;

	k->kbd_command = 0;
	put(&k->kbd, KBD_ACK);
	if (cmd == 0xed)
		k->leds = val & 7;
	else if (cmd == 0xf0 && val)
		k->set = val <= 3 ? val : k->set;
	else if (cmd == 0xf0)
		put(&k->kbd, (k->ccb & CCB_XLATE) && k->set == 2 ? 0x41 : k->set);
}

static void kbd_defaults(struct i8042 *k, bool scanning)
{
	k->set = 2;
	k->leds = 0;
	k->scanning = scanning;
}

static void kbd_write(struct i8042 *k, uint8_t val)
{
	k->ccb &= (uint8_t)~CCB_KBD_OFF;
	if (k->kbd_command) {
		kbd_argument(k, val);
		return;
	}
	if (val == 0xee) {
		put(&k->kbd, 0xee);
		return;
	}
	if (val < 0xed || val == 0xef || val == 0xf1) {
		put(&k->kbd, KBD_RESEND);
		return;
	}
	put(&k->kbd, KBD_ACK);
	switch (val) {
	case 0xed:
	case 0xf0:
	case 0xf3: /* LEDs, set, rate */
		k->kbd_command = val;
		break;
	case 0xf2: /* identify */
		put(&k->kbd, 0xab);
		put(&k->kbd, k->ccb & CCB_XLATE ? 0x41 : 0x83);
		break;
	case 0xf4:
		k->scanning = 1;
		break;
	case 0xf5:
		kbd_defaults(k, false);
		break;
	case 0xf6:
		kbd_defaults(k, true);
		break;
	case 0xff:
		kbd_defaults(k, true);
		put(&k->kbd, 0xaa);
		break;
	}
}

static void outport_write(struct i8042 *k, uint8_t val)
{
	k->outport = val;
	board_a20(k->d.board, val & OUT_A20);
	if (!(val & OUT_RESET))
		board_event(k->d.board, EVENT_CPU_RESET);
}

/* Data bytes of controller commands. */
static void command_data(struct i8042 *k, uint8_t val)
{
	uint8_t cmd = k->command;

	k->command = 0;
	if (cmd >= 0x61 && cmd <= 0x7f) {
		k->ram[cmd & 31] = val;
		return;
	}
	switch (cmd) {
	case 0x60:
		k->ccb = val;
		k->status = (uint8_t)((k->status & ~ST_SYS) | (val & CCB_SYS));
		break;
	case 0xd1:
		outport_write(k, val);
		break;
	case 0xd2:
		put(&k->reply, val);
		break;
	case 0xd3:
		put(&k->reply, FROM_AUX | val);
		break;
	case 0xd4:
		ps2_mouse_write(&k->mouse, val);
		break;
	}
}

static uint8_t outport_read(const struct i8042 *k)
{
	return (uint8_t)((k->outport & ~OUT_A20) | (k->d.board->a20 ? OUT_A20 : 0) |
			 (k->status & ST_OBF ? (k->status & ST_AUX ? 0x20 : 0x10) : 0));
}

static void command_write(struct i8042 *k, uint8_t val)
{
	k->command = 0;
	if (val >= 0x20 && val <= 0x3f) {
		put(&k->reply, val == 0x20 ? k->ccb : k->ram[val & 31]);
		return;
	}
	if ((val >= 0x60 && val <= 0x7f) || (val >= 0xd1 && val <= 0xd4)) {
		k->command = val;
		return;
	}
	switch (val) {
	case 0xa7:
		k->ccb |= CCB_AUX_OFF;
		break;
	case 0xa8:
		k->ccb &= (uint8_t)~CCB_AUX_OFF;
		break;
	case 0xa9:
	case 0xab: /* port tests: good */
		put(&k->reply, 0);
		break;
	case 0xaa: /* self test */
		k->status |= ST_SYS;
		k->ccb |= CCB_SYS;
		put(&k->reply, 0x55);
		break;
	case 0xad:
		k->ccb |= CCB_KBD_OFF;
		break;
	case 0xae:
		k->ccb &= (uint8_t)~CCB_KBD_OFF;
		break;
	case 0xc0: /* input port: keyboard not locked */
		put(&k->reply, 0x80);
		break;
	case 0xd0:
		put(&k->reply, outport_read(k));
		break;
	case 0xdd:
	case 0xdf: /* A20 off, on: known to some controllers, used by tutorials */
		board_a20(k->d.board, val & OUT_A20);
		break;
	default:
		if (val >= 0xf0 && !(val & OUT_RESET))
			board_event(k->d.board, EVENT_CPU_RESET);
	}
}

static uint32_t kbd_in(struct dev *d, uint16_t port, unsigned size)
{
	struct i8042 *k = (struct i8042 *)d;
	uint8_t val = k->data;

	(void)size;
	if (port == 0x64)
		return k->status | ST_UNLOCKED;
	if (k->status & ST_OBF) {
		k->status &= (uint8_t) ~(ST_OBF | ST_AUX);
		board_irq(d->board, 1, false);
		board_irq(d->board, 12, false);
		update(k);
	}
	return val;
}

static void kbd_out(struct dev *d, uint16_t port, unsigned size, uint32_t val)
{
	struct i8042 *k = (struct i8042 *)d;

	(void)size;
	if (port == 0x64) {
		k->status |= ST_CMD;
		command_write(k, (uint8_t)val);
	} else {
		k->status &= (uint8_t)~ST_CMD;
		if (k->command)
			command_data(k, (uint8_t)val);
		else
			kbd_write(k, (uint8_t)val);
	}
	update(k);
}

static void kbd_reset(struct dev *d)
{
	struct i8042 *k = (struct i8042 *)d;

	gpr_zero((uint8_t *)k + sizeof(k->d), offsetof(struct i8042, mouse) - sizeof(k->d));
	ps2_mouse_reset(&k->mouse);
	k->ccb = CCB_IRQ1 | CCB_SYS | CCB_XLATE;
	k->status = ST_SYS;
	k->outport = 0xcf;
	kbd_defaults(k, true);
}

void mouse_rows(struct dev *d, struct row_sink *s)
{
	static const char *const models[] = {
		[0] = "three buttons", [3] = "with a wheel", [4] = "with a wheel and five buttons"
	};
	const struct ps2_mouse *m = &((struct i8042 *)d)->mouse;

	s->row(s, (const struct value[]){
		      V_STR(m->id < ARRAY_LEN(models) && models[m->id] ? models[m->id] : "unknown"),
		      V_BOOL(m->reporting), V_UINT(m->rate),
		      V_UINT(m->resolution <= 3 ? 1u << m->resolution : 0), V_HEX(m->buttons),
		      V_UINT(m->moves), V_UINT(m->packets), V_UINT(m->lost), V_UINT(m->len) });
}

const struct dev_class i8042_class = {
	.name = "kbd",
	.help = "i8042 keyboard controller, keyboard and PS/2 mouse",
	.lines = "1 12",
	.size = sizeof(struct i8042),
	DEV_PORTS(ports),
	DEV_FIELDS(fields),
	DEV_COUNTERS(counters),
	.reset = kbd_reset,
	.in = kbd_in,
	.out = kbd_out,
	.accept = kbd_accept,
};

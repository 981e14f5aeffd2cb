/* SPDX-License-Identifier: GPL-3.0-or-later
 * A PS/2 mouse (IBM PS/2 Technical Reference, mouse; Microsoft's wheel and five buttons, which a driver
 * chooses by setting three sampling rates in a row). Moves that the queue has no room for are added up and
 * told in later packets; the sampling rate has no other effect. GPR-only code (base/gpr.h). */
#include "hv/dev/ps2_mouse.h"
#include "base/gpr.h"

enum { ACK = 0xfa, ERROR = 0xfc, PASSED = 0xaa, ROOM = MOUSE_QUEUE - 16 /* the rest is for replies */ };
enum { WHEEL = 3, FIVE = 4, MOVE_MAX = 255, PACKET = 4, WHEEL_MAX = 7 };

static void put(struct ps2_mouse *m, uint8_t val)
{
	if (m->len < MOUSE_QUEUE)
		m->queue[(m->head + m->len++) % MOUSE_QUEUE] = val;
}

static void defaults(struct ps2_mouse *m)
{
	m->rate = 100;
	m->resolution = 2;
	m->scaling = 0;
	m->reporting = m->remote = m->wrap = 0;
	m->dx = m->dy = m->dz = 0;
}

void ps2_mouse_reset(struct ps2_mouse *m)
{
	gpr_zero(m, offsetof(struct ps2_mouse, moves));
	defaults(m);
}

/* ---- packets ---- */

static int limited(int64_t v, int max)
{
	return v > max ? max : v < -max ? -max : (int)v;
}

/* With 2 to 1, small moves become smaller and large ones larger; not on request. */
static int scaled(const struct ps2_mouse *m, int v)
{
	static const uint8_t small[] = { 0, 1, 1, 3, 6, 9 };
	int n = v < 0 ? -v : v;

	if (!m->scaling || m->remote)
		return v;
	n = n < (int)sizeof(small) ? small[n] : limited(2 * n, MOVE_MAX);
	return v < 0 ? -n : n;
}

static void packet(struct ps2_mouse *m)
{
	int dx = limited(m->dx, MOVE_MAX), dy = limited(m->dy, MOVE_MAX), dz = limited(m->dz, WHEEL_MAX);
	int x = scaled(m, dx), y = scaled(m, dy);

	put(m, (uint8_t)(8 | (m->buttons & 7) | (x < 0 ? 0x10 : 0) | (y < 0 ? 0x20 : 0)));
	put(m, (uint8_t)x);
	put(m, (uint8_t)y);
	if (m->id == WHEEL)
		put(m, (uint8_t)dz);
	else if (m->id == FIVE)
		put(m, (uint8_t)((dz & 0xf) | (m->buttons & 0x18) << 1));
	m->dx -= dx;
	m->dy -= dy;
	m->dz = m->id ? m->dz - dz : 0;
	m->told = m->buttons;
	m->packets++;
}

static void tell(struct ps2_mouse *m)
{
	uint8_t seen = m->id == FIVE ? 0x1f : 7;

	if (!m->reporting || m->remote || m->wrap || m->command)
		return;
	while (m->len + PACKET <= ROOM &&
	       (m->dx || m->dy || (m->dz && m->id) || ((m->buttons ^ m->told) & seen)))
		packet(m);
}

void ps2_mouse_moved(struct ps2_mouse *m, int dx, int dy, int dz, uint8_t buttons)
{
	m->moves++;
	m->buttons = buttons & 0x1f;
	if (!m->reporting && !m->remote) {
		m->lost++;
		return;
	}
	m->dx = limited(m->dx + dx, MOUSE_MOVES);
	m->dy = limited(m->dy - dy, MOUSE_MOVES);
	m->dz = limited(m->dz + dz, MOUSE_MOVES);
	tell(m);
}

uint8_t ps2_mouse_next(struct ps2_mouse *m)
{
	m->last = m->queue[m->head];
	m->head = (m->head + 1) % MOUSE_QUEUE;
	m->len--;
	tell(m);
	return m->last;
}

/* ---- commands ---- */

static void set_rate(struct ps2_mouse *m, uint8_t val)
{
	m->rate = val;
	m->rates[0] = m->rates[1];
	m->rates[1] = m->rates[2];
	m->rates[2] = val;
	if (m->rates[0] == 200 && m->rates[2] == 80)
		m->id = m->rates[1] == 100 ? WHEEL : m->rates[1] == 200 ? FIVE : m->id;
}

/* The second byte of a command. */
static void argument(struct ps2_mouse *m, uint8_t val)
{
	uint8_t cmd = m->command;

	m->command = 0;
	if (cmd == 0xe8 && val > 3) {
		put(m, ERROR);
		return;
	}
	put(m, ACK);
	if (cmd == 0xe8)
		m->resolution = val;
	else
		set_rate(m, val);
}

/* Buttons have other places here than in packets: left is bit 2, right bit 0. */
static void status(struct ps2_mouse *m)
{
	uint8_t b = m->buttons;

	put(m, (uint8_t)((m->remote ? 0x40 : 0) | (m->reporting ? 0x20 : 0) | (m->scaling ? 0x10 : 0) |
			 (b & 1) << 2 | (b & 4) >> 1 | (b & 2) >> 1));
	put(m, m->resolution);
	put(m, m->rate);
}

/* Commands that are acknowledged. False: there is no such command. */
static bool command(struct ps2_mouse *m, uint8_t val)
{
	put(m, ACK);
	switch (val) {
	case 0xe6:
	case 0xe7:
		m->scaling = val & 1;
		break;
	case 0xe8:
	case 0xf3:
		m->command = val;
		break;
	case 0xe9:
		status(m);
		break;
	case 0xea:
	case 0xf0:
		m->remote = val == 0xf0;
		m->dx = m->dy = m->dz = 0;
		break;
	case 0xeb:
		packet(m);
		break;
	case 0xec:
	case 0xee:
		m->wrap = val == 0xee;
		break;
	case 0xf2:
		put(m, m->id);
		break;
	case 0xf4:
	case 0xf5:
		m->reporting = val == 0xf4;
		m->dx = m->dy = m->dz = 0;
		break;
	case 0xf6:
		defaults(m);
		break;
	case 0xff:
		defaults(m);
		m->id = 0;
		put(m, PASSED);
		put(m, 0);
		break;
	default:
		return false;
	}
	return true;
}

void ps2_mouse_write(struct ps2_mouse *m, uint8_t val)
{
	if (m->wrap && val != 0xec && val != 0xff) {
		put(m, val);
		return;
	}
	if (m->command) {
		argument(m, val);
		return;
	}
	if (val == 0xfe) { /* once more */
		put(m, m->last);
		return;
	}
	m->len = 0; /* what it has not sent yet is void */
	if (!command(m, val)) {
		m->len = 0;
		put(m, ERROR);
	}
}

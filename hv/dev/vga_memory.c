/* SPDX-License-Identifier: GPL-3.0-or-later
 * The VGA's memory as the guest accesses it.
 *
 * A0000 is RAM until the guest first opens the window there, as a BIOS does to load fonts, and for guests
 * without one it may stay so. Then accesses come here and go through the graphics controller: planes,
 * latches, write modes, odd/even addressing; or, in DISPI modes, to a bank of the frame buffer. In chain-4
 * modes (13h) a byte is where its address says in the planes, so the page is RAM again, which holds them
 * while the mode lasts, and nothing traps; hardware stores it elsewhere in the same plane, which only a
 * program that changes to planar mode with the picture on the screen could tell.
 *
 * The frame buffer becomes memory of the VM when a DISPI mode is set or it is written for the first time,
 * where the base address register is then. It is hidden while that is decoded nowhere, or elsewhere; when a
 * mode is on, it moves there, empty: firmware assigns the address before it sets a mode. GPR-only code
 * (base/gpr.h). (IBM VGA reference, graphics controller; FreeVGA, "Accessing the VGA Display Memory".) */
#include "base/log.h"
#include "hv/dev/vga_int.h"
#include "mm/pages.h"

enum { FRAME_PAGES = VGA_FRAME_SIZE / PAGE_SIZE, WINDOW_PAGES = VGA_WINDOW_SIZE / PAGE_SIZE };

/* Zero N bytes, whole pages at any address. Pages that are zero stay as they are. */
static void clear(uint8_t *bytes, size_t n)
{
	for (size_t at = 0; at < n; at += PAGE_SIZE) {
		const any64 *p = (const void *)(bytes + at);
		uint64_t any = 0;

		for (size_t i = 0; i < PAGE_SIZE / 8; i++)
			any |= p[i];
		if (any)
			gpr_zero(bytes + at, PAGE_SIZE);
	}
}

/* Does the memory map select bits' range begin at A0000? */
static bool window_open(const struct vga *v)
{
	return (v->gfx[6] >> 2 & 3) < 2;
}

/* Bits 0 to 3 of N as bytes of all ones. */
static uint32_t spread(unsigned n)
{
	return (n & 1 ? 0xffu : 0) | (n & 2 ? 0xff00u : 0) | (n & 4 ? 0xff0000u : 0) |
	       (n & 8 ? 0xff000000u : 0);
}

static bool chain4(const struct vga *v)
{
	return v->seq[4] & 8;
}

static bool odd_even(const struct vga *v)
{
	return !(v->seq[4] & 4);
}

/* ---- A0000 ---- */

/* Is a chain-4 mode on in which all planes may be written? */
static bool plain(const struct vga *v)
{
	return window_open(v) && chain4(v) && (v->seq[2] & 15) == 15 && !vga_dispi_on(v);
}

/* The planes are in RAM from now on. */
static void window_lend(struct vga *v)
{
	struct mm_vm *vm = v->d.board->vm;

	for (unsigned at = 0; at < VGA_WINDOW_SIZE; at += PAGE_SIZE) {
		uint64_t any = 0;

		for (unsigned i = 0; i < PAGE_SIZE; i += 8)
			any |= *(const any64 *)(const void *)(v->planes + at + i);
		if (any && mm_phys_write(vm, VGA_WINDOW_AT + at, v->planes + at, PAGE_SIZE))
			gpr_zero(v->planes + at, PAGE_SIZE);
	}
}

/* Take back what the guest wrote. */
static void window_fetch(struct vga *v)
{
	struct mm_vm *vm = v->d.board->vm;

	mm_phys_read(vm, VGA_WINDOW_AT, v->planes, VGA_WINDOW_SIZE);
}

static void window_set(struct vga *v, enum vga_window to)
{
	struct mm_vm *vm = v->d.board->vm;

	if (v->window == WINDOW_DIRECT)
		window_fetch(v);
	if (v->window_is != WINDOW_DEVICE)
		mm_release_pages(vm, VGA_WINDOW_AT >> PAGE_SHIFT, WINDOW_PAGES);
	mm_vm_hide(vm, VGA_WINDOW_AT, VGA_WINDOW_SIZE, to == WINDOW_DEVICE);
	v->window = v->window_is = to;
	if (to == WINDOW_DIRECT)
		window_lend(v);
}

void vga_window_follow(struct vga *v)
{
	enum vga_window to = v->window;

	if (plain(v))
		to = WINDOW_DIRECT;
	else if (v->window != WINDOW_RAM || window_open(v) || vga_dispi_on(v))
		to = WINDOW_DEVICE;
	if (to != v->window)
		window_set(v, to);
}

/* ---- the frame buffer ---- */

static bool is_free(const struct mm_vm *vm, gpa a)
{
	for (unsigned i = 0; i < FRAME_PAGES; i++)
		if (mm_is_ram(vm, a + (gpa)i * PAGE_SIZE, 1))
			return false;
	return true;
}

static void frame_release(struct vga *v)
{
	if (!v->frame_is)
		return;
	mm_vm_hide(v->d.board->vm, v->frame_is, VGA_FRAME_SIZE, false);
	mm_release_pages(v->d.board->vm, v->frame_is >> PAGE_SHIFT, FRAME_PAGES);
}

static void frame_place(struct vga *v, gpa at)
{
	struct mm_vm *vm = v->d.board->vm;

	frame_release(v);
	if (v->frame_is)
		mm_vm_hide(vm, v->frame_is, VGA_FRAME_SIZE, true);
	v->frame = v->frame_is = 0;
	if (at && is_free(vm, at) && !mm_vm_add_ram(vm, at, VGA_FRAME_SIZE, false))
		v->frame = v->frame_is = at;
	else if (at)
		LOG(dev, "vga: no room in memory for a frame buffer at %#llx", (unsigned long long)at);
}

static bool frame_wanted(const struct vga *v)
{
	return vga_dispi_on(v) && !vga_dispi_planar(v);
}

void vga_frame_follow(struct vga *v)
{
	uint64_t at = v->f.mapped[VGA_FRAME];

	if (at != PCI_UNMAPPED && at != v->frame && frame_wanted(v))
		frame_place(v, at);
	if (v->frame)
		mm_vm_hide(v->d.board->vm, v->frame, VGA_FRAME_SIZE, at != v->frame);
}

/* ---- as a whole ---- */

void vga_dispi_clear(struct vga *v)
{
	if (vga_dispi_planar(v))
		clear(v->planes, sizeof(v->planes));
	else if (v->frame)
		mm_release_pages(v->d.board->vm, v->frame >> PAGE_SHIFT, FRAME_PAGES);
}

void vga_memory_reset(struct vga *v)
{
	if (v->window != WINDOW_RAM)
		window_set(v, WINDOW_RAM);
	clear(v->planes, sizeof(v->planes));
	frame_release(v);
	vga_frame_follow(v);
}

gpa vga_frame(const struct dev *d)
{
	return ((const struct vga *)d)->frame_is;
}

void vga_memory_loaded(struct vga *v)
{
	uint64_t frame = v->frame;

	if (frame % VGA_FRAME_SIZE || frame >> 32)
		frame = 0; /* no base address register says so */

	mm_vm_hide(v->d.board->vm, VGA_WINDOW_AT, VGA_WINDOW_SIZE, v->window == WINDOW_DEVICE);
	v->window_is = v->window;
	v->frame = v->frame_is;
	if (frame != v->frame_is)
		frame_place(v, frame);
	vga_frame_follow(v);
}

/* ---- accesses ---- */

/* Where a plane's 64 KiB begin that the guest sees. */
static uint32_t bank(const struct vga *v)
{
	return vga_dispi_on(v) ? (uint32_t)v->dispi[DISPI_BANK] << 16 : 0;
}

/* The four planes' bytes at OFF. */
static uint32_t *planes_at(struct vga *v, uint32_t off)
{
	return (uint32_t *)(void *)(v->planes + (((off & 0xffff) + bank(v)) * 4 & (VGA_PLANES - 1)));
}

static uint8_t read_byte(struct vga *v, uint32_t off)
{
	uint32_t differ;
	unsigned plane = v->gfx[4] & 3;

	if (chain4(v))
		return v->planes[off & 0xffff];
	if (odd_even(v)) {
		plane = (plane & 2) | (off & 1);
		off &= ~1u;
	}
	v->latches = *planes_at(v, off);
	if (!(v->gfx[5] & 8))
		return (uint8_t)(v->latches >> 8 * plane);
	/* Bits of pixels whose colour is gfx[2] in the planes of gfx[7]. */
	differ = (v->latches ^ spread(v->gfx[2])) & spread(v->gfx[7]);
	differ |= differ >> 16;
	return (uint8_t) ~(differ | differ >> 8);
}

/* What the latches and VAL, a byte for each plane, make by the function of gfx[3], where MASK says. */
static uint32_t combine(const struct vga *v, uint32_t val, uint8_t mask)
{
	uint32_t bits = mask * 0x01010101u;

	switch (v->gfx[3] >> 3 & 3) {
	case 1:
		val &= v->latches;
		break;
	case 2:
		val |= v->latches;
		break;
	case 3:
		val ^= v->latches;
		break;
	}
	return (val & bits) | (v->latches & ~bits);
}

static uint8_t rotated(const struct vga *v, uint8_t val)
{
	unsigned n = v->gfx[3] & 7;

	return (uint8_t)(val >> n | val << (8 - n));
}

static void write_byte(struct vga *v, uint32_t off, uint8_t val)
{
	unsigned planes = v->seq[2] & 15;
	uint32_t data, set = spread(v->gfx[1]), *at;

	if (chain4(v)) {
		if (planes >> (off & 3) & 1)
			v->planes[off & 0xffff] = val;
		return;
	}
	if (odd_even(v)) {
		planes &= off & 1 ? 0xa : 0x5;
		off &= ~1u;
	}
	switch (v->gfx[5] & 3) {
	case 0:
		data = rotated(v, val) * 0x01010101u;
		data = combine(v, (data & ~set) | (spread(v->gfx[0]) & set), v->gfx[8]);
		break;
	case 1:
		data = v->latches;
		break;
	case 2:
		data = combine(v, spread(val), v->gfx[8]);
		break;
	default:
		data = combine(v, spread(v->gfx[0]), rotated(v, val) & v->gfx[8]);
		break;
	}
	at = planes_at(v, off);
	*at = (data & spread(planes)) | (*at & ~spread(planes));
}

/* Where the frame buffer's bytes at OFF of A0000 are; 0: they are nowhere. */
static gpa banked(const struct vga *v, uint64_t off)
{
	off += (uint64_t)v->dispi[DISPI_BANK] << 16;
	return v->frame && off < VGA_FRAME_SIZE ? v->frame + off : 0;
}

static bool through_bank(const struct vga *v)
{
	return vga_dispi_on(v) && !vga_dispi_planar(v);
}

uint64_t vga_memory_read(struct dev *d, unsigned region, uint64_t off, unsigned size)
{
	struct vga *v = (struct vga *)d;
	uint64_t val = 0;

	if (region == VGA_FRAME) /* it is RAM, unless it has not been used */
		return 0;
	if (off + size > VGA_WINDOW_SIZE)
		return UINT64_MAX;
	if (through_bank(v))
		return banked(v, off) && mm_phys_read(d->board->vm, banked(v, off), &val, size) ? val
												: UINT64_MAX;
	if (!window_open(v))
		return UINT64_MAX;
	for (unsigned i = 0; i < size; i++)
		val |= (uint64_t)read_byte(v, (uint32_t)off + i) << 8 * i;
	return val;
}

/* A driver clears the frame buffer before it sets a mode. */
static void frame_first_write(struct vga *v, uint64_t off, unsigned size, uint64_t val)
{
	if (v->f.mapped[VGA_FRAME] != PCI_UNMAPPED && v->f.mapped[VGA_FRAME] != v->frame)
		frame_place(v, v->f.mapped[VGA_FRAME]);
	if (v->frame)
		mm_phys_write(v->d.board->vm, v->frame + off, &val, size);
}

void vga_memory_write(struct dev *d, unsigned region, uint64_t off, unsigned size, uint64_t val)
{
	struct vga *v = (struct vga *)d;

	if (region == VGA_FRAME) {
		frame_first_write(v, off, size, val);
		return;
	}
	if (off + size > VGA_WINDOW_SIZE)
		return;
	if (through_bank(v) && banked(v, off))
		mm_phys_write(d->board->vm, banked(v, off), &val, size);
	if (through_bank(v) || !window_open(v))
		return;
	for (unsigned i = 0; i < size; i++)
		write_byte(v, (uint32_t)off + i, (uint8_t)(val >> 8 * i));
}

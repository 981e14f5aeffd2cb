/* SPDX-License-Identifier: GPL-3.0-or-later
 * The VGA's state, shared by vga.c (registers), vga_memory.c and vga_picture.c.
 *
 * It has two memories. The planes are its own; the guest accesses them at A0000, by way of the graphics
 * controller. The frame buffer of the DISPI modes is memory of the VM behind a PCI base address register,
 * which a guest accesses as RAM. Text is in RAM at B8000, as programs write it there. */
#ifndef HV_DEV_VGA_INT_H
#define HV_DEV_VGA_INT_H
#include "hv/pci.h"

enum {
	VGA_FRAME,  /* numbers of the ranges: the first is a base address register */
	VGA_WINDOW, /* A0000 to AFFFF */
	VGA_WINDOW_AT = 0xa0000,
	VGA_WINDOW_SIZE = 0x10000,
	VGA_PLANES = 1 << 20 /* the four planes, byte by byte: plane 0, 1, 2, 3, 0, ... */
};

/* DISPI: ports and registers. */
enum { DISPI_INDEX = 0x1ce, DISPI_DATA = 0x1cf };
enum {
	DISPI_ID,
	DISPI_XRES,
	DISPI_YRES,
	DISPI_BPP,
	DISPI_ENABLE,
	DISPI_BANK,
	DISPI_VIRT_WIDTH,
	DISPI_VIRT_HEIGHT,
	DISPI_X_OFFSET,
	DISPI_Y_OFFSET,
	DISPI_VIDEO_MEMORY, /* in units of 64 KiB */
	DISPI_REGS
};
enum { DISPI_ID0 = 0xb0c0, DISPI_ID5 = 0xb0c5, DISPI_MAX_X = 2560, DISPI_MAX_Y = 1600 };
enum { DISPI_ENABLED = 1, DISPI_GETCAPS = 2, DISPI_8BIT_DAC = 0x20, DISPI_NOCLEAR = 0x80 }; /* of ENABLE */

/* What the guest has at A0000. */
enum vga_window {
	WINDOW_RAM,    /* the guest has not used it since power-on: the RAM that is behind it */
	WINDOW_DEVICE, /* each access goes through the device */
	WINDOW_DIRECT  /* RAM that holds the first 64 KiB of the planes: chain-4 modes, as 13h */
};

struct vga {
	struct dev d;
	struct pci_function f;
	uint8_t misc, feature;
	uint8_t seq_index, gfx_index, attr_index, crtc_index;
	uint8_t attr_data; /* the next write to 0x3c0 is data */
	uint8_t seq[256], gfx[256], attr[32], crtc[256];
	uint8_t palette[768];
	uint16_t dac_read, dac_write; /* byte positions in the palette */
	uint8_t dac_state, dac_mask;
	uint32_t latches; /* a byte of each plane, as the last read left them */
	uint16_t dispi_index, dispi[DISPI_REGS];
	uint8_t window;				/* enum vga_window */
	uint8_t window_is;			/* the same, as memory is now: follows */
	_Alignas(8) uint8_t planes[VGA_PLANES]; /* by words, too */
	/* Not reset. */
	uint64_t frame;	   /* where the frame buffer is in memory; 0: it has not been used */
	uint64_t frame_is; /* the same, as memory is now: follows */
};

static inline bool vga_dispi_on(const struct vga *v)
{
	return v->dispi[DISPI_ENABLE] & DISPI_ENABLED;
}

/* A DISPI mode of 16 colours is in the planes. */
static inline bool vga_dispi_planar(const struct vga *v)
{
	return v->dispi[DISPI_BPP] == 4;
}

/* Bytes of a line in the DISPI modes; of a plane. */
static inline unsigned vga_dispi_pitch(const struct vga *v)
{
	return vga_dispi_planar(v) ? v->dispi[DISPI_VIRT_WIDTH] / 8u
				   : v->dispi[DISPI_VIRT_WIDTH] * ((v->dispi[DISPI_BPP] + 7u) / 8);
}

/* Registers have changed: give the guest at A0000 what they say. */
void vga_window_follow(struct vga *v);
/* Where the frame buffer is decoded, or whether it is used, has changed. */
void vga_frame_follow(struct vga *v);
/* A reset: the planes and the frame buffer are zero, and A0000 is RAM. */
void vga_memory_reset(struct vga *v);
/* The state was loaded: make memory what it says, without content. */
void vga_memory_loaded(struct vga *v);
/* Zero the memory of the DISPI mode. */
void vga_dispi_clear(struct vga *v);
uint64_t vga_memory_read(struct dev *d, unsigned region, uint64_t off, unsigned size);
void vga_memory_write(struct dev *d, unsigned region, uint64_t off, unsigned size, uint64_t val);
#endif

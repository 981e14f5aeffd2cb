/* SPDX-License-Identifier: GPL-3.0-or-later
 * The board: devices, their wiring, and the few requests they may make to the machine around them.
 * Everything here runs on the vCPU thread. */
#ifndef HV_BOARD_H
#define HV_BOARD_H
#include "hv/apic.h"
#include "hv/balloon.h"
#include "hv/bus.h"
#include "hv/clock.h"
#include "hv/dev.h"
#include "hv/machine.h"
#include "hv/mmio.h"

/* Index of each device: the row in the board list, which is power-on order. */
enum board_slot {
#define BOARD(slot, cls) SLOT_##slot,
#include "hv/board.def"
#undef BOARD
	SLOT_COUNT
};
enum { BOARD_MAX_DEVS = 48 };

struct drives;
struct door;
struct nics;

/* A device's request to the run loop. */
enum board_event {
	EVENT_NONE,
	EVENT_OFF,
	EVENT_EXIT,
	EVENT_CPU_RESET, /* the processor's INIT line: 8042, port 0x92 */
	EVENT_RESET,	 /* whole board: 0xcf9 */
	EVENT_PANIC,	 /* the guest's kernel has panicked, and says so */
};

/* Who drives an interrupt line. Devices that share one have a source each, or share a source that ORs them
 * itself, as the PCI bus does for each of its four wires. */
enum irq_source {
	IRQ_ISA, /* the devices of the ISA bus: at most one on a line */
	IRQ_PIRQA,
	IRQ_PIRQB,
	IRQ_PIRQC,
	IRQ_PIRQD,
	IRQ_SCI,
	IRQ_HPET,
	IRQ_TEST, /* pc-testdev */
	IRQ_SOURCES
};
enum { ISA_LINES = 16, IRQ_LINES = IOAPIC_PINS }; /* those from 16 on lead to the IO-APIC alone */

enum { BOARD_RING = 4096 };

/* Ring buffer of the last bytes that a guest wrote to its debug port. */
struct byte_ring {
	uint8_t buf[BOARD_RING];
	uint64_t total;
};

struct board {
	struct vm_clock clock;
	struct bus bus;
	struct mmio_bus mmio;
	struct mm_vm *vm;
	struct vcpu *v;
	struct door *door; /* the machine's, as the next */
	struct nics *nics;
	const struct machine_config *cfg;
	uint64_t memory; /* bytes of RAM */
	struct balloon balloon;
	struct dev *dev[BOARD_MAX_DEVS]; /* those of the board list, then those of the configuration */
	unsigned ndevs;
	struct apic_caps apic;
	bool intr;		  /* level of the processor's INTR pin, by the next three */
	bool apic_intr, pic_intr; /* outputs of local APIC and 8259 */
	bool extint;		  /* the 8259's reaches the processor */
	bool legacy_off;	  /* the HPET has lines 0 and 8 instead of PIT and RTC */
	bool a20;
	uint32_t lines;			/* levels of the interrupt lines: OR of the sources' */
	uint32_t driven[IRQ_SOURCES];	/* lines that each source drives */
	uint64_t irq_raised[IRQ_LINES]; /* rising edges by line */
	uint64_t irq_acked[IRQ_LINES];
	uint64_t msis, msis_dropped; /* messages; those that no controller took */
	uint64_t nmis, nmis_taken;   /* edges of LINT1; that the processor got */
	enum board_event event;
	struct machine_hit hit;
	int exit_code;
	struct byte_ring debug; /* ports 0xe9 and 0x402 */
	char line[128];		/* the debug console's unfinished line */
	size_t line_len;
	const struct drives *drives; /* borrowed from the image loader, as is the video BIOS */
	const uint8_t *vgabios;
	size_t vgabios_len;
};

/* Create all devices. False with one line in ERR. */
bool board_init(struct board *b, char *err, size_t errlen);
/* Of these, add those that b->cfg asks for. */
bool board_configured(struct board *b, char *err, size_t errlen);
/* Add a device of class CLS called NAME, register its ports and memory ranges, and let it open CONFIG, which
 * is borrowed. NULL with one line in ERR: the board is then of no use. */
struct dev *board_add(struct board *b, const struct dev_class *cls, const char *name, const void *config,
		      char *err, size_t errlen);
struct dev *board_find(const struct board *b, const char *name); /* NULL: there is none */
void board_fini(struct board *b);
void board_reset(struct board *b);
/* Put the devices into the state a BIOS leaves, for guests that are entered without one. */
void board_post(struct board *b);
void board_flush(struct board *b);

/* ---- interrupts: the one way from a device's line to the processor's pin and back ---- */
void board_irq(struct board *b, unsigned line, bool level); /* a device drives ISA line 0..15 */
/* The same of a line with several sources: its level is the OR of theirs. */
void board_irq_from(struct board *b, enum irq_source source, unsigned line, bool level);
/* A message-signalled interrupt: the write of DATA to address A. False: no controller takes it there. */
bool board_msi(struct board *b, gpa a, uint32_t data);
void board_nmi(struct board *b); /* a device or the user's button: by way of LINT1 */
void board_irq_legacy_off(struct board *b, bool off);
void board_intr(struct board *b, bool level);	      /* the 8259 drives its output */
void board_apic_intr(struct board *b, bool level);    /* the local APIC wants to interrupt, or not */
void board_extint_changed(struct board *b);	      /* a path of the 8259's output opened or closed */
void board_cpu_nmi(struct board *b);		      /* the processor's NMI */
int board_irq_ack(struct board *b);		      /* the processor acknowledges: the vector */
void board_irq_taken(struct board *b, unsigned line); /* a controller has acknowledged LINE */
/* The pin of the IO-APIC to which LINE leads. */
static inline unsigned board_irq_pin(unsigned line)
{
	return line ? line : 2;
}

/* Serve the registers of I/O devices in the VMM world, or through the door. */
void board_set_direct(struct board *b);

/* ---- requests of devices ---- */
void board_event(struct board *b, enum board_event ev);
void board_exit(struct board *b, uint32_t val);
void board_a20(struct board *b, bool on);
void board_debug_byte(struct board *b, uint8_t c);
/* An event that a point waits for (hv/machine.h): the machine stops soon, unless one did so already. */
void board_hit(struct board *b, const struct machine_hit *hit);

/* ---- DMA: memory as a bus master has it. False, and nothing done, when part of the range is no memory. What
 * is written to ROM is lost. ---- */
bool board_dma_read(struct board *b, gpa a, void *buf, uint64_t n);
bool board_dma_write(struct board *b, gpa a, const void *buf, uint64_t n);

/* ---- entry points of single devices ---- */
void pic_set(struct dev *d, unsigned line, bool level);
int pic_ack(struct dev *d);
/* The vector that LINE would have now; false: it is masked. */
bool pic_entry(const struct dev *d, unsigned line, unsigned *vector);
void rtc_set_memory(struct dev *d, uint64_t bytes);
/* DMA: bytes that channel CH is programmed to move, 0: it is off; move up to N of them between BUF and
 * memory, in the channel's direction, and return how many. *END: the channel's count has run out. */
unsigned dma_available(const struct dev *d, unsigned ch);
unsigned dma_move(struct dev *d, unsigned ch, uint8_t *buf, unsigned n, bool *end);
/* Memory between 768 KiB and 1 MiB, by the host bridge's attribute registers: 13 segments. */
enum { PAM_SEGMENTS = 13, PAM_READ = 1, PAM_WRITE = 2 };
struct pam_segment {
	uint32_t at, len;
	unsigned rights; /* PAM_READ: RAM, not ROM; PAM_WRITE: writes reach it */
};
struct pam_segment i440fx_pam(const struct dev *d, unsigned i);
void i440fx_open_shadow(struct dev *d); /* RAM throughout, as for guests without a BIOS */
/* What the VGA displays by its registers, clamped to the limits below: text, or graphics.
 */
struct vga_text {
	bool graphics, blinks;	 /* attribute bit 7 means blinking instead of a bright background */
	unsigned start, pitch;	 /* in cells: the first one, and the distance between lines */
	unsigned columns, lines; /* at most VGA_COLUMNS, VGA_LINES */
};
enum { VGA_COLUMNS = 132, VGA_LINES = 60 };
void vga_text(const struct dev *d, struct vga_text *t);
enum { VGA_TEXT_AT = 0xb8000, VGA_TEXT_SIZE = 0x8000, VGA_FRAME_SIZE = 16 << 20 };
/* Where the frame buffer is in the VM's memory; 0: the guest has not used it. */
gpa vga_frame(const struct dev *d);
/* Set a DISPI mode as a video BIOS does. Returns where its frame buffer is; 0: there is no such mode, or no
 * place for it. */
gpa vga_set_mode(struct dev *d, unsigned width, unsigned height, unsigned bits);
/* What the screen shows. NULL, or why there is no picture, static. Not GPR-only. */
const char *vga_picture(const struct dev *d, struct picture *p);

/* ---- view rows of single devices ---- */
struct row_sink;
struct value;
/* *V = NUM / DEN as a real number, which GPR-only code cannot compute. */
void board_ratio(struct value *v, uint64_t num, uint64_t den);
void pic_rows(struct dev *d, struct row_sink *s);
void pit_rows(struct dev *d, struct row_sink *s);
void rtc_rows(struct dev *d, struct row_sink *s);
void mouse_rows(struct dev *d, struct row_sink *s);
void uart_rows(struct dev *d, struct row_sink *s);
/* ARG: the address of a PCI function, as "00:03.0"; "": all. An error text, or NULL. */
const char *pci_rows(struct dev *d, const char *arg, struct row_sink *s);
const char *pci_region_rows(struct dev *d, const char *arg, struct row_sink *s);
const char *pci_config_rows(struct dev *d, const char *arg, struct row_sink *s);
#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a device is: a class row with its ports, its MMIO ranges, its state as a field
 * table, and its functions. A device knows its board and nothing else. */
#ifndef HV_DEV_H
#define HV_DEV_H
#include "base/gpr.h"
#include "hv/field.h"

struct board;
struct door_user;

struct dev_ports {
	uint16_t first, last;
	uint8_t sizes; /* as of struct port_range */
};

/* A range that the device has from power-on; others come and go by hv/mmio.h. */
struct dev_mmio {
	uint8_t region; /* the device's number for it */
	uint8_t sizes;	/* as of struct mmio_range */
	gpa first;
	uint64_t len;
};

/* What a device may accept from outside (hv/inbox.h). */
enum arrival_kind {
	ARRIVAL_SERIAL, /* bytes for a serial port */
	ARRIVAL_KEYS,	/* scan codes of set 1 for a keyboard */
	ARRIVAL_MOUSE,	/* records of struct mouse_move for the mouse */
	ARRIVAL_NMI,	/* the NMI button: a byte for each time it is pressed */
	ARRIVAL_KINDS
};

/* The mouse was moved, right and down, its wheel towards the user; the buttons that are down. */
struct mouse_move {
	int16_t dx, dy;
	int8_t dz;
	uint8_t buttons; /* bits: left, right, middle */
};

enum { DEV_NAME = 16 };

/* What a device counts, for the view "counters": a uint64_t in its state struct. */
struct dev_counter {
	const char *name;
	size_t off;
	const char *help;
};

struct dev;
struct dev_class {
	const char *name, *help;
	size_t size;	   /* of the state struct; its first member is struct dev */
	const char *lines; /* interrupt lines that it drives, fixed ones, as text; NULL: none */
	const struct dev_ports *ports;
	unsigned nports;
	const struct dev_mmio *mmio;
	unsigned nmmio;
	bool gpr_only; /* built as GPR-only code: accesses leave the guest's vector registers alone */
	bool hosted;   /* does I/O by the host: a network device, a disk controller (hv/io/door.h) */
	const struct state_field *fields; /* all state that does not follow from reset and the image */
	unsigned nfields;
	const struct dev_counter *counters;
	unsigned ncounters;
	/* Once, before all else: take what the device's configuration names, join the PCI bus. False with one
	 * line in ERR and nothing taken. fini() gives it back. */
	bool (*open)(struct dev *d, char *err, size_t errlen);
	void (*init)(struct dev *d);  /* at each power-on */
	void (*reset)(struct dev *d); /* power-on state */
	void (*fini)(struct dev *d);
	void (*loaded)(struct dev *d); /* its fields were loaded from a saved state */
	uint32_t (*in)(struct dev *d, uint16_t port, unsigned size);
	void (*out)(struct dev *d, uint16_t port, unsigned size, uint32_t val);
	/* SIZE: 1, 2, 4 or 8 bytes, among the sizes of the range; OFF from its start. Also accesses to ports
	 * that were claimed by region (hv/bus.h), as those of PCI functions are. */
	uint64_t (*mmio_read)(struct dev *d, unsigned region, uint64_t off, unsigned size);
	void (*mmio_write)(struct dev *d, unsigned region, uint64_t off, unsigned size, uint64_t val);
	void (*flush)(struct dev *d); /* hand over buffered output now */
	/* Accept up to N bytes from outside; return how many there was room for. NULL in devices that the
	 * machine never posts to. */
	size_t (*accept)(struct dev *d, enum arrival_kind kind, const uint8_t *data, size_t n);
};

struct dev {
	const struct dev_class *cls;
	struct board *board;
	bool direct;		/* accesses are served in the VMM world; else they go through the door */
	struct door_user *user; /* counts its switches */
	char name[DEV_NAME];	/* unique on the board: saved states, views */
	const void *config;	/* what board_add() was given: borrowed, for as long as the device exists */
};

#define DEV_PORTS(t) .ports = (t), .nports = ARRAY_LEN(t), .gpr_only = GPR_ONLY_BUILD
#define DEV_MMIO(t) .mmio = (t), .nmmio = ARRAY_LEN(t)
#define DEV_FIELDS(t) .fields = (t), .nfields = ARRAY_LEN(t)
#define DEV_COUNTERS(t) .counters = (t), .ncounters = ARRAY_LEN(t)
#endif

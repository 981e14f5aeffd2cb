/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a device is: a class row with its ports, its MMIO ranges, its state as a field
 * table, and its functions. A device knows its board and nothing else. */
#ifndef HV_DEV_H
#define HV_DEV_H
#include "base/gpr.h"
#include "hv/field.h"

struct board;

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
	ARRIVAL_KINDS
};

struct dev;
struct dev_class {
	const char *name, *help;
	size_t size; /* of the state struct; its first member is struct dev */
	const struct dev_ports *ports;
	unsigned nports;
	const struct dev_mmio *mmio;
	unsigned nmmio;
	bool gpr_only; /* built as GPR-only code: accesses leave the guest's vector registers alone */
	const struct state_field *fields; /* all state that does not follow from reset and the image */
	unsigned nfields;
	void (*init)(struct dev *d);  /* once, memory zeroed */
	void (*reset)(struct dev *d); /* power-on state */
	void (*fini)(struct dev *d);
	void (*loaded)(struct dev *d); /* its fields were loaded from a saved state */
	uint32_t (*in)(struct dev *d, uint16_t port, unsigned size);
	void (*out)(struct dev *d, uint16_t port, unsigned size, uint32_t val);
	/* SIZE: 1, 2, 4 or 8 bytes, among the sizes of the range; OFF from its start. */
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
};

#define DEV_PORTS(t) .ports = (t), .nports = ARRAY_LEN(t), .gpr_only = GPR_ONLY_BUILD
#define DEV_MMIO(t) .mmio = (t), .nmmio = ARRAY_LEN(t)
#define DEV_FIELDS(t) .fields = (t), .nfields = ARRAY_LEN(t)
#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a device is: a class row with its ports, its state as a field table and
 * its functions. A device knows the board it sits on and nothing else. */
#ifndef HV_DEV_H
#define HV_DEV_H
#include "base/gpr.h"

struct board;

struct dev_ports {
	uint16_t first, last;
	uint8_t sizes;
};

/* Guest-visible state: what the state hash (later: a snapshot) covers. */
struct dev_field {
	const char *name;
	uint16_t off, size;
};
#define DEV_FIELD(type, f)                                                                                   \
	{                                                                                                    \
#f, offsetof(struct type, f), sizeof(((struct type *)0)->f)                                  \
	}

struct dev;
struct dev_class {
	const char *name, *help;
	size_t size; /* of the state struct; its first member is struct dev */
	const struct dev_ports *ports;
	unsigned nports;
	bool light; /* its file is GPR-only code: in and out keep the guest's vector registers */
	const struct dev_field *fields;
	unsigned nfields;
	void (*init)(struct dev *d);  /* once, memory zeroed */
	void (*reset)(struct dev *d); /* power-on state */
	void (*fini)(struct dev *d);
	uint32_t (*in)(struct dev *d, uint16_t port, unsigned size);
	void (*out)(struct dev *d, uint16_t port, unsigned size, uint32_t val);
	void (*flush)(struct dev *d); /* hand buffered output over, now */
};

struct dev {
	const struct dev_class *cls;
	struct board *board;
};

#define DEV_PORTS(t) .ports = (t), .nports = ARRAY_LEN(t), .light = GPR_ONLY_BUILD
#define DEV_FIELDS(t) .fields = (t), .nfields = ARRAY_LEN(t)
#endif

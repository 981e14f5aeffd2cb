/* SPDX-License-Identifier: GPL-3.0-or-later
 * The composition root: the one place that knows the engine, the machine and
 * the face, and puts them together as the command line says. */
#include "bt/bt.h"
#include "console/console.h"
#include "guests/demo.h"
#include "hv/machine.h"
#include "inspect/inspect.h"

#include <stdio.h>
#include <stdlib.h>

extern const struct view *const bt_views[]; /* bt/views.c; for the manual */

static void describe(const struct options *o, struct inspect *s, struct machine_config *cfg)
{
	*cfg = (struct machine_config){
		.name = o->name,
		.memory = o->memory,
		.machine_memory = o->machine_memory,
		.cpu_model = o->cpu,
		.clock = o->icount ? CLOCK_ICOUNT : CLOCK_HOST,
		.icount_ns = (unsigned)o->icount_ns,
		.no_reboot = o->no_reboot,
		.image = {
			.kernel = o->kernel,
			.initrd = o->initrd,
			.append = o->append,
			.boot_sector = o->boot_sector,
			.bios = o->bios,
			.flat = o->flat_file,
			.flat_addr = o->flat_addr,
			.blob = o->demo ? demo_kernel : NULL,
			.blob_len = o->demo ? demo_kernel_len : 0,
		},
		.serial_out = inspect_serial_out,
		.serial_ctx = s,
	};
}

/* Run the session with its machine, if there is a guest. */
static int with_machine(const struct options *o, struct inspect *s, struct console *c)
{
	struct bt_config engine = {
		.tc_size = o->tc_size,
		.verify = o->verify_tc,
		.tu_max = (unsigned)o->tu_max,
		.no_chain = o->no_chain,
	};
	struct machine_config cfg;
	struct machine *m;
	char err[512];
	int status;

	if (!o->has_guest)
		return console_main(c);
	describe(o, s, &cfg);
	m = machine_new(&cfg, bt_vcpu_new, &engine, err, sizeof(err));
	if (!m) {
		fprintf(stderr, "vitrine: %s\n", err);
		return STATUS_CANNOT;
	}
	inspect_attach(s, &(struct inspect_machine){ .machine = m, .icount = o->icount });
	inspect_image_symbols(s, o->kernel, cfg.image.blob, cfg.image.blob_len, "demo");
	status = console_main(c);
	machine_free(m);
	return status;
}

static int with_options(const struct options *o)
{
	struct inspect *s = inspect_new(NULL);
	int status = STATUS_CANNOT;
	struct console *c;
	char err[512] = "cannot set up the terminal";

	c = console_new(o, s, err, sizeof(err));
	if (c)
		status = with_machine(o, s, c);
	else
		fprintf(stderr, "vitrine: %s\n", err);
	console_free(c);
	inspect_free(s);
	return status;
}

int main(int argc, char **argv)
{
	struct options o;
	int status = 0;

	switch (options_parse(&o, argc, argv)) {
	case OPTIONS_GO:
		status = with_options(&o);
		break;
	case OPTIONS_DONE:
		break;
	case OPTIONS_MANUAL:
		console_manual(stdout, bt_views);
		break;
	case OPTIONS_BAD:
		status = STATUS_USAGE;
		break;
	case OPTIONS_CANNOT:
		status = STATUS_CANNOT;
		break;
	}
	options_fini(&o);
	return status;
}

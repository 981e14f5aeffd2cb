/* SPDX-License-Identifier: GPL-3.0-or-later
 * The composition root: the one place that knows engine, machine and front end,
 * and combines them by the command line. */
#include "base/loop.h"
#include "base/runtime.h"
#include "base/sandbox.h"
#include "console/console.h"
#include "console/control.h"
#include "cpu/exit_view.h"
#include "engines.h"
#include "base/alloc.h"
#include "hv/field.h"
#include "gdbstub/gdbstub.h"
#include "guests/embedded.h"
#include "host/host.h"
#include "host/join.h"
#include "hv/machine.h"
#include "inspect/command.h"
#include "inspect/debug.h"
#include "inspect/inspect.h"
#include "svm/view.h"
#include "tui/remote.h"
#include "tui/tui.h"
#include "vtx/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Columns: name, help, ELF file, its length. */
static const struct embedded_guest guests[] = {
	{ "demo", "the embedded guest: a kernel that checks its processor", demo_kernel, &demo_kernel_len },
	{ "bench-nano", "embedded too: measures what single instructions and events cost", nano_kernel,
	  &nano_kernel_len },
	{ "stress", "embedded too: turns pages into data, tables and code at random, and checks all",
	  stress_kernel, &stress_kernel_len },
	{ "demo64", "embedded too: checks a processor's 64-bit mode", demo64_kernel, &demo64_kernel_len },
	{ "bench-nano64", "embedded too: bench-nano of 64-bit mode", nano64_kernel, &nano64_kernel_len },
	{ 0 },
};

static struct drive_config drive(const struct drive_list *l, unsigned i)
{
	const struct drive_option *d = &l->d[i];

	return (struct drive_config){
		.file = d->file,
		.overlay = d->overlay,
		.read_only = d->read_only,
		.virtio = d->virtio,
		.limits = { d->iops_read, d->iops_write, d->bps_read, d->bps_write },
	};
}

static const char *sandbox_text(const struct options *o)
{
	return o->no_sandbox ? "off (--no-sandbox)" : sandbox_missing() ? sandbox_missing() : "on";
}

static bool restrict_vcpu(char *err, size_t errlen)
{
	return sandbox_enter(SANDBOX_VCPU, err, errlen);
}

static bool restrict_alarm(char *err, size_t errlen)
{
	return sandbox_enter(SANDBOX_ALARM, err, errlen);
}

static bool restrict_drive(char *err, size_t errlen)
{
	return sandbox_enter(SANDBOX_DRIVE, err, errlen);
}

static void tell_user(const char *line)
{
	fprintf(stderr, "vitrine: %s\n", line);
}

static bool restrict_net(bool sockets, char *err, size_t errlen)
{
	return sandbox_enter(sockets ? SANDBOX_NET : SANDBOX_LINK, err, errlen);
}

static void describe(const struct options *o, struct inspect *s, struct machine_config *cfg)
{
	*cfg = (struct machine_config){
		.name = o->name,
		.memory = o->memory,
		.machine_memory = o->machine_memory,
		.swap = o->swap,
		.balloon = o->balloon,
		.cpu_model = o->cpu,
		.clock = o->icount ? CLOCK_ICOUNT : CLOCK_HOST,
		.icount_ns = (unsigned)o->icount_ns,
		.no_reboot = o->no_reboot,
		.testdev = o->testdev,
		.image = {
			.kernel = o->kernel,
			.initrd = o->initrd,
			.entry = o->entry,
			.append = o->append,
			.boot_sector = o->boot_sector,
			.cdrom = drive(&o->cdroms, 0),
			.bios = o->bios,
			.flat = o->flat_file,
			.flat_addr = o->flat_addr,
			.blob = o->embedded ? o->embedded->blob : NULL,
			.blob_len = o->embedded ? *o->embedded->len : 0,
			.blob_name = o->embedded ? o->embedded->name : NULL,
		},
		.serial_out = inspect_serial_out,
		.serial_ctx = s,
		.thread_begins = o->no_sandbox ? NULL : restrict_vcpu,
		.alarm_thread_begins = o->no_sandbox ? NULL : restrict_alarm,
		.drive_thread_begins = o->no_sandbox ? NULL : restrict_drive,
		.report = tell_user,
		.net_thread_begins = o->no_sandbox ? NULL : restrict_net,
		.sandbox = sandbox_text(o),
	};
	for (unsigned i = 0; i < FLOPPIES_MAX; i++)
		cfg->image.floppy[i] = drive(&o->floppies, i);
	for (unsigned i = 0; i < DISKS_MAX; i++)
		cfg->image.disk[i] = drive(&o->disks, i);
	for (unsigned i = 0; i < NETS_MAX; i++)
		cfg->net[i] = i < o->nnets ? o->nets[i] : NULL;
	for (unsigned i = 0; i < DEVICES_MAX; i++)
		cfg->device[i] = i < o->ndevices ? o->devices[i] : NULL;
}

/* Listen at the address of --gdb. */
static bool open_gdb(const struct options *o, struct inspect *s, struct gdb *g)
{
	char err[300];

	if (!o->gdb)
		return true;
	if (!gdb_listen(g, o->gdb, err, sizeof(err))) {
		fprintf(stderr, "vitrine: %s\n", err);
		return false;
	}
	debug_expect(s, o->wait_gdb);
	return true;
}

/* The front end: one of the first two; what else serves the session, NULL where it is absent. */
struct front {
	struct console *c;
	struct tui *t;
	struct control *control;
	struct host_link *link; /* to the host that the machine is on */
	bool host;		/* this process is a host */
};

/* Everything is set up: restrict this thread, and serve. */
static int front_main(const struct options *o, const struct front *f)
{
	char err[200];

	if (!o->no_sandbox &&
	    !sandbox_enter(f->host ? SANDBOX_MAIN | SANDBOX_HOST : SANDBOX_MAIN, err, sizeof(err))) {
		fprintf(stderr, "vitrine: %s\n", err);
		return STATUS_CANNOT;
	}
	return f->t ? tui_main(f->t) : console_main(f->c);
}

static struct loop *front_loop(const struct front *f)
{
	return f->t ? tui_loop(f->t) : console_loop(f->c);
}

/* The dashboard has the terminal already; `info status` says it there. */
static void warn_slow(const struct options *o, struct machine *m)
{
	const struct mmu *mmu = machine_vcpu(m)->mmu;
	const char *slow = mmu ? mmu_pages_slow(mmu) : NULL;

	if (slow && o->face != FACE_TUI)
		fprintf(stderr, "vitrine: %s\n", slow);
}

/* ---- a machine on a host ---- */

static struct host_link *join_host(const struct options *o, char *err, size_t errlen)
{
	return host_link_new(&(struct host_join){ .host = o->host,
						  .vm = o->name,
						  .memory = o->memory,
						  .min = o->min,
						  .max = o->max,
						  .shares = o->shares },
			     err, errlen);
}

/* The machine takes its memory from the host. */
static void use_host(const struct front *f, struct machine_config *cfg, struct machine_swap *swap)
{
	if (!f->link)
		return;
	cfg->pool = host_link_pool(f->link);
	swap->fd = host_link_swap(f->link, &swap->base);
	cfg->shared_swap = swap->fd < 0 ? NULL : swap;
}

/* The machine is made: the host lists it, and is a client of its session. */
static bool report_to_host(const struct front *f, struct inspect *s, struct machine *m)
{
	char err[300];
	int fd;

	if (!f->link)
		return true;
	fd = host_link_ready(f->link, m, err, sizeof(err));
	if (fd < 0) {
		fprintf(stderr, "vitrine: %s\n", err);
		return false;
	}
	control_adopt_host(f->control, fd);
	host_link_serve(f->link, s, front_loop(f));
	loop_turn(front_loop(f), 0, -1); /* the host wants the first output, too */
	return true;
}

/* A test's table has one engine, whatever the option says. */
static const struct engine_choice *engine_named(const char *name)
{
	for (const struct engine_choice *e = engines; e->name; e++)
		if (!strcmp(e->name, name))
			return e;
	return &engines[0];
}

static void add_state(const struct engine_choice *engine, struct machine *m)
{
	struct state_part p = { 0 };

	engine->state(machine_vcpu(m), &p);
	if (p.fields)
		machine_add_state(m, &p);
}

/* Run the session, with a machine if there is a guest. */
static int run_machine(const struct options *o, struct inspect *s, const struct front *f)
{
	const struct engine_choice *engine = engine_named(o->engine);
	struct machine_config cfg;
	struct machine_swap swap;
	struct machine *m;
	struct gdb *g;
	char err[512];
	char *model = NULL;
	void *config;
	int status;

	if (!o->has_guest)
		return front_main(o, f);
	describe(o, s, &cfg);
	use_host(f, &cfg, &swap);
	cfg.engine_memory = engine->memory;
	if (engine->no_long)
		cfg.cpu_model = model = xasprintf("%s,-lm", cfg.cpu_model ? cfg.cpu_model : "host");
	config = engine->config ? engine->config(o) : NULL;
	m = machine_new(&cfg, engine->vcpu_new, config, err, sizeof(err));
	free(config);
	free(model);
	if (!m) {
		fprintf(stderr, "vitrine: %s\n", err);
		return STATUS_CANNOT;
	}
	if (engine->state)
		add_state(engine, m);
	inspect_attach(s, &(struct inspect_machine){ .machine = m, .icount = o->icount });
	inspect_image_symbols(s, o->kernel, cfg.image.blob, cfg.image.blob_len,
			      o->embedded ? o->embedded->name : NULL);
	g = gdb_new(s, front_loop(f));
	gdb_allow_files(g, o->gdb_files);
	inspect_add(s, gdb_addon(g));
	status = STATUS_CANNOT;
	if (open_gdb(o, s, g) && report_to_host(f, s, m)) {
		warn_slow(o, m);
		status = front_main(o, f);
	}
	gdb_free(g);
	machine_free(m);
	return status;
}

/* ---- dashboards for clients of the control socket ---- */

static void send_frame(void *client, const char *line, size_t n)
{
	control_send(client, line, n);
}

static size_t frames_waiting(void *client)
{
	return control_waiting(client);
}

static void *open_dashboard(void *service, struct control_client *c)
{
	return tui_remote_new(
	    service, &(struct tui_remote_out){ .to = c, .send = send_frame, .waiting = frames_waiting });
}

static void close_dashboard(void *r)
{
	tui_remote_free(r);
}

static const char *ask_dashboard(void *r, const json_t *value)
{
	return tui_remote_request(r, value);
}

static const char *guest_name(const struct options *o)
{
	const char *file = o->face == FACE_HOST ? o->host
			   : o->embedded	? o->embedded->name
			   : o->kernel		? o->kernel
			   : o->boot_sector	? o->boot_sector
			   : o->floppies.n	? o->floppies.d[0].file
			   : o->disks.n		? o->disks.d[0].file
			   : o->cdroms.n	? o->cdroms.d[0].file
			   : o->bios		? o->bios
						: o->flat_file;
	const char *slash = file ? strrchr(file, '/') : NULL;

	return slash ? slash + 1 : file;
}

/* What the dashboard calls the VM: its own name if it was given one, else that of the guest. */
static const char *vm_name(const struct options *o)
{
	return o->name && strcmp(o->name, OPTIONS_NAME) ? o->name : guest_name(o);
}

/* Where the control socket is to be: "" for none. False with one line in ERR. */
static bool control_place(const struct options *o, char *where, size_t len, char *err, size_t errlen)
{
	char path[RUNTIME_PATH];

	snprintf(where, len, "%s", o->control ? o->control : "");
	if (!o->host)
		return true;
	if (!runtime_path(o->host, o->face == FACE_HOST ? NULL : o->name, RUNTIME_CONTROL, path, err, errlen))
		return false;
	snprintf(where, len, "unix:%s", path);
	return true;
}

/* Run the session with its control socket, if it has one. */
static int with_control(const struct options *o, struct inspect *s, struct front *f)
{
	struct control_service dashboard = { .word = "dashboard",
					     .open = open_dashboard,
					     .close = close_dashboard,
					     .request = ask_dashboard };
	char err[300], where[RUNTIME_PATH + 200];
	struct tui_service *v;
	struct control *ctl = NULL;
	bool ok = control_place(o, where, sizeof(where), err, sizeof(err));
	int status;

	if (ok && !where[0])
		return run_machine(o, s, f);
	if (ok)
		ctl = control_new(s, front_loop(f), where, err, sizeof(err));
	if (!ctl) {
		fprintf(stderr, "vitrine: %s\n", err);
		return STATUS_CANNOT;
	}
	f->control = ctl;
	dashboard.ctx = v = tui_service_new(s, front_loop(f), vm_name(o));
	control_serve(ctl, &dashboard);
	status = run_machine(o, s, f);
	control_free(ctl);
	tui_service_free(v);
	return status;
}

/* Run the session as a host's, or on a host, if it is one of these. */
static int with_machine(const struct options *o, struct inspect *s, struct front *f)
{
	const struct host_config cfg = { .name = o->host,
					 .machine_memory = o->machine_memory,
					 .swap = o->swap,
					 .restricted = !o->no_sandbox };
	struct host *host = NULL;
	char err[300];
	int status;

	if (o->face == FACE_HOST) {
		f->host = true;
		host = host_new(&cfg, err, sizeof(err));
	} else if (o->host) {
		f->link = join_host(o, err, sizeof(err));
	}
	if (o->host && !host && !f->link) {
		fprintf(stderr, "vitrine: %s\n", err);
		return STATUS_CANNOT;
	}
	if (host)
		host_serve(host, s, front_loop(f));
	status = with_control(o, s, f);
	host_free(host);
	host_link_free(f->link, status);
	return status;
}

static int with_console(const struct options *o, struct inspect *s)
{
	char err[512] = "cannot set up the terminal";
	struct front f = { .c = console_new(o, s, err, sizeof(err)) };
	int status = STATUS_CANNOT;

	if (f.c)
		status = with_machine(o, s, &f);
	else
		fprintf(stderr, "vitrine: %s\n", err);
	console_free(f.c);
	return status;
}

static int with_tui(const struct options *o, struct inspect *s)
{
	struct tui_config cfg = {
		.guest = vm_name(o),
		.scripts = o->scripts,
		.nscripts = o->nscripts,
		.no_rc = o->no_rc,
		.serial = o->serial,
		.timeout = o->timeout,
		.delay = o->delay,
		.dump = o->dump,
		.batch = o->batch,
		.count = (unsigned)o->count,
		.width = o->width,
		.height = o->height,
	};
	struct front f = { 0 };
	int status = STATUS_CANNOT;
	char err[512], control[sizeof("unix:") + RUNTIME_PATH];

	if (control_place(o, control, sizeof(control), err, sizeof(err)) && control[0])
		cfg.control = control; /* where it cannot be is said when it is opened */
	f.t = tui_new(&cfg, s, err, sizeof(err));
	if (f.t)
		status = with_machine(o, s, &f);
	else
		fprintf(stderr, "vitrine: %s\n", err);
	tui_free(f.t);
	return status;
}

static int attach(const struct options *o)
{
	int fd, status;

	if (!o->want_tui)
		return attach_main(o);
	fd = attach_connect(o->attach);
	if (fd < 0)
		return STATUS_CANNOT;
	status = tui_view(fd);
	close(fd);
	return status;
}

static int with_options(const struct options *o)
{
	struct inspect *s;
	int status;

	if (o->face == FACE_ATTACH)
		return attach(o);
	if (!o->no_sandbox)
		sandbox_prepare();
	s = inspect_new(NULL);
	inspect_start_assembler(s, !o->no_sandbox);
	status = o->face == FACE_TUI || o->want_tui ? with_tui(o, s) : with_console(o, s);

	inspect_free(s);
	return status;
}

int main(int argc, char **argv)
{
	struct options o;
	int status = 0;

	switch (options_parse(&o, guests, argc, argv)) {
	case OPTIONS_GO:
		status = with_options(&o);
		break;
	case OPTIONS_DONE:
		break;
	case OPTIONS_MANUAL:
		console_manual(stdout, guests, engines[0].views,
			       (const struct inspect_addon *const[]){
				   &gdb_addon_manual, &host_addon_manual,
				   &(const struct inspect_addon){ .views = vmx_views },
				   &(const struct inspect_addon){ .views = svm_views },
				   &(const struct inspect_addon){ .views = exit_views }, NULL });
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

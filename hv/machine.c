/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/machine.h: construction and the controlling side of run control. The
 * vCPU thread's side is hv/run.c. */
#include "hv/machine_int.h"
#include "hv/dev/virtio.h"
#include "hv/device_options.h"
#include "hv/ram.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <x86intrin.h>

#include "base/log.h"
#include "base/monotonic.h"
#include "base/swap_file.h"
#include "mm/host.h"
#include "mm/pages.h"

extern const struct dev_class ide_class, fdc_class;

enum { STEP_SPIN_TSC = 200000 };
#define MEMORY_MIN (1ull << 20)
#define MEMORY_MAX (32ull << 30)

static bool fail(char *err, size_t errlen, const char *text)
{
	snprintf(err, errlen, "%s", text);
	return false;
}

/* ---- the vCPU's thread ---- */

static bool at_rest(const struct machine *m)
{
	return atomic_load(&m->state) != MACHINE_RUNNING;
}

static void wake_vcpu(struct machine *m)
{
	uint64_t one = 1;
	int saved = errno;

	if (write(m->wake_fd, &one, sizeof(one)) < 0)
		errno = saved; /* the counter is full: the thread is awake */
}

/* ---- construction ---- */

static void copy_string(const char **s)
{
	if (*s)
		*s = strdup(*s);
}

/* The strings of which a machine keeps its own copy. */
static const char **config_string(struct machine_config *c, unsigned n)
{
	struct image_config *i = &c->image;
	const char **all[] = { &c->name,	&c->cpu_model, &c->swap,  &c->balloon,
			       &i->kernel,	&i->initrd,    &i->entry, &i->append,
			       &i->boot_sector, &i->bios,      &i->flat,  &i->blob_name };
	unsigned d = n - ARRAY_LEN(all);
	struct drive_config *drive;

	if (n < ARRAY_LEN(all))
		return all[n];
	if (d / 2 > FLOPPIES_MAX + DISKS_MAX)
		return NULL;
	drive = d / 2 < FLOPPIES_MAX		   ? &i->floppy[d / 2]
		: d / 2 < FLOPPIES_MAX + DISKS_MAX ? &i->disk[d / 2 - FLOPPIES_MAX]
						   : &i->cdrom;
	return d & 1 ? &drive->overlay : &drive->file;
}

static void copy_config(struct machine_config *c)
{
	for (unsigned i = 0; config_string(c, i); i++)
		copy_string(config_string(c, i));
	for (unsigned i = 0; i < NETS_MAX; i++)
		copy_string(&c->net[i]);
	for (unsigned i = 0; i < DEVICES_MAX; i++)
		copy_string(&c->device[i]);
}

static void free_config(struct machine_config *c)
{
	for (unsigned i = 0; config_string(c, i); i++)
		free((char *)(uintptr_t)*config_string(c, i));
	for (unsigned i = 0; i < NETS_MAX; i++)
		free((char *)(uintptr_t)c->net[i]);
	for (unsigned i = 0; i < DEVICES_MAX; i++)
		free((char *)(uintptr_t)c->device[i]);
}

/* A file of its own is as large as physical address space: a page's place in it is its address. */
static bool add_swap(struct machine *m, char *err, size_t errlen)
{
	uint64_t base = m->cfg.shared_swap ? m->cfg.shared_swap->base : 0;
	int fd;

	if (m->cfg.shared_swap)
		fd = fcntl(m->cfg.shared_swap->fd, F_DUPFD_CLOEXEC, 3);
	else
		fd = swap_open(m->cfg.swap,
			       m->loader.bios.len && ram_end(m->memory) < RAM_HIGH_AT ? RAM_HIGH_AT
										      : ram_end(m->memory),
			       err, errlen);
	if (fd < 0)
		return m->cfg.shared_swap ? fail(err, errlen, "out of file descriptors") : false;
	if (!mm_vm_set_swap(m->vm, fd, base))
		return true;
	close(fd);
	return fail(err, errlen, "out of memory for the machine");
}

static bool make_memory(struct machine *m, char *err, size_t errlen)
{
	uint64_t rom = m->loader.bios.len, size = m->cfg.machine_memory;

	if (!size)
		size = m->memory + rom + m->cfg.engine_memory + VGA_FRAME_SIZE + (1 << 20);
	m->pool = m->cfg.pool ? m->cfg.pool : mm_pool_new(size);
	if (!m->pool) {
		snprintf(err, errlen, "cannot reserve %llu MiB of machine memory: %s",
			 (unsigned long long)size >> 20, strerror(errno));
		return false;
	}
	m->vm = mm_vm_new(m->pool);
	if (!m->vm) {
		snprintf(err, errlen, "cannot make the guest's memory: %s", strerror(errno));
		return false;
	}
	if ((m->cfg.swap || m->cfg.shared_swap) && !add_swap(m, err, errlen))
		return false;
	if (mm_vm_add_ram(m->vm, 0, ram_low(m->memory), false) ||
	    (ram_high(m->memory) && mm_vm_add_ram(m->vm, RAM_HIGH_AT, ram_high(m->memory), false)) ||
	    (rom && mm_vm_add_ram(m->vm, 0x100000000ull - rom, rom, true)))
		return fail(err, errlen,
			    "machine memory is too small for the guest's memory, and there is no --swap");
	return true;
}

/* Controllers, if something is attached to them. */
static bool add_drives(struct board *b, char *err, size_t errlen)
{
	bool ide = false, floppy = false;

	for (unsigned i = 0; i < IDE_MAX; i++) {
		ide |= drive_ide(b->drives, i) != NULL;
		floppy |= drive_floppy(b->drives, i) != NULL;
	}
	return (!ide || board_add(b, &ide_class, "ide", NULL, err, errlen)) &&
	       (!floppy || board_add(b, &fdc_class, "fdc", NULL, err, errlen));
}

static bool make_board(struct machine *m, char *err, size_t errlen)
{
	struct board *b = &m->board;

	clock_init(&b->clock, m->cfg.clock, m->cfg.icount_ns);
	b->cfg = &m->cfg;
	if (!balloon_device(m->cfg.balloon, &b->balloon.device)) {
		snprintf(err, errlen, "no balloon device \"%s\": there are vmware, virtio and none",
			 m->cfg.balloon);
		return false;
	}
	b->memory = m->memory;
	b->vm = m->vm;
	b->drives = &m->loader.drives;
	b->vgabios = m->loader.vgabios.data;
	b->vgabios_len = m->loader.vgabios.len;
	if (!cpuid_build(&m->cpuid, m->cfg.cpu_model, b->clock.tsc_khz, BUS_HZ / 1000, err, errlen))
		return false;
	if (ram_high(m->memory) && !cpuid_lm(&m->cpuid))
		return fail(err, errlen, "guest memory: a 32-bit processor has 3 GiB at most");
	b->apic = cpuid_apic(&m->cpuid);
	m->loader.apic = b->apic.present;
	m->loader.pvpanic = devices_have(&m->cfg, "pvpanic");
	m->loader.lm = cpuid_lm(&m->cpuid);
	m->loader.cpu_signature = m->cpuid.e[1].reg[0];
	m->loader.cpu_features = m->cpuid.e[1].reg[3];
	hosted_init(m);
	memory_init(m);
	m->alarm =
	    (struct processor_alarm){ .timer = { .fire = platform_alarm, .ctx = m }, .at = UINT64_MAX };
	if (!board_init(b, err, errlen))
		return false;
	m->loader.vga = b->dev[SLOT_vga];
	return add_drives(b, err, errlen) && network_open(&m->network, &m->cfg, b, err, errlen);
}

static bool make_vcpu(struct machine *m, engine_ctor ctor, void *engine_config, char *err, size_t errlen)
{
	struct platform plat = run_platform(m);

	m->v = ctor(engine_config, m->vm, &plat, m->cfg.clock, err, errlen);
	if (!m->v)
		return false;
	m->board.v = m->v;
	m->board.clock.v = m->v;
	m->loader.cpu = &m->v->cpu;
	m->loader.vm = m->vm;
	return true;
}

/* A drive has completed something: wake the thread where it is, halted or in the guest's code. Any thread. */
static void io_wake(void *ctx)
{
	struct machine *m = ctx;

	if (atomic_load(&m->napping))
		wake_vcpu(m);
	else if (!at_rest(m))
		m->v->ops->kick(m->v);
}

static void io_report(void *ctx, const char *line)
{
	struct machine *m = ctx;

	if (m->cfg.report)
		m->cfg.report(line);
}

static bool start_drives(struct machine *m, char *err, size_t errlen)
{
	const struct block_host host = { .notice = &m->io,
					 .clock = &m->board.clock,
					 .report = io_report,
					 .ctx = m,
					 .thread_begins = m->cfg.drive_thread_begins };

	m->io.wake = io_wake;
	m->io.ctx = m;
	return drives_start(&m->loader.drives, &host, err, errlen);
}

/* A thread that announces the clock's deadlines, where it is of use. */
static bool make_alarm(struct machine *m, char *err, size_t errlen)
{
	struct vm_clock *c = &m->board.clock;

	if (c->mode == CLOCK_HOST && alarm_useful(m->v)) {
		c->alarm = alarm_new(m->v, m->cfg.alarm_thread_begins, err, errlen);
		return c->alarm;
	}
	return true;
}

static bool make_thread(struct machine *m, char *err, size_t errlen)
{
	bool ok;

	if (pthread_create(&m->thread, NULL, run_thread, m))
		return fail(err, errlen, "cannot start the vCPU thread");
	m->have_thread = true;
	pthread_mutex_lock(&m->lock);
	while (m->thread_state == THREAD_STARTS)
		pthread_cond_wait(&m->done, &m->lock);
	ok = m->thread_state == THREAD_SERVES;
	pthread_mutex_unlock(&m->lock);
	return ok || fail(err, errlen, m->reload_err);
}

static bool check_config(const struct machine_config *cfg, char *err, size_t errlen)
{
	if (cfg->memory < MEMORY_MIN || cfg->memory > MEMORY_MAX) {
		snprintf(err, errlen, "guest memory of %llu bytes: must be from 1 MiB to 32 GiB",
			 (unsigned long long)cfg->memory);
		return false;
	}
	return true;
}

static struct machine *machine_alloc(const struct machine_config *cfg)
{
	struct machine *m = calloc(1, sizeof(*m));
	pthread_condattr_t attr;

	if (!m)
		return NULL;
	m->cfg = *cfg;
	copy_config(&m->cfg);
	m->memory = (cfg->memory + PAGE_MASK) & ~(uint64_t)PAGE_MASK;
	m->target = UINT64_MAX;
	m->loader = (struct loader){ .cfg = &m->cfg.image, .memory = ram_low(m->memory), .ram = m->memory };
	pthread_mutex_init(&m->lock, NULL);
	inbox_init(&m->inbox);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&m->wake, &attr);
	pthread_cond_init(&m->done, &attr);
	pthread_condattr_destroy(&attr);
	m->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	m->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return m;
}

struct machine *machine_new(const struct machine_config *cfg, engine_ctor ctor, void *engine_config,
			    char *err, size_t errlen)
{
	struct machine *m;

	if (!check_config(cfg, err, errlen))
		return NULL;
	m = machine_alloc(cfg);
	if (!m) {
		fail(err, errlen, "out of memory for the machine");
		return NULL;
	}
	m->tsc_start = __rdtsc();
	m->ns_start = monotonic_ns();
	m->loader.err = err;
	m->loader.errlen = errlen;
	if ((m->stop_fd < 0 || m->wake_fd < 0) && !fail(err, errlen, "out of file descriptors"))
		goto bad;
	if (!image_open(&m->loader) || !make_memory(m, err, errlen) || !make_board(m, err, errlen) ||
	    !make_vcpu(m, ctor, engine_config, err, errlen) || !start_drives(m, err, errlen) ||
	    !hosted_start(m, err, errlen) || !machine_load(m, err, errlen) || !make_alarm(m, err, errlen) ||
	    !make_thread(m, err, errlen))
		goto bad;
	return m;
bad:
	machine_free(m);
	return NULL;
}

static void end_thread(struct machine *m)
{
	if (!m->have_thread)
		return;
	machine_request_stop(m);
	machine_wait(m, -1, NULL);
	pthread_mutex_lock(&m->lock);
	atomic_store(&m->cmd, CMD_QUIT);
	pthread_cond_signal(&m->wake);
	pthread_mutex_unlock(&m->lock);
	pthread_join(m->thread, NULL);
}

void machine_free(struct machine *m)
{
	if (!m)
		return;
	end_thread(m);
	hosted_fini(m);
	drives_close(&m->loader.drives); /* the devices own the buffers of what is in flight */
	alarm_free(m->board.clock.alarm);
	clock_fini(&m->board.clock);
	board_fini(&m->board);
	if (m->v)
		m->v->ops->free(m->v);
	image_close(&m->loader);
	if (m->vm)
		mm_vm_free(m->vm);
	if (m->pool != m->cfg.pool)
		mm_pool_free(m->pool);
	if (m->stop_fd >= 0)
		close(m->stop_fd);
	if (m->wake_fd >= 0)
		close(m->wake_fd);
	pthread_cond_destroy(&m->wake);
	pthread_cond_destroy(&m->done);
	inbox_fini(&m->inbox);
	pthread_mutex_destroy(&m->lock);
	free_config(&m->cfg);
	free(m);
}

/* ---- loading ---- */

static void zero_memory(struct machine *m)
{
	static const uint8_t zero[PAGE_SIZE];

	for (gpa a = mm_next_populated(m->vm, 0); a < ram_end(m->memory);
	     a = mm_next_populated(m->vm, a + PAGE_SIZE))
		mm_phys_write(m->vm, a, zero, sizeof(zero));
}

/* Power cycle, which also resets battery-backed state: each run starts alike. */
static void power_cycle(struct machine *m)
{
	struct vm_clock *c = &m->board.clock;

	zero_memory(m);
	board_reset(&m->board); /* cancels the timers */
	if (c->mode == CLOCK_ICOUNT && !c->running) {
		m->v->icount = 0;
		c->skipped = 0;
	}
	for (unsigned i = 0; i < m->board.ndevs; i++)
		if (m->board.dev[i]->cls->init)
			m->board.dev[i]->cls->init(m->board.dev[i]);
}

bool machine_load(struct machine *m, char *err, size_t errlen)
{
	if (m->loaded)
		power_cycle(m);
	m->loaded = true;
	m->loader.err = err;
	m->loader.errlen = errlen;
	cpu_reset(&m->v->cpu);
	if (m->v->ops->reset)
		m->v->ops->reset(m->v);
	msr_reset(&m->msr);
	board_reset(&m->board);
	if (!image_wants_bios(&m->cfg.image))
		board_post(&m->board);
	if (!image_load(&m->loader))
		return false;
	m->v->ops->state_changed(m->v);
	machine_memory_changed(m); /* VM time may have gone back */
	return true;
}

/* ---- run control ---- */

/* Hand CMD to the vCPU thread. */
static void post_command(struct machine *m, enum machine_cmd cmd)
{
	uint64_t n;

	pthread_mutex_lock(&m->lock);
	while (read(m->stop_fd, &n, sizeof(n)) > 0)
		;
	atomic_store(&m->stop_wanted, false);
	atomic_store(&m->state, MACHINE_RUNNING);
	atomic_store(&m->cmd, cmd);
	pthread_cond_signal(&m->wake);
	pthread_mutex_unlock(&m->lock);
}

void machine_continue(struct machine *m)
{
	if (machine_state(m) != MACHINE_STOPPED)
		return;
	m->target = UINT64_MAX;
	post_command(m, CMD_RUN);
}

void machine_continue_to_icount(struct machine *m, uint64_t n)
{
	if (machine_state(m) != MACHINE_STOPPED)
		return;
	m->target = n;
	post_command(m, CMD_RUN);
}

void machine_request_stop(struct machine *m)
{
	if (at_rest(m))
		return;
	atomic_store(&m->stop_wanted, true);
	m->v->ops->request_stop(m->v);
	wake_vcpu(m);
}

static struct timespec deadline(int timeout_ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += timeout_ms / 1000;
	ts.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (ts.tv_nsec >= (long)NS_PER_SEC) {
		ts.tv_nsec -= (long)NS_PER_SEC;
		ts.tv_sec++;
	}
	return ts;
}

bool machine_wait(struct machine *m, int timeout_ms, struct machine_stop *out)
{
	struct timespec ts = deadline(timeout_ms < 0 ? 0 : timeout_ms);
	int rc = 0;
	bool rest;

	pthread_mutex_lock(&m->lock);
	while (!at_rest(m) && !rc)
		rc = timeout_ms < 0 ? pthread_cond_wait(&m->done, &m->lock)
				    : pthread_cond_timedwait(&m->done, &m->lock, &ts);
	rest = at_rest(m);
	if (rest && out)
		*out = m->stop;
	pthread_mutex_unlock(&m->lock);
	return rest;
}

struct machine_stop machine_step(struct machine *m, unsigned how)
{
	struct machine_stop out;
	uint64_t t0;

	if (machine_state(m) == MACHINE_STOPPED && !(how & ENGINE_STEP_IRQ))
		return run_step_here(m, how);
	if (machine_state(m) == MACHINE_STOPPED) {
		post_command(m, CMD_STEP_IRQ);
		t0 = __rdtsc();
		while (!at_rest(m) && __rdtsc() - t0 < STEP_SPIN_TSC)
			_mm_pause();
	}
	machine_wait(m, -1, &out);
	return out;
}

int machine_stop_fd(struct machine *m)
{
	return m->stop_fd;
}

bool machine_reset(struct machine *m, char *err, size_t errlen)
{
	if (!at_rest(m))
		return fail(err, errlen, "the machine is running");
	m->loader.err = err;
	m->loader.errlen = errlen;
	if (!image_reopen(&m->loader))
		return false;
	post_command(m, CMD_RELOAD);
	machine_wait(m, -1, NULL);
	if (!m->reload_ok)
		snprintf(err, errlen, "%s", m->reload_err);
	return m->reload_ok;
}

void machine_held(struct machine *m, bool held)
{
	m->held = held;
}

enum machine_state machine_state(const struct machine *m)
{
	return atomic_load(&m->state);
}

int machine_exit_code(const struct machine *m)
{
	return m->board.exit_code;
}

const char *machine_error(const struct machine *m)
{
	return m->v->error;
}

struct vcpu *machine_vcpu(struct machine *m)
{
	return m->v;
}

uint32_t machine_balloon_most(const struct machine *m)
{
	return m->board.balloon.device == BALLOON_BY_NOBODY ? 0 : (uint32_t)(m->memory >> PAGE_SHIFT);
}

struct mm_vm *machine_vm(struct machine *m)
{
	return m->vm;
}

uint64_t machine_unanswered(const struct machine *m, gpa *recent)
{
	*recent = m->board.mmio.missed.recent;
	return m->board.mmio.missed.reads;
}

uint64_t machine_overhead(struct machine *m)
{
	uint64_t engine = m->v->ops->host_memory ? m->v->ops->host_memory(m->v) : 0;
	struct stat pmap;

	return engine + (fstat(mm_vm_pmap_fd(m->vm), &pmap) ? 0 : (uint64_t)pmap.st_blocks * 512);
}

uint64_t machine_clock_ns(struct machine *m)
{
	return clock_now(&m->board.clock);
}

/* ---- the outside world ---- */

static void post(struct machine *m, enum arrival_kind kind, enum board_slot slot, const void *data, size_t n)
{
	inbox_post(&m->inbox, kind, slot, data, n);
	wake_vcpu(m);
	if (!at_rest(m))
		m->v->ops->kick(m->v);
}

void machine_serial_input(struct machine *m, const uint8_t *buf, size_t n)
{
	post(m, ARRIVAL_SERIAL, SLOT_com1, buf, n);
}

/* The index of the virtio console on the board; 0: there is none. */
static unsigned console_slot(const struct machine *m)
{
	for (unsigned i = 1; i < m->board.ndevs; i++)
		if (!strcmp(m->board.dev[i]->name, "virtio-console0"))
			return i;
	return 0;
}

bool machine_console_input(struct machine *m, const uint8_t *buf, size_t n)
{
	unsigned slot = console_slot(m);

	if (slot)
		post(m, ARRIVAL_SERIAL, (enum board_slot)slot, buf, n);
	return slot;
}

void machine_terminal_input(struct machine *m, const uint8_t *buf, size_t n)
{
	unsigned slot = console_slot(m);

	if (slot && virtio_ready((const struct virtio *)m->board.dev[slot], 0))
		machine_console_input(m, buf, n);
	else
		machine_serial_input(m, buf, n);
}

uint32_t machine_port_in(struct machine *m, uint16_t port, unsigned size)
{
	return bus_in(&m->board.bus, port, size);
}

void machine_port_out(struct machine *m, uint16_t port, unsigned size, uint32_t val)
{
	bus_out(&m->board.bus, port, size, val);
}

void machine_key(struct machine *m, uint8_t scancode)
{
	post(m, ARRIVAL_KEYS, SLOT_kbd, &scancode, 1);
}

void machine_mouse(struct machine *m, int dx, int dy, int dz, unsigned buttons)
{
	struct mouse_move v = { (int16_t)dx, (int16_t)dy, (int8_t)dz, (uint8_t)buttons };

	atomic_store(&m->mouse_buttons, buttons);
	post(m, ARRIVAL_MOUSE, SLOT_kbd, &v, sizeof(v));
}

unsigned machine_mouse_buttons(const struct machine *m)
{
	return atomic_load(&m->mouse_buttons);
}

unsigned machine_image_bits(const struct machine *m)
{
	return m->loader.bits;
}

unsigned machine_cr8(const struct machine *m)
{
	uint64_t base, deadline;

	return lapic_register(m->board.dev[SLOT_lapic], LAPIC_TPR, &base, &deadline) >> 4 & 15;
}

bool machine_nmi(struct machine *m)
{
	bool open = lapic_nmi_open(m->board.dev[SLOT_lapic]);

	if (open)
		post(m, ARRIVAL_NMI, SLOT_lapic, "", 1);
	return open;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 * The virtual machine: memory, one CPU, KVM's own interrupt controllers and timer, the loop over its exits.
 */
#include "guests/kvm/client.h"

#define MAX_CMDLINE 1024
#define MAX_CPUID 100
#define TSS_AT 0xfffbd000u /* three pages that KVM needs on some processors, where no memory is */

void copy(void *to, const void *from, u32 n)
{
	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

void fill(void *to, u8 with, u32 n)
{
	asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(with) : "memory");
}

long kvm_call(long fd, u32 request, void *argument)
{
	return sys3(SYS_ioctl, fd, (long)request, (long)argument);
}

static void *map_shared(long fd, u32 bytes)
{
	void *p;

	asm volatile("pushl %%ebp; xorl %%ebp, %%ebp; call *sys_entry; popl %%ebp"
		     : "=a"(p)
		     : "a"(SYS_mmap2), "b"(0), "c"(bytes), "d"(3), "S"(1), "D"(fd)
		     : "memory", "cc");
	return p;
}

static bool is_error(const void *p)
{
	return (u32)p > 0xfffff000u;
}

u8 *read_file(const char *path, u32 *bytes)
{
	long fd = sys3(SYS_open, (long)path, 0, 0), size, n;
	u32 got = 0;
	u8 *p;

	size = fd < 0 ? 0 : sys3(SYS_lseek, fd, 0, 2);
	if (size <= 0 || is_error(p = sys_mmap((u32)size)))
		return NULL;
	sys3(SYS_lseek, fd, 0, 0);
	while (got < (u32)size && (n = sys3(SYS_read, fd, (long)(p + got), size - (long)got)) > 0)
		got += (u32)n;
	sys3(SYS_close, fd, 0, 0);
	*bytes = got;
	return got == (u32)size ? p : NULL;
}

void irq_line(struct client *c, u32 line, u32 level)
{
	struct kvm_irq_level l = { .irq = line, .level = level };

	kvm_call(c->vm, KVM_IRQ_LINE, &l);
}

/* ---- creation ---- */

static const char *give_cpuid(struct client *c)
{
	static struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[MAX_CPUID];
	} id;

	id.head.nent = MAX_CPUID;
	if (kvm_call(c->kvm, KVM_GET_SUPPORTED_CPUID, &id) < 0)
		return "KVM does not say what it supports";
	return kvm_call(c->cpu, KVM_SET_CPUID2, &id) < 0 ? "KVM refuses CPUID" : NULL;
}

/* As on a PC: the interval timer is at pin 2 of the IO-APIC. */
static const char *give_routes(struct client *c)
{
	static struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entries[16 + 24];
	} routes;

	for (u32 pin = 0; pin < 16 + 24; pin++) {
		u32 chip = pin < 8    ? KVM_IRQCHIP_PIC_MASTER
			   : pin < 16 ? KVM_IRQCHIP_PIC_SLAVE
				      : KVM_IRQCHIP_IOAPIC;
		u32 n = pin < 16 ? pin : pin - 16;

		if (n == (pin < 16 ? 2 : 0)) /* the cascade; nothing */
			continue;
		routes.entries[routes.head.nr++] = (struct kvm_irq_routing_entry){
			.gsi = pin >= 16 && n == 2 ? 0 : n,
			.type = KVM_IRQ_ROUTING_IRQCHIP,
			.u.irqchip = { .irqchip = chip, .pin = pin < 16 ? n % 8 : n },
		};
	}
	return kvm_call(c->vm, KVM_SET_GSI_ROUTING, &routes) < 0 ? "KVM refuses the interrupt routes" : NULL;
}

static const char *create(struct client *c)
{
	struct kvm_userspace_memory_region region = { .memory_size = c->bytes };
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	const char *wrong;
	long size;

	c->kvm = sys3(SYS_open, (long)"/dev/kvm", 2, 0);
	if (c->kvm < 0)
		return "cannot open /dev/kvm";
	if (kvm_call(c->kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return "another version of KVM's interface";
	c->vm = kvm_call(c->kvm, KVM_CREATE_VM, 0);
	if (c->vm < 0)
		return "cannot create a VM";
	kvm_call(c->vm, KVM_SET_TSS_ADDR, (void *)TSS_AT);
	if (kvm_call(c->vm, KVM_CREATE_IRQCHIP, 0) < 0 || kvm_call(c->vm, KVM_CREATE_PIT2, &pit) < 0)
		return "no interrupt controllers or timer";
	wrong = give_routes(c);
	if (wrong)
		return wrong;
	c->memory = sys_mmap(c->bytes);
	if (is_error(c->memory))
		return "no memory";
	region.userspace_addr = (u32)c->memory;
	if (kvm_call(c->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return "KVM refuses the memory";
	c->cpu = kvm_call(c->vm, KVM_CREATE_VCPU, 0);
	size = kvm_call(c->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (c->cpu < 0 || size < (long)sizeof(struct kvm_run))
		return "no virtual CPU";
	c->run = map_shared(c->cpu, (u32)size);
	return is_error(c->run) ? "cannot map the virtual CPU" : give_cpuid(c);
}

/* ---- running ---- */

static void complain(const char *what, u32 n)
{
	put("kvm: ");
	put(what);
	put(" ");
	put_number(n);
	put("\n");
}

/* Where no memory is reads have all bits set. */
static void mmio(struct kvm_run *run)
{
	if (!run->mmio.is_write)
		fill(run->mmio.data, 0xff, sizeof(run->mmio.data));
}

/* A triple fault: kernels reset the machine so, or have failed. */
static void shut_down(struct client *c)
{
	struct kvm_regs r;

	if (kvm_call(c->cpu, KVM_GET_REGS, &r) == 0)
		complain("triple fault at", (u32)r.rip);
	c->status = 0;
}

static void handle(struct client *c)
{
	struct kvm_run *run = c->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		for (u32 i = 0; i < run->io.count; i++)
			port_io(c, run->io.direction == KVM_EXIT_IO_OUT, run->io.port, run->io.size,
				(u8 *)run + run->io.data_offset + i * run->io.size);
		break;
	case KVM_EXIT_MMIO:
		mmio(run);
		break;
	case KVM_EXIT_SHUTDOWN:
		shut_down(c);
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_HLT:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		break;
	case KVM_EXIT_FAIL_ENTRY:
		complain("entry failed, reason", (u32)run->fail_entry.hardware_entry_failure_reason);
		c->status = 126;
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		complain("internal error", run->internal.suberror);
		c->status = 126;
		break;
	default:
		complain("unexpected exit", run->exit_reason);
		c->status = 126;
	}
}

static void on_alarm(int number)
{
	(void)number;
}

/* End KVM_RUN ten times a second. */
static void start_alarm(void)
{
	static const long action[4] = { (long)on_alarm, 0, 0x10000000, 0 },
			  every[4] = { 0, 100000, 0, 100000 };

	sys3(SYS_sigaction, 14, (long)action, 0);
	sys3(SYS_setitimer, 0, (long)every, 0);
}

/* KVM does not see an interrupt that reached the 8259 while the local APIC's LINT0 was masked until
 * something makes it look, as this does. The interval timer waits for ever for its end. (KVM_SET_REGS would
 * make it look, too, but drops an exception that KVM is about to inject.) */
static void look_again(struct client *c)
{
	struct kvm_mp_state state;

	if (kvm_call(c->cpu, KVM_GET_MP_STATE, &state) == 0)
		kvm_call(c->cpu, KVM_SET_MP_STATE, &state);
}

static int serve(struct client *c)
{
	long r;

	start_alarm();
	while (c->status < 0) {
		r = kvm_call(c->cpu, KVM_RUN, 0);
		if (r == -4 || r == -11) { /* EINTR, EAGAIN */
			look_again(c);
			continue;
		}
		if (r < 0) {
			complain("KVM_RUN failed with error", (u32)-r);
			return 126;
		}
		handle(c);
	}
	return c->status;
}

static void append(char *line, const char *word)
{
	char *end = line;

	while (*end)
		end++;
	if (end != line)
		*end++ = ' ';
	while (*word && end < line + MAX_CMDLINE - 1)
		*end++ = *word++;
	*end = 0;
}

int run(int argc, char **argv)
{
	static struct client c = { .bytes = 128 << 20, .status = -1 };
	static char cmdline[MAX_CMDLINE];
	const char *initrd = NULL, *wrong;
	int i = 1;

	for (; i + 1 < argc && argv[i][0] == '-'; i += 2)
		if (argv[i][1] == 'm')
			c.bytes = number(argv[i + 1]) << 20;
		else if (argv[i][1] == 'i')
			initrd = argv[i + 1];
	if (i >= argc || c.bytes < 4 << 20) {
		put("usage: kvm [-m MEGABYTES] [-i INITRD] KERNEL [WORD...]\n");
		return 2;
	}
	for (int k = i + 1; k < argc; k++)
		append(cmdline, argv[k]);
	wrong = create(&c);
	if (!wrong)
		wrong = boot(&c, argv[i], initrd, cmdline);
	if (wrong) {
		put("kvm: ");
		put(wrong);
		put("\n");
		return 125;
	}
	return serve(&c);
}

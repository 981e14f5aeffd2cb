/* SPDX-License-Identifier: GPL-3.0-or-later
 * A kernel that hangs after a while, for the tutorial (docs/tutorial.md). The main loop and the timer
 * interrupt take the same spin lock, and the main loop leaves interrupts on.
 *
 *   gcc -m32 -O1 -g -ffreestanding -mgeneral-regs-only -nostdlib -static -Wl,-Ttext=0x100000 \
 *       hang.c -o hang.elf
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

__attribute__((section(".text.first"), used)) static const u32 multiboot[3] = { 0x1badb002, 0, -0x1badb002u };

struct gate {
	u16 low, selector, attributes, high;
};

static volatile u32 lock;
static volatile u32 ticks, work;
static struct gate idt[256];
static u8 stack[16384];

static void out(u16 port, u8 value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "d"(port));
}

static void print(const char *text)
{
	while (*text)
		out(0x3f8, *text++);
}

static void take(volatile u32 *l)
{
	while (__sync_lock_test_and_set(l, 1))
		;
}

static void release(volatile u32 *l)
{
	__sync_lock_release(l);
}

__attribute__((interrupt)) static void timer(void *frame)
{
	(void)frame;
	take(&lock);
	ticks++;
	release(&lock);
	out(0x20, 0x20);
}

static void set_up_timer(void)
{
	struct {
		u16 limit;
		u32 base;
	} __attribute__((packed)) idtr = { sizeof(idt) - 1, (u32)idt };
	u16 cs;

	__asm__("mov %%cs, %0" : "=r"(cs));
	idt[0x20] = (struct gate){ (u32)timer, cs, 0x8e00, (u32)timer >> 16 };
	__asm__ volatile("lidt %0" : : "m"(idtr));
	/* The first PIC's vectors begin at 0x20; the timer alone is not masked. The PIT interrupts 1,000
	 * times a second. */
	out(0x20, 0x11), out(0x21, 0x20), out(0x21, 4), out(0x21, 1), out(0x21, 0xfe);
	out(0x43, 0x34), out(0x40, 1193 & 255), out(0x40, 1193 >> 8);
	__asm__ volatile("sti");
}

__attribute__((used)) static void kernel_main(void)
{
	set_up_timer();
	print("working\n");
	for (;;) {
		take(&lock);
		work++;
		release(&lock);
		if (work % 10000000 == 0)
			print("still working\n");
	}
}

__attribute__((naked, used)) void _start(void)
{
	__asm__("lea %0, %%esp\n\tcall kernel_main" : : "m"(stack[sizeof(stack)]));
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 * Task-state segments as laid out in memory (SDM vol. 3A 7.2.1, 7.6). */
#ifndef X86_TSS_H
#define X86_TSS_H
#include "x86/cpu.h"

struct tss32 {
	uint32_t link;
	struct {
		uint32_t esp, ss;
	} stack[3]; /* of rings 0 to 2 */
	uint32_t cr3;
	uint32_t eip, eflags; /* from here to seg: written for the old task */
	uint32_t gpr[8];
	uint32_t seg[SEG_COUNT];
	uint32_t ldt;
	uint16_t trap, iomap;
};
struct tss16 {
	uint16_t link;
	struct {
		uint16_t sp, ss;
	} stack[3];
	uint16_t ip, flags; /* from here to seg: written for the old task */
	uint16_t gpr[8];
	uint16_t seg[4]; /* no FS, no GS */
	uint16_t ldt;
};
struct tss64 {
	uint32_t reserved;
	uint64_t rsp[3]; /* of rings 0 to 2 */
	uint64_t reserved1;
	uint64_t ist[7]; /* entries 1 to 7 */
	uint64_t reserved2;
	uint16_t reserved3, iomap;
} __attribute__((packed));
_Static_assert(sizeof(struct tss64) == 104 && offsetof(struct tss64, ist) == 36, "SDM vol. 3A figure 7-11");
_Static_assert(sizeof(struct tss32) == 104 && offsetof(struct tss32, seg) == 0x48, "SDM vol. 3A figure 7-2");
_Static_assert(sizeof(struct tss16) == 44 && offsetof(struct tss16, seg) == 0x22, "SDM vol. 3A figure 7-10");
#endif

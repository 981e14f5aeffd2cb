/* SPDX-License-Identifier: GPL-3.0-or-later
 * Guest images: put one into memory and the processor at its entry. */
#ifndef HV_IMAGE_H
#define HV_IMAGE_H
#include "hv/boot/drives.h"

struct dev;
struct blob {
	uint8_t *data;
	size_t len;
};

/* Input and output of a loader. */
struct loader {
	const struct image_config *cfg;
	struct mm_vm *vm;
	uint64_t memory;		      /* bytes of RAM from 0: images are loaded there */
	uint64_t ram;			      /* of all of it (hv/ram.h) */
	struct cpu *cpu;		      /* reset state on entry; entry state on success */
	bool apic;			      /* the machine has one */
	bool pvpanic;			      /* likewise, as an ISA device */
	bool lm;			      /* the processor has 64-bit mode */
	unsigned bits;			      /* of the kernel that was loaded: 32 or 64; 0: not known */
	uint32_t cpu_signature, cpu_features; /* CPUID leaf 1, EAX and EDX: for the MP table */
	struct blob bios, vgabios;	      /* BIOS boot: owned by the machine, as are the drives */
	struct drives drives;
	struct dev *vga;	  /* NULL: there is none */
	struct image_file *files; /* read so far; they stay open */
	char *err;
	size_t errlen;
};

/* Entry by BIOS: reset vector, not a kernel's entry. */
bool image_wants_bios(const struct image_config *cfg);
/* Read the files that decide the memory layout: BIOS, disk image. */
bool image_open(struct loader *l);
void image_close(struct loader *l);
/* Open again, by name, the files that were read so far: the user may have made new ones. The next
 * image_load() reads these; without this call it opens no file, so the guest may reset on a thread that can
 * open none. */
bool image_reopen(struct loader *l);
/* Load into zeroed memory. False with one line in l->err. */
bool image_load(struct loader *l);

/* ---- for the loaders ---- */
bool image_fail(struct loader *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The kernel's file, or what stands for it, for messages. */
const char *image_name(const struct loader *l);
bool image_read_file(struct loader *l, const char *path, uint64_t max, struct blob *out);
void blob_free(struct blob *b);
bool image_put(struct loader *l, gpa at, const void *data, uint64_t n, const char *what);
/* Fail: what is loaded needs a 64-bit processor. */
bool image_needs_64(struct loader *l);
/* GDT with code 0x10 and data 0x18, and the processor in flat 32-bit mode at ENTRY. */
bool image_enter_flat(struct loader *l, uint32_t entry, uint32_t esp);
/* The same in 64-bit mode, with page tables from IDENTITY_AT on that map the first 4 GiB to themselves. */
bool image_enter_64(struct loader *l, uint64_t entry, uint64_t rsp);
enum { IDENTITY_AT = 0x80000, IDENTITY_LEN = 6 * PAGE_SIZE };

struct memory_range {
	uint64_t base, len;
	uint32_t type;
};
enum { E820_RAM = 1, E820_RESERVED = 2, E820_MAX = 8 };
/* The memory map that guests with RAM bytes of memory get; returns the number of ranges. */
unsigned image_memory_map(uint64_t ram, struct memory_range out[E820_MAX]);
/* What tells of it besides: KiB from 0, and from 1 MiB up to the first hole. */
enum { MEMORY_LOWER_KIB = 639 };
uint32_t image_upper_kib(uint64_t ram);

/* What a file is that no loader takes, and which option it is for ("a firmware ROM; use --bios"); NULL:
 * unknown. */
const char *image_identify(const struct blob *k);
bool linux_probe(const struct blob *k);
bool linux_load(struct loader *l, const struct blob *k);
bool linux_load_64(struct loader *l, const struct blob *k);
bool multiboot_probe(const struct blob *k);
bool multiboot_load(struct loader *l, const struct blob *k);
bool multiboot2_probe(const struct blob *k);
bool multiboot2_load(struct loader *l, const struct blob *k);
bool pvh_probe(const struct blob *k);
bool pvh_load(struct loader *l, const struct blob *k);
bool flat_load(struct loader *l);
bool bios_open(struct loader *l);
bool bios_load(struct loader *l);
#endif

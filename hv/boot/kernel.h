/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the loaders of kernels share: ELF images, modules, and where boot information goes, from BOOT_INFO up.
 */
#ifndef HV_KERNEL_H
#define HV_KERNEL_H
#include "hv/boot/image.h"

/* Nothing of a kernel is loaded between these two. What is before the texts is the protocol's. */
enum {
	BOOT_INFO = 0x90000,
	BOOT_TEXT = 0x91000, /* the command line */
	BOOT_TEXT_MAX = 0x1000,
	BOOT_MODULE_TEXT = BOOT_TEXT + BOOT_TEXT_MAX,
	BOOT_INFO_END = 0x93000,
	BOOT_STACK = BOOT_INFO,
	MODULES_MAX = 64,
};
#define BOOT_LOADER_NAME "vitrine"

/* An ELF image for x86, of 32 or 64 bits. */
struct elf_image {
	bool is_64;
	uint64_t entry;	     /* a physical address, by the segment that it is in */
	uint64_t begin, end; /* of what is loaded */
	bool has_pvh;	     /* a note names the 32-bit entry of the PVH protocol */
	uint64_t pvh_entry;
};

/* The first word of the command line: what the user called the kernel. */
const char *kernel_word(const struct loader *l);
/* Copy LEN bytes and zero up to SIZE; boot information stays free. False with the error. */
bool kernel_put(struct loader *l, uint64_t at, const uint8_t *data, uint64_t len, uint64_t size);
/* Write the command line, kernel_word() first, to BOOT_TEXT. */
bool kernel_put_text(struct loader *l);
/* An address of 32 bits in which execution begins. */
bool kernel_entry32(struct loader *l, uint64_t entry, uint32_t *out);

/* Where Multiboot's header says that a file goes; its own address is that of the header. */
struct load_addresses {
	uint32_t header, load, load_end, bss_end; /* 0: to the end of the file; no BSS */
};
/* Load K, whose header is at offset AT, by A; *END gets the end of what is loaded. */
bool kernel_load_flat(struct loader *l, const struct blob *k, uint64_t at, const struct load_addresses *a,
		      uint64_t *end);

bool elf_probe(const struct blob *k);
/* Is there a note with PVH's entry? */
bool elf_probe_pvh(const struct blob *k);
/* Load all segments. A 64-bit image needs a processor that has 64-bit mode. */
bool elf_load(struct loader *l, const struct blob *k, struct elf_image *e);

struct kernel_module {
	uint64_t start, end;
	uint32_t text; /* address of its text, file name included */
};

struct kernel_modules {
	struct kernel_module mod[MODULES_MAX];
	unsigned n;
	uint64_t at;	  /* where the next one goes */
	uint32_t text_at; /* and its text */
};

/* Load the files of --initrd ("FILE [TEXT],FILE [TEXT]...", or one file whose name has commas) behind
 * KERNEL_END. */
bool modules_load(struct loader *l, uint64_t kernel_end, struct kernel_modules *m);
#endif

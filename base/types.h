/* SPDX-License-Identifier: GPL-3.0-or-later
 * Address types. A conversion between two of them lives in mm/ alone. */
#ifndef BASE_TYPES_H
#define BASE_TYPES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t gva;	/* guest-linear ("virtual") address */
typedef uint64_t gpa;	/* guest-"physical" address */
typedef uint32_t gva32; /* guest-linear address where it has 32 bits */
typedef uint32_t vpn32; /* guest-linear page number of one: gva32 >> 12 */
typedef uint32_t ppn;	/* guest-physical page number: gpa >> 12 */
typedef uint32_t mpn;	/* page number in the machine memory pool */

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096u
#define PAGE_MASK 0xfffu
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#endif

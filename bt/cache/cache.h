/* SPDX-License-Identifier: GPL-3.0-or-later
 * The translation cache: its memory, and the fragments in it as they are found, inserted and dropped.
 * Callable from GPR-only code. */
#ifndef BT_CACHE_CACHE_H
#define BT_CACHE_CACHE_H
#include "bt/state/vcpu.h"

/* Reserve everything. False with one line in ERR; cache_fini() is due all the same. */
bool cache_init(struct bt_vcpu *b, char *err, size_t n);
void cache_fini(struct bt_vcpu *b);

/* N zeroed bytes that live until the next flush. */
void *arena_alloc(struct bt_vcpu *b, size_t n);
/* Exchange the ordinary zone and that of pinned fragments. */
void cache_swap_zones(struct bt_vcpu *b);

struct ccf *cache_find(struct bt_vcpu *b, gva pc, uint32_t mode, uint32_t cs_base, ppn page);
/* The fragment that has host code at RIP; NULL: none. */
struct ccf *cache_by_host(struct bt_vcpu *b, uint64_t rip);
/* Make F, which has been translated at the present zone's position, findable, and trace its pages. */
void cache_insert(struct bt_vcpu *b, struct ccf *f);

/* F is at PC from now on. */
void cache_rekey(struct bt_vcpu *b, struct ccf *f, gva pc);

/* Drop F: it is never entered again. BY: the instruction that is the reason, 0: none. */
void cache_drop(struct bt_vcpu *b, struct ccf *f, enum drop_why why, gva by);
/* Drop those that cover any of LEN bytes from PC on; returns how many. */
unsigned cache_drop_at(struct bt_vcpu *b, gva pc, uint32_t len, enum drop_why why);
/* Drop those made from page P because it was written (BY_WRITE), or else all but the pinned ones, because it
 * is traced again. */
void cache_drop_page(struct bt_vcpu *b, ppn p, bool by_write);
/* Drop all that were made from page P. */
void cache_drop_from(struct bt_vcpu *b, ppn p, enum drop_why why);
/* Empty the cache. FULL: because it is full; pinned fragments stay. */
void cache_flush_all(struct bt_vcpu *b, bool full);
/* Address space of N bytes, which takes memory where it is written. NULL: there is none. Given back, NULL and
 * MAP_FAILED do nothing. */
void *cache_reserve(size_t n, int prot);
void cache_give_back(void *p, size_t n);
/* Map N bytes below 2 GiB, where 64-bit code reaches them by absolute addresses. NULL: the host refuses. */
void *cache_map_low(size_t n, int prot, int flags, int fd);
#endif

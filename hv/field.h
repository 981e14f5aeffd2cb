/* SPDX-License-Identifier: GPL-3.0-or-later
 * Named fields of a struct: one table serves the state hash, saving and loading. Nothing in
 * a saved state depends on the layout of a struct. */
#ifndef HV_FIELD_H
#define HV_FIELD_H
#include "base/types.h"

enum field_kind {
	FIELD_NUMBERS, /* integers: one, or an array (COUNT) */
	FIELD_HEX,     /* bytes */
	FIELD_PAGES,   /* many bytes, whole pages: those that are all zero are left out */
	FIELD_TIMER    /* a struct vm_timer: null, or its deadline and place in the list */
};

struct state_field {
	const char *name;
	uint32_t off;
	uint32_t size;		/* of an element; FIELD_HEX, FIELD_PAGES: of all bytes */
	uint16_t count, stride; /* elements and their distance; count 0: one element, no array */
	enum field_kind kind;
	bool unhashed;	  /* saved, but invisible to the guest */
	int64_t min, max; /* of each element, where max > min */
};

#define F_AT_(type, f, ...)                                                                                  \
	{                                                                                                    \
		.name = #f, .off = offsetof(struct type, f), __VA_ARGS__                                     \
	}
#define F_SIZE_(type, f) sizeof(((struct type *)0)->f)
/* One integer, with the limits that code relies on, as for an index into an array. */
#define F_NUM(type, f) F_AT_(type, f, .size = F_SIZE_(type, f))
#define F_NUM_IN(type, f, lo, hi) F_AT_(type, f, .size = F_SIZE_(type, f), .min = (lo), .max = (hi))
/* One integer that is invisible to the guest: a statistic. */
#define F_COUNTER(type, f) F_AT_(type, f, .size = F_SIZE_(type, f), .unhashed = true)
/* An array of integers. */
#define F_ARRAY(type, f)                                                                                     \
	F_AT_(type, f, .size = F_SIZE_(type, f[0]), .count = F_SIZE_(type, f) / F_SIZE_(type, f[0]),         \
	      .stride = F_SIZE_(type, f[0]))
/* MEMBER, an integer, of each struct in array ARR. */
#define F_EACH_IN(type, arr, member, lo, hi)                                                                 \
	{                                                                                                    \
		.name = #arr "." #member, .off = offsetof(struct type, arr[0].member),                       \
		.size = F_SIZE_(type, arr[0].member), .count = F_SIZE_(type, arr) / F_SIZE_(type, arr[0]),   \
		.stride = F_SIZE_(type, arr[0]), .min = (lo), .max = (hi)                                    \
	}
#define F_EACH(type, arr, member) F_EACH_IN(type, arr, member, 0, 0)
#define F_HEX(type, f) F_AT_(type, f, .size = F_SIZE_(type, f), .kind = FIELD_HEX)
#define F_PAGES(type, f) F_AT_(type, f, .size = F_SIZE_(type, f), .kind = FIELD_PAGES)
#define F_TIMER(type, f) F_AT_(type, f, .size = F_SIZE_(type, f), .kind = FIELD_TIMER, .unhashed = true)

/* A struct with its fields. */
struct state_part {
	const char *name;
	const struct state_field *fields;
	unsigned nfields;
	void *obj;
};

struct vm_clock;
struct XXH3_state_s;
struct json_t;

void part_hash(const struct state_part *p, struct XXH3_state_s *h);
/* All fields as a JSON object; CLOCK: where its timers are set. */
struct json_t *part_save(const struct state_part *p, const struct vm_clock *clock);
/* Is J an object with exactly these fields, all of them possible? False with a line in ERR. */
bool part_check(const struct state_part *p, const struct json_t *j, char *err, size_t errlen);
/* Set the fields from J, which part_check() has accepted. Timers are left to part_timers(). */
void part_load(const struct state_part *p, const struct json_t *j);

/* Timers and their order in the clock's list: timers with the same deadline fire in it. */
enum { TIMERS_MAX = 64 };
struct timer_set {
	struct saved_timer {
		struct vm_timer *timer;
		uint64_t deadline;
		int64_t order;
	} t[TIMERS_MAX];
	unsigned n;
};
/* Cancel the timers of P on CLOCK, and add those that are set in J to SET. */
void part_timers(const struct state_part *p, const struct json_t *j, struct vm_clock *clock,
		 struct timer_set *set);
void timers_arm(struct timer_set *set, struct vm_clock *clock);

/* Bytes as hexadecimal digits, and back: false when J is not a string of exactly 2 N of them. */
struct json_t *hex_save(const uint8_t *p, size_t n);
bool hex_load(const struct json_t *j, uint8_t *p, size_t n);
#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 * The verifier against hand-assembled fragments: those it must accept, and those it must refuse for the
 * stated reason. */
#include "tests/suite.h"
#include <stdlib.h>
#include <string.h>

#include "bt/verify/verify.h"

#define HOST 0x100000000ull
#define TC_BYTES 0x10000u
#define VCPU_BYTES 0x2000u
#define STUB (HOST + 0x8000)

/* Fields of the vCPU at fixed offsets. */
enum {
	EXIT = 0x400,
	CALL0 = 0x408,
	CALL1 = 0x410,
	RECORD = 0x418,
	SHADOW = 0x420,
	QUARTER = 0x428,
	TRAP = 0x448,
	HOME = 0x450,
	POLL = 0x458
};

/* Pieces of fragments. */
#define COUNT(n) "41 ba " n " 00 00 00 " /* mov r10d,n */
#define ADDRESS "44 8d 43 04 "		 /* lea r8d,[rbx+4] */
#define SHIFT "c4 42 2b f7 c8 "		 /* shrx r9d,r8d,r10d */
#define BASE "4f 8b 8c cf 28 04 00 00 "	 /* mov r9,[r15+r9*8+QUARTER] */
#define SUM "4f 8d 04 08 "		 /* lea r8,[r8+r9] */
#define QUARTERED ADDRESS COUNT("1e") SHIFT BASE SUM
#define SI_BASE COUNT("1e") "c4 62 2b f7 ce " BASE "4a 8d 34 0e " /* ... lea rsi,[rsi+r9] */
#define DI_BASE COUNT("1e") "c4 62 2b f7 cf " BASE "4a 8d 3c 0f "
#define HOME_IN(field) "4d 8b 8f " field " 04 00 00 " /* mov r9,[r15+field] */
#define AT_HOME ADDRESS HOME_IN("50") SUM
#define PAGE ADDRESS COUNT("0c") SHIFT
#define POINTER "4d 8b 97 20 04 00 00 "		      /* mov r10,[r15+SHADOW] */
#define ENTRY "47 8b 0c 8a "			      /* mov r9d,[r10+r9*4] */
#define SLOT "45 8b d0 "			      /* mov r10d,r8d */
#define LOOKUP "47 8b 0c 94 "			      /* mov r9d,[r12+r10*4] */
#define TARGET "4f 8d 0c 31 "			      /* lea r9,[r9+r14] */
#define RECORD_IN_R9 "49 b9 00 00 00 00 01 00 00 00 " /* movabs r9,... */
#define CALL "41 ff a7 08 04 00 00 "		      /* jmp [r15+CALL0] */
#define TRAP_PAGE "4d 8b 97 48 04 00 00 "	      /* mov r10,[r15+TRAP] */
#define POLLED "4d 8b 8f 58 04 00 00 "		      /* mov r9,[r15+POLL] */
#define SWAP "4c 87 c7 "			      /* xchg rdi,r8 */

struct row {
	const char *what;
	const char *hex;  /* the instruction under test */
	const char *rule; /* part of the message; NULL: accepted */
	bool whole;	  /* HEX is the whole fragment; else a jump to STUB is appended */
};

static const struct row rows[] = {
	/* the window */
	{ "load", "65 67 8b 03", NULL, 0 },
	{ "store with sib", "65 67 89 4c b3 08", NULL, 0 },
	{ "esp-based", "65 67 8b 44 24 04", NULL, 0 },
	{ "absolute", "65 67 8b 04 25 00 10 00 00", NULL, 0 },
	{ "scratch base", "65 67 41 8b 00", NULL, 0 },
	{ "lock", "f0 65 67 01 03", NULL, 0 },
	{ "sse", "65 67 0f 28 03", NULL, 0 },
	{ "avx", "65 67 c5 fc 10 03", NULL, 0 },
	{ "gather", "65 67 c4 e2 69 90 0c 83", NULL, 0 },
	{ "moffs", "65 67 a1 00 10 00 00", NULL, 0 },
	{ "x87", "65 67 dd 03", NULL, 0 },
	{ "fxsave", "65 67 0f ae 03", NULL, 0 },
	{ "no address size", "65 8b 03", "32-bit address size", 0 },
	{ "no override", "67 8b 03", "without GS", 0 },
	{ "neither", "8b 03", "no allowed form", 0 },
	{ "store, neither", "89 04 24", "no allowed form", 0 },
	{ "fs", "64 67 8b 03", "FS", 0 },
	{ "es override is none", "26 67 8b 03", "without GS", 0 },
	{ "absolute, 64-bit", "8b 04 25 00 10 00 00", "no allowed form", 0 },
	{ "moffs, 64-bit", "a1 00 10 00 00 00 00 00 00", "no allowed form", 0 },
	{ "gather, no window", "c4 e2 69 90 0c 83", "no allowed form", 0 },
	{ "eip-relative", "65 67 8b 05 00 00 00 00", "relative to RIP", 0 },
	{ "through r13d", "65 67 41 8b 45 00", "r12-r15", 0 },
	{ "later prefix wins", "65 64 67 8b 03", "FS", 0 },
	/* the virtual processor */
	{ "load", "41 8b 47 10", NULL, 0 },
	{ "store", "49 89 87 f8 1f 00 00", NULL, 0 },
	{ "byte immediate", "41 c6 47 10 01", NULL, 0 },
	{ "cmp", "41 80 7f 10 00", NULL, 0 },
	{ "negative", "41 8b 47 f0", "beyond the vCPU", 0 },
	{ "just too far", "49 89 87 f9 1f 00 00", "beyond the vCPU", 0 },
	{ "far too far", "41 8b 87 00 00 00 7f", "beyond the vCPU", 0 },
	{ "indexed", "41 8b 44 07 10", "indexed", 0 },
	{ "with 32-bit address", "67 41 8b 47 10", "without GS", 0 },
	{ "read the monitor's", "49 8b 87 00 04 00 00", NULL, 0 },
	{ "write the monitor's", "49 89 87 00 04 00 00", "monitor's part", 0 },
	{ "write half the monitor's", "49 89 87 fc 00 00 00", "monitor's part", 0 },
	{ "exchange the monitor's", "49 87 87 00 04 00 00", "monitor's part", 0 },
	{ "sse store to the monitor's", "66 41 0f 7f 87 00 04 00 00", "monitor's part", 0 },
	{ "own stack in the monitor's", "49 89 e0 49 8d a7 00 04 00 00 9c 41 59 4c 89 c4", "monitor's part",
	  0 },
	{ "bounce buffer, the monitor's", "4d 8d 87 00 04 00 00 45 89 08", "monitor's part", 0 },
	{ "bounce buffer, fxsave", "4d 8d 87 00 1e 00 00 41 0f ae 00", NULL, 0 },
	{ "bounce buffer, fxsave at the end", "4d 8d 87 f0 1f 00 00 41 0f ae 00", "beyond", 0 },
	{ "bounce buffer, xsave", "4d 8d 87 00 1e 00 00 41 0f ae 20", "beyond", 0 },
	/* jump table and constants */
	{ "jump table", SLOT LOOKUP, NULL, 0 },
	{ "jump table, any index", "47 8b 0c 94", "too large", 0 },
	{ "jump table, 64 bits", "4d 8b d0 " LOOKUP, "too large", 0 }, /* mov r10,r8 */
	{ "jump table, a constant", "41 ba 01 00 00 80 " LOOKUP, NULL, 0 },
	{ "jump table, a constant too large", "49 ba 00 00 00 00 01 00 00 00 " LOOKUP, "too large", 0 },
	{ "jump table, index changed", SLOT "41 ff c2 " LOOKUP, "too large", 0 },
	{ "jump table, half the index changed", SLOT "66 41 89 c2 " LOOKUP, "too large", 0 },
	{ "jump table, another index bounded", SLOT "47 8b 0c 9c", "too large", 0 },
	{ "jump table, branched to", "74 03 " SLOT LOOKUP, "of a sequence", 0 },
	{ "jump table, from before", "74 00 " SLOT LOOKUP, NULL, 0 },
	{ "trap", RECORD_IN_R9 TRAP_PAGE "45 8b 12", NULL, 0 },
	{ "trap, no record", TRAP_PAGE "45 8b 12", "without a record", 0 },
	{ "trap, record changed", RECORD_IN_R9 "49 ff c1 " TRAP_PAGE "45 8b 12", "without a record", 0 },
	{ "trap, beside it", RECORD_IN_R9 TRAP_PAGE "45 8b 52 04", "form not allowed", 0 },
	{ "trap, store", RECORD_IN_R9 TRAP_PAGE "45 89 12", "form not allowed", 0 },
	{ "trap, branched to", "74 11 " RECORD_IN_R9 TRAP_PAGE "45 8b 12", "of a sequence", 0 },
	{ "page", PAGE POINTER ENTRY, NULL, 0 },
	{ "page, pointer first", ADDRESS COUNT("0c") SHIFT POINTER ENTRY, NULL, 0 },
	{ "page, shifted by less", ADDRESS COUNT("0b") SHIFT POINTER ENTRY, "shadow index", 0 },
	{ "page, not shifted", POINTER ENTRY, "shadow index", 0 },
	{ "page, index changed", PAGE POINTER "41 ff c1 " ENTRY, "shadow index", 0 },
	{ "page, store", PAGE POINTER "47 89 0c 8a", "form not allowed", 0 },
	{ "page, read and written", PAGE POINTER "47 09 0c 8a", "form not allowed", 0 },
	{ "page, another scale", PAGE POINTER "47 8b 0c ca", "form not allowed", 0 },
	{ "page, displacement", PAGE POINTER "47 8b 4c 8a 04", "form not allowed", 0 },
	{ "page, 64 bits", PAGE POINTER "4f 8b 0c 8a", "form not allowed", 0 },
	{ "page, another field", PAGE "4d 8b 97 18 04 00 00 " ENTRY, "no allowed form", 0 },
	{ "page, half the pointer", PAGE "45 8b 97 20 04 00 00 " ENTRY, "no allowed form", 0 },
	{ "page, a field that code writes", PAGE "4d 8b 97 40 00 00 00 " ENTRY, "no allowed form", 0 },
	{ "page, pointer changed", PAGE POINTER "49 ff c2 " ENTRY, "no allowed form", 0 },
	{ "page, branched to", "74 0f " PAGE POINTER ENTRY, "of a sequence", 0 },
	{ "quarter", QUARTERED "41 8b 00", NULL, 0 },
	{ "quarter, store", QUARTERED "66 41 0f 7f 00", NULL, 0 },
	{ "quarter, exchanged", QUARTERED SWAP "00 27 " SWAP, NULL, 0 },
	{ "quarter, used twice", QUARTERED "41 8b 00 41 89 00", NULL, 0 },
	{ "quarter, shifted by less", ADDRESS COUNT("1d") SHIFT BASE SUM "41 8b 00", "indexed", 0 },
	{ "quarter, 64-bit shift", ADDRESS COUNT("1e") "c4 42 ab f7 c8 " BASE SUM "41 8b 00", "indexed", 0 },
	{ "quarter, not shifted", ADDRESS BASE SUM "41 8b 00", "indexed", 0 },
	{ "quarter, index changed", ADDRESS COUNT("1e") SHIFT "41 ff c1 " BASE SUM "41 8b 00", "indexed", 0 },
	{ "quarter, another table", ADDRESS COUNT("1e") SHIFT "4f 8b 8c cf 30 04 00 00 ", "indexed", 0 },
	{ "quarter, another scale", ADDRESS COUNT("1e") SHIFT "4f 8b 8c 8f 28 04 00 00 ", "indexed", 0 },
	{ "quarter, stored", ADDRESS COUNT("1e") SHIFT "4f 89 8c cf 28 04 00 00 ", "indexed", 0 },
	{ "quarter, half the base", ADDRESS COUNT("1e") SHIFT "47 8b 8c cf 28 04 00 00 ", "indexed", 0 },
	{ "quarter, base changed", ADDRESS COUNT("1e") SHIFT BASE "49 01 c1 " SUM "41 8b 00",
	  "no allowed form", 0 },
	{ "quarter, 64-bit address", COUNT("1e") SHIFT BASE SUM "41 8b 00", "no allowed form", 0 },
	{ "quarter, 64-bit address from a load", "4d 8b 47 40 " COUNT("1e") SHIFT BASE SUM "41 8b 00",
	  "no allowed form", 0 },
	{ "quarter, twice the base", ADDRESS COUNT("1e") SHIFT BASE SUM SUM "41 8b 00", "no allowed form",
	  0 },
	{ "quarter, scaled", ADDRESS COUNT("1e") SHIFT BASE "4f 8d 04 48 41 8b 00", "no allowed form", 0 },
	{ "quarter, with more", ADDRESS COUNT("1e") SHIFT BASE "4f 8d 44 08 10 41 8b 00", "no allowed form",
	  0 },
	{ "quarter, base alone", ADDRESS COUNT("1e") SHIFT BASE "41 8b 01", "no allowed form", 0 },
	{ "quarter, sum changed", QUARTERED "49 01 c0 41 8b 00", "no allowed form", 0 },
	{ "quarter, displacement", QUARTERED "41 8b 40 04", "no allowed form", 0 },
	{ "quarter, index", QUARTERED "41 8b 04 08", "no allowed form", 0 },
	{ "quarter, gather", QUARTERED "c4 c2 69 90 0c 80", "no allowed form", 0 },
	{ "quarter, bit string", QUARTERED "41 0f a3 08", "bit string", 0 },
	{ "quarter, xlat", QUARTERED "d7", "implicit", 0 },
	{ "quarter, through the exchanged scratch", QUARTERED SWAP "41 00 20 " SWAP, "no allowed form", 0 },
	{ "quarter, exchange over", QUARTERED SWAP "00 27 " SWAP "41 8b 00", "no allowed form", 0 },
	{ "quarter, guest register after", QUARTERED SWAP "00 27 " SWAP "8a 27", "no allowed form", 0 },
	{ "quarter, branched to the shift", "74 0a " QUARTERED "41 8b 00", "of a sequence", 0 },
	{ "quarter, branched to the load", "74 0f " QUARTERED "41 8b 00", "of a sequence", 0 },
	{ "quarter, branched to the access", "74 1b " QUARTERED "41 8b 00", "of a sequence", 0 },
	{ "quarter, branched to behind", "74 1e " QUARTERED "41 8b 00", NULL, 0 },
	{ "quarter, after a jump", QUARTERED "eb 00 41 8b 00", "no allowed form", 0 },
	{ "home", AT_HOME "41 8b 00", NULL, 0 },
	{ "home, store", AT_HOME "66 41 0f 7f 00", NULL, 0 },
	{ "home, exchanged", AT_HOME SWAP "00 27 " SWAP, NULL, 0 },
	{ "home, locked", AT_HOME "f0 41 01 00", NULL, 0 },
	{ "home, base first", HOME_IN("50") ADDRESS SUM "41 8b 00", NULL, 0 },
	{ "home, another field", ADDRESS HOME_IN("20") SUM "41 8b 00", "no allowed form", 0 },
	{ "home, half the base", ADDRESS "45 8b 8f 50 04 00 00 " SUM "41 8b 00", "no allowed form", 0 },
	{ "home, base changed", ADDRESS HOME_IN("50") "49 01 c1 " SUM "41 8b 00", "no allowed form", 0 },
	{ "home, base alone", ADDRESS HOME_IN("50") "41 8b 01", "no allowed form", 0 },
	{ "home, twice the base", AT_HOME SUM "41 8b 00", "no allowed form", 0 },
	{ "home, 64-bit address", HOME_IN("50") SUM "41 8b 00", "no allowed form", 0 },
	{ "home, scaled", ADDRESS HOME_IN("50") "4f 8d 04 48 41 8b 00", "no allowed form", 0 },
	{ "home, with more", ADDRESS HOME_IN("50") "4f 8d 44 08 10 41 8b 00", "no allowed form", 0 },
	{ "home, sum changed", AT_HOME "49 01 c0 41 8b 00", "no allowed form", 0 },
	{ "home, displacement", AT_HOME "41 8b 40 04", "no allowed form", 0 },
	{ "home, index", AT_HOME "41 8b 04 08", "no allowed form", 0 },
	{ "home, gather", AT_HOME "c4 c2 69 90 0c 80", "no allowed form", 0 },
	{ "home, bit string", AT_HOME "41 0f a3 08", "bit string", 0 },
	{ "home, string", ADDRESS HOME_IN("50") "4a 8d 34 0e ac 8b f6", "64-bit write of rsi", 0 },
	{ "home, branched to the sum", "74 0b " AT_HOME "41 8b 00", "of a sequence", 0 },
	{ "home, branched to the access", "74 0f " AT_HOME "41 8b 00", "of a sequence", 0 },
	{ "home, branched to behind", "74 12 " AT_HOME "41 8b 00", NULL, 0 },
	{ "home, stored to its field", "4d 89 8f 50 04 00 00", "monitor's part", 0 },
	{ "quarter, lods", SI_BASE "ac 8b f6", NULL, 0 },
	{ "quarter, rep stos", DI_BASE "f3 aa 8b ff", NULL, 0 },
	{ "quarter, rep movs", SI_BASE DI_BASE "f3 a4 8b f6 8b ff", NULL, 0 },
	{ "quarter, rsi, left behind", SI_BASE "ac", "branch with a host", 0 },
	{ "quarter, rsi, after truncation", SI_BASE "ac 8b f6 ac", "source", 0 },
	{ "quarter, movs with half", SI_BASE "a4", "destination", 0 },
	{ "quarter, rsi twice", SI_BASE "4a 8d 34 0e", "over another", 0 },
	{ "quarter, rsi without a base", COUNT("1e") "c4 62 2b f7 ce 4a 8d 34 0e ac", "64-bit write", 0 },
	{ "quarter, rsi, branched to", "74 0b " SI_BASE "ac 8b f6", "of a sequence", 0 },
	{ "poll", POLLED "45 8b 09", NULL, 0 },
	{ "poll, beside it", POLLED "45 8b 49 04", "form not allowed", 0 },
	{ "poll, indexed", POLLED "47 8b 0c 01", "form not allowed", 0 },
	{ "poll, store", POLLED "45 89 09", "form not allowed", 0 },
	{ "poll, 64 bits", POLLED "4d 8b 09", "form not allowed", 0 },
	{ "poll, address changed", POLLED "49 ff c1 45 8b 09", "no allowed form", 0 },
	{ "poll, branched to", "74 07 " POLLED "45 8b 09", "of a sequence", 0 },
	{ "poll with a host address", SI_BASE POLLED "45 8b 09 8b f6", "host address", 0 },
	{ "jump table, no index", "45 8b 0c 24", "without an index", 0 },
	{ "jump table, guest index", "45 8b 0c 84", "another index", 0 },
	{ "jump table, scale", "47 8b 0c c4", "another index", 0 },
	{ "jump table, displacement", "47 8b 4c 84 04", "displacement", 0 },
	{ "jump table, store", "47 89 0c 84", "not a load", 0 },
	{ "window base", "41 8b 45 00", "no allowed form", 0 },
	{ "cache base", "41 8b 06", "no allowed form", 0 },
	{ "constant", "8b 05 10 00 00 00", NULL, 0 },
	{ "constant, store", "89 05 10 00 00 00", "not a load", 0 },
	{ "constant outside", "8b 05 00 00 00 10", "outside", 0 },
	{ "constant before", "8b 05 00 f0 ff ff", "outside", 0 },
	/* fixed registers */
	{ "read r13", "4d 8b cd", NULL, 0 },
	{ "add r14", "4d 01 f1", NULL, 0 },
	{ "cmp r15", "49 39 c7", NULL, 0 },
	{ "lea from r14", "4d 8d 0c 36", NULL, 0 },
	{ "mov r15", "49 89 c7", "may be written", 0 },
	{ "xchg r12", "4d 87 e0", "may be written", 0 },
	{ "xchg, second", "49 87 c4", "may be written", 0 },
	{ "xadd r13", "4c 0f c1 e8", "may be written", 0 },
	{ "pop r12", "41 5c", "must not contain", 0 },
	{ "inc r14d", "41 ff c6", "may be written", 0 },
	{ "lea r15", "4d 8d 3c 24", "may be written", 0 },
	{ "setcc r12b", "41 0f 94 c4", "may be written", 0 },
	{ "andn r13d", "c4 62 78 f2 e8", "may be written", 0 },
	{ "mulx r14", "c4 62 7b f6 f0", "may be written", 0 },
	{ "mulx, second", "c4 62 0b f6 c0", "may be written", 0 },
	{ "movd r15d", "66 41 0f 7e c7", "may be written", 0 },
	{ "pextrw r12d", "66 44 0f c5 e0 01", "may be written", 0 },
	/* stack and system */
	{ "push", "50", "must not contain", 0 },
	{ "pop", "58", "must not contain", 0 },
	{ "pushf", "9c", "must not contain", 0 },
	{ "call", "e8 00 00 00 00", "must not contain", 0 },
	{ "call indirect", "41 ff d1", "must not contain", 0 },
	{ "ret", "c3", "must not contain", 1 },
	{ "leave", "c9", "must not contain", 0 },
	{ "enter", "c8 00 00 00", "must not contain", 0 },
	{ "syscall", "0f 05", "must not contain", 0 },
	{ "sysenter", "0f 34", "must not contain", 0 },
	{ "int 0x80", "cd 80", "must not contain", 0 },
	{ "int3", "cc", "must not contain", 0 },
	{ "icebp", "f1", "must not contain", 0 },
	{ "hlt", "f4", "must not contain", 0 },
	{ "cli", "fa", "must not contain", 0 },
	{ "in", "ec", "must not contain", 0 },
	{ "out", "e6 80", "must not contain", 0 },
	{ "outs", "65 67 6e", "must not contain", 0 },
	{ "mov cr", "0f 20 c0", "", 0 },
	{ "mov dr", "0f 23 c0", "", 0 },
	{ "wrgsbase", "f3 48 0f ae d8", "must not contain", 0 },
	{ "rdgsbase", "f3 48 0f ae c8", "must not contain", 0 },
	{ "wrmsr", "0f 30", "must not contain", 0 },
	{ "cpuid", "0f a2", "must not contain", 0 },
	/* AVX-512, by twins */
	{ "kmovw from a register", "c5 f8 92 c0", NULL, 0 },
	{ "kmovw from the window", "65 67 c5 f8 90 03", NULL, 0 },
	{ "kmovw from elsewhere", "c5 f8 90 03", "no allowed form", 0 },
	{ "kandw", "c5 f4 41 c0", NULL, 0 },
	{ "kshiftrw", "c4 e3 f9 30 c1 05", NULL, 0 },
	{ "kmovd", "c5 fb 93 c1", NULL, 0 },
	{ "kmovd to r12d", "c5 7b 93 e1", "r12-r15", 0 },
	{ "kmovq to r12", "c4 61 fb 93 e1", "r12-r15", 0 },
	{ "kmovw to the monitor's", "c4 c1 78 91 8f 00 04 00 00", "monitor's part", 0 },
	{ "vaddps zmm", "62 f1 7c 48 58 c0", NULL, 0 },
	{ "vshufps zmm, immediate", "62 f1 7c 48 c6 c0 05", NULL, 0 },
	{ "zmm from the window", "65 67 62 f1 fe 48 6f 0b", NULL, 0 },
	{ "zmm from the window, scaled", "65 67 62 f1 7f 29 7f 53 02", NULL, 0 },
	{ "zmm gather", "65 67 62 f2 7d 49 90 0c 83", NULL, 0 },
	{ "zmm gather, no window", "62 f2 7d 49 90 0c 83", "no allowed form", 0 },
	{ "zmm without GS", "67 62 f1 fe 48 6f 0b", "without GS", 0 },
	{ "zmm from elsewhere", "62 f1 fe 48 6f 0b", "no allowed form", 0 },
	{ "zmm, r13d", "65 67 62 d1 fe 48 6f 4d 00", "r12-r15", 0 },
	{ "zmm, scaled, no window", "62 d1 fe 48 6f 4f 01", "unknown to Capstone", 0 },
	{ "zmm in the vCPU", "62 d1 fe 48 7f 8f 00 1e 00 00", NULL, 0 },
	{ "zmm beyond the vCPU", "62 d1 fe 48 7f 8f c1 1f 00 00", "beyond the vCPU", 0 },
	{ "zmm to the monitor's", "62 d1 fe 48 7f 8f 00 04 00 00", "monitor's part", 0 },
	{ "vextracti32x4 to the monitor's", "62 d3 7d 48 39 8f 00 04 00 00 01", "monitor's part", 0 },
	{ "vcvttss2usi", "65 67 62 f1 7e 08 78 03", NULL, 0 },
	{ "vcvttss2usi to r14d", "62 31 7e 08 78 f1", "r12-r15", 0 },
	{ "vmovd to r12d", "62 c1 7d 08 7e cc", "r12-r15", 0 },
	{ "vpextrd to r13d", "62 c3 7d 08 16 cd 01", "r12-r15", 0 },
	{ "vpextrb to r13d", "62 c3 7d 08 14 cd 01", "r12-r15", 0 },
	{ "vpextrw to r13d", "62 31 7d 08 c5 e9 01", "r12-r15", 0 },
	{ "vpinsrb from r15d", "62 c3 75 08 20 cf 01", "r12-r15", 0 },
	{ "vpbroadcastd from r12d", "62 d2 7d 48 7c cc", "r12-r15", 0 },
	{ "vcvtusi2sd from r12d", "62 c1 77 08 7b cc", "r12-r15", 0 },
	{ "map 5", "62 f5 7c 48 58 c0", "unknown to Capstone", 0 },
	{ "rsi in 64 bits", "c4 e1 fb 93 f1", "64-bit write of rsi", 0 },
	{ "vfmaddps, fma4", "c4 e3 79 68 c0 00", "must not contain", 0 },
	{ "blcs, tbm", "8f e9 78 01 d8", "must not contain", 0 },
	{ "pfadd, 3dnow", "0f 0f c0 9e", "must not contain", 0 },
	{ "wrfsbase", "f3 0f ae d0", "must not contain", 0 },
	{ "xend", "0f 01 d5", "must not contain", 0 },
	{ "stac", "0f 01 cb", "must not contain", 0 },
	{ "clwb", "65 67 66 0f ae 33", "must not contain", 0 },
	{ "clflushopt", "65 67 66 0f ae 3b", "must not contain", 0 },
	{ "clflush", "65 67 0f ae 3b", NULL, 0 },
	{ "xsetbv", "0f 01 d1", "must not contain", 0 },
	{ "lgdt", "65 67 0f 01 13", "must not contain", 0 },
	{ "sidt", "65 67 0f 01 0b", "must not contain", 0 },
	{ "mov to fs", "8e e0", "", 0 },
	{ "mov from cs", "8c c8", "segment register", 0 },
	{ "lfs", "65 67 0f b4 03", "must not contain", 0 },
	{ "far jump", "65 67 ff 2b", "must not contain", 1 },
	{ "vmcall", "0f 01 c1", "", 0 },
	{ "flags by a stack of our own", "49 89 e0 49 8d 67 40 9c 41 59 4c 89 c4", NULL, 0 },
	{ "own stack, below", "49 89 e0 49 8d 67 04 9c 41 59 4c 89 c4", "leaves the vCPU", 0 },
	{ "own stack, above", "49 89 e0 49 8d a7 00 20 00 00 41 59 4c 89 c4", "leaves the vCPU", 0 },
	{ "own stack, outside", "49 8d a7 00 30 00 00 9c", "outside", 0 },
	{ "own stack, call", "49 8d 67 40 e8 00 00 00 00", "neither", 0 },
	{ "own stack, pop of a guest register", "49 8d 67 40 5c", "neither", 0 },
	{ "own stack, left", "49 8d 67 40 9c", "neither", 0 },
	{ "own stack, back to a guest register", "49 8d 67 40 48 89 c4", "neither", 0 },
	{ "bounce buffer", "4d 8d 47 40 45 8b 08", NULL, 0 },
	{ "bounce buffer, store", "4d 8d 47 40 66 41 0f 7f 00", NULL, 0 },
	{ "bounce buffer, beyond", "4d 8d 87 fe 1f 00 00 45 8b 08", "beyond", 0 },
	{ "bounce buffer, before", "4d 8d 47 04 45 8b 48 f8", "beyond", 0 },
	{ "bounce buffer, later", "4d 8d 47 40 90 45 8b 08", NULL, 0 },
	{ "bounce buffer, changed", "4d 8d 47 40 49 ff c0 45 8b 08", "no allowed form", 0 },
	{ "bounce buffer, conditionally changed", "4d 8d 47 40 4c 0f 45 c0 45 8b 08", "no allowed form", 0 },
	{ "bounce buffer, changed by a multiplication", "4d 8d 47 40 c4 42 bb f6 c8 45 8b 08",
	  "no allowed form", 0 },
	{ "bounce buffer, other register", "4d 8d 47 40 45 8b 09", "no allowed form", 0 },
	{ "bounce buffer, branched to", "74 04 4d 8d 47 40 45 8b 08", "of a sequence", 0 },
	{ "string, branched to", "74 04 4a 8d 3c 2f f3 ab 8b ff", "of a sequence", 0 },
	{ "string, branch inside", "4a 8d 3c 2f 74 00 f3 ab 8b ff", "branch with", 0 },
	{ "bounce buffer, bit string", "4d 8d 47 40 45 0f a3 08", "bit string", 0 },
	{ "window bit string", "65 67 0f a3 0b", NULL, 0 },
	{ "vcpu bit string", "41 0f ab 4f 40", "bit string", 0 },
	{ "vcpu bit, immediate", "41 0f ba 6f 40 03", NULL, 0 },
	{ "exchange", "4c 87 c7 65 67 00 27 4c 87 c7", NULL, 0 },
	{ "exchange and bounce buffer", "4d 8d 47 40 4c 87 c7 00 27 4c 87 c7", NULL, 0 },
	{ "exchange, no window", "4c 87 c7 00 27 4c 87 c7", "no allowed form", 0 },
	{ "exchange, never back", "4c 87 c7 65 67 00 27", "is not restored", 0 },
	{ "exchange, another back", "4c 87 c7 65 67 00 27 4c 87 c6", "is not restored", 0 },
	{ "exchange, scratch used", "4c 87 c7 41 89 c0 4c 87 c7", "before it is restored", 0 },
	{ "exchange, branch", "4c 87 c7 75 00 4c 87 c7", "between an exchange", 0 },
	{ "exchange, last", "4c 87 c7", "runs off", 1 },
	{ "exchange, maskmovq", SWAP "65 67 0f f7 c1 " SWAP, NULL, 0 },
	{ "exchange, maskmovdqu", SWAP "65 67 66 0f f7 c1 " SWAP, NULL, 0 },
	{ "exchange, vmaskmovdqu", SWAP "65 67 c5 f9 f7 c1 " SWAP, NULL, 0 },
	{ "exchange, maskmovq, no window", SWAP "0f f7 c1 " SWAP, "implicit", 0 },
	{ "exchange, maskmovq, 64-bit", SWAP "65 0f f7 c1 " SWAP, "implicit", 0 },
	{ "exchange, vmaskmovdqu, no override", SWAP "67 c5 f9 f7 c1 " SWAP, "implicit", 0 },
	{ "exchange, lods", SWAP "65 67 ac " SWAP, "between", 0 },
	{ "exchange, stos", SWAP "aa " SWAP, "between", 0 },
	{ "exchange, host pointer made", SWAP "4a 8d 3c 2f " SWAP, "between", 0 },
	{ "exchange of a host pointer", "4a 8d 3c 2f " SWAP "65 67 00 27 " SWAP, "64-bit write", 0 },
	{ "64-bit xchg of rdi", "48 97", "64-bit write", 0 },
	{ "64-bit xadd to rsi", "48 0f c1 f0", "64-bit write", 0 },
	{ "bit string by scratch registers", "65 67 45 0f a3 18", NULL, 0 },
	{ "bit string by scratch registers, no window", "45 0f a3 18", "bit string", 0 },
	{ "bit string by scratch registers, 64-bit", "65 45 0f ab 18", "32-bit address size", 0 },
	{ "vbroadcasti128", "65 67 c4 e2 7d 5a 03", NULL, 0 },
	{ "vbroadcasti128, no window", "c4 e2 7d 5a 03", "no allowed form", 0 },
	{ "wrpkru", "0f 01 ef", "", 0 },
	{ "rdtsc is fine", "0f 31", NULL, 0 },
	{ "ud2", "0f 0b", NULL, 1 },
	{ "nop with operand", "0f 1f 44 00 00", NULL, 0 },
	{ "lea is no access", "8d 44 8b 10", NULL, 0 },
	{ "unknown bytes", "06", "unknown to Capstone", 0 },
	/* strings and other implicit operands */
	{ "lods through the window", "65 67 ac", NULL, 0 },
	{ "lods", "ac", "source", 0 },
	{ "stos, es takes no override", "65 67 aa", "unexpected prefix", 0 },
	{ "movs with override", "65 67 a4", "unexpected prefix", 0 },
	{ "stos", "aa", "destination", 0 },
	{ "window stos", "4a 8d 3c 2f f3 ab 8b ff", NULL, 0 },
	{ "window movs", "4a 8d 34 2e 4a 8d 3c 2f f3 a5 8b f6 8b ff", NULL, 0 },
	{ "window cmps", "4a 8d 34 2e 4a 8d 3c 2f f3 a6 8b f6 8b ff", NULL, 0 },
	{ "only one of two", "4a 8d 3c 2f f3 a5", "source", 0 },
	{ "after truncation", "4a 8d 3c 2f f3 ab 8b ff ab", "destination", 0 },
	{ "twice", "4a 8d 3c 2f 4a 8d 3c 2f", "over another", 0 },
	{ "another base", "49 8d 3c 3e", "64-bit write", 0 },
	{ "64-bit rdi", "48 89 c7", "64-bit write", 0 },
	{ "left behind", "4a 8d 3c 2f", "branch with a host address", 0 },
	{ "xlat", "65 67 d7", NULL, 0 },
	{ "xlat, no window", "d7", "implicit", 0 },
	{ "maskmovq", "65 67 0f f7 c1", NULL, 0 },
	{ "maskmovdqu, no window", "66 0f f7 c1", "implicit", 0 },
	{ "vmaskmovdqu, no window", "c5 f9 f7 c1", "implicit", 0 },
	{ "movsd is not movs", "f2 0f 10 c1", NULL, 0 },
	{ "cmpsd is not cmps", "f2 0f c2 c1 00", NULL, 0 },
	/* control flow */
	{ "jump to a stub", "e9 fb 7f 00 00", NULL, 1 },
	{ "jump to nowhere", "e9 fb 6f 00 00", "unknown target", 1 },
	{ "jcc to nowhere", "0f 84 00 01 00 00", "unknown target", 0 },
	{ "loop inside", "ff c8 75 fc", NULL, 0 },
	{ "jrcxz inside", "e3 02 8b c0", NULL, 0 },
	{ "into an immediate", "b8 90 90 90 90 75 fb", "middle", 0 },
	{ "loop to nowhere", "e2 80", "unknown target", 0 },
	{ "jmp r9", SLOT LOOKUP TARGET "41 ff e1", NULL, 1 },
	{ "jmp r9, anything", "41 ff e1", "not from the jump table", 1 },
	{ "jmp r9, an entry", SLOT LOOKUP "41 ff e1", "not from the jump table", 1 },
	{ "jmp r9, changed", SLOT LOOKUP TARGET "49 01 c1 41 ff e1", "not from the jump table", 1 },
	{ "jmp r9, not an entry", "45 8b 0f " TARGET "41 ff e1", "not from the jump table", 1 },
	{ "jmp r9, branched to", "74 0b " SLOT LOOKUP TARGET "41 ff e1", "of a sequence", 1 },
	{ "jmp rax", "ff e0", "guest register", 1 },
	{ "jmp r12", "41 ff e4", "guest register", 1 },
	{ "way out", "41 ff a7 00 04 00 00", NULL, 1 },
	{ "call", RECORD_IN_R9 CALL, NULL, 1 },
	{ "call that saves x87 and SSE", RECORD_IN_R9 "41 ff a7 10 04 00 00", NULL, 1 },
	{ "call by the field", "4d 8b 8f 18 04 00 00 " CALL, NULL, 1 },
	{ "call, no record", CALL, "without a record", 1 },
	{ "call, guest's record", "49 89 c1 " CALL, "without a record", 1 },
	{ "call, another field's record", "4d 8b 8f 20 04 00 00 " CALL, "without a record", 1 },
	{ "call, record from the window", "65 67 4c 8b 0b " CALL, "without a record", 1 },
	{ "call, record changed", RECORD_IN_R9 "49 ff c1 " CALL, "without a record", 1 },
	{ "call, branched to", "74 0a " RECORD_IN_R9 CALL, "of a sequence", 1 },
	{ "call that comes back", RECORD_IN_R9 "4c 8d 1d 07 00 00 00 " CALL "0f 0b", NULL, 1 },
	{ "call that comes back elsewhere", RECORD_IN_R9 "4c 8d 1d 00 10 00 00 " CALL, "return address", 1 },
	{ "call that comes back into the middle", RECORD_IN_R9 "4c 8d 1d 08 00 00 00 " CALL "0f 0b", "middle",
	  1 },
	{ "after a call nothing is known", QUARTERED RECORD_IN_R9 "4c 8d 1d 07 00 00 00 " CALL "41 8b 00",
	  "no allowed form", 0 },
	{ "jmp [r15], another field", RECORD_IN_R9 "41 ff a7 20 04 00 00", "another field", 1 },
	{ "jmp [r15], a field that code writes", RECORD_IN_R9 "41 ff 67 40", "another field", 1 },
	{ "jmp [r15], too far", "41 ff a7 00 20 00 00", "another field", 1 },
	{ "jmp [r15+index]", "41 ff a4 07 00 04 00 00", "through memory", 1 },
	{ "jmp [window]", "65 67 ff 23", "through memory", 1 },
	{ "jmp [rax]", "ff 20", "through memory", 1 },
	{ "falls off", "8b c0", "runs off", 1 },
	{ "jcc last", "74 fe", "runs off", 1 },
	{ "truncated", "e9 00", "unknown to Capstone", 1 },
};

static size_t unhex(const char *s, uint8_t *out)
{
	size_t n = 0;

	for (char *e; *s; s = e + (*e == ' '))
		out[n++] = (uint8_t)strtoul(s, &e, 16);
	return n;
}

static bool only_stub(void *ctx, uint64_t host)
{
	(void)ctx;
	return host == STUB;
}

static struct verify_env test_env(bool strings)
{
	static const struct verify_range writable[] = { { 0x10, 0xf0 }, { 0x1e00, 0x200 } };

	return (struct verify_env){ .tc_base = HOST,
				    .tc_size = TC_BYTES,
				    .vcpu_size = VCPU_BYTES,
				    .writable = writable,
				    .nwritable = ARRAY_LEN(writable),
				    .quarter = QUARTER,
				    .shadow = SHADOW,
				    .home = HOME,
				    .poll = POLL,
				    .trap = TRAP,
				    .exit = EXIT,
				    .call = { CALL0, CALL1 },
				    .record = RECORD,
				    .table_bits = 32,
				    .strings = strings,
				    .ok_target = only_stub };
}

static size_t build(const struct row *r, uint8_t *code)
{
	size_t n = unhex(r->hex, code);
	uint32_t rel = (uint32_t)(STUB - (HOST + n + 5));

	if (r->whole)
		return n;
	code[n] = 0xe9;
	memcpy(code + n + 1, &rel, 4);
	return n + 5;
}

START_TEST(fragment)
{
	const struct row *r = &rows[_i];
	struct verify_env env = test_env(true);
	struct verify_error err;
	uint8_t code[128];
	const char *why;

	env.v = bt_verifier_new();
	ck_assert_ptr_nonnull(env.v);
	why = bt_verify(&env, code, build(r, code), HOST, &err);
	bt_verifier_free(env.v);
	if (!r->rule)
		ck_assert_msg(!why, "%s: %s: refused: %s (%s)", r->what, r->hex, why, err.text);
	else
		ck_assert_msg(why && strstr(why, r->rule), "%s: %s: wanted \"%s\", got \"%s\" (%s)", r->what,
			      r->hex, r->rule, why ? why : "accepted", err.text);
}
END_TEST

START_TEST(strings_are_off_unless_asked_for)
{
	static const uint8_t code[] = { 0x4a, 0x8d, 0x3c, 0x2f, 0xf3, 0xab, 0x8b, 0xff, 0x0f, 0x0b };
	struct verify_env env = test_env(false);
	struct verify_error err;

	env.v = bt_verifier_new();
	ck_assert_ptr_nonnull(bt_verify(&env, code, sizeof(code), HOST, &err));
	ck_assert_uint_eq(err.off, 0);
	env.strings = true;
	ck_assert_ptr_null(bt_verify(&env, code, sizeof(code), HOST, &err));
	bt_verifier_free(env.v);
}
END_TEST

START_TEST(error_says_where)
{
	static const uint8_t code[] = { 0x8b, 0xc0, 0x50, 0x0f, 0x0b };
	struct verify_env env = test_env(false);
	struct verify_error err;

	env.v = bt_verifier_new();
	ck_assert_ptr_nonnull(bt_verify(&env, code, sizeof(code), HOST, &err));
	ck_assert_uint_eq(err.off, 2);
	ck_assert_uint_eq(err.len, 1);
	ck_assert_uint_eq(err.bytes[0], 0x50);
	ck_assert_str_eq(err.text, "push rax");
	bt_verifier_free(env.v);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("verify");
	TCase *tc = tcase_create("fragments");

	tcase_add_loop_test(tc, fragment, 0, ARRAY_LEN(rows));
	tcase_add_test(tc, strings_are_off_unless_asked_for);
	tcase_add_test(tc, error_says_where);
	suite_add_tcase(s, tc);
	return suite_run(s);
}

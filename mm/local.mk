# SPDX-License-Identifier: GPL-3.0-or-later
# Guest memory. Reached from light callouts while the guest's vector and x87
# registers are live: the compiler must not touch them, and instrumentation may
# call out only to end the program (tests/light.sh).
noinst_LIBRARIES += %D%/libmm.a
%C%_libmm_a_SOURCES = \
	%D%/fill.c \
	%D%/light_virt.c \
	%D%/mm.h \
	%D%/mm_int.h \
	%D%/mmu.h \
	%D%/passing.c \
	%D%/pool.c \
	%D%/region.c \
	%D%/region.h \
	%D%/sync.c \
	%D%/views.c \
	%D%/walk.c \
	%D%/watch.c \
	%D%/window.c
%C%_libmm_a_CFLAGS = $(AM_CFLAGS) -fno-strict-aliasing -mgeneral-regs-only -fno-tree-loop-distribute-patterns

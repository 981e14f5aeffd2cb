# SPDX-License-Identifier: GPL-3.0-or-later
# Guest memory. GPR-only code (base/gpr.h): the compiler must not touch vector and x87
# registers, and instrumentation may call out only to end the program (tests/gpr_only.sh).
noinst_LIBRARIES += %D%/libmmgpr.a
%C%_libmmgpr_a_SOURCES = \
	%D%/access.c \
	%D%/block.c \
	%D%/block.h \
	%D%/check.c \
	%D%/guest_walk.c \
	%D%/host.h \
	%D%/long.h \
	%D%/mm.h \
	%D%/mm_int.h \
	%D%/mmu.h \
	%D%/move.c \
	%D%/nested.c \
	%D%/nested.h \
	%D%/nested_int.h \
	%D%/pages.h \
	%D%/slot.h \
	%D%/policy/balloon.c \
	%D%/policy/scan.c \
	%D%/policy/sample.c \
	%D%/policy/share.c \
	%D%/policy/share.h \
	%D%/policy/swap.c \
	%D%/pool.c \
	%D%/pool.h \
	%D%/recover.c \
	%D%/rmap.c \
	%D%/views.c \
	%D%/views_int.h \
	%D%/views_share.c \
	%D%/vm.c \
	%D%/vm.h \
	%D%/vm_parts.h \
	%D%/walk.c \
	%D%/walk.h \
	%D%/watch.h \
	%D%/window/budget.c \
	%D%/window/bypass.c \
	%D%/window/fill.c \
	%D%/window/fill.h \
	%D%/window/layout.c \
	%D%/window/line.c \
	%D%/window/long.c \
	%D%/window/long.h \
	%D%/window/long_fault.c \
	%D%/window/long_root.c \
	%D%/window/long_soft.c \
	%D%/window/long_sync.c \
	%D%/window/quiet.c \
	%D%/window/soft.c \
	%D%/window/root.c \
	%D%/window/space.c \
	%D%/window/region.c \
	%D%/window/region.h \
	%D%/window/sync.c \
	%D%/window/watch.c \
	%D%/window/window.c \
	%D%/window_int.h \
	%D%/write.c
%C%_libmmgpr_a_CFLAGS = $(AM_CFLAGS) -fno-strict-aliasing $(GPR_CFLAGS)

# What only the host world calls: the policy, and views with numbers that are not whole.
noinst_LIBRARIES += %D%/libmm.a
%C%_libmm_a_SOURCES = \
	%D%/mirror.c \
	%D%/mirror.h \
	%D%/policy.h \
	%D%/policy/alloc.c \
	%D%/policy/alloc.h \
	%D%/policy/policy.c \
	%D%/views_cow.c \
	%D%/views_host.c \
	%D%/views_pool.c
%C%_libmm_a_CFLAGS = $(AM_CFLAGS)
%C%_libmm_a_LIBADD = $(%C%_libmmgpr_a_OBJECTS)
%C%_libmm_a_DEPENDENCIES = %D%/libmmgpr.a

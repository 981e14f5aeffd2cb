# SPDX-License-Identifier: GPL-3.0-or-later
# System instructions, interrupts and exceptions. GPR-only code (base/gpr.h): callouts run it.
noinst_LIBRARIES += %D%/libcpu.a
%C%_libcpu_a_SOURCES = \
	%D%/control.c \
	%D%/cpu_int.h \
	%D%/exit_log.c \
	%D%/exit_log.h \
	%D%/exit_view.h \
	%D%/far.c \
	%D%/fast.c \
	%D%/interrupt.c \
	%D%/long.c \
	%D%/long_int.h \
	%D%/msr.c \
	%D%/segment.c \
	%D%/system.h \
	%D%/task.c \
	%D%/virt.h \
	%D%/virt_points.def \
	%D%/wide.c
%C%_libcpu_a_CFLAGS = $(AM_CFLAGS) -fno-strict-aliasing $(GPR_CFLAGS)

# Views of guests' exits: they use libc, and run while the vCPU is stopped.
noinst_LIBRARIES += %D%/libcpuview.a
%C%_libcpuview_a_SOURCES = %D%/view/exits.c %D%/view/maps.c

# SPDX-License-Identifier: GPL-3.0-or-later
# System instructions, interrupts and exceptions. GPR-only code (base/gpr.h): callouts run it.
noinst_LIBRARIES += %D%/libcpu.a
%C%_libcpu_a_SOURCES = \
	%D%/control.c \
	%D%/cpu_int.h \
	%D%/far.c \
	%D%/interrupt.c \
	%D%/msr.c \
	%D%/segment.c \
	%D%/system.h \
	%D%/task.c \
	%D%/virt.h \
	%D%/virt_points.def
%C%_libcpu_a_CFLAGS = $(AM_CFLAGS) -fno-strict-aliasing $(GPR_CFLAGS)

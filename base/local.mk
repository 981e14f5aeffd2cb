# SPDX-License-Identifier: GPL-3.0-or-later
# Host utilities.
noinst_LIBRARIES += %D%/libbase.a
%C%_libbase_a_SOURCES = \
	%D%/light.h \
	%D%/log.c \
	%D%/log.def \
	%D%/log.h \
	%D%/loop.c \
	%D%/loop.h \
	%D%/signals.c \
	%D%/signals.h \
	%D%/types.h \
	%D%/user.c \
	%D%/user.h \
	%D%/view.h

# What light code (base/light.h) calls.
noinst_LIBRARIES += %D%/libbaselight.a
%C%_libbaselight_a_SOURCES = %D%/light_log.c
%C%_libbaselight_a_CFLAGS = $(AM_CFLAGS) -mgeneral-regs-only
%C%_libbase_a_LIBADD = $(%C%_libbaselight_a_OBJECTS)
%C%_libbase_a_DEPENDENCIES = %D%/libbaselight.a

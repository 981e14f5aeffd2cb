# SPDX-License-Identifier: GPL-3.0-or-later
# Host utilities.
noinst_LIBRARIES += %D%/libbase.a
%C%_libbase_a_SOURCES = \
	%D%/alloc.c \
	%D%/alloc.h \
	%D%/address.c \
	%D%/address.h \
	%D%/file.c \
	%D%/file.h \
	%D%/gpr.h \
	%D%/log.c \
	%D%/log.def \
	%D%/log.h \
	%D%/monotonic.h \
	%D%/loop.c \
	%D%/loop.h \
	%D%/runtime.c \
	%D%/runtime.h \
	%D%/sandbox.c \
	%D%/sandbox.def \
	%D%/sandbox.h \
	%D%/signals.c \
	%D%/signals.h \
	%D%/swap_file.c \
	%D%/swap_file.h \
	%D%/size.c \
	%D%/size.h \
	%D%/types.h \
	%D%/unix_socket.c \
	%D%/unix_socket.h \
	%D%/user.c \
	%D%/user.h \
	%D%/view.h \
	%D%/words.c \
	%D%/words.h

# What GPR-only code (base/gpr.h) calls.
noinst_LIBRARIES += %D%/libbasegpr.a
%C%_libbasegpr_a_SOURCES = %D%/gpr_log.c
%C%_libbasegpr_a_CFLAGS = $(AM_CFLAGS) $(GPR_CFLAGS)
%C%_libbase_a_LIBADD = $(%C%_libbasegpr_a_OBJECTS)
%C%_libbase_a_DEPENDENCIES = %D%/libbasegpr.a

# SPDX-License-Identifier: GPL-3.0-or-later
# Host utilities.
noinst_LIBRARIES += %D%/libbase.a
%C%_libbase_a_SOURCES = \
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

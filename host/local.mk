# SPDX-License-Identifier: GPL-3.0-or-later
# Several VMs, one memory: the host's process, and how VMs join it.
noinst_LIBRARIES += %D%/libhost.a
%C%_libhost_a_SOURCES = \
	%D%/check.c \
	%D%/commands.c \
	%D%/complete.c \
	%D%/host.c \
	%D%/host.h \
	%D%/host_int.h \
	%D%/join.c \
	%D%/join.h \
	%D%/joining.c \
	%D%/log.c \
	%D%/overhead.c \
	%D%/overhead.h \
	%D%/protocol.c \
	%D%/protocol.h \
	%D%/remote.c \
	%D%/starter.c \
	%D%/starter.h \
	%D%/views.c \
	%D%/vms.c

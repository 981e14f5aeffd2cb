# SPDX-License-Identifier: GPL-3.0-or-later
# gdb's remote protocol.
noinst_LIBRARIES += %D%/libgdbstub.a
%C%_libgdbstub_a_SOURCES = \
	%D%/agent.c \
	%D%/agent.h \
	%D%/face.c \
	%D%/gdb_int.h \
	%D%/gdbstub.h \
	%D%/monitor.c \
	%D%/packet.c \
	%D%/packet.h \
	%D%/query.c \
	%D%/regs.c \
	%D%/regs.h \
	%D%/run.c \
	%D%/server.c \
	%D%/table.c \
	%D%/threads.c \
	%D%/target.c

# What gdb's side wants: "source" them, or see docs/gdb.md.
vitrinedatadir = $(datadir)/vitrine
dist_vitrinedata_DATA = %D%/vitrine.gdb %D%/vitrine_gdb.py

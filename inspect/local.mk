# SPDX-License-Identifier: GPL-3.0-or-later
# Views, commands, run control.
noinst_LIBRARIES += %D%/libinspect.a
%C%_libinspect_a_SOURCES = \
	%D%/choices.c \
	%D%/cmd_adapt.c \
	%D%/cmd_event.c \
	%D%/cmd_examine.c \
	%D%/cmd_input.c \
	%D%/cmd_memory.c \
	%D%/cmd_patch.c \
	%D%/cmd_points.c \
	%D%/cmd_run.c \
	%D%/cmd_session.c \
	%D%/cmd_probe.c \
	%D%/cmd_profile.c \
	%D%/cmd_stack.c \
	%D%/cmd_system.c \
	%D%/cmd_trace.c \
	%D%/cmd_transfer.c \
	%D%/cmd_translator.c \
	%D%/asm.c \
	%D%/asm.h \
	%D%/ccf.c \
	%D%/ccf.h \
	%D%/cfi.c \
	%D%/cfi.h \
	%D%/command.c \
	%D%/command.h \
	%D%/debug.c \
	%D%/debug.h \
	%D%/examine.c \
	%D%/expr.c \
	%D%/expr.h \
	%D%/inspect.h \
	%D%/keymap.def \
	%D%/manual.c \
	%D%/output.c \
	%D%/peek.c \
	%D%/peek.h \
	%D%/points.c \
	%D%/points.h \
	%D%/probe_line.h \
	%D%/record.c \
	%D%/record.h \
	%D%/records.c \
	%D%/run.c \
	%D%/serial.c \
	%D%/serial.h \
	%D%/serial_port.c \
	%D%/serial_port.h \
	%D%/session.c \
	%D%/session_int.h \
	%D%/start.c \
	%D%/start.h \
	%D%/symbols.c \
	%D%/symbols.h \
	%D%/view.c

# SPDX-License-Identifier: GPL-3.0-or-later
# The dashboard. A new screen is a screen_NAME.c here and a line in screens.def.
noinst_LIBRARIES += %D%/libtui.a
%C%_libtui_a_SOURCES = \
	%D%/actions.c \
	%D%/actions.h \
	%D%/canvas.c \
	%D%/canvas.h \
	%D%/dump.c \
	%D%/frame.c \
	%D%/journal.c \
	%D%/journal.h \
	%D%/keys.c \
	%D%/layout.c \
	%D%/layout.h \
	%D%/layout_file.c \
	%D%/list.c \
	%D%/look.c \
	%D%/menu.c \
	%D%/menu.h \
	%D%/pane_ccf.c \
	%D%/pane_code.c \
	%D%/pane_console.c \
	%D%/pane_heat.c \
	%D%/pane_memory.c \
	%D%/pane_registers.c \
	%D%/pane_stack.c \
	%D%/pane_table.c \
	%D%/pane_table.h \
	%D%/pane_table_draw.c \
	%D%/pane_table_int.h \
	%D%/pane_walk.c \
	%D%/panes.h \
	%D%/prompt.c \
	%D%/rates.c \
	%D%/rates.h \
	%D%/refresh.c \
	%D%/remote.c \
	%D%/remote.h \
	%D%/screen.c \
	%D%/screen_devices.c \
	%D%/screen_machine.c \
	%D%/screen_spaces.c \
	%D%/screen_translation.c \
	%D%/screen_traps.c \
	%D%/screens.c \
	%D%/screens.def \
	%D%/styles.def \
	%D%/term.c \
	%D%/term.h \
	%D%/tui.c \
	%D%/tui.h \
	%D%/tui_int.h \
	%D%/viewer.c \
	%D%/vt.c \
	%D%/vt.h \
	%D%/wire.c \
	%D%/wire.h

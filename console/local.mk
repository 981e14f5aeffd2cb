# SPDX-License-Identifier: GPL-3.0-or-later
# The command shell.
noinst_LIBRARIES += %D%/libconsole.a
%C%_libconsole_a_SOURCES = \
	%D%/async_output.c \
	%D%/attach.c \
	%D%/completion.c \
	%D%/console.c \
	%D%/console.h \
	%D%/console_int.h \
	%D%/control.c \
	%D%/control.h \
	%D%/control_answer.c \
	%D%/control_event.c \
	%D%/control_int.h \
	%D%/control_request.c \
	%D%/control_send.c \
	%D%/manual.c \
	%D%/options.c \
	%D%/options.h \
	%D%/outbox.c \
	%D%/outbox.h \
	%D%/pager.c \
	%D%/serial.c \
	%D%/shell.c \
	%D%/terminal.c \
	%D%/terminal.h

bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = %D%/completion/vitrine

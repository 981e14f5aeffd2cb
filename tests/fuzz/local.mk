# SPDX-License-Identifier: GPL-3.0-or-later
# Fuzz targets: with --enable-fuzzing, libFuzzer programs to run on their corpus; without, programs that
# replay it in `make check`.
check_PROGRAMS += %D%/fuzz_gdb %D%/fuzz_control
if FUZZING
fuzz_main =
else
fuzz_main = %D%/replay.c
endif
%C%_fuzz_gdb_SOURCES = %D%/fuzz_gdb.c %D%/fuzz.h $(fuzz_main) $(gdbstub_fake)
%C%_fuzz_gdb_LDADD = $(gdbstub_below) $(EXT_LIBS)
%C%_fuzz_control_SOURCES = %D%/fuzz_control.c %D%/fuzz.h $(fuzz_main) $(gdbstub_fake)
%C%_fuzz_control_LDADD = tui/libtui.a console/libconsole.a inspect/libinspect.a x86/libx86.a base/libbase.a $(EXT_LIBS)
if FUZZING
%C%_fuzz_gdb_CFLAGS = $(AM_CFLAGS)
%C%_fuzz_gdb_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
%C%_fuzz_control_CFLAGS = $(AM_CFLAGS)
%C%_fuzz_control_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
%C%_fuzz_gdb_CFLAGS = $(AM_CFLAGS)
%C%_fuzz_control_CFLAGS = $(AM_CFLAGS)
SHELL_TESTS += %D%/replay.sh %D%/replay-control.sh
endif
fuzz_corpus = \
	%D%/corpus-gdb/opening \
	%D%/corpus-gdb/points \
	%D%/corpus-gdb/memory \
	%D%/corpus-gdb/raw \
	%D%/corpus-gdb/register-number \
	%D%/corpus-control/broken \
	%D%/corpus-control/commands \
	%D%/corpus-control/dashboard \
	%D%/corpus-control/dashboard-keys \
	%D%/corpus-control/memory \
	%D%/corpus-control/others
EXTRA_DIST += %D%/replay.c $(fuzz_corpus) %D%/replay.sh %D%/replay-control.sh

# SPDX-License-Identifier: GPL-3.0-or-later
# Commands, expressions and records on the fake machine.
if HAVE_CHECK
UNIT_TESTS += %D%/test_asm %D%/test_cfi %D%/test_command %D%/test_expr %D%/test_linux %D%/test_long %D%/test_record
%C%_test_asm_SOURCES = %D%/test_asm.c
%C%_test_asm_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_asm_LDADD = inspect/libinspect.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
%C%_test_cfi_SOURCES = %D%/test_cfi.c
%C%_test_cfi_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_cfi_LDADD = inspect/libinspect.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
%C%_test_command_SOURCES = %D%/test_command.c $(gdbstub_fake)
%C%_test_command_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_command_LDADD = inspect/libinspect.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
%C%_test_long_SOURCES = %D%/test_long.c $(gdbstub_fake)
%C%_test_long_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_long_LDADD = inspect/libinspect.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
%C%_test_expr_SOURCES = %D%/test_expr.c
%C%_test_expr_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_expr_LDADD = inspect/libinspect.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
%C%_test_linux_SOURCES = %D%/test_linux.c %D%/lx_image.c %D%/lx_image.h %D%/lx_structures.c %D%/lx_structures.h
%C%_test_linux_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_linux_LDADD = inspect/libinspect.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
%C%_test_record_SOURCES = %D%/test_record.c
%C%_test_record_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_record_LDADD = inspect/libinspect.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
endif

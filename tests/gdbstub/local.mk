# SPDX-License-Identifier: GPL-3.0-or-later
# The gdb stub: units, sessions on the fake machine, gdb itself.
gdbstub_below = gdbstub/libgdbstub.a inspect/libinspect.a mm/libmm.a x86/libx86.a base/libbase.a
gdbstub_fake = tests/inspect/fake_machine.c tests/inspect/fake_machine.h

if HAVE_CHECK
UNIT_TESTS += %D%/test_packet %D%/test_regs %D%/test_server
%C%_test_packet_SOURCES = %D%/test_packet.c
%C%_test_packet_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_packet_LDADD = gdbstub/libgdbstub.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
%C%_test_regs_SOURCES = %D%/test_regs.c
%C%_test_regs_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_regs_LDADD = gdbstub/libgdbstub.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
%C%_test_server_SOURCES = %D%/test_server.c $(gdbstub_fake)
%C%_test_server_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_server_LDADD = $(gdbstub_below) $(CHECK_LIBS) $(EXT_LIBS)
endif

GDB_TESTS = \
	tests/gdb/demo.sh \
	tests/gdb/control.sh \
	tests/gdb/session.sh \
	tests/gdb/state.sh \
	tests/gdb/realmode.sh \
	tests/gdb/tools.sh \
	tests/gdb/vms.sh \
	tests/gdb/long.sh \
	tests/gdb/wide.sh \
	tests/gdb/conditions.sh
SHELL_TESTS += $(GDB_TESTS)
GUEST_TESTS += tests/gdb/linux.sh tests/gdb/linux64.sh tests/gdb/vmlinux64.sh
# A program for the guest's Linux.
tests/gdb/looper.elf: tests/gdb/looper.c
	$(AM_V_GEN)$(MKDIR_P) tests/gdb && $(GUEST_CC) -m32 -march=i686 -g -O0 -Wall -Wextra -ffreestanding -fno-pic -nostdlib -static \
	-Wl,-m,elf_i386 -Wl,--build-id=none -Wl,-estart -Wl,-Ttext-segment=0x20000000 -o $@ $(top_srcdir)/tests/gdb/looper.c
tests/gdb/looper64.elf: tests/gdb/looper.c
	$(AM_V_GEN)$(MKDIR_P) tests/gdb && $(GUEST_CC) -m64 -g -O0 -Wall -Wextra -ffreestanding -fno-pic -nostdlib -static \
	-Wl,-m,elf_x86_64 -Wl,--build-id=none -Wl,-estart -Wl,-Ttext-segment=0x20000000 -o $@ $(top_srcdir)/tests/gdb/looper.c
# The same, position-independent.
tests/gdb/pie64.elf: tests/gdb/looper.c
	$(AM_V_GEN)$(MKDIR_P) tests/gdb && $(GUEST_CC) -m64 -g -O0 -Wall -Wextra -ffreestanding -fPIE -nostdlib -static-pie \
	-Wl,-m,elf_x86_64 -Wl,--build-id=none -Wl,-estart -o $@ $(top_srcdir)/tests/gdb/looper.c
check_DATA += tests/gdb/looper.elf tests/gdb/looper64.elf tests/gdb/pie64.elf
EXTRA_DIST += tests/gdb/looper.c
check_PROGRAMS += tests/gdb/rsp
tests_gdb_rsp_SOURCES = tests/gdb/rsp.c
tests_gdb_rsp_LDADD = gdbstub/libgdbstub.a base/libbase.a
EXTRA_DIST += tests/gdb/gdblib.sh tests/gdb/rates.sh tests/gdb/rates.py

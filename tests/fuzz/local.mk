# SPDX-License-Identifier: GPL-3.0-or-later
# Fuzz targets: with --enable-fuzzing, libFuzzer programs to run on their corpus; without, programs that
# replay it in `make check`.
fuzz_targets = \
	%D%/fuzz_balloon \
	%D%/fuzz_gdb \
	%D%/fuzz_control \
	%D%/fuzz_devices \
	%D%/fuzz_disks \
	%D%/fuzz_expr \
	%D%/fuzz_host \
	%D%/fuzz_image \
	%D%/fuzz_pci \
	%D%/fuzz_pcnet \
	%D%/fuzz_symbols \
	%D%/fuzz_tc \
	%D%/fuzz_virtio_net \
	%D%/fuzz_vt
check_PROGRAMS += $(fuzz_targets)
if FUZZING
fuzz_main =
fuzz_ldflags = $(AM_LDFLAGS) -fsanitize=fuzzer
else
fuzz_main = %D%/replay.c
fuzz_ldflags = $(AM_LDFLAGS)
SHELL_TESTS += \
	%D%/replay.sh \
	%D%/replay-balloon.sh \
	%D%/replay-control.sh \
	%D%/replay-devices.sh \
	%D%/replay-disks.sh \
	%D%/replay-expr.sh \
	%D%/replay-host.sh \
	%D%/replay-image.sh \
	%D%/replay-pci.sh \
	%D%/replay-pcnet.sh \
	%D%/replay-symbols.sh \
	%D%/replay-tc.sh \
	%D%/replay-virtio-net.sh \
	%D%/replay-vt.sh
endif
fuzz_machine = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a
# (The flags of its own give a target objects of its own: replay.c is built once for each.)
%C%_fuzz_gdb_SOURCES = %D%/fuzz_gdb.c %D%/fuzz.h $(fuzz_main) $(gdbstub_fake)
%C%_fuzz_gdb_CFLAGS = $(AM_CFLAGS)
%C%_fuzz_gdb_LDFLAGS = $(fuzz_ldflags)
%C%_fuzz_gdb_LDADD = $(gdbstub_below) $(EXT_LIBS)
%C%_fuzz_balloon_SOURCES = %D%/fuzz_balloon.c %D%/fuzz.h $(fuzz_main) tests/hv/fake_engine.c tests/hv/fake_engine.h
%C%_fuzz_balloon_CFLAGS = $(AM_CFLAGS)
%C%_fuzz_balloon_LDFLAGS = $(fuzz_ldflags)
%C%_fuzz_balloon_LDADD = $(fuzz_machine) $(EXT_LIBS)
%C%_fuzz_control_SOURCES = %D%/fuzz_control.c %D%/fuzz.h $(fuzz_main) $(gdbstub_fake)
%C%_fuzz_control_CFLAGS = $(AM_CFLAGS)
%C%_fuzz_control_LDFLAGS = $(fuzz_ldflags)
%C%_fuzz_control_LDADD = tui/libtui.a console/libconsole.a inspect/libinspect.a mm/libmm.a x86/libx86.a base/libbase.a $(EXT_LIBS)
%C%_fuzz_devices_SOURCES = %D%/fuzz_devices.c %D%/fuzz.h $(fuzz_main) tests/hv/fake_engine.c tests/hv/fake_engine.h
%C%_fuzz_devices_CFLAGS = $(AM_CFLAGS)
%C%_fuzz_devices_LDFLAGS = $(fuzz_ldflags)
%C%_fuzz_devices_LDADD = $(fuzz_machine) $(EXT_LIBS)
%C%_fuzz_disks_SOURCES = %D%/fuzz_disks.c %D%/fuzz.h $(fuzz_main) tests/hv/fake_engine.c tests/hv/fake_engine.h
%C%_fuzz_disks_CFLAGS = $(AM_CFLAGS)
%C%_fuzz_disks_LDFLAGS = $(fuzz_ldflags)
%C%_fuzz_disks_LDADD = $(fuzz_machine) $(EXT_LIBS)
%C%_fuzz_pci_SOURCES = %D%/fuzz_pci.c %D%/fuzz.h $(fuzz_main) tests/hv/fake_engine.c tests/hv/fake_engine.h
%C%_fuzz_pci_CFLAGS = $(AM_CFLAGS)
%C%_fuzz_pci_LDFLAGS = $(fuzz_ldflags)
%C%_fuzz_pci_LDADD = $(fuzz_machine) $(EXT_LIBS)
%C%_fuzz_expr_SOURCES = %D%/fuzz_expr.c %D%/fuzz.h $(fuzz_main)
%C%_fuzz_expr_CFLAGS = $(AM_CFLAGS)
%C%_fuzz_expr_LDFLAGS = $(fuzz_ldflags)
%C%_fuzz_expr_LDADD = inspect/libinspect.a x86/libx86.a base/libbase.a $(EXT_LIBS)
%C%_fuzz_host_SOURCES = %D%/fuzz_host.c %D%/fuzz.h $(fuzz_main)
%C%_fuzz_host_CFLAGS = $(AM_CFLAGS)
%C%_fuzz_host_LDFLAGS = $(fuzz_ldflags)
%C%_fuzz_host_LDADD = host/libhost.a inspect/libinspect.a $(fuzz_machine) $(EXT_LIBS)
%C%_fuzz_image_SOURCES = %D%/fuzz_image.c %D%/fuzz.h $(fuzz_main)
%C%_fuzz_image_CFLAGS = $(AM_CFLAGS)
%C%_fuzz_image_LDFLAGS = $(fuzz_ldflags)
%C%_fuzz_image_LDADD = $(fuzz_machine) $(EXT_LIBS)
%C%_fuzz_pcnet_SOURCES = %D%/fuzz_pcnet.c %D%/fuzz.h $(fuzz_main) tests/hv/fake_engine.c tests/hv/fake_engine.h
%C%_fuzz_pcnet_CFLAGS = $(AM_CFLAGS)
%C%_fuzz_pcnet_LDFLAGS = $(fuzz_ldflags)
%C%_fuzz_pcnet_LDADD = $(fuzz_machine) $(EXT_LIBS)
%C%_fuzz_symbols_SOURCES = %D%/fuzz_symbols.c %D%/fuzz.h $(fuzz_main)
%C%_fuzz_symbols_CFLAGS = $(AM_CFLAGS)
%C%_fuzz_symbols_LDFLAGS = $(fuzz_ldflags)
%C%_fuzz_symbols_LDADD = inspect/libinspect.a x86/libx86.a base/libbase.a $(EXT_LIBS)
%C%_fuzz_tc_SOURCES = %D%/fuzz_tc.c %D%/fuzz.h $(fuzz_main) tests/bt/oracle.c tests/bt/oracle.h
%C%_fuzz_tc_CFLAGS = $(AM_CFLAGS)
%C%_fuzz_tc_LDFLAGS = $(fuzz_ldflags)
%C%_fuzz_tc_LDADD = bt/libbt.a cpu/libcpu.a mm/libmm.a x86/libx86.a base/libbase.a $(EXT_LIBS)
%C%_fuzz_virtio_net_SOURCES = %D%/fuzz_virtio_net.c %D%/fuzz.h $(fuzz_main) tests/hv/fake_engine.c tests/hv/fake_engine.h
%C%_fuzz_virtio_net_CFLAGS = $(AM_CFLAGS)
%C%_fuzz_virtio_net_LDFLAGS = $(fuzz_ldflags)
%C%_fuzz_virtio_net_LDADD = $(fuzz_machine) $(EXT_LIBS)
%C%_fuzz_vt_SOURCES = %D%/fuzz_vt.c %D%/fuzz.h $(fuzz_main)
%C%_fuzz_vt_CFLAGS = $(AM_CFLAGS)
%C%_fuzz_vt_LDFLAGS = $(fuzz_ldflags)
%C%_fuzz_vt_LDADD = tui/libtui.a base/libbase.a $(EXT_LIBS)
fuzz_corpus = \
	%D%/corpus-balloon/basic \
	%D%/corpus-balloon/batches \
	%D%/corpus-balloon/large-popped \
	%D%/corpus-balloon/lists \
	%D%/corpus-balloon/mixed \
	%D%/corpus-balloon/stats-reports \
	%D%/corpus-gdb/opening \
	%D%/corpus-gdb/points \
	%D%/corpus-gdb/memory \
	%D%/corpus-gdb/raw \
	%D%/corpus-gdb/register-number \
	%D%/corpus-disks/dma \
	%D%/corpus-disks/floppy \
	%D%/corpus-disks/identify \
	%D%/corpus-disks/packets \
	%D%/corpus-disks/pio \
	%D%/corpus-disks/resets \
	%D%/corpus-pci/registers \
	%D%/corpus-pci/requests \
	%D%/corpus-pci/rings \
	%D%/corpus-control/broken \
	%D%/corpus-control/commands \
	%D%/corpus-control/dashboard \
	%D%/corpus-control/dashboard-keys \
	%D%/corpus-control/memory \
	%D%/corpus-control/others \
	%D%/corpus-pcnet/style-0 \
	%D%/corpus-pcnet/style-1 \
	%D%/corpus-pcnet/style-2 \
	%D%/corpus-pcnet/style-3 \
	%D%/corpus-devices/fwcfg-disk \
	%D%/corpus-devices/pci-pm \
	%D%/corpus-devices/pic-pit \
	%D%/corpus-devices/rtc-keyboard \
	%D%/corpus-devices/uart \
	%D%/corpus-devices/vga \
	%D%/corpus-expr/arithmetic \
	%D%/corpus-expr/control-characters \
	%D%/corpus-expr/logic \
	%D%/corpus-expr/memory \
	%D%/corpus-expr/names \
	%D%/corpus-expr/nested \
	%D%/corpus-expr/wrong \
	%D%/corpus-host/completion \
	%D%/corpus-host/lies \
	%D%/corpus-host/lives \
	%D%/corpus-host/nonsense \
	%D%/corpus-host/several \
	%D%/corpus-host/turns \
	%D%/corpus-image/disk \
	%D%/corpus-image/elf64 \
	%D%/corpus-image/embedded \
	%D%/corpus-image/firmware \
	%D%/corpus-image/flat \
	%D%/corpus-image/linux \
	%D%/corpus-image/module \
	%D%/corpus-image/multiboot-address \
	%D%/corpus-image/multiboot-elf \
	%D%/corpus-symbols/debug-object \
	%D%/corpus-symbols/frames \
	%D%/corpus-symbols/map \
	%D%/corpus-symbols/wrong \
	%D%/corpus-tc/count-return \
	%D%/corpus-tc/device \
	%D%/corpus-tc/kills \
	%D%/corpus-tc/long-101 \
	%D%/corpus-tc/long-1363 \
	%D%/corpus-tc/long-1621 \
	%D%/corpus-tc/long-1764 \
	%D%/corpus-tc/long-2743 \
	%D%/corpus-tc/long-4413 \
	%D%/corpus-tc/long-5082 \
	%D%/corpus-tc/long-no-base \
	%D%/corpus-tc/long-rcl \
	%D%/corpus-tc/long-div-byte \
	%D%/corpus-tc/long-prechecked-short \
	%D%/corpus-tc/mixed \
	%D%/corpus-tc/nop-alignment \
	%D%/corpus-tc/prechecked \
	%D%/corpus-tc/real16 \
	%D%/corpus-tc/stack \
	%D%/corpus-tc/system \
	%D%/corpus-tc/v86 \
	%D%/corpus-tc/xgetbv \
	%D%/corpus-virtio-net/arrivals \
	%D%/corpus-virtio-net/features \
	%D%/corpus-virtio-net/indirect \
	%D%/corpus-virtio-net/legacy \
	%D%/corpus-virtio-net/races \
	%D%/corpus-vt/color \
	%D%/corpus-vt/cursor \
	%D%/corpus-vt/edit \
	%D%/corpus-vt/region \
	%D%/corpus-vt/text
EXTRA_DIST += %D%/replay.c $(fuzz_corpus) \
	%D%/replay.sh \
	%D%/replay-balloon.sh \
	%D%/replay-control.sh \
	%D%/replay-devices.sh \
	%D%/replay-disks.sh \
	%D%/replay-expr.sh \
	%D%/replay-host.sh \
	%D%/replay-image.sh \
	%D%/replay-pci.sh \
	%D%/replay-pcnet.sh \
	%D%/replay-symbols.sh \
	%D%/replay-tc.sh \
	%D%/replay-virtio-net.sh \
	%D%/replay-vt.sh

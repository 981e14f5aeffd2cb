# SPDX-License-Identifier: GPL-3.0-or-later
# Unit tests (Check programs speaking TAP) mirror the tree: tests/<module>/test_*.c links
# with <module> and what lies below it. Shell tests speak TAP too.
TEST_EXTENSIONS = .sh
# (Each test's duration goes to tests/times.)
TAP_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/%D%/timed.sh $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
CLEANFILES += %D%/times
LOG_DRIVER = $(TAP_DRIVER)
AM_LOG_DRIVER_FLAGS = --comments --ignore-exit
SH_LOG_DRIVER = $(TAP_DRIVER)
SH_LOG_COMPILER = $(SHELL)
AM_SH_LOG_DRIVER_FLAGS = --comments
# (Check's own limit for a test is four seconds.)
AM_TESTS_ENVIRONMENT = CK_TAP_LOG_FILE_NAME=- CK_VERBOSITY=silent CK_DEFAULT_TIMEOUT=120 \
	TOP_SRCDIR='$(abs_top_srcdir)' TOP_BUILDDIR='$(abs_top_builddir)' VITRINE='$(abs_top_builddir)/vitrine'; \
	export CK_TAP_LOG_FILE_NAME CK_VERBOSITY CK_DEFAULT_TIMEOUT TOP_SRCDIR TOP_BUILDDIR VITRINE;

# The engine handles the signals. No test expects status 99, and reports go to files, as some tests read
# neither the standard error nor the status of a process.
if SANITIZERS
SANITIZER_REPORTS = sanitizer-report
SANITIZER_OPTIONS = exitcode=99:log_path=$(abs_top_builddir)/$(SANITIZER_REPORTS)
AM_TESTS_ENVIRONMENT += \
	ASAN_OPTIONS="allow_user_segv_handler=1:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:use_sigaltstack=0:detect_stack_use_after_return=0:$(SANITIZER_OPTIONS):$$ASAN_OPTIONS"; \
	UBSAN_OPTIONS="print_stacktrace=1:$(SANITIZER_OPTIONS):$$UBSAN_OPTIONS"; export ASAN_OPTIONS UBSAN_OPTIONS;
CLEANFILES += $(SANITIZER_REPORTS).*
check-local: check-TESTS
	@set -- $(SANITIZER_REPORTS).*; if [ -e "$$1" ]; then \
		head -n 20 "$$@"; echo "reports of sanitizers: $$*; they count until they are removed"; exit 1; fi
endif

SHELL_TESTS = \
	%D%/format.sh \
	%D%/layers.sh \
	%D%/gpr_only.sh \
	%D%/console/control.sh \
	%D%/host/agree.sh \
	%D%/host/host.sh \
	%D%/host/steer.sh \
	%D%/console/output.sh \
	%D%/console/faces.sh \
	%D%/console/long.sh \
	%D%/install.sh \
	%D%/console/manual.sh \
	%D%/console/points.sh \
	%D%/console/sandbox.sh \
	%D%/console/script.sh \
	%D%/console/shutdown.sh \
	%D%/console/sockets.sh \
	%D%/console/peers.sh \
	%D%/console/ports.sh \
	%D%/console/source.sh \
	%D%/console/steps.sh \
	%D%/console/time.sh \
	%D%/console/views.sh \
	%D%/console/watch.sh \
	%D%/conform/device.sh \
	%D%/conform/divide.sh \
	%D%/conform/precheck.sh \
	%D%/conform/soft.sh \
	%D%/long/kernel.sh \
	%D%/long/modes.sh \
	%D%/long/native.sh \
	%D%/mm/block_threads.sh \
	%D%/guests/badimages.sh \
	%D%/guests/bootsector.sh \
	%D%/guests/screen.sh \
	%D%/guests/demo.sh \
	%D%/guests/demo64.sh \
	%D%/guests/hostile.sh \
	%D%/guests/hostile64.sh \
	%D%/guests/moves64.sh \
	%D%/guests/hyper.sh \
	%D%/guests/hyper64.sh \
	%D%/guests/vmx_views.sh \
	%D%/guests/svm_views.sh \
	%D%/guests/avx512.sh \
	%D%/guests/isa.sh \
	%D%/guests/vmx.sh \
	%D%/guests/kvm.sh \
	%D%/guests/vtx.sh \
	%D%/guests/nano.sh \
	%D%/guests/nano64.sh \
	%D%/guests/steer.sh \
	%D%/guests/same.sh \
	%D%/guests/state.sh \
	%D%/guests/stress.sh \
	%D%/guests/stress64.sh \
	%D%/tui/reading.sh \
	%D%/tui/screens.sh \
	%D%/tui/vms.sh \
	%D%/tui/agree.sh \
	%D%/tui/colors.sh \
	%D%/tui/picture.sh \
	%D%/tui/fuzz.sh \
	%D%/tui/keys.sh \
	%D%/tui/actions.sh \
	%D%/tui/long.sh

# Real guests, from packages that guests/fetch fetched: `make check-guests`.
GUEST_TESTS = \
	%D%/guests/apic.sh \
	%D%/guests/examples.sh \
	%D%/guests/firmware.sh \
	%D%/guests/installer.sh \
	%D%/guests/installer64.sh \
	%D%/guests/iso.sh \
	%D%/guests/linux-686-pae.sh \
	%D%/guests/linux-686.sh \
	%D%/guests/linux-amd64.sh \
	%D%/guests/linux-cloud-amd64.sh \
	%D%/guests/linux_core.sh \
	%D%/guests/linux_inside.sh \
	%D%/guests/maps.sh \
	%D%/guests/memtest.sh \
	%D%/guests/memtest64.sh \
	%D%/guests/nested.sh \
	%D%/guests/nested64.sh \
	%D%/guests/qemu64.sh \
	%D%/guests/xen.sh \
	%D%/guests/network.sh \
	%D%/guests/disks.sh \
	%D%/guests/others.sh \
	%D%/guests/pci.sh \
	%D%/guests/rootfs.sh \
	%D%/guests/rootfs-amd64.sh \
	%D%/guests/systemd.sh \
	%D%/guests/programs.sh \
	%D%/guests/steps.sh \
	%D%/guests/balloon.sh \
	%D%/guests/small.sh \
	%D%/guests/swap.sh \
	%D%/guests/traps.sh \
	%D%/console/linux.sh \
	%D%/console/programs.sh \
	%D%/console/tutorial.sh \
	%D%/tui/linux.sh

UNIT_TESTS =
TESTS = $(UNIT_TESTS) $(SHELL_TESTS)
EXTRA_DIST += \
	$(SHELL_TESTS) \
	$(GUEST_TESTS) \
	%D%/guests/guestlib.sh \
	%D%/guests/wide/wide.c \
	%D%/guests/linuxlib.sh \
	%D%/console/tutorial.py \
	%D%/guests/maps.py \
	%D%/guests/stress.py \
	%D%/guests/stresslib.sh \
	%D%/suite.h \
	%D%/taplib.sh \
	%D%/timed.sh \
	%D%/tui/colors.py \
	%D%/tui/fuzz.py \
	%D%/host/steer.py \
	%D%/tui/tables.py \
	%D%/tui/tuilib.sh

check-guests: all
	$(MAKE) $(AM_MAKEFLAGS) check TESTS="$(GUEST_TESTS)"
# The tests that continuous integration runs under clang and under sanitizers: what depends on how the program
# was built. Faces and third-party guests are gcc's; so are, under sanitizers, guests that run whole, several
# times (WHOLE_GUESTS: minutes there). LONG=1 has them, too.
BUILD_TESTS = $(UNIT_TESTS) %D%/gpr_only.sh %D%/long/native.sh %D%/conform/device.sh %D%/conform/divide.sh %D%/conform/precheck.sh \
	%D%/guests/demo.sh %D%/guests/bootsector.sh \
	%D%/guests/demo64.sh \
	%D%/fuzz/replay-control.sh %D%/fuzz/replay-devices.sh %D%/fuzz/replay-disks.sh %D%/fuzz/replay-expr.sh %D%/fuzz/replay-image.sh \
	%D%/fuzz/replay-pci.sh %D%/fuzz/replay-pcnet.sh %D%/fuzz/replay-symbols.sh %D%/fuzz/replay-tc.sh %D%/fuzz/replay-virtio-net.sh \
	%D%/fuzz/replay-vt.sh %D%/fuzz/replay.sh
WHOLE_GUESTS = %D%/bt/test_two_machines %D%/mm/test_guest_moves %D%/mm/test_guest_moves_out
# Those that take longest, by their times on an idle machine: ./check begins with them, or one runs at the end while
# the other processor idles.
LONGEST_TESTS = %D%/mm/test_window %D%/guests/network.sh %D%/guests/hostile.sh %D%/guests/memtest.sh %D%/guests/stress.sh \
	%D%/guests/rootfs.sh %D%/bt/test_two_machines %D%/mm/test_guest_moves %D%/mm/test_guest_moves_out %D%/conform/soft.sh \
	%D%/guests/disks.sh %D%/guests/apic.sh %D%/guests/state.sh %D%/hv/test_state %D%/guests/same.sh %D%/guests/others.sh \
	%D%/guests/swap.sh %D%/gdb/linux.sh %D%/bt/test_adapt %D%/format.sh %D%/conform/precheck.sh %D%/hv/test_block
print_tests = for t in $(LONGEST_TESTS); do case " $$tests " in *" $$t "*) printf "%s " $$t ;; esac; done; \
	for t in $$tests; do case " $(LONGEST_TESTS) " in *" $$t "*) ;; *) printf "%s " $$t ;; esac; done
gcc-tests:
	@tests="$(UNIT_TESTS) $(SHELL_TESTS) $(GUEST_TESTS)"; $(print_tests)
clang-tests:
	@tests="$(BUILD_TESTS) %D%/conform/soft.sh %D%/guests/isa.sh %D%/guests/hostile.sh %D%/gdb/demo.sh %D%/tui/screens.sh"; \
	$(print_tests)
sanitizer-tests:
	@tests=; for t in $(BUILD_TESTS); do \
		case "$$LONG  $(WHOLE_GUESTS) " in " "*" $$t "*) ;; *) tests="$$tests $$t" ;; esac; \
	done; $(print_tests)
.PHONY: check-guests gcc-tests clang-tests sanitizer-tests

if HAVE_CHECK
UNIT_TESTS += %D%/base/test_loop
%C%_base_test_loop_SOURCES = %D%/base/test_loop.c
%C%_base_test_loop_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_base_test_loop_LDADD = base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/base/test_sandbox
%C%_base_test_sandbox_SOURCES = %D%/base/test_sandbox.c
%C%_base_test_sandbox_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_base_test_sandbox_LDADD = base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/base/test_unix_socket
%C%_base_test_unix_socket_SOURCES = %D%/base/test_unix_socket.c
%C%_base_test_unix_socket_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_base_test_unix_socket_LDADD = base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/cpu/test_system
%C%_cpu_test_system_SOURCES = %D%/cpu/test_system.c %D%/cpu/fake_mmu.c %D%/cpu/fake_mmu.h
%C%_cpu_test_system_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
# The semantics alone, over a fake memory: without mm.
%C%_cpu_test_system_LDADD = cpu/libcpu.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/cpu/test_long
%C%_cpu_test_long_SOURCES = %D%/cpu/test_long.c %D%/cpu/fake_mmu.c %D%/cpu/fake_mmu.h
%C%_cpu_test_long_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_cpu_test_long_LDADD = cpu/libcpu.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/bt/test_verify_long
%C%_bt_test_verify_long_SOURCES = %D%/bt/test_verify_long.c %D%/bt/verify_long.def
%C%_bt_test_verify_long_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_bt_test_verify_long_LDADD = bt/libbt.a cpu/libcpu.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/bt/test_verify
%C%_bt_test_verify_SOURCES = %D%/bt/test_verify.c
%C%_bt_test_verify_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_bt_test_verify_LDADD = bt/libbt.a cpu/libcpu.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/bt/test_refused
%C%_bt_test_refused_SOURCES = %D%/bt/test_refused.c
%C%_bt_test_refused_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_bt_test_refused_LDADD = bt/libbt.a cpu/libcpu.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/bt/test_long_forms
%C%_bt_test_long_forms_SOURCES = %D%/bt/test_long_forms.c %D%/bt/long_forms.def
%C%_bt_test_long_forms_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) -mfsgsbase
%C%_bt_test_long_forms_LDADD = bt/libbt.a cpu/libcpu.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/bt/test_emitted
%C%_bt_test_emitted_SOURCES = %D%/bt/test_emitted.c %D%/bt/emitted.c %D%/bt/emitted.h %D%/bt/emitted.def \
	%D%/bt/oracle.c %D%/bt/oracle.h
%C%_bt_test_emitted_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_bt_test_emitted_LDADD = bt/libbt.a cpu/libcpu.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
# Where the host code of 32-bit guests was meant to change.
update-emitted: %D%/bt/test_emitted
	%D%/bt/test_emitted --print >emitted.new && mv emitted.new $(srcdir)/%D%/bt/emitted.def
UNIT_TESTS += %D%/bt/test_fatal
%C%_bt_test_fatal_SOURCES = %D%/bt/test_fatal.c
%C%_bt_test_fatal_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_bt_test_fatal_LDADD = bt/libbt.a cpu/libcpu.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/bt/test_x87
%C%_bt_test_x87_SOURCES = %D%/bt/test_x87.c
%C%_bt_test_x87_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_bt_test_x87_LDADD = bt/libbt.a cpu/libcpu.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/bt/test_sweep
%C%_bt_test_sweep_SOURCES = %D%/bt/test_sweep.c %D%/bt/oracle.c %D%/bt/oracle.h
%C%_bt_test_sweep_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_bt_test_sweep_LDADD = bt/libbt.a cpu/libcpu.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/hv/test_block
%C%_hv_test_block_SOURCES = %D%/hv/test_block.c
%C%_hv_test_block_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_block_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/hv/test_fdc
%C%_hv_test_fdc_SOURCES = %D%/hv/test_fdc.c %D%/hv/fake_engine.c %D%/hv/fake_engine.h
%C%_hv_test_fdc_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_fdc_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/hv/test_ide
%C%_hv_test_ide_SOURCES = %D%/hv/test_ide.c %D%/hv/fake_engine.c %D%/hv/fake_engine.h
%C%_hv_test_ide_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_ide_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/hv/test_bus
%C%_hv_test_bus_SOURCES = %D%/hv/test_bus.c
%C%_hv_test_bus_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_bus_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/bt/test_cache
%C%_bt_test_cache_SOURCES = %D%/bt/test_cache.c %D%/bt/rig.c %D%/bt/rig.h
%C%_bt_test_cache_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_bt_test_cache_LDADD = bt/libbt.a cpu/libcpu.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/bt/test_chain
%C%_bt_test_chain_SOURCES = %D%/bt/test_chain.c %D%/bt/rig.c %D%/bt/rig.h
%C%_bt_test_chain_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_bt_test_chain_LDADD = bt/libbt.a cpu/libcpu.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/bt/test_adapt
%C%_bt_test_adapt_SOURCES = %D%/bt/test_adapt.c %D%/bt/rig.c %D%/bt/rig.h
%C%_bt_test_adapt_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_bt_test_adapt_LDADD = bt/libbt.a cpu/libcpu.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/bt/test_policy
%C%_bt_test_policy_SOURCES = %D%/bt/test_policy.c %D%/bt/rig.c %D%/bt/rig.h
%C%_bt_test_policy_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_bt_test_policy_LDADD = bt/libbt.a cpu/libcpu.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/bt/test_two_machines
%C%_bt_test_two_machines_SOURCES = %D%/bt/test_two_machines.c
%C%_bt_test_two_machines_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_bt_test_two_machines_LDADD = guests/libguests.a hv/libhv.a bt/libbt.a cpu/libcpu.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/hv/test_door
%C%_hv_test_door_SOURCES = %D%/hv/test_door.c
%C%_hv_test_door_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_door_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/hv/test_net
%C%_hv_test_net_SOURCES = %D%/hv/test_net.c
%C%_hv_test_net_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_net_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/hv/test_pcnet
%C%_hv_test_pcnet_SOURCES = %D%/hv/test_pcnet.c %D%/hv/fake_engine.c %D%/hv/fake_engine.h
%C%_hv_test_pcnet_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_pcnet_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/hv/test_virtio_net
%C%_hv_test_virtio_net_SOURCES = %D%/hv/test_virtio_net.c %D%/hv/fake_engine.c %D%/hv/fake_engine.h
%C%_hv_test_virtio_net_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_virtio_net_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/hv/test_devices
%C%_hv_test_devices_SOURCES = %D%/hv/test_devices.c %D%/hv/fake_engine.c %D%/hv/fake_engine.h
%C%_hv_test_devices_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_devices_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/hv/test_pci
%C%_hv_test_pci_SOURCES = %D%/hv/test_pci.c %D%/hv/fake_engine.c %D%/hv/fake_engine.h
%C%_hv_test_pci_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_pci_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/hv/test_lapic
%C%_hv_test_lapic_SOURCES = %D%/hv/test_lapic.c %D%/hv/apic_rig.h %D%/hv/fake_engine.c %D%/hv/fake_engine.h
%C%_hv_test_lapic_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_lapic_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/hv/test_ioapic
%C%_hv_test_ioapic_SOURCES = %D%/hv/test_ioapic.c %D%/hv/apic_rig.h %D%/hv/fake_engine.c %D%/hv/fake_engine.h
%C%_hv_test_ioapic_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_ioapic_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/hv/test_memory
%C%_hv_test_memory_SOURCES = %D%/hv/test_memory.c %D%/hv/fake_engine.c %D%/hv/fake_engine.h
%C%_hv_test_memory_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_memory_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/hv/test_alarm
%C%_hv_test_alarm_SOURCES = %D%/hv/test_alarm.c
%C%_hv_test_alarm_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_alarm_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)

UNIT_TESTS += %D%/hv/test_hpet
%C%_hv_test_hpet_SOURCES = %D%/hv/test_hpet.c %D%/hv/apic_rig.h %D%/hv/fake_engine.c %D%/hv/fake_engine.h
%C%_hv_test_hpet_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_hpet_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/hv/test_vga
%C%_hv_test_vga_SOURCES = %D%/hv/test_vga.c %D%/hv/fake_engine.c %D%/hv/fake_engine.h
%C%_hv_test_vga_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_vga_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/hv/test_balloon
%C%_hv_test_balloon_SOURCES = %D%/hv/test_balloon.c %D%/hv/fake_engine.c %D%/hv/fake_engine.h
%C%_hv_test_balloon_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_balloon_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/hv/test_virtio_rng
%C%_hv_test_virtio_rng_SOURCES = %D%/hv/test_virtio_rng.c %D%/hv/virtio_rig.h %D%/hv/fake_engine.c %D%/hv/fake_engine.h
%C%_hv_test_virtio_rng_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_virtio_rng_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/hv/test_virtio_console
%C%_hv_test_virtio_console_SOURCES = %D%/hv/test_virtio_console.c %D%/hv/virtio_rig.h %D%/hv/fake_engine.c %D%/hv/fake_engine.h
%C%_hv_test_virtio_console_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_virtio_console_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/hv/test_mouse
%C%_hv_test_mouse_SOURCES = %D%/hv/test_mouse.c %D%/hv/fake_engine.c %D%/hv/fake_engine.h
%C%_hv_test_mouse_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_mouse_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/hv/test_virtio_balloon
%C%_hv_test_virtio_balloon_SOURCES = %D%/hv/test_virtio_balloon.c %D%/hv/fake_engine.c %D%/hv/fake_engine.h
%C%_hv_test_virtio_balloon_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_virtio_balloon_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/hv/test_virtio
%C%_hv_test_virtio_SOURCES = %D%/hv/test_virtio.c %D%/hv/fake_engine.c %D%/hv/fake_engine.h
%C%_hv_test_virtio_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_virtio_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/hv/test_state
%C%_hv_test_state_SOURCES = %D%/hv/test_state.c %D%/hv/fake_engine.c %D%/hv/fake_engine.h
%C%_hv_test_state_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_state_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/hv/test_images
%C%_hv_test_images_SOURCES = %D%/hv/test_images.c %D%/hv/fake_engine.c %D%/hv/fake_engine.h
%C%_hv_test_images_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_images_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
UNIT_TESTS += %D%/hv/test_kernels
%C%_hv_test_kernels_SOURCES = %D%/hv/test_kernels.c %D%/hv/fake_engine.c %D%/hv/fake_engine.h
%C%_hv_test_kernels_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_hv_test_kernels_LDADD = hv/libhv.a mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
endif

# Instructions under the engine against the host CPU; see tests/conform/main.c.
UNIT_TESTS += %D%/conform/conform
%C%_conform_conform_SOURCES = \
	%D%/conform/address.c \
	%D%/conform/conform.h \
	%D%/conform/encode.c \
	%D%/conform/engine.c \
	%D%/conform/forms.def \
	%D%/conform/forms512.def \
	%D%/conform/wide.c \
	%D%/conform/gen.c \
	%D%/conform/gen.h \
	%D%/conform/layout.c \
	%D%/conform/main.c \
	%D%/conform/native.c \
	%D%/conform/rows.h \
	%D%/conform/seq.c \
	%D%/conform/setup.c
# (Its signal handler begins with the alignment check on: zeroed variables would fault.)
%C%_conform_conform_CFLAGS = $(AM_CFLAGS) $(NO_AUTO_INIT)
%C%_conform_conform_LDADD = hv/libhv.a bt/libbt.a cpu/libcpu.a mm/libmm.a x86/libx86.a base/libbase.a $(EXT_LIBS)

# The same for 64-bit code; see tests/long/long.h.
UNIT_TESTS += %D%/long/conform64
%C%_long_conform64_SOURCES = \
	%D%/conform/forms.def \
	%D%/conform/forms512.def \
	%D%/conform/wide.c \
	%D%/conform/rows.h \
	%D%/long/encode.c \
	%D%/long/engine.c \
	%D%/long/gen.c \
	%D%/long/gen.h \
	%D%/long/long.h \
	%D%/long/main.c \
	%D%/long/native.c \
	%D%/long/operand.c \
	%D%/long/seq.c \
	%D%/long/setup.c
%C%_long_conform64_CFLAGS = $(AM_CFLAGS) $(NO_AUTO_INIT)
%C%_long_conform64_LDADD = hv/libhv.a bt/libbt.a cpu/libcpu.a mm/libmm.a x86/libx86.a base/libbase.a $(EXT_LIBS)

# What 64-bit code can reach, with the same cases; see tests/long/canary.c.
UNIT_TESTS += %D%/long/canary64
%C%_long_canary64_SOURCES = \
	%D%/conform/forms.def \
	%D%/conform/forms512.def \
	%D%/conform/wide.c \
	%D%/conform/rows.h \
	%D%/long/canary.c \
	%D%/long/encode.c \
	%D%/long/engine.c \
	%D%/long/gen.c \
	%D%/long/gen.h \
	%D%/long/long.h \
	%D%/long/operand.c \
	%D%/long/seq.c \
	%D%/long/setup.c
%C%_long_canary64_CFLAGS = $(AM_CFLAGS) $(NO_AUTO_INIT)
%C%_long_canary64_LDADD = hv/libhv.a bt/libbt.a cpu/libcpu.a mm/libmm.a x86/libx86.a base/libbase.a $(EXT_LIBS)

# The hostile guest and a boot sector: freestanding, with the embedded guest's flags.
hostile_sources = %D%/guests/hostile/entry.S %D%/guests/hostile/main.c %D%/guests/hostile/lib.c \
	%D%/guests/hostile/wild.c %D%/guests/hostile/device.c %D%/guests/hostile/paging.c \
	%D%/guests/hostile/insn.c %D%/guests/hostile/system.c
hostile_extra = %D%/guests/hostile/hostile.h %D%/guests/hostile/hostile.lds %D%/guests/hostile/likely.h
%D%/guests/hostile.elf: $(hostile_sources) $(hostile_extra)
	$(AM_V_GEN)$(MKDIR_P) %D%/guests && out=`pwd`/%D%/guests && cd $(top_srcdir) && \
	$(DEMO_COMPILE) $(DEMO_LINK) -Wl,-T,%D%/guests/hostile/hostile.lds -o $$out/hostile.elf $(hostile_sources)
# For breakpoints, watchpoints and unwinding: no frame pointers, and no debug data but .eh_frame.
points_sources = %D%/guests/points/points.S %D%/guests/points/unwind.c
points_extra = %D%/guests/points/points.lds
%D%/guests/points.elf: $(points_sources) $(points_extra)
	$(AM_V_GEN)$(MKDIR_P) %D%/guests && out=`pwd`/%D%/guests && cd $(top_srcdir) && \
	$(DEMO_COMPILE) -g0 -fomit-frame-pointer -fasynchronous-unwind-tables $(DEMO_LINK) \
	-Wl,-T,%D%/guests/points/points.lds -o $$out/points.elf $(points_sources)
# Instructions that a processor may lack.
isa_sources = %D%/guests/isa/isa.S
isa_extra = %D%/guests/isa/isa.lds
%D%/guests/isa.elf: $(isa_sources) $(isa_extra)
	$(AM_V_GEN)$(MKDIR_P) %D%/guests && out=`pwd`/%D%/guests && cd $(top_srcdir) && \
	$(DEMO_COMPILE) $(DEMO_LINK) -Wl,-T,%D%/guests/isa/isa.lds -o $$out/isa.elf $(isa_sources)
# The smallest hypervisor.
vmx_sources = %D%/guests/vmx/entry.S %D%/guests/vmx/main.c
vmx_extra = %D%/guests/vmx/vmx.lds
%D%/guests/vmx.elf: $(vmx_sources) $(vmx_extra)
	$(AM_V_GEN)$(MKDIR_P) %D%/guests && out=`pwd`/%D%/guests && cd $(top_srcdir) && \
	$(DEMO_COMPILE) $(DEMO_LINK) -Wl,-T,%D%/guests/vmx/vmx.lds -o $$out/vmx.elf $(vmx_sources)
# A Linux program without a C library: debug traps, to compare with the host's.
steps_sources = %D%/guests/steps/steps.c %D%/guests/steps/traps.S
steps_extra = %D%/guests/steps/pieces.def
%D%/guests/steps.elf: $(steps_sources) $(steps_extra)
	$(AM_V_GEN)$(MKDIR_P) %D%/guests && out=`pwd`/%D%/guests && cd $(top_srcdir) && \
	$(DEMO_COMPILE) -g0 -mincoming-stack-boundary=2 -nostdlib -static -Wl,-m,elf_i386 -Wl,--build-id=none \
	-o $$out/steps.elf $(steps_sources)
# The same in 64-bit mode, over the 64-bit demo guest's kernel.
hostile64_sources = guests/demo64/boot.S guests/demo64/entry.S guests/demo64/lib.c guests/demo64/cpu.c guests/demo64/paging.c \
	%D%/guests/hostile64/enter.S %D%/guests/hostile64/main.c
%D%/guests/hostile64.elf: $(hostile64_sources) %D%/guests/hostile/likely.h guests/demo64/kernel.h guests/demo64/demo64.lds
	$(AM_V_GEN)$(MKDIR_P) %D%/guests && out=`pwd`/%D%/guests && cd $(top_srcdir) && \
	$(DEMO64_COMPILE) $(DEMO64_LINK) -Wl,-T,guests/demo64/demo64.lds -o $$out/hostile64.elf $(hostile64_sources)

%D%/guests/bootsector.bin: %D%/guests/hostile/bootsector.S
	$(AM_V_GEN)$(MKDIR_P) %D%/guests && $(GUEST_CC) -m32 -nostdlib -static -Wl,-m,elf_i386 -Wl,--build-id=none \
	-Wl,--no-warn-rwx-segments -Wl,-Ttext=0x7c00 -Wl,--oformat=binary -o $@ $(top_srcdir)/%D%/guests/hostile/bootsector.S
%D%/guests/modes.bin: %D%/guests/screen/modes.S
	$(AM_V_GEN)$(MKDIR_P) %D%/guests && $(GUEST_CC) -m32 -nostdlib -static -Wl,-m,elf_i386 -Wl,--build-id=none \
	-Wl,--no-warn-rwx-segments -Wl,-Ttext=0x7c00 -Wl,--oformat=binary -o $@ $(top_srcdir)/%D%/guests/screen/modes.S
check_DATA = %D%/guests/hostile.elf %D%/guests/hostile64.elf %D%/guests/points.elf %D%/guests/isa.elf %D%/guests/steps.elf \
	%D%/guests/vmx.elf %D%/guests/bootsector.bin %D%/guests/modes.bin guests/hyper/hyper.elf guests/hyper64/hyper64.elf guests/kvm/kvm guests/stress64/stress64.elf
CLEANFILES += $(check_DATA)
EXTRA_DIST += $(hostile_sources) $(hostile_extra) %D%/guests/hostile64/enter.S %D%/guests/hostile64/main.c $(points_sources) $(points_extra) \
	$(isa_sources) $(isa_extra) $(vmx_sources) $(vmx_extra) $(steps_sources) $(steps_extra) %D%/guests/hostile/bootsector.S \
	%D%/guests/screen/modes.S %D%/guests/screen/picture.py

include tests/x86/local.mk
include tests/gdbstub/local.mk
include tests/attack/local.mk
include tests/fuzz/local.mk
include tests/engine/local.mk
include tests/inspect/local.mk
include tests/mm/local.mk
include %D%/vtx/local.mk
include %D%/svm/local.mk
include %D%/kvm/local.mk
include tests/console/local.mk
include tests/host/local.mk
include tests/tui/local.mk

check_PROGRAMS += $(UNIT_TESTS)

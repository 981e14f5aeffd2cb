# SPDX-License-Identifier: GPL-3.0-or-later
# The embedded guests: freestanding code, with flags and rules of their own
# and leave CFLAGS alone. The .elf files keep their debug data for debuggers; libguests.a
# holds them without it, except for unwind tables, as demo_kernel[] and so on (guests/embedded.h).
GUEST_FLAGS = -std=gnu17 -O2 -g -Wall -Wextra -ffreestanding -fno-pic -fno-pie \
	-mno-sse -mno-mmx -mno-80387 -fno-stack-protector -fno-asynchronous-unwind-tables \
	-fno-strict-aliasing -fcf-protection=none $(GUEST_NO_LOOP_CALLS)
DEMO_FLAGS = -m32 -march=i686 $(GUEST_FLAGS)
DEMO_LINK = -nostdlib -static -Wl,-m,elf_i386 -Wl,--build-id=none -Wl,--no-warn-rwx-segments
DEMO_COMPILE = $(GUEST_CC) $(DEMO_FLAGS) -I.

demo_sources = %D%/demo/boot.S %D%/demo/entry.S %D%/demo/steps.S %D%/demo/main.c %D%/demo/lib.c %D%/demo/cpu.c \
	%D%/demo/paging.c %D%/demo/task.c %D%/demo/check_cpu.c %D%/demo/check_debug.c %D%/demo/check_mem.c \
	%D%/demo/check_apic.c %D%/demo/balloon.c
demo_extra = %D%/demo/user.c %D%/demo/kernel.h %D%/demo/demo.lds

%D%/demo/demo.elf: $(demo_sources) $(demo_extra)
	$(AM_V_GEN)$(MKDIR_P) %D%/demo && out=`pwd`/%D%/demo && cd $(top_srcdir) && \
	$(DEMO_COMPILE) -c -o $$out/user.o %D%/demo/user.c && \
	$(DEMO_COMPILE) $(DEMO_LINK) -Wl,-T,%D%/demo/demo.lds -o $$out/demo.elf $(demo_sources) $$out/user.o

%D%/demo/demo.bin: %D%/demo/demo.elf
	$(AM_V_GEN)$(OBJCOPY) --strip-debug --keep-section=.debug_frame %D%/demo/demo.elf $@

# demo64: the same for 64-bit mode.
DEMO64_FLAGS = -m64 -march=x86-64 -mno-red-zone -mcmodel=kernel $(GUEST_FLAGS)
DEMO64_LINK = -nostdlib -static -Wl,--build-id=none -Wl,--no-warn-rwx-segments -Wl,-z,max-page-size=4096
DEMO64_COMPILE = $(GUEST_CC) $(DEMO64_FLAGS) -I.

demo64_sources = %D%/demo64/boot.S %D%/demo64/entry.S %D%/demo64/main.c %D%/demo64/lib.c %D%/demo64/cpu.c \
	%D%/demo64/paging.c %D%/demo64/check_insn.c %D%/demo64/check_trap.c %D%/demo64/check_page.c %D%/demo64/check_user.c
demo64_extra = %D%/demo64/user.S %D%/demo64/kernel.h %D%/demo64/demo64.lds

%D%/demo64/demo64.elf: $(demo64_sources) $(demo64_extra)
	$(AM_V_GEN)$(MKDIR_P) %D%/demo64 && out=`pwd`/%D%/demo64 && cd $(top_srcdir) && \
	$(DEMO64_COMPILE) -c -o $$out/user.o %D%/demo64/user.S && \
	$(DEMO64_COMPILE) $(DEMO64_LINK) -Wl,-T,%D%/demo64/demo64.lds -o $$out/demo64.elf $(demo64_sources) $$out/user.o

%D%/demo64/demo64.bin: %D%/demo64/demo64.elf
	$(AM_V_GEN)$(OBJCOPY) --strip-debug --keep-section=.debug_frame %D%/demo64/demo64.elf $@

# bench-nano: built mostly from the demo's files.
nano_sources = %D%/demo/boot.S %D%/demo/entry.S %D%/demo/lib.c %D%/demo/cpu.c %D%/demo/paging.c %D%/demo/no_tasks.c \
	%D%/nano/entry.S %D%/nano/main.c %D%/nano/measure.c %D%/nano/insn.c %D%/nano/system.c
nano_extra = %D%/nano/user.S %D%/nano/nano.h %D%/nano/system.h

%D%/nano/nano.elf: $(nano_sources) $(nano_extra) %D%/demo/kernel.h %D%/demo/demo.lds
	$(AM_V_GEN)$(MKDIR_P) %D%/nano && out=`pwd`/%D%/nano && cd $(top_srcdir) && \
	$(DEMO_COMPILE) -c -o $$out/user.o %D%/nano/user.S && \
	$(DEMO_COMPILE) $(DEMO_LINK) -Wl,-T,%D%/demo/demo.lds -o $$out/nano.elf $(nano_sources) $$out/user.o

%D%/nano/nano.bin: %D%/nano/nano.elf
	$(AM_V_GEN)$(OBJCOPY) --strip-debug --keep-section=.debug_frame %D%/nano/nano.elf $@

# bench-nano64: built mostly from demo64's files.
nano64_sources = %D%/demo64/boot.S %D%/demo64/entry.S %D%/demo64/lib.c %D%/demo64/cpu.c %D%/demo64/paging.c \
	%D%/nano64/entry.S %D%/nano64/main.c %D%/nano/measure.c %D%/nano64/insn.c %D%/nano64/system.c
nano64_extra = %D%/nano64/user.S %D%/nano64/system.h

%D%/nano64/nano64.elf: $(nano64_sources) $(nano64_extra) $(stress64_sources) $(stress64_extra) %D%/nano/nano.h %D%/demo64/kernel.h %D%/demo64/demo64.lds
	$(AM_V_GEN)$(MKDIR_P) %D%/nano64 && out=`pwd`/%D%/nano64 && cd $(top_srcdir) && \
	$(DEMO64_COMPILE) -c -o $$out/user.o %D%/nano64/user.S && \
	$(DEMO64_COMPILE) $(DEMO64_LINK) -Wl,-T,%D%/demo64/demo64.lds -o $$out/nano64.elf $(nano64_sources) $$out/user.o

%D%/nano64/nano64.bin: %D%/nano64/nano64.elf
	$(AM_V_GEN)$(OBJCOPY) --strip-debug --keep-section=.debug_frame %D%/nano64/nano64.elf $@

# stress: pages change their roles at random; a model checks them.
stress_sources = %D%/demo/boot.S %D%/demo/entry.S %D%/demo/lib.c %D%/demo/cpu.c %D%/demo/paging.c %D%/demo/no_tasks.c \
	%D%/stress/entry.S %D%/stress/main.c %D%/stress/model.c %D%/stress/interp.c %D%/stress/run.c \
	%D%/stress/pages.c %D%/stress/gen.c
stress_extra = %D%/stress/user.S %D%/stress/stress.h %D%/stress/stubs.inc

%D%/stress/stress.elf: $(stress_sources) $(stress_extra) %D%/demo/kernel.h %D%/demo/demo.lds
	$(AM_V_GEN)$(MKDIR_P) %D%/stress && out=`pwd`/%D%/stress && cd $(top_srcdir) && \
	$(DEMO_COMPILE) -c -o $$out/user.o %D%/stress/user.S && \
	$(DEMO_COMPILE) $(DEMO_LINK) -Wl,-T,%D%/demo/demo.lds -o $$out/stress.elf $(stress_sources) $$out/user.o

%D%/stress/stress.bin: %D%/stress/stress.elf
	$(AM_V_GEN)$(OBJCOPY) --strip-debug %D%/stress/stress.elf $@

# stress64: four-level tables change at random; a model checks them.
stress64_sources = %D%/demo64/boot.S %D%/demo64/entry.S %D%/demo64/lib.c %D%/demo64/cpu.c %D%/demo64/paging.c \
	%D%/stress64/main.c %D%/stress64/model.c %D%/stress64/tables.c
stress64_extra = %D%/stress64/user.S %D%/stress64/stress.h

%D%/stress64/stress64.elf: $(stress64_sources) $(stress64_extra) %D%/demo64/kernel.h %D%/demo64/demo64.lds
	$(AM_V_GEN)$(MKDIR_P) %D%/stress64 && out=`pwd`/%D%/stress64 && cd $(top_srcdir) && \
	$(DEMO64_COMPILE) -c -o $$out/user.o %D%/stress64/user.S && \
	$(DEMO64_COMPILE) $(DEMO64_LINK) -Wl,-T,%D%/demo64/demo64.lds -o $$out/stress64.elf $(stress64_sources) $$out/user.o

%D%/stress64/stress64.bin: %D%/stress64/stress64.elf
	$(AM_V_GEN)$(OBJCOPY) --strip-debug %D%/stress64/stress64.elf $@

# hyper: a minimal hypervisor, which checks and measures VMX and SVM.
hyper_sources = %D%/demo/boot.S %D%/demo/entry.S %D%/demo/lib.c %D%/demo/cpu.c %D%/demo/paging.c %D%/demo/no_tasks.c \
	%D%/hyper/entry.S %D%/hyper/main.c %D%/hyper/vm.c %D%/hyper/vmx.c %D%/hyper/svm.c %D%/hyper/cases.c \
	%D%/hyper/events.c %D%/hyper/controls.c %D%/hyper/nested.c %D%/hyper/errors.c %D%/hyper/timing.c %D%/hyper/fuzz.c \
	%D%/hyper/fuzz_vmx.c %D%/hyper/fuzz_svm.c %D%/hyper/apic.c %D%/hyper/codes.c %D%/hyper/reasons.c
hyper_extra = %D%/hyper/hyper.h %D%/hyper/vmx.h %D%/hyper/svm.h %D%/hyper/vmx_fields.h %D%/hyper/svm_fields.h %D%/hyper/cases.h %D%/hyper/fuzz.h \
	%D%/hyper/cases.def %D%/hyper/state.def %D%/hyper/hyper.lds

%D%/hyper/hyper.elf: $(hyper_sources) $(hyper_extra) %D%/demo/kernel.h %D%/hyper/hyper.lds
	$(AM_V_GEN)$(MKDIR_P) %D%/hyper && out=`pwd`/%D%/hyper && cd $(top_srcdir) && \
	$(DEMO_COMPILE) $(DEMO_LINK) -Wl,-T,%D%/hyper/hyper.lds -o $$out/hyper.elf $(hyper_sources)

# hyper64: the same in 64-bit mode, built partly from demo64's files.
hyper64_sources = %D%/demo64/boot.S %D%/demo64/entry.S %D%/demo64/lib.c %D%/demo64/cpu.c %D%/demo64/paging.c \
	%D%/hyper64/entry.S %D%/hyper64/main.c %D%/hyper64/vm.c %D%/hyper64/vmx.c %D%/hyper64/svm.c %D%/hyper64/cases.c \
	%D%/hyper64/entries.c
hyper64_extra = %D%/hyper64/hyper.h %D%/hyper/vmx_fields.h %D%/hyper/svm_fields.h %D%/hyper/state.def

%D%/hyper64/hyper64.elf: $(hyper64_sources) $(hyper64_extra) %D%/demo64/kernel.h %D%/demo64/demo64.lds
	$(AM_V_GEN)$(MKDIR_P) %D%/hyper64 && out=`pwd`/%D%/hyper64 && cd $(top_srcdir) && \
	$(DEMO64_COMPILE) $(DEMO64_LINK) -Wl,-T,%D%/demo64/demo64.lds -o $$out/hyper64.elf $(hyper64_sources)

# A KVM client, static, for Linux in a guest.
kvm_sources = %D%/kvm/main.c %D%/kvm/boot.c %D%/kvm/ports.c
%D%/kvm/kvm: $(kvm_sources) %D%/kvm/client.h bench/traffic.c bench/traffic.h bench/sys.c bench/sys.h
	$(AM_V_GEN)$(MKDIR_P) %D%/kvm && out=`pwd`/%D%/kvm/kvm && cd $(top_srcdir) && \
	$(GUEST_CC) $(BENCH_FLAGS) -I. -idirafter /usr/include/`$(GUEST_CC) -print-multiarch` -o $$out \
	$(kvm_sources) bench/traffic.c bench/sys.c

noinst_LIBRARIES += %D%/libguests.a
%C%_libguests_a_SOURCES = %D%/blob.S %D%/embedded.h
%D%/blob.$(OBJEXT): %D%/demo/demo.bin %D%/nano/nano.bin %D%/stress/stress.bin %D%/demo64/demo64.bin %D%/nano64/nano64.bin %D%/stress64/stress64.bin

CLEANFILES += %D%/demo/demo.elf %D%/demo/demo.bin %D%/demo/user.o %D%/nano/nano.elf %D%/nano/nano.bin %D%/nano/user.o \
	%D%/stress/stress.elf %D%/stress/stress.bin %D%/stress/user.o %D%/hyper/hyper.elf \
	%D%/kvm/kvm %D%/demo64/demo64.elf %D%/demo64/demo64.bin %D%/demo64/user.o \
	%D%/nano64/nano64.elf %D%/nano64/nano64.bin %D%/nano64/user.o \
	%D%/stress64/stress64.elf %D%/stress64/stress64.bin %D%/stress64/user.o
EXTRA_DIST += $(demo_sources) $(demo_extra) $(demo64_sources) $(demo64_extra) $(nano64_sources) $(nano64_extra) $(stress64_sources) $(stress64_extra) $(nano_sources) $(nano_extra) $(stress_sources) $(stress_extra) \
	$(hyper_sources) $(hyper_extra) $(hyper64_sources) $(hyper64_extra) $(kvm_sources) %D%/kvm/client.h %D%/kvm/inner.sh %D%/kvm/outer.sh %D%/fetch %D%/mkinitramfs %D%/mkrootfs

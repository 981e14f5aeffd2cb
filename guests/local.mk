# SPDX-License-Identifier: GPL-3.0-or-later
# The embedded guest: freestanding 32-bit code, so it has flags and rules of its own
# and leaves CFLAGS alone. demo.elf keeps its debug data for debuggers; libdemo.a carries
# the ELF file without them, as demo_kernel[] (guests/demo.h).
DEMO_FLAGS = -m32 -march=i686 -std=gnu17 -O2 -g -Wall -Wextra -ffreestanding -fno-pic -fno-pie \
	-mno-sse -mno-mmx -mno-80387 -fno-stack-protector -fno-asynchronous-unwind-tables \
	-fno-strict-aliasing -fcf-protection=none -fno-tree-loop-distribute-patterns
DEMO_LINK = -nostdlib -static -no-pie -Wl,-m,elf_i386 -Wl,--build-id=none -Wl,--no-warn-rwx-segments
DEMO_COMPILE = $(CC) $(DEMO_FLAGS) -I.

demo_sources = %D%/demo/boot.S %D%/demo/entry.S %D%/demo/main.c %D%/demo/lib.c %D%/demo/cpu.c \
	%D%/demo/paging.c %D%/demo/task.c %D%/demo/check_cpu.c %D%/demo/check_mem.c
demo_extra = %D%/demo/user.c %D%/demo/kernel.h %D%/demo/demo.lds

%D%/demo/demo.elf: $(demo_sources) $(demo_extra)
	$(AM_V_GEN)$(MKDIR_P) %D%/demo && out=`pwd`/%D%/demo && cd $(top_srcdir) && \
	$(DEMO_COMPILE) -c -o $$out/user.o %D%/demo/user.c && \
	$(DEMO_COMPILE) $(DEMO_LINK) -Wl,-T,%D%/demo/demo.lds -o $$out/demo.elf $(demo_sources) $$out/user.o

%D%/demo/demo.bin: %D%/demo/demo.elf
	$(AM_V_GEN)$(OBJCOPY) --strip-debug %D%/demo/demo.elf $@

noinst_LIBRARIES += %D%/libdemo.a
%C%_libdemo_a_SOURCES = %D%/blob.S %D%/demo.h
%D%/blob.$(OBJEXT): %D%/demo/demo.bin

CLEANFILES += %D%/demo/demo.elf %D%/demo/demo.bin %D%/demo/user.o
EXTRA_DIST += $(demo_sources) $(demo_extra) %D%/fetch %D%/mkinitramfs

# SPDX-License-Identifier: GPL-3.0-or-later
# The machine and its devices.
noinst_LIBRARIES += %D%/libhv.a
%C%_libhv_a_SOURCES = \
	%D%/alarm.c \
	%D%/alarm.h \
	%D%/apic.h \
	%D%/board.c \
	%D%/board.def \
	%D%/board.h \
	%D%/boot/acpi.c \
	%D%/boot/acpi.h \
	%D%/boot/acpi_apic.c \
	%D%/boot/acpi_files.c \
	%D%/boot/bios.c \
	%D%/boot/drives.c \
	%D%/boot/drives.h \
	%D%/boot/dsdt.c \
	%D%/boot/flat.c \
	%D%/boot/identify.c \
	%D%/boot/image.c \
	%D%/boot/image.h \
	%D%/boot/linux.c \
	%D%/boot/multiboot.c \
	%D%/bus.h \
	%D%/clock.h \
	%D%/configured.c \
	%D%/cpuid.c \
	%D%/cpuid.h \
	%D%/dev.h \
	%D%/dev/fdc.c \
	%D%/dev/fw_cfg.c \
	%D%/dev/mc146818.c \
	%D%/dev/pci_int.h \
	%D%/dev/pci_setup.c \
	%D%/dev/pci_view.c \
	%D%/dev/virtio.h \
	%D%/dev/virtio_blk.c \
	%D%/dev/virtio_int.h \
	%D%/dev/virtio_setup.c \
	%D%/field.c \
	%D%/field.h \
	%D%/hosted.c \
	%D%/inbox.c \
	%D%/inbox.h \
	%D%/io/backend.h \
	%D%/io/block.c \
	%D%/io/block.h \
	%D%/io/door.def \
	%D%/io/door.h \
	%D%/io/frames.h \
	%D%/io/nbd.c \
	%D%/io/net.c \
	%D%/io/net.h \
	%D%/io/net_hub.c \
	%D%/io/net_int.h \
	%D%/io/net_options.c \
	%D%/io/net_passt.c \
	%D%/io/net_tap.c \
	%D%/io/net_user.c \
	%D%/io/nic.h \
	%D%/io/nic_host.c \
	%D%/io/notice.h \
	%D%/dev/pcnet_int.h \
	%D%/network.c \
	%D%/network_int.h \
	%D%/views_int.h \
	%D%/views_balloon.c \
	%D%/views_virtio.c \
	%D%/views_io.c \
	%D%/io/overlay.c \
	%D%/io/pcap.c \
	%D%/io/pcap.h \
	%D%/io/raw.c \
	%D%/latency.h \
	%D%/machine.c \
	%D%/machine.h \
	%D%/machine_int.h \
	%D%/mmio.h \
	%D%/msr.h \
	%D%/pci.h \
	%D%/run.c \
	%D%/save.c \
	%D%/state.c \
	%D%/state_int.h \
	%D%/views.c \
	%D%/views_time.c \
	%D%/views_irq.c

# On the way from translated code to a device: GPR-only code (base/gpr.h).
noinst_LIBRARIES += %D%/libhvgpr.a
%C%_libhvgpr_a_SOURCES = \
	%D%/balloon.c \
	%D%/balloon.h \
	%D%/bus.c \
	%D%/clock.c \
	%D%/cpuid_query.c \
	%D%/dev/acpi_pm.c \
	%D%/dev/ata.c \
	%D%/dev/atapi.c \
	%D%/dev/backdoor.c \
	%D%/dev/debug.c \
	%D%/dev/hpet.c \
	%D%/dev/i440fx.c \
	%D%/dev/i8042.c \
	%D%/dev/i8237.c \
	%D%/dev/i8254.c \
	%D%/dev/i8259.c \
	%D%/dev/ide.c \
	%D%/dev/ide_data.c \
	%D%/dev/ide_int.h \
	%D%/dev/ioapic.c \
	%D%/dev/lapic.c \
	%D%/dev/lapic_int.h \
	%D%/dev/lapic_timer.c \
	%D%/dev/pci.c \
	%D%/dev/piix.c \
	%D%/dev/port92.c \
	%D%/dev/stubs.c \
	%D%/dev/testdev.c \
	%D%/dev/uart.c \
	%D%/dev/vga.c \
	%D%/dev/vmware_balloon.c \
	%D%/dev/virtio.c \
	%D%/dev/virtio_balloon.c \
	%D%/dev/virtio_net.c \
	%D%/dev/virtqueue.c \
	%D%/dev/pcnet.c \
	%D%/dev/pcnet_ring.c \
	%D%/io/door.c \
	%D%/io/nic.c \
	%D%/mmio.c \
	%D%/msr.c \
	%D%/platform.c \
	%D%/wiring.c
%C%_libhvgpr_a_CFLAGS = $(AM_CFLAGS) $(GPR_CFLAGS)
%C%_libhv_a_LIBADD = $(%C%_libhvgpr_a_OBJECTS)
%C%_libhv_a_DEPENDENCIES = %D%/libhvgpr.a

#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Debian's kernels with the APIC and without: which controllers and timers they use, that a second lasts one, that
# nothing complains, and what the NMI button does. LONG=1: with kernel options that take it away by parts, too.
. "$(dirname "$0")/guestlib.sh"
need linux-686 linux-686-pae busybox
[ -z "${LONG:-}" ] && plan 27 || plan 58

cat >"$TMP/inside.sh" <<'END'
cat /proc/interrupts
echo "clock $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
sed -n 's/^Clock Event Device: /event /p' /proc/timer_list
a=$(cut -d' ' -f1 /proc/uptime); ra=$(date +%s); sleep 2; b=$(cut -d' ' -f1 /proc/uptime); rb=$(date +%s)
echo "slept $(echo "$b - $a" | bc) $((rb - ra))"
dmesg | grep -iE 'bios bug|spurious|lost|unexpected|lockup|stall|not (connected|working)|failed to|unhandled' | sed 's/^/complaint: /'
echo 8 >/proc/sys/kernel/printk
echo 1 >/proc/sys/kernel/unknown_nmi_panic
echo "ready for NMI"
sleep 60
END

# boot FLAVOUR CPU APPEND: results that hold for all; the guest's output in $TMP/out, the shell's in $TMP/shell.
boot()
{
	name="$1 $2 $3"
	[ -s "$TMP/initrd-$1" ] ||
		"$TOP_SRCDIR/guests/mkinitramfs" -f "$1" -o "$TMP/initrd-$1" "$CACHE" "$TMP/inside.sh" 2>"$TMP/err" ||
		skip_all "no initramfs: $(cat "$TMP/err")"
	cat >"$TMP/script" <<-END
		wait "ready for NMI" 200
		info irq
		info lapic
		info ioapic
		info hpet
		info timers
		nmi
		wait "end Kernel panic" 60
	END
	sed -i '/info lapic/s/^/-/; /info ioapic/s/^/-/' "$TMP/script"
	timeout -k 5 300 "$VITRINE" shell --no-rc --timeout 280 --memory 256M --cpu "$2" --kernel "$CACHE/linux-$1" \
		--initrd "$TMP/initrd-$1" --append "console=ttyS0 isapnp.disable=1 run=inside.sh $3" \
		--serial "file:$TMP/raw" -x "$TMP/script" </dev/null >"$TMP/shell" 2>"$TMP/err"
	status=$?
	tr -d '\r' <"$TMP/raw" >"$TMP/out"
	[ "$status" -eq 0 ] && ! grep -q '^complaint' "$TMP/out"
	ok $? "$name: boots without complaints" "$(grep complaint "$TMP/out"; detail)"
	said "NMI: Not continuing" "$name: panics at the NMI button"
	grep -qE '^slept (1\.9|2\.[0-3])[0-9]* [23]$' "$TMP/out"
	ok $? "$name: two seconds last two" "$(grep slept "$TMP/out")"
	grep -qE '^ERR: +0$' "$TMP/out"
	ok $? "$name: no errors counted" "$(grep ERR "$TMP/out")"
}

# shown PATTERN NAME, printed PATTERN NAME: by the guest, by the shell.
shown()
{
	grep -qE -- "$1" "$TMP/out"
	ok $? "$name: $2" "$(grep -E "^ *[0-9]+:|LOC|event|clock" "$TMP/out")"
}
printed()
{
	cat "$TMP/shell" "$TMP/err" | grep -qE -- "$1"
	ok $? "$name: $2" "$(cat "$TMP/shell")"
}

boot 686 max ""
shown '^ *0: .*IO-APIC +2-edge +timer' "the timer's line is pin 2"
shown '^ *4: +[1-9].*IO-APIC +4-edge +ttyS0' "the serial port's is pin 4"
shown '^LOC: +[1-9]' "the APIC's timer interrupts"
shown '^event lapic-deadline' "by TSC deadline"
shown '^clock tsc$' "the TSC is the clock"
printed '^0 .*IO-APIC pin 2 +0x30 +edge' "info irq: where line 0 leads"
printed '^timer +no +[1-9][0-9]* +[1-9][0-9]* +local APIC +0xec' "info irq: the APIC's timer"
printed '^NMI|^lvt_lint1 .*NMI' "info lapic: LINT1 is NMI"
awk '$1 == "from" { apic = $2 == "local" } apic && $1 == "count" { n = $2 } apic && $1 == "mean/ns" { mean = $2 }
	END { exit !(n > 100 && mean > 0 && mean < 500000000) }' "$TMP/shell"
ok $? "info timers: how late the APIC's timer was" "$(grep -A20 '^from ' "$TMP/shell")"
printed '^ *2 .*no +0x30 +fixed +edge' "info ioapic: pin 2"

boot 686-pae max,-apic ""
shown '^ *0: +[1-9].*XT-PIC +timer' "the timer comes by the 8259"
shown '^LOC: +0 ' "no APIC interrupts"
shown '^event hpet' "the HPET is the timer"
printed 'no APIC' "info lapic: says that there is none"

boot 686 max,-tsc-deadline,-x2apic ""
shown '^event lapic$' "the APIC's timer, one-shot"

if [ -n "${LONG:-}" ]; then
	boot 686 max nolapic
	shown '^ *0: +[1-9].*XT-PIC +timer' "the timer comes by the 8259"
	boot 686-pae max noapic
	shown '^ *4: +[1-9].*XT-PIC +ttyS0' "lines come by the 8259"
	shown '^LOC: +[1-9]' "the APIC's timer interrupts"
	boot 686 max "hpet=disable nohpet"
	shown '^LOC: +[1-9]' "the APIC's timer interrupts"
	boot 686 max "acpi=off"
	shown '^ *0: .*IO-APIC +2-edge +timer' "the MP table says so, too"
	boot 686 pentium2 ""
	shown '^ *0: .*IO-APIC +2-edge +timer' "the timer's line is pin 2"
	boot 686 max "nohz=off highres=off"
	shown '^LOC: +[1-9][0-9]{2}' "the APIC's timer interrupts, periodically"
fi

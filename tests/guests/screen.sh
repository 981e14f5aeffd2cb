#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Pictures. A boot sector sets modes 12h, 13h, X, and three of VBE's by Debian's SeaVGABIOS and draws in each;
# Linux' vesafb, with a mode that the boot loader sets, shows its console; with LONG=1 and its modules Linux'
# bochs-drm sets one itself. What screendump writes is decoded, and pixels and letters are compared.
. "$(dirname "$0")/guestlib.sh"
need
IMAGE=${TOP_BUILDDIR:-$TOP_SRCDIR/build}/tests/guests/modes.bin
bios=
for f in "$CACHE/bios-256k.bin" /usr/share/seabios/bios-256k.bin /usr/share/seabios/bios.bin; do
	[ -n "$bios" ] || [ ! -s "$f" ] || bios=$f
done
command -v python3 >/dev/null || skip_all "no python3"
[ -s "$IMAGE" ] || skip_all "no modes.bin (make check builds it)"

# picture NAME FILE CHECK...: one result: FILE is a picture with all of that.
picture()
{
	name=$1
	shift
	python3 "$TOP_SRCDIR/tests/guests/screen/picture.py" "$@" >"$TMP/wrong" 2>&1
	ok $? "$name" "$(cat "$TMP/wrong"; detail)"
}

# script OPTION...: a session that executes the commands of the input; $TMP/out, $status.
script()
{
	cat >"$TMP/script"
	timeout -k 60 400 "$VITRINE" shell --no-rc --timeout 300 --serial stdio -x "$TMP/script" "$@" </dev/null >"$TMP/raw" 2>"$TMP/err"
	status=$?
	clean_err
	tr -d '\r' <"$TMP/raw" >"$TMP/out"
}

# ---- what a build without libpng says ----
script demo <<END
screendump $TMP/none.txt
END
grep -q 'the name must end in .png or .ppm' "$TMP/out" "$TMP/err"
ok $? "a file's name says its format" "$(detail)"
script demo <<END
screendump $TMP/text.png
END
if grep -q 'built without libpng' "$TMP/err" "$TMP/out"; then
	plan $tap_n
	exit 0
fi
grep -q 'no font was loaded (info screen shows it as text)' "$TMP/out" "$TMP/err"
ok $? "text without a font is no picture, and the message says where it is" "$(detail)"

# ---- SeaVGABIOS ----
if [ -n "$bios" ] && [ -s /usr/share/seabios/vgabios-stdvga.bin ]; then
	{
		echo 'continue &'
		for i in 1 2 3 4 5 6 7; do
			echo "wait \"mode $i\" 100"
			echo "screendump $TMP/$i.png"
			[ $i -ne 5 ] || echo "info mmio"
			[ $i -eq 7 ] || echo 'type " "'
		done
	} >"$TMP/commands"
	cp "$IMAGE" "$TMP/disk"
	truncate -s 64K "$TMP/disk"
	script --memory 32M --bios "$bios" --disk "$TMP/disk" <"$TMP/commands"
	picture "mode 12h" "$TMP/1.png" 640x480 100,50=aa0000 101,50=000000 100,51=000000
	picture "mode 13h" "$TMP/2.png" 320x200 0,0=00aa00 319,9=00aa00 0,10=000000
	picture "mode X" "$TMP/3.png" 320x200 1,10=aa0000 317,19=aa0000 2,10=000000 1,20=000000 0,0=00aa00
	picture "VBE 101h, by banks" "$TMP/4.png" 640x480 512,204=0000aa 511,204=000000 511,205=0000aa 512,205=000000
	picture "VBE 114h, in the frame buffer" "$TMP/5.png" 800x600 0,0=00ff00 799,9=00ff00 0,10=000000
	picture "VBE 102h, in planes" "$TMP/6.png" 800x600 700,500=00aa00 701,500=000000
	picture "text, in the BIOS' font" "$TMP/7.png" 720x400 'A*1'
	# The frame buffer is RAM: no access to it is counted.
	awk '$3 == "vga" && $4 == 0 { found = 1; if ($5 + $6) bad = 1 } END { exit !found || bad }' "$TMP/out"
	ok $? "and does not trap" "$(detail)"
else
	skip "modes by SeaVGABIOS" "no SeaBIOS (package seabios)"
fi

# ---- Linux ----
if [ -s "$CACHE/linux-686" ] && [ -s "$CACHE/initramfs-686.cpio.gz" ]; then
	script --memory 128M --kernel "$CACHE/linux-686" --initrd "$CACHE/initramfs-686.cpio.gz" --append "vga=0x314 console=ttyS0 quiet" <<END
continue &
wait "shell ready" 250
serial "cat /proc/fb; echo AAAAAAAAAAAA >/dev/tty0; echo written\$((1)) to tty0\n"
wait "written1 to tty0" 100
screendump $TMP/vesafb.png
END
	said "VESA VGA" "vesafb takes the mode of vga=0x314"
	picture "its console is readable" "$TMP/vesafb.png" 800x600 'A*12'
	script --memory 128M --kernel "$CACHE/linux-686" --append "vga=0x399" </dev/null
	grep -q 'vga=0x399: there is no such mode' "$TMP/err"
	ok $? "a mode that does not exist" "$(detail)"
else
	skip "vesafb" "no linux-686"
fi

if [ -n "${LONG:-}" ] && [ -s "$CACHE/display-amd64/order" ] && [ -s "$CACHE/linux-amd64" ] && [ -s "$CACHE/busybox-amd64" ]; then
	cat >"$TMP/bochs.sh" <<'END'
for m in $(cat /order); do
	insmod "/$m.ko"
done
until grep -q bochs /proc/fb; do sleep 1; done
cat /proc/fb
echo AAAAAAAAAAAA >/dev/tty0
echo pictures done
exec sleep 1000
END
	"$TOP_SRCDIR/guests/mkinitramfs" -f amd64 -o "$TMP/initrd" "$CACHE" "$CACHE/display-amd64"/*.ko "$CACHE/display-amd64/order" "$TMP/bochs.sh" >"$TMP/made" 2>&1 || exit 99
	script --memory 256M --kernel "$CACHE/linux-amd64" --initrd "$TMP/initrd" --append "console=tty0 console=ttyS0 run=bochs.sh" <<END
continue &
wait "pictures done" 280
screendump $TMP/bochs.png
END
	said "bochs-drm" "bochs-drm sets a mode"
	picture "its console is readable" "$TMP/bochs.png" 1024x768 'A*12'
fi
plan $tap_n

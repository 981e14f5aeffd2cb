# SPDX-License-Identifier: GPL-3.0-or-later
# Boots Debian's kernel of one flavour and runs programs in it: linux_test FLAVOUR [OPTION...]. A 64-bit kernel
# runs a 32-bit busybox besides.
# LONG=1: ten boots in a row after that, every second one with --verify-tc.
. "$(dirname "$0")/guestlib.sh"

# The script that runs in the guest. The host's programs give the expected lines.
inside()
{
	cat <<'END'
cd /tmp
i=0
while [ $i -lt 2000 ]; do echo "line $((i * 7919 % 2003)) of some text"; i=$((i + 1)); done >text
echo "sha256 $(sha256sum text | cut -d' ' -f1)"
gzip -c text >text.gz && gunzip -c text.gz | cmp - text && echo "gzip same"
echo "awk $(awk '{ s += $2 } END { printf "%d %.4f", s, s / 7 }' text)"
echo "sort $(sort -k2,2n text | sha256sum | cut -d' ' -f1)"
echo "bc $(echo '2^200 - 1' | bc)"
insmod /modules/loop.ko && grep -q '^loop ' /proc/modules && echo "module loaded"
[ ! -x /busybox32 ] || echo "compatibility mode $(/busybox32 awk 'BEGIN { printf "%.0f %.6f", 2 * 1073741824, 22 / 7 }') $(/busybox32 sha256sum text | cut -d' ' -f1)"
echo "cpus $(grep -c ^processor /proc/cpuinfo)"
END
}

expected()
{
	awk 'BEGIN { for (i = 0; i < 2000; i++) printf "line %d of some text\n", i * 7919 % 2003 }' >"$TMP/text"
	echo "sha256 $(sha256sum "$TMP/text" | cut -d' ' -f1)"
	echo "gzip same"
	echo "awk $(awk '{ s += $2 } END { printf "%d %.4f", s, s / 7 }' "$TMP/text")"
	echo "sort $(sort -k2,2n "$TMP/text" | sha256sum | cut -d' ' -f1)"
	echo "bc 1606938044258990275541962092341162602522202993782792835301375"
	echo "module loaded"
	echo "cpus 1"
	case $1 in *amd64) echo "compatibility mode 2147483648 3.142857 $(sha256sum "$TMP/text" | cut -d' ' -f1)" ;; esac
}

# One boot of flavour $1 with OPTIONs and all its checks, as one result.
linux_boot()
{
	flavour=$1 name=$2
	shift 2
	run_guest "${LINUX_LIMIT:-600}" --memory 512M --kernel "$CACHE/linux-$flavour" --initrd "$TMP/initrd" \
		--append "console=ttyS0 panic=-1 run=inside.sh" --no-reboot "$@"
	missing=
	while read -r line; do
		grep -qF -- "$line" "$TMP/out" || missing="$missing ${line%% *}"
	done <"$TMP/expected"
	[ "$status" -eq 0 ] && [ -z "$missing" ] && [ ! -s "$TMP/err" ]
	ok $? "$name" "missing:$missing; $(detail)"
}

linux_test()
{
	flavour=$1
	shift
	need "linux-$flavour" busybox
	more=
	case $flavour in
	*amd64)
		need busybox-amd64
		more=$CACHE/busybox:busybox32
		;;
	esac
	boots=0
	[ -z "${LONG:-}" ] || boots=10
	inside >"$TMP/inside.sh"
	expected "$flavour" >"$TMP/expected"
	if ! "$TOP_SRCDIR/guests/mkinitramfs" -f "$flavour" -o "$TMP/initrd" "$CACHE" "$TMP/inside.sh" $more 2>"$TMP/err"; then
		skip_all "no initramfs: $(cat "$TMP/err")"
	fi
	plan $((4 + boots + $(wc -l <"$TMP/expected")))
	run_guest "${LINUX_LIMIT:-600}" --memory 512M --kernel "$CACHE/linux-$flavour" --initrd "$TMP/initrd" \
		--append "console=ttyS0 panic=-1 run=inside.sh" --no-reboot "$@"
	said "Linux version" "the kernel speaks"
	said "vitrine: shell ready" "boots to the shell"
	while read -r line; do
		said "$line" "busybox: ${line%% *}"
	done <"$TMP/expected"
	said "script ended with 0" "the script ends"
	ended 0 "poweroff -f is status 0"
	for i in $(seq 1 $boots); do
		[ $((i % 2)) -eq 0 ] && verify=--verify-tc || verify=
		linux_boot "$flavour" "boot $i of $boots $verify" $verify "$@"
	done
}

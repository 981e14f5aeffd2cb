#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Linux' pcnet32 and virtio_net on the network: DHCP and TCP through `user` and passt to servers on the loopback; two
# machines on a hub; a tap in a network namespace; the optimizations of hosted I/O, switched while frames flow; iPXE.
. "$(dirname "$0")/guestlib.sh"
need linux-686 busybox
command -v python3 >/dev/null || skip_all "no python3"
plan 27

# Servers on the loopback: a file by HTTP, a sink that says what it got, a name server.
cat >"$TMP/servers.py" <<'END'
import hashlib, http.server, os, socket, sys, threading
tmp = sys.argv[1]
os.chdir(tmp)
class quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *a): pass
web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), quiet)
sink = socket.create_server(("127.0.0.1", 0))
def serve_sink():
    while True:
        c, _ = sink.accept()
        h, n = hashlib.sha256(), 0
        while data := c.recv(1 << 16):
            h.update(data)
            n += len(data)
        with open("sink", "a") as f: f.write("%d %s\n" % (n, h.hexdigest()))
        c.close()
threading.Thread(target=serve_sink, daemon=True).start()
with open("ports.part", "w") as f: f.write("%d %d\n" % (web.server_port, sink.getsockname()[1]))
os.rename("ports.part", "ports")
web.serve_forever()
END
head -c 8000000 /dev/urandom >"$TMP/file"
python3 "$TMP/servers.py" "$TMP" &
servers=$!
trap 'kill $servers 2>/dev/null; rm -rf "$TMP"' EXIT
until_true test -s "$TMP/ports"
read -r web sink <"$TMP/ports"

cat >"$TMP/begin.sh" <<'END'
insmod /modules/mii.ko
insmod /modules/pcnet32.ko
. /lease.sh
END
cat >"$TMP/lease.sh" <<'END'
ip link set lo up
ip link set eth0 up
cat >/bin/lease <<'X'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add $ip/24 dev eth0
ip route add default via $router
echo "nameserver $dns" >/etc/resolv.conf
X
chmod 755 /bin/lease
END
cat >"$TMP/user.sh" <<END
. /begin.sh
udhcpc -i eth0 -n -q -s /bin/lease 2>&1 | grep -c 'lease of 10.0.2.15 obtained' | sed 's/^/dhcp /'
ping -c 2 -w 20 10.0.2.2 | grep -c ttl= | sed 's/^/ping /'
wget -q -O /tmp/file http://10.0.2.2:$web/file
echo "get \$(sha256sum /tmp/file | cut -d' ' -f1)"
nc 10.0.2.2 $sink </tmp/file
echo "put \$?"
nc -l -p 7 -e cat &
echo "listening"
wait
END

# initramfs IMAGE SCRIPT...: files of $TMP.
initramfs()
{
	img=$1
	shift
	for f in "$@"; do
		shift
		set -- "$@" "$TMP/$f"
	done
	"$TOP_SRCDIR/guests/mkinitramfs" -f 686 -o "$TMP/$img" "$CACHE" "$@"
}

# linux IMAGE [MEMORY]: the arguments that boot it.
linux()
{
	echo "--memory ${2:-128M} --no-reboot --kernel $CACHE/linux-686 --initrd $TMP/$1 --append"
}
append="console=ttyS0 quiet panic=-1 run"

# captured FILE NAME: a capture of DHCP and TCP on `user`.
captured()
{
	if command -v tcpdump >/dev/null; then
		n=$(tcpdump -r "$TMP/$1" -nn 'udp port 67' 2>/dev/null | wc -l)
		m=$(tcpdump -r "$TMP/$1" -nn "tcp port $sink" 2>/dev/null | wc -l)
		[ "$n" -ge 4 ] && [ "$m" -ge 1000 ]
		ok $? "$2" "$n of DHCP, $m of TCP"
	else
		skip "$2" "no tcpdump"
	fi
}

# skip_some N NAME REASON
skip_some()
{
	for i in $(seq "$1"); do skip "$2 ($i)" "$3"; done
}

port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$TMP/echo.py" <<'END'
import socket, sys, time
for _ in range(600):
    try:
        s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
        s.sendall(b"to the guest and back\n")
        s.shutdown(socket.SHUT_WR)
        if s.makefile().read() == "to the guest and back\n": sys.exit(0)
    except OSError: pass
    time.sleep(0.2)
sys.exit(1)
END
# Once the guest listens, send it something through the port and have it back.
echo_through()
{
	until_true grep -q listening "$TMP/raw" && python3 "$TMP/echo.py" "$port"
	echo $? >"$TMP/echoed"
}
initramfs user.img begin.sh lease.sh user.sh 2>"$TMP/err" || skip_all "no initramfs: $(cat "$TMP/err")"
echo_through &
# shellcheck disable=SC2046
run_guest 200 --net "user,hostfwd=tcp:127.0.0.1:$port-7,pcap=$TMP/cap" $(linux user.img) "$append=user.sh"
wait $!
said "dhcp 1" "DHCP"
said "ping 2" "the gateway answers"
want=$(sha256sum "$TMP/file" | cut -d' ' -f1)
said "get $want" "8 MB from a server on the loopback"
grep -q "^8000000 $want\$" "$TMP/sink"
ok $? "8 MB to a server on the loopback" "$(cat "$TMP/sink")"
[ "$(cat "$TMP/echoed")" -eq 0 ]
ok $? "a port of the host leads to the guest" "$(detail)"
ended 0 "poweroff -f is status 0"
captured cap "tcpdump reads the capture"

# ---- optimizations, switched while frames flow ----
cat >"$TMP/flow.sh" <<END
. /begin.sh
ip addr add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2
for i in 1 2 3; do wget -q -O - http://10.0.2.2:$web/file | nc 10.0.2.2 $sink; done
END
initramfs flow.img begin.sh lease.sh flow.sh
rm -f "$TMP/sink"
# shellcheck disable=SC2046
shell_script --net user $(linux flow.img) "$append=flow.sh" <<'END'
break-on packet sent
continue
delete 1
hosted-io off
break-on packet received if $value > 1000
ignore 2 20
continue
info worlds
hosted-io vmm on
ignore 2 20
continue
hosted-io combine on
ignore 2 20
continue
hosted-io vector on
delete
continue
info hosted-io
END
match 'packet sent \([0-9]+ bytes\)' "it stops at a packet"
match '^net0 +register +[0-9]{3}' "without optimization, registers cost world switches"
match '^combine +yes +[1-9]' "transmissions are combined"
[ "$(grep -c "^8000000 $want\$" "$TMP/sink")" -eq 3 ]
ok $? "and nothing is lost meanwhile" "$(cat "$TMP/sink"; detail)"

# ---- iPXE, from the device's ROM: kernel and initramfs by HTTP and by TFTP ----
echo 'echo "booted from the network, $(sed "s/.*by=//" /proc/cmdline)"' >"$TMP/hello.sh"
initramfs initrd hello.sh
cp "$CACHE/linux-686" "$TMP/linux"
# netboot ROM URL FROM MODEL OPTION...: FROM is what the script and its files are named by.
netboot()
{
	if ! [ -s "$CACHE/$1" ] || ! [ -s "$CACHE/bios-256k.bin" ]; then
		skip "iPXE boots Linux by $4 and ${2%%:*}" "no $1 or SeaBIOS: guests/fetch could not fetch it"
		return
	fi
	printf '#!ipxe\nkernel %s/linux %s=hello.sh initrd=initrd by=%s\ninitrd %s/initrd\nboot\n' "$2" "$append" "${2%%:*}" "$2" \
		>"$TMP/boot.ipxe"
	run_guest 200 --no-reboot --memory 256M --bios "$CACHE/bios-256k.bin" --net "user,model=$4,rom=$CACHE/$1,$3"
	[ "$status" -eq 0 ] && grep -q "booted from the network, ${2%%:*}" "$TMP/out"
	ok $? "iPXE boots Linux by $4 and ${2%%:*}" "$(detail)"
}
netboot pxe-pcnet.rom "http://10.0.2.2:$web" "bootfile=http://10.0.2.2:$web/boot.ipxe" pcnet
netboot pxe-virtio.rom "tftp://10.0.2.2" "tftp=$TMP,bootfile=boot.ipxe" virtio

# ---- virtio ----
cat >"$TMP/virtio-begin.sh" <<'END'
for m in virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev; do insmod /modules/$m.ko; done
insmod /modules/virtio_pci.ko force_legacy=$(sed 's/.*legacy=\([01]\).*/\1/' /proc/cmdline)
for m in failover net_failover virtio_net; do insmod /modules/$m.ko; done
. /lease.sh
END
if [ -s "$CACHE/modules-686/virtio_pci_modern_dev.ko" ]; then
	sed 's/^\. .*/. \/virtio-begin.sh/' "$TMP/user.sh" >"$TMP/virtio.sh"
	initramfs virtio.img virtio-begin.sh lease.sh virtio.sh
	for legacy in 0 1; do
		rm -f "$TMP/sink" "$TMP/raw"
		echo_through &
		# shellcheck disable=SC2046
		run_guest 200 --net "user,model=virtio,hostfwd=tcp:127.0.0.1:$port-7,pcap=$TMP/vcap" \
			$(linux virtio.img) "$append=virtio.sh legacy=$legacy"
		wait $!
		said "dhcp 1" "virtio, legacy=$legacy: DHCP"
		grep -q "^get $want\$" "$TMP/out" && grep -q "^8000000 $want\$" "$TMP/sink" && [ "$(cat "$TMP/echoed")" -eq 0 ]
		ok $? "virtio, legacy=$legacy: 8 MB each way, a port of the host" "$(detail)"
	done
	captured vcap "virtio: tcpdump reads the capture"
else
	skip_some 5 "virtio" "no virtio_pci_modern_dev.ko: guests/fetch is from before"
fi

# ---- passt ----
# It drops to a user without rights, who must reach its socket.
if command -v passt >/dev/null; then
	chmod 711 "$TMP"
	mkdir -m 777 "$TMP/passt"
	timeout 200 passt -f -1 -s "$TMP/passt/socket" -a 10.0.2.15 -n 24 -g 10.0.2.2 -m 1500 -t "127.0.0.1/$port:7" >"$TMP/passt.log" 2>&1 &
	passt=$!
	until_true test -S "$TMP/passt/socket"
	rm -f "$TMP/sink" "$TMP/raw"
	echo_through &
	# shellcheck disable=SC2046
	run_guest 200 --net "user:socket=$TMP/passt/socket" $(linux user.img) "$append=user.sh"
	wait $!
	wait $passt
	said "dhcp 1" "passt: DHCP"
	grep -q "^get $want\$" "$TMP/out" && grep -q "^8000000 $want\$" "$TMP/sink" && [ "$(cat "$TMP/echoed")" -eq 0 ]
	ok $? "passt: 8 MB each way, a port of the host" "$(detail); $(cat "$TMP/passt.log")"
else
	skip_some 2 "passt" "no passt"
fi

# ---- two machines on a hub: a file goes from one to the other ----
megabytes=8
[ -z "${LONG:-}" ] || megabytes=100
cat >"$TMP/copy.sh" <<END
me=\$(sed 's/.*me=\([12]\).*/\1/' /proc/cmdline)
ip addr add 192.168.7.\$me/24 dev eth0
if [ \$me = 1 ]; then
	dd if=/dev/urandom of=/tmp/file bs=1M count=$megabytes 2>/dev/null
	echo "first \$(sha256sum /tmp/file | cut -d' ' -f1)"
	nc -l -p 9 </tmp/file
else
	while ! ping -c 1 -w 1 192.168.7.1 >/dev/null; do :; done
	echo "ping \$(ping -c 3 -w 20 192.168.7.1 | grep -c ttl=)"
	while ! nc 192.168.7.1 9 >/tmp/file; do sleep 1; done
	echo "second \$(sha256sum /tmp/file | cut -d' ' -f1)"
fi
END
# hub MODEL BEGIN: Linux loads the drivers as BEGIN does.
hub()
{
	{ echo ". /$2"; cat "$TMP/copy.sh"; } >"$TMP/hub.sh"
	initramfs hub.img "$2" lease.sh hub.sh
	# shellcheck disable=SC2046
	timeout -k 5 300 "$VITRINE" run --net "hub:$TMP/hub,model=$1" $(linux hub.img 384M) \
		"$append=hub.sh legacy=0 me=1" </dev/null >"$TMP/one" 2>&1 &
	one=$!
	# shellcheck disable=SC2046
	run_guest 300 --net "hub:$TMP/hub,model=$1" $(linux hub.img 384M) "$append=hub.sh legacy=0 me=2"
	wait $one
	said "ping 3" "$1: two machines on a hub ping"
	sum=$(tr -d '\r' <"$TMP/one" | sed -n 's/^first //p')
	[ -n "$sum" ]
	ok $? "$1: the other one works" "$(tail -3 "$TMP/one")"
	said "second $sum" "$1: $megabytes MB from one to the other"
}
hub pcnet begin.sh
if [ -s "$CACHE/modules-686/virtio_pci_modern_dev.ko" ]; then
	hub virtio virtio-begin.sh
else
	skip_some 3 "virtio: a hub" "no virtio_pci_modern_dev.ko: guests/fetch is from before"
fi

# ---- a tap, in a network namespace of our own ----
cat >"$TMP/tap.sh" <<'END'
. /begin.sh
ip addr add 10.9.0.2/24 dev eth0
ping -c 3 -w 20 10.9.0.1 | grep -c ttl= | sed 's/^/tap /'
END
initramfs tap.img begin.sh lease.sh tap.sh
if unshare -rn sh -c 'ip tuntap add vt0 mode tap && ip addr add 10.9.0.1/24 dev vt0 && ip link set vt0 up' 2>/dev/null; then
	# shellcheck disable=SC2046
	timeout -k 5 200 unshare -rn sh -c 'ip tuntap add vt0 mode tap && ip addr add 10.9.0.1/24 dev vt0 && ip link set vt0 up && exec "$@"' \
		sh "$VITRINE" run --net tap:vt0 $(linux tap.img) "$append=tap.sh" </dev/null >"$TMP/raw" 2>&1
	tr -d '\r' <"$TMP/raw" >"$TMP/out"
	said "tap 3" "a tap in a network namespace"
else
	skip "a tap in a network namespace" "no network namespaces, or no tun device"
fi

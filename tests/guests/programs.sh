#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Programs of a 64-bit Debian with an i386 tree beside it (LONG=1: 200 MB of packages, ten minutes): python3, gcc and
# what it makes (position independent, static, at fixed addresses) in both widths, against the same programs on the
# host; stress-ng --verify by class; test suites of python3; OpenSSL, SQLite, Lua.
. "$(dirname "$0")/guestlib.sh"
[ -n "${LONG:-}" ] || skip_all "set LONG=1"
need linux-amd64 busybox-amd64
PATH=$PATH:/sbin:/usr/sbin
for p in debugfs mkfs.ext4 apt-get dpkg; do
	command -v $p >/dev/null || skip_all "no $p"
done
image=$CACHE/workshop-amd64.img
[ -s "$image" ] || "$TOP_SRCDIR/guests/mkrootfs" -f amd64 -S -s 3G -o "$image" \
	-p "gcc libc6-dev python3 libpython3.11-testsuite lua5.4 sqlite3 openssl stress-ng" \
	-c "bash coreutils gcc libc6-dev python3 findutils grep sed" "$CACHE" >"$TMP/made" 2>&1 || skip_all "$(tail -1 "$TMP/made")"
"$TOP_SRCDIR/guests/mkinitramfs" -d -f amd64 -o "$TMP/initrd" "$CACHE" || skip_all "no initramfs"

classes="cpu vm syscall fault opcode"
stressors="memcpy matrix qsort str crypt vecmath bsearch tree fork pthread signal sigsegv sigfpe mmap mremap pipe clock
tsc x86syscall x86cpuid stackmmap longjmp funccall lockbus atomic fp context exec zlib goto regs futex sem timer"
modules="math float long complex struct bytes unicode re json zlib hashlib decimal threading signal mmap ctypes subprocess select"
tools="sqlite3 lua openssl"
# shellcheck disable=SC2086
plan $((2 + 11 + 2 + $(echo $classes $stressors $modules $tools | wc -w)))

mkdir "$TMP/in"
cat >"$TMP/in/t.c" <<'END'
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static jmp_buf env;

static void caught(int s)
{
	longjmp(env, s);
}

static int order(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void *sum(void *p)
{
	int *n = p;

	for (int i = 0; i < 100000; i++)
		*n = (*n + (i ^ *n)) & 0xffff;
	return NULL;
}

int main(void)
{
	int a[1000], n[4] = { 1, 2, 3, 4 }, s;
	unsigned x = 1;
	double d = 0;
	unsigned long long q = 1;
	long double l = 1;
	pthread_t t[4];

	for (int i = 0; i < 1000; i++)
		a[i] = (x = x * 1103515245 + 12345) >> 8;
	qsort(a, 1000, sizeof(int), order);
	for (int i = 0; i < 1000; i++) {
		d += sqrt(a[i]) * sin(i);
		q = q * 6364136223846793005ull + a[i];
		l = l * 1.0000001L + a[i] / 3.0L;
	}
	signal(SIGSEGV, caught);
	s = setjmp(env);
	if (!s)
		*(volatile int *)8 = 1;
	printf("%zu %d %d %.9f %llu %.9Lf %d\n", sizeof(long), a[0], a[999], d, q % 1000003 / 7, l, s);
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, sum, &n[i]);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	printf("%d %d %d %d %a %g\n", n[0], n[1], n[2], n[3], 0.1, 1e300 * 10);
	return 0;
}
END
cat >"$TMP/in/t.py" <<'END'
import decimal, hashlib, itertools, json, math, re, struct, zlib
print(struct.calcsize("P"), 2**200 % 1000000007, hashlib.sha256(b"x" * 100000).hexdigest()[:16])
print(sum(math.sin(i) for i in range(10000)), zlib.crc32(bytes(range(256)) * 100), decimal.Decimal(2).sqrt())
print(json.dumps({"a": [1, 2.5, None]}), re.sub(r"(\w+) (\w+)", r"\2 \1", "hello world"), len(list(itertools.permutations(range(7)))))
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
print(fib(20), math.factorial(50))
END
# What guest and host say: lines "WIDTH NAME | OUTPUT".
cat >"$TMP/in/say.sh" <<'END'
say()
{
	sed "s/^/$w $1 | /"
}
END
cat >"$TMP/in/inside.sh" <<END
. /t/say.sh
both()
{
	\$run /usr/bin/python3.11 \$in/t.py 2>&1 | say python3
	\$run /bin/ls -d / /bin/ls /etc/passwd | say ls
	for how in "" "-static" "-fno-pie -no-pie"; do
		\$run gcc -O2 \$how -o /tmp/t \$in/t.c -lm -lpthread && \$run /tmp/t | say "gcc\$(echo \$how | tr -d ' ')"
	done
	\$run gcc -S -O2 -o - \$in/t.c | sha256sum | say assembly
}
echo "version \$(gcc -dumpfullversion)"
in=/t w=64 run=
both
mkdir -p /srv/i386/t
cp /t/t.c /t/t.py /srv/i386/t
w=32 run="chroot /srv/i386"
both
echo "inplace \$(/srv/i386/lib/ld-linux.so.2 --library-path /srv/i386/lib/i386-linux-gnu:/srv/i386/usr/lib/i386-linux-gnu /srv/i386/tmp/t | cut -c1)"
cd /tmp
stress()
{
	timeout 200 stress-ng --verify -t 60 "\$@" >/tmp/o 2>&1
	r=\$?
	grep -E ': (fail|error):|unexpected signal|No stress workers' /tmp/o && r="\$r, and it complains"
	echo "stress \$(echo \$1 | cut -c3-) status \$r"
}
stress --cpu 1 --cpu-method all --cpu-ops 150
stress --vm 1 --vm-bytes 32M --vm-method all --vm-ops 40000
stress --syscall 1 --syscall-ops 20
stress --fault 1 --fault-ops 3000
stress --opcode 1 --opcode-ops 1000
for s in $(echo $stressors); do stress --\$s 1 --\$s-ops 20; done
suite()
{
	name=\$1
	shift
	timeout 300 "\$@" >/tmp/o 2>&1
	r=\$?
	echo "suite \$name status \$r"
	[ \$r = 0 ] || tail -8 /tmp/o
}
for m in $(echo $modules); do suite \$m python3 -m test test_\$m; done
suite sqlite3 sh -c 'sqlite3 :memory: "create table t(a integer primary key, b text); with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000) insert into t select i, printf(\"%06d\", i * 7919 % 20011) from n; create index x on t(b); select count(*), min(b) from t; pragma integrity_check;" | grep -x ok'
suite lua lua5.4 -e 'local t = {} for i = 1, 100000 do t[i] = i * 7919 % 100003 end table.sort(t) for i = 2, #t do assert(t[i - 1] < t[i]) end assert(1 << 62 == 4611686018427387904 and 7 // 2 == 3)'
suite openssl sh -c 'openssl genrsa 2048 >/tmp/k 2>/dev/null && openssl rsa -in /tmp/k -check -noout && echo hi | openssl dgst -sha256 -sign /tmp/k >/tmp/s && openssl rsa -in /tmp/k -pubout -out /tmp/p 2>/dev/null && echo hi | openssl dgst -sha256 -verify /tmp/p -signature /tmp/s && openssl speed -seconds 1 -evp aes-256-gcm'
echo "inside en""ds"
END
tar cf "$TMP/tar" -C "$TMP/in" .
truncate -s %1M "$TMP/tar"
cat >"$TMP/script" <<'END'
wait "login:" 300
serial "root\n"
wait "Password:" 60
serial "vitrine\n"
wait "# " 60
serial "mkdir -p /t; tar xf /dev/vdb -C /t; sh /t/inside.sh\n"
wait "inside ends" 3000
serial "systemctl poweroff\n"
END
timeout -k 5 4000 "$VITRINE" shell --no-rc --timeout 3900 --memory 1G --kernel "$CACHE/linux-amd64" --initrd "$TMP/initrd" \
	--append "console=ttyS0 quiet systemd.show_status=0 root=/dev/vda1 panic=-1" --disk "$image,bus=virtio,overlay=$TMP/overlay" \
	--disk "$TMP/tar,bus=virtio" --serial "file:$TMP/raw" -x "$TMP/script" -c -continue </dev/null >"$TMP/screen" 2>"$TMP/err"
status=$?
tr -d '\r' <"$TMP/raw" >"$TMP/out"
ended 0 "the guest runs to its end, and switches off"
said "inside ends" "its script, too"

# The host: the image's own programs, by their own loader.
debugfs -R "rdump /srv/i386 $TMP" "$image?offset=1048576" >"$TMP/debugfs" 2>&1
mkdir "$TMP/amd64"
for d in /usr /lib /lib64; do debugfs -R "rdump $d $TMP/amd64" "$image?offset=1048576" >>"$TMP/debugfs" 2>&1; done
. "$TMP/in/say.sh"
# host WIDTH TREE LOADER ARCHITECTURE GCC-OPTION
host()
{
	w=$1 tree=$TMP/$2 in=$TMP/in
	l="$tree/$3 --library-path $tree/lib/$4:$tree/usr/lib/$4"
	PYTHONHOME=$tree/usr $l "$tree/usr/bin/python3.11" "$in/t.py" 2>&1 | say python3
	printf '/\n/bin/ls\n/etc/passwd\n' | say ls
	gcc "$5" -O2 -o "$TMP/t" "$in/t.c" -lm -lpthread 2>"$TMP/gcc" || return
	for name in gcc gcc-static gcc-fno-pie-no-pie; do "$TMP/t" | say "$name"; done
}
host 64 amd64 lib64/ld-linux-x86-64.so.2 x86_64-linux-gnu -m64 >"$TMP/host"
host 32 i386 lib/ld-linux.so.2 i386-linux-gnu -m32 >>"$TMP/host"
for w in 64 32; do
	for name in python3 ls gcc gcc-static gcc-fno-pie-no-pie; do
		grep "^$w $name | " "$TMP/out" >"$TMP/a"
		grep "^$w $name | " "$TMP/host" >"$TMP/b"
		[ -s "$TMP/b" ] && cmp -s "$TMP/a" "$TMP/b"
		ok $? "$w bits: $name" "$(cat "$TMP/a" "$TMP/b"; tail -3 "$TMP/out")"
	done
done
said "inplace 4" "a 32-bit program outside the tree"
# Compilers of another version than the image's write other code.
for w in 64 32; do
	if [ "$(gcc -dumpfullversion)" = "$(sed -n 's/^version //p' "$TMP/out")" ]; then
		said "$w assembly | $(gcc -m$w -S -O2 -o - "$TMP/in/t.c" | sha256sum)" "$w bits: gcc -S"
	else
		match "^$w assembly \| [0-9a-f]{64}" "$w bits: gcc -S"
	fi
done
for n in $classes $stressors; do said "stress $n status 0" "stress-ng $n"; done
for n in $modules; do said "suite $n status 0" "python3: test_$n"; done
for n in $tools; do said "suite $n status 0" "$n"; done

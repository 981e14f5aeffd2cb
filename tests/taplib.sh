# SPDX-License-Identifier: GPL-3.0-or-later
# TAP for shell tests. Source it, then: plan N; ok STATUS NAME [DETAIL]; skip NAME WHY;
# skip_all WHY (instead of a plan).
tap_n=0

plan()
{
	echo "1..$1"
}

skip_all()
{
	echo "1..0 # SKIP $*"
	exit 0
}

# ok STATUS NAME [DETAIL]: DETAIL is shown, as comments, when STATUS is not 0.
ok()
{
	tap_n=$((tap_n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tap_n - $2"
	else
		echo "not ok $tap_n - $2"
		[ -z "$3" ] || printf '%s\n' "$3" | sed 's/^/# /'
	fi
}

skip()
{
	tap_n=$((tap_n + 1))
	echo "ok $tap_n - $1 # SKIP $2"
}

# wait_socket PATH [TURNS]: until it is there, TURNS (100) times 50 ms at most.
wait_socket()
{
	n=0
	while [ ! -S "$1" ] && [ $n -lt "${2:-100}" ]; do
		n=$((n + 1))
		sleep 0.05
	done
}

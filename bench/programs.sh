#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Lua and SQLite as Debian has them, with the same libraries on the host and in guests: bench/run. Prints "name
# nanoseconds", the least of three, as bench does.
#
#   bench/programs.sh DIR       DIR has programs and libraries (CACHE/programs-amd64)
dir=${1:-}
run()
{
	"$dir/ld-linux-x86-64.so.2" --library-path "$dir/" "$@"
}

run "$dir/lua5.4" - <<'END'
local function item(name, n, f)
	local best
	for _ = 1, 3 do
		local t = os.clock()
		f(n)
		t = os.clock() - t
		if not best or t < best then best = t end
	end
	print(string.format("%s %.1f", name, best / n * 1e9))
end
local function fib(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end
item("lua-fib", 10, function(n) for _ = 1, n do fib(20) end end)
item("lua-table", 50000, function(n)
	local t = {}
	for i = 1, n do t[i] = i * 7919 % 50021 end
	table.sort(t)
	local h = {}
	for i = 1, n do h["k" .. t[i] % 1000] = (h["k" .. t[i] % 1000] or 0) + i end
end)
item("lua-string", 20000, function(n)
	local s = 0
	for i = 1, n do s = s + #(("%d:%s"):format(i, ("x"):rep(i % 20)):gsub("x", "yz")) end
end)
END

# sqlite NAME ROWS: statements on standard input, by the shell's own timer.
sqlite()
{
	cat >/tmp/bench.sql
	for _ in 1 2 3; do
		{ echo ".timer on"; cat /tmp/bench.sql; } | run "$dir/sqlite3" :memory: | awk '/^Run Time/ { t += $4 } END { print t }'
	done | awk -v name="$1" -v rows="$2" 'NR == 1 || $1 < least { least = $1 } END { printf "%s %.1f\n", name, least / rows * 1e9 }'
	rm -f /tmp/bench.sql
}
sqlite sqlite-insert 40000 <<'END'
create table t(a integer primary key, b text, c real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 40000)
insert into t select i, printf('%06d', i * 7919 % 40009), i * 1.5 from n;
create index x on t(b);
END
sqlite sqlite-query 20000 <<'END'
with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
select sum(length(printf('%d', i * i))), sum(i % 7 = 3), group_concat(i % 10, '') like '%12345%' from n;
with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
select count(*) from (select i * 7919 % 20011 as k from n order by k desc);
END

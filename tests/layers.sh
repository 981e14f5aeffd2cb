#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Do the includes keep to docs/layers.txt? Each offence is printed with file and line.
# Also: does each source file stand in its module's local.mk?
. "${TOP_SRCDIR:=.}/tests/taplib.sh"
cd "$TOP_SRCDIR" || exit 99

sources()
{
	find base x86 mm cpu bt vtx hv inspect console tui gdbstub tests main.c engines.c engines.h -name '*.[chS]' -o -name '*.def' 2>/dev/null | sort
}

offences()
{
	sources | xargs awk '
	FILENAME == "docs/layers.txt" {
		sub(/#.*/, "")
		if (NF) {
			known[$1] = 1
			for (i = 2; i <= NF; i++)
				may[$1, $i] = 1
		}
		next
	}
	FNR == 1 {
		from = FILENAME
		sub(/\/.*/, "", from)
	}
	/^[ \t]*#[ \t]*include[ \t]*"/ {
		path = $0
		sub(/^[^"]*"/, "", path)
		sub(/".*/, "", path)
		if (path == "config.h")
			next
		to = path
		where = FILENAME ":" FNR ": \"" path "\""
		if (path ~ /^[^\/]*\.h$/ && (from, "*") in may)
			next
		if (!sub(/\/.*/, "", to) || path ~ /^\.\.?\//)
			print where " is not written from the root"
		else if (!(from in known))
			print where " is in a module that docs/layers.txt does not have"
		else if (from != to && !((from, to) in may) && !((from, "*") in may))
			print where ": " from " may not include " to
		else if (from != to && from != "tests" && path ~ /_int\.h$/)
			print where " is private to " to
	}' docs/layers.txt
}

unlisted()
{
	find base x86 mm cpu bt hv inspect console tui gdbstub -name '*.[chS]' -o -name '*.def' | sort | while read -r f; do
		m=${f%%/*}
		grep -qF "%D%/${f#*/}" "$m/local.mk" || echo "$f: not in $m/local.mk"
	done
}

# An engine is reached through x86/engine.h alone: only engines.c and tests name the translator's functions.
engine_calls()
{
	find base x86 mm cpu hv inspect console tui gdbstub main.c -name '*.[ch]' | sort |
		xargs grep -nE '\<bt_[a-z0-9_]+ *\('
}

plan 3
bad=$(offences)
[ -z "$bad" ]
ok $? "includes keep to docs/layers.txt" "$bad"
bad=$(unlisted)
[ -z "$bad" ]
ok $? "every source file is in its module's local.mk" "$bad"
bad=$(engine_calls)
[ -z "$bad" ]
ok $? "no function of bt is called past the engine interface" "$bad"

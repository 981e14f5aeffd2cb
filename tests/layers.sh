#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The architecture, checked in the text of the source: includes keep to docs/layers.txt, headers and structures
# stay small, the translator is reached through the engine interface. Each offence is printed with file and line.
# The last test commits one offence of each kind in a scratch tree, and expects every one of them reported.
. "${TOP_SRCDIR:=.}/tests/taplib.sh"
cd "$TOP_SRCDIR" || exit 99

HEADER_LINES=250
STRUCT_FIELDS=40

# sources PATTERN...: files of all modules whose names match; without local.mk, which is not C.
sources()
{
	for pattern; do
		find base x86 mm cpu bt vtx svm hv inspect host console tui gdbstub tests main.c engines.c engines.h \
			-name "$pattern" 2>/dev/null
	done | sort
}

# Modules and sub-folders. A sub-folder is a path of two or more names that has a row; one without a row is an
# offence of its own.
includes()
{
	sources '*.[chS]' '*.def' | xargs awk '
	FILENAME == "docs/layers.txt" {
		sub(/#.*/, "")
		if ($1 == "[sub-folders]") {
			sub_rows = 1
			next
		}
		if (!NF)
			next
		for (i = 2; i <= NF; i++) {
			if (sub_rows && !($i in folder))
				print FILENAME ":" FNR ": " $1 " names " $i ", which has no row above"
			may[$1, $i] = 1
		}
		if (sub_rows)
			folder[$1] = 1
		else
			known[$1] = 1
		next
	}
	# The row that a file belongs to.
	function row(file)
	{
		if (!sub(/\/[^\/]*_int\.h$/, "/*_int.h", file) || file ~ /\/.*\/\*/)
			sub(/\/[^\/]*$/, "", file)
		return file
	}
	FNR == 1 {
		from = FILENAME
		sub(/\/.*/, "", from)
		dir = row(FILENAME)
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
		if (!sub(/\/.*/, "", to) || path ~ /^\.\.?\//) {
			print where " is not written from the root"
			next
		}
		to_dir = row(path)
		if (!(from in known))
			print where " is in a module that docs/layers.txt does not have"
		else if (from != to && !((from, to) in may) && !((from, "*") in may))
			print where ": " from " may not include " to
		else if (from != to && from != "tests" && (path ~ /_int\.h$/ || to_dir != to))
			print where " is private to " to
		else if (from == to && from != "tests" && dir != to_dir)
			inner()
	}
	# Between folders of one module. Files in its own folder that nobody includes are free.
	function inner()
	{
		if (dir == from && FILENAME ~ /\.[cS]$/)
			return
		if (!(from in folder) && dir ~ /^[a-z0-9]*(\/\*_int\.h)?$/)
			return # a module without sub-folders
		if (!(dir in folder))
			print where ": " dir " has no row in docs/layers.txt"
		else if (!((dir, to_dir) in may))
			print where ": " dir " may not include " to_dir
	}' docs/layers.txt
}

unlisted()
{
	find base x86 mm cpu bt vtx svm hv inspect host console tui gdbstub -name '*.[chS]' -o -name '*.def' | sort | while read -r f; do
		m=${f%%/*}
		grep -qF "%D%/${f#*/}" "$m/local.mk" || echo "$f: not in $m/local.mk"
	done
}

# Headers are short, of structures with many members a comment above says why ("large because").
sizes()
{
	sources '*.[ch]' | grep -v '^tests/' | xargs awk -v lines=$HEADER_LINES -v fields=$STRUCT_FIELDS '
	function report()
	{
		if (n > fields && !reason)
			print file ":" start ": struct " name " has " n " fields, more than " fields \
				", and no comment that says \"large because\""
		open = 0
	}
	# How many members TEXT, declarations of one level, has.
	function members(text,    k)
	{
		while (match(text, /\([^()]*\)/) || match(text, /\[[^][]*\]/))
			text = substr(text, 1, RSTART - 1) substr(text, RSTART + RLENGTH)
		k = gsub(/;/, ";", text)
		return k + gsub(/,/, ",", text)
	}
	FNR == 1 {
		if (file ~ /\.h$/ && last > lines)
			print file ":" lines + 1 ": " last " lines, more than " lines " in a header"
		file = FILENAME
		comment = 0
		open = 0
		because = 0
	}
	{ last = FNR }
	{
		text = $0
		if (text ~ /[Ll]arge because/)
			because = FNR
		# Without comments, also those of several lines.
		if (comment) {
			if (!sub(/^.*\*\//, "", text))
				next
			comment = 0
		}
		while (match(text, /\/\*/)) {
			rest = substr(text, RSTART)
			head = substr(text, 1, RSTART - 1)
			if (match(rest, /\*\//))
				text = head " " substr(rest, RSTART + 2)
			else {
				text = head
				comment = 1
			}
		}
	}
	!open && text ~ /^(static |typedef )*struct [a-z_0-9]* *\{[ \t]*$/ {
		open = 1
		depth = 1
		n = 0
		start = FNR
		name = text
		sub(/^.*struct /, "", name)
		sub(/ *\{.*/, "", name)
		reason = because && FNR - because <= 3
		next
	}
	open {
		if (depth == 1)
			n += members(text)
		opens = gsub(/\{/, "{", text)
		closes = gsub(/\}/, "}", text)
		was = depth
		depth += opens - closes
		if (depth == 0)
			n -= was == 1 ? members(text) : 0
		else if (depth == 1 && was > 1)
			n += 1
		if (depth <= 0)
			report()
	}
	END {
		if (file ~ /\.h$/ && last > lines)
			print file ":" lines + 1 ": " last " lines, more than " lines " in a header"
	}'
}

# Everybody else reaches the translator through the engine interface; engines.c names what makes it.
translator()
{
	sources '*.[chS]' | grep -v -e '^bt/' -e '^tests/' -e '^engines\.c$' | xargs grep -nwE 'bt_[a-z0-9_]+' |
		sed 's/$/ <- only engines.c may name the translator/'
}

# The scratch tree: each file commits the offence that is in its name.
offend()
{
	mkdir -p docs base mm/window bt/state bt/cache bt/loose inspect/cmd hv tui || return 1
	cat >docs/layers.txt <<-END
		base
		mm base
		bt base mm
		hv base mm
		inspect base mm hv
		tui base inspect
		main.c *
		engines.c *
		[sub-folders]
		mm
		mm/*_int.h mm
		mm/window mm mm/*_int.h
		bt
		bt/cache bt bt/state
		bt/state bt
	END
	echo '#include "mm/mm.h"' >base/upward.c
	echo '#include "mm/mm_int.h"' >bt/private.c
	echo '#include "mm/window/window.h"' >hv/sub_private.c
	echo '#include "bt.h"' >bt/state/not_from_root.c
	echo '#include "bt/cache/cache.h"' >bt/state/sub_upward.c
	echo '#include "mm/window/window.h"' >mm/root_header.h
	echo '#include "mm/mm_int.h"' >mm/private.h
	echo '#include "mm/mm_int.h"' >mm/window/allowed.c
	echo '#include "bt/bt.h"' >bt/loose/no_row.c
	echo '#include "base/x.h"' >vtx.c && mkdir vtx && mv vtx.c vtx/no_module.c
	awk 'BEGIN { for (i = 0; i < 260; i++) print "/* */" }' >tui/long.h
	{
		awk 'BEGIN { print "struct many {"; for (i = 0; i < 20; i++) print "\tint (*f" i ")(int a, int b), g" i ";" }'
		printf '\tint one_more; /* int not_this; */\n};\n'
		echo '/* Large because it has a reason. */'
		awk 'BEGIN { print "struct excused {"; for (i = 0; i < 41; i++) print "\tint f" i ";"; print "};" }'
		printf 'struct nested {\n'
		awk 'BEGIN { for (i = 0; i < 39; i++) print "\tint f" i ";" }'
		printf '\tstruct {\n\t\tint a, b, c;\n\t} inner;\n};\n'
	} >tui/struct.c
	printf 'void f(void)\n{\n\tbt_drop_all();\n}\n' >inspect/cmd/calls_bt.c
	printf '#include "engines.h"\nint main(void)\n{\n\treturn !bt_vcpu_new(0);\n}\n' >main.c
	cp main.c engines.c
	echo '#include "engines.h"' >inspect/root.c
}

expected()
{
	cat <<-END
		base/upward.c:1: "mm/mm.h": base may not include mm
		bt/loose/no_row.c:1: "bt/bt.h": bt/loose has no row in docs/layers.txt
		bt/private.c:1: "mm/mm_int.h" is private to mm
		bt/state/not_from_root.c:1: "bt.h" is not written from the root
		bt/state/sub_upward.c:1: "bt/cache/cache.h": bt/state may not include bt/cache
		docs/layers.txt:14: bt/cache names bt/state, which has no row above
		hv/sub_private.c:1: "mm/window/window.h" is private to mm
		inspect/cmd/calls_bt.c:3:	bt_drop_all(); <- only engines.c may name the translator
		mm/root_header.h:1: "mm/window/window.h": mm may not include mm/window
		inspect/root.c:1: "engines.h" is not written from the root
		main.c:4:	return !bt_vcpu_new(0); <- only engines.c may name the translator
		mm/private.h:1: "mm/mm_int.h": mm may not include mm/*_int.h
		tui/long.h:251: 260 lines, more than 250 in a header
		tui/struct.c:1: struct many has 41 fields, more than 40, and no comment that says "large because"
		vtx/no_module.c:1: "base/x.h" is in a module that docs/layers.txt does not have
	END
}

# What the checks say about the scratch tree, against what they must say.
self_test()
{
	tree=$(scratch)
	(
		cd "$tree" && offend && {
			includes
			sizes
			translator
		} | sort >found
		expected | sort | diff - found
	)
	status=$?
	rm -rf "$tree"
	return $status
}

plan 5
bad=$(includes)
[ -z "$bad" ]
ok $? "includes keep to docs/layers.txt" "$bad"
bad=$(unlisted)
[ -z "$bad" ]
ok $? "every source file is in its module's local.mk" "$bad"
bad=$(sizes)
[ -z "$bad" ]
ok $? "no header is long and no structure large without a reason" "$bad"
bad=$(translator)
[ -z "$bad" ]
ok $? "nobody but engines.c names the translator" "$bad"
bad=$(self_test)
ok $? "an offence of each kind is reported with file and line" "$bad"

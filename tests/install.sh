#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What "make install" and "make deb" leave: a program that runs by itself, its manual page and book with links that lead
# somewhere, and completion of its command line in bash.
. "${TOP_SRCDIR:=$(cd "$(dirname "$0")/.." && pwd)}/tests/taplib.sh"
BUILD=${TOP_BUILDDIR:-$TOP_SRCDIR/build}
[ -f "$BUILD/Makefile" ] && [ -x "$BUILD/vitrine" ] || skip_all "nothing is built in $BUILD"
command -v make >/dev/null || skip_all "no make"
TMP=$(scratch) || exit 99
trap 'rm -rf "$TMP"' EXIT
unset MAKEFLAGS MAKELEVEL MFLAGS
plan 20

timeout 300 make -s -C "$BUILD" install prefix=/usr DESTDIR="$TMP/root" >"$TMP/log" 2>&1
ok $? "make install" "$(tail -5 "$TMP/log")"
installed=$TMP/root/usr/bin/vitrine
(cd / && timeout 60 "$installed" run demo </dev/null) >"$TMP/out" 2>&1
[ $? -eq 1 ] && grep -q "all .* passed" "$TMP/out"
ok $? "the installed program runs the embedded guest" "$(tail -3 "$TMP/out")"
[ -s "$TMP/root/usr/share/man/man1/vitrine.1" ]
ok $? "manual page"
[ -s "$TMP/root/usr/share/vitrine/vitrine_gdb.py" ] && [ -x "$TMP/root/usr/share/vitrine/bisect-modes" ]
ok $? "what gdb loads, and the tool that finds where two modes differ"

# broken_links FOLDER: relative links of the pages below it that lead nowhere
broken_links()
{
	find "$1" -name '*.md' | while read -r page; do
		grep -o '](\([^)#:]*\)[)#]' "$page" | sed 's/^](//; s/[)#]$//' | while read -r link; do
			[ -z "$link" ] || [ -e "${page%/*}/$link" ] || echo "$page: $link"
		done
	done
}
book=$TMP/root/usr/share/doc/vitrine
[ -s "$book/docs/tutorial.md" ] && [ -s "$book/docs/examples/hang.c" ] && [ "$(find "$book" -name '*.md' | wc -l)" -ge 10 ]
ok $? "the book" "$(find "$book")"
broken=$(broken_links "$book")
[ -z "$broken" ]
ok $? "all of whose links lead somewhere" "$broken"

# completes WORD... EXPECTED: are the completions of the last WORD those EXPECTED?
completes()
{
	for expected; do :; done
	got=$(COMPLETION=$TMP/root/usr/share/bash-completion/completions/vitrine PROGRAM=$installed bash -c '
		. "$COMPLETION"
		COMP_WORDS=(vitrine "${@:1:$#-1}")
		COMP_CWORD=$(($# - 1))
		_vitrine "$PROGRAM" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
		echo "${COMPREPLY[*]}"' bash "$@" 2>&1)
	[ "$got" = "$expected" ]
	ok $? "completion: $*" "$got"
}
if command -v bash >/dev/null; then
	completes "" "run shell tui host attach --help --version"
	completes at "attach"
	completes run --en "--engine --entry"
	completes run --engine "" "bt vtx kvm"
	completes run --clock "" "host icount"
	completes run --cpu has "haswell"
	completes tui --dump s "spaces sharing"
	completes shell --memory "" ""
	completes run demo6 "demo64"
	completes shell -x "$book/READ" "$book/README.md"
	export XDG_RUNTIME_DIR="$TMP"
	mkdir "$TMP/vitrine"
	if command -v python3 >/dev/null; then
		python3 -c 'import socket, sys
for p in sys.argv[1:]: socket.socket(socket.AF_UNIX).bind(p)' "$TMP/vitrine/lab.control" "$TMP/vitrine/lab.web.control" "$TMP/vitrine/lab.join"
		completes attach la "lab lab/web"
	else
		skip "completion of sessions" "no python3"
	fi
else
	for i in 1 2 3 4 5 6 7 8 9 10 11; do skip "completion" "no bash"; done
fi

if command -v dpkg-deb >/dev/null && command -v dpkg-shlibdeps >/dev/null; then
	deb=$(cd "$BUILD" && timeout 300 "$TOP_SRCDIR/tools/make-deb" make 9.9 2>"$TMP/log" | tail -1)
	dpkg-deb -x "$deb" "$TMP/unpacked" && [ "$("$TMP/unpacked/usr/bin/vitrine" --version)" = "$("$installed" --version)" ]
	ok $? "make deb makes a package" "$(cat "$TMP/log")"
	dpkg-deb -f "$deb" Depends | grep -q 'libzydis4.*libxxhash0\|libxxhash0.*libzydis4'
	ok $? "that depends on its libraries" "$(dpkg-deb -f "$deb" Depends)"
	[ "$(dpkg-deb -c "$deb" | awk '$2 != "root/root" || substr($1, 6, 1) == "w" || substr($1, 9, 1) == "w"' | wc -l)" -eq 0 ]
	ok $? "and whose files are root's" "$(dpkg-deb -c "$deb")"
	rm -f "$deb"
else
	skip "make deb makes a package" "no dpkg-dev"
	skip "that depends on its libraries" "no dpkg-dev"
	skip "and whose files are root's" "no dpkg-dev"
fi

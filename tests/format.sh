#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The formatting of all C files is clang-format's with .clang-format. Versions disagree; 14 (Debian 12's) decides.
. "${TOP_SRCDIR:=.}/tests/taplib.sh"
cd "$TOP_SRCDIR" || exit 99
for format in clang-format-14 clang-format ""; do
	[ -z "$format" ] || ! command -v "$format" >/dev/null || break
done
[ -n "$format" ] || skip_all "no clang-format"
version=$("$format" --version)
case $version in
*"version 14."*) ;;
*) skip_all "clang-format 14 decides; this is $version" ;;
esac

# Without git (in an unpacked distribution) the build directories are not below the folders named.
sources=$(git ls-files '*.c' '*.h' 2>/dev/null)
[ -n "$sources" ] || sources=$(find main.c base x86 mm cpu bt hv inspect console tui gdbstub guests bench tests -name '*.[ch]')
plan 2
# shellcheck disable=SC2086
bad=$("$format" --dry-run -Werror --ferror-limit=1 $sources 2>&1 | grep 'error:' | head -20)
[ -z "$bad" ]
ok $? "clang-format agrees with every file" "$bad"
printf 'int  main(void)\n{\n\treturn 0;\n}\n' | "$format" --dry-run -Werror --assume-filename=main.c 2>/dev/null
[ $? -ne 0 ]
ok $? "an offence is noticed"

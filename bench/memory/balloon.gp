# SPDX-License-Identifier: GPL-3.0-or-later
# How much slower dbench is in a ballooned VM than in one configured as small, beside what the paper gives of its
# figure 2: its ends.
set terminal svg size 640,420
set output out."/balloon.svg"
set xlabel "MB"
set ylabel "slower than configured, %"
set xrange [112:240]
set xtics 32
set key top right
set datafile missing "-"
$paper << END
128 4.4
224 1.4
END
plot out."/balloon.tsv" using 1:6:7 with yerrorbars title "ballooned, 95 %", "" using 1:6 with points notitle, \
     $paper using 1:2 with linespoints dashtype 2 title "paper", 0 with lines linecolor "gray" notitle

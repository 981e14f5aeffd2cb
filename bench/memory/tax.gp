# SPDX-License-Identifier: GPL-3.0-or-later
# Memory of an idle VM and of a busy one, first without a tax on idle memory, from 0 s on with 0.75; beside what the
# paper gives of its figure 7: both settle at 179 MB without it.
set terminal svg size 720,420
set output out."/tax.svg"
set xlabel "s since the tax"
set ylabel "MB"
set yrange [0:260]
set key bottom left
set arrow from 0,0 to 0,260 nohead dashtype 2
first(turn, x) = turn == 0 ? x : 1/0
plot out."/tax-time.tsv" using (first($1, $2)):3 with lines title "idle", "" using (first($1, $2)):8 with lines title "busy", \
     "" using (first($1, $2)):4 with lines dashtype 3 title "idle: target", \
     "" using (first($1, $2)):9 with lines dashtype 3 title "busy: target", \
     "" using (first($1, $2)):($2 < 0 ? 179 : 1/0) with lines dashtype 2 title "paper: both, without a tax"

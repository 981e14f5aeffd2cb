# SPDX-License-Identifier: GPL-3.0-or-later
# Traffic of the guest's disk and of the swap file, when a balloon takes memory and when the host's swap does.
set terminal svg size 640,420
set output out."/double-paging.svg"
set ylabel "MB"
set yrange [0:*]
set style data histograms
set style histogram rowstacked
set style fill solid border -1
set boxwidth 0.7
set key outside top center horizontal
plot out."/double-paging.tsv" using 4:xtic(strcol(1)." ".strcol(2)) title "read", "" using 5 title "written", \
     "" using 6 title "swapped out", "" using 7 title "read back"

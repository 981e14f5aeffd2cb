/* SPDX-License-Identifier: GPL-3.0-or-later
 * Replays the files of a corpus on a fuzz target; results as TAP. In place of libFuzzer's main(). */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>

int main(int argc, char **argv)
{
	static uint8_t buf[1 << 20];

	printf("1..%d\n", argc - 1);
	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "rb");
		size_t n = f ? fread(buf, 1, sizeof(buf), f) : 0;

		if (f) {
			fclose(f);
			LLVMFuzzerTestOneInput(buf, n);
		}
		printf("%s %d - %s\n", f ? "ok" : "not ok", i, argv[i]);
		fflush(stdout);
	}
	return 0;
}

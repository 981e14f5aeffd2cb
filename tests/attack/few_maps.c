/* SPDX-License-Identifier: GPL-3.0-or-later
 * Preloaded: a host that refuses mappings, but not the guest's whole memory. After FEW_MAPS fixed mappings of
 * files (which are pages of windows) each further one fails; with FEW_MAPS_EVERY only each so many-th does.
 * With FEW_MAPS_LIE it claims success and maps nothing. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MEMORY = 32 << 20 }; /* of the guests in limits.sh */

static long setting(const char *name)
{
	const char *text = getenv(name);

	return text ? atol(text) : 0;
}

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	static long limit = -1, every, lie;
	static long count;

	if (limit < 0) {
		every = setting("FEW_MAPS_EVERY");
		lie = setting("FEW_MAPS_LIE");
		limit = setting("FEW_MAPS");
	}
	if ((flags & MAP_FIXED) && fd >= 0 && len < MEMORY && ++count > limit &&
	    (!every || count % every == 0)) {
		if (lie)
			return addr;
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, off);
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 * Lines. Guests hand out memory so that PPNs ascend with VPNs. Where a miss shows that, one mapping of up to
 * 256 pages is made, in which every page is closed: the range is registered with userfaultfd for missing
 * pages, pages that only lack their host entry, and write protection alike, so that a touch of a closed page
 * is a SIGBUS and never brings the page back. Opening a page (UFFDIO_CONTINUE), write-protecting it and
 * closing it (MADV_DONTNEED) change host page tables alone, at a fifth of the cost of an mmap.
 *
 * SH_LINE says that the host has a line's mapping at a VPN. The entry's PPN then is the one that the line has
 * there, for closed pages too. Only pages at home are opened, as a line maps home slots. Where the host
 * has no userfaultfd for us there are no lines, and each page takes an mmap. */
#include "mm/window/fill.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINE_PAGES 256
#define LINES_OFF (-2)
#define LINE_LEAST 8 /* for fewer it is not worth it */

int line_init(void)
{
	struct uffdio_api api = { .api = UFFD_API,
				  .features = UFFD_FEATURE_SIGBUS | UFFD_FEATURE_MISSING_SHMEM |
					      UFFD_FEATURE_MINOR_SHMEM | UFFD_FEATURE_WP_HUGETLBFS_SHMEM };
	const char *use = getenv("VITRINE_USERFAULTFD"); /* for tests: "off" */
	int fd;

	if (use && !strcmp(use, "off"))
		return LINES_OFF;
	fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

const char *mmu_pages_slow(const struct mmu *m)
{
	return m->uffd >= 0 ? NULL
	       : m->uffd == LINES_OFF
		   ? "userfaultfd is off (VITRINE_USERFAULTFD): each page takes an mmap, slower"
		   : "the host refuses userfaultfd: each page takes an mmap, slower";
}

static struct uffdio_range range_of(const struct window *w, vpn32 vpn, uint32_t n)
{
	return (struct uffdio_range){ (uint64_t)w->base + ((uint64_t)vpn << PAGE_SHIFT),
				      (uint64_t)n << PAGE_SHIFT };
}

bool line_close(const struct window *w, vpn32 vpn, uint32_t n)
{
	struct uffdio_range r = range_of(w, vpn, n);

	return !madvise((void *)r.start, r.len, MADV_DONTNEED);
}

bool line_protect(const struct mmu *m, const struct window *w, vpn32 vpn, uint32_t n, bool on)
{
	struct uffdio_writeprotect wp = { .range = range_of(w, vpn, n),
					  .mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0 };

	return !ioctl(m->uffd, UFFDIO_WRITEPROTECT, &wp);
}

/* Open N pages from PPN P, of which the first is at VPN. Their bytes must exist in the file. */
static bool open_pages(struct mmu *m, const struct window *w, vpn32 vpn, uint32_t n, ppn p)
{
	for (uint32_t done = 0, tries = 0; done < n && tries < n + 3; tries++) {
		struct uffdio_continue c = { .range = range_of(w, vpn + done, n - done),
					     .mode = UFFDIO_CONTINUE_MODE_DONTWAKE };

		if (!ioctl(m->uffd, UFFDIO_CONTINUE, &c))
			return true;
		if (c.mapped > 0)
			done += (uint32_t)(c.mapped >> PAGE_SHIFT);
		else if (errno == EEXIST) { /* left open by a drop that is still to be made */
			if (!line_close(w, vpn + done, n - done))
				return false;
		} else if (errno != EFAULT ||
			   fallocate(m->vm->fd, FALLOC_FL_KEEP_SIZE, (off_t)(p + done) << PAGE_SHIFT,
				     (off_t)(n - done) << PAGE_SHIFT))
			return false;
	}
	return false;
}

bool line_serves(const struct mmu *m, const struct window *w, vpn32 vpn, uint32_t n, ppn p)
{
	for (uint32_t i = 0; i < n; i++)
		if (!(w->shadow[vpn + i] & SH_LINE) || sh_get(w, vpn + i) >> 12 != p + i)
			return false;
	return m->vm->pmap[p].mpn == p;
}

bool line_open(struct mmu *m, struct window *w, vpn32 vpn, uint32_t n, ppn p, bool writable)
{
	if (open_pages(m, w, vpn, n, p) && (writable || line_protect(m, w, vpn, n, true)))
		return true;
	line_close(w, vpn, n);
	return false;
}

/* How far a line from VPN and P could reach: over pages that are not known, and memory. */
static uint32_t reach(const struct mmu *m, const struct window *w, vpn32 vpn, uint32_t n, ppn p)
{
	uint32_t room = region_pages(w) - (vpn & (region_pages(w) - 1));

	if (room > LINE_PAGES)
		room = LINE_PAGES;
	while (n < room && !(w->shadow[vpn + n] & SH_IN) && ppn_ram(m->vm, p + n))
		n++;
	return n;
}

void line_begin(struct mmu *m, struct window *w, struct region *r, vpn32 vpn, uint32_t n, ppn p)
{
	uint64_t before = vpn & (region_pages(w) - 1) ? sh_get(w, vpn - 1) : 0;
	uint32_t len;
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR |
					       UFFDIO_REGISTER_MODE_WP };

	if (m->uffd < 0 || !(before & SH_P) || before >> 12 != p - 1 || m->vm->pmap[p].mpn != p)
		return;
	len = reach(m, w, vpn, n, p);
	if (n > LINE_PAGES / 2 || len < LINE_LEAST)
		return;
	reg.range = range_of(w, vpn, len);
	if (mmap((void *)reg.range.start, reg.range.len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 m->vm->fd, (off_t)p << PAGE_SHIFT) == MAP_FAILED)
		return;
	maps_add(m, w, 2);
	line_forget(w, vpn, len);
	if (ioctl(m->uffd, UFFDIO_REGISTER, &reg)) { /* what is not registered comes back by a touch */
		host_unmap(m, w, vpn, len);
		return;
	}
	for (uint32_t i = 0; i < len; i++)
		if (!(w->shadow[vpn + i] & SH_IN))
			sh_put(w, vpn + i, sh_of(p + i) | SH_LINE);
		else if (sh_get(w, vpn + i) >> 12 == p + i)
			w->shadow[vpn + i] |= SH_LINE;
	r->lined = w->lined = true;
	m->st.lines++;
}

void line_forget(struct window *w, vpn32 vpn, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t *s = &w->shadow[vpn + i];

		if (*s & SH_LINE)
			*s = *s & SH_IN ? *s & ~(uint32_t)SH_LINE : 0;
	}
}

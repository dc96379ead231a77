/* gemm_memory.c - large aligned blocks on large pages.
 * A panel walk touches hundreds of 4 KiB pages per microsecond; with 2 MiB pages, where the system
 * grants them, a product of 2048^3 loses less to address translation. */
#include "core/kernels/gemm_priv.h"
#include <sys/mman.h>

#include "core/base/mem.h"

enum { HUGE_PAGE = 2 << 20 };

void *tn_gemm_alloc(size_t n_bytes, void **block) {
    size_t unit = n_bytes >= 2 * HUGE_PAGE ? (size_t)HUGE_PAGE : (size_t)TN_GEMM_ALIGN;
    if (n_bytes > SIZE_MAX - unit) return *block = NULL;
    *block = tn_alloc(n_bytes + unit);
    if (!*block) return NULL;
    char *p = (char *)tn_round_up((uintptr_t)*block, unit);
#if defined(MADV_HUGEPAGE)
    if (unit == HUGE_PAGE) (void)madvise(p, n_bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
    return p;
}

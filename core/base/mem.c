/* mem.c - see mem.h. */
#define TN_MEM_IMPL
#include "core/base/mem.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static _Atomic int64_t fail_in = -1; /* allocations until failure; negative: off */
static _Atomic int fail_sticky;
static _Atomic uint64_t n_allocs;

static int should_fail(void) {
    atomic_fetch_add_explicit(&n_allocs, 1, memory_order_relaxed);
    int64_t left = atomic_load_explicit(&fail_in, memory_order_relaxed);
    if (left < 0) return 0;
    left = atomic_fetch_sub(&fail_in, 1);
    if (left > 0) return 0;
    if (atomic_load(&fail_sticky)) atomic_store(&fail_in, 0);
    return left == 0;
}

void *tn_alloc(size_t n_bytes) {
    if (should_fail()) return NULL;
    return malloc(n_bytes ? n_bytes : 1);
}

void *tn_calloc(size_t n, size_t size) {
    if (should_fail()) return NULL;
    return calloc(n ? n : 1, size ? size : 1);
}

void *tn_realloc(void *p, size_t n, size_t size) {
    size_t n_bytes;
    if (__builtin_mul_overflow(n, size, &n_bytes) || should_fail()) return NULL;
    return realloc(p, n_bytes ? n_bytes : 1);
}

void tn_free(void *p) {
    free(p);
}

char *tn_strndup(const char *s, size_t n) {
    char *copy = n < SIZE_MAX ? tn_alloc(n + 1) : NULL;
    if (!copy) return NULL;
    memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

char *tn_strdup(const char *s) {
    return tn_strndup(s, strlen(s));
}

int tn_grow_(void **vec, size_t *cap, size_t need, size_t size) {
    if (need <= *cap) return 0;
    size_t cap_new = *cap < 8 ? 8 : *cap;
    while (cap_new < need) {
        if (cap_new > SIZE_MAX / 2) return -1;
        cap_new *= 2;
    }
    void *p = tn_realloc(*vec, cap_new, size);
    if (!p) return -1;
    *vec = p;
    *cap = cap_new;
    return 0;
}

void tn_mem_fail_after(int64_t n, int sticky) {
    atomic_store(&fail_sticky, sticky);
    atomic_store(&fail_in, n);
}

uint64_t tn_mem_n_allocs(void) {
    return atomic_load(&n_allocs);
}

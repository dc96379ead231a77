/* work.c - see work.h. */
#include "core/lm/work.h"
#include <stdint.h>

#include "core/base/mem.h"

enum { ALIGN = 64 };

void *tn_lm_work_take(tn_lm_work *w, size_t n, size_t size) {
    size_t n_bytes, used;
    if (__builtin_mul_overflow(n, size, &n_bytes) ||
        __builtin_add_overflow(w->used, n_bytes, &used) || used > SIZE_MAX / 2) {
        w->used = SIZE_MAX / 2; /* no block is that large: the layout fails */
        return NULL;
    }
    uintptr_t base = ((uintptr_t)w->data + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1);
    void *p = w->measuring ? NULL : (void *)(base + w->used);
    w->used = (used + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    return p;
}

bool tn_lm_work_layout(tn_lm_work *w, void (*layout)(void *arg, tn_lm_work *w), void *arg) {
    w->measuring = true;
    w->used = 0;
    layout(arg, w);
    if (w->used + ALIGN > w->cap) {
        tn_free(w->data);
        w->cap = 0;
        w->data = tn_alloc(w->used + ALIGN);
        if (!w->data) return false;
        w->cap = w->used + ALIGN;
    }
    w->measuring = false;
    w->used = 0;
    layout(arg, w);
    return true;
}

void tn_lm_work_deinit(tn_lm_work *w) {
    tn_free(w->data);
    *w = (tn_lm_work){0};
}

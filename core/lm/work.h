/* work.h - the memory of one step: measured first, then carved from one block that is kept.
 * A step's layout is written once, as a function that takes each array in turn. It runs twice: on
 * an empty block to learn the size, and on the real one. Memory is that of the largest step. */
#ifndef TN_LM_WORK_H
#define TN_LM_WORK_H
#include <stdbool.h>
#include <stddef.h>

typedef struct tn_lm_work {
    char *data; /* NULL while measuring the first time */
    size_t cap, used;
    bool measuring;
} tn_lm_work; /* zero-initialise */

/* An array of n elements, 64-byte aligned; NULL while measuring. */
void *tn_lm_work_take(tn_lm_work *w, size_t n, size_t size);
/* Run layout(arg, w) twice. false: out of memory. */
bool tn_lm_work_layout(tn_lm_work *w, void (*layout)(void *arg, tn_lm_work *w), void *arg);
void tn_lm_work_deinit(tn_lm_work *w);

#endif

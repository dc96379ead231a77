/* fuzz_checkpoint.c - any bytes as a checkpoint, as they are and under a checksum made right:
 * refused with a reason and nothing changed, or loaded whole. */
#include "core/graph/checkpoint.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void load(const uint8_t *data, size_t size) {
    float w[8] = {1, 2, 3, 4, 5, 6, 7, 8}, g[8] = {0}, before[8];
    tn_optim_param p[2] = {{"a", w, g, 6, 2, {2, 3}, 1, 1}, {"b", w + 6, g + 6, 2, 1, {2}, 1, 1}};
    tern_optim_opts opts = tern_optim_defaults(TERN_OPTIM_ADAMW);
    tern_optim *o;
    if (tn_optim_new(&opts, p, 2, NULL, &o, NULL) != TERN_OK) abort();
    tern_train_state s;
    tern_error e = {0};
    memcpy(before, w, sizeof w);
    if (tn_train_state_read("fuzz", data, size, o, 7, &s, &e) != TERN_OK) {
        if (!e.text[0] || s.user || memcmp(before, w, sizeof w) != 0) abort();
        if (tern_optim_n_steps(o) != 0) abort();
    } else if (s.recipe_hash != 7) {
        abort();
    }
    tern_train_state_deinit(&s);
    tern_optim_free(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    load(data, size);
    const char *digits = tn_train_state_digits(data, size);
    if (!digits) return 0;
    uint8_t *sealed = tn_alloc(size);
    if (!sealed) return 0;
    char crc[9];
    memcpy(sealed, data, size);
    snprintf(crc, sizeof crc, "%08x", tn_train_state_crc(data, size));
    memcpy(sealed + (digits - (const char *)data), crc, 8);
    load(sealed, size);
    tn_free(sealed);
    return 0;
}

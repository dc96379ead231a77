/* fuzz_policy.c - any bytes as a policy file: loaded or refused, and what was loaded scores. */
#include "agent/scorer.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {"a", "b"};
    static char path[64];
    if (!path[0]) snprintf(path, sizeof path, "/tmp/tern-fuzz-policy-%d", (int)getpid());
    FILE *f = fopen(path, "wb");
    if (!f) return 0;
    bool written = fwrite(data, 1, size, f) == size;
    written = fclose(f) == 0 && written;
    tn_scorer s;
    tern_error err;
    if (written && tn_scorer_load(&s, names, 2, path, &err) == TERN_OK) {
        for (size_t i = 0; i < tn_scorer_n_params(s.n_in, s.n_hidden); i++)
            if (!isfinite(s.params[i])) abort();
        const float x[] = {1, -1};
        (void)tn_scorer_forward(&s, x);
        tn_scorer_deinit(&s);
    }
    unlink(path);
    return 0;
}

/* The config.json reader over hostile text. What it accepts must have a weight table and rotary
 * frequencies that are numbers. */
#include "core/lm/weights.h"
#include <math.h>
#include <stdlib.h>

#include "core/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tn_lm_config c;
    tern_error e;
    float freq[256];
    if (tn_lm_config_parse((const char *)data, size, "config.json", &c, &e) != TERN_OK) {
        if (!e.text[0]) abort();
        return 0;
    }
    size_t n = tn_lm_params(&c, NULL);
    tn_lm_param *p = tn_alloc(n * sizeof *p);
    if (p && (tn_lm_params(&c, p) != n || !p[0].name[0])) abort();
    for (size_t i = 0; p && i < n; i++)
        if (p[i].rows == 0 || !p[i].name[0]) abort();
    tn_free(p);
    if (tn_lm_context(&c) == 0 || tn_lm_param_count(&c) == 0) abort();
    if (c.family == TN_LM_DECODER) {
        tn_lm_rope_frequencies(&c.rope, c.head_dim, freq);
        for (uint32_t i = 0; i < c.head_dim / 2; i++)
            if (!isfinite(freq[i])) abort();
    }
    return 0;
}

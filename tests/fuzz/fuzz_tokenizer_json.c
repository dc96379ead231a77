/* Any bytes as a tokenizer.json: refused, or a line is encoded with it. */
#include "tests/fuzz/fuzz_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tern_error err;
    tern_tokenizer *t = tn_tokenizer_new();
    if (!t) return 0;
    fuzz_finish(t, tn_load_json(t, "fuzz", (const char *)data, size, &err), true);
    return 0;
}

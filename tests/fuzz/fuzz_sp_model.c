/* Any bytes as a SentencePiece model: our reader refuses, or the library takes it and encodes. */
#include "tests/fuzz/fuzz_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tern_error err;
    tern_tokenizer *t = tn_tokenizer_new();
    if (!t) return 0;
    bool fairseq = size % 2 == 1;
    fuzz_finish(t, tn_load_sp(t, "fuzz", data, size, fairseq, &err), false);
    return 0;
}

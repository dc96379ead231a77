/* Any bytes as vocab.json and merges.txt, a NUL between them; without a NUL, as vocab.txt. */
#include "tests/fuzz/fuzz_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const tn_tok_config config = {.class = ""};
    const char *text = (const char *)data, *nul = size ? memchr(text, '\0', size) : NULL;
    tern_error err;
    tern_status st;
    tern_tokenizer *t = tn_tokenizer_new();
    if (!t) return 0;
    if (nul) {
        size_t n_vocab = (size_t)(nul - text);
        st = tn_load_vocab_merges(t, "vocab", text, n_vocab, "merges", nul + 1, size - n_vocab - 1,
                                  &config, &err);
    } else {
        st = tn_load_vocab_txt(t, "vocab", text, size, &config, &err);
    }
    fuzz_finish(t, st, false);
    return 0;
}

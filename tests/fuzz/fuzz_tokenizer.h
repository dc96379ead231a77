/* fuzz_tokenizer.h - what every tokenizer that was opened must keep: spans in order within the
 * text, ids with pieces, a decoding without failure, streams of well-formed parts. */
#ifndef FUZZ_TOKENIZER_H
#define FUZZ_TOKENIZER_H
#include "core/base/text.h"
#include "core/lm/tokenizer/load_lists.h"
#include "tern/tokenizer.h"
#include <stdlib.h>
#include <string.h>

/* Memory may be short when a fuzzer's input asks for much; other failures of a sound call abort. */
static inline void fuzz_encode(const tern_tokenizer *t, const char *text, size_t n, bool exact) {
    tern_tokens x = {0};
    tern_error err;
    tern_encode_opts opts = {.add_special = !exact, .parse_special = true, .spans = true};
    if (tern_tokenizer_encode(t, text, n, &opts, &x, &err) == TERN_OK) {
        char *back = NULL;
        size_t len = 0;
        for (size_t i = 0; i < x.n; i++) {
            if (!tern_tokenizer_piece(t, x.ids[i])) abort();
            if (x.spans[i].begin > x.spans[i].end || x.spans[i].end > n) abort();
        }
        if (tern_tokenizer_decode(t, x.ids, x.n, false, &back, &len, &err) != TERN_OK) abort();
        if (exact && (len != n || memcmp(back, text, n) != 0)) abort();
        tern_tokenizer_free_text(back);
    }
    tern_tokens_deinit(&x);
}

/* A loader's status so far; finishes the tokenizer, lets it encode, and closes it. */
static inline void fuzz_finish(tern_tokenizer *t, tern_status st, bool own_template) {
    static const char line[] =
        "The tern's 12 \xE5\x8C\x97 caf\xC3\xA9 <s> ab  \xFF \n\xE2\x96\x81x";
    const tn_tok_config config = {.class = ""};
    tern_error err;
    if (st == TERN_OK) st = tn_tok_config_apply(t, &config, own_template, &err);
    if (st == TERN_OK) st = tn_tokenizer_finish(t, &err);
    if (st == TERN_OK) fuzz_encode(t, line, sizeof line - 1, false);
    tern_tokenizer_close(t);
}

#endif

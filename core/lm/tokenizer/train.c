/* train.c - learning a SentencePiece Unigram model from text files, a line a sentence. */
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/lm/tokenizer/sp_shim.h"
#include "tern/tokenizer.h"
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

enum { VOCAB_MAX = 1 << 20, LINE_MAX_BYTES = 65536, EVERY = 4096 };

typedef struct corpus {
    tn_map *maps;
    size_t n_maps, file; /* the file being read */
    size_t at;           /* in that file */
    uint64_t n_lines;    /* that hold something, in all files */
    uint64_t seen, n_taken, n_wanted;
    const tern_host *host;
    tn_buf fixed; /* the line handed out, if it had to be repaired */
    bool cancelled;
} corpus;

tern_tokenizer_train_opts tern_tokenizer_train_defaults(void) {
    return (tern_tokenizer_train_opts){
        .vocab_size = 8000, .character_coverage = 0.9995, .byte_fallback = true};
}

/* The next line that holds something; false at the end of the last file. */
static bool next_line(corpus *c, const char **line, size_t *n) {
    while (c->file < c->n_maps) {
        const tn_map *m = &c->maps[c->file];
        if (c->at >= m->size) {
            c->file++;
            c->at = 0;
            continue;
        }
        const char *s = (const char *)m->data + c->at;
        size_t left = m->size - c->at;
        const char *nl = memchr(s, '\n', left);
        *n = nl ? (size_t)(nl - s) : left;
        c->at += *n + (nl != NULL);
        if (*n > LINE_MAX_BYTES) { /* the learner would skip it: give it out in parts */
            size_t cut = tn_utf8_floor(s, *n, LINE_MAX_BYTES);
            c->at -= *n + (nl != NULL) - cut;
            *n = cut;
        }
        *line = s;
        tn_trim(line, n);
        if (*n) return true;
    }
    return false;
}

static void report(const corpus *c) {
    tern_progress p = {"reading", "lines", c->seen, c->n_lines};
    if (c->host && c->host->progress) c->host->progress(c->host->ud, &p);
}

static bool is_cancelled(const corpus *c) {
    return c->host && c->host->cancelled && c->host->cancelled(c->host->ud);
}

static int give_line(void *ud, const char **line, size_t *n) {
    corpus *c = ud;
    while (next_line(c, line, n)) {
        if (c->seen % EVERY == 0) {
            report(c);
            if ((c->cancelled = is_cancelled(c))) return -1;
        }
        c->seen++;
        /* Line number i of n is taken when i * wanted / n moves on: evenly spread. */
        uint64_t due = (uint64_t)((double)c->seen * (double)c->n_wanted / (double)c->n_lines);
        if (due <= c->n_taken && c->n_wanted < c->n_lines) continue;
        c->n_taken++;
        if (tn_utf8_valid(*line, *n)) return 1;
        tn_buf_reset(&c->fixed);
        tn_utf8_repair(*line, *n, &c->fixed);
        if (c->fixed.failed) return -1;
        *line = c->fixed.data;
        *n = c->fixed.len;
        return 1;
    }
    report(c);
    return 0;
}

static tern_status check(const tern_tokenizer_train_opts *o, size_t n_paths, tern_error *err) {
    int least = o->byte_fallback ? 300 : 10;
    if (o->vocab_size < least || o->vocab_size > VOCAB_MAX)
        return tern_fail(err, TERN_ERR_ARG, 0, "a vocabulary of %d is not within %d to %d",
                         o->vocab_size, least, VOCAB_MAX);
    if (!(o->character_coverage >= 0.98 && o->character_coverage <= 1))
        return tern_fail(err, TERN_ERR_ARG, 0, "a character coverage of %g is not within 0.98 to 1",
                         o->character_coverage);
    if (n_paths == 0) return tern_fail(err, TERN_ERR_ARG, 0, "no text to learn from");
    return TERN_OK;
}

static tern_status open_corpus(corpus *c, const char *const *paths, size_t n_paths,
                               uint64_t max_sentences, tern_error *err) {
    const char *line;
    size_t n;
    c->maps = tn_calloc(n_paths, sizeof *c->maps);
    if (!c->maps) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    for (; c->n_maps < n_paths; c->n_maps++) {
        tern_status st = tn_map_open(paths[c->n_maps], &c->maps[c->n_maps], err);
        if (st != TERN_OK) return st;
    }
    while (next_line(c, &line, &n)) c->n_lines++;
    c->file = c->at = 0;
    c->n_wanted = max_sentences && max_sentences < c->n_lines ? max_sentences : c->n_lines;
    if (c->n_lines == 0)
        return tern_fail(err, TERN_ERR_FORMAT, 0, "%s: no line of text to learn from", paths[0]);
    return TERN_OK;
}

tern_status tern_tokenizer_train(const char *const *paths, size_t n_paths,
                                 const tern_tokenizer_train_opts *opts, const char *model_path,
                                 const tern_host *host, tern_error *err) {
    tern_tokenizer_train_opts o = opts ? *opts : tern_tokenizer_train_defaults();
    corpus c = {.host = host};
    char *model = NULL, why[256] = "";
    size_t n = 0;
    tern_status st = check(&o, n_paths, err);
    if (st == TERN_OK) st = open_corpus(&c, paths, n_paths, o.max_sentences, err);
    if (st != TERN_OK) goto done;
    tn_sp_train args = {o.vocab_size, o.byte_fallback, o.character_coverage};
    switch (tn_sp_lib_train(&args, give_line, &c, &model, &n, why, sizeof why)) {
    case TN_SP_OK:
        if (is_cancelled(&c))
            st = tern_fail(err, TERN_ERR_CANCELLED, 0, "interrupted; %s was not written",
                           model_path);
        else
            st = tn_file_replace(model_path, model, n, err);
        break;
    case TN_SP_STOPPED:
        st = c.cancelled ? tern_fail(err, TERN_ERR_CANCELLED, 0, "interrupted; %s was not written",
                                     model_path)
                         : tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
        break;
    case TN_SP_NOMEM:
        st = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
        break;
    case TN_SP_REFUSED:
        st = tern_fail(err, TERN_ERR_FORMAT, 0, "SentencePiece cannot learn this: %s", why);
        break;
    }
done:
    tn_sp_lib_free_model(model);
    tn_buf_deinit(&c.fixed);
    for (size_t i = 0; i < c.n_maps; i++) tn_map_close(&c.maps[i]);
    tn_free(c.maps);
    return st;
}

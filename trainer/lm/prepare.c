/* prepare.c - see prepare.h: files, lines, and where an error happened. */
#include "core/base/text.h"
#include "retriever/ingest/source.h"
#include "trainer/lm/prepare_priv.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/mem.h"

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while preparing tokens");
}

/* Put "path:line: " before the message of a record. */
static tern_status at_line(tern_status st, const char *path, uint32_t line, tern_error *err) {
    if (!err || (st != TERN_ERR_FORMAT && st != TERN_ERR_ARG)) return st;
    tern_error inner = *err;
    return tern_fail(err, TERN_ERR_FORMAT, 0, "%s:%u: %s", path, line, inner.text);
}

static tern_status json_line(tn_prepare *p, const tn_line *line, tern_error *err) {
    json_t *obj = NULL;
    tern_status st = tn_json_parse(line->text, line->len, &obj, err);
    if (st == TERN_OK && !json_is_object(obj))
        st = tern_fail(err, TERN_ERR_FORMAT, 0, "a line must be a JSON object");
    if (st == TERN_OK) st = tn_prepare_record(p, obj, err);
    json_decref(obj);
    return st;
}

static tern_status end_paragraph(tn_prepare *p, tn_buf *paragraph, tern_error *err) {
    tern_status st = tn_buf_status(paragraph, err);
    if (st == TERN_OK && paragraph->len)
        st = tn_prepare_text(p, paragraph->data, paragraph->len, err);
    tn_buf_reset(paragraph);
    return st;
}

typedef struct reader {
    tn_prepare *p;
    const char *path;
    const tern_host *host;
    uint64_t before, total; /* bytes of the files before, of all; as they lie on disk */
    tn_buf paragraph;
} reader;

static tern_status each_line(reader *r, tn_source *source, bool json, tern_error *err) {
    tn_liner liner = {.source = source};
    tern_status st = TERN_OK;
    while (st == TERN_OK) {
        tn_line line;
        bool more;
        st = tn_liner_next(&liner, &line, &more, err);
        if (st != TERN_OK && err) {
            tern_error inner = *err;
            tern_fail(err, st, inner.os_code, "%s: %s", r->path, inner.text);
        }
        if (st != TERN_OK || !more) break;
        const char *text = line.text;
        size_t len = line.len;
        tn_trim(&text, &len);
        if (line.too_long)
            st = tern_fail(err, TERN_ERR_FORMAT, 0, "a line of more than 64 MiB");
        else if (json)
            st = len ? json_line(r->p, &line, err) : TERN_OK;
        else if (len == 0 || r->paragraph.len > TN_LINE_MAX)
            st = end_paragraph(r->p, &r->paragraph, err);
        if (st == TERN_OK && !json && len) {
            if (r->paragraph.len) tn_buf_char(&r->paragraph, '\n');
            tn_buf_add(&r->paragraph, line.text, line.len);
        }
        st = at_line(st, r->path, line.number, err);
        if (st != TERN_OK || line.number % 256) continue;
        const tern_host *h = r->host;
        if (h && h->progress) {
            tern_progress now = {"tokenizing", "bytes", r->before + tn_source_raw(source),
                                 r->total};
            h->progress(h->ud, &now);
        }
        if (h && h->cancelled && h->cancelled(h->ud))
            st = tern_fail(err, TERN_ERR_CANCELLED, 0, "stopped while preparing tokens");
    }
    if (st == TERN_OK) st = end_paragraph(r->p, &r->paragraph, err);
    tn_liner_deinit(&liner);
    return st;
}

static tern_status read_file(reader *r, tern_error *err) {
    const tn_prepare_opts *o = r->p->opts;
    tn_source *source = NULL;
    const char *data;
    size_t n, i = 0;
    tern_status st = tn_source_open(r->path, &source, err);
    if (st == TERN_OK) st = tn_source_view(source, TN_SOURCE_PEEK, &data, &n, err);
    if (st == TERN_OK) {
        while (i < n && strchr(" \t\r\n", data[i])) i++;
        bool json = i < n && data[i] == '{';
        if (!json && i < n && o->task != TN_LM_PRETRAIN && o->task != TN_LM_MLM)
            st = tern_fail(err, TERN_ERR_FORMAT, 0,
                           "%s: task \"%s\" needs JSON lines, and this does not begin with '{'",
                           r->path, tn_lm_task_name(o->task));
        else
            st = each_line(r, source, json, err);
    }
    tn_source_close(source);
    return st;
}

static uint64_t size_on_disk(const char *path) {
    struct stat sb;
    return stat(path, &sb) == 0 ? (uint64_t)sb.st_size : 0;
}

/* What the tokenizer puts around a text: encode nothing and look. */
static tern_status find_frame(tn_prepare *p, tern_error *err) {
    tern_encode_opts opts = {.add_special = true};
    tern_status st = tern_tokenizer_encode(p->tokenizer, "", 0, &opts, &p->tokens, err);
    if (st != TERN_OK) return st;
    const int32_t *ids = p->tokens.ids;
    size_t n = p->tokens.n;
    p->head = p->tail = -1;
    if (n > 2)
        return tern_fail(err, TERN_ERR_UNSUPPORTED, 0,
                         "the tokenizer puts %zu tokens around a text; two are supported", n);
    if (n == 2) p->head = ids[0], p->tail = ids[1];
    if (n == 1 && ids[0] == tern_tokenizer_special(p->tokenizer, TERN_SPECIAL_EOS))
        p->tail = ids[0];
    else if (n == 1)
        p->head = ids[0];
    const char *piece = p->head >= 0 ? tern_tokenizer_piece(p->tokenizer, p->head) : NULL;
    p->double_tail = piece && strcmp(piece, "<s>") == 0;
    return TERN_OK;
}

static tern_status kind_of(const tn_prepare *p, tn_tokens_kind *kind, tern_error *err) {
    const tn_prepare_opts *o = p->opts;
    uint32_t size = (uint32_t)tern_tokenizer_size(p->tokenizer);
    *kind = (tn_tokens_kind){.vocab = o->vocab ? o->vocab : size,
                             .tags = o->task == TN_LM_SFT || o->task == TN_LM_TAG,
                             .second = o->task == TN_LM_CLASSIFY,
                             .n_tags = o->task == TN_LM_TAG ? o->n_classes : 2};
    if (!kind->tags) kind->n_tags = 0;
    if (o->task == TN_LM_CLASSIFY) kind->n_targets = o->classes ? 1 : o->n_classes;
    if (kind->vocab < size)
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "the tokenizer has %u ids and the model only %u: they do not belong "
                         "together",
                         size, kind->vocab);
    snprintf(kind->tokenizer_hash, sizeof kind->tokenizer_hash, "%s",
             tern_tokenizer_hash(p->tokenizer));
    snprintf(kind->task, sizeof kind->task, "%.8s", tn_lm_task_name(o->task));
    return TERN_OK;
}

tern_status tn_lm_prepare(const tern_tokenizer *tokenizer, const tn_prepare_opts *opts,
                          const char *const *paths, size_t n_paths, const char *out_path,
                          const tern_host *host, tn_prepared *result, tern_error *err) {
    *result = (tn_prepared){0};
    tn_prepare p = {.tokenizer = tokenizer, .opts = opts, .result = result};
    reader r = {.p = &p, .host = host};
    tn_tokens_kind kind = {0};
    tern_status st = find_frame(&p, err);
    if (st == TERN_OK) st = kind_of(&p, &kind, err);
    if (st == TERN_OK) {
        p.targets = tn_calloc(kind.n_targets + 1, sizeof *p.targets);
        if (!p.targets) st = no_memory(err);
    }
    if (st == TERN_OK) st = tn_tokens_writer_new(out_path, &kind, &p.writer, err);
    for (size_t i = 0; i < n_paths; i++) r.total += size_on_disk(paths[i]);
    for (size_t i = 0; i < n_paths && st == TERN_OK; i++) {
        r.path = paths[i];
        st = read_file(&r, err);
        r.before += size_on_disk(paths[i]);
    }
    if (st == TERN_OK && tn_tokens_records(p.writer) == 0)
        st = tern_fail(err, TERN_ERR_ARG, 0, "%s: there is no text in it to train on",
                       n_paths ? paths[0] : "data");
    if (st == TERN_OK) {
        result->n_records = tn_tokens_records(p.writer);
        result->n_tokens = tn_tokens_written(p.writer);
        st = tn_tokens_finish(p.writer, err);
    }
    tn_tokens_writer_free(p.writer);
    tern_tokens_deinit(&p.tokens);
    tn_buf_deinit(&p.text);
    tn_buf_deinit(&r.paragraph);
    tn_free(p.targets);
    tn_free(p.doc.ids);
    tn_free(p.doc.tags);
    return st;
}

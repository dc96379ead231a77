/* tokens_write.c - see tokens.h: making token files. The header is written last, so a file that
 * was cut short has none; and it is renamed only when all is synced. */
#include "core/base/crc32c.h"
#include "trainer/lm/tokens_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"

enum { PENDING_MAX = 1 << 20 };

struct tn_tokens_writer {
    tn_tokens_kind kind;
    unsigned width;
    char *path, *tmp;
    int fd;           /* -1: closed */
    tn_buf pending;   /* ids not yet written */
    uint32_t crc;     /* of the body so far */
    uint64_t written; /* bytes of the body so far */
    uint64_t n_tokens;
    uint64_t *doc_begin, *record_begin; /* ends, to be exact: [0] is 0 */
    uint32_t *second;
    size_t n_docs, docs_cap, n_records, records_cap, second_cap;
    tn_buf tags, targets;
};

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a token file");
}

tern_status tn_tokens_writer_new(const char *path, const tn_tokens_kind *kind,
                                 tn_tokens_writer **out, tern_error *err) {
    *out = NULL;
    if (kind->vocab == 0 || kind->vocab > INT32_MAX || kind->n_tags > TN_TAGS_MAX ||
        kind->n_targets > TN_TARGETS_MAX)
        return tern_fail(err, TERN_ERR_ARG, 0, "%s: a token file cannot have %u ids, %u tags", path,
                         kind->vocab, kind->n_tags);
    tn_tokens_writer *w = tn_calloc(1, sizeof *w);
    if (!w) return no_memory(err);
    w->kind = *kind;
    w->width = tn_tokens_width(kind->vocab);
    w->fd = -1;
    tn_buf tmp = {0};
    tn_buf_printf(&tmp, "%s.tmp.%ld", path, (long)getpid());
    w->tmp = tn_buf_take(&tmp);
    w->path = tn_strdup(path);
    tern_status st = w->tmp && w->path && TN_GROW(w->doc_begin, w->docs_cap, 1) == 0 &&
                             TN_GROW(w->record_begin, w->records_cap, 1) == 0
                         ? TERN_OK
                         : no_memory(err);
    if (st == TERN_OK) {
        w->doc_begin[0] = w->record_begin[0] = 0;
        w->fd = open(w->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (w->fd < 0 || lseek(w->fd, TN_TOKENS_HEAD, SEEK_SET) < 0)
            st = tn_fail_errno(err, errno, path, "cannot create");
    }
    if (st == TERN_OK)
        *out = w;
    else
        tn_tokens_writer_free(w);
    return st;
}

void tn_tokens_writer_free(tn_tokens_writer *w) {
    if (!w) return;
    if (w->fd >= 0) {
        close(w->fd);
        unlink(w->tmp);
    }
    tn_buf_deinit(&w->pending);
    tn_buf_deinit(&w->tags);
    tn_buf_deinit(&w->targets);
    tn_free(w->doc_begin);
    tn_free(w->record_begin);
    tn_free(w->second);
    tn_free(w->path);
    tn_free(w->tmp);
    tn_free(w);
}

static tern_status put(tn_tokens_writer *w, const void *data, size_t n, tern_error *err) {
    tern_status st = tn_write_all(w->fd, data, n, w->path, err);
    if (st != TERN_OK) return st;
    w->crc = tn_crc32c(w->crc, data, n);
    w->written += n;
    return TERN_OK;
}

static tern_status flush(tn_tokens_writer *w, tern_error *err) {
    tern_status st = tn_buf_status(&w->pending, err);
    if (st == TERN_OK && w->pending.len) st = put(w, w->pending.data, w->pending.len, err);
    tn_buf_reset(&w->pending);
    return st;
}

tern_status tn_tokens_add_doc(tn_tokens_writer *w, const int32_t *ids, const int16_t *tags,
                              size_t n, size_t second, tern_error *err) {
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (uint32_t)ids[i] >= w->kind.vocab)
            return tern_fail(err, TERN_ERR_ARG, 0, "token id %d is outside the vocabulary of %u",
                             ids[i], w->kind.vocab);
    for (size_t i = 0; w->kind.tags && tags && i < n; i++)
        if (tags[i] != TN_TAG_NONE && (uint16_t)tags[i] >= w->kind.n_tags)
            return tern_fail(err, TERN_ERR_ARG, 0, "tag %d is not one of %u", tags[i],
                             w->kind.n_tags);
    if (TN_GROW(w->doc_begin, w->docs_cap, w->n_docs + 2) != 0 ||
        (w->kind.second && TN_GROW(w->second, w->second_cap, w->n_docs + 1) != 0))
        return no_memory(err);
    for (size_t i = 0; i < n; i++) tn_buf_add(&w->pending, &ids[i], w->width);
    for (size_t i = 0; w->kind.tags && i < n; i++) {
        int16_t tag = tags ? tags[i] : TN_TAG_NONE;
        tn_buf_add(&w->tags, &tag, sizeof tag);
    }
    tern_status st = tn_buf_status(&w->tags, err);
    if (st == TERN_OK && w->pending.len >= PENDING_MAX) st = flush(w, err);
    if (st == TERN_OK) st = tn_buf_status(&w->pending, err);
    if (st != TERN_OK) return st;
    if (w->kind.second) w->second[w->n_docs] = (uint32_t)(second < n ? second : n);
    w->n_tokens += n;
    w->doc_begin[++w->n_docs] = w->n_tokens;
    return TERN_OK;
}

tern_status tn_tokens_end_record(tn_tokens_writer *w, const float *targets, tern_error *err) {
    if (w->record_begin[w->n_records] == w->n_docs) return TERN_OK;
    if (TN_GROW(w->record_begin, w->records_cap, w->n_records + 2) != 0) return no_memory(err);
    if (w->kind.n_targets) tn_buf_add(&w->targets, targets, w->kind.n_targets * sizeof *targets);
    tern_status st = tn_buf_status(&w->targets, err);
    if (st == TERN_OK) w->record_begin[++w->n_records] = w->n_docs;
    return st;
}

uint64_t tn_tokens_written(const tn_tokens_writer *w) {
    return w->n_tokens;
}

uint64_t tn_tokens_records(const tn_tokens_writer *w) {
    return w->n_records;
}

/* A section at its place: zeros up to it, then n bytes. */
static tern_status section(tn_tokens_writer *w, uint64_t begin, const void *data, uint64_t n,
                           tern_error *err) {
    static const char zeros[8];
    tern_status st = put(w, zeros, (size_t)(begin - TN_TOKENS_HEAD - w->written), err);
    return st == TERN_OK && n ? put(w, data, (size_t)n, err) : st;
}

static void make_head(const tn_tokens_writer *w, uint8_t head[TN_TOKENS_HEAD]) {
    const uint32_t small[] = {w->width, w->kind.vocab,
                              (w->kind.tags ? TN_TOKENS_FLAG_TAGS : 0u) |
                                  (w->kind.second ? TN_TOKENS_FLAG_SECOND : 0u),
                              w->kind.n_targets};
    const uint64_t large[] = {w->n_records, w->n_docs, w->n_tokens};
    memset(head, 0, TN_TOKENS_HEAD);
    memcpy(head, TN_TOKENS_MAGIC, 8);
    memcpy(head + 8, small, sizeof small);
    memcpy(head + 24, large, sizeof large);
    memcpy(head + 48, w->kind.tokenizer_hash, 32);
    memcpy(head + 80, w->kind.task, 8);
    memcpy(head + 88, &w->kind.n_tags, 4);
    memcpy(head + TN_TOKENS_BODY_CRC, &w->crc, 4);
    uint32_t crc = tn_crc32c(0, head, TN_TOKENS_HEAD_CRC);
    memcpy(head + TN_TOKENS_HEAD_CRC, &crc, 4);
}

static tern_status write_rest(tn_tokens_writer *w, tern_error *err) {
    tn_tokens_layout at;
    uint8_t head[TN_TOKENS_HEAD];
    if (!tn_tokens_lay_out(&w->kind, w->n_records, w->n_docs, w->n_tokens, &at))
        return tern_fail(err, TERN_ERR_LIMIT, 0, "%s: too many tokens for one file", w->path);
    tern_status st = flush(w, err);
    if (st == TERN_OK) st = section(w, at.doc_begin, w->doc_begin, 8 * (w->n_docs + 1), err);
    if (st == TERN_OK)
        st = section(w, at.record_begin, w->record_begin, 8 * (w->n_records + 1), err);
    if (st == TERN_OK) st = section(w, at.tags, w->tags.data, w->tags.len, err);
    if (st == TERN_OK)
        st = section(w, at.second, w->second, w->kind.second ? 4 * w->n_docs : 0, err);
    if (st == TERN_OK) st = section(w, at.targets, w->targets.data, w->targets.len, err);
    if (st != TERN_OK) return st;
    make_head(w, head);
    if (lseek(w->fd, 0, SEEK_SET) < 0) return tn_fail_errno(err, errno, w->path, "cannot write");
    return tn_write_all(w->fd, head, sizeof head, w->path, err);
}

tern_status tn_tokens_finish(tn_tokens_writer *w, tern_error *err) {
    if (w->n_records == 0)
        return tern_fail(err, TERN_ERR_ARG, 0, "%s: there is nothing to write into it", w->path);
    tern_status st = write_rest(w, err);
    if (st == TERN_OK && fsync(w->fd) != 0) st = tn_fail_errno(err, errno, w->path, "cannot sync");
    if (st == TERN_OK && rename(w->tmp, w->path) != 0)
        st = tn_fail_errno(err, errno, w->path, "cannot replace");
    if (st != TERN_OK) return st;
    close(w->fd);
    w->fd = -1;
    return TERN_OK;
}

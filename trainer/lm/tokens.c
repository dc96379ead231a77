/* tokens.c - see tokens.h: opening, and refusing, token files. */
#include "core/base/crc32c.h"
#include "trainer/lm/tokens_priv.h"
#include <string.h>

#include "core/base/mem.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "token files are mapped as they lie: little-endian machines only"
#endif

static uint64_t place(uint64_t *at, uint64_t n, uint64_t size) {
    uint64_t begin = (*at + 7) & ~UINT64_C(7);
    *at = begin + n * size;
    return begin;
}

bool tn_tokens_lay_out(const tn_tokens_kind *k, uint64_t n_records, uint64_t n_docs,
                       uint64_t n_tokens, tn_tokens_layout *out) {
    const uint64_t many = UINT64_C(1) << 48; /* of anything: no product below overflows */
    if (n_records > many || n_docs > many || n_tokens > many || k->n_targets > TN_TARGETS_MAX)
        return false;
    uint64_t at = TN_TOKENS_HEAD;
    out->ids = place(&at, n_tokens, tn_tokens_width(k->vocab));
    out->doc_begin = place(&at, n_docs + 1, 8);
    out->record_begin = place(&at, n_records + 1, 8);
    out->tags = place(&at, k->tags ? n_tokens : 0, 2);
    out->second = place(&at, k->second ? n_docs : 0, 4);
    out->targets = place(&at, n_records * k->n_targets, 4);
    out->end = at;
    return true;
}

static uint32_t u32_at(const uint8_t *p, size_t at) {
    uint32_t v;
    memcpy(&v, p + at, sizeof v);
    return v;
}

static uint64_t u64_at(const uint8_t *p, size_t at) {
    uint64_t v;
    memcpy(&v, p + at, sizeof v);
    return v;
}

static tern_status damaged(const char *name, const char *what, uint64_t byte, tern_error *err) {
    return tern_fail(err, TERN_ERR_CORRUPT, 0,
                     "%s: %s at byte %llu; the file is damaged, make it again", name, what,
                     (unsigned long long)byte);
}

static tern_status read_head(const uint8_t *p, size_t size, const char *name, tn_tokens *t,
                             tn_tokens_layout *at, tern_error *err) {
    if (size < TN_TOKENS_HEAD || memcmp(p, TN_TOKENS_MAGIC, 7) != 0)
        return tern_fail(err, TERN_ERR_CORRUPT, 0, "%s: not a token file", name);
    if (p[7] != TN_TOKENS_MAGIC[7])
        return tern_fail(err, TERN_ERR_VERSION, 0, "%s: a token file of another version", name);
    if (u32_at(p, TN_TOKENS_HEAD_CRC) != tn_crc32c(0, p, TN_TOKENS_HEAD_CRC))
        return damaged(name, "wrong checksum of the header", TN_TOKENS_HEAD_CRC, err);
    uint32_t flags = u32_at(p, 16);
    t->width = u32_at(p, 8);
    t->kind.vocab = u32_at(p, 12);
    t->kind.tags = flags & TN_TOKENS_FLAG_TAGS;
    t->kind.second = flags & TN_TOKENS_FLAG_SECOND;
    t->kind.n_targets = u32_at(p, 20);
    t->n_records = u64_at(p, 24);
    t->n_docs = u64_at(p, 32);
    t->n_tokens = u64_at(p, 40);
    memcpy(t->kind.tokenizer_hash, p + 48, 32);
    memcpy(t->kind.task, p + 80, 8);
    t->kind.n_tags = u32_at(p, 88);
    t->crc = u32_at(p, TN_TOKENS_BODY_CRC);
    if (flags > 3 || t->kind.vocab == 0 || t->kind.vocab > INT32_MAX ||
        t->width != tn_tokens_width(t->kind.vocab) || t->kind.n_tags > TN_TAGS_MAX)
        return damaged(name, "impossible header", 8, err);
    if (!tn_tokens_lay_out(&t->kind, t->n_records, t->n_docs, t->n_tokens, at) || at->end != size)
        return damaged(name, "the size does not fit the header, which ends", TN_TOKENS_HEAD, err);
    return TERN_OK;
}

/* first, from there upwards, to last; `strict`: no step of zero. */
static bool ascends(const uint64_t *x, uint64_t n, uint64_t last, bool strict, uint64_t *bad) {
    for (uint64_t i = 0; i <= n; i++) {
        bool ok = i == 0 ? x[0] == 0 : strict ? x[i] > x[i - 1] : x[i] >= x[i - 1];
        if (i == n) ok = ok && x[i] == last;
        *bad = i;
        if (!ok) return false;
    }
    return true;
}

static tern_status check_body(const tn_tokens *t, const tn_tokens_layout *at, const char *name,
                              tern_error *err) {
    uint64_t bad = 0;
    if (!ascends(t->doc_begin, t->n_docs, t->n_tokens, false, &bad))
        return damaged(name, "wrong bounds of a document", at->doc_begin + 8 * bad, err);
    if (!ascends(t->record_begin, t->n_records, t->n_docs, true, &bad))
        return damaged(name, "wrong bounds of a record", at->record_begin + 8 * bad, err);
    for (uint64_t i = 0; i < t->n_tokens; i++)
        if ((uint32_t)tn_tokens_id(t, i) >= t->kind.vocab)
            return damaged(name, "an id outside the vocabulary", at->ids + t->width * i, err);
    for (uint64_t i = 0; t->tags && i < t->n_tokens; i++)
        if (t->tags[i] != TN_TAG_NONE && (uint16_t)t->tags[i] >= t->kind.n_tags)
            return damaged(name, "a tag out of range", at->tags + 2 * i, err);
    for (uint64_t i = 0; t->second && i < t->n_docs; i++)
        if (t->second[i] > t->doc_begin[i + 1] - t->doc_begin[i])
            return damaged(name, "a second part beyond its document", at->second + 4 * i, err);
    return TERN_OK;
}

tern_status tn_tokens_view(const uint8_t *data, size_t size, const char *name, tn_tokens *out,
                           tern_error *err) {
    tn_tokens t = {0};
    tn_tokens_layout at;
    *out = t;
    tern_status st = read_head(data, size, name, &t, &at, err);
    if (st != TERN_OK) return st;
    if (tn_crc32c(0, data + TN_TOKENS_HEAD, size - TN_TOKENS_HEAD) != t.crc)
        return damaged(name, "wrong checksum of the contents", TN_TOKENS_BODY_CRC, err);
    t.ids = data + at.ids;
    t.doc_begin = (const uint64_t *)(const void *)(data + at.doc_begin);
    t.record_begin = (const uint64_t *)(const void *)(data + at.record_begin);
    if (t.kind.tags) t.tags = (const int16_t *)(const void *)(data + at.tags);
    if (t.kind.second) t.second = (const uint32_t *)(const void *)(data + at.second);
    if (t.kind.n_targets) t.targets = (const float *)(const void *)(data + at.targets);
    st = check_body(&t, &at, name, err);
    if (st == TERN_OK) *out = t;
    return st;
}

tern_status tn_tokens_open(const char *path, tn_tokens *out, tern_error *err) {
    tn_map map;
    *out = (tn_tokens){0};
    tern_status st = tn_map_open(path, &map, err);
    if (st != TERN_OK) return st;
    st = tn_tokens_view(map.data, map.size, path, out, err);
    if (st == TERN_OK)
        out->map = map;
    else
        tn_map_close(&map);
    return st;
}

void tn_tokens_close(tn_tokens *t) {
    tn_map_close(&t->map);
    *t = (tn_tokens){0};
}

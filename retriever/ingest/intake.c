/* intake.c - see ingest_priv.h: reports, repair, and handing documents to the sink. */
#include "core/base/file.h"
#include "core/base/text.h"
#include "retriever/ingest/ingest_priv.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#define XXH_STATIC_LINKING_ONLY /* the state lies on our stack */
#include <xxhash.h>

#include "core/base/mem.h"

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
}

/* ---- reports ---- */

tern_status tn_intake_bad(tn_intake *in, uint64_t line, tern_error *err, const char *fmt, ...) {
    char what[512], text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    if (line)
        snprintf(text, sizeof text, "%s:%llu: %s", in->path, (unsigned long long)line, what);
    else
        snprintf(text, sizeof text, "%s: %s", in->path, what);
    in->counts->n_bad++;
    if (in->sink->bad) in->sink->bad(in->sink->ud, text);
    return in->opts->strict ? tern_fail(err, TERN_ERR_FORMAT, 0, "%s", text) : TERN_OK;
}

tern_status tn_intake_broken(tn_intake *in, uint64_t line, const tern_error *failed,
                             tern_error *err) {
    if (failed->status == TERN_ERR_FORMAT || failed->status == TERN_ERR_IO)
        return tn_intake_bad(in, line, err, "%s", failed->text);
    if (err) *err = *failed;
    return failed->status;
}

void tn_intake_log(const tn_intake *in, tern_log_level level, const char *fmt, ...) {
    if (!in->host || !in->host->log) return;
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    in->host->log(in->host->ud, level, text);
}

/* ---- whole documents ---- */

tern_status tn_intake_slurp(tn_intake *in, tn_buf *out, bool *usable, tern_error *err) {
    *usable = false;
    for (;;) {
        const char *data;
        size_t n;
        tern_error failed = {0};
        tern_status st = tn_source_view(in->source, 1, &data, &n, &failed);
        if (st != TERN_OK) { /* what came before the damage stays */
            st = tn_intake_broken(in, 0, &failed, err);
            if (st != TERN_OK) return st;
            break;
        }
        if (n == 0) break;
        if (out->len + n > TN_LINE_MAX)
            return tn_intake_bad(in, 0, err, "more than %zu MiB in one document; split it",
                                 TN_LINE_MAX >> 20);
        tn_buf_add(out, data, n);
        if ((st = tn_buf_status(out, err)) != TERN_OK) return st;
        tn_source_advance(in->source, n);
    }
    const char *s = out->data ? out->data : "";
    size_t n = out->len;
    tn_trim(&s, &n);
    *usable = n > 0;
    return n > 0 ? TERN_OK : tn_intake_bad(in, 0, err, "empty: no text in it");
}

tern_status tn_intake_line(tn_intake *in, tn_liner *liner, tn_line *out, bool *more,
                           tern_error *err) {
    for (;;) {
        tern_error failed = {0};
        tern_status st = tn_liner_next(liner, out, more, &failed);
        if (st != TERN_OK) {
            *more = false;
            return tn_intake_broken(in, out->number, &failed, err);
        }
        if (!*more || !out->too_long) return TERN_OK;
        st = tn_intake_bad(in, out->number, err, "line of %llu bytes, more than %zu MiB",
                           (unsigned long long)(out->end - out->begin), TN_LINE_MAX >> 20);
        if (st != TERN_OK) return st;
    }
}

tn_str tn_intake_stem(const tn_intake *in) {
    static const char *const packed[] = {".gz", ".zst", ".zstd"};
    const char *base = tn_path_base(in->path);
    size_t n = strlen(base);
    for (size_t i = 0; i < sizeof packed / sizeof *packed; i++)
        if (tn_ends_with(base, packed[i]) && n > strlen(packed[i])) {
            n -= strlen(packed[i]);
            break;
        }
    for (size_t i = n; i-- > 1;)
        if (base[i] == '.') return (tn_str){base, i};
    return (tn_str){base, n};
}

/* ---- text that is safe to keep ---- */

/* Blank control characters: they steer terminals and mean nothing in a passage. Each byte of one
 * becomes a space, so that offsets into the text stay offsets into the file. */
static void blank_controls(char *s, size_t n, bool keep_lines) {
    char newline = keep_lines ? '\n' : ' ', tab = keep_lines ? '\t' : ' ';
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        bool control = (unsigned char)c < 0x20 || c == 0x7F;
        s[i] = c == '\n' ? newline : c == '\t' ? tab : control ? ' ' : c;
    }
    for (char *p = s; (p = memchr(p, '\xC2', (size_t)(s + n - p))); p++)
        if (p + 1 < s + n && (unsigned char)p[1] < 0xA0) p[0] = p[1] = ' '; /* U+0080..9F */
}

/* A clean copy in the arena, trimmed when it is to be one line. NULL: no memory. */
static const char *clean(tn_intake *in, tn_str v, bool keep_lines, size_t *n_out, bool *repaired) {
    if (!keep_lines) tn_trim(&v.s, &v.n);
    if (!tn_utf8_valid(v.s, v.n)) {
        *repaired = true;
        tn_buf_reset(&in->scratch);
        tn_utf8_repair(v.s, v.n, &in->scratch);
        if (in->scratch.failed) return NULL;
        v = (tn_str){in->scratch.data, in->scratch.len};
    }
    char *copy = tn_arena_strndup(&in->arena, v.s, v.n);
    if (!copy) return NULL;
    blank_controls(copy, v.n, keep_lines);
    if (n_out) *n_out = v.n;
    return copy;
}

/* ---- documents ---- */

static void hash_number(XXH3_state_t *h, uint64_t v) {
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(v >> 8 * i);
    XXH3_128bits_update(h, bytes, sizeof bytes);
}

/* Every string goes in behind its length, so that no two documents spell the same bytes. */
static void hash_string(XXH3_state_t *h, const char *s, size_t n) {
    hash_number(h, n);
    if (n) XXH3_128bits_update(h, s, n);
}

static void hash_doc(tn_doc *d) {
    XXH3_state_t h;
    XXH3_128bits_reset(&h);
    hash_string(&h, d->title, strlen(d->title));
    hash_string(&h, d->meta, strlen(d->meta));
    hash_number(&h, (uint64_t)d->time);
    hash_number(&h, d->n_chunks);
    for (size_t i = 0; i < d->n_chunks; i++) {
        hash_string(&h, d->chunks[i].section, strlen(d->chunks[i].section));
        hash_string(&h, d->chunks[i].text, d->chunks[i].text_len);
    }
    XXH128_hash_t v = XXH3_128bits_digest(&h);
    d->hash[0] = v.low64;
    d->hash[1] = v.high64;
}

static tern_status hand_over(tn_intake *in, tn_doc *d, tern_error *err) {
    const tern_host *host = in->host;
    tern_status st;
    hash_doc(d);
    if (host && host->cancelled && host->cancelled(host->ud)) {
        st = tern_fail(err, TERN_ERR_CANCELLED, 0, "%s: reading was cancelled", in->path);
    } else {
        st = in->sink->doc(in->sink->ud, d, err);
    }
    if (st == TERN_OK) {
        in->counts->n_docs++;
        in->counts->n_repaired += d->repaired;
        if (host && host->progress) {
            tern_progress p = {"reading", "bytes", in->n_raw_before + tn_source_raw(in->source),
                               in->n_raw_total};
            host->progress(host->ud, &p);
        }
    }
    return st;
}

/* A record is one passage, unless it is longer than opts->record_tokens. */
static tern_status cut_record(tn_intake *in, const tn_draft *r, tn_cut **cuts, size_t *n,
                              tern_error *err) {
    uint64_t limit = 2 * (uint64_t)in->opts->record_tokens;
    tn_str t = r->text;
    /* A half word takes a byte at least, so most records need not be counted. */
    if (t.n > limit && tn_half_words(t.s, t.n) > limit) {
        const tn_block *blocks;
        size_t n_blocks;
        tern_status st = tn_plain_blocks(&in->arena, t.s, t.n, &blocks, &n_blocks, err);
        if (st != TERN_OK) return st;
        return tn_chunk_cut(t.s, blocks, n_blocks, "", 0, in->opts->chunk_tokens,
                            in->opts->chunk_overlap, &in->arena, cuts, n, err);
    }
    *cuts = tn_arena_alloc(&in->arena, sizeof **cuts);
    if (!*cuts) return no_memory(err);
    tn_trim(&t.s, &t.n);
    size_t begin = (size_t)(t.s - r->text.s);
    **cuts = (tn_cut){begin, begin + t.n, ""};
    *n = t.n || r->title.n ? 1 : 0;
    return TERN_OK;
}

static tern_status make_chunks(tn_intake *in, const tn_draft *draft, tn_doc *d, const tn_cut *cuts,
                               size_t n, tern_error *err) {
    tn_chunk *chunks = tn_arena_calloc(&in->arena, n, sizeof *chunks);
    if (!chunks) return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        tn_str body = {draft->text.s + cuts[i].begin, cuts[i].end - cuts[i].begin};
        tn_str where = {cuts[i].section, strlen(cuts[i].section)};
        chunks[i].text = clean(in, body, true, &chunks[i].text_len, &d->repaired);
        chunks[i].section = clean(in, where, false, NULL, &d->repaired);
        if (!chunks[i].text || !chunks[i].section) return no_memory(err);
        draft->locate(draft->ud, cuts[i].begin, cuts[i].end, &chunks[i]);
    }
    d->chunks = chunks;
    d->n_chunks = n;
    return TERN_OK;
}

/* "path:line": the id of a record that has none. NULL: no memory. */
static const char *place_id(tn_intake *in, const char *path, uint32_t line) {
    size_t cap = strlen(path) + 16;
    char *id = tn_arena_alloc(&in->arena, cap);
    if (id) snprintf(id, cap, "%s:%u", path, line);
    return id;
}

tern_status tn_intake_emit(tn_intake *in, const tn_draft *draft, tern_error *err) {
    tn_doc d = {.meta = draft->meta ? draft->meta : "",
                .time = draft->time,
                .line = draft->line,
                .repaired = draft->repaired};
    tn_cut *cuts = NULL;
    size_t n = 0;
    tern_status st = draft->blocks
                         ? tn_chunk_cut(draft->text.s, draft->blocks, draft->n_blocks,
                                        draft->title.s, draft->title.n, in->opts->chunk_tokens,
                                        in->opts->chunk_overlap, &in->arena, &cuts, &n, err)
                         : cut_record(in, draft, &cuts, &n, err);
    if (st != TERN_OK) goto done;
    if (n == 0) {
        st = tn_intake_bad(in, draft->line, err, "empty: no text in it");
        goto done;
    }
    bool path_repaired = false;
    tn_str path = {in->path, strlen(in->path)}, id = draft->id;
    d.source = clean(in, path, false, NULL, &path_repaired);
    tn_trim(&id.s, &id.n);
    if (id.n)
        d.id = clean(in, id, false, NULL, &d.repaired);
    else if (draft->blocks)
        d.id = d.source;
    else
        d.id = d.source ? place_id(in, d.source, draft->line) : NULL;
    d.title = clean(in, draft->title, false, NULL, &d.repaired);
    if (!d.source || !d.id || !d.title) st = no_memory(err);
    if (st == TERN_OK) st = make_chunks(in, draft, &d, cuts, n, err);
    if (st == TERN_OK) st = hand_over(in, &d, err);
done:
    tn_arena_reset(&in->arena);
    return st;
}

/* ---- places ---- */

tern_status tn_line_table_build(tn_line_table *t, const char *text, size_t len, uint64_t base,
                                tern_error *err) {
    t->len = len;
    t->base = base;
    t->n = 0;
    for (size_t i = 0;;) {
        if (TN_GROW(t->start, t->cap, t->n + 1) != 0) return no_memory(err);
        t->start[t->n++] = (uint32_t)i;
        const char *nl = i < len ? memchr(text + i, '\n', len - i) : NULL;
        if (!nl) return TERN_OK;
        i = (size_t)(nl - text) + 1;
    }
}

void tn_line_table_deinit(tn_line_table *t) {
    tn_free(t->start);
    *t = (tn_line_table){0};
}

uint32_t tn_line_table_find(const tn_line_table *t, size_t offset) {
    size_t lo = 0, hi = t->n; /* start[lo] <= offset < start[hi] */
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (t->start[mid] <= offset)
            lo = mid;
        else
            hi = mid;
    }
    return (uint32_t)lo + 1;
}

void tn_line_table_locate(const void *ud, size_t begin, size_t end, tn_chunk *out) {
    const tn_line_table *t = ud;
    out->byte_begin = t->base + begin;
    out->byte_end = t->base + end;
    out->line_begin = tn_line_table_find(t, begin);
    out->line_end = tn_line_table_find(t, end > begin ? end - 1 : begin);
}

void tn_line_locate(const void *ud, size_t begin, size_t end, tn_chunk *out) {
    (void)begin, (void)end; /* a string inside JSON is not spelled as in the text */
    const tn_line *l = ud;
    out->byte_begin = l->begin;
    out->byte_end = l->end;
    out->line_begin = out->line_end = l->number;
}

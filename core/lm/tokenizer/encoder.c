/* encoder.c - the scratch of one encode, and the tokenizer's idle ones: as many as ever encoded at
 * the same time, each with its memory of recent words. */
#include "core/base/text.h"
#include "core/lm/tokenizer/tokenizer_priv.h"
#include <string.h>

#include "core/base/mem.h"

tn_encoder *tn_encoder_take(const tern_tokenizer *tokenizer) {
    tern_tokenizer *t = (tern_tokenizer *)tokenizer; /* the list of idle ones is under its lock */
    pthread_mutex_lock(&t->lock);
    tn_encoder *e = t->idle;
    if (e) t->idle = e->next;
    pthread_mutex_unlock(&t->lock);
    if (e) return e;
    e = tn_calloc(1, sizeof *e);
    if (!e) return NULL;
    e->t = t;
    if (t->model == TN_MODEL_BPE) e->memo = tn_calloc(1, tn_memo_bytes());
    e->regex = tn_regex_scratch_new();
    if (e->regex && (e->memo || t->model != TN_MODEL_BPE)) return e;
    tn_encoder_free(e);
    return NULL;
}

void tn_encoder_give(tn_encoder *e) {
    tern_tokenizer *t = (tern_tokenizer *)e->t;
    tn_arena_reset(&e->arena);
    e->n_ranges = 0;
    e->out = NULL;
    e->err = NULL;
    e->n_guarded = 0;
    pthread_mutex_lock(&t->lock);
    e->next = t->idle;
    t->idle = e;
    pthread_mutex_unlock(&t->lock);
}

void tn_encoder_free(tn_encoder *e) {
    if (!e) return;
    tn_arena_deinit(&e->arena);
    tn_regex_scratch_free(e->regex);
    tn_free(e->ranges);
    tn_free(e->symbols);
    tn_free(e->heap);
    tn_free(e->memo);
    tn_free(e->path);
    tn_free(e);
}

void tn_encoder_nomem(tn_encoder *e) {
    if (e->st == TERN_OK) e->st = tern_fail(e->err, TERN_ERR_NOMEM, 0, "out of memory");
}

void tn_emit_at(tn_encoder *e, int32_t id, uint32_t begin, uint32_t end) {
    tern_tokens *out = e->out;
    if (out->n == out->cap && TN_GROW(out->ids, out->cap, out->n + 1) != 0) {
        tn_encoder_nomem(e);
        return;
    }
    if (e->opts->spans) {
        if (TN_GROW(out->spans, out->spans_cap, out->n + 1) != 0) {
            tn_encoder_nomem(e);
            return;
        }
        out->spans[out->n] = (tern_token_span){begin, end};
    }
    out->ids[out->n++] = id;
}

tern_token_span tn_stretch_span(const tn_stretch *x, size_t begin, size_t end) {
    if (!x->from) return (tern_token_span){x->base + (uint32_t)begin, x->base + (uint32_t)end};
    if (begin < end) return (tern_token_span){x->from[begin].begin, x->from[end - 1].end};
    uint32_t at = begin < x->n ? x->from[begin].begin : x->n ? x->from[x->n - 1].end : x->base;
    return (tern_token_span){at, at};
}

void tn_emit(tn_encoder *e, const tn_stretch *x, int32_t id, size_t begin, size_t end) {
    if (!e->opts->spans) {
        tn_emit_at(e, id, 0, 0);
        return;
    }
    tern_token_span span = tn_stretch_span(x, begin, end);
    tn_emit_at(e, id, span.begin, span.end);
}

tn_stretch tn_stretch_cut(const tn_stretch *x, size_t begin, size_t end) {
    return (tn_stretch){x->s + begin, end - begin, x->from ? x->from + begin : NULL,
                        x->base + (uint32_t)begin};
}

/* ---- text in the making ---- */

tn_writer tn_writer_begin(tn_encoder *e, size_t n_guess) {
    tn_writer w = {.e = e, .cap = n_guess + 16};
    bool maps = e->opts->spans || e->n_guarded; /* somebody will ask where it came from */
    w.s = tn_arena_alloc(&e->arena, w.cap);
    if (maps) w.from = tn_arena_alloc(&e->arena, w.cap * sizeof *w.from);
    if (!w.s || (maps && !w.from)) {
        tn_encoder_nomem(e);
        w.cap = 0;
    }
    return w;
}

static bool make_room(tn_writer *w, size_t n_more) {
    if (w->e->st != TERN_OK) return false;
    if (w->n + n_more <= w->cap) return true;
    size_t cap = 2 * (w->n + n_more);
    char *s = cap <= UINT32_MAX ? tn_arena_alloc(&w->e->arena, cap) : NULL;
    tern_token_span *from = NULL;
    if (s && w->from) from = tn_arena_alloc(&w->e->arena, cap * sizeof *from);
    if (!s || (w->from && !from)) {
        tn_encoder_nomem(w->e);
        return false;
    }
    memcpy(s, w->s, w->n);
    if (from) memcpy(from, w->from, w->n * sizeof *from);
    w->s = s;
    w->from = from;
    w->cap = cap;
    return true;
}

void tn_write(tn_writer *w, const char *s, size_t n, tern_token_span from) {
    if (!make_room(w, n)) return;
    memcpy(w->s + w->n, s, n);
    for (size_t i = 0; w->from && i < n; i++) w->from[w->n + i] = from;
    w->n += n;
}

void tn_write_copy(tn_writer *w, const tn_stretch *x, size_t begin, size_t end) {
    if (!make_room(w, end - begin)) return;
    memcpy(w->s + w->n, x->s + begin, end - begin);
    for (size_t i = begin; w->from && i < end; i++)
        w->from[w->n + i - begin] = tn_stretch_span(x, i, i + 1);
    w->n += end - begin;
}

void tn_write_char(tn_writer *w, uint32_t cp, tern_token_span from) {
    char bytes[4];
    size_t n = 0;
    if (cp < 0x80)
        bytes[n++] = (char)cp;
    else
        n = tn_utf8_encode(cp, bytes);
    tn_write(w, bytes, n, from);
}

tn_stretch tn_writer_end(const tn_writer *w, const tn_stretch *x) {
    return (tn_stretch){w->s, w->e->st == TERN_OK ? w->n : 0, w->from, x->base};
}

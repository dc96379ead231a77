/* search_filter.c - tombstones, time, metadata and exclusions as one bitmap (search_filter.h). */
#include "retriever/search_filter.h"
#include "core/base/json.h"
#include "retriever/store/docs.h"
#include <inttypes.h>
#include <string.h>

#include "core/base/mem.h"

static size_t n_words(const tern_index *ix) {
    return ((size_t)ix->n_refs + 63) / 64;
}

void tn_filter_init(tn_filter *f, const tern_index *ix) {
    *f = (tn_filter){.ix = ix};
}

void tn_filter_deinit(tn_filter *f) {
    tn_free(f->bits);
    tn_free(f->punched);
    tn_buf_deinit(&f->key);
}

/* One "field=value" taken apart. */
typedef struct clause {
    const char *field, *value;
    size_t field_len;
    bool plain; /* the value reads the same inside JSON text, so strstr can rule passages out */
} clause;

static bool reads_plain(const char *s) {
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == '"' || *s == '\\' || *s == '/') return false;
    return true;
}

static tern_status parse_clause(const char *text, clause *c, tern_error *err) {
    const char *eq = text ? strchr(text, '=') : NULL;
    if (!eq || eq == text)
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "filter \"%s\": expected field=value, as in source=notes.md",
                         text ? text : "(null)");
    *c = (clause){text, eq + 1, (size_t)(eq - text), reads_plain(eq + 1)};
    return TERN_OK;
}

static bool is_field(const clause *c, const char *name) {
    return strlen(name) == c->field_len && memcmp(name, c->field, c->field_len) == 0;
}

/* A JSON scalar equals the value's text; a list does if one of its elements does. */
static bool json_equals(const json_t *v, const char *value) {
    if (json_is_string(v)) return strcmp(json_string_value(v), value) == 0;
    if (json_is_boolean(v)) return strcmp(json_is_true(v) ? "true" : "false", value) == 0;
    if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v); i++)
            if (json_equals(json_array_get(v, i), value)) return true;
        return false;
    }
    if (!json_is_number(v)) return false;
    tn_buf text = {0};
    tn_json_dump(v, &text);
    bool same = !text.failed && strcmp(tn_buf_cstr(&text), value) == 0;
    tn_buf_deinit(&text);
    return same;
}

static tern_status meta_equals(const clause *c, const char *meta, bool *same, tern_error *err) {
    *same = false;
    if (!meta[0] || (c->plain && !strstr(meta, c->value))) return TERN_OK;
    json_t *obj;
    tern_status st = tn_json_parse(meta, strlen(meta), &obj, err);
    if (st != TERN_OK) return st;
    const char *key;
    json_t *v;
    json_object_foreach(obj, key, v) {
        if (is_field(c, key)) *same = json_equals(v, c->value);
    }
    json_decref(obj);
    return TERN_OK;
}

static tern_status clause_holds(const clause *c, const tn_document *d, bool *same,
                                tern_error *err) {
    const char *own = is_field(c, "source")   ? d->source
                      : is_field(c, "doc_id") ? d->id
                      : is_field(c, "title")  ? d->title
                                              : NULL;
    if (!own) return meta_equals(c, d->meta, same, err);
    *same = strcmp(own, c->value) == 0;
    return TERN_OK;
}

static void clear_bit(tn_filter *f, uint32_t ref) {
    f->bits[ref / 64] &= ~(UINT64_C(1) << (ref % 64));
}

static bool time_fits(int64_t time, const tern_search_opts *o) {
    if (time == TERN_NO_TIME) return o->since == TERN_NO_TIME;
    return (o->as_of == TERN_NO_TIME || time <= o->as_of) &&
           (o->since == TERN_NO_TIME || time >= o->since);
}

static tern_status keep_times(tn_filter *f, const tern_search_opts *o, tern_error *err) {
    if (o->as_of == TERN_NO_TIME && o->since == TERN_NO_TIME) return TERN_OK;
    for (size_t s = 0; s < f->ix->n_segs; s++) {
        const tn_segment *seg = &f->ix->segs[s];
        const int64_t *times;
        tern_status st = tn_docs_times(seg->docs, &times, err);
        if (st != TERN_OK) return st;
        for (uint32_t i = 0; i < seg->n; i++)
            if (!time_fits(times[i], o)) clear_bit(f, seg->base + i);
    }
    return TERN_OK;
}

/* Fields belong to documents: one decision clears or keeps all passages of a document. */
static tern_status keep_equal(tn_filter *f, const tn_segment *seg, const clause *clauses, size_t n,
                              tern_error *err) {
    for (uint32_t d = 0; d < tn_docs_n_documents(seg->docs); d++) {
        tn_document doc;
        bool holds = true;
        tern_status st = tn_docs_document(seg->docs, d, &doc, err);
        for (size_t i = 0; st == TERN_OK && holds && i < n; i++)
            st = clause_holds(&clauses[i], &doc, &holds, err);
        if (st != TERN_OK) return st;
        for (uint32_t i = 0; !holds && i < doc.n; i++) clear_bit(f, seg->base + doc.first + i);
    }
    return TERN_OK;
}

static tern_status keep_matching(tn_filter *f, const tern_search_opts *o, tern_error *err) {
    tern_status st = keep_times(f, o, err);
    if (st != TERN_OK || o->n_where == 0) return st;
    clause *clauses = tn_calloc(o->n_where, sizeof *clauses);
    if (!clauses) return tern_fail(err, TERN_ERR_NOMEM, 0, "search filters: no memory");
    for (size_t i = 0; st == TERN_OK && i < o->n_where; i++)
        st = parse_clause(o->where[i], &clauses[i], err);
    for (size_t s = 0; st == TERN_OK && s < f->ix->n_segs; s++)
        st = keep_equal(f, &f->ix->segs[s], clauses, o->n_where, err);
    tn_free(clauses);
    return st;
}

/* All refs, without the tombstones. */
static void fill_live(tn_filter *f) {
    const tern_index *ix = f->ix;
    memset(f->bits, 0, n_words(ix) * sizeof *f->bits);
    for (size_t s = 0; s < ix->n_segs; s++) {
        const tn_segment *seg = &ix->segs[s];
        for (uint32_t i = 0; i < seg->n; i++) {
            if (tn_bit(seg->dead, i)) continue;
            uint32_t ref = seg->base + i;
            f->bits[ref / 64] |= UINT64_C(1) << (ref % 64);
        }
    }
}

static tern_status make_bits(tn_filter *f, const tern_search_opts *o, tern_error *err) {
    tn_buf_reset(&f->key);
    tn_buf_printf(&f->key, "%" PRId64 ",%" PRId64, o->as_of, o->since);
    for (size_t i = 0; i < o->n_where; i++) {
        tn_buf_char(&f->key, '\0');
        tn_buf_str(&f->key, o->where[i] ? o->where[i] : "");
    }
    tern_status st = tn_buf_status(&f->key, err);
    if (st != TERN_OK) return st;
    if (!f->bits) f->bits = tn_alloc(n_words(f->ix) * sizeof *f->bits);
    if (!f->bits) return tern_fail(err, TERN_ERR_NOMEM, 0, "search filters: no memory");
    fill_live(f);
    st = keep_matching(f, o, err);
    f->is_made = st == TERN_OK;
    return st;
}

static bool is_made_for(const tn_filter *f, const tern_search_opts *o) {
    if (!f->is_made) return false;
    char head[64];
    size_t at = (size_t)snprintf(head, sizeof head, "%" PRId64 ",%" PRId64, o->as_of, o->since);
    if (f->key.len < at || memcmp(f->key.data, head, at) != 0) return false;
    for (size_t i = 0; i < o->n_where; i++) {
        const char *w = o->where[i] ? o->where[i] : "";
        size_t n = strlen(w);
        if (f->key.len < at + 1 + n || f->key.data[at] != '\0' ||
            memcmp(f->key.data + at + 1, w, n) != 0)
            return false;
        at += 1 + n;
    }
    return at == f->key.len;
}

static bool needs_bits(const tn_filter *f, const tern_search_opts *o) {
    if (o->as_of != TERN_NO_TIME || o->since != TERN_NO_TIME || o->n_where || o->n_exclude)
        return true;
    for (size_t s = 0; s < f->ix->n_segs; s++)
        if (f->ix->segs[s].dead) return true;
    return false;
}

static tern_status punch(tn_filter *f, const tern_search_opts *o, tern_error *err) {
    if (TN_GROW(f->punched, f->punched_cap, o->n_exclude) != 0)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "search filters: no memory");
    for (size_t i = 0; i < o->n_exclude; i++) {
        uint32_t ref = o->exclude[i];
        if (ref >= f->ix->n_refs)
            return tern_fail(err, TERN_ERR_ARG, 0,
                             "exclude: there is no passage %" PRIu32 "; the index has %" PRIu32,
                             ref, f->ix->n_refs);
        uint64_t bit = UINT64_C(1) << (ref % 64);
        if (!(f->bits[ref / 64] & bit)) continue;
        f->bits[ref / 64] &= ~bit;
        f->punched[f->n_punched++] = ref;
    }
    return TERN_OK;
}

tern_status tn_filter_acquire(tn_filter *f, const tern_search_opts *o, const uint64_t **allow,
                              tern_error *err) {
    *allow = NULL;
    if (!needs_bits(f, o)) return TERN_OK;
    if (!is_made_for(f, o)) {
        f->is_made = false;
        tern_status st = make_bits(f, o, err);
        if (st != TERN_OK) return st;
    }
    *allow = f->bits;
    return o->n_exclude ? punch(f, o, err) : TERN_OK;
}

void tn_filter_release(tn_filter *f) {
    while (f->n_punched) {
        uint32_t ref = f->punched[--f->n_punched];
        f->bits[ref / 64] |= UINT64_C(1) << (ref % 64);
    }
}

/* prepare_records.c - see prepare.h: one record of each task becomes documents. */
#include "trainer/lm/prepare_priv.h"
#include <math.h>
#include <string.h>

#include "core/base/mem.h"

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while preparing tokens");
}

/* --- the document ----------------------------------------------------------------------------- */

static tern_status append(tn_doc *d, const int32_t *ids, size_t n, int16_t tag, tern_error *err) {
    if (TN_GROW(d->ids, d->ids_cap, d->n + n) != 0 || TN_GROW(d->tags, d->tags_cap, d->n + n) != 0)
        return no_memory(err);
    memcpy(d->ids + d->n, ids, n * sizeof *ids);
    for (size_t i = 0; i < n; i++) d->tags[d->n + i] = tag;
    d->n += n;
    return TERN_OK;
}

static tern_status encode(tn_prepare *p, const char *text, size_t len, bool parse_special,
                          bool spans, tern_error *err) {
    tern_encode_opts opts = {.parse_special = parse_special, .spans = spans};
    p->result->n_bytes += len;
    return tern_tokenizer_encode(p->tokenizer, text, len, &opts, &p->tokens, err);
}

tern_status tn_doc_text(tn_prepare *p, const char *text, size_t len, int16_t tag,
                        bool parse_special, tern_error *err) {
    tern_status st = encode(p, text, len, parse_special, false, err);
    return st == TERN_OK ? append(&p->doc, p->tokens.ids, p->tokens.n, tag, err) : st;
}

tern_status tn_doc_ids(tn_prepare *p, const int32_t *ids, size_t n, int16_t tag, tern_error *err) {
    return append(&p->doc, ids, n, tag, err);
}

tern_status tn_doc_token(tn_prepare *p, int32_t id, int16_t tag, tern_error *err) {
    return id >= 0 ? append(&p->doc, &id, 1, tag, err) : TERN_OK;
}

tern_status tn_doc_end(tn_prepare *p, tern_error *err) {
    tn_doc *d = &p->doc;
    tern_status st = tn_tokens_add_doc(p->writer, d->ids, d->tags, d->n,
                                       d->second < d->n ? d->second : d->n, err);
    p->result->n_docs += st == TERN_OK;
    d->n = 0;
    d->second = SIZE_MAX;
    return st;
}

/* Tokens of a text that fit beside what stands around it. */
static size_t room(const tn_prepare *p, size_t around) {
    uint32_t context = p->opts->context;
    return context == 0 ? SIZE_MAX : context > around ? context - around : 0;
}

static size_t frame(const tn_prepare *p) {
    return (size_t)(p->head >= 0) + (size_t)(p->tail >= 0);
}

/* head text tail, as one document; the text is cut so that the tail stays. */
static tern_status framed(tn_prepare *p, const char *prefix, const char *text, tern_error *err) {
    size_t limit = room(p, frame(p));
    tn_buf_reset(&p->text);
    tn_buf_str(&p->text, prefix ? prefix : "");
    tn_buf_str(&p->text, text);
    tern_status st = tn_buf_status(&p->text, err);
    if (st == TERN_OK) st = encode(p, tn_buf_cstr(&p->text), p->text.len, false, false, err);
    if (st == TERN_OK) st = tn_doc_token(p, p->head, 0, err);
    if (st != TERN_OK) return st;
    size_t n = p->tokens.n < limit ? p->tokens.n : limit;
    p->result->n_cut += n < p->tokens.n;
    st = append(&p->doc, p->tokens.ids, n, 0, err);
    if (st == TERN_OK) st = tn_doc_token(p, p->tail, 0, err);
    return st == TERN_OK ? tn_doc_end(p, err) : st;
}

/* --- members ---------------------------------------------------------------------------------- */

static tern_status want(const json_t *obj, const char *key, const char **out, tern_error *err) {
    *out = tn_json_str(obj, key, NULL);
    if (*out) return TERN_OK;
    return tern_fail(err, TERN_ERR_FORMAT, 0, "\"%s\" is missing or not a string", key);
}

/* A class by its number or its name. */
static tern_status class_of(const tn_prepare *p, const json_t *v, int32_t *out, tern_error *err) {
    const tn_prepare_opts *o = p->opts;
    const char *name = json_string_value(v);
    for (uint32_t i = 0; name && o->labels && i < o->n_classes; i++)
        if (strcmp(o->labels[i], name) == 0) {
            *out = (int32_t)i;
            return TERN_OK;
        }
    if (name)
        return tern_fail(err, TERN_ERR_FORMAT, 0,
                         "label \"%.80s\" is not one of the %u labels of "
                         "the recipe or the model",
                         name, o->labels ? o->n_classes : 0);
    if (!json_is_integer(v))
        return tern_fail(err, TERN_ERR_FORMAT, 0,
                         "\"label\" must be the number or name of a class");
    json_int_t n = json_integer_value(v);
    if (n < 0 || n >= o->n_classes)
        return tern_fail(err, TERN_ERR_FORMAT, 0,
                         "label %lld is out of range: there are %u classes, "
                         "0 to %u",
                         (long long)n, o->n_classes, o->n_classes ? o->n_classes - 1 : 0);
    *out = (int32_t)n;
    return TERN_OK;
}

/* --- tasks ------------------------------------------------------------------------------------ */

tern_status tn_prepare_text(tn_prepare *p, const char *text, size_t len, tern_error *err) {
    bool mlm = p->opts->task == TN_LM_MLM;
    size_t at = 0, limit = mlm ? room(p, frame(p)) : SIZE_MAX;
    int32_t end = mlm                  ? p->tail
                  : p->opts->end_token ? tern_tokenizer_special(p->tokenizer, TERN_SPECIAL_EOS)
                                       : -1;
    tern_status st = encode(p, text, len, false, false, err);
    if (st == TERN_OK && p->tokens.n == 0) p->result->n_empty++;
    while (st == TERN_OK && at < p->tokens.n) {
        size_t n = p->tokens.n - at < limit ? p->tokens.n - at : limit;
        if (n == 0) return tern_fail(err, TERN_ERR_ARG, 0, "the context has no room for a text");
        st = tn_doc_token(p, p->head, 0, err);
        if (st == TERN_OK) st = append(&p->doc, p->tokens.ids + at, n, 0, err);
        if (st == TERN_OK) st = tn_doc_token(p, end, 0, err);
        if (st == TERN_OK) st = tn_doc_end(p, err);
        if (st == TERN_OK) st = tn_tokens_end_record(p->writer, p->targets, err);
        at += n;
    }
    return st;
}

static tern_status completion(tn_prepare *p, const json_t *obj, tern_error *err) {
    const char *prompt, *answer;
    int32_t end = tern_tokenizer_special(p->tokenizer, TERN_SPECIAL_EOS);
    tern_status st = want(obj, "prompt", &prompt, err);
    if (st == TERN_OK) st = want(obj, "completion", &answer, err);
    if (st == TERN_OK) st = tn_doc_token(p, p->head, 0, err);
    if (st == TERN_OK) st = tn_doc_text(p, prompt, strlen(prompt), 0, false, err);
    if (st == TERN_OK) st = tn_doc_text(p, answer, strlen(answer), 1, false, err);
    if (st == TERN_OK) st = tn_doc_token(p, end, 1, err);
    return st == TERN_OK ? tn_doc_end(p, err) : st;
}

static tern_status pairs(tn_prepare *p, const json_t *obj, tern_error *err) {
    const char *query, *positive;
    const json_t *negatives = json_object_get(obj, "negatives"), *v;
    size_t i;
    tern_status st = want(obj, "query", &query, err);
    if (st == TERN_OK) st = want(obj, "positive", &positive, err);
    if (st == TERN_OK && negatives && !json_is_array(negatives))
        st = tern_fail(err, TERN_ERR_FORMAT, 0, "\"negatives\" must be a list of strings");
    if (st == TERN_OK) st = framed(p, p->opts->query_prefix, query, err);
    if (st == TERN_OK) st = framed(p, p->opts->passage_prefix, positive, err);
    json_array_foreach(negatives, i, v) {
        if (st != TERN_OK) break;
        st = json_is_string(v)
                 ? framed(p, p->opts->passage_prefix, json_string_value(v), err)
                 : tern_fail(err, TERN_ERR_FORMAT, 0, "\"negatives\" must be a list of strings");
    }
    return st;
}

/* head a tail, or head a tail (tail) b tail; what is too long is cut from b, then from a. */
static tern_status pair_text(tn_prepare *p, const char *a, const char *b, tern_error *err) {
    size_t around = frame(p) + (b ? (size_t)(p->tail >= 0) * (p->double_tail ? 2 : 1) : 0);
    size_t limit = room(p, around), n_a;
    tern_status st = tn_doc_token(p, p->head, 0, err);
    if (st == TERN_OK) st = encode(p, a, strlen(a), false, false, err);
    if (st != TERN_OK) return st;
    n_a = p->tokens.n < limit ? p->tokens.n : limit;
    p->result->n_cut += n_a < p->tokens.n;
    st = append(&p->doc, p->tokens.ids, n_a, 0, err);
    if (st == TERN_OK) st = tn_doc_token(p, p->tail, 0, err);
    if (st != TERN_OK || !b) return st == TERN_OK ? tn_doc_end(p, err) : st;
    if (p->double_tail) st = tn_doc_token(p, p->tail, 0, err);
    p->doc.second = p->doc.n;
    if (st == TERN_OK) st = encode(p, b, strlen(b), false, false, err);
    if (st != TERN_OK) return st;
    size_t n_b = p->tokens.n < limit - n_a ? p->tokens.n : limit - n_a;
    p->result->n_cut += n_b < p->tokens.n;
    st = append(&p->doc, p->tokens.ids, n_b, 0, err);
    if (st == TERN_OK) st = tn_doc_token(p, p->tail, 0, err);
    return st == TERN_OK ? tn_doc_end(p, err) : st;
}

/* Labels that are numbers: one, or a list of n_classes. */
static tern_status numbers(tn_prepare *p, const json_t *v, tern_error *err) {
    uint32_t n = p->opts->n_classes;
    if (json_is_number(v) && n == 1) {
        p->targets[0] = (float)json_number_value(v);
        return TERN_OK;
    }
    if (!json_is_array(v) || json_array_size(v) != n)
        return tern_fail(err, TERN_ERR_FORMAT, 0, "\"label\" must be %s",
                         n == 1 ? "a number" : "a list of numbers, as many as there are labels");
    for (uint32_t i = 0; i < n; i++) {
        if (!json_is_number(json_array_get(v, i)))
            return tern_fail(err, TERN_ERR_FORMAT, 0, "\"label\" holds what is not a number");
        p->targets[i] = (float)json_number_value(json_array_get(v, i));
    }
    return TERN_OK;
}

static tern_status classified(tn_prepare *p, const json_t *obj, tern_error *err) {
    const char *a = NULL, *b = NULL;
    const json_t *label = json_object_get(obj, "label");
    int32_t class = 0;
    tern_status st = TERN_OK;
    if (!label) return tern_fail(err, TERN_ERR_FORMAT, 0, "\"label\" is missing");
    if (json_object_get(obj, "query")) {
        st = want(obj, "query", &a, err);
        if (st == TERN_OK) st = want(obj, "passage", &b, err);
    } else {
        st = want(obj, "text", &a, err);
        b = tn_json_str(obj, "text_pair", NULL);
    }
    if (st == TERN_OK && p->opts->classes) {
        st = class_of(p, label, &class, err);
        p->targets[0] = (float)class;
    } else if (st == TERN_OK) {
        st = numbers(p, label, err);
    }
    return st == TERN_OK ? pair_text(p, a, b, err) : st;
}

/* The words stand in one text, a blank between them; the token that holds a word's first byte
 * carries its label. */
static tern_status tagged(tn_prepare *p, const json_t *obj, tern_error *err) {
    const json_t *words = json_object_get(obj, "words"), *labels = json_object_get(obj, "labels");
    size_t n_words = json_array_size(words), limit = room(p, frame(p));
    if (!json_is_array(words) || !json_is_array(labels) || json_array_size(labels) != n_words)
        return tern_fail(err, TERN_ERR_FORMAT, 0,
                         "\"words\" and \"labels\" must be lists of the same length");
    tn_buf_reset(&p->text);
    for (size_t i = 0; i < n_words; i++) {
        const char *word = json_string_value(json_array_get(words, i));
        if (!word) return tern_fail(err, TERN_ERR_FORMAT, 0, "word %zu is not a string", i + 1);
        if (i) tn_buf_char(&p->text, ' ');
        tn_buf_str(&p->text, word);
    }
    tern_status st = tn_buf_status(&p->text, err);
    if (st == TERN_OK) st = encode(p, tn_buf_cstr(&p->text), p->text.len, false, true, err);
    if (st == TERN_OK) st = tn_doc_token(p, p->head, TN_TAG_NONE, err);
    size_t first = p->doc.n, n = p->tokens.n < limit ? p->tokens.n : limit;
    if (st == TERN_OK) st = append(&p->doc, p->tokens.ids, n, TN_TAG_NONE, err);
    p->result->n_cut += st == TERN_OK && n < p->tokens.n;
    for (size_t i = 0, at = 0, k = 0; i < n_words && st == TERN_OK; i++) {
        const json_t *label = json_array_get(labels, i);
        int32_t class = TN_TAG_NONE;
        if (!json_is_null(label) &&
            !(json_is_integer(label) && json_integer_value(label) == TN_TAG_NONE))
            st = class_of(p, label, &class, err);
        while (k < n && p->tokens.spans[k].end <= at) k++;
        if (k < n && p->tokens.spans[k].begin <= at && p->doc.tags[first + k] == TN_TAG_NONE)
            p->doc.tags[first + k] = (int16_t) class;
        at += json_string_length(json_array_get(words, i)) + 1;
    }
    if (st == TERN_OK) st = tn_doc_token(p, p->tail, TN_TAG_NONE, err);
    return st == TERN_OK ? tn_doc_end(p, err) : st;
}

tern_status tn_prepare_record(tn_prepare *p, const json_t *obj, tern_error *err) {
    const char *text;
    tern_status st = TERN_OK;
    p->doc.n = 0;
    p->doc.second = SIZE_MAX;
    switch (p->opts->task) {
    case TN_LM_PRETRAIN:
    case TN_LM_MLM:
        st = want(obj, "text", &text, err);
        return st == TERN_OK ? tn_prepare_text(p, text, strlen(text), err) : st;
    case TN_LM_SFT:
        st = json_object_get(obj, "messages")
                 ? tn_prepare_messages(p, json_object_get(obj, "messages"), err)
                 : completion(p, obj, err);
        break;
    case TN_LM_CONTRASTIVE:
        st = pairs(p, obj, err);
        break;
    case TN_LM_CLASSIFY:
        st = classified(p, obj, err);
        break;
    case TN_LM_TAG:
        st = tagged(p, obj, err);
        break;
    }
    return st == TERN_OK ? tn_tokens_end_record(p->writer, p->targets, err) : st;
}

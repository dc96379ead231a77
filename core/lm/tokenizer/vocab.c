/* vocab.c - see vocab.h. */
#include "core/lm/tokenizer/vocab.h"
#include "core/base/mem.h"

void tn_vocab_deinit(tn_vocab *v) {
    tn_strmap_deinit(&v->map);
    tn_free(v->id_of);
    tn_free(v->key_of);
    *v = (tn_vocab){0};
}

tern_status tn_vocab_add(tn_vocab *v, const char *piece, size_t len, int64_t id, tern_error *err) {
    int shown = len < 80 ? (int)len : 80;
    if (id < 0 || id >= TN_VOCAB_ID_MAX)
        return tern_fail(err, TERN_ERR_FORMAT, 0, "'%.*s': id %lld is not within 0 to %d", shown,
                         piece, (long long)id, TN_VOCAB_ID_MAX - 1);
    if (tn_vocab_find(v, piece, len) >= 0)
        return tern_fail(err, TERN_ERR_FORMAT, 0, "piece '%.*s' stands there twice", shown, piece);
    if (id < v->size && v->key_of[id])
        return tern_fail(err, TERN_ERR_FORMAT, 0, "id %lld is given to '%.80s' and to '%.*s'",
                         (long long)id, v->map.keys[v->key_of[id] - 1].s, shown, piece);
    size_t size = (size_t)v->size;
    if (TN_GROW(v->id_of, v->id_of_cap, v->map.n + 1) != 0 ||
        ((size_t)id >= size && TN_GROW(v->key_of, v->key_cap, (size_t)id + 1) != 0))
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    uint32_t number = tn_strmap_add(&v->map, piece, len);
    if (number == TN_STRMAP_NONE) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    for (; size <= (size_t)id; size++) v->key_of[size] = 0;
    v->size = (int32_t)size;
    v->id_of[number] = (int32_t)id;
    v->key_of[id] = number + 1;
    return TERN_OK;
}

int32_t tn_vocab_find(const tn_vocab *v, const char *piece, size_t len) {
    uint32_t number = tn_strmap_find(&v->map, piece, len);
    return number == TN_STRMAP_NONE ? -1 : v->id_of[number];
}

const char *tn_vocab_piece(const tn_vocab *v, int64_t id, size_t *len) {
    if (id < 0 || id >= v->size || !v->key_of[id]) return NULL;
    const struct tn_strmap_key *key = &v->map.keys[v->key_of[id] - 1];
    if (len) *len = key->len;
    return key->s;
}

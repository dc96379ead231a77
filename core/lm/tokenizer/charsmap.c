/* charsmap.c - the normaliser that SentencePiece precompiles into its models: a double-array trie
 * (darts-clone) from byte strings to offsets of NUL-terminated replacements.
 *
 *   u32 little-endian  bytes of the trie
 *   u32 units          bits 0-7 label, 8 has a value, 9 shifts the offset by 8, 10-30 offset;
 *                      a value unit: bits 0-30
 *   bytes              the replacements
 *
 * A table is checked whole when it is read: from no unit can a step leave the trie, and no value
 * lies outside the replacements. */
#include "core/lm/tokenizer/tokenizer_priv.h"
#include <string.h>

#include "core/base/mem.h"

struct tn_charsmap {
    size_t n_units, n_texts; /* u32; bytes */
    uint32_t *units;
    char *texts; /* ends in NUL */
};

static size_t offset_of(uint32_t unit) {
    return (size_t)(unit >> 10) << ((unit & (1u << 9)) >> 6);
}

static uint32_t load_u32(const unsigned char *p) {
    return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

tern_status tn_charsmap_check(const void *blob, size_t n, tern_error *err) {
    const unsigned char *p = blob;
    size_t n_trie = n >= 4 ? load_u32(p) : 0;
    bool sound = n >= 4 && n_trie % 4 == 0 && n_trie <= n - 4;
    size_t n_units = n_trie / 4, n_texts = sound ? n - 4 - n_trie : 0;
    sound = sound && n_units > 0 && n_texts > 0 && p[n - 1] == '\0';
    for (size_t i = 0; i < n_units && sound; i++) {
        uint32_t unit = load_u32(p + 4 + 4 * i);
        sound =
            unit >> 31 ? (unit & 0x7FFFFFFFu) < n_texts : ((i ^ offset_of(unit)) | 0xFF) < n_units;
    }
    if (sound) return TERN_OK;
    return tern_fail(err, TERN_ERR_FORMAT, 0, "the precompiled charsmap is damaged");
}

tern_status tn_charsmap_new(const void *blob, size_t n, struct tn_charsmap **out, tern_error *err) {
    *out = NULL;
    tern_status st = tn_charsmap_check(blob, n, err);
    if (st != TERN_OK) return st;
    const unsigned char *p = blob;
    size_t n_trie = load_u32(p);
    struct tn_charsmap *m = tn_calloc(1, sizeof *m);
    if (!m) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    m->n_units = n_trie / 4;
    m->n_texts = n - 4 - n_trie;
    m->units = tn_alloc(n_trie);
    m->texts = tn_alloc(m->n_texts + 1);
    if (!m->units || !m->texts) {
        tn_charsmap_free(m);
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    }
    for (size_t i = 0; i < m->n_units; i++) m->units[i] = load_u32(p + 4 + 4 * i);
    memcpy(m->texts, p + 4 + n_trie, m->n_texts);
    m->texts[m->n_texts] = '\0';
    *out = m;
    return TERN_OK;
}

void tn_charsmap_free(struct tn_charsmap *m) {
    if (!m) return;
    tn_free(m->units);
    tn_free(m->texts);
    tn_free(m);
}

const char *tn_charsmap_find(const struct tn_charsmap *m, const char *s, size_t n, size_t *len) {
    if (m->n_units == 0) return NULL;
    size_t at = offset_of(m->units[0]);
    for (size_t i = 0; i < n && s[i]; i++) {
        at ^= (unsigned char)s[i];
        uint32_t unit = m->units[at];
        if ((unit & (1u << 31 | 0xFFu)) != (unsigned char)s[i]) return NULL;
        at ^= offset_of(unit);
        if (!(unit >> 8 & 1)) continue;
        size_t text = m->units[at] & 0x7FFFFFFFu;
        if (text >= m->n_texts) return NULL; /* the unit is no value */
        *len = strlen(m->texts + text);
        return m->texts + text;
    }
    return NULL;
}

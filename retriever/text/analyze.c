/* analyze.c - see analyze.h.
 * Text is scanned byte by byte with a class table; only words with bytes above 0x7F are decoded and
 * folded by utf8proc. What a surface word becomes (term, stop word) is computed once and memoised,
 * so that folding and stemming cost nothing on running text.
 * Measured on train questions (HotpotQA, MuSiQue, NQ, SciFact): stripping accents is worth 0.3
 * points of Recall@2 on HotpotQA and 0.5 of Recall@5 on MuSiQue, joining initials and thousands up
 * to 0.1 on HotpotQA; none costs anything elsewhere. Invariant: the term depends on the surface
 * word alone, never on the text around it; the one exception, texts of stop words only, is applied
 * at the end to the whole text. */
#include "retriever/text/analyze.h"
#include "core/base/arena.h"
#include "core/base/strmap.h"
#include "core/base/text.h"
#include "retriever/text/stopwords.h"
#include "retriever/text/word_memo.h"
#include <libstemmer.h>
#include <string.h>
#include <utf8proc.h>

#include "core/base/mem.h"

enum {
    TERM_MAX = 255,     /* bytes of a term */
    SURFACE_MAX = 1020, /* bytes of a word that are looked at */
    PENDING_MAX = 16,
    MEMO_BYTES = 96 << 20 /* the memo is emptied beyond this (a million words), between two texts */
};

typedef enum { SEP, WORD, APOSTROPHE, WIDE } byte_class;

typedef struct pending {
    tn_memo_key key;
    uint32_t begin, end;
} pending;

struct tn_analyzer {
    struct sb_stemmer *stemmer; /* NULL: none */
    bool joins_apostrophes;     /* English */
    tn_strmap stops;
    tn_word_memo memo;
    tn_arena terms;
    uint32_t epoch;
    uint8_t classes[256];
    char lowered[256]; /* of ASCII letters and digits: in lower case; else 0 */
    /* The word being read: ASCII in lower case, the rest as is. Zeros follow the word up to
     * TN_MEMO_KEY_BYTES. */
    char surface[SURFACE_MAX + 8];
    size_t surface_len;
    pending pending[PENDING_MAX]; /* short words read, not yet looked up */
    size_t n_pending;
    tn_buf folded;
    tn_token *tokens;
    size_t n, tokens_cap;
    uint32_t position;
};

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while analysing text");
}

/* --- construction --- */

static tern_status add_stops(tn_analyzer *a, const char *words, tern_error *err) {
    while (*words) {
        size_t n = strcspn(words, " ");
        if (tn_strmap_add(&a->stops, words, n) == TN_STRMAP_NONE) return no_memory(err);
        words += n + (words[n] == ' ');
    }
    return TERN_OK;
}

static tern_status unknown_language(const char *language, tern_error *err) {
    tn_buf known = {0};
    for (const char **name = sb_stemmer_list(); *name; name++) {
        tn_buf_str(&known, *name);
        tn_buf_char(&known, ' ');
    }
    tern_fail(err, TERN_ERR_ARG, 0, "unknown language \"%s\": use one of %snone", language,
              tn_buf_cstr(&known));
    tn_buf_deinit(&known);
    return TERN_ERR_ARG;
}

static bool is_listed(const char *language) {
    for (const char **name = sb_stemmer_list(); *name; name++)
        if (strcmp(*name, language) == 0) return true;
    return false;
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static void init_classes(tn_analyzer *a) {
    for (int c = 0; c < 256; c++) {
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        a->classes[c] = c >= 0x80 ? WIDE : alnum ? WORD : c == '\'' ? APOSTROPHE : SEP;
        a->lowered[c] = alnum ? lower((char)c) : '\0';
    }
}

tern_status tn_analyzer_new(const char *language, tn_analyzer **out, tern_error *err) {
    *out = NULL;
    bool stems = strcmp(language, "none") != 0;
    if (stems && !is_listed(language)) return unknown_language(language, err);
    tn_analyzer *a = tn_calloc(1, sizeof *a);
    if (!a) return no_memory(err);
    init_classes(a);
    a->joins_apostrophes = strcmp(language, "english") == 0 || strcmp(language, "porter") == 0;
    tern_status st = TERN_OK;
    if (stems) {
        a->stemmer = sb_stemmer_new(language, "UTF_8");
        st = a->stemmer ? add_stops(a, tn_stopwords(language), err) : no_memory(err);
    }
    if (st != TERN_OK) {
        tn_analyzer_free(a);
        return st;
    }
    *out = a;
    return TERN_OK;
}

void tn_analyzer_free(tn_analyzer *a) {
    if (!a) return;
    if (a->stemmer) sb_stemmer_delete(a->stemmer);
    tn_strmap_deinit(&a->stops);
    tn_word_memo_deinit(&a->memo);
    tn_arena_deinit(&a->terms);
    tn_buf_deinit(&a->folded);
    tn_free(a->tokens);
    tn_free(a);
}

uint32_t tn_analyzer_epoch(const tn_analyzer *a) {
    return a->epoch;
}

size_t tn_analyzer_bytes(const tn_analyzer *a) {
    return sizeof *a + tn_word_memo_bytes(&a->memo) + a->terms.n_bytes +
           a->tokens_cap * sizeof *a->tokens;
}

/* --- one word: fold, stop, stem --- */

static bool is_ascii(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (s[i] & 0x80) return false;
    return true;
}

/* Take combining accents off Latin letters, in place: people type "Zoe Saldana". Marks of other
 * scripts change the word and stay. Returns the new length. */
static size_t strip_accents(char *s, size_t n) {
    utf8proc_int32_t cps[2 * TERM_MAX];
    utf8proc_ssize_t m = utf8proc_decompose((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)n, cps,
                                            2 * TERM_MAX, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
    if (m < 0 || m > 2 * TERM_MAX) return n;
    utf8proc_ssize_t kept = 0;
    for (utf8proc_ssize_t i = 0; i < m; i++) {
        bool accent = cps[i] >= 0x300 && cps[i] < 0x370;
        if (!(accent && kept > 0 && cps[kept - 1] < 0x80)) cps[kept++] = cps[i];
    }
    kept = utf8proc_normalize_utf32(cps, kept, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    size_t len = 0;
    for (utf8proc_ssize_t i = 0; i < kept; i++) {
        char bytes[4];
        size_t n_bytes = tn_utf8_encode((uint32_t)cps[i], bytes);
        if (len + n_bytes > n) break; /* composing never lengthens; a guard, not a rule */
        memcpy(s + len, bytes, n_bytes);
        len += n_bytes;
    }
    return len;
}

/* Give an entry its term: surface[0..len) is analysed for the first time. Dotted initials come as
 * ".us" and are left alone. */
static tern_status derive(tn_analyzer *a, const char *surface, size_t len, tn_memo_entry *w,
                          tern_error *err) {
    bool initials = surface[0] == '.';
    if (initials) surface++, len--;
    tn_buf_reset(&a->folded);
    if (is_ascii(surface, len))
        tn_buf_add(&a->folded, surface, len);
    else
        tn_text_fold(surface, len, &a->folded);
    if (a->folded.failed) return no_memory(err);
    const char *term = a->folded.len ? a->folded.data : "";
    size_t n = tn_utf8_floor(term, a->folded.len, TERM_MAX);
    const bool is_stop = !initials && tn_strmap_find(&a->stops, term, n) != TN_STRMAP_NONE;
    if (a->stemmer && !is_stop && !initials && n > 0) {
        const sb_symbol *stem = sb_stemmer_stem(a->stemmer, (const sb_symbol *)term, (int)n);
        if (!stem) return no_memory(err);
        size_t stem_len = (size_t)sb_stemmer_length(a->stemmer);
        if (stem_len > 0 && stem_len <= TERM_MAX) term = (const char *)stem, n = stem_len;
    }
    char *copy = tn_arena_strndup(&a->terms, term, n);
    if (!copy) return no_memory(err);
    if (!is_ascii(copy, n)) {
        n = strip_accents(copy, n);
        copy[n] = '\0';
    }
    w->term_len = (uint8_t)n;
    w->is_stop = is_stop;
    w->term = copy;
    return TERN_OK;
}

static tern_status add_token(tn_analyzer *a, const tn_memo_key *key, const char *surface,
                             uint32_t begin, uint32_t end, tern_error *err) {
    tn_memo_entry *w = tn_word_memo_add(&a->memo, key, surface);
    if (!w) return no_memory(err);
    if (!w->term) { /* new, or its derivation ran out of memory the last time */
        tern_status st = derive(a, surface, key->len, w, err);
        if (st != TERN_OK) return st;
    }
    if (w->term_len == 0) return TERN_OK; /* folding left nothing */
    if (TN_GROW(a->tokens, a->tokens_cap, a->n + 1) != 0) return no_memory(err);
    a->tokens[a->n++] = (tn_token){.term = w->term,
                                   .term_len = w->term_len,
                                   .position = a->position++,
                                   .begin = begin,
                                   .end = end,
                                   .word = w->word,
                                   .is_stop = w->is_stop};
    return TERN_OK;
}

/* Turn the pending words into tokens. */
static tern_status flush(tn_analyzer *a, tern_error *err) {
    tern_status st = TERN_OK;
    for (size_t i = 0; i < a->n_pending && st == TERN_OK; i++) {
        const pending *p = &a->pending[i];
        st = add_token(a, &p->key, (const char *)p->key.bytes, p->begin, p->end, err);
    }
    a->n_pending = 0;
    return st;
}

/* The key of the word read last is in pending[n_pending]: keep it, and fetch its memo slot while
 * the scan goes on. Written in place, as a copy right after would wait for the stores. */
static tern_status pend(tn_analyzer *a, size_t begin, size_t end, tern_error *err) {
    pending *p = &a->pending[a->n_pending++];
    tn_word_memo_prefetch(&a->memo, &p->key);
    p->begin = (uint32_t)begin;
    p->end = (uint32_t)end;
    return a->n_pending < PENDING_MAX ? TERN_OK : flush(a, err);
}

/* The word in surface, which stands at bytes [begin, end) of the text. A long one does not fit its
 * key and is looked up at once. */
static tern_status emit(tn_analyzer *a, size_t begin, size_t end, tern_error *err) {
    tn_memo_key *key = &a->pending[a->n_pending].key;
    tn_word_memo_key(a->surface, a->surface_len, key);
    if (key->len <= TN_MEMO_KEY_BYTES) return pend(a, begin, end, err);
    const tn_memo_key long_key = *key;
    tern_status st = flush(a, err);
    if (st == TERN_OK)
        st = add_token(a, &long_key, a->surface, (uint32_t)begin, (uint32_t)end, err);
    return st;
}

/* --- the scan --- */

static bool is_cjk(uint32_t c) {
    return (c >= 0x1100 && c < 0x1200) || (c >= 0x3005 && c < 0x3008) ||
           (c >= 0x3041 && c < 0x3100) || (c >= 0x31F0 && c < 0x3200) ||
           (c >= 0x3400 && c < 0x4DC0) || (c >= 0x4E00 && c < 0xA000) ||
           (c >= 0xAC00 && c < 0xD7B0) || (c >= 0xF900 && c < 0xFB00) ||
           (c >= 0xFF66 && c < 0xFFA0) || (c >= 0x20000 && c < 0x32000);
}

static bool is_word_cp(uint32_t c) {
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return true;
    default:
        return false;
    }
}

static bool is_letter(char c) {
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}
static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static void push(tn_analyzer *a, const char *s, size_t n) {
    if (a->surface_len + n > SURFACE_MAX) return; /* the rest of an endless word is ignored */
    for (size_t i = 0; i < n; i++) a->surface[a->surface_len++] = lower(s[i]);
}

static void begin_word(tn_analyzer *a) {
    memset(a->surface, 0, TN_MEMO_KEY_BYTES);
    a->surface_len = 0;
}

/* Push the ASCII letters and digits at s[i]; returns the end of their run. */
static size_t push_ascii(tn_analyzer *a, const char *s, size_t n, size_t i) {
    size_t len = a->surface_len;
    for (char c; i < n && (c = a->lowered[(unsigned char)s[i]]) != 0; i++)
        if (len < SURFACE_MAX) a->surface[len++] = c;
    a->surface_len = len;
    return i;
}

/* Does a word character start at s[i]? CJK does not continue a word. *len: its bytes. */
static bool word_at(const tn_analyzer *a, const char *s, size_t n, size_t i, size_t *len) {
    if (i >= n) return false;
    byte_class class = a->classes[(unsigned char)s[i]];
    *len = 1;
    if (class != WIDE) return class == WORD;
    uint32_t cp;
    *len = tn_utf8_decode(s + i, n - i, &cp);
    return *len > 0 && cp != 0x2BC && is_word_cp(cp) && !is_cjk(cp);
}

/* Bytes of an apostrophe (', U+2019, U+02BC) at s[i]; 0 if there is none. */
static size_t apostrophe_at(const char *s, size_t n, size_t i) {
    if (i < n && s[i] == '\'') return 1;
    if (i + 3 <= n && memcmp(s + i, "\xE2\x80\x99", 3) == 0) return 3;
    if (i + 2 <= n && memcmp(s + i, "\xCA\xBC", 2) == 0) return 2;
    return 0;
}

/* End of dotted initials that start at s[i] ("U.S.", "J.R.R", "e.g."), their letters pushed; or 0.
 */
static size_t scan_initials(tn_analyzer *a, const char *s, size_t n, size_t i) {
    if (!(i + 2 < n && is_letter(s[i]) && s[i + 1] == '.' && is_letter(s[i + 2]))) return 0;
    size_t len;
    push(a, ".", 1);
    for (; i + 1 < n && is_letter(s[i]) && s[i + 1] == '.'; i += 2) push(a, s + i, 1);
    if (i < n && is_letter(s[i]) && !word_at(a, s, n, i + 1, &len)) push(a, s + i++, 1);
    if (a->surface_len > 2) return i;
    begin_word(a); /* "a.bc" */
    return 0;
}

/* Is the comma at s[i] inside a number such as 12,345,678? The word so far is in surface. */
static bool is_thousands(const tn_analyzer *a, const char *s, size_t n, size_t i) {
    if (s[i] != ',' || !is_digit(a->surface[0]) || !is_digit(s[i - 1])) return false;
    if (a->surface_len > 3 && s[i - 4] != ',') return false;
    return i + 3 < n && is_digit(s[i + 1]) && is_digit(s[i + 2]) && is_digit(s[i + 3]) &&
           !(i + 4 < n && is_digit(s[i + 4]));
}

/* Read the word at s[i] into surface; returns its end. */
static size_t scan_word(tn_analyzer *a, const char *s, size_t n, size_t i) {
    size_t len, next_len;
    for (;;) {
        i = push_ascii(a, s, n, i);
        if (word_at(a, s, n, i, &len)) {
            push(a, s + i, len);
            i += len;
            continue;
        }
        if (i >= n) return i;
        if (is_thousands(a, s, n, i)) {
            i++;
            continue;
        }
        len = apostrophe_at(s, n, i);
        if (!len || !a->joins_apostrophes || !word_at(a, s, n, i + len, &next_len)) return i;
        bool possessive = lower(s[i + len]) == 's' && !word_at(a, s, n, i + len + 1, &next_len);
        if (possessive) return i + len + 1;
        i += len;
    }
}

static tern_status emit_cjk(tn_analyzer *a, const char *s, size_t begin, size_t end,
                            tern_error *err) {
    begin_word(a);
    push(a, s + begin, end - begin);
    return emit(a, begin, end, err);
}

/* A run of CJK characters from s[i] as overlapping bigrams, or one token if it is a single one. */
static tern_status scan_cjk(tn_analyzer *a, const char *s, size_t n, size_t *i, tern_error *err) {
    size_t begin = *i, middle = 0; /* the pair is [begin, middle) [middle, end) */
    for (size_t end = begin;;) {
        uint32_t cp;
        size_t len = end < n ? tn_utf8_decode(s + end, n - end, &cp) : 0;
        if (len == 0 || !is_cjk(cp)) {
            *i = end;
            return middle ? TERN_OK : emit_cjk(a, s, begin, end, err);
        }
        if (end > begin) {
            if (middle) begin = middle;
            middle = end;
            tern_status st = emit_cjk(a, s, begin, end + len, err);
            if (st != TERN_OK) return st;
        }
        end += len;
    }
}

/* Is s[begin..end), a run of ASCII letters and digits, a word as it stands? It is unless it goes on
 * behind an apostrophe, a full stop, a comma or a byte above 0x7F, or is too long for a key. */
static bool is_plain_word(const tn_analyzer *a, const char *s, size_t n, size_t begin, size_t end) {
    if (end - begin > TN_MEMO_KEY_BYTES) return false;
    if (end == n) return true;
    const char next = s[end];
    return a->classes[(unsigned char)next] == SEP && !(next == '.' && end - begin == 1) &&
           !(next == ',' && is_digit(s[begin]));
}

/* Read the word, or the run of CJK characters, at s[*i]; *i moves behind it. */
static tern_status scan(tn_analyzer *a, const char *s, size_t n, size_t *i, tern_error *err) {
    const size_t begin = *i;
    size_t end = begin, len;
    while (end < n && a->classes[(unsigned char)s[end]] == WORD) end++;
    if (end > begin && is_plain_word(a, s, n, begin, end)) {
        tn_word_memo_key_ascii(s + begin, end - begin, n - begin, &a->pending[a->n_pending].key);
        *i = end;
        return pend(a, begin, end, err);
    }
    uint32_t cp;
    if (end == begin && (len = tn_utf8_decode(s + begin, n - begin, &cp)) > 0 && is_cjk(cp))
        return scan_cjk(a, s, n, i, err);
    if (!word_at(a, s, n, begin, &len)) {
        *i = begin + (len ? len : 1);
        return TERN_OK;
    }
    begin_word(a);
    *i = scan_initials(a, s, n, begin);
    if (*i == 0) *i = scan_word(a, s, n, begin);
    return emit(a, begin, *i, err);
}

static void keep_stops_if_nothing_else(tn_analyzer *a) {
    for (size_t i = 0; i < a->n; i++)
        if (!a->tokens[i].is_stop) return;
    for (size_t i = 0; i < a->n; i++) a->tokens[i].is_stop = false;
}

static void bound_memo(tn_analyzer *a) {
    if (tn_analyzer_bytes(a) <= MEMO_BYTES) return;
    tn_word_memo_deinit(&a->memo);
    tn_arena_reset(&a->terms);
    tn_free(a->tokens);
    a->tokens = NULL;
    a->tokens_cap = 0;
    a->epoch++;
}

tern_status tn_analyze(tn_analyzer *a, const char *s, size_t n, const tn_token **tokens,
                       size_t *n_tokens, tern_error *err) {
    *tokens = NULL;
    *n_tokens = 0;
    bound_memo(a);
    a->n = a->n_pending = 0;
    a->position = 0;
    for (size_t i = 0; i < n;) {
        byte_class class = a->classes[(unsigned char)s[i]];
        if (class == SEP || class == APOSTROPHE) {
            i++;
            continue;
        }
        tern_status st = scan(a, s, n, &i, err);
        if (st != TERN_OK) return st;
    }
    tern_status st = flush(a, err);
    if (st != TERN_OK) return st;
    keep_stops_if_nothing_else(a);
    *tokens = a->tokens;
    *n_tokens = a->n;
    return TERN_OK;
}

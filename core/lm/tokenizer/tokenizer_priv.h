/* tokenizer_priv.h - what a tokenizer is made of, for the files of this folder.
 *
 * The way of a text:
 *   text -> added tokens written in it are cut out (added.c)
 *        -> each rest is normalised (normalize.c) and searched for added tokens again
 *        -> the pre-tokenizer's steps cut it into words (pretok.c)
 *        -> the model turns a word into ids (bpe.c, wordpiece.c, unigram.c, sp_model.c)
 *        -> the template puts special tokens around (template.c).
 * A tokenizer is immutable; what an encode needs to write lives in a tn_encoder, of which the
 * tokenizer keeps idle ones under a lock (encoder.c). */
#ifndef TN_TOKENIZER_PRIV_H
#define TN_TOKENIZER_PRIV_H
#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/lm/tokenizer/regex.h"
#include "core/lm/tokenizer/scan.h"
#include "core/lm/tokenizer/trie.h"
#include "core/lm/tokenizer/vocab.h"
#include "tern/tokenizer.h"
#include <pthread.h>

/* A stretch of text on its way, with the bytes of the source each of its bytes came from. */
typedef struct tn_stretch {
    const char *s;
    size_t n;
    const tern_token_span *from; /* [n], or NULL: byte i is byte base + i of the source */
    uint32_t base;
} tn_stretch;

/* A literal string or a regular expression. */
typedef struct tn_pattern {
    const char *text; /* NULL: regex */
    size_t len;
    tn_regex *regex;
} tn_pattern;

/* ---- normalisers ---- */

typedef enum tn_norm_kind {
    TN_NORM_NFC,
    TN_NORM_NFD,
    TN_NORM_NFKC,
    TN_NORM_NFKD,
    TN_NORM_LOWERCASE,
    TN_NORM_STRIP_ACCENTS, /* drop \p{Mn} */
    TN_NORM_BERT_CLEAN,    /* drop controls, U+0000, U+FFFD; white space becomes ' ' */
    TN_NORM_BERT_CJK,      /* spaces around ideographs */
    TN_NORM_REPLACE,
    TN_NORM_PREPEND,
    TN_NORM_STRIP,
    TN_NORM_NMT,
    TN_NORM_CHARSMAP
} tn_norm_kind;

typedef struct tn_norm {
    tn_norm_kind kind;
    tn_pattern pattern;  /* REPLACE */
    const char *content; /* REPLACE, PREPEND */
    size_t content_len;
    bool left, right;             /* STRIP */
    struct tn_charsmap *charsmap; /* CHARSMAP; owned */
} tn_norm;

/* ---- pre-tokenizers ---- */

typedef enum tn_split_kind {
    TN_SPLIT_SCAN,    /* one of the patterns known by hand */
    TN_SPLIT_PATTERN, /* Split */
    TN_SPLIT_CLASS,   /* characters with a bit of class_mask match, one by one */
    TN_SPLIT_WORDS,   /* Whitespace: \w+|[^\w\s]+ */
    TN_SPLIT_METASPACE,
    TN_SPLIT_PREFIX_SPACE /* ByteLevel's add_prefix_space */
} tn_split_kind;

typedef enum tn_behavior {
    TN_REMOVED,
    TN_ISOLATED,
    TN_MERGED_PREVIOUS,
    TN_MERGED_NEXT,
    TN_CONTIGUOUS
} tn_behavior;

typedef enum tn_prepend { TN_PREPEND_NEVER, TN_PREPEND_FIRST, TN_PREPEND_ALWAYS } tn_prepend;

typedef struct tn_split {
    tn_split_kind kind;
    tn_scan scan;
    tn_pattern pattern;
    bool invert;
    unsigned class_mask; /* TN_CH_... */
    tn_behavior behavior;
    char mark[4]; /* METASPACE: what stands for a space */
    size_t mark_len;
    tn_prepend prepend;
    bool cut; /* METASPACE: also split before each mark */
} tn_split;

/* ---- added tokens ---- */

typedef struct tn_added {
    const char *content; /* as written in the file */
    size_t len;
    int32_t id;
    bool special, normalized, single_word, lstrip, rstrip;
    bool unwritten; /* never looked for in a text: control pieces of a bare SentencePiece model */
} tn_added;

/* ---- models ---- */

typedef enum tn_model_kind {
    TN_MODEL_BPE,
    TN_MODEL_WORDPIECE,
    TN_MODEL_UNIGRAM,
    TN_MODEL_SENTENCEPIECE
} tn_model_kind;

typedef struct tn_merge {
    uint64_t pair; /* left id << 32 | right id */
    uint32_t rank; /* UINT32_MAX: empty slot */
    int32_t id;
} tn_merge;

typedef struct tn_bpe {
    bool byte_level, byte_fallback, fuse_unk, ignore_merges;
    bool cuts;             /* words can be cut before U+2581: see bpe.c */
    int32_t unk;           /* -1: none */
    int32_t byte_id[256];  /* byte level: the byte's symbol; byte fallback: <0xXX>; -1: none */
    bool all_bytes;        /* no -1 above */
    int32_t ascii_id[128]; /* not byte level: the character's symbol, or -1 */
    tn_merge *merges;      /* open addressing */
    uint32_t merges_mask;  /* slots - 1 */
    uint32_t n_merges;
    uint32_t *id_len;  /* by id: bytes of the piece's text (byte level: after unmapping) */
    tn_strmap words;   /* byte level with ignore_merges: bytes of a piece -> number */
    int32_t *word_ids; /* by that number */
} tn_bpe;

typedef struct tn_wordpiece {
    int32_t unk;
    const char *prefix; /* "##" */
    size_t prefix_len;
    size_t chars_max;      /* a longer word is unknown */
    tn_trie starts, rests; /* pieces that begin a word; those behind the prefix, without it */
} tn_wordpiece;

typedef struct tn_unigram {
    tn_trie trie;   /* value: id */
    double *scores; /* by id */
    double unk_score;
    int32_t unk; /* -1: none */
    bool byte_fallback;
    int32_t byte_id[256]; /* <0xXX>, or -1 */
} tn_unigram;

/* ---- decoders ---- */

typedef enum tn_dec_kind {
    TN_DEC_BYTE_LEVEL,
    TN_DEC_METASPACE,
    TN_DEC_WORDPIECE,
    TN_DEC_BYTE_FALLBACK,
    TN_DEC_FUSE,
    TN_DEC_STRIP,
    TN_DEC_REPLACE
} tn_dec_kind;

typedef struct tn_dec {
    tn_dec_kind kind;
    const char *text; /* WORDPIECE: prefix; STRIP, REPLACE: what is looked for; METASPACE: mark */
    size_t len;
    const char *content; /* REPLACE: what is put there */
    size_t content_len;
    size_t start, stop; /* STRIP: at most so many at each end */
    bool cleanup;       /* WORDPIECE */
    bool prefix;        /* METASPACE: the first token's marks are dropped */
} tn_dec;

enum { TN_STEPS_MAX = 32 };

struct tern_tokenizer {
    tn_model_kind model;
    const char *kind;
    tn_vocab vocab; /* pieces of the model and added tokens */
    tn_bpe bpe;
    tn_wordpiece wordpiece;
    tn_unigram unigram;
    struct tn_sp *sp; /* SENTENCEPIECE; owned */

    tn_norm norms[TN_STEPS_MAX];
    size_t n_norms;
    tn_split splits[TN_STEPS_MAX];
    size_t n_splits;
    tn_dec decs[TN_STEPS_MAX];
    size_t n_decs;
    bool join_with_space; /* no decoder: tokens are joined by spaces, as the reference does */

    tn_added *added;
    size_t n_added, added_cap;
    uint32_t *added_of; /* by id: index + 1, or 0; [vocab.size] */
    struct tn_added_set {
        tn_trie trie;              /* value: index into added */
        bool first[256];           /* bytes some content begins with */
    } added_raw, added_normalized; /* found in the text as it is; in the normalised text */
    int32_t *before, *after;       /* the template's special ids around a text */
    size_t n_before, n_after, before_cap, after_cap;
    int32_t special[TERN_SPECIAL_N];

    char hash[33];
    char *chat_template;
    tn_arena arena; /* strings of the above */

    pthread_mutex_t lock; /* guards idle and n_idle */
    struct tn_encoder *idle;
};

/* One encode at a time: the buffers it writes. */
typedef struct tn_encoder {
    struct tn_encoder *next;
    const tern_tokenizer *t;
    const tern_encode_opts *opts;
    const tern_token_span *guarded; /* parts of the source where special tokens are but text */
    size_t n_guarded;
    tern_tokens *out;
    tern_status st; /* the first failure: later steps do nothing */
    tern_error *err;
    tn_arena arena; /* normalised text and the like, reset after each encode */
    struct tn_range {
        size_t begin, end;
        bool match;
    } * ranges; /* stack of pretok.c */
    size_t n_ranges, ranges_cap;
    tn_regex_scratch *regex;
    struct tn_symbol {
        int32_t id;
        int32_t merged;      /* short words: what the pair with the next symbol becomes */
        uint32_t rank;       /* of that pair; UINT32_MAX: it does not merge */
        int32_t next, prev;  /* long words: neighbours, -1 at the ends */
        uint32_t begin, end; /* bytes of the word */
    } * symbols;
    size_t symbols_cap;
    struct tn_heap_item {
        uint32_t rank;
        int32_t at, left, right; /* symbol index, and the ids the pair had when it was pushed */
    } * heap;
    size_t n_heap, heap_cap;
    struct tn_memo_entry *memo; /* [TN_MEMO_SLOTS], or NULL */
    struct tn_path {
        double score;
        uint32_t begin;
        int32_t id; /* -1: not reached */
    } * path;       /* unigram.c */
    size_t path_cap;
} tn_encoder;

/* encoder.c */
tn_encoder *tn_encoder_take(const tern_tokenizer *t); /* NULL: no memory */
void tn_encoder_give(tn_encoder *e);
void tn_encoder_free(tn_encoder *e);
void tn_encoder_nomem(tn_encoder *e);
/* Append a token; span in bytes of the source. */
void tn_emit_at(tn_encoder *e, int32_t id, uint32_t begin, uint32_t end);
/* Append a token for bytes [begin, end) of a stretch. */
void tn_emit(tn_encoder *e, const tn_stretch *x, int32_t id, size_t begin, size_t end);
tn_stretch tn_stretch_cut(const tn_stretch *x, size_t begin, size_t end);
/* The source bytes of [begin, end) of a stretch; empty ranges give an empty span. */
tern_token_span tn_stretch_span(const tn_stretch *x, size_t begin, size_t end);

/* The next match of a pattern in [at, n) of s; sets *found. Bytes that are not UTF-8 match nothing
 * but a literal. Failures go to e->st. */
void tn_pattern_find(tn_encoder *e, const tn_pattern *p, const char *s, size_t n, size_t at,
                     size_t *begin, size_t *end, int *found);
void tn_pattern_deinit(tn_pattern *p);

/* The models: append the ids of one word. */
void tn_bpe_encode(tn_encoder *e, const tn_stretch *word);
void tn_wordpiece_encode(tn_encoder *e, const tn_stretch *word);
void tn_unigram_encode(tn_encoder *e, const tn_stretch *word);
void tn_sp_model_encode(tn_encoder *e, const tn_stretch *text);

/* sp_model.c */
void tn_sp_close(struct tn_sp *sp); /* NULL allowed */
/* Append what a piece stands for; *at_start: nothing of the text was written yet, so that the
 * space in front of it goes. */
void tn_sp_piece_text(const tern_tokenizer *t, int32_t id, bool *at_start, tn_buf *out);

/* bpe.c */
enum { TN_MEMO_SLOTS = 1 << 15 };
size_t tn_memo_bytes(void);
int32_t tn_byte_of_char(uint32_t cp);    /* byte-level alphabet -> byte, or -1 */
uint32_t tn_char_of_byte(unsigned byte); /* and back */
TERN_MUST_USE tern_status tn_bpe_begin(tern_tokenizer *t, size_t n_merges, tern_error *err);
/* Pieces must be in t->vocab; rank = order of the calls. */
TERN_MUST_USE tern_status tn_bpe_add_merge(tern_tokenizer *t, const char *left, size_t left_len,
                                           const char *right, size_t right_len, tern_error *err);
/* After the vocabulary and the flags are set. */
TERN_MUST_USE tern_status tn_bpe_finish(tern_tokenizer *t, tern_error *err);
void tn_bpe_deinit(tn_bpe *b);

/* normalize.c: the stretch after all normalisers; memory of e->arena. */
tn_stretch tn_normalize(tn_encoder *e, const tn_stretch *in);
void tn_norm_deinit(tn_norm *n);

/* Text being made from a stretch, with the source of each byte when the caller wants spans. */
typedef struct tn_writer {
    tn_encoder *e;
    char *s;
    tern_token_span *from; /* NULL: nobody asks */
    size_t n, cap;
} tn_writer;
tn_writer tn_writer_begin(tn_encoder *e, size_t n_guess);
void tn_write(tn_writer *w, const char *s, size_t n, tern_token_span from);
/* Bytes [begin, end) of x as they are. */
void tn_write_copy(tn_writer *w, const tn_stretch *x, size_t begin, size_t end);
void tn_write_char(tn_writer *w, uint32_t cp, tern_token_span from);
tn_stretch tn_writer_end(const tn_writer *w, const tn_stretch *x);
/* unicode_forms.c: one of the four normal forms of x. */
void tn_write_form(tn_writer *w, const tn_stretch *x, tn_norm_kind form);

/* pretok.c: cut by the pre-tokenizer and hand the words to the model. */
void tn_pretokenize(tn_encoder *e, const tn_stretch *in);

/* added.c */
TERN_MUST_USE tern_status tn_added_add(tern_tokenizer *t, const tn_added *token, tern_error *err);
TERN_MUST_USE tern_status tn_added_finish(tern_tokenizer *t, tern_error *err);
/* Cut x at the added tokens of a trie: rest(e, x) for what lies between, ids for the tokens. */
void tn_added_cut(tn_encoder *e, const tn_stretch *x, const struct tn_added_set *set,
                  void (*rest)(tn_encoder *e, const tn_stretch *x));
void tn_added_deinit(tern_tokenizer *t);

/* charsmap.c: the precompiled normaliser of SentencePiece. */
TERN_MUST_USE tern_status tn_charsmap_new(const void *blob, size_t n, struct tn_charsmap **out,
                                          tern_error *err);
/* Whether the table can be trusted: FORMAT if it is damaged. */
TERN_MUST_USE tern_status tn_charsmap_check(const void *blob, size_t n, tern_error *err);
void tn_charsmap_free(struct tn_charsmap *m);
/* The replacement for the first match at s, or NULL. */
const char *tn_charsmap_find(const struct tn_charsmap *m, const char *s, size_t n, size_t *len);

/* The loaders fill a fresh tokenizer; open.c chooses one and finishes. `where` names the file in
 * messages. */
tern_tokenizer *tn_tokenizer_new(void); /* NULL: no memory */
TERN_MUST_USE tern_status tn_tokenizer_finish(tern_tokenizer *t, tern_error *err);
TERN_MUST_USE tern_status tn_load_json(tern_tokenizer *t, const char *where, const char *text,
                                       size_t n, tern_error *err);
/* fairseq: XLM-R's numbering (<s> 0, <pad> 1, </s> 2, <unk> 3, pieces shifted by 1, <mask> last).
 */
TERN_MUST_USE tern_status tn_load_sp(tern_tokenizer *t, const char *where, const void *data,
                                     size_t n, bool fairseq, tern_error *err);

#endif

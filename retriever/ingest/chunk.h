/* chunk.h - cutting a text into passages along its structure.
 * A passage is one contiguous byte range of the text, so that it can be looked up where it came
 * from. Cuts fall between sections, then paragraphs, then sentences or lines, then words.
 *
 * Length is counted in words: a run without white space is one word per started 32 bytes (a URL or
 * base64 is not free), and a CJK character is half a word. */
#ifndef TN_CHUNK_H
#define TN_CHUNK_H
#include "core/base/arena.h"
#include "tern/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum tn_block_kind {
    TN_BLOCK_PROSE,   /* cut between sentences */
    TN_BLOCK_LINES,   /* a list, table or code: cut between lines */
    TN_BLOCK_HEADING, /* opens a section */
} tn_block_kind;

typedef struct tn_block {
    size_t begin, end; /* in the text; blocks ascend and do not overlap */
    tn_block_kind kind;
    unsigned level;                /* of a heading: 1 .. 6 */
    size_t title_begin, title_end; /* of a heading: its words */
} tn_block;

/* Blocks as a reader finds them. Beyond TN_BLOCKS_MAX of them, what follows is added to the last
 * one, so that a file of nothing but line ends or headings does not take many times its size. */
#define TN_BLOCKS_MAX ((size_t)1 << 20)
typedef struct tn_block_list {
    tn_block *v;
    size_t n, cap;
    bool failed; /* no memory */
} tn_block_list; /* zero-initialise to start; tn_free(list.v) */
void tn_block_list_add(tn_block_list *l, tn_block b);

typedef struct tn_cut {
    size_t begin, end;   /* trimmed; never empty */
    const char *section; /* "Guide > Install", "" if none; raw bytes of the headings */
} tn_cut;

/* Cut text[0, len) into passages of at most `limit` words, of which the first `overlap` or fewer
 * repeat the end of the passage before (only within a section, beginning with a sentence where one
 * fits). Short sections join their sisters and children up to the limit and then carry the heading
 * they share. A heading equal to `title` is not repeated in section paths.
 *   out, n_out   in the arena; n_out is 0 only if no block holds anything but white space
 * NOMEM only. */
TERN_MUST_USE tern_status tn_chunk_cut(const char *text, const tn_block *blocks, size_t n_blocks,
                                       const char *title, size_t title_len, uint32_t limit,
                                       uint32_t overlap, tn_arena *arena, tn_cut **out,
                                       size_t *n_out, tern_error *err);

/* Length of the text in half words. */
uint64_t tn_half_words(const char *text, size_t len);
/* The longest prefix, in bytes, that has at most n half words and ends behind a word, or inside one
 * only when that word alone is longer; at least one piece if there is any. *cost: its half words.
 */
size_t tn_half_words_prefix(const char *text, size_t len, uint64_t n, uint64_t *cost);
#endif

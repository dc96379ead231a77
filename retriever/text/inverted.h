/* inverted.h - the inverted index of one segment: terms -> postings with positions.
 * A passage is indexed as title, then text, one field; the title's positions come first, with a
 * gap so that no phrase spans the two. Files written into the segment's folder (byte by byte in
 * inverted_priv.h and postings.h):
 *   terms.tn      sorted term dictionary with a hash table, df and offsets
 *   postings.tn   blocks of 128: delta- and bit-packed doc numbers, tf, block maxima (max tf, min
 *                 length; never scores)
 *   positions.tn  word positions, read for phrases only
 *   lengths.tn    u32 length in terms per passage
 * The files are a function of the passages alone: built at once or merged, the same bytes. */
#ifndef TN_INVERTED_H
#define TN_INVERTED_H
#include "retriever/text/analyze.h"
#include "tern/host.h"
#include "tern/status.h"
#include <stddef.h>
#include <stdint.h>

/* --- building: one thread --- */
typedef struct tn_inv_builder tn_inv_builder;
TERN_MUST_USE tern_status tn_inv_builder_new(tn_analyzer *a, tn_inv_builder **out, tern_error *err);
void tn_inv_builder_free(tn_inv_builder *b);
/* The next passage; numbers are given in order from 0. After an error (NOMEM, LIMIT) the builder
 * holds half a passage and can only be freed. */
TERN_MUST_USE tern_status tn_inv_builder_add(tn_inv_builder *b, const char *title, size_t title_len,
                                             const char *text, size_t text_len, tern_error *err);
size_t tn_inv_builder_bytes(const tn_inv_builder *b); /* memory held, for the budget */
TERN_MUST_USE tern_status tn_inv_builder_write(tn_inv_builder *b, const char *seg_dir,
                                               tern_error *err);

/* --- reading: immutable, any thread --- */
typedef struct tn_inv tn_inv;
TERN_MUST_USE tern_status tn_inv_open(const char *seg_dir, tn_inv **out, tern_error *err);
void tn_inv_close(tn_inv *inv);
uint32_t tn_inv_n_docs(const tn_inv *inv);
uint32_t tn_inv_n_terms(const tn_inv *inv);
uint64_t tn_inv_n_tokens(const tn_inv *inv); /* sum of the lengths */
/* Passages that hold the analysed term; 0 if the segment lacks it. CORRUPT. */
TERN_MUST_USE tern_status tn_inv_df(const tn_inv *inv, const char *term, size_t len, uint32_t *df,
                                    tern_error *err);
/* Check every block and every cross-reference (offsets, order, counts) for tern_index_check. */
TERN_MUST_USE tern_status tn_inv_check(const tn_inv *inv, void (*bad)(void *ud, const char *text),
                                       void *ud, tern_error *err);

/* Merge n segments into seg_dir. keep[i] is a bitmap over the docs of inv[i] (bit set: keep; NULL:
 * all); kept docs are renumbered in order, segment after segment. */
TERN_MUST_USE tern_status tn_inv_merge(const tn_inv *const *inv, const uint64_t *const *keep,
                                       size_t n, const char *seg_dir, const tern_host *host,
                                       tern_error *err);

/* Walk all terms of a segment in sorted order with their (doc, tf) lists: what the LSA embedder
 * builds its matrix from. docs and tfs are [df], valid during the call. */
typedef tern_status tn_inv_visit(void *ud, uint32_t term_no, const char *term, size_t term_len,
                                 const uint32_t *docs, const uint32_t *tfs, uint32_t df,
                                 tern_error *err);
TERN_MUST_USE tern_status tn_inv_walk(const tn_inv *inv, tn_inv_visit *visit, void *ud,
                                      tern_error *err);
#endif

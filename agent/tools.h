/* tools.h - the agent's tools over an open index. */
#ifndef TN_TOOLS_H
#define TN_TOOLS_H
#include "agent/agent_priv.h"

/* Which titles an index has, by 64-bit hashes of their folded forms, with and without a bracketed
 * ending. Immutable: shared by threads. Two titles in 2^64 may be taken for each other. */
typedef struct tn_titles tn_titles;
/* *out NULL: the index is too large to list (then single titles are looked up by searching). */
TERN_MUST_USE tern_status tn_titles_new(const tern_index *ix, tn_titles **out, tern_error *err);
void tn_titles_free(tn_titles *t); /* NULL allowed */

typedef struct tn_index_tools tn_index_tools; /* one thread */
TERN_MUST_USE tern_status tn_index_tools_new(const tern_index *ix, const tn_titles *titles,
                                             tern_mode mode, int64_t as_of, tn_index_tools **out,
                                             tern_error *err);
/* hidden: [n_hidden] refs that searches never return, borrowed; for asking without the evidence. */
void tn_index_tools_hide(tn_index_tools *t, const uint32_t *hidden, size_t n_hidden);
/* Searches are ordered by this re-ranker, borrowed, which looks at `depth` hits; NULL: by none. */
void tn_index_tools_rerank(tn_index_tools *t, const tern_reranker *reranker, size_t depth);
void tn_index_tools_free(tn_index_tools *t); /* NULL allowed */
tn_agent_tools tn_index_tools_table(tn_index_tools *t);

#endif

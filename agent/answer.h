/* answer.h - from a finished episode to an answer with citations, and the trace of both. */
#ifndef TN_ANSWER_H
#define TN_ANSWER_H
#include "agent/reader.h"

/* Does `part` occur in `text` as whole words? Case, width and runs of white space do not matter; a
 * part without any letter or digit occurs nowhere. NOMEM counts as no. */
bool tn_occurs(const char *text, size_t text_len, const char *part, size_t part_len);

/* Build the answer of an episode that was run to its end: read it (scoring policies) or take what
 * the policy wrote, look every sentence of it up in the passages shown, number the citations. */
TERN_MUST_USE tern_status tn_answer_build(tn_episode *ep, tern_answer **out, tern_error *err);

/* One JSONL event each, handed to opts->trace; nothing happens without one. docs/TRACE.md. */
TERN_MUST_USE tern_status tn_trace_begin(const tn_episode *ep, tern_error *err);
TERN_MUST_USE tern_status tn_trace_turn(const tn_episode *ep, size_t turn, tern_error *err);
TERN_MUST_USE tern_status tn_trace_answer(const tn_episode *ep, const tern_answer *a,
                                          tern_error *err);
#endif

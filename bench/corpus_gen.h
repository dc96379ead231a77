/* corpus_gen.h - passages and questions with the term statistics of natural text, from a seed.
 *
 * Words follow a Zipf-Mandelbrot law over two million types; the most frequent are English function
 * words, the rest are spelled from syllables. A passage has a log-normal length and one topic, from
 * whose few hundred words a third of its own are drawn, and repeats words it has already used
 * (burstiness). A question mixes words of one passage, words of another and function words.
 * Passage i is a function of (seed, i) alone. */
#ifndef BENCH_CORPUS_GEN_H
#define BENCH_CORPUS_GEN_H
#include "core/base/buf.h"
#include <stdint.h>

/* Replace *title and *text by those of passage i. */
void bench_gen_passage(uint64_t seed, uint64_t i, tn_buf *title, tn_buf *text);
/* Replace *query by question i over n_passages passages. */
void bench_gen_question(uint64_t seed, uint64_t i, uint64_t n_passages, tn_buf *query);

#endif

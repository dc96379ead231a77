/* corpus_gen.c - see corpus_gen.h. */
#include "bench/corpus_gen.h"
#include "core/base/rng.h"
#include <math.h>
#include <string.h>

enum {
    N_RANKS = 50000000,
    KNEE = 6000, /* beyond this rank the law is steeper: vocabularies grow as in English */
    N_TOPICS = 5000,
    TOPIC_WORDS = 400,
    TOPIC_RANKS = 30000,  /* topics draw their words from here */
    WORDS_MAX = 600,      /* of a passage */
    QUESTION_STREAM = 1,  /* passages use even streams, questions odd ones */
    FUNCTION_REPEATS = 70 /* ranks below this are never repeated for burstiness */
};

static const double zipf_exponent = 1.15, zipf_shift = 2.7;
static const double share_topic = 0.3, share_burst = 0.2, knee_exponent = 0.45;

static const char *const function_words[] = {
    "the",  "of",    "and",    "in",    "to",   "a",   "was",     "is",   "as",   "for",
    "by",   "on",    "with",   "from",  "at",   "it",  "that",    "his",  "an",   "were",
    "are",  "which", "he",     "or",    "be",   "has", "also",    "had",  "its",  "this",
    "but",  "their", "not",    "after", "have", "her", "been",    "they", "who",  "when",
    "into", "she",   "during", "other", "more", "all", "between", "over", "than", "under"};
enum { N_FUNCTION = sizeof function_words / sizeof *function_words };

/* A rank in [0, n) with probability about 1 / (rank + shift)^exponent. */
static uint32_t zipf(tn_rng *r, double n) {
    const double e = 1 - zipf_exponent;
    const double first = pow(zipf_shift, e), last = pow(n + zipf_shift, e);
    double x = pow(first - tn_rng_uniform(r) * (first - last), 1 / e) - zipf_shift;
    if (x > KNEE) x = KNEE * pow(x / KNEE, knee_exponent);
    return x < 0 ? 0 : (uint32_t)x;
}

static void add_word(tn_buf *out, uint32_t rank) {
    static const char *const onsets[] = {"b", "d", "f", "g", "k",  "l",  "m",  "n",
                                         "p", "r", "t", "v", "st", "tr", "sh", "gr"};
    static const char *const vowels[] = {"a", "o", "u", "ai", "ou", "i", "ar", "on"};
    if (out->len) tn_buf_char(out, ' ');
    if (rank < N_FUNCTION) {
        tn_buf_str(out, function_words[rank]);
        return;
    }
    for (uint32_t v = rank - N_FUNCTION + 16; v > 0; v /= 128) {
        tn_buf_str(out, onsets[v % 16]);
        tn_buf_str(out, vowels[v / 16 % 8]);
    }
    tn_buf_char(out, 'k');
}

/* The rank of a topic's word: anywhere beyond the function words, evenly on a log scale. */
static uint32_t topic_word(uint64_t seed, uint64_t topic, uint32_t no) {
    tn_rng r = tn_rng_init(seed ^ 0x746f706963, topic * TOPIC_WORDS + no);
    return (uint32_t)(N_FUNCTION * exp(tn_rng_uniform(&r) * log((double)TOPIC_RANKS / N_FUNCTION)));
}

/* The ranks of passage i's words; the first three are its title. */
static uint32_t passage_words(uint64_t seed, uint64_t i, uint32_t words[WORDS_MAX]) {
    tn_rng r = tn_rng_init(seed, 2 * i);
    const uint64_t topic = zipf(&r, N_TOPICS);
    double length = exp(4.3 + 0.5 * tn_rng_normal(&r));
    const uint32_t n = length < 8 ? 8 : length > WORDS_MAX ? WORDS_MAX : (uint32_t)length;
    for (uint32_t w = 0; w < n; w++) {
        double u = tn_rng_uniform(&r);
        uint32_t earlier = w ? words[tn_rng_below(&r, w)] : 0;
        if (w < 3 || u < share_topic)
            words[w] = topic_word(seed, topic, zipf(&r, TOPIC_WORDS));
        else if (u < share_topic + share_burst && earlier >= FUNCTION_REPEATS)
            words[w] = earlier;
        else
            words[w] = zipf(&r, N_RANKS);
    }
    return n;
}

void bench_gen_passage(uint64_t seed, uint64_t i, tn_buf *title, tn_buf *text) {
    uint32_t words[WORDS_MAX];
    const uint32_t n = passage_words(seed, i, words);
    tn_buf_reset(title);
    tn_buf_reset(text);
    for (uint32_t w = 0; w < n; w++) add_word(w < 3 ? title : text, words[w]);
}

void bench_gen_question(uint64_t seed, uint64_t i, uint64_t n_passages, tn_buf *query) {
    uint32_t words[WORDS_MAX];
    tn_rng r = tn_rng_init(seed, 2 * i + QUESTION_STREAM);
    tn_buf_reset(query);
    for (int part = 0; part < 2; part++) {
        uint32_t n = passage_words(seed, tn_rng_below(&r, n_passages), words);
        for (int w = 0; w < 6; w++) add_word(query, words[tn_rng_below(&r, n)]);
    }
    for (int w = 0; w < 4; w++) add_word(query, (uint32_t)tn_rng_below(&r, N_FUNCTION));
}

/* peer.h - a search engine as bench_search sees it: it is fed terms, analysed already, and asked
 * for the ten best passages that hold any of a query's terms. */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { BENCH_K = 10 };

typedef struct bench_peer {
    const char *name, *version;
    /* All return 0, or -1 after printing why. Indexing: begin, add each passage (its terms in text
     * order, separated by single spaces), end. Searching: open, search, close. */
    int (*begin)(const char *dir);
    int (*add)(const char *terms, size_t len);
    int (*end)(void);
    int (*open)(const char *dir);
    /* terms as above; refs [BENCH_K] out, best first; *n hits */
    int (*search)(const char *terms, uint32_t *refs, size_t *n);
    void (*close)(void);
} bench_peer;

extern const bench_peer bench_fts5;
extern const bench_peer bench_xapian;

#ifdef __cplusplus
}
#endif
#endif

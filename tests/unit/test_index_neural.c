/* An index whose vectors come from a neural encoder: what is embedded once, what is refused. */
#include "tern/search.h"
#include "tests/index_fixture.h"
#include "tests/model_folder.h"
#include <dirent.h>
#include <sys/stat.h>

#include "core/base/mem.h"

static tern_error err;

static tern_status sync_with(const char *dir, const char *input, const char *embedder,
                             const tern_host *host) {
    tern_index_opts o = tern_index_defaults();
    if (embedder) o.embedder = embedder;
    return tern_index_sync(dir, &input, 1, &o, host, NULL, &err);
}

/* The dense hits of a query, as "ref:cosine" words. */
static const char *hits_of(const char *dir, const char *query) {
    static char out[1024];
    tern_index *ix;
    tern_searcher *s;
    tern_hit hits[8];
    size_t n, at = 0;
    CHECK_OK(tern_index_open(dir, &ix, &err), err);
    CHECK_OK(tern_searcher_new(ix, &s, &err), err);
    tern_search_opts o = tern_search_defaults();
    o.mode = TERN_MODE_DENSE;
    o.k = 8;
    tern_status st = tern_search(s, query, strlen(query), &o, hits, &n, &err);
    out[0] = '\0';
    for (size_t i = 0; st == TERN_OK && i < n; i++) {
        tern_passage p;
        CHECK_OK(tern_index_passage(ix, hits[i].ref, &p, &err), err);
        at += (size_t)snprintf(out + at, sizeof out - at, "%s:%.4f ", p.id, (double)hits[i].cosine);
    }
    if (st != TERN_OK) snprintf(out, sizeof out, "error: %s", err.text);
    tern_searcher_free(s);
    tern_index_close(ix);
    return out;
}

static off_t cache_bytes(const char *dir) {
    off_t total = 0;
    DIR *d = opendir(dir);
    CHECK(d != NULL);
    for (struct dirent *e; (e = readdir(d));) {
        if (strncmp(e->d_name, "embedded-", 9) != 0) continue;
        char *path = tn_path_join(dir, e->d_name);
        struct stat st;
        CHECK_EQ(stat(path, &st), 0);
        total += st.st_size;
        tn_free(path);
    }
    closedir(d);
    return total;
}

enum { RECORD = 16 + MODEL_HIDDEN * 4 + 4, HEADER = 24 };

TEST(a_passage_finds_itself_and_its_vector_survives_every_rebuild) {
    const char *model = model_folder("enc", MODEL_ENCODER, 1);
    const char *dir = path_of("rebuild.tern");
    CHECK_OK(sync_with(dir, write_docs("a.jsonl", 0, 40, "first"), model, NULL), err);
    char before[1024];
    snprintf(before, sizeof before, "%s", hits_of(dir, "Title 3\nocean storm number3"));
    CHECK(strncmp(before, "error", 5) != 0 && strlen(before) > 20);
    CHECK_EQ(cache_bytes(dir), HEADER + 40 * RECORD);

    /* Five more, two of the old ones changed: seven are embedded. No --embedder is needed. */
    CHECK_OK(sync_with(dir, write_docs("b.jsonl", 40, 45, "first"), NULL, NULL), err);
    CHECK_OK(sync_with(dir, write_docs("b.jsonl", 0, 2, "second"), NULL, NULL), err);
    CHECK_EQ(cache_bytes(dir), HEADER + 47 * RECORD);

    snprintf(before, sizeof before, "%s", hits_of(dir, "Title 3\nocean storm number3"));
    CHECK_OK(tern_index_compact(dir, NULL, NULL, &err), err);
    CHECK_STR(hits_of(dir, "Title 3\nocean storm number3"), before);
    CHECK_EQ(cache_bytes(dir), HEADER + 45 * RECORD); /* the two old texts are forgotten */
    uint64_t n_defects;
    CHECK_OK(tern_index_check(dir, NULL, &n_defects, &err), err);
    CHECK_EQ(n_defects, 0);
}

TEST(another_model_is_refused_a_moved_one_is_not) {
    const char *model = model_folder("home", MODEL_ENCODER, 1);
    const char *other = model_folder("other", MODEL_ENCODER, 2);
    const char *dir = path_of("moved.tern"), *input = write_docs("c.jsonl", 0, 10, "first");
    char query[] = "light", before[1024];
    CHECK_OK(sync_with(dir, input, model, NULL), err);
    snprintf(before, sizeof before, "%s", hits_of(dir, query));
    CHECK_EQ(sync_with(dir, input, other, NULL), TERN_ERR_ARG);
    CHECK_HAS(err.text, "another model");
    CHECK_EQ(sync_with(dir, input, "no-such-folder", NULL), TERN_ERR_ARG);

    char elsewhere[300];
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", test_dir());
    CHECK_EQ(rename(model, elsewhere), 0);
    CHECK_HAS(hits_of(dir, query), "not there any more");
    CHECK_OK(sync_with(dir, input, elsewhere, NULL), err);
    CHECK_STR(hits_of(dir, query), before);
    CHECK_EQ(cache_bytes(dir), HEADER + 10 * RECORD);

    /* Other weights in the same place. */
    CHECK_OK(tn_remove_tree(elsewhere, &err), err);
    CHECK_EQ(rename(other, elsewhere), 0);
    CHECK_HAS(hits_of(dir, query), "not the model that embedded this index");
}

static int looks_left;
static bool cancel_later(void *ud) {
    (void)ud;
    return --looks_left < 0;
}

TEST(a_stopped_build_goes_on_from_what_it_embedded) {
    const char *model = model_folder("stop", MODEL_ENCODER, 1);
    const char *dir = path_of("stopped.tern"), *input = write_docs("d.jsonl", 0, 300, "first");
    tern_host host = {.cancelled = cancel_later, .n_threads = 1};
    int n_looks = 300; /* one a document; those of the embedding come after */
    tern_status st;
    do {
        looks_left = n_looks++;
        CHECK_OK(tn_remove_tree(dir, &err), err);
        st = sync_with(dir, input, model, &host);
    } while (st == TERN_ERR_CANCELLED && (!tn_is_dir(dir) || cache_bytes(dir) <= HEADER));
    CHECK_EQ(st, TERN_ERR_CANCELLED);
    off_t done = cache_bytes(dir);
    CHECK(done < HEADER + 300 * RECORD);
    CHECK_OK(sync_with(dir, input, model, NULL), err);
    CHECK_EQ(cache_bytes(dir), HEADER + 300 * RECORD);
    char stopped[1024];
    snprintf(stopped, sizeof stopped, "%s", hits_of(dir, "summer night"));
    CHECK_OK(sync_with(path_of("whole.tern"), input, model, NULL), err);
    CHECK_STR(hits_of(path_of("whole.tern"), "summer night"), stopped);
}

TEST(every_kind_of_vector_index_takes_them) {
    const char *model = model_folder("kinds", MODEL_ENCODER, 1);
    const char *input = write_docs("e.jsonl", 0, 120, "first");
    static const char *const kinds[] = {"flat", "ivf", "hnsw"};
    for (int i = 0; i < 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s.tern", kinds[i]);
        tern_index_opts o = tern_index_defaults();
        o.embedder = model;
        o.vectors = kinds[i];
        CHECK_OK(tern_index_sync(path_of(name), &input, 1, &o, NULL, NULL, &err), err);
        CHECK(strncmp(hits_of(path_of(name), "polar ice"), "error", 5) != 0);
    }
}

TEST(a_cross_encoder_orders_hits) {
    const char *dir = path_of("rerank.tern"), *input = write_docs("f.jsonl", 0, 60, "first");
    tern_reranker *r;
    CHECK_OK(sync_with(dir, input, NULL, NULL), err);
    CHECK_OK(tern_reranker_open(model_folder("cross", MODEL_CROSS_ENCODER, 3), NULL, &r, &err),
             err);
    tern_index *ix;
    tern_searcher *s;
    tern_hit hits[20], again[20];
    size_t n, n_again;
    CHECK_OK(tern_index_open(dir, &ix, &err), err);
    CHECK_OK(tern_searcher_new(ix, &s, &err), err);
    tern_search_opts o = tern_search_defaults();
    o.k = 20;
    o.reranker = r;
    CHECK_OK(tern_search(s, "ocean storm", 11, &o, hits, &n, &err), err);
    CHECK_EQ(n, 20);
    for (size_t i = 1; i < n; i++) CHECK(hits[i - 1].score >= hits[i].score);
    CHECK(hits[0].score > hits[19].score);
    CHECK_OK(tern_search(s, "ocean storm", 11, &o, again, &n_again, &err), err);
    for (size_t i = 0; i < n; i++) CHECK_EQ(hits[i].ref, again[i].ref);
    tern_searcher_free(s);
    tern_index_close(ix);
    tern_reranker_free(r);
    CHECK_EQ(tern_reranker_open(model_folder("enc2", MODEL_ENCODER, 3), NULL, &r, &err),
             TERN_ERR_UNSUPPORTED);
    CHECK_HAS(err.text, "cross-encoder");
}

TEST_MAIN

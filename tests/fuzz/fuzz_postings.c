/* fuzz_postings.c - hostile bytes inside intact block files: every checksum of an inverted index is
 * right, its contents are not. Nothing may crash, hang or hand out a passage that does not exist.
 *
 * Input: groups of four bytes over the payloads of a small real index: file number, u16 offset, new
 * byte. An input that starts with 0xFF replaces the whole payload of the file named by its second
 * byte. */
#include "core/base/file.h"
#include "core/base/rng.h"
#include "retriever/text/bm25.h"
#include "retriever/text/inverted_priv.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"

enum { N_FILES = 4, N_DOCS = 700 };

static const char *const names[N_FILES] = {"terms.tn", "postings.tn", "positions.tn", "lengths.tn"};
static const uint32_t kinds[N_FILES] = {TN_KIND_TERMS, TN_KIND_POSTINGS, TN_KIND_POSITIONS,
                                        TN_KIND_LENGTHS};
static struct {
    uint8_t *data;
    size_t size;
} payloads[N_FILES];
static char dir[64], merged[80];

static void must(tern_status st) {
    if (st != TERN_OK) abort();
}

static char *path_of(const char *folder, const char *name) {
    char *path = tn_path_join(folder, name);
    if (!path) abort();
    return path;
}

static void remove_dir(void) {
    tern_error err;
    (void)!tn_remove_tree(dir, &err);
}

static void read_payload(int i) {
    tn_bfile *f;
    const void *p;
    char *path = path_of(dir, names[i]);
    must(tn_bfile_open(path, kinds[i], &f, NULL));
    payloads[i].size = tn_bfile_size(f);
    must(tn_bfile_view(f, 0, payloads[i].size, &p, NULL));
    payloads[i].data = tn_alloc(payloads[i].size);
    if (!payloads[i].data) abort();
    memcpy(payloads[i].data, p, payloads[i].size);
    tn_bfile_close(f);
    tn_free(path);
}

/* A few hundred passages over a few words: lists with blocks, tails and positions. */
static void make_base(void) {
    tn_analyzer *a;
    tn_inv_builder *b;
    tn_rng r = tn_rng_init(1, 1);
    /* memory, if there is some: every input writes four files and syncs them */
    snprintf(dir, sizeof dir, "%s/tern-fuzz-XXXXXX", tn_is_dir("/dev/shm") ? "/dev/shm" : "/tmp");
    if (!mkdtemp(dir)) abort();
    atexit(remove_dir);
    snprintf(merged, sizeof merged, "%s/merged", dir);
    must(tn_mkdirs(merged, NULL));
    must(tn_analyzer_new("none", &a, NULL));
    must(tn_inv_builder_new(a, &b, NULL));
    for (int d = 0; d < N_DOCS; d++) {
        char text[64];
        int n = snprintf(text, sizeof text, "w%u w%u w1 w%u", (unsigned)tn_rng_below(&r, 3),
                         (unsigned)tn_rng_below(&r, 40), (unsigned)tn_rng_below(&r, 5));
        must(tn_inv_builder_add(b, "", 0, text, (size_t)n, NULL));
    }
    must(tn_inv_builder_write(b, dir, NULL));
    tn_inv_builder_free(b);
    tn_analyzer_free(a);
    for (int i = 0; i < N_FILES; i++) read_payload(i);
}

static void write_file(int i, const uint8_t *data, size_t size) {
    tn_bwriter *w;
    char *path = path_of(dir, names[i]);
    must(tn_bwriter_open(path, kinds[i], &w, NULL));
    must(tn_bwriter_add(w, data, size, NULL));
    must(tn_bwriter_commit(w, NULL));
    tn_free(path);
}

static void write_index(const uint8_t *data, size_t size) {
    if (size >= 2 && data[0] == 0xFF) {
        for (int i = 0; i < N_FILES; i++)
            if (i == data[1] % N_FILES)
                write_file(i, data + 2, size - 2);
            else
                write_file(i, payloads[i].data, payloads[i].size);
        return;
    }
    for (int i = 0; i < N_FILES; i++) {
        uint8_t *copy = tn_alloc(payloads[i].size);
        if (!copy) abort();
        memcpy(copy, payloads[i].data, payloads[i].size);
        for (size_t at = 0; at + 4 <= size; at += 4)
            if (data[at] % N_FILES == i)
                copy[(data[at + 1] | (size_t)data[at + 2] << 8) % payloads[i].size] = data[at + 3];
        write_file(i, copy, payloads[i].size);
        tn_free(copy);
    }
}

static void ignore(void *ud, const char *text) {
    (void)ud;
    if (!text[0]) abort();
}

static tern_status look(void *ud, uint32_t no, const char *term, size_t len, const uint32_t *docs,
                        const uint32_t *tfs, uint32_t df, tern_error *err) {
    const tn_inv *inv = ud;
    (void)tfs, (void)err;
    if (no >= tn_inv_n_terms(inv) || term[len] != '\0') abort();
    for (uint32_t i = 0; i < df; i++)
        if (docs[i] >= tn_inv_n_docs(inv) || (i && docs[i] <= docs[i - 1])) abort();
    return TERN_OK;
}

static void search_all(const tn_inv *inv) {
    static const char *const queries[] = {"w1", "w0 w1 w2 w7 w30", "\"w1 w2\" w0", "\"w2 w1 w3\"",
                                          "w39 w38 w11"};
    const tn_bm25_segment segs[] = {{inv, 0, NULL}, {inv, tn_inv_n_docs(inv), NULL}};
    tn_bm25 *s;
    tern_error err;
    tern_hit hits[12];
    tn_bm25_part parts[8];
    size_t n;
    must(tn_bm25_new(segs, 2, "none", &s, NULL));
    for (int q = 0; q < 10; q++) {
        const char *query = queries[q / 2];
        tern_status st =
            tn_bm25_search(s, query, strlen(query), 1.2f, 0.75f, NULL, q % 2, 12, hits, &n, &err);
        if (st != TERN_OK && st != TERN_ERR_CORRUPT) abort();
        for (size_t i = 0; i < n; i++)
            if (hits[i].ref >= 2 * tn_inv_n_docs(inv)) abort();
        st = tn_bm25_explain(s, query, strlen(query), 1.2f, 0.75f, 3, parts, 8, &n, &err);
        if (st != TERN_OK && st != TERN_ERR_CORRUPT && st != TERN_ERR_ARG) abort();
    }
    tn_bm25_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tn_inv *inv;
    tern_error err;
    if (!dir[0]) make_base();
    write_index(data, size);
    tern_status st = tn_inv_open(dir, &inv, &err);
    if (st == TERN_ERR_CORRUPT) return 0;
    must(st);
    search_all(inv);
    must(tn_inv_check(inv, ignore, NULL, &err));
    st = tn_inv_walk(inv, look, inv, &err);
    if (st != TERN_OK && st != TERN_ERR_CORRUPT) abort();
    const tn_inv *const both[] = {inv, inv};
    st = tn_inv_merge(both, NULL, 2, merged, NULL, &err);
    if (st != TERN_OK && st != TERN_ERR_CORRUPT) abort();
    tn_inv_close(inv);
    return 0;
}

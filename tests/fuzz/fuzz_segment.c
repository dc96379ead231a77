/* The readers of stored passages over hostile bytes. The input is cut into the payloads of the four
 * files of a segment and of its tombstones, each wrapped into a block file with right checksums, so
 * that what is met is the code behind them; and it is read as a block file itself.
 *   u16 length of text, passages, documents (in 8 bytes) and columns (in 4), then those bytes; the
 *   rest is the tombstones */
#include "core/base/file.h"
#include "retriever/store/blockfile.h"
#include "retriever/store/docs.h"
#include "retriever/store/tombs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[64];

static void remove_folder(void) {
    tern_error e;
    if (tn_remove_tree(dir, &e) != TERN_OK) fprintf(stderr, "%s\n", e.text);
}

static void make_folder(void) {
    if (dir[0]) return;
    snprintf(dir, sizeof dir, "%s/tern-fuzz-XXXXXX", tn_is_dir("/dev/shm") ? "/dev/shm" : "/tmp");
    if (!mkdtemp(dir)) abort();
    atexit(remove_folder);
}

static const char *path_of(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void wrap(const char *name, uint32_t kind, const uint8_t *data, size_t n) {
    tn_bwriter *w;
    tern_error e;
    if (tn_bwriter_open(path_of(name), kind, &w, &e) != TERN_OK) abort();
    if (tn_bwriter_add(w, data, n, &e) != TERN_OK || tn_bwriter_commit(w, &e) != TERN_OK) abort();
}

static void ignore(void *ud, const char *text) {
    (void)ud;
    (void)text;
}

static void read_all(const tn_docs *d, const uint64_t *dead) {
    tern_error e;
    tern_status st = TERN_OK;
    uint32_t document;
    const int64_t *times;
    int64_t sum = 0;
    for (uint32_t i = 0; i < tn_docs_n_passages(d); i++) {
        tern_passage p;
        if (tn_docs_passage(d, i, &p, &e) != TERN_OK) continue;
        if (p.text[p.text_len] != '\0') abort();
        sum += (int64_t)(strlen(p.id) + strlen(p.title) + strlen(p.meta) + strlen(p.section));
        st = tn_docs_find(d, dead, p.doc_id, strlen(p.doc_id), &document, &e);
        if (st == TERN_OK && document >= tn_docs_n_documents(d)) abort();
    }
    if (tn_docs_times(d, &times, &e) == TERN_OK)
        for (uint32_t i = 0; i < tn_docs_n_passages(d); i++) sum ^= times[i];
    if (tn_docs_check(d, ignore, &sum, &e) != TERN_OK) abort();
}

static void read_segment(const uint8_t *data, size_t size) {
    static const size_t units[TN_DOCS_N_FILES] = {8, 8, 8, 4};
    size_t lens[TN_DOCS_N_FILES], head = 2 * TN_DOCS_N_FILES;
    if (size < head) return;
    for (int i = 0; i < TN_DOCS_N_FILES; i++)
        lens[i] = ((size_t)data[2 * i] | (size_t)data[2 * i + 1] << 8) * units[i];
    data += head;
    size -= head;
    for (int i = 0; i < TN_DOCS_N_FILES; i++) {
        size_t n = lens[i] < size ? lens[i] : size;
        wrap(tn_docs_files[i].name, tn_docs_files[i].kind, data, n);
        data += n;
        size -= n;
    }
    wrap("dead.tn", TN_KIND('D', 'E', 'A', 'D'), data, size);
    tn_docs *d;
    tern_error e;
    if (tn_docs_open(dir, &d, &e) != TERN_OK) return;
    tn_tombs tombs;
    uint32_t n_dead = 0;
    if (size >= 8) memcpy(&n_dead, data + 4, 4);
    if (tn_tombs_open(path_of("dead.tn"), tn_docs_n_passages(d), n_dead, &tombs, &e) == TERN_OK) {
        read_all(d, tombs.dead);
        tn_tombs_close(&tombs);
    }
    read_all(d, NULL);
    tn_docs_close(d);
}

static void read_block_file(const uint8_t *data, size_t size) {
    FILE *f = fopen(path_of("raw.tn"), "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0) abort();
    tn_bfile *b;
    tern_error e;
    const void *view;
    if (tn_bfile_open(path_of("raw.tn"), TN_BLOCK_ANY_KIND, &b, &e) != TERN_OK) return;
    if (tn_bfile_check(b, ignore, NULL, &e) != TERN_OK) abort();
    if (tn_bfile_view(b, 0, tn_bfile_size(b), &view, &e) == TERN_OK && tn_bfile_size(b) > 0)
        if (!tn_bfile_is_verified(b, 0, tn_bfile_size(b))) abort();
    tn_bfile_close(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    make_folder();
    read_block_file(data, size);
    read_segment(data, size);
    return 0;
}

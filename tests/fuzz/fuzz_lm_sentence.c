/* The files of a sentence-transformers folder, one after the other, NUL between them: modules.json,
 * 1_Pooling/config.json, 2_Dense/config.json, sentence_bert_config.json,
 * config_sentence_transformers.json, 2_Dense/model.safetensors. */
#include "core/base/file.h"
#include "core/lm/sentence.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[64];

static void clean_up(void) {
    tern_error e;
    if (tn_remove_tree(dir, &e) != TERN_OK) fprintf(stderr, "%s\n", e.text);
}

static void make_dir(void) {
    char path[128];
    if (dir[0]) return;
    snprintf(dir, sizeof dir, "/tmp/tern-fuzz-XXXXXX");
    if (!mkdtemp(dir)) abort();
    atexit(clean_up);
    static const char *const folders[] = {"1_Pooling", "2_Dense"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, folders[i]);
        if (tn_mkdirs(path, NULL) != TERN_OK) abort();
    }
}

static void put(const char *name, const uint8_t *data, size_t n) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, n, f) != n || fclose(f) != 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {"modules.json",
                                        "1_Pooling/config.json",
                                        "2_Dense/config.json",
                                        "sentence_bert_config.json",
                                        "config_sentence_transformers.json",
                                        "2_Dense/model.safetensors"};
    tn_sentence s;
    tern_error e;
    make_dir();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const uint8_t *end = i < 5 ? memchr(data, 0, size) : NULL;
        size_t n = end ? (size_t)(end - data) : size;
        put(names[i], data, n);
        data += end ? n + 1 : n;
        size -= end ? n + 1 : n;
    }
    if (tn_sentence_load(dir, NULL, &s, &e) != TERN_OK) return 0;
    if (tn_sentence_check(&s, 12, &e) == TERN_OK && tn_sentence_dim(&s, 12) == 0) abort();
    tn_sentence_deinit(&s);
    return 0;
}

/* fingerprint.c - see fingerprint.h. */
#include "retriever/dense/fingerprint.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "core/base/mem.h"

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while hashing a model");
}

static bool decides_numbers(const char *name) {
    static const char *const endings[] = {".json", ".safetensors", ".txt", ".model"};
    size_t len = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t n = strlen(endings[i]);
        if (len > n && strcmp(name + len - n, endings[i]) == 0) return true;
    }
    return false;
}

static tern_status hash_file(XXH3_state_t *h, const char *path, const char *name, tern_error *err) {
    tn_map map;
    tern_status st = tn_map_open(path, &map, err);
    if (st != TERN_OK) return st;
    uint64_t part[2] = {XXH3_64bits(name, strlen(name)), XXH3_64bits(map.data, map.size)};
    XXH3_64bits_update(h, part, sizeof part);
    tn_map_close(&map);
    return TERN_OK;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static tern_status hash_folder(XXH3_state_t *h, const char *dir, bool deeper, tern_error *err) {
    struct dirent **list = NULL;
    int n = scandir(dir, &list, NULL, by_name);
    if (n < 0) return tn_fail_errno(err, errno, dir, "cannot read the folder");
    tern_status st = TERN_OK;
    for (int i = 0; i < n; i++) {
        const char *name = list[i]->d_name;
        char *path = NULL;
        if (st == TERN_OK && name[0] != '.' && !(path = tn_path_join(dir, name)))
            st = no_memory(err);
        if (path && tn_is_dir(path)) {
            if (deeper) st = hash_folder(h, path, false, err);
        } else if (path && decides_numbers(name)) {
            st = hash_file(h, path, name, err);
        }
        tn_free(path);
        free(list[i]); /* the C library's own blocks */
    }
    free(list);
    return st;
}

tern_status tn_fingerprint(const char *dir, uint64_t *out, tern_error *err) {
    XXH3_state_t *h = XXH3_createState();
    if (!h) return no_memory(err);
    XXH3_64bits_reset(h);
    tern_status st = hash_folder(h, dir, true, err);
    *out = XXH3_64bits_digest(h) & INT64_MAX;
    if (*out == 0) *out = 1;
    XXH3_freeState(h);
    return st;
}

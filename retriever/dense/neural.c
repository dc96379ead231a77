/* neural.c - see neural.h. */
#include "retriever/dense/neural.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "retriever/dense/fingerprint.h"
#include "retriever/store/blockfile.h"
#include "tern/encode.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

#define KIND_NEURAL TN_KIND('N', 'E', 'U', 'R')

enum { DESCRIPTION_MAX = 1 << 16 };

typedef struct neural {
    tern_embedder base;
    char *path;
    int n_threads;
    pthread_mutex_t lock;        /* guards the loading */
    _Atomic(tern_model *) model; /* NULL: not loaded yet */
    const char *prompts[2];      /* for passages, for queries; NULL: the folder's default */
} neural;

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for an embedder");
}

/* --- the description --- */

tern_status tn_neural_describe(const char *path, const char *file, tern_error *err) {
    char *real = NULL;
    tern_model_info info;
    uint64_t print = 0;
    tern_status st = tn_path_absolute(path, &real, err);
    if (st == TERN_OK) st = tern_model_peek(real, &info, err);
    if (st == TERN_OK && !info.embeds)
        st = tern_fail(err, TERN_ERR_UNSUPPORTED, 0,
                       "%s: a model of type %s does not embed; give an encoder, or a folder with "
                       "modules.json",
                       path, info.arch);
    if (st == TERN_OK) st = tn_fingerprint(real, &print, err);
    tn_buf b = {0};
    tn_bwriter *w = NULL;
    if (st == TERN_OK) {
        tn_buf_str(&b, "{\"path\":");
        tn_json_escape(real, strlen(real), &b);
        tn_buf_printf(&b, ",\"fingerprint\":%lld,\"dim\":%u}", (long long)print, info.dim);
        st = tn_buf_status(&b, err);
    }
    if (st == TERN_OK) st = tn_bwriter_open(file, KIND_NEURAL, &w, err);
    if (st == TERN_OK) {
        st = tn_bwriter_add(w, b.data, b.len, err);
        if (st == TERN_OK)
            st = tn_bwriter_commit(w, err);
        else
            tn_bwriter_abort(w);
    }
    tn_buf_deinit(&b);
    tn_free(real);
    return st;
}

static tern_status read_description(const char *file, json_t **out, tern_error *err) {
    tn_bfile *f = NULL;
    const void *text;
    *out = NULL;
    tern_status st = tn_bfile_open(file, KIND_NEURAL, &f, err);
    if (st == TERN_OK && tn_bfile_size(f) > DESCRIPTION_MAX)
        st = tern_fail(err, TERN_ERR_CORRUPT, 0, "%s: not the description of an embedder", file);
    if (st == TERN_OK) st = tn_bfile_view(f, 0, tn_bfile_size(f), &text, err);
    if (st == TERN_OK) st = tn_json_parse(text, tn_bfile_size(f), out, err);
    tn_bfile_close(f);
    if (st == TERN_OK && (tn_json_int(*out, "fingerprint", 0) <= 0 ||
                          tn_json_int(*out, "dim", 0) < 1 || !*tn_json_str(*out, "path", ""))) {
        json_decref(*out);
        *out = NULL;
        st = tern_fail(err, TERN_ERR_CORRUPT, 0, "%s: not the description of an embedder", file);
    }
    return st;
}

tern_status tn_neural_path(const char *file, char **out, tern_error *err) {
    json_t *j;
    *out = NULL;
    tern_status st = read_description(file, &j, err);
    if (st != TERN_OK) return st;
    *out = tn_strdup(tn_json_str(j, "path", ""));
    json_decref(j);
    return *out ? TERN_OK : no_memory(err);
}

/* --- the embedder --- */

/* The names sentence-transformers looks for, in its order; the folder need not have any. */
static void choose_prompts(neural *n) {
    static const char *const of_query[] = {"query", NULL};
    static const char *const of_passage[] = {"document", "passage", "corpus", NULL};
    char *file = tn_path_join(n->path, "config_sentence_transformers.json");
    json_t *config = NULL;
    if (!file || tn_json_load(file, &config, NULL) != TERN_OK) config = NULL;
    const json_t *prompts = json_object_get(config, "prompts");
    for (int is_query = 0; is_query < 2; is_query++) {
        const char *const *names = is_query ? of_query : of_passage;
        for (; *names && !n->prompts[is_query]; names++)
            if (json_is_string(json_object_get(prompts, *names))) n->prompts[is_query] = *names;
    }
    json_decref(config);
    tn_free(file);
}

static tern_status load(neural *n, tern_error *err) {
    uint64_t print;
    tern_model *m = NULL;
    tern_host host = {.n_threads = n->n_threads};
    tern_error why = {0};
    tern_status st = tn_fingerprint(n->path, &print, &why);
    if (st == TERN_ERR_NOT_FOUND)
        return tern_fail(err, st, why.os_code,
                         "%s: the model that embedded this index is not there any more; name its "
                         "folder with tern index DIR INPUT --embedder PATH",
                         n->path);
    if (st == TERN_OK && print != n->base.epoch)
        return tern_fail(err, TERN_ERR_CORRUPT, 0,
                         "%s: not the model that embedded this index (other files are there now); "
                         "put it back, or build a new index",
                         n->path);
    tern_model_opts opts = tern_model_defaults();
    opts.weights = TERN_WEIGHTS_F32; /* a query's vector should not depend on the processor */
    if (st == TERN_OK) st = tern_model_open(n->path, &opts, &host, &m, &why);
    if (st == TERN_OK && tern_model_get_info(m).dim != n->base.dim) {
        tern_model_close(m);
        st = tern_fail(&why, TERN_ERR_CORRUPT, 0, "%s: vectors of %u dimensions, not of %u",
                       n->path, tern_model_get_info(m).dim, n->base.dim);
    }
    if (st != TERN_OK) {
        if (err) *err = why;
        return st;
    }
    choose_prompts(n);
    atomic_store(&n->model, m);
    return TERN_OK;
}

static tern_status neural_embed(const tern_embedder *e, const char *const *texts,
                                const size_t *lens, size_t n_texts, bool is_query, float *out,
                                tern_error *err) {
    neural *n = (neural *)(uintptr_t)e; /* loading is invisible from outside */
    tern_status st = TERN_OK;
    if (!atomic_load(&n->model)) {
        pthread_mutex_lock(&n->lock);
        if (!atomic_load(&n->model)) st = load(n, err);
        pthread_mutex_unlock(&n->lock);
    }
    if (st != TERN_OK) return st;
    return tern_model_embed(atomic_load(&n->model), texts, lens, n_texts, n->prompts[is_query], out,
                            NULL, err);
}

static void neural_free(tern_embedder *e) {
    neural *n = (neural *)e;
    tern_model_close(atomic_load(&n->model));
    pthread_mutex_destroy(&n->lock);
    tn_free(n->path);
    tn_free(n);
}

tern_status tn_neural_open(const char *file, int n_threads, tern_embedder **out, tern_error *err) {
    *out = NULL;
    json_t *j;
    tern_status st = read_description(file, &j, err);
    if (st != TERN_OK) return st;
    neural *n = tn_calloc(1, sizeof *n);
    char *path = tn_strdup(tn_json_str(j, "path", ""));
    if (n && path) {
        n->base = (tern_embedder){.name = TN_NEURAL,
                                  .dim = (uint32_t)tn_json_int(j, "dim", 0),
                                  .epoch = (uint64_t)tn_json_int(j, "fingerprint", 0),
                                  .embed = neural_embed,
                                  .free = neural_free};
        n->path = path;
        n->n_threads = n_threads;
        pthread_mutex_init(&n->lock, NULL);
        *out = &n->base;
    } else {
        tn_free(n);
        tn_free(path);
        st = no_memory(err);
    }
    json_decref(j);
    return st;
}

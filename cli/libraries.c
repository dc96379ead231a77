/* libraries.c - see libraries.h. */
#include "cli/libraries.h"
#include "agent/http.h"
#include "core/kernels/blas.h"
#include "retriever/dense/faiss_extra.h"
#include <jansson.h>
#include <libxml/xmlversion.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utf8proc.h>
#include <xxhash.h>
#include <zlib.h>
#include <zstd.h>

static void add(tn_library *out, size_t *n, const char *name, const char *version) {
    out[(*n)++] = (tn_library){.name = name, .version = version};
}

/* "0.3.21 ...": the number alone; the rest is the note. */
static void add_blas(tn_library *out, size_t *n) {
    tn_blas_info info = tn_blas_get_info();
    add(out, n, "openblas", info.build);
    tn_library *l = &out[*n - 1];
    tern_error err;
    l->bad = tn_blas_check(&err) != TERN_OK;
    if (l->bad)
        snprintf(l->note, sizeof l->note, "%s", err.text);
    else
        snprintf(l->note, sizeof l->note, "%s, kernels %s", info.config, info.core);
}

/* The first executable of that name in PATH, or false. */
static bool find_program(const char *name, char *out, size_t size) {
    const char *path = getenv("PATH");
    for (const char *p = path ? path : "/usr/bin:/bin"; *p;) {
        size_t n = strcspn(p, ":");
        snprintf(out, size, "%.*s/%s", (int)n, n ? p : ".", name);
        if (access(out, X_OK) == 0) return true;
        p += n + (p[n] == ':');
    }
    return false;
}

static void add_pdftotext(tn_library *out, size_t *n) {
    char path[512];
    bool found = find_program("pdftotext", path, sizeof path);
    add(out, n, "pdftotext", found ? "found" : "missing");
    if (found)
        snprintf(out[*n - 1].note, sizeof out->note, "%s", path);
    else
        snprintf(out[*n - 1].note, sizeof out->note,
                 "PDF files cannot be read; install poppler-utils");
}

size_t tn_libraries(tn_library out[TN_LIBRARIES_MAX]) {
    static char xxh[16];
    size_t n = 0;
    unsigned v = XXH_versionNumber();
    snprintf(xxh, sizeof xxh, "%u.%u.%u", v / 10000, v / 100 % 100, v % 100);
    add_blas(out, &n);
    add(out, &n, "faiss", tn_faiss_version());
    add(out, &n, "jansson", jansson_version_str());
    add(out, &n, "curl", tn_http_version());
    add(out, &n, "libmicrohttpd", MHD_get_version());
    add(out, &n, "libxml2", LIBXML_DOTTED_VERSION);
    add(out, &n, "stemmer", "found"); /* Snowball's library does not say */
    add(out, &n, "utf8proc", utf8proc_version());
    add(out, &n, "zlib", zlibVersion());
    add(out, &n, "zstd", ZSTD_versionString());
    add(out, &n, "xxhash", xxh);
    add_pdftotext(out, &n);
    return n;
}

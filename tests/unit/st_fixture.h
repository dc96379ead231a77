/* st_fixture.h - safetensors files made by hand, for tests that spoil them. */
#ifndef ST_FIXTURE_H
#define ST_FIXTURE_H
#include "core/base/file.h"
#include "tests/test.h"

/* A file of this header text (not padded) and n_data bytes 0, 1, 2, ...; the path lives till the
 * next call. */
static inline const char *st_put(const char *name, const char *header, size_t n_data) {
    static char path[256];
    static unsigned char bytes[8 + 4096 + 4096];
    size_t n = strlen(header);
    if (n > 4096 || n_data > 4096) abort();
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)n >> 8 * i);
    memcpy(bytes + 8, header, n);
    for (size_t i = 0; i < n_data; i++) bytes[8 + n + i] = (unsigned char)i;
    snprintf(path, sizeof path, "%s/%s", test_dir(), name);
    tern_error e;
    if (tn_file_replace(path, bytes, 8 + n + n_data, &e) != TERN_OK) abort();
    return path;
}
#endif

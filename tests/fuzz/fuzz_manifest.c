/* The manifest reader over hostile text, as it is and under a checksum made right. What it accepts
 * must print and read back as the same manifest. */
#include "core/base/crc32c.h"
#include "retriever/store/manifest.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const char *text, size_t n) {
    tn_manifest a, b;
    tern_error e;
    if (tn_manifest_parse(text, n, "manifest.json", &a, &e) != TERN_OK) return;
    tn_buf first = {0}, second = {0};
    tn_manifest_print(&a, &first);
    if (tn_manifest_parse(first.data, first.len, "again", &b, &e) != TERN_OK) abort();
    tn_manifest_print(&b, &second);
    if (first.len != second.len || memcmp(first.data, second.data, first.len) != 0) abort();
    tn_buf_deinit(&first);
    tn_buf_deinit(&second);
    tn_manifest_deinit(&a);
    tn_manifest_deinit(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    parse((const char *)data, size);
    tn_buf sealed = {0};
    tn_buf_add(&sealed, data, size);
    tn_buf_printf(&sealed, ",\n  \"crc32c\": \"%08x\"\n}\n", tn_crc32c(0, data, size));
    if (!sealed.failed) parse(sealed.data, sealed.len);
    tn_buf_deinit(&sealed);
    return 0;
}

/* Any bytes as HTML. */
#include "tests/fuzz/fuzz_ingest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_ingest("html", data, size, false);
    return 0;
}

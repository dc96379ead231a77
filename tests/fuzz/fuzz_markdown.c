/* Any bytes as Markdown. */
#include "tests/fuzz/fuzz_ingest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_ingest("md", data, size, true);
    return 0;
}

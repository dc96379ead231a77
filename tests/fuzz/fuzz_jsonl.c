/* Any bytes as JSON lines. */
#include "tests/fuzz/fuzz_ingest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_ingest("jsonl", data, size, false);
    return 0;
}

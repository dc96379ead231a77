/* Any bytes as TSV and as CSV. */
#include "tests/fuzz/fuzz_ingest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_ingest("tsv", data, size, false);
    fuzz_ingest("csv", data, size, false);
    return 0;
}

/* replay.c - runs a fuzz target without libFuzzer over files and folders given as arguments, plus
 * the empty input and every truncation of each file: the ordinary test run of a fuzz target. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int n_inputs;

static void replay_file(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) return;
    static uint8_t data[1 << 20];
    size_t n = fread(data, 1, sizeof data, f);
    fclose(f);
    size_t step = n > 400 ? n / 400 : 1;
    for (size_t k = 0; k <= n; k += step) {
        uint8_t *exact = malloc(k ? k : 1); /* exact size: ASan sees any over-read */
        if (!exact) abort();
        memcpy(exact, data, k);
        LLVMFuzzerTestOneInput(exact, k);
        free(exact);
        n_inputs++;
    }
    LLVMFuzzerTestOneInput(data, n);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        DIR *d = opendir(argv[i]);
        if (!d) {
            replay_file(argv[i]);
            continue;
        }
        for (struct dirent *e; (e = readdir(d));) {
            char path[4096];
            snprintf(path, sizeof path, "%s/%s", argv[i], e->d_name);
            if (e->d_name[0] != '.') replay_file(path);
        }
        closedir(d);
    }
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    printf("%d inputs replayed\n", n_inputs);
    return 0;
}

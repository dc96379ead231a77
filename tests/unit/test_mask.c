/* Claims about trainer/mask. */
#include "core/base/json.h"
#include "core/base/mem.h"
#include "tests/test.h"
#include "trainer/mask.h"

static tn_masker *with_titles(void) {
    static const char *const titles[][2] = {
        {"Lord Harrow", "Lord Harrow (born 1880) was an explorer."},
        {"Skerravoe", "Skerravoe is an island group in the north."},
        {"University of Oslo", "The University of Oslo is a university in Norway."},
        {"Amager (island)", "Amager is an island."},
        {"Film", "Film is a medium."},
    };
    tn_masker *m;
    tern_error err;
    CHECK_OK(tn_masker_new(&m, &err), err);
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        CHECK_OK(tn_masker_add_title(m, titles[i][0], titles[i][1], &err), err);
    return m;
}

TEST(entities_become_type_tags_and_the_scaffold_stays) {
    static const struct {
        const char *text, *question, *masked;
    } cases[] = {
        {"town where Lord Harrow was born", NULL, "town where [PER] was born"},
        {"lord harrow birthplace", NULL, "[PER] birthplace"},
        {"ferry to Skerravoe in 1912", NULL, "ferry to [LOC] in [DATE]"},
        {"who founded the University of Oslo's museum", NULL, "who founded the [ORG]'s museum"},
        {"bridge to Amager", NULL, "bridge to [LOC]"},
        {"director of the film", NULL, "director of the film"},
        {"population 12,500 of Grenvik Bay", NULL, "population [NUM] of [MISC]"},
        {"second of three lighthouses", NULL, "[NUM] of [NUM] lighthouses"},
        {"Which book did Ada Quill write", NULL, "Which book did [MISC] write"},
        {"song \"over the ice\" singer", NULL, "song \"[MISC]\" singer"},
        {"grenvik lighthouse keeper", "Who was grenvik lighthouse keeper in May?", "[ENT]"},
        {"keeper grenvik", "Who kept grenvik?", "keeper grenvik"},
        {"", NULL, ""},
    };
    tn_masker *m = with_titles();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tn_buf out = {0};
        tern_error err;
        CHECK_OK(tn_mask_text(m, cases[i].text, strlen(cases[i].text), cases[i].question, &out,
                              NULL, &err),
                 err);
        CHECK_STR(tn_buf_cstr(&out), cases[i].masked);
        tn_buf_deinit(&out);
    }
    tn_masker_free(m);
}

TEST(masking_survives_every_failed_allocation) {
    for (int64_t k = 0;; k++) {
        tn_masker *m = NULL;
        tn_buf out = {0};
        tn_mem_fail_after(k, 0);
        tern_status st = tn_masker_new(&m, NULL);
        if (st == TERN_OK) st = tn_masker_add_title(m, "Lord Harrow", "born", NULL);
        if (st == TERN_OK)
            st = tn_mask_text(m, "see Lord Harrow", 15, "Lord Harrow?", &out, NULL, NULL);
        tn_mem_fail_after(-1, 0);
        CHECK(st == TERN_OK || st == TERN_ERR_NOMEM);
        tn_buf_deinit(&out);
        tn_masker_free(m);
        if (st == TERN_OK) break;
    }
}

TEST_MAIN

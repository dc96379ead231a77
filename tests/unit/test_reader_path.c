/* test_reader_path.c - reading over several passages: paraphrases, chains, kinds, what is out of
 * date. */
#include "agent/reader.h"
#include "tests/fake_corpus.h"
#include "tests/test.h"

#include "core/base/mem.h"

static const char *const rows[][2] = {
    {"Osprey Line", "Osprey Line is a shipping company. The founder was Gerd Oman. Its seat is in "
                    "Tarnwick."},
    {"Gerd Oman", "Gerd Oman (born 1840) was a shipowner born in Bellhaven. As a young man he was "
                  "taught by Aksel Stoll."},
    {"Bellhaven", "Bellhaven is a town on Corrie. It was founded in 1763 by herring fishers."},
    {"Camp Oman", "Camp Oman is a research station on Corrie, opened in 1964. The name honours the "
                  "explorer Gerd Oman."},
    {"New leader at Camp Oman", "Bruna Kest has been appointed leader of Camp Oman."},
    {"New leader at Camp Oman", "Ida Farrow has been appointed leader of Camp Oman."},
    {"Ida Farrow", "Ida Farrow (born 1976) is a physicist who grew up in her native Varn."},
    {"Bruna Kest", "Bruna Kest (born 1950) is a botanist from Tarnwick."},
    {"Loud Ice", "Loud Ice is a novel by Bruna Kest. It was published by Tarnwick Press in 1990."},
    {"Tarnwick Press", "Tarnwick Press is a publisher in Tarnwick."}};
static const int64_t times[] = {TERN_NO_TIME, TERN_NO_TIME, TERN_NO_TIME, TERN_NO_TIME, 1000, 2000,
                                TERN_NO_TIME, TERN_NO_TIME, TERN_NO_TIME, TERN_NO_TIME};
enum { ROWS = sizeof rows / sizeof *rows };

static void check_answer(const char *question, unsigned bits, const char *answer) {
    fake_corpus c = {.rows = rows, .n = ROWS};
    tn_agent_tools tools = fake_tools(&c);
    tern_agent_opts opts = tern_agent_defaults();
    tern_policy none = {0};
    tn_arena arena = {0};
    tn_analyzer *an = NULL;
    tn_episode ep;
    tern_error err;
    tn_reading r;
    CHECK_OK(tn_analyzer_new("english", &an, &err), err);
    CHECK_OK(tn_episode_init(&ep, question, strlen(question), &opts, &tools, &none, NULL, an,
                             &arena, &err),
             err);
    for (uint32_t i = 0; i < ROWS; i++) {
        if (!(bits >> i & 1)) continue;
        CHECK_EQ(TN_GROW(ep.shown, ep.shown_cap, ep.n_shown + 1), 0);
        tn_shown *s = &ep.shown[ep.n_shown++];
        *s = (tn_shown){.ref = i};
        CHECK_OK(fake_read(&c, i, &s->passage, &err), err);
        s->passage.time = times[i];
        s->text_len = s->passage.text_len;
    }
    CHECK_OK(tn_read_answer(&ep, &r, &err), err);
    CHECK_STR(r.text, answer);
    for (uint32_t i = 0; i < r.n_supports; i++)
        CHECK(r.supports[i].end <= ep.shown[r.supports[i].shown].text_len);
    tn_episode_deinit(&ep);
    tn_arena_deinit(&arena);
    tn_analyzer_free(an);
}

TEST(a_relation_is_found_in_other_words) {
    check_answer("Who founded the Osprey Line?", 0xFF, "Gerd Oman");
    check_answer("Who is the founder of Osprey Line?", 0xFF, "Gerd Oman");
    check_answer("When was Bellhaven established?", 0xFF, "1763");
}

TEST(an_answer_stands_where_the_chain_ends) {
    check_answer("Where was the founder of Osprey Line born?", 0x0F, "Bellhaven");
    check_answer("Who taught the founder of Osprey Line?", 0x0F, "Aksel Stoll");
    check_answer("When was the native town of the explorer behind the name of Camp Oman founded?",
                 0x0F, "1763");
}

TEST(the_later_of_two_reports_counts) {
    check_answer("Who is the leader of Camp Oman?", 0xFF, "Ida Farrow");
    check_answer("Where was the present leader of Camp Oman born?", 0xFF, "Varn");
}

TEST(an_earlier_report_counts_when_no_later_one_is_shown) {
    check_answer("Who is the leader of Camp Oman?", 0xDF, "Bruna Kest");
}

TEST(a_firm_publishes) {
    check_answer("Who published Loud Ice?", 0x300, "Tarnwick Press");
}

static tn_view view_of(tn_lens *l, const char *text) {
    tn_view v = {0};
    tern_error err;
    CHECK_OK(tn_lens_view(l, text, strlen(text), &v, &err), err);
    return v;
}

typedef struct glass {
    tn_arena arena;
    tn_analyzer *an;
    tn_agent_tools tools;
    tn_lens l;
} glass;

static void open_glass(glass *g, const char *question) {
    tern_error err;
    *g = (glass){0};
    CHECK_OK(tn_analyzer_new("english", &g->an, &err), err);
    CHECK_OK(tn_lens_init(&g->l, g->an, &g->tools, &g->arena, question, strlen(question), &err),
             err);
}

static void close_glass(glass *g) {
    tn_lens_deinit(&g->l);
    tn_arena_deinit(&g->arena);
    tn_analyzer_free(g->an);
}

static void check_asked(const char *question, const char *word) {
    glass g;
    tn_question_form f;
    open_glass(&g, question);
    tn_question_form_of(&g.l, &f);
    uint32_t i = tn_asked_word(&g.l.question, &f);
    CHECK(i < g.l.question.n_words);
    const tn_word *w = &g.l.question.words[i];
    if (w->end - w->begin != strlen(word) || memcmp(question + w->begin, word, strlen(word)) != 0)
        FAIL("%s: asked is %.*s", question, (int)(w->end - w->begin), question + w->begin);
    close_glass(&g);
}

TEST(the_asked_word_belongs_to_the_main_clause) {
    check_asked("Who is the founder of Osprey Line?", "founder");
    check_asked("Where was the founder of the company born that financed the survey?", "born");
    check_asked("When was the native town of the explorer founded?", "founded");
    check_asked("Who published the book written by the first captain?", "published");
    check_asked("In what year did the explorer commemorated by the hut die?", "die");
}

static void check_kind(const char *title, const char *text, tn_kind kind) {
    glass g;
    open_glass(&g, "?");
    tn_view t = view_of(&g.l, title), v = view_of(&g.l, text);
    CHECK_EQ(tn_page_kind(&t, &v), kind);
    close_glass(&g);
}

TEST(a_lead_says_what_kind_its_title_is) {
    check_kind("Ida Farrow", "Ida Farrow (born 1976) is a physicist.", TN_KIND_PERSON);
    check_kind("Ida Farrow", "Ida Farrow (1839-1902) travelled by sledge.", TN_KIND_PERSON);
    check_kind("Bellhaven", "Bellhaven is a town on Corrie.", TN_KIND_PLACE);
    check_kind("Osprey Line", "The Osprey Line, a shipping company, went far.", TN_KIND_GROUP);
    check_kind("Loud Ice", "Ida Farrow is the author of Loud Ice.", TN_KIND_UNKNOWN);
    check_kind("Loud Ice", "", TN_KIND_UNKNOWN);
}

TEST_MAIN

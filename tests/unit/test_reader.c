/* test_reader.c - what questions ask for, which spans could answer, and what the reader makes of
 * them. */
#include "agent/reader.h"
#include "tests/fake_corpus.h"
#include "tests/test.h"

#include "core/base/mem.h"

static const char *const rows[][2] = {
    {"Harbour Bridge", "The Harbour Bridge is a steel arch in Porthaven. It was designed by Mara "
                       "Ellison and opened on 14 June 1931 at a cost of 2.5 million crowns."},
    {"Mara Ellison", "Mara Ellison (2 May 1888 - 9 August 1960) was a Canadian engineer."},
    {"Tomas Brandt", "Tomas Brandt (born 3 March 1901) was a Canadian painter."},
    {"Ivo Sand", "Ivo Sand (born 1950) is a Danish painter."},
    {"Lake Orrin", "Lake Orrin is a lake of 40 km2 with 310 seals."},
    {"Lake Ussel", "Lake Ussel is a lake of 12 km2 with 250 seals."}};

typedef struct desk {
    fake_corpus c;
    tn_agent_tools tools;
    tern_agent_opts opts;
    tern_policy none;
    tn_arena arena;
    tn_analyzer *an;
    tn_episode ep;
    tern_error err;
} desk;

/* An episode that has read the given rows (bits), without any searching. */
static void sit_down(desk *d, const char *question, unsigned bits) {
    *d = (desk){.c = {.rows = rows, .n = 6}, .opts = tern_agent_defaults()};
    d->tools = fake_tools(&d->c);
    CHECK_OK(tn_analyzer_new("english", &d->an, &d->err), d->err);
    CHECK_OK(tn_episode_init(&d->ep, question, strlen(question), &d->opts, &d->tools, &d->none,
                             NULL, d->an, &d->arena, &d->err),
             d->err);
    for (uint32_t r = 0; r < 6; r++) {
        if (!(bits >> r & 1)) continue;
        CHECK_EQ(TN_GROW(d->ep.shown, d->ep.shown_cap, d->ep.n_shown + 1), 0);
        tn_shown *s = &d->ep.shown[d->ep.n_shown++];
        *s = (tn_shown){.ref = r};
        CHECK_OK(fake_read(&d->c, r, &s->passage, &d->err), d->err);
        s->text_len = s->passage.text_len;
    }
}

static void stand_up(desk *d) {
    tn_episode_deinit(&d->ep);
    tn_arena_deinit(&d->arena);
    tn_analyzer_free(d->an);
}

static void check_form(const char *question, tn_ask_kind ask, tn_want want) {
    desk d;
    tn_question_form f;
    sit_down(&d, question, 0);
    tn_question_form_of(d.ep.lens, &f);
    if (f.ask != ask || f.want != want)
        FAIL("%s: ask %d want %d, expected %d %d", question, f.ask, f.want, ask, want);
    stand_up(&d);
}

TEST(the_question_word_says_what_is_wanted) {
    check_form("Who designed the bridge?", TN_ASK_SPAN, TN_WANT_PERSON);
    check_form("when did it open", TN_ASK_SPAN, TN_WANT_DATE);
    check_form("Where is Lake Orrin?", TN_ASK_SPAN, TN_WANT_PLACE);
    check_form("How many seals live there?", TN_ASK_SPAN, TN_WANT_NUMBER);
    check_form("Why did it fail?", TN_ASK_SPAN, TN_WANT_REASON);
    check_form("In what year did it open?", TN_ASK_SPAN, TN_WANT_DATE);
    check_form("What is the population of Porthaven?", TN_ASK_SPAN, TN_WANT_NUMBER);
    check_form("Which Canadian engineer designed it?", TN_ASK_SPAN, TN_WANT_THING);
    check_form("What was the name of the ship?", TN_ASK_SPAN, TN_WANT_THING);
}

TEST(a_relative_who_does_not_hide_the_question) {
    check_form("The engineer who built the bridge was born in what year?", TN_ASK_SPAN,
               TN_WANT_DATE);
    check_form("The person who designed it came from which city?", TN_ASK_SPAN, TN_WANT_PLACE);
}

TEST(choices_and_yes_no_questions_are_told_apart) {
    check_form("Which is larger, Lake Orrin or Lake Ussel?", TN_ASK_CHOICE, TN_WANT_THING);
    check_form("Are Mara Ellison and Tomas Brandt both Canadian?", TN_ASK_YES_NO, TN_WANT_THING);
    check_form("Was the bridge made of steel?", TN_ASK_YES_NO, TN_WANT_THING);
}

static void check_answer(const char *question, unsigned bits, const char *answer) {
    desk d;
    tn_reading r;
    sit_down(&d, question, bits);
    CHECK_OK(tn_read_answer(&d.ep, &r, &d.err), d.err);
    CHECK_STR(r.text, answer);
    CHECK(r.n_supports > 0 || *answer == '\0');
    for (uint32_t i = 0; i < r.n_supports; i++) {
        CHECK(r.supports[i].shown < d.ep.n_shown);
        CHECK(r.supports[i].begin < r.supports[i].end);
        CHECK(r.supports[i].end <= d.ep.shown[r.supports[i].shown].text_len);
    }
    stand_up(&d);
}

TEST(spans_are_read_by_kind) {
    check_answer("Who designed the Harbour Bridge?", 63, "Mara Ellison");
    check_answer("When was the Harbour Bridge opened?", 63, "14 June 1931");
    check_answer("How many seals does Lake Orrin have?", 63, "310 seals");
}

TEST(dates_are_compared_by_value_and_direction) {
    check_answer("Who was born first, Ivo Sand or Tomas Brandt?", 63, "Tomas Brandt");
    check_answer("Who is younger, Ivo Sand or Tomas Brandt?", 63, "Ivo Sand");
}

TEST(numbers_are_compared_by_value) {
    check_answer("Which has more seals, Lake Ussel or Lake Orrin?", 63, "Lake Orrin");
    check_answer("Which has fewer seals, Lake Ussel or Lake Orrin?", 63, "Lake Ussel");
}

TEST(equal_attributes_say_yes_and_others_no) {
    check_answer("Were Mara Ellison and Tomas Brandt of the same nationality?", 63, "yes");
    check_answer("Were Mara Ellison and Ivo Sand of the same nationality?", 63, "no");
}

TEST(nothing_read_gives_no_answer) {
    check_answer("Who designed it?", 0, "");
}

static double confidence_of(const char *question, unsigned bits) {
    desk d;
    tn_reading r;
    sit_down(&d, question, bits);
    CHECK_OK(tn_read_answer(&d.ep, &r, &d.err), d.err);
    stand_up(&d);
    CHECK(r.confidence >= 0 && r.confidence <= 1);
    return r.confidence;
}

TEST(the_passage_that_answers_raises_the_confidence) {
    const char *q = "Who designed the Harbour Bridge in Porthaven?";
    CHECK(confidence_of(q, 1) > 0.5);
    CHECK(confidence_of(q, 1) > confidence_of(q, 62) + 0.3);
}

static uint32_t words_of_view(desk *d, const char *text, tn_view *v) {
    CHECK_OK(tn_lens_view(d->ep.lens, text, strlen(text), v, &d->err), d->err);
    return v->n_words;
}

TEST(years_and_numbers_have_values) {
    desk d;
    tn_view v;
    double x = 0;
    sit_down(&d, "x y", 0);
    words_of_view(&d, "on June 14, 1931 some 2.5 million, 3,100 or 7 came", &v);
    bool year = false, thousands = false;
    for (uint32_t i = 0; i < v.n_words; i++) {
        if (tn_date_at(&v, i, &x)) {
            CHECK_NEAR(x, 1931.5, 1e-9);
            year = true;
        } else if (tn_number_at(&v, i, &x)) {
            thousands |= x == 3100;
        }
    }
    CHECK(year && thousands);
    stand_up(&d);
}

TEST(names_are_runs_of_capitals_quotes_and_titles) {
    desk d;
    sit_down(&d,
             "did mara ellison see \"the long night\" with Vincent van Hoog in the harbour bridge?",
             0);
    const tn_lens *l = d.ep.lens;
    static const char *const wanted[] = {"mara ellison", "the long night", "Vincent van Hoog",
                                         "harbour bridge"};
    for (size_t w = 0; w < 4; w++) {
        bool found = false;
        for (uint32_t i = 0; i < l->n_question_names; i++) {
            const tn_name *s = &l->question_names[i];
            found |= s->end - s->begin == strlen(wanted[w]) &&
                     memcmp(l->question.text + s->begin, wanted[w], s->end - s->begin) == 0;
        }
        if (!found) FAIL("\"%s\" was not taken for a name", wanted[w]);
    }
    stand_up(&d);
}

TEST_MAIN

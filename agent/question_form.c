/* question_form.c - what a question asks for, by its words. English forms; a question in another
 * language asks for a thing, and its choices are still found by the names in it. */
#include "agent/reader.h"
#include "core/base/mem.h"

static const char *const WH[] = {"who",   "whom", "whose", "when", "where",
                                 "which", "what", "why",   "how",  NULL};
static const char *const WH_FIRM[] = {"which", "what", "how", NULL}; /* seldom a relative pronoun */
static const char *const PREPOSITIONS[] = {"in", "on",   "at",   "of",    "for",   "from", "by",
                                           "to", "with", "into", "under", "after", NULL};
static const char *const AUX[] = {"is",     "are",  "was", "were",  "do",    "does", "did",
                                  "has",    "have", "had", "can",   "could", "will", "would",
                                  "should", "am",   "may", "might", NULL};
static const char *const SKIP[] = {"is",    "are",  "was",   "were", "the",  "a",   "an",   "of",
                                   "name",  "type", "kind",  "sort", "form", "did", "does", "do",
                                   "other", "main", "first", "last", "old",  "new", "two",  NULL};
static const char *const DATES[] = {"year",  "date",   "day",      "month", "century", "time",
                                    "years", "decade", "birthday", "era",   NULL};
static const char *const NUMBERS[] = {
    "number",   "population", "percent",   "percentage", "age",    "height", "length",
    "distance", "amount",     "size",      "area",       "cost",   "price",  "score",
    "many",     "much",       "elevation", "speed",      "weight", "total",  NULL};
static const char *const PLACES[] = {
    "city",   "country",      "state",    "county",       "town",       "place",    "location",
    "region", "province",     "district", "continent",    "village",    "island",   "borough",
    "street", "neighborhood", "nation",   "municipality", "birthplace", "hometown", NULL};
static const char *const PERSONS[] = {
    "person",    "actor",     "actress",  "director",   "singer", "author",  "writer",
    "president", "king",      "queen",    "man",        "woman",  "player",  "artist",
    "musician",  "composer",  "producer", "politician", "wife",   "husband", "father",
    "mother",    "scientist", "leader",   "founder",    NULL};
static const char *const HOW_NUMBER[] = {
    "many", "much", "long",  "old",   "tall", "far",    "high",  "big", "large", "deep",
    "wide", "fast", "often", "heavy", "few",  "strong", "thick", "hot", "cold",  NULL};

/* The word that asks. At the start of the question it is plain; further on, who and where are more
 * often relative pronouns, so which, what and how come first and the last one wins. */
static uint32_t find_wh(const tn_view *q) {
    if (tn_word_in(q, 0, WH)) return 0;
    if (tn_word_in(q, 0, PREPOSITIONS) && tn_word_in(q, 1, WH)) return 1;
    for (uint32_t i = q->n_words; i-- > 0;)
        if (tn_word_in(q, i, WH_FIRM)) return i;
    for (uint32_t i = q->n_words; i-- > 0;)
        if (tn_word_in(q, i, WH)) return i;
    return UINT32_MAX;
}

static tn_want want_of(const tn_view *q, tn_question_form *f) {
    static const char *const who[] = {"who", "whom", "whose", NULL}, *const when[] = {"when", NULL},
                             *const where[] = {"where", NULL}, *const why[] = {"why", NULL},
                             *const how[] = {"how", NULL};
    uint32_t i = f->wh;
    if (i == UINT32_MAX) return TN_WANT_THING;
    if (tn_word_in(q, i, when)) return TN_WANT_DATE;
    if (tn_word_in(q, i, where)) return TN_WANT_PLACE;
    if (tn_word_in(q, i, why)) return TN_WANT_REASON;
    if (tn_word_in(q, i, how)) {
        if (!tn_word_in(q, i + 1, HOW_NUMBER)) return TN_WANT_REASON;
        f->focus = i + 2 < q->n_words ? i + 2 : UINT32_MAX; /* how many *goals* */
        return TN_WANT_NUMBER;
    }
    if (tn_word_in(q, i, who)) return TN_WANT_PERSON;
    uint32_t k = i + 1;
    while (k < q->n_words && tn_word_in(q, k, SKIP)) k++;
    if (k >= q->n_words) return TN_WANT_THING;
    f->focus = k;
    /* "what American city": the kind is among the next words */
    for (uint32_t m = k; m < k + 3 && m < q->n_words; m++) {
        tn_want w = tn_word_in(q, m, DATES)     ? TN_WANT_DATE
                    : tn_word_in(q, m, NUMBERS) ? TN_WANT_NUMBER
                    : tn_word_in(q, m, PLACES)  ? TN_WANT_PLACE
                    : tn_word_in(q, m, PERSONS) ? TN_WANT_PERSON
                                                : TN_WANT_THING;
        if (w != TN_WANT_THING) {
            f->focus = m;
            return w;
        }
        if (tn_word_in(q, m, AUX)) break;
    }
    return TN_WANT_THING;
}

/* The names on both sides of the last "or" (or, for yes/no, of "and"). */
static void find_choices(const tn_lens *l, tn_question_form *f, const char *const *joint) {
    const tn_view *q = &l->question;
    for (uint32_t i = q->n_words; i-- > 1;) {
        if (!tn_word_in(q, i, joint)) continue;
        const tn_name *left = NULL, *right = NULL;
        for (uint32_t k = 0; k < l->n_question_names; k++) {
            const tn_name *s = &l->question_names[k];
            if (s->word_end <= i && s->word_begin > 0 &&
                (!left || s->word_end > left->word_end ||
                 (s->word_end == left->word_end && s->word_begin < left->word_begin)))
                left = s;
            if (s->word_begin > i &&
                (!right || s->word_begin < right->word_begin ||
                 (s->word_begin == right->word_begin && s->word_end > right->word_end)))
                right = s;
        }
        if (!left || !right) continue;
        f->choices[0] = left;
        f->choices[1] = right;
        f->n_choices = 2;
        return;
    }
}

void tn_question_form_of(const tn_lens *l, tn_question_form *f) {
    static const char *const or_word[] = {"or", NULL}, *const and_word[] = {"and", NULL};
    const tn_view *q = &l->question;
    *f = (tn_question_form){.wh = find_wh(q), .focus = UINT32_MAX};
    f->want = want_of(q, f);
    bool aux = tn_word_in(q, 0, AUX);
    find_choices(l, f, or_word);
    if (f->n_choices == 2) {
        f->ask = TN_ASK_CHOICE;
    } else if (aux) {
        f->ask = TN_ASK_YES_NO;
        find_choices(l, f, and_word);
    }
}

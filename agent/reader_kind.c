/* reader_kind.c - what kind of thing a name is, by the first sentence of the passage titled so, and
 * what kind the question wants. */
#include "agent/reader.h"
#include "core/base/mem.h"
#include <string.h>

static const char *const PLACE_NOUNS[] = {
    "city",       "town",         "village",      "island",
    "islands",    "country",      "county",       "state",
    "province",   "region",       "district",     "capital",
    "settlement", "municipality", "hamlet",       "commune",
    "suburb",     "borough",      "river",        "lake",
    "mountain",   "peninsula",    "bay",          "valley",
    "port",       "harbour",      "continent",    "place",
    "location",   "archipelago",  "neighborhood", "neighbourhood",
    "parish",     "territory",    "area",         "township",
    NULL};
static const char *const ORG_NOUNS[] = {
    "company",      "firm",         "publisher",    "university",  "institute",   "institution",
    "academy",      "organization", "organisation", "band",        "club",        "team",
    "agency",       "society",      "group",        "corporation", "association", "business",
    "manufacturer", "shipbuilder",  "shipyard",     "school",      "college",     "museum",
    "party",        "network",      "label",        "airline",     "service",     "line",
    "house",        "bank",         "brewery",      NULL};
static const char *const WORK_NOUNS[] = {
    "film",     "novel",      "book",       "album",      "song",        "series",   "ship",
    "vessel",   "steamer",    "ferry",      "play",       "poem",        "game",     "single",
    "magazine", "newspaper",  "painting",   "icebreaker", "schooner",    "brig",     "cutter",
    "show",     "opera",      "musical",    "memoir",     "storm",       "festival", "expedition",
    "treaty",   "instrument", "lighthouse", "station",    "award",       "prize",    "journal",
    "episode",  "movie",      "comedy",     "drama",      "documentary", "title",    NULL};
static const char *const PERSON_NOUNS[] = {
    "person",   "man",        "woman",   "king",    "queen",  "president",  "captain",
    "surveyor", "founder",    "scholar", "pilot",   "chef",   "politician", "poet",
    "athlete",  "explorer",   "pupil",   "monk",    "bishop", "judge",      "general",
    "model",    "journalist", "coach",   "brother", "sister", "son",        "daughter",
    "wife",     "husband",    "mother",  "father",  NULL};

static bool suffix_is(const tn_view *v, uint32_t i, const char *const *list) {
    uint32_t n = v->words[i].end - v->words[i].begin;
    for (; *list; list++) {
        size_t len = strlen(*list);
        if (n > len + 2 && memcmp(v->text + v->words[i].end - len, *list, len) == 0) return true;
    }
    return false;
}

tn_kind tn_noun_kind(const tn_view *v, uint32_t i) {
    static const char *const agents[] = {"er", "or", "ist", "ian", "ress", NULL};
    if (i >= v->n_words || v->words[i].flags & TN_WORD_CAP) return TN_KIND_UNKNOWN;
    if (tn_word_in(v, i, PLACE_NOUNS)) return TN_KIND_PLACE;
    if (tn_word_in(v, i, ORG_NOUNS)) return TN_KIND_GROUP;
    if (tn_word_in(v, i, WORK_NOUNS)) return TN_KIND_WORK;
    if (tn_word_in(v, i, PERSON_NOUNS) || suffix_is(v, i, agents)) return TN_KIND_PERSON;
    return TN_KIND_UNKNOWN;
}

/* Does a word of the title stand in the text before word i? */
static bool title_before(const tn_view *title, const tn_view *v, uint32_t i) {
    for (uint32_t k = 0; k < i; k++)
        if (tn_word_is_content(&v->words[k]) && tn_view_has(title, v->words[k].term)) return true;
    return false;
}

/* The kind of what "is a ..." says from word i on. */
static tn_kind said_kind(const tn_view *v, uint32_t i, uint32_t end) {
    static const char *const ends[] = {"of",   "in", "on",   "at",  "who", "which",
                                       "that", "by", "from", "for", "and", NULL};
    tn_kind kind = TN_KIND_UNKNOWN;
    for (uint32_t k = i; k < end && k < i + 12 && !tn_word_in(v, k, ends); k++) {
        tn_kind here = tn_noun_kind(v, k);
        if (here != TN_KIND_UNKNOWN) kind = here;
    }
    return kind;
}

tn_kind tn_page_kind(const tn_view *title, const tn_view *v) {
    static const char *const copulas[] = {"is", "was", "are", "were", NULL};
    static const char *const articles[] = {"a", "an", NULL};
    static const char *const born[] = {"born", NULL};
    uint32_t end = v->n_sentences ? v->sentences[0].word_end : 0;
    bool life = false, names = title_before(title, v, end);
    for (uint32_t i = 0; i < end; i++) {
        double year = 0, next = 0; /* "born", or "(1839-1902)" */
        life |= tn_word_in(v, i, born);
        life |= i > 0 && v->text[v->words[i].begin - 1] == '(' && tn_date_at(v, i, &year) &&
                i + 1 < end && tn_date_at(v, i + 1, &next);
    }
    if (life && names) return TN_KIND_PERSON;
    for (uint32_t i = 1; i + 1 < end && i < 24; i++) {
        bool apposed = v->text[v->words[i - 1].end] == ',' && tn_word_in(v, i, articles);
        if ((!apposed && !tn_word_in(v, i, copulas)) || !title_before(title, v, i)) continue;
        tn_kind kind = said_kind(v, i + 1, end);
        if (kind != TN_KIND_UNKNOWN) return kind;
        break;
    }
    uint32_t n = title->n_words;
    if (n < 2) return TN_KIND_UNKNOWN;
    return tn_word_in(title, n - 1, PLACE_NOUNS)  ? TN_KIND_PLACE
           : tn_word_in(title, n - 1, ORG_NOUNS)  ? TN_KIND_GROUP
           : tn_word_in(title, n - 1, WORK_NOUNS) ? TN_KIND_WORK
                                                  : TN_KIND_UNKNOWN;
}

tn_kind tn_wanted_kind(const tn_lens *l, const tn_question_form *f) {
    static const char *const firms[] = {"published", "publishes", "publisher", "publishers", NULL};
    if (f->want == TN_WANT_PERSON)
        return tn_word_in(&l->question, tn_asked_word(&l->question, f), firms) ? TN_KIND_GROUP
                                                                               : TN_KIND_PERSON;
    if (f->want == TN_WANT_PLACE) return TN_KIND_PLACE;
    if (f->want != TN_WANT_THING || f->focus == UINT32_MAX) return TN_KIND_UNKNOWN;
    tn_kind kind = TN_KIND_UNKNOWN;
    for (uint32_t i = f->focus; i < f->focus + 2 && kind == TN_KIND_UNKNOWN; i++)
        kind = tn_noun_kind(&l->question, i);
    return kind;
}

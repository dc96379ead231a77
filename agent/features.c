/* features.c - a candidate as numbers. See features.h. */
#include "agent/features.h"
#include "core/base/mem.h"
#include <string.h>

const char *const tn_feature_names[TN_N_FEATURES] = {
#define TN_FEATURE_NAME_(name, hand, trained, meaning) #name,
    TN_FEATURE_MAP(TN_FEATURE_NAME_)
#undef TN_FEATURE_NAME_
};
const float tn_feature_hand[TN_N_FEATURES] = {
#define TN_FEATURE_HAND_(name, hand, trained, meaning) hand,
    TN_FEATURE_MAP(TN_FEATURE_HAND_)
#undef TN_FEATURE_HAND_
};
const float tn_feature_weights[TN_N_FEATURES] = {
#define TN_FEATURE_WEIGHT_(name, hand, trained, meaning) trained,
    TN_FEATURE_MAP(TN_FEATURE_WEIGHT_)
#undef TN_FEATURE_WEIGHT_
};

/* The largest share of the terms' mass that one earlier query holds; with `jaccard`, the overlap in
 * both directions, counted in terms. */
static float in_queries(const tn_facts *f, const uint32_t *terms, uint32_t n, bool jaccard) {
    float best = 0;
    for (uint32_t q = 0; q < f->n_queries; q++) {
        float mass = 0, all = 0;
        uint32_t shared = 0, n_query = 0;
        for (uint32_t i = 0; i < n; i++) {
            bool has = tn_view_has(&f->queries[q], terms[i]);
            float w = f->lens->weight[terms[i]] + 1e-6F;
            all += w;
            if (has) mass += w;
            shared += has;
        }
        for (uint32_t i = 0; i < f->queries[q].n_words; i++)
            n_query += tn_word_is_content(&f->queries[q].words[i]);
        uint32_t either = n + n_query > shared ? n + n_query - shared : 1;
        float share = jaccard ? (float)shared / (float)either : all > 0 ? mass / all : 0;
        if (share > best) best = share;
    }
    return best;
}

static void entity_features(const tn_facts *f, const tn_entity *e, float *x) {
    const tn_lens *l = f->lens;
    float mass = 0, unseen = 0, rarity = 0;
    for (uint32_t i = 0; i < e->n_terms; i++) {
        float w = l->weight[e->terms[i]];
        mass += w;
        if (!(f->marks[e->terms[i]] & TN_MARK_TITLE)) unseen += w;
        if (w > rarity) rarity = w;
    }
    x[TN_F_ASKED] = e->asked;
    x[TN_F_ASKED_UNREAD] = e->asked && !e->read;
    x[TN_F_ASKED_ONE_OF_MANY] = e->asked && !e->read && f->n_asked_read > 0;
    x[TN_F_IN_QUESTION] = mass > 0 ? tn_span_question_mass(f, e) / mass : 0;
    x[TN_F_KNOWN] = e->known;
    x[TN_F_READ] = e->read;
    x[TN_F_MENTIONS] = e->n_mentions > 0 ? 1.0F - 1.0F / (float)e->n_mentions : 0;
    x[TN_F_REPEATED] = in_queries(f, e->terms, e->n_terms, false);
    x[TN_F_RARITY] = rarity;
    x[TN_F_LENGTH] = e->n_terms < 8 ? (float)e->n_terms / 8.0F : 1.0F;
    x[TN_F_NUMBER] = e->number;
    x[TN_F_UNSEEN] = mass > 0 ? unseen / mass : 0;
    x[TN_F_SINGLE] = e->n_terms == 1;
    x[TN_F_KNOWN_UNREAD] = e->known && !e->read;
    x[TN_F_ASKED_FIRST] = e->asked && f->ep->n_searches == 0;
    x[TN_F_ASKED_UNSEEN] = e->asked && e->n_mentions == 0 && f->ep->n_searches > 0;
    x[TN_F_DATE] = e->date;
    if (e->origin == TN_FROM_QUESTION) return;

    const tn_shown *s = &f->ep->shown[e->origin];
    const tn_view *title = &l->reads[e->origin].title;
    float own = f->question_mass > 0 ? tn_span_question_mass(f, e) / f->question_mass : 0;
    float asked = 0, all = 0;
    uint32_t ids[16], n = 0;
    for (uint32_t i = 0; i < title->n_words && n < 16; i++) {
        if (!tn_word_is_content(&title->words[i])) continue;
        uint32_t t = title->words[i].term;
        ids[n++] = t;
        all += l->weight[t];
        if (f->marks[t] & TN_MARK_QUESTION) asked += l->weight[t];
    }
    x[TN_F_COVER] = f->cover[e->origin];
    x[TN_F_SENTENCE_COVER] = e->sentence_cover > own ? e->sentence_cover - own : 0;
    x[TN_F_NEAR] = e->near;
    x[TN_F_TITLE_ASKED] = all > 0 ? asked / all : 0;
    x[TN_F_TITLE_QUERIED] = in_queries(f, ids, n, false) > 0.99F;
    x[TN_F_LEAD] = e->lead;
    x[TN_F_TOP_RANK] = s->rank == 0;
    x[TN_F_FRESH] = s->turn + 1 == f->ep->n_turns;
    x[TN_F_REST_MASS] = 1.0F - f->cover[e->origin];
    float in_title = 0;
    for (uint32_t i = 0; i < e->n_terms; i++)
        if (tn_view_has(title, e->terms[i])) in_title += l->weight[e->terms[i]];
    x[TN_F_OWN_TITLE] = mass > 0 ? in_title / mass : 0;
    x[TN_F_SUBJECT] = e->subject;
    x[TN_F_ORDER] = 1.0F / (1.0F + (float)e->order);
    x[TN_F_BEST_COVER] = f->cover_max > 0 ? f->cover[e->origin] / f->cover_max : 0;
    x[TN_F_BEST_SENTENCE] = f->sentence_max > 0 ? e->sentence_cover / f->sentence_max : 0;
    x[TN_F_OWN_COVER] = f->own_cover[e->origin];
    x[TN_F_LINKED] = f->linked[e->origin];
    x[TN_F_TRIED] = f->tried[e->origin] < 3 ? (float)f->tried[e->origin] / 3.0F : 1.0F;
    x[TN_F_MENTION_COVER] = e->best_cover > f->cover[e->origin] ? e->best_cover : e->second_cover;
}

static float span_share(const tn_facts *f, const tn_entity *e, const uint32_t *terms, uint32_t n) {
    float span = 0, all = 0;
    for (uint32_t i = 0; i < e->n_terms; i++) span += f->lens->weight[e->terms[i]];
    for (uint32_t i = 0; i < n; i++) all += f->lens->weight[terms[i]];
    return all > 0 ? span / all : 0;
}

void tn_features(const tn_facts *f, tn_form form, const tn_entity *entity, const uint32_t *terms,
                 uint32_t n_terms, float *x) {
    memset(x, 0, TN_N_FEATURES * sizeof *x);
    if (form == TN_FORM_STOP) {
        x[TN_F_STOP] = 1;
        x[TN_F_STOP_COVERED] = f->covered;
        x[TN_F_STOP_NAMED] = f->n_asked > 0 ? (float)f->n_asked_read / (float)f->n_asked : 0;
        x[TN_F_STOP_SENTENCE] = f->sentence;
        x[TN_F_STOP_TURN] = (float)f->ep->n_searches / 4.0F;
        return;
    }
    x[TN_F_QUESTION] = form == TN_FORM_QUESTION;
    x[TN_F_ALONE] = form == TN_FORM_ALONE;
    x[TN_F_WITH_REST] = form == TN_FORM_WITH_REST;
    x[TN_F_WITH_ALL] = form == TN_FORM_WITH_ALL;
    x[TN_F_SAME_QUERY] = in_queries(f, terms, n_terms, true);
    x[TN_F_ASKED_BEFORE] = x[TN_F_SAME_QUERY] > 0.999F;
    for (uint32_t i = 0; i < n_terms && f->question_mass > 0; i++) {
        if (!(f->marks[terms[i]] & TN_MARK_QUESTION)) continue;
        float share = f->lens->weight[terms[i]] / f->question_mass;
        x[f->marks[terms[i]] & TN_MARK_SHOWN ? TN_F_QUERY_OLD : TN_F_QUERY_NEW] += share;
    }
    float late = (float)f->ep->n_searches / 4.0F;
    x[TN_F_FORM_USED] = (float)f->n_forms[form] / 3.0F;
    x[TN_F_LATE_ALONE] = form == TN_FORM_ALONE ? late : 0;
    x[TN_F_LATE_REST] = form == TN_FORM_WITH_REST ? late : 0;
    x[TN_F_LATE_ALL] = form == TN_FORM_WITH_ALL ? late : 0;
    if (!entity) return;
    x[TN_F_ALONE_UNREAD] = form == TN_FORM_ALONE && entity->known && !entity->read;
    x[TN_F_ASKED_ALONE] = form == TN_FORM_ALONE && entity->asked;
    x[TN_F_READ_REST] = form == TN_FORM_WITH_REST && entity->read;
    x[TN_F_ALONE_KNOWN] = form == TN_FORM_ALONE && entity->known;
    x[TN_F_SPAN_SHARE] = span_share(f, entity, terms, n_terms);
    entity_features(f, entity, x);
}

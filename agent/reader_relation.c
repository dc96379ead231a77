/* reader_relation.c - what the question asks about its things, in whatever words a text says it.
 *
 * Evidence terms are the question's content words; a text also says one with a word of the same
 * class below ("the founder of X" is answered by "X was set up by ..."). The classes are loose on
 * purpose: they only add evidence, the features weigh it. English; in other languages only the
 * question's own words count. */
#include "agent/reader.h"
#include "core/base/mem.h"
#include <string.h>

/* Words before the bar are looked for in questions, all of them in texts. */
static const char *const CLASSES[] = {
    "born birth birthplace birthday native hails | comes grew raised",
    "died die dies death dead | killed drowned perished",
    "buried burial grave rest tomb | laid churchyard cemetery lies",
    "founded founder founders founding established started start created | establish set "
    "foundation "
    "began begun co-founded cofounded formed settled",
    "published publish publisher publishers publication publishing | issued brought press printed "
    "appeared",
    "appear appeared published issued publication | came out",
    "wrote write written writer author authors authored book | penned novel poem",
    "married marry wife husband spouse marriage | wed widow",
    "located location situated lie lies stand stands seat based base headquarters headquartered "
    "offices office | sits",
    "leader leaders leads led lead leading head heads headed chief charge | appointed commanded "
    "director directs runs president chairman command succeeds",
    "runs run operates operated operator managed administered maintains | belongs",
    "captain captained commanded command commander skipper | master",
    "directed director directs directing | film-maker filmmaker",
    "produced producer produces production | producers",
    "namesake named honours honoured honour commemorated commemorates name behind | honors "
    "honored memory after called",
    "taught teach teacher teachers trained training train pupil student tutor learn learned | "
    "learnt "
    "educated apprenticed apprentice studied mentor",
    "built build builder builders shipbuilder shipyard constructed yard | construction came",
    "designed designer designs architect design | drew plans drawn",
    "invented inventor inventors invention devised | developed devised",
    "opened open opens opening | inaugurated since",
    "launched launch | dates maiden slipway slip",
    "played plays play role starred starring portrayed portrays actor actress | stars character",
    "sang sung sings singer singers vocals vocalist | recorded performed song",
    "composed composer composers | music wrote written",
    "won win wins winner winners winning champion | victory defeated beat champions",
    "cost costs price fare charge | paid crowns ticket",
    "financed finance funded paid sponsor sponsored backed money | means provided",
    "owned owner owns bought acquired purchased | belongs sold",
    "father mother parent parents son daughter child children | born",
    "brother sister siblings sibling brothers sisters | twin",
    "job occupation profession | worked career",
    "population inhabitants residents lived live lives | people",
    "height high tall elevation taller higher | metres feet stands",
    "released release premiered came | debut aired",
    "member members joined | belongs band",
    "language languages spoken speak speaks | tongue",
    "struck strike strikes hit | raged",
    "discovered discoverer discovery | sighted explored",
    "attended attend educated school college university studied | graduated alma",
    "port home harbour | stationed",
};

/* Words that ask how or of when, not about what; no text is expected to say them. */
static const char *const NO_EVIDENCE[] = {"currently", "current", "present", "presently",
                                          "today",     "now",     "latest",  NULL};

bool tn_word_in(const tn_view *v, uint32_t i, const char *const *list) {
    if (i >= v->n_words) return false;
    size_t len = v->words[i].end - v->words[i].begin;
    const char *s = v->text + v->words[i].begin;
    for (; *list; list++) {
        if (strlen(*list) != len) continue;
        size_t k = 0;
        while (k < len && ((s[k] >= 'A' && s[k] <= 'Z') ? s[k] | 0x20 : s[k]) == (*list)[k]) k++;
        if (k == len) return true;
    }
    return false;
}

bool tn_word_is_evidence(const tn_view *q, uint32_t i) {
    return tn_word_is_content(&q->words[i]) && !tn_word_in(q, i, NO_EVIDENCE);
}

/* Does the asking half of a class hold question word i? */
static bool class_asks(const char *class, const tn_view *q, uint32_t i) {
    const char *bar = strchr(class, '|');
    for (const char *w = class; w < bar;) {
        const char *end = strchr(w, ' ');
        char word[32] = {0};
        if (end - w < (ptrdiff_t)sizeof word) memcpy(word, w, (size_t)(end - w));
        if (tn_word_in(q, i, (const char *const[]){word, NULL})) return true;
        w = end + 1;
    }
    return false;
}

bool tn_word_is_relation(const tn_view *q, uint32_t i) {
    for (size_t c = 0; c < sizeof CLASSES / sizeof *CLASSES; c++)
        if (class_asks(CLASSES[c], q, i)) return true;
    return false;
}

static tern_status say(tn_evidence *a, uint32_t term, uint64_t bit, tern_error *err) {
    for (uint32_t i = 0; i < a->n_said; i++) {
        if (a->said[i].term != term) continue;
        a->said[i].bits |= bit;
        return TERN_OK;
    }
    if (a->n_said == a->said_cap) {
        uint32_t cap = 2 * a->said_cap + 64;
        tn_said *grown = tn_arena_alloc(a->lens->arena, cap * sizeof *grown);
        if (!grown) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for answers");
        if (a->n_said) memcpy(grown, a->said, a->n_said * sizeof *grown);
        a->said = grown;
        a->said_cap = cap;
    }
    a->said[a->n_said++] = (tn_said){term, bit};
    return TERN_OK;
}

tern_status tn_evidence_paraphrase(tn_evidence *a, tn_lens *l, tern_error *err) {
    tern_status st = TERN_OK;
    for (uint32_t k = 0; st == TERN_OK && k < a->n; k++)
        st = say(a, a->terms[k], (uint64_t)1 << k, err);
    for (uint32_t i = 0; st == TERN_OK && i < l->question.n_words; i++) {
        uint64_t bit = tn_evidence_in(a, &l->question, i, i + 1);
        if (!bit || l->question.words[i].flags & TN_WORD_CAP) continue;
        for (size_t c = 0; st == TERN_OK && c < sizeof CLASSES / sizeof *CLASSES; c++) {
            tn_view v;
            if (!class_asks(CLASSES[c], &l->question, i)) continue;
            st = tn_lens_view(l, CLASSES[c], strlen(CLASSES[c]), &v, err);
            for (uint32_t w = 0; st == TERN_OK && w < v.n_words; w++)
                if (tn_word_is_content(&v.words[w])) st = say(a, v.words[w].term, bit, err);
        }
    }
    return st;
}

/* --- which of them is asked ------------------------------------------------------------------- */

static bool ends_in_ed(const tn_view *q, uint32_t i) {
    const tn_word *w = &q->words[i];
    return w->end - w->begin > 4 && !(w->flags & TN_WORD_CAP) &&
           memcmp(q->text + w->end - 2, "ed", 2) == 0;
}

/* The end of the question's main clause, looked for from word i on. "that" right after a verb
 * points ("was that surveyor's teacher born"). */
static uint32_t clause_end(const tn_view *q, uint32_t i) {
    static const char *const relative[] = {"that",  "which", "who",  "whom",
                                           "whose", "where", "when", NULL};
    static const char *const verbs[] = {"is", "was", "are", "were", "did", "does", "do", NULL};
    for (; i < q->n_words; i++)
        if (tn_word_in(q, i, relative) && !tn_word_in(q, i - 1, verbs)) return i;
    return q->n_words;
}

/* "The man who led it came from which town?" */
static uint32_t asked_before(const tn_view *q, uint32_t wh) {
    for (uint32_t i = wh; i-- > 0;)
        if (tn_word_is_evidence(q, i) && !(q->words[i].flags & TN_WORD_CAP)) return i;
    return UINT32_MAX;
}

/* The main verb or noun of the question, past the kind wanted: in "where was the founder of X
 * born", born; in "who is the founder of X", founder. An auxiliary sends the verb behind the
 * subject, after "is" only when it closes the clause. */
uint32_t tn_asked_word(const tn_view *q, const tn_question_form *f) {
    static const char *const be[] = {"is", "was", "are", "were", "has", "have", "had", NULL};
    static const char *const aux[] = {"did", "does", "do", NULL};
    uint32_t from = f->wh == UINT32_MAX ? 0 : f->wh + 1, last = clause_end(q, from + 2);
    uint32_t first = UINT32_MAX, end = UINT32_MAX, any = UINT32_MAX;
    bool is = false, does = false;
    for (uint32_t i = from; i < last; i++) {
        if (i < from + 3) is |= tn_word_in(q, i, be);
        if (i < from + 3) does |= tn_word_in(q, i, aux);
        bool kind = i == f->focus && !is && !does; /* "in which town was ..." */
        if (!tn_word_is_evidence(q, i) || kind || q->words[i].flags & TN_WORD_CAP) continue;
        if (any == UINT32_MAX) any = i;
        bool relation = tn_word_is_relation(q, i);
        if (relation && first == UINT32_MAX) first = i;
        if (relation || ends_in_ed(q, i)) end = i;
    }
    if (does && last < q->n_words) { /* "does the firm that runs X have its seat" */
        for (uint32_t i = q->n_words; i-- > last;)
            if (tn_word_is_relation(q, i)) return i;
    }
    if (end != UINT32_MAX && (does || (is && end + 1 == last))) return end;
    if (any == UINT32_MAX && f->wh != UINT32_MAX) return asked_before(q, f->wh);
    return first != UINT32_MAX ? first : any;
}

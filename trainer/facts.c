/* facts.c - relations found in text by pattern: see questions.h. Precision before recall: a fact
 * that is missed costs nothing, a wrong one becomes a wrong question. */
#include "retriever/text/sentence.h"
#include "trainer/questions.h"
#include <string.h>
#include <strings.h>

const tn_relation tn_relations[] = {
    {"founded by", "Who founded %s?", "the founder of %s", "was founded by", TN_KIND_PERSON},
    {"established by", "Who established %s?", "the founder of %s", "was established by",
     TN_KIND_PERSON},
    {"created by", "Who created %s?", "the creator of %s", "was created by", TN_KIND_PERSON},
    {"written by", "Who wrote %s?", "the author of %s", "was written by", TN_KIND_PERSON},
    {"directed by", "Who directed %s?", "the director of %s", "was directed by", TN_KIND_PERSON},
    {"produced by", "Who produced %s?", "the producer of %s", "was produced by", TN_KIND_PERSON},
    {"composed by", "Who composed %s?", "the composer of %s", "was composed by", TN_KIND_PERSON},
    {"designed by", "Who designed %s?", "the designer of %s", "was designed by", TN_KIND_PERSON},
    {"built by", "Who built %s?", "the builder of %s", "was built by", TN_KIND_PERSON},
    {"discovered by", "Who discovered %s?", "the discoverer of %s", "was discovered by",
     TN_KIND_PERSON},
    {"invented by", "Who invented %s?", "the inventor of %s", "was invented by", TN_KIND_PERSON},
    {"painted by", "Who painted %s?", "the painter of %s", "was painted by", TN_KIND_PERSON},
    {"recorded by", "Who recorded %s?", "the performer of %s", "was recorded by", TN_KIND_PERSON},
    {"performed by", "Who performed %s?", "the performer of %s", "was performed by",
     TN_KIND_PERSON},
    {"led by", "Who led %s?", "the leader of %s", "was led by", TN_KIND_PERSON},
    {"commanded by", "Who commanded %s?", "the commander of %s", "was commanded by",
     TN_KIND_PERSON},
    {"edited by", "Who edited %s?", "the editor of %s", "was edited by", TN_KIND_PERSON},
    {"published by", "Who published %s?", "the publisher of %s", "was published by", TN_KIND_THING},
    {"owned by", "Who owns or owned %s?", "the owner of %s", "was owned by", TN_KIND_THING},
    {"operated by", "Who operates or operated %s?", "the operator of %s", "was operated by",
     TN_KIND_THING},
    {"manufactured by", "Who manufactured %s?", "the manufacturer of %s", "was manufactured by",
     TN_KIND_THING},
    {"developed by", "Who developed %s?", "the developer of %s", "was developed by", TN_KIND_THING},
    {"starring", "Who starred in %s?", "the star of %s", NULL, TN_KIND_PERSON},
    {"married to", "Who was %s married to?", "the spouse of %s", "was married to", TN_KIND_PERSON},
    {"named after", "Who or what was %s named after?", "the namesake of %s", "was named after",
     TN_KIND_THING},
    {"born in", "Where was %s born?", "the birthplace of %s", "was born in", TN_KIND_PLACE},
    {"born at", "Where was %s born?", "the birthplace of %s", "was born at", TN_KIND_PLACE},
    {"raised in", "Where was %s raised?", "the place where %s was raised", "was raised in",
     TN_KIND_PLACE},
    {"died in", "Where did %s die?", "the place where %s died", "died in", TN_KIND_PLACE},
    {"buried in", "Where was %s buried?", "the burial place of %s", "was buried in", TN_KIND_PLACE},
    {"located in", "Where is %s located?", "the place where %s is located", "is located in",
     TN_KIND_PLACE},
    {"situated in", "Where is %s situated?", "the place where %s is situated", "is situated in",
     TN_KIND_PLACE},
    {"headquartered in", "Where is %s headquartered?", "the place where %s is headquartered",
     "is headquartered in", TN_KIND_PLACE},
    {"based in", "Where is %s based?", "the place where %s is based", "is based in", TN_KIND_PLACE},
    {"held in", "Where was %s held?", "the place where %s was held", "was held in", TN_KIND_PLACE},
    {"educated at", "Where was %s educated?", "the school that educated %s", "was educated at",
     TN_KIND_THING},
    {"capital of", "What is %s the capital of?", "the place whose capital is %s",
     "is the capital of", TN_KIND_PLACE},
    {"captain of", "What was %s captain of?", "what %s was captain of", "was captain of",
     TN_KIND_THING},
    {"member of", "What was %s a member of?", "the group %s belonged to", "was a member of",
     TN_KIND_THING},
};
const size_t tn_n_relations = sizeof tn_relations / sizeof *tn_relations;

/* --- words ------------------------------------------------------------------------------------ */

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80);
}

static bool is_upper(const char *s) {
    if (*s >= 'A' && *s <= 'Z') return true;
    /* U+00C0..U+00DE and the even letters of Latin Extended-A: enough for names */
    if ((unsigned char)s[0] == 0xC3) return (unsigned char)s[1] <= 0x9E;
    if ((unsigned char)s[0] == 0xC4 || (unsigned char)s[0] == 0xC5) return !(s[1] & 1);
    return false;
}

static size_t word_end(const char *s, size_t len, size_t i) {
    while (i < len && (is_letter(s[i]) || (s[i] >= '0' && s[i] <= '9') ||
                       ((s[i] == '\'' || s[i] == '-') && i + 1 < len && is_letter(s[i + 1]))))
        i++;
    return i;
}

static bool word_in(const char *s, size_t len, const char *const *list) {
    for (; *list; list++)
        if (strlen(*list) == len && strncasecmp(s, *list, len) == 0) return true;
    return false;
}

static const char *const pronouns[] = {"he", "she", "it", "they", NULL};
static const char *const articles[] = {"a", "an", "the", NULL};

/* --- is the sentence about the title? --------------------------------------------------------- */

static size_t base_len(const char *title) {
    const char *paren = strstr(title, " (");
    return paren ? (size_t)(paren - title) : strlen(title);
}

/* Bytes of the subject at the start of the sentence: the title (an article may stand before it), a
 * last name that ends the title, or a pronoun. 0: it is about something else. */
static size_t subject_len(const char *title, const char *s, size_t len) {
    size_t n = base_len(title), skip = len > 4 && strncasecmp(s, "The ", 4) == 0 ? 4 : 0;
    if (n && len - skip > n && strncasecmp(s + skip, title, n) == 0 && !is_letter(s[skip + n]))
        return skip + n;
    size_t first = word_end(s, len, 0);
    if (word_in(s, first, pronouns)) return first;
    bool ends_title = first > 2 && first < n && title[n - first - 1] == ' ' &&
                      strncmp(s, title + n - first, first) == 0;
    return ends_title ? first : 0;
}

/* Words after which the phrase may be said of something else than the sentence's subject. */
static bool changes_subject(const char *s, size_t len) {
    static const char *const words[] = {"who", "which", "whose", "that",   "where",   "when",
                                        "but", "while", "after", "before", "because", "not",
                                        "and", "or",    "with",  "whom",   "by",      NULL};
    for (size_t i = 0; i < len;) {
        size_t end = word_end(s, len, i);
        if (end > i && word_in(s + i, end - i, words)) return true;
        if (s[i] == ';' || s[i] == ':') return true;
        i = end > i ? end : i + 1;
    }
    return false;
}

/* --- the object ------------------------------------------------------------------------------- */

/* The name that begins at s: capitalised words, "of", "the" and the like between them, also
 * initials and numbers; empty if none begins here. */
static tn_text name_at(const char *s, size_t len) {
    static const char *const joints[] = {"of",  "the", "de", "la", "van", "von",
                                         "der", "del", "du", "al", NULL};
    size_t i = 0, end = 0;
    if (len > 4 && strncmp(s, "the ", 4) == 0) i = 4;
    size_t begin = i;
    while (i < len) {
        size_t e = word_end(s, len, i);
        if (e == i) break;
        bool number = s[i] >= '0' && s[i] <= '9';
        if (is_upper(s + i) || (number && end > 0))
            end = e;
        else if (end == 0 || !word_in(s + i, e - i, joints))
            break;
        i = e;
        if (i < len && s[i] == '.' && e - begin >= 1 && is_upper(s + e - 1) &&
            (e < 2 || !is_letter(s[e - 2])))
            i++; /* an initial */
        if (i >= len || s[i] != ' ') break;
        i++;
    }
    return end > begin ? (tn_text){s + begin, end - begin} : (tn_text){"", 0};
}

/* "born in May 1950" names a time, not a place. */
static bool is_time(tn_text name) {
    static const char *const words[] = {
        "January", "February",  "March",   "April",    "May",      "June",   "July",
        "August",  "September", "October", "November", "December", "Monday", "Tuesday",
        "Spring",  "Summer",    "Autumn",  "Winter",   "Early",    "Late",   NULL};
    return word_in(name.s, word_end(name.s, name.len, 0), words);
}

/* The role between a phrase and a name: "written by the novelist Ada Quill" -> skip to "Ada". */
static size_t skip_role(const char *s, size_t len) {
    size_t i = 0, n_words = 0;
    while (i < len && n_words < 6) {
        size_t e = word_end(s, len, i);
        if (e == i || e >= len || s[e] != ' ') return 0;
        if (is_upper(s + i)) return n_words ? i : 0;
        static const char *const breaks[] = {"and", "or", "in", "at", "for", "with", "to", NULL};
        if (word_in(s + i, e - i, breaks)) return 0;
        i = e + 1;
        n_words++;
    }
    return 0;
}

/* "produced by American company Foo": a name before a common noun only describes it. */
static bool describes(const char *s, size_t len, tn_text name) {
    static const char *const after[] = {
        "in",  "on",    "at",      "and",     "or",    "for",   "from",  "with",
        "to",  "as",    "by",      "of",      "who",   "which", "that",  "is",
        "was", "since", "until",   "during",  "when",  "near",  "after", "before",
        "but", "under", "a",       "an",      "the",   "while", "where", "is",
        "are", "were",  "between", "against", "until", NULL};
    size_t i = (size_t)(name.s + name.len - s);
    if (i + 1 >= len || s[i] != ' ' || is_upper(s + i + 1) || !is_letter(s[i + 1])) return false;
    return !word_in(s + i + 1, word_end(s, len, i + 1) - i - 1, after);
}

static bool object_at(const char *s, size_t len, tn_kind_word kind, tn_text *out) {
    *out = name_at(s, len);
    if (out->len == 0 && kind == TN_KIND_PERSON) {
        size_t skip = skip_role(s, len);
        if (skip) *out = name_at(s + skip, len - skip);
    }
    return out->len > 2 && !is_time(*out) && !describes(s, len, *out);
}

/* --- facts ------------------------------------------------------------------------------------ */

/* "in Canberra, the capital of Australia": a noun after a comma may be said of the name before it.
 */
static bool is_apposition(const tn_relation *r, const char *s, size_t len) {
    size_t n = strlen(r->phrase);
    return strcmp(r->phrase + n - 3, " of") == 0 && memchr(s, ',', len);
}

static bool fact_in(const char *s, size_t len, size_t subject, uint32_t relation, tn_fact *out) {
    const tn_relation *r = &tn_relations[relation];
    size_t n = strlen(r->phrase);
    const char *at = s + subject;
    while ((at = memmem(at, (size_t)(s + len - at), r->phrase, n))) {
        size_t begin = (size_t)(at - s), after = begin + n;
        bool whole = at[-1] == ' ' && after < len && s[after] == ' ';
        if (whole && begin - subject < 160 && !changes_subject(s + subject, begin - subject) &&
            !is_apposition(r, s + subject, begin - subject) &&
            object_at(s + after + 1, len - after - 1, r->object, &out->object)) {
            out->relation = relation;
            return true;
        }
        at++;
    }
    return false;
}

/* Things are founded, written, published; "she ... published by" speaks of her book. */
static bool is_made(uint32_t relation) {
    const char *phrase = tn_relations[relation].phrase;
    size_t n = strlen(phrase);
    return n > 3 && strcmp(phrase + n - 3, " by") == 0;
}

size_t tn_facts_find(const char *title, const char *text, tn_fact *facts, size_t cap) {
    size_t n = 0, len = strlen(text), pos = 0;
    tn_span span;
    while (n < cap && tn_sentence_next(text, len, &pos, &span)) {
        const char *s = text + span.begin;
        size_t s_len = span.end - span.begin, subject = subject_len(title, s, s_len);
        bool person = subject && (strncmp(s, "He ", 3) == 0 || strncmp(s, "She ", 4) == 0);
        for (uint32_t r = 0; subject && r < tn_n_relations && n < cap; r++)
            if (!(person && is_made(r)) && fact_in(s, s_len, subject, r, &facts[n])) n++;
    }
    return n;
}

/* --- classes ---------------------------------------------------------------------------------- */

static bool ends_class(const char *s, size_t len) {
    static const char *const words[] = {
        "of",       "in",      "on",      "at",      "by",      "from",     "for",      "with",
        "to",       "near",    "that",    "which",   "who",     "whose",    "whom",     "and",
        "or",       "between", "located", "founded", "written", "directed", "based",    "born",
        "situated", "about",   "as",      "known",   "set",     "where",    "starring", "published",
        "released", "made",    "built",   "under",   "during",  NULL};
    return word_in(s, len, words);
}

/* "the first novel", "one of", "a member": true of many things or of none. */
static bool ranks(const char *s, size_t len) {
    static const char *const words[] = {
        "one",  "first", "second", "third",   "fourth", "fifth",  "sixth",     "last",  "next",
        "only", "most",  "best",   "largest", "name",   "term",   "list",      "title", "member",
        "main", "final", "former", "oldest",  "series", "season", "character", "word",  NULL};
    return word_in(s, len, words);
}

tn_text tn_class_find(const char *title, const char *text) {
    static const char *const verbs[] = {"is", "was", "are", "were", NULL};
    tn_span span;
    size_t pos = 0;
    tn_text none = {"", 0};
    if (!tn_sentence_next(text, strlen(text), &pos, &span)) return none;
    const char *s = text + span.begin;
    size_t len = span.end - span.begin, i = subject_len(title, s, len), n_words = 0;
    if (i == 0) return none;
    if (i + 2 < len && s[i] == ' ' && s[i + 1] == '(') { /* "(born 1950)" */
        const char *close = memchr(s + i, ')', len - i);
        if (!close) return none;
        i = (size_t)(close - s) + 1;
    }
    if (i >= len || s[i] != ' ') return none;
    size_t e = word_end(s, len, ++i);
    if (!word_in(s + i, e - i, verbs) || e >= len || s[e] != ' ') return none;
    i = e + 1;
    e = word_end(s, len, i);
    if (!word_in(s + i, e - i, articles) || e >= len || s[e] != ' ') return none;
    size_t begin = e + 1, end = begin, last = begin;
    for (i = begin; i < len && n_words < 5; n_words++) {
        e = word_end(s, len, i);
        if (e == i || (s[i] >= '0' && s[i] <= '9') || ends_class(s + i, e - i)) break;
        if (ranks(s + i, e - i)) return none;
        last = i;
        end = e;
        if (e >= len || s[e] != ' ') break;
        i = e + 1;
    }
    /* it must end in a common noun: a capital there is a name */
    if (end == begin || n_words == 5 || end - last < 3 || is_upper(s + last)) return none;
    bool adverb = end - last > 4 && memcmp(s + end - 2, "ly", 2) == 0;
    bool participle = end - last > 4 && memcmp(s + end - 2, "ed", 2) == 0;
    return adverb || participle ? none : (tn_text){s + begin, end - begin};
}

/* sentence.c - see sentence.h. Rules, no model: a full stop is ambiguous only after a short list of
 * words, and then the word that follows decides. Wrong cuts cost little (a passage or a citation is
 * a sentence longer or shorter), so the lists stay short enough to read. */
#include "retriever/text/sentence.h"
#include "core/base/text.h"
#include <string.h>
#include <utf8proc.h>

#include "core/base/mem.h"

/* Never the last word of a sentence: something always follows. */
static const char *const titles[] = {
    "mr",  "mrs", "ms",  "mx",   "dr",  "prof", "rev", "hon",  "gen",  "col",    "maj",  "capt",
    "cpt", "lt",  "sgt", "adm",  "sen", "rep",  "gov", "pres", "supt", "st",     "mt",   "ft",
    "vs",  "cf",  "ca",  "viz",  "eg",  "ie",   "e.g", "i.e",  "fig",  "figs",   "eq",   "eqs",
    "sec", "ch",  "vol", "vols", "no",  "nos",  "pp",  "ed",   "eds",  "approx", "resp",
};
/* Sometimes the last word: only a usual first word after it makes an end. */
static const char *const shortened[] = {
    "inc", "ltd", "co",  "corp", "bros", "jr",  "sr",  "esq", "dept", "univ", "assn", "al",
    "est", "etc", "jan", "feb",  "mar",  "apr", "jun", "jul", "aug",  "sep",  "sept", "oct",
    "nov", "dec", "mon", "tue",  "wed",  "thu", "fri", "sat", "sun",  "ave",  "blvd", "rd",
};
static const char *const starters[] = {
    "the",   "a",     "an",    "he",    "she",    "it",  "they", "we",      "i",        "you",
    "his",   "her",   "its",   "their", "our",    "my",  "this", "that",    "these",    "those",
    "there", "in",    "on",    "at",    "after",  "as",  "by",   "for",     "from",     "if",
    "when",  "while", "since", "with",  "during", "and", "but",  "however", "although", "also",
    "both",  "some",  "many",  "most",  "no",     "to",  "what", "where",   "who",      "why",
};

/* Is the word, lower-cased and without a final stop, in the list? */
static bool in_list(const char *word, size_t n, const char *const *list, size_t n_list) {
    char low[16];
    if (n == 0 || n >= sizeof low) return false;
    for (size_t i = 0; i < n; i++)
        low[i] = (char)(word[i] >= 'A' && word[i] <= 'Z' ? word[i] + 32 : word[i]);
    low[n] = '\0';
    for (size_t i = 0; i < n_list; i++)
        if (strcmp(low, list[i]) == 0) return true;
    return false;
}
#define IN_LIST(word, n, list) in_list(word, n, list, sizeof(list) / sizeof *(list))

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}
static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

/* Decode, taking an ill-formed byte for a letter of its own. */
static size_t next_cp(const char *s, size_t n, uint32_t *cp) {
    size_t k = tn_utf8_decode(s, n, cp);
    if (k) return k;
    *cp = 'x';
    return 1;
}

typedef enum stop_kind {
    NO_STOP,
    DOT,       /* ambiguous */
    STOP,      /* ends a sentence before white space */
    FULL_STOP, /* ends a sentence wherever it stands: scripts written without spaces */
} stop_kind;

static stop_kind stop_of(uint32_t cp) {
    switch (cp) {
    case '.':
        return DOT;
    case '!':
    case '?':
    case 0x2026: /* ellipsis */
    case 0x203C: /* double exclamation */
    case 0x061F: /* Arabic question mark */
    case 0x06D4: /* Urdu full stop */
    case 0x0964: /* danda */
    case 0x0965:
        return STOP;
    case 0x3002: /* ideographic full stop */
    case 0xFF01:
    case 0xFF0E:
    case 0xFF1F:
    case 0xFF61:
        return FULL_STOP;
    default:
        return NO_STOP;
    }
}

static bool is_closer(uint32_t cp) {
    if (cp < 0x80)
        return cp == '"' || cp == '\'' || cp == ')' || cp == ']' || cp == '}' || cp == '*';
    utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)cp);
    return c == UTF8PROC_CATEGORY_PE || c == UTF8PROC_CATEGORY_PF || cp == 0x201C;
}

/* Does an empty line follow at i (i stands on white space)? */
static bool empty_line_at(const char *s, size_t len, size_t i) {
    int n_newlines = 0;
    for (; i < len && is_space(s[i]); i++) n_newlines += s[i] == '\n';
    return n_newlines >= 2;
}

/* May the text at i (behind the white space) open a sentence? */
static bool opens_sentence(const char *s, size_t len, size_t i) {
    while (i < len && (s[i] == '"' || s[i] == '\'' || s[i] == '(' || s[i] == '[' || s[i] == '*'))
        i++;
    if (i == len) return true;
    uint32_t cp;
    next_cp(s + i, len - i, &cp);
    if (cp < 0x80) return !(cp >= 'a' && cp <= 'z') && !strchr(",;:)]}%", (int)cp);
    return utf8proc_category((utf8proc_int32_t)cp) != UTF8PROC_CATEGORY_LL;
}

static bool starter_at(const char *s, size_t len, size_t i) {
    while (i < len && (s[i] == '"' || s[i] == '\'' || s[i] == '(' || s[i] == '[')) i++;
    size_t end = i;
    while (end < len && is_letter(s[end])) end++;
    return IN_LIST(s + i, end - i, starters);
}

/* Does the dot at `dot` end the sentence that began at `begin`, given that the text goes on at
 * `next` with something that may open a sentence? */
static bool dot_ends(const char *s, size_t len, size_t begin, size_t dot, size_t next) {
    size_t w = dot;
    while (w > begin && (is_letter(s[w - 1]) || is_digit(s[w - 1]) || s[w - 1] == '.')) w--;
    size_t n = dot - w;
    if (n == 0) return true;            /* after a bracket or a quote */
    if (s[dot - 1] == '.') return true; /* an ellipsis */
    bool label = w == begin && n <= 3;  /* "1." or "a." before an item */
    for (size_t i = w; label && i < dot; i++) label = is_digit(s[i]) || n == 1;
    if (label) return false;
    if (IN_LIST(s + w, n, titles)) {
        /* "No." is a title only before a number. */
        bool no = n == 2 && (s[w] == 'N' || s[w] == 'n') && s[w + 1] == 'o';
        return no && next < len && !is_digit(s[next]);
    }
    bool initial = n == 1 && s[w] >= 'A' && s[w] <= 'Z';
    bool dotted = memchr(s + w, '.', n) && !is_digit(s[w]); /* U.S., a.m., Ph.D. */
    if (initial || dotted || IN_LIST(s + w, n, shortened)) return starter_at(s, len, next);
    return true;
}

bool tn_sentence_next(const char *s, size_t len, size_t *pos, tn_span *out) {
    size_t i = *pos;
    while (i < len && is_space(s[i])) i++;
    if (i >= len) {
        *pos = len;
        return false;
    }
    size_t begin = i, end = len;
    while (i < len) {
        if (s[i] == '\n' && empty_line_at(s, len, i)) {
            end = i;
            break;
        }
        uint32_t cp;
        size_t k = next_cp(s + i, len - i, &cp);
        stop_kind kind = stop_of(cp);
        if (kind == NO_STOP) {
            i += k;
            continue;
        }
        size_t dot = i; /* the last stop of a run decides: "?!", "..." */
        for (; i < len; i += k) {
            k = next_cp(s + i, len - i, &cp);
            stop_kind more = stop_of(cp);
            if (more == NO_STOP) break;
            if (more > kind) kind = more;
            dot = i;
        }
        for (; i < len; i += k) {
            k = next_cp(s + i, len - i, &cp);
            if (!is_closer(cp)) break;
        }
        if (kind == FULL_STOP || i == len) {
            end = i;
            break;
        }
        if (!is_space(s[i])) continue;
        size_t next = i;
        while (next < len && is_space(s[next])) next++;
        bool ends =
            next == len || empty_line_at(s, len, i) ||
            (opens_sentence(s, len, next) && (kind != DOT || dot_ends(s, len, begin, dot, next)));
        if (ends) {
            end = i;
            break;
        }
    }
    *pos = end;
    while (end > begin && is_space(s[end - 1])) end--;
    *out = (tn_span){begin, end};
    return true;
}

size_t tn_sentences(const char *text, size_t len, tn_span *out, size_t cap) {
    size_t n = 0, pos = 0;
    for (tn_span s; tn_sentence_next(text, len, &pos, &s); n++)
        if (n < cap) out[n] = s;
    return n;
}

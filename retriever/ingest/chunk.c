/* chunk.c - see chunk.h. Sections are grouped first; a group within the limit is one passage, and
 * only a section beyond it is broken into atoms (sentences, lines, pieces of monsters), which are
 * packed with overlap. */
#include "retriever/ingest/chunk.h"
#include "core/base/buf.h"
#include "core/base/text.h"
#include "retriever/text/sentence.h"
#include <string.h>

#include "core/base/mem.h"

enum { RUN_BYTES = 32, LEVELS = 6 };

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Scripts written without spaces between words: radicals, kana, ideographs, half-width kana. */
static bool is_cjk(uint32_t cp) {
    return (cp >= 0x2E80 && cp <= 0x9FFF) || (cp >= 0xF900 && cp <= 0xFAFF) ||
           (cp >= 0xFF66 && cp <= 0xFF9F) || (cp >= 0x20000 && cp <= 0x3FFFF);
}

/* The countable piece at or after *pos: a CJK character, or at most RUN_BYTES of a run of others.
 * Returns its half words, 0 at the end; *pos moves behind it. */
static unsigned next_piece(const char *s, size_t len, size_t *pos) {
    size_t i = *pos;
    while (i < len && is_space(s[i])) i++;
    size_t begin = i;
    while (i < len) {
        unsigned char c = (unsigned char)s[i];
        if (c > ' ' && c < 0x80) {
            if (i - begin == RUN_BYTES) break;
            i++;
            continue;
        }
        if (is_space(s[i])) break;
        uint32_t cp = 0;
        size_t k = tn_utf8_decode(s + i, len - i, &cp);
        if (k > 1 && is_cjk(cp)) {
            if (i > begin) break;
            *pos = i + k;
            return 1;
        }
        if (k == 0) k = 1;
        if (i > begin && i + k - begin > RUN_BYTES) break;
        i += k;
    }
    *pos = i;
    return i > begin ? 2 : 0;
}

uint64_t tn_half_words(const char *text, size_t len) {
    uint64_t n = 0;
    size_t pos = 0;
    for (unsigned k; (k = next_piece(text, len, &pos));) n += k;
    return n;
}

size_t tn_half_words_prefix(const char *text, size_t len, uint64_t n, uint64_t *cost) {
    size_t pos = 0, cut = 0, word_end = 0;
    uint64_t used = 0, used_at_word_end = 0;
    for (unsigned k; (k = next_piece(text, len, &pos));) {
        if (used + k > n && cut > 0) {
            *cost = word_end ? used_at_word_end : used;
            return word_end ? word_end : cut;
        }
        used += k;
        cut = pos;
        if (k == 2 && pos < len && !is_space(text[pos])) continue; /* inside a long run */
        word_end = pos;
        used_at_word_end = used;
    }
    *cost = used;
    return len;
}

void tn_block_list_add(tn_block_list *l, tn_block b) {
    if (l->n == TN_BLOCKS_MAX) {
        tn_block *last = &l->v[l->n - 1];
        last->end = b.end;
        last->kind = TN_BLOCK_LINES;
    } else if (l->failed || TN_GROW(l->v, l->cap, l->n + 1) != 0) {
        l->failed = true;
    } else {
        l->v[l->n++] = b;
    }
}

typedef struct atom {
    size_t begin, end;
    uint64_t cost;
    bool opens_block;
    bool is_line; /* of a list, table or code */
} atom;

typedef struct section {
    size_t begin, end;   /* of its own text, without its heading; begin == end: none */
    size_t heading;      /* block number; SIZE_MAX before the first heading */
    size_t first, last;  /* blocks [first, last) of its text */
    size_t path[LEVELS]; /* headings down to it, block numbers */
    unsigned depth;
    uint64_t cost, heading_cost;
} section;

typedef struct cutter {
    const char *text;
    const tn_block *blocks;
    const char *title;
    size_t title_len;
    uint64_t limit, overlap; /* half words */
    tn_arena *arena;
    section *sections;
    size_t n_sections, sections_cap;
    atom *atoms;
    size_t n_atoms, atoms_cap;
    tn_cut *cuts;
    size_t n_cuts, cuts_cap;
} cutter;

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
}

static tern_status add_cut(cutter *c, size_t begin, size_t end, const char *where,
                           tern_error *err) {
    while (begin < end && is_space(c->text[begin])) begin++;
    while (end > begin && is_space(c->text[end - 1])) end--;
    if (begin == end) return TERN_OK;
    if (TN_GROW(c->cuts, c->cuts_cap, c->n_cuts + 1) != 0) return no_memory(err);
    c->cuts[c->n_cuts++] = (tn_cut){begin, end, where};
    return TERN_OK;
}

/* The headings of path[0, depth) in one line. NULL: no memory. */
static const char *path_text(const cutter *c, const size_t *path, unsigned depth) {
    tn_buf b = {0};
    for (unsigned i = 0; i < depth; i++) {
        const tn_block *h = &c->blocks[path[i]];
        size_t n = h->title_end - h->title_begin;
        const char *words = c->text + h->title_begin;
        if (n == 0 || (i == 0 && n == c->title_len && memcmp(words, c->title, n) == 0)) continue;
        if (b.len) tn_buf_str(&b, " > ");
        tn_buf_add(&b, words, n);
    }
    char *copy = b.failed ? NULL : tn_arena_strndup(c->arena, b.data ? b.data : "", b.len);
    tn_buf_deinit(&b);
    return copy;
}

/* ---- sections ---- */

static tern_status build_sections(cutter *c, size_t n_blocks, tern_error *err) {
    section now = {.heading = SIZE_MAX};
    size_t path[LEVELS];
    unsigned depth = 0;
    for (size_t i = 0; i <= n_blocks; i++) {
        const tn_block *b = i < n_blocks ? &c->blocks[i] : NULL;
        if (b && b->kind != TN_BLOCK_HEADING) {
            if (now.first == now.last) {
                now.first = i;
                now.begin = b->begin;
            }
            now.last = i + 1;
            now.end = b->end;
            now.cost += tn_half_words(c->text + b->begin, b->end - b->begin);
            continue;
        }
        bool has_child = b && now.heading != SIZE_MAX && b->level > c->blocks[now.heading].level;
        if (now.first == now.last && now.heading != SIZE_MAX && !has_child) {
            /* A heading alone is text: nothing else would show it. */
            now.first = now.heading;
            now.last = now.first + 1;
            now.begin = c->blocks[now.first].begin;
            now.end = c->blocks[now.first].end;
            now.cost = now.heading_cost;
            now.heading_cost = 0;
        }
        if (now.first < now.last) {
            if (TN_GROW(c->sections, c->sections_cap, c->n_sections + 1) != 0)
                return no_memory(err);
            c->sections[c->n_sections++] = now;
        }
        if (!b) break;
        while (depth && c->blocks[path[depth - 1]].level >= b->level) depth--;
        if (depth == LEVELS) depth--; /* cannot be: levels are 1 .. 6 and ascend */
        path[depth++] = i;
        now = (section){.heading = i,
                        .depth = depth,
                        .heading_cost = tn_half_words(c->text + b->begin, b->end - b->begin)};
        memcpy(now.path, path, depth * sizeof *path);
    }
    return TERN_OK;
}

/* How many headings, from the top, two sections share, of the first `depth` of a. */
static unsigned shared_depth(const section *a, unsigned depth, const section *b) {
    unsigned d = 0;
    while (d < depth && d < b->depth && a->path[d] == b->path[d]) d++;
    return d;
}

/* ---- a section beyond the limit ---- */

static tern_status add_atom(cutter *c, size_t begin, size_t end, bool opens_block, bool is_line,
                            tern_error *err) {
    /* What does not fit by itself is cut into pieces that do. */
    while (begin < end) {
        uint64_t cost;
        size_t n = tn_half_words_prefix(c->text + begin, end - begin, c->limit, &cost);
        if (TN_GROW(c->atoms, c->atoms_cap, c->n_atoms + 1) != 0) return no_memory(err);
        c->atoms[c->n_atoms++] = (atom){begin, begin + n, cost, opens_block, is_line};
        opens_block = false;
        begin += n;
        while (begin < end && is_space(c->text[begin])) begin++;
    }
    return TERN_OK;
}

static tern_status add_block_atoms(cutter *c, const tn_block *b, tern_error *err) {
    bool opens = true;
    tern_status st = TERN_OK;
    if (b->kind == TN_BLOCK_PROSE) {
        size_t pos = 0;
        for (tn_span s;
             st == TERN_OK && tn_sentence_next(c->text + b->begin, b->end - b->begin, &pos, &s);
             opens = false)
            st = add_atom(c, b->begin + s.begin, b->begin + s.end, opens, false, err);
        return st;
    }
    for (size_t i = b->begin; st == TERN_OK && i < b->end;) {
        const char *nl = memchr(c->text + i, '\n', b->end - i);
        size_t end = nl ? (size_t)(nl - c->text) : b->end;
        size_t begin = i;
        while (begin < end && is_space(c->text[begin])) begin++;
        if (begin < end) {
            st = add_atom(c, i, end, opens, true, err);
            opens = false;
        }
        i = end + 1;
    }
    return st;
}

/* Where the overlap with a passage of atoms [first, cut) begins, at most `room` half words before
 * its end: at an atom if one fits, else at a word of a sentence. *cost is what it takes. */
static size_t overlap_begin(const cutter *c, size_t first, size_t cut, uint64_t room,
                            uint64_t *cost) {
    size_t t = cut;
    *cost = 0;
    while (t > first + 1 && *cost + c->atoms[t - 1].cost <= room) *cost += c->atoms[--t].cost;
    if (t < cut) return c->atoms[t].begin;
    const atom *a = &c->atoms[cut - 1];
    if (room < 2 || a->cost <= room || a->is_line) return a->end;
    size_t skip = tn_half_words_prefix(c->text + a->begin, a->end - a->begin, a->cost - room, cost);
    size_t begin = a->begin + skip;
    *cost = tn_half_words(c->text + begin, a->end - begin);
    if (*cost <= room) return begin;
    *cost = 0; /* the cut fell behind a long word: too much is left */
    return a->end;
}

static tern_status pack_section(cutter *c, const section *s, tern_error *err) {
    const char *where = path_text(c, s->path, s->depth);
    if (!where) return no_memory(err);
    tern_status st = TERN_OK;
    c->n_atoms = 0;
    for (size_t i = s->first; st == TERN_OK && i < s->last; i++)
        st = add_block_atoms(c, &c->blocks[i], err);
    size_t i = 0;                                      /* first atom not in a passage yet */
    size_t begin = c->n_atoms ? c->atoms[0].begin : 0; /* of the passage, overlap included */
    uint64_t cost = 0;                                 /* of the overlap */
    while (st == TERN_OK && i < c->n_atoms) {
        size_t j = i;
        size_t paragraph = 0; /* the last paragraph boundary in the second half */
        for (; j < c->n_atoms && cost + c->atoms[j].cost <= c->limit; cost += c->atoms[j++].cost)
            if (j > i && c->atoms[j].opens_block && cost * 2 >= c->limit) paragraph = j;
        if (j == i) j++; /* cannot be: an atom fits the limit, and the overlap leaves room */
        bool at_paragraph = paragraph && j < c->n_atoms && !c->atoms[j].opens_block;
        size_t cut = at_paragraph ? paragraph : j;
        st = add_cut(c, begin, c->atoms[cut - 1].end, where, err);
        if (cut == c->n_atoms) break;
        uint64_t room = c->limit - c->atoms[cut].cost;
        begin = overlap_begin(c, i, cut, room < c->overlap ? room : c->overlap, &cost);
        if (cost == 0) begin = c->atoms[cut].begin;
        i = cut;
    }
    return st;
}

/* Join sections from `i` on while they fit and belong together. Returns the one after the last. */
static tern_status cut_group(cutter *c, size_t i, size_t *next, tern_error *err) {
    const section *s = &c->sections[i];
    *next = i + 1;
    if (s->cost > c->limit) return pack_section(c, s, err);
    unsigned depth = s->depth;
    uint64_t total = s->cost + s->heading_cost;
    for (; *next < c->n_sections; (*next)++) {
        const section *t = &c->sections[*next];
        unsigned d = shared_depth(s, depth, t);
        if (total + t->cost + t->heading_cost > c->limit || d + 1 < s->depth) break;
        total += t->cost + t->heading_cost;
        depth = d;
    }
    const char *where = path_text(c, s->path, depth);
    if (!where) return no_memory(err);
    bool own_heading = depth < s->depth; /* no longer in the path: it opens the passage */
    return add_cut(c, own_heading ? c->blocks[s->heading].begin : s->begin,
                   c->sections[*next - 1].end, where, err);
}

tern_status tn_chunk_cut(const char *text, const tn_block *blocks, size_t n_blocks,
                         const char *title, size_t title_len, uint32_t limit, uint32_t overlap,
                         tn_arena *arena, tn_cut **out, size_t *n_out, tern_error *err) {
    *out = NULL;
    *n_out = 0;
    if (limit == 0) limit = 1;
    if (overlap > limit / 2) overlap = limit / 2;
    cutter c = {.text = text,
                .blocks = blocks,
                .title = title,
                .title_len = title_len,
                .limit = 2 * (uint64_t)limit,
                .overlap = 2 * (uint64_t)overlap,
                .arena = arena};
    tern_status st = build_sections(&c, n_blocks, err);
    for (size_t i = 0; st == TERN_OK && i < c.n_sections;) st = cut_group(&c, i, &i, err);
    if (st == TERN_OK && c.n_cuts) {
        *out = tn_arena_alloc(arena, c.n_cuts * sizeof **out);
        if (*out)
            memcpy(*out, c.cuts, c.n_cuts * sizeof **out);
        else
            st = no_memory(err);
        *n_out = st == TERN_OK ? c.n_cuts : 0;
    }
    tn_free(c.sections);
    tn_free(c.atoms);
    tn_free(c.cuts);
    return st;
}

/* chars.h - what a character is, as tokenizers ask it: Unicode general categories (utf8proc) folded
 * into a byte of bits. The table of the Basic Multilingual Plane is made once per process. */
#ifndef TN_TOK_CHARS_H
#define TN_TOK_CHARS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TN_CH_LETTER = 1,  /* \p{L} */
    TN_CH_NUMBER = 2,  /* \p{N} */
    TN_CH_SPACE = 4,   /* \s: the property White_Space */
    TN_CH_NEWLINE = 8, /* \r and \n alone; they are TN_CH_SPACE too */
    TN_CH_MARK = 16,   /* \p{Mn}: what stripping accents removes */
    TN_CH_PUNCT = 32,  /* ASCII punctuation and symbols, or \p{P} */
    TN_CH_OTHER = 64,  /* Cc, Cf, Co */
    TN_CH_WORD = 128   /* \w: alphabetic, mark, decimal number, connector, joiner */
};

void tn_chars_init(void); /* before the first tn_char_class of the process; cheap to repeat */
extern uint8_t tn_chars_bmp[0x10000];
uint8_t tn_char_class_slow(uint32_t cp); /* any code point, no table */
static inline uint8_t tn_char_class(uint32_t cp) {
    return cp < 0x10000 ? tn_chars_bmp[cp] : tn_char_class_slow(cp);
}

/* Decode one character; a byte that begins no well-formed one counts as itself: cp is
 * TN_CHAR_INVALID, whose class is 0, and the length 1. n >= 1. */
#define TN_CHAR_INVALID 0x110000u
size_t tn_char_next_slow(const char *s, size_t n, uint32_t *cp);
static inline size_t tn_char_next(const char *s, size_t n, uint32_t *cp) {
    if ((unsigned char)*s < 0x80) {
        *cp = (unsigned char)*s;
        return 1;
    }
    return tn_char_next_slow(s, n, cp);
}
size_t tn_char_last(const char *s, size_t n, uint32_t *cp); /* the character that ends at s + n */

bool tn_char_is_cjk(uint32_t cp); /* the ideographs that BERT sets apart */
bool tn_bytes_ascii(const char *s, size_t n);

#endif

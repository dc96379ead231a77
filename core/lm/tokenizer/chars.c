/* chars.c - see chars.h. */
#include "core/lm/tokenizer/chars.h"
#include "core/base/text.h"
#include <pthread.h>
#include <utf8proc.h>

uint8_t tn_chars_bmp[0x10000];

static bool is_space(uint32_t cp) {
    return (cp >= 0x09 && cp <= 0x0D) || cp == 0x20 || cp == 0x85 || cp == 0xA0 || cp == 0x1680 ||
           (cp >= 0x2000 && cp <= 0x200A) || cp == 0x2028 || cp == 0x2029 || cp == 0x202F ||
           cp == 0x205F || cp == 0x3000;
}

/* Symbols with the property Alphabetic: circled, squared and negative Latin letters. */
static bool is_letter_symbol(uint32_t cp) {
    return (cp >= 0x24B6 && cp <= 0x24E9) || (cp >= 0x1F130 && cp <= 0x1F149) ||
           (cp >= 0x1F150 && cp <= 0x1F169) || (cp >= 0x1F170 && cp <= 0x1F189);
}

static uint8_t category_bits(uint32_t cp) {
    switch (utf8proc_category((utf8proc_int32_t)cp)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return TN_CH_LETTER | TN_CH_WORD;
    case UTF8PROC_CATEGORY_MN:
        return TN_CH_MARK | TN_CH_WORD;
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        return TN_CH_WORD;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
        return TN_CH_NUMBER | TN_CH_WORD;
    case UTF8PROC_CATEGORY_NO:
        return TN_CH_NUMBER;
    case UTF8PROC_CATEGORY_PC:
        return TN_CH_PUNCT | TN_CH_WORD;
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
        return TN_CH_PUNCT;
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CO:
        return TN_CH_OTHER;
    default:
        return 0;
    }
}

uint8_t tn_char_class_slow(uint32_t cp) {
    if (cp > 0x10FFFF) return 0;
    unsigned bits = category_bits(cp);
    if (is_space(cp)) bits |= TN_CH_SPACE;
    if (cp == '\r' || cp == '\n') bits |= TN_CH_NEWLINE;
    if (cp > 0x20 && cp < 0x7F && !(bits & TN_CH_WORD)) bits |= TN_CH_PUNCT;
    if (is_letter_symbol(cp) || cp == 0x200C || cp == 0x200D) bits |= TN_CH_WORD;
    return (uint8_t)bits;
}

static void fill_bmp(void) {
    for (uint32_t cp = 0; cp < 0x10000; cp++) tn_chars_bmp[cp] = tn_char_class_slow(cp);
}

void tn_chars_init(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill_bmp);
}

size_t tn_char_next_slow(const char *s, size_t n, uint32_t *cp) {
    size_t len = tn_utf8_decode(s, n, cp);
    if (len) return len;
    *cp = TN_CHAR_INVALID;
    return 1;
}

size_t tn_char_last(const char *s, size_t n, uint32_t *cp) {
    for (size_t len = 1; len <= 4 && len <= n; len++) {
        if (((unsigned char)s[n - len] & 0xC0) == 0x80) continue;
        if (tn_utf8_decode(s + n - len, len, cp) == len) return len;
        break;
    }
    *cp = TN_CHAR_INVALID;
    return 1;
}

bool tn_char_is_cjk(uint32_t cp) {
    return (cp >= 0x4E00 && cp <= 0x9FFF) || (cp >= 0x3400 && cp <= 0x4DBF) ||
           (cp >= 0x20000 && cp <= 0x2A6DF) || (cp >= 0x2A700 && cp <= 0x2B73F) ||
           (cp >= 0x2B740 && cp <= 0x2B81F) || (cp >= 0x2B920 && cp <= 0x2CEAF) ||
           (cp >= 0xF900 && cp <= 0xFAFF) || (cp >= 0x2F800 && cp <= 0x2FA1F);
}

bool tn_bytes_ascii(const char *s, size_t n) {
    unsigned char any = 0;
    for (size_t i = 0; i < n; i++) any |= (unsigned char)s[i];
    return any < 0x80;
}

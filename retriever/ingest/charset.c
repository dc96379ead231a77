/* charset.c - see charset.h. Conversion is iconv's; only encodings of the web, named in the table,
 * reach it, so that a page cannot ask for an odd one. */
#include "retriever/ingest/charset.h"
#include "core/base/text.h"
#include <errno.h>
#include <iconv.h>
#include <string.h>

#include "core/base/mem.h"

enum { DECLARED_WITHIN = 4096 }; /* bytes of the page */

/* What pages say and what they mean (the WHATWG encoding standard); line ends are 0x0A in each. */
static const char *const charsets[][2] = {
    {"windows-1252", "CP1252"},   {"iso-8859-1", "CP1252"},       {"latin1", "CP1252"},
    {"us-ascii", "CP1252"},       {"iso-8859-2", "ISO-8859-2"},   {"iso-8859-5", "ISO-8859-5"},
    {"iso-8859-7", "ISO-8859-7"}, {"iso-8859-9", "CP1254"},       {"iso-8859-15", "ISO-8859-15"},
    {"windows-1250", "CP1250"},   {"windows-1251", "CP1251"},     {"windows-1253", "CP1253"},
    {"windows-1254", "CP1254"},   {"windows-1255", "CP1255"},     {"windows-1256", "CP1256"},
    {"windows-1257", "CP1257"},   {"windows-1258", "CP1258"},     {"koi8-r", "KOI8-R"},
    {"koi8-u", "KOI8-U"},         {"gb2312", "GB18030"},          {"gbk", "GB18030"},
    {"gb18030", "GB18030"},       {"big5", "BIG5-HKSCS"},         {"shift_jis", "CP932"},
    {"euc-jp", "EUC-JP"},         {"iso-2022-jp", "ISO-2022-JP"}, {"euc-kr", "CP949"},
    {"tis-620", "TIS-620"},
};

/* The value of the first "charset=" near the top, as iconv knows it; NULL: none, or UTF-8. */
static const char *declared(const char *s, size_t n) {
    if (n > DECLARED_WITHIN) n = DECLARED_WITHIN;
    for (size_t i = 0; i + 8 < n; i++) {
        if (strncasecmp(s + i, "charset", 7) != 0) continue;
        size_t k = i + 7;
        while (k < n && (s[k] == ' ' || s[k] == '=' || s[k] == '"' || s[k] == '\'')) k++;
        for (size_t c = 0; c < sizeof charsets / sizeof *charsets; c++) {
            size_t len = strlen(charsets[c][0]);
            bool same = k + len < n && strncasecmp(s + k, charsets[c][0], len) == 0;
            if (same && strchr("\"' />;\t\r\n", s[k + len])) return charsets[c][1];
        }
        return NULL;
    }
    return NULL;
}

/* Append the conversion of in[0, n) to out; false: this system does not know the encoding. */
static bool convert(char *in, size_t n, const char *charset, tn_buf *out, bool *replaced) {
    iconv_t cd = iconv_open("UTF-8", charset);
    if (cd == (iconv_t)-1) return false; /* NOLINT(performance-no-int-to-ptr): POSIX says so */
    while (n > 0 && !out->failed) {
        tn_buf_reserve(out, n + n / 2 + 16);
        if (out->failed) break;
        char *to = out->data + out->len;
        size_t room = out->cap - out->len - 1;
        size_t rc = iconv(cd, &in, &n, &to, &room);
        int e = errno;
        out->len = (size_t)(to - out->data);
        if (rc != (size_t)-1 || e == E2BIG) continue;
        tn_buf_str(out, "\xEF\xBF\xBD"); /* EILSEQ, or EINVAL: cut short at the end */
        *replaced = true;
        in++;
        n--;
    }
    iconv_close(cd);
    return true;
}

bool tn_html_to_utf8(tn_buf *html) {
    bool replaced = false;
    bool valid = tn_utf8_valid(html->data, html->len);
    /* Bytes that are UTF-8 are hardly ever meant otherwise; escapes are another matter. */
    if (valid && !memchr(html->data, 0x1B, html->len)) return false;
    const char *charset = declared(html->data, html->len);
    if (valid && (!charset || strcmp(charset, "ISO-2022-JP") != 0)) return false;
    tn_buf out = {0};
    if (!charset || !convert(html->data, html->len, charset, &out, &replaced)) {
        tn_buf_reset(&out);
        replaced = tn_utf8_repair(html->data, html->len, &out) > 0;
    }
    tn_buf_deinit(html);
    *html = out;
    return replaced;
}

/* stopwords.h - function words per language that carry no topic. */
#ifndef TN_STOPWORDS_H
#define TN_STOPWORDS_H

/* The stop words of a Snowball language, lower case, separated by single spaces, without
 * apostrophes ("dont"); "" for languages we have no list for. Static storage. */
const char *tn_stopwords(const char *language);

#endif

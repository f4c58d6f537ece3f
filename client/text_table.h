/* client/text_table.h
 *
 * A hash table from texts as they stand in the data, of whatever bytes, to numbers. It finds the text that it found last
 * without hashing, since rows of one owner mostly come together. Owned by one thread. */
#ifndef WM_CLIENT_TEXT_TABLE_H
#define WM_CLIENT_TEXT_TABLE_H

#include "common/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct wm_text_key {
    char    *text; /* NULL: an empty place in the table; ends with a zero that n does not count */
    size_t   n;
    uint32_t id;
} wm_text_key;

/* All zeroes: empty. */
typedef struct wm_text_table {
    wm_text_key *keys;                   /* open addressing; n_places is a power of two, less than 3/4 full */
    size_t       n_places, n_keys, last; /* last: the place found last */
} wm_text_table;

/* *ret: the text's place, which is empty if it is new: wm_text_table_add() then fills it, before the next search.
 * WM_E_NOMEM. */
wm_status wm_text_table_find(wm_text_table *table, const char *text, size_t n, wm_text_key **ret, wm_error *err);
wm_status wm_text_table_add(wm_text_table *table, wm_text_key *key, const char *text, size_t n, uint32_t id,
                            wm_error *err);
void      wm_text_table_release(wm_text_table *table);

#endif

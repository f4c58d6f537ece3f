/* client/text_table.c */
#include "client/text_table.h"

#include <stdlib.h>
#include <string.h>

static uint64_t hash_text(const char *text, size_t n)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */

    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
    return hash;
}

/* The place of a text in the table, or the empty one where it belongs. */
static size_t find_place(const wm_text_key *keys, size_t n_places, const char *text, size_t n)
{
    size_t place = hash_text(text, n) & (n_places - 1);

    while (keys[place].text != NULL && (keys[place].n != n || memcmp(keys[place].text, text, n) != 0))
        place = (place + 1) & (n_places - 1);
    return place;
}

static wm_status grow_table(wm_text_table *self, wm_error *err)
{
    size_t       n_places = self->n_places > 0 ? 2 * self->n_places : 64;
    wm_text_key *keys = calloc(n_places, sizeof *keys);

    if (keys == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the names in the data");
    for (size_t i = 0; i < self->n_places; i++)
        if (self->keys[i].text != NULL)
            keys[find_place(keys, n_places, self->keys[i].text, self->keys[i].n)] = self->keys[i];
    free(self->keys);
    self->keys = keys;
    self->n_places = n_places;
    return WM_OK;
}

wm_status wm_text_table_find(wm_text_table *self, const char *text, size_t n, wm_text_key **ret, wm_error *err)
{
    wm_status st;

    if (self->n_keys > 0 && self->keys[self->last].n == n && memcmp(self->keys[self->last].text, text, n) == 0) {
        *ret = &self->keys[self->last];
        return WM_OK;
    }
    if (4 * (self->n_keys + 1) > 3 * self->n_places && (st = grow_table(self, err)) != WM_OK)
        return st;
    *ret = &self->keys[find_place(self->keys, self->n_places, text, n)];
    if ((*ret)->text != NULL)
        self->last = (size_t)(*ret - self->keys);
    return WM_OK;
}

wm_status wm_text_table_add(wm_text_table *self, wm_text_key *key, const char *text, size_t n, uint32_t id,
                            wm_error *err)
{
    if ((key->text = malloc(n + 1)) == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the names in the data");
    memcpy(key->text, text, n); /* whatever bytes: strndup() would end at a zero */
    key->text[n] = '\0';
    key->n = n;
    key->id = id;
    self->last = (size_t)(key - self->keys);
    self->n_keys++;
    return WM_OK;
}

void wm_text_table_release(wm_text_table *table)
{
    for (size_t i = 0; i < table->n_places; i++)
        free(table->keys[i].text);
    free(table->keys);
    *table = (wm_text_table){ 0 };
}

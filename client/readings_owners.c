/* client/readings_owners.c
 *
 * Whose a row of readings is, and which series it belongs to: texts of the data and their numbers. */
#include "client/readings_struct.h"

#include "client/owner_names.h"
#include "common/config/document.h"
#include "common/grow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OWNERS_MAX = 100000 };

static wm_status add_owner(wm_readings *readings, const char *name, uint32_t *ret, wm_error *err)
{
    struct wm_readings_private *self = readings->private;

    if (readings->n_owners == OWNERS_MAX)
        return wm_fail(err, WM_E_RANGE, "there are more than %d owners: is data.owner the right column?",
                       OWNERS_MAX);
    if (readings->n_owners == self->owners_room) {
        size_t   room = self->owners_room > 0 ? 2 * self->owners_room : 16;
        char   **names = realloc(readings->owner_names, room * sizeof *names);
        int64_t *previous;

        if (names == NULL)
            return wm_fail(err, WM_E_NOMEM, "no memory for the names of the owners");
        readings->owner_names = names;
        previous = realloc(self->owner_before, room * sizeof *previous);
        if (previous == NULL)
            return wm_fail(err, WM_E_NOMEM, "no memory for the names of the owners");
        self->owner_before = previous;
        self->owners_room = room;
    }
    if ((readings->owner_names[readings->n_owners] = strdup(name)) == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the names of the owners");
    self->owner_before[readings->n_owners] = INT64_MIN;
    *ret = (uint32_t)readings->n_owners++;
    return WM_OK;
}

/* Two texts that become one name would be one client in the certificates and two in the data. */
static wm_status check_collision(const wm_readings *readings, const char *text, size_t n, const char *name,
                                 wm_error *err)
{
    const wm_text_table *self = &readings->private->owners;
    char                 other[WM_OWNER_NAME_MAX + 1];

    for (size_t i = 0; i < self->n_places; i++)
        if (self->keys[i].text != NULL && wm_owner_name(self->keys[i].text, self->keys[i].n, other) &&
            strcmp(other, name) == 0)
            return wm_fail(err, WM_E_MALFORMED, "the owners \"%s\" and \"%.*s\" would both be named %s: rename one",
                           self->keys[i].text, (int)(n < 100 ? n : 100), text, name);
    return WM_OK;
}

wm_status wm_reading_owner(wm_readings *readings, const char *text, size_t n, uint32_t *ret, wm_error *err)
{
    struct wm_readings_private *self = readings->private;
    char                        name[WM_OWNER_NAME_MAX + 1];
    uint32_t                    owner = WM_NO_OWNER;
    wm_text_key                *key;
    wm_status                   st = wm_text_table_find(&self->owners, text, n, &key, err);

    if (st != WM_OK)
        return st;
    if (key->text == NULL) {
        if (!wm_owner_name(text, n, name))
            return wm_fail(err, WM_E_MALFORMED, "no name of letters and digits can be made of the owner \"%.*s\"",
                           (int)(n < 100 ? n : 100), text);
        if ((st = check_collision(readings, text, n, name, err)) != WM_OK)
            return st;
        if ((self->ownership.only == NULL || strcmp(self->ownership.only, name) == 0) &&
            (st = add_owner(readings, name, &owner, err)) != WM_OK)
            return st;
        if ((st = wm_text_table_add(&self->owners, key, text, n, owner, err)) != WM_OK)
            return st;
    }
    *ret = key->id;
    return WM_OK;
}

wm_status wm_reading_owner_of_member(wm_readings *readings, const char *text, size_t n, uint32_t *ret,
                                     wm_error *err)
{
    struct wm_readings_private *self = readings->private;
    const wm_yaml              *group = self->ownership.groups->first;
    uint32_t                    owner = WM_NO_OWNER;
    wm_text_key                *key;
    wm_status                   st = wm_text_table_find(&self->members, text, n, &key, err);

    if (st != WM_OK || key->text != NULL) {
        *ret = st == WM_OK ? key->id : WM_NO_OWNER;
        return st;
    }
    for (; group != NULL; group = group->next) {
        const wm_yaml *node = group->first;

        while (node != NULL && (strlen(node->text) != n || memcmp(node->text, text, n) != 0))
            node = node->next;
        if (node != NULL)
            break;
    }
    if (group != NULL)
        st = wm_reading_owner(readings, group->key, strlen(group->key), &owner, err);
    if (st == WM_OK)
        st = wm_text_table_add(&self->members, key, text, n, owner, err);
    *ret = owner;
    return st;
}

wm_status wm_reading_owner_of_month(wm_readings *readings, int64_t time, uint32_t *ret, wm_error *err)
{
    int64_t local = time + wm_zone_offset_ms(readings->zone, time), year = wm_civil_year(local), month = 12;
    char    text[32];
    int     n;

    while (month > 1 && wm_civil_day(year, month, 1) * 86400000 > local)
        month--;
    n = snprintf(text, sizeof text, "%04lld-%02lld", (long long)year, (long long)month);
    return wm_reading_owner(readings, text, (size_t)n, ret, err);
}

/* ---- series ---- */

wm_status wm_readings_new_series(struct wm_readings_private *self, uint32_t *ret, wm_error *err)
{
    int64_t *before = self->n_series < INT32_MAX
                          ? wm_grow(self->series_before, self->n_series, &self->series_room, sizeof *before)
                          : NULL;

    if (before == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for more than %zu series", (size_t)self->n_series);
    self->series_before = before;
    self->series_before[self->n_series] = INT64_MIN;
    *ret = self->n_series++;
    return WM_OK;
}

wm_status wm_reading_series(struct wm_readings_private *self, const char *text, size_t n, uint32_t *ret,
                            wm_error *err)
{
    wm_text_key *key;
    uint32_t     id = 0; /* the compiler does not see that it is set */
    wm_status    st = wm_text_table_find(&self->series, text, n, &key, err);

    if (st == WM_OK && key->text == NULL && (st = wm_readings_new_series(self, &id, err)) == WM_OK)
        st = wm_text_table_add(&self->series, key, text, n, id, err);
    if (st == WM_OK)
        *ret = key->id;
    return st;
}

/* client/sources/seen.c */
#include "client/sources/seen.h"

#include "common/crypto/digest.h"

#include <stdlib.h>
#include <string.h>

static size_t find_place(uint64_t (*rows)[2], size_t places, const uint64_t row[2])
{
    size_t place = row[0] & (places - 1);

    while ((rows[place][0] != 0 || rows[place][1] != 0) && memcmp(rows[place], row, sizeof rows[place]) != 0)
        place = (place + 1) & (places - 1);
    return place;
}

static wm_status grow(wm_seen *seen, wm_error *err)
{
    size_t places = seen->places > 0 ? 2 * seen->places : 1024;
    uint64_t(*rows)[2] = calloc(places, sizeof *rows);

    if (rows == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory to tell %zu rows apart", seen->n);
    for (size_t i = 0; i < seen->places; i++)
        if (seen->rows[i][0] != 0 || seen->rows[i][1] != 0)
            memcpy(rows[find_place(rows, places, seen->rows[i])], seen->rows[i], sizeof rows[0]);
    free(seen->rows);
    seen->rows = rows;
    seen->places = places;
    return WM_OK;
}

wm_status wm_seen_add(wm_seen *seen, const wm_csv_cell *cells, size_t n, bool *ret, wm_error *err)
{
    wm_sha256 sha;
    wm_digest digest;
    uint64_t  row[2];
    size_t    place;
    wm_status st = 4 * (seen->n + 1) > 3 * seen->places ? grow(seen, err) : WM_OK;

    if (st != WM_OK)
        return st;
    wm_sha256_init(&sha);
    for (size_t i = 0; i < n; i++) {
        wm_sha256_add(&sha, cells[i].text, cells[i].n);
        wm_sha256_add(&sha, "", 1); /* so that a|bc is not ab|c */
    }
    wm_sha256_take(&sha, &digest);
    memcpy(row, digest.bytes, sizeof row);
    place = find_place(seen->rows, seen->places, row);
    *ret = memcmp(seen->rows[place], row, sizeof row) == 0;
    memcpy(seen->rows[place], row, sizeof row);
    seen->n += !*ret;
    return WM_OK;
}

void wm_seen_release(wm_seen *seen)
{
    free(seen->rows);
    *seen = (wm_seen){ 0 };
}

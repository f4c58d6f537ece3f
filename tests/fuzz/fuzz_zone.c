/* tests/fuzz/fuzz_zone.c
 *
 * A time zone's file (TZif), and a reading's time in that place. The first two bytes say how much of the rest is the
 * file, the next how much is a format of strptime; what is left is the time. An offset is always one that a zone may
 * have, and a local time goes to a moment that shows it, or one beside a change. */
#include "client/times.h"

#include "tests/fuzz/take.h"

#define YEAR_MS (366ll * 24 * 3600 * 1000)
#define DAY_MS  (24ll * 3600 * 1000)

static void look_around(const wm_zone *zone)
{
    for (int64_t ms = -300 * YEAR_MS; ms < 600 * YEAR_MS; ms += 7 * YEAR_MS + 11 * DAY_MS) {
        int64_t offset = wm_zone_offset_ms(zone, ms), second, first;

        must(offset > -27 * 3600 * 1000 && offset < 27 * 3600 * 1000);
        first = wm_zone_to_utc(zone, ms + offset, &second);
        must(first <= second && second - first < 3 * DAY_MS && first - ms < 3 * DAY_MS && ms - second < 3 * DAY_MS);
    }
}

/* Year, month, day, hour and minute as columns of numbers. */
static void from_parts(const uint8_t *bytes, size_t n)
{
    double   parts[5] = { 0 };
    wm_stamp stamp;

    for (size_t i = 0; i < 5 && i < n; i++)
        parts[i] = i == 0 ? 1900 + bytes[i] : (int8_t)bytes[i] / 2.0;
    if (wm_stamp_from_parts(parts, n > 4 ? 5 : 4, &stamp))
        must(stamp.local);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    taker    from = { bytes, n };
    uint64_t n_zone = take_number(&from, 2), n_format = take_number(&from, 1);
    taker    file = take_bytes(&from, n_zone), format = take_bytes(&from, n_format);
    uint8_t *copy = take_copy(&file), *time = take_copy(&from);
    char     text[256];
    wm_zone *zone = NULL;
    wm_stamp stamp;
    wm_error err;

    memcpy(text, format.bytes != NULL ? (const void *)format.bytes : "", format.n);
    text[format.n] = '\0';
    if (wm_zone_read("zone", copy, file.n, &zone, &err) == WM_OK)
        look_around(zone);
    if (wm_stamp_parse((const char *)time, from.n, format.n > 0 ? text : NULL, &stamp) && zone != NULL)
        (void)wm_stamp_place(&stamp, zone, stamp.ms ^ INT64_MIN);
    from_parts(time, from.n);
    wm_zone_free(zone);
    free(copy);
    free(time);
    return 0;
}

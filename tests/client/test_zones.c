/* tests/client/test_zones.c
 *
 * Expected moments are GNU date's: TZ=zone date -d "local" +%s. */
#include "tests/unit.h"

#include "client/times.h"
#include "common/files.h"

#include <unistd.h>

static int64_t moment_of(const char *zone, const char *local, int64_t previous)
{
    wm_zone *z;
    wm_stamp stamp;
    wm_error err;
    int64_t  ms;

    assert_ok(wm_zone_open(zone, &z, &err), &err);
    assert_case(local, wm_stamp_parse(local, strlen(local), NULL, &stamp));
    assert_true(stamp.local);
    ms = wm_stamp_place(&stamp, z, previous);
    wm_zone_free(z);
    return ms;
}

static void local_times_are_placed_as_date_places_them(void **state)
{
    static const struct {
        const char *says, *zone, *local;
        int64_t     want;
    } cases[] = {
        { "before Berlin's clocks go forward", "Europe/Berlin", "2024-03-31 01:59:59", 1711846799 },
        { "and right after", "Europe/Berlin", "2024-03-31 03:00:00", 1711846800 },
        { "before they go back", "Europe/Berlin", "2024-10-27 01:30:00", 1729985400 },
        { "and after", "Europe/Berlin", "2024-10-27 03:30:00", 1729996200 },
        { "a summer beyond the table, by the rule", "Europe/Berlin", "2050-07-01 12:00:00", 2540282400 },
        { "a winter beyond the table", "Europe/Berlin", "2055-12-01 00:00:00", 2711228400 },
        { "before Berlin had summer time again", "Europe/Berlin", "1970-06-15 12:00:00", 14295600 },
        { "Shanghai has none", "Asia/Shanghai", "2013-03-01 05:00:00", 1362085200 },
        { "New York in spring", "America/New_York", "2024-03-10 03:30:00", 1710055800 },
        { "before New York's clocks go back", "America/New_York", "2024-11-03 00:30", 1730608200 },
        { "and after", "America/New_York", "2024-11-03 02:30", 1730619000 },
        { "summer in January, south of the equator", "Australia/Sydney", "2050-01-01 12:00:00", 2524611600 },
        { "UTC needs no file", "UTC", "2001-09-09 01:46:40", 1000000000 },
    };

    (void)state;
    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0) {
        print_message("# skipped: tzdata is not installed\n");
        return; /* cmocka's skip() says "not ok", which fails under meson */
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_case(cases[i].says, moment_of(cases[i].zone, cases[i].local, INT64_MIN) == cases[i].want * 1000);
}

/* 2024-10-27 02:30 came twice in Berlin: at 00:30 UTC and at 01:30 UTC; 2024-03-31 02:30 never did. */
static void hours_that_come_twice_or_never_are_placed_by_rule(void **state)
{
    int64_t first = INT64_C(1729989000000), second = first + 3600000;

    (void)state;
    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0) {
        print_message("# skipped: tzdata is not installed\n");
        return; /* cmocka's skip() says "not ok", which fails under meson */
    }
    assert_int_equal(moment_of("Europe/Berlin", "2024-10-27 02:30", INT64_MIN), first);
    assert_int_equal(moment_of("Europe/Berlin", "2024-10-27 02:30", first - 1), first);
    assert_int_equal(moment_of("Europe/Berlin", "2024-10-27 02:30", first), second);
    assert_int_equal(moment_of("Europe/Berlin", "2024-03-31 02:30", INT64_MIN),
                     moment_of("Europe/Berlin", "2024-03-31 03:30", INT64_MIN));
}

static void an_hour_by_hour_year_goes_there_and_back(void **state)
{
    static const char *const zones[] = { "Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
                                         "Asia/Kathmandu" };

    (void)state;
    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0) {
        print_message("# skipped: tzdata is not installed\n");
        return; /* cmocka's skip() says "not ok", which fails under meson */
    }
    for (size_t z = 0; z < sizeof zones / sizeof *zones; z++) {
        int64_t  begin = wm_civil_day(2041, 1, 1) * 86400000;
        wm_zone *zone;
        wm_error err;

        assert_ok(wm_zone_open(zones[z], &zone, &err), &err);
        for (int64_t t = begin; t < begin + 366 * INT64_C(86400000); t += 1800000) {
            int64_t second, first = wm_zone_to_utc(zone, t + wm_zone_offset_ms(zone, t), &second);

            assert_case(zones[z], first == t || second == t);
        }
        wm_zone_free(zone);
    }
}

static void names_that_are_no_zones_are_refused_by_name(void **state)
{
    static const struct {
        const char *name;
        wm_status   want;
    } cases[] = {
        { "Europe/Atlantis", WM_E_MISSING }, { "../../etc/passwd", WM_E_INVALID },
        { "/etc/passwd", WM_E_INVALID },     { "", WM_E_INVALID },
        { "Europe", WM_E_MISSING },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wm_zone *zone = NULL;
        wm_error err;

        assert_case(cases[i].name, wm_zone_open(cases[i].name, &zone, &err) == cases[i].want);
        assert_null(zone);
        assert_non_null(strstr(err.text, cases[i].name));
    }
}

/* No prefix and no single flipped bit may crash; a prefix is never a zone. */
static void damaged_zone_files_are_refused(void **state)
{
    const wm_files *files = wm_files_system();
    uint8_t        *bytes;
    size_t          n;
    wm_zone        *zone;
    wm_error        err;

    (void)state;
    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0) {
        print_message("# skipped: tzdata is not installed\n");
        return; /* cmocka's skip() says "not ok", which fails under meson */
    }
    assert_ok(files->read(files, "/usr/share/zoneinfo/Europe/Berlin", 1 << 20, &bytes, &n, &err), &err);
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *part = malloc(cut + 1);

        memcpy(part, bytes, cut);
        assert_int_equal(wm_zone_read("cut", part, cut, &zone, &err), WM_E_MALFORMED);
        free(part);
    }
    for (size_t i = 0; i < n; i++) {
        bytes[i] ^= 0xff;
        if (wm_zone_read("flipped", bytes, n, &zone, NULL) == WM_OK) {
            int64_t second;

            wm_zone_to_utc(zone, INT64_C(2540282400000), &second);
            wm_zone_free(zone);
        }
        bytes[i] ^= 0xff;
    }
    free(bytes);
}

static void times_are_read_in_every_common_form(void **state)
{
    static const struct {
        const char *text, *format;
        int64_t     want; /* ms; -1: refused */
        bool        local;
    } cases[] = {
        { "2013-03-01 05:00:00", NULL, INT64_C(1362114000000), true },
        { "2013-03-01T05:00", NULL, INT64_C(1362114000000), true },
        { "2013-03-01 05", NULL, INT64_C(1362114000000), true },
        { "2013-03-01", NULL, INT64_C(1362096000000), true },
        { "2013-03-01T05:00:00Z", NULL, INT64_C(1362114000000), false },
        { "2013-03-01T05:00:00.250+08:00", NULL, INT64_C(1362085200250), false },
        { "2013-03-01T05:00:00-0530", NULL, INT64_C(1362133800000), false },
        { "2013-03-01 24:00", NULL, INT64_C(1362182400000), true },
        { "1362114000", NULL, INT64_C(1362114000000), false },
        { "1362114000.5", NULL, INT64_C(1362114000500), false },
        { "1362114000250", NULL, INT64_C(1362114000250), false },
        { "01 03 2013 05:00", "%d %m %Y %H:%M", INT64_C(1362114000000), true },
        { "03/01/13 05", "%m/%d/%y %H", INT64_C(1362114000000), true },
        { "2013-03-01 05:00 +0800", "%Y-%m-%d %H:%M %z", INT64_C(1362085200000), false },
        { "2013-02-29", NULL, -1, false },
        { "2013-13-01", NULL, -1, false },
        { "2013-03-01 25:00", NULL, -1, false },
        { "2013-03-01 24:30", NULL, -1, false },
        { "2013-03-01x", NULL, -1, false },
        { "2013-03-01T05:00:00+", NULL, -1, false },
        { "13-03-01", NULL, -1, false },
        { "1e300", NULL, -1, false },
        { "99999999999999999999", NULL, -1, false },
        { "", NULL, -1, false },
        { "31 02 2013 05:00", "%d %m %Y %H:%M", -1, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wm_stamp stamp = { 0 };
        bool     good = wm_stamp_parse(cases[i].text, strlen(cases[i].text), cases[i].format, &stamp);

        assert_case(cases[i].text, good == (cases[i].want >= 0));
        assert_case(cases[i].text, !good || (stamp.ms == cases[i].want && stamp.local == cases[i].local));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(local_times_are_placed_as_date_places_them),
        cmocka_unit_test(hours_that_come_twice_or_never_are_placed_by_rule),
        cmocka_unit_test(an_hour_by_hour_year_goes_there_and_back),
        cmocka_unit_test(names_that_are_no_zones_are_refused_by_name),
        cmocka_unit_test(damaged_zone_files_are_refused),
        cmocka_unit_test(times_are_read_in_every_common_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* common/job/time.c
 *
 * data.time: where a reading's time stands. */
#include "common/job/draft.h"

#include <string.h>

/* The name of a zone becomes the name of a file under the system's zones: it must not lead anywhere else. */
static bool zone_is_good(const char *zone)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";
    size_t            n = strlen(zone);

    return n > 0 && n <= 64 && zone[strspn(zone, letters)] == '\0' && zone[0] != '/' && zone[n - 1] != '/' &&
           strstr(zone, "//") == NULL;
}

/* A date and perhaps hours and minutes; which day a month has is the readings' to say. */
static bool start_is_good(const char *start)
{
    static const char with[] = "dddd-dd-dd dd:dd", without[] = "dddd-dd-dd";
    size_t            n = strlen(start);

    for (size_t i = 0; i < n; i++) {
        char want = i < sizeof with - 1 ? with[i] : '\0';

        if (want == 'd' ? start[i] < '0' || start[i] > '9' : start[i] != want && !(want == ' ' && start[i] == 'T'))
            return false;
    }
    return n == sizeof with - 1 || n == sizeof without - 1;
}

static void check_time(const void *options, wm_faults *faults, wm_place place, const char *path)
{
    const wm_time_draft *time = options;
    size_t               n = time->columns.count + (time->column != NULL);

    if (time->columns.count > 0 && time->column != NULL)
        wm_faults_add(faults, place, path, "has `column` and `columns`; one of them says it");
    else if (time->start != NULL && n > 0)
        wm_faults_add(faults, place, path,
                      "has `start`, which is for readings without a column of times, and columns");
    else if (time->start != NULL && time->step_ms == 0)
        wm_faults_add(faults, place, path, "`start` says when the first row was; give `step` for those after it");
    else if (time->start != NULL && !start_is_good(time->start))
        wm_faults_add(faults, place, path, "start \"%.64s\" is not a time such as 2012-03-01 00:00", time->start);
    else if (time->start != NULL)
        ; /* all is said */
    else if (n != 1 && n != 4 && n != 5)
        wm_faults_add(faults, place, path,
                      "%zu columns do not make a time; give one, or year, month, day, hour, or these and minute",
                      n);
    if (time->format != NULL && n > 1)
        wm_faults_add(faults, place, path, "`format` is for a time that stands in one column");
    if (time->events && (time->step_ms > 0 || time->start != NULL))
        wm_faults_add(faults, place, path, "`events` come when they come; leave `step` and `start` out");
    if (!zone_is_good(time->zone))
        wm_faults_add(faults, place, path, "\"%.64s\" is not the name of a time zone, such as Europe/Berlin",
                      time->zone);
}

static const wm_option time_options[] = {
    { .name = "columns",
      .kind = WM_WORDS,
      .offset = offsetof(wm_time_draft, columns),
      .optional = true,
      .main = true,
      .doc = "The column that holds a time, or the columns year, month, day, hour and, if there is one, minute." },
    { .name = "column",
      .kind = WM_WORD,
      .offset = offsetof(wm_time_draft, column),
      .optional = true,
      .doc = "The same for a single column." },
    { .name = "zone",
      .kind = WM_WORD,
      .offset = offsetof(wm_time_draft, zone),
      .standard = "UTC",
      .doc =
          "The time zone of times that do not say theirs, by its IANA name, such as Europe/Berlin; summer time is "
          "followed." },
    { .name = "format",
      .kind = WM_WORD,
      .offset = offsetof(wm_time_draft, format),
      .optional = true,
      .doc = "How a single column is written, as in strptime(3); without it ISO 8601 or seconds since 1970." },
    { .name = "start",
      .kind = WM_WORD,
      .offset = offsetof(wm_time_draft, start),
      .optional = true,
      .doc =
          "Where no column holds a time: when each file's first row was, such as 2012-03-01 00:00; the next is a "
          "`step` later." },
    { .name = "events",
      .kind = WM_BOOL,
      .offset = offsetof(wm_time_draft, events),
      .standard = "false",
      .doc =
          "The readings are events at irregular times: a window's steps are the last events, however long ago, and "
          "targets are so many `steps` on." },
    { .name = "step",
      .kind = WM_DURATION,
      .offset = offsetof(wm_time_draft, step_ms),
      .least = 0,
      .most = 366.0 * 86400000,
      .standard = "0",
      .doc = "The distance of the readings; 0: found in the data." },
};

const wm_member wm_job_time_table = {
    .name = "time",
    .doc = "Where the time of a reading stands. Without it readings have an order and no time.",
    .options = time_options,
    .n_options = sizeof time_options / sizeof *time_options,
    .options_size = sizeof(wm_time_draft),
    .check = check_time,
};

void wm_job_read_time(wm_job_draft *draft)
{
    wm_job_data *data = &draft->job.data;

    data->time_columns = draft->time.columns;
    if (draft->time.column != NULL) {
        const char **lone = wm_reader_alloc(&draft->reader, 1, sizeof *lone);

        if (lone == NULL)
            return;
        lone[0] = draft->time.column;
        data->time_columns = (wm_words){ .items = lone, .count = 1 };
    }
    data->zone = draft->time.zone;
    data->time_format = draft->time.format;
    data->start = draft->time.start;
    data->step_ms = draft->time.step_ms;
    data->events = draft->time.events;
}

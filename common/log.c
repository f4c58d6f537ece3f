/* common/log.c */
#include "common/log.h"

#include "common/log_repeats.h"
#include "common/text.h"

#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct wm_log {
    FILE           *out;
    wm_log_form     form;
    wm_log_level    least;
    wm_clock        clock;
    pthread_mutex_t lock; /* guards what follows, and out, so that lines stay whole */
    wm_repeats     *repeats;
};

static const char *const level_names[] = { "debug", "info", "warning", "error" };

wm_log *wm_log_new(FILE *out, wm_log_form form, wm_log_level least, wm_clock clock)
{
    wm_log     *log = malloc(sizeof *log);
    wm_repeats *repeats = wm_repeats_new();

    if (log == NULL || repeats == NULL) {
        wm_repeats_free(repeats);
        free(log);
        return NULL;
    }
    *log = (wm_log){ .out = out, .form = form, .least = least, .clock = clock, .repeats = repeats };
    pthread_mutex_init(&log->lock, NULL);
    return log;
}

enum { FIELD_BYTES_MAX = 1000 };

/* Of what a peer sent no more than this is written down: the first bytes, and how many there were. */
static const char *shortened(const char *text, char room[FIELD_BYTES_MAX + 64])
{
    size_t n = strlen(text);

    if (n <= FIELD_BYTES_MAX)
        return text;
    snprintf(room, FIELD_BYTES_MAX + 64, "%.*s... (%zu bytes)", FIELD_BYTES_MAX, text, n);
    return room;
}

/* Quotes what is not a plain word, so that nothing that a peer sent can look like another field or line. */
static void add_quoted(wm_text *line, const char *text)
{
    bool plain = *text != '\0';

    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++)
        plain = plain && *c > ' ' && *c < 0x7f && *c != '"' && *c != '=' && *c != '\\';
    if (plain) {
        wm_text_add(line, text);
        return;
    }
    wm_text_add(line, "\"");
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\')
            wm_text_printf(line, "\\%c", *c);
        else if (*c < ' ' || *c == 0x7f)
            wm_text_printf(line, "\\x%02x", *c);
        else
            wm_text_printf(line, "%c", *c);
    }
    wm_text_add(line, "\"");
}

static void plain_line(wm_text *line, int64_t wall_ms, wm_log_level level, const char *part, const char *sentence,
                       const wm_field *fields)
{
    char when[WM_TIME_TEXT], room[FIELD_BYTES_MAX + 64];

    wm_time_text(wall_ms, when);
    wm_text_printf(line, "%.10s %.8s %-7s %s: %s", when, when + 11, level_names[level], part, sentence);
    for (const wm_field *f = fields; f->name != NULL; f++) {
        wm_text_printf(line, " %s=", f->name);
        if (f->text != NULL)
            add_quoted(line, shortened(f->text, room));
        else if (f->is_real)
            wm_text_printf(line, "%.6g", f->real);
        else
            wm_text_printf(line, "%lld", f->integer);
    }
    wm_text_add(line, "\n");
}

static json_t *field_json(const wm_field *f)
{
    char room[FIELD_BYTES_MAX + 64];

    if (f->text != NULL) {
        json_t *text = json_string(shortened(f->text, room));

        return text != NULL ? text : json_string("(not UTF-8)");
    }
    if (f->is_real)
        return isfinite(f->real) ? json_real(f->real) : json_null();
    return json_integer(f->integer);
}

static void json_line(wm_text *line, int64_t wall_ms, wm_log_level level, const char *part, const char *sentence,
                      const wm_field *fields)
{
    char    when[WM_TIME_TEXT];
    json_t *object = json_object();
    char   *text;

    json_object_set_new(object, "time", json_string(wm_time_text(wall_ms, when)));
    json_object_set_new(object, "level", json_string(level_names[level]));
    json_object_set_new(object, "part", json_string(part));
    json_object_set_new(object, "text", field_json(&(wm_field){ .name = "text", .text = sentence }));
    for (const wm_field *f = fields; f->name != NULL; f++)
        json_object_set_new(object, f->name, field_json(f));
    text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    if (text != NULL) {
        wm_text_add(line, text);
        wm_text_add(line, "\n");
    }
    free(text);
    json_decref(object);
}

/* Lock held. */
static void write_line(wm_log *log, wm_log_level level, const char *part, const char *sentence,
                       const wm_field *fields)
{
    wm_text line = WM_TEXT_INIT;

    (log->form == WM_LOG_JSON ? json_line : plain_line)(&line, wm_wall_ms(&log->clock), level, part, sentence,
                                                        fields);
    fwrite(wm_text_chars(&line), 1, line.size, log->out);
    fflush(log->out);
    wm_text_release(&line);
}

/* Lock held. What was held back in minutes that are over. */
static void tell_repeats(wm_log *log, int64_t now_ms)
{
    wm_repeat kind;

    while (wm_repeats_due(log->repeats, now_ms, &kind)) {
        char     sentence[sizeof kind.sentence + 32];
        wm_field fields[] = { WM_TEXT_FIELD("name", kind.name), WM_TEXT_FIELD("why", kind.why),
                              WM_INT_FIELD("more", kind.n), (wm_field){ 0 } };

        snprintf(sentence, sizeof sentence, "%s, and more of these", kind.sentence);
        write_line(log, kind.level, kind.part, sentence, fields);
    }
}

static int64_t monotonic(const wm_log *log)
{
    return wm_mono_ms(&log->clock) + 1; /* 0 is no time to the repeats */
}

void wm_log_fields(wm_log *log, wm_log_level level, const char *part, const char *sentence, const wm_field *fields)
{
    int64_t now_ms;

    if (log == NULL || level < log->least)
        return;
    now_ms = monotonic(log);
    pthread_mutex_lock(&log->lock);
    tell_repeats(log, now_ms);
    if (wm_repeats_tell(log->repeats, level, part, sentence, fields, now_ms))
        write_line(log, level, part, sentence, fields);
    pthread_mutex_unlock(&log->lock);
}

void wm_log_tick(wm_log *log)
{
    if (log == NULL)
        return;
    pthread_mutex_lock(&log->lock);
    tell_repeats(log, monotonic(log));
    pthread_mutex_unlock(&log->lock);
}

void wm_log_free(wm_log *log)
{
    if (log == NULL)
        return;
    tell_repeats(log, INT64_MAX);
    wm_repeats_free(log->repeats);
    pthread_mutex_destroy(&log->lock);
    free(log);
}

void wm_log_printf(wm_log *log, wm_log_level level, const char *part, const char *fmt, ...)
{
    char    sentence[1024];
    va_list args;

    if (log == NULL || level < log->least)
        return;
    va_start(args, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, args);
    va_end(args);
    wm_log_fields(log, level, part, sentence, &(wm_field){ 0 });
}

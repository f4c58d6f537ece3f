/* common/job/columns.c
 *
 * data.columns: what each column of the readings means, and what becomes of it when it is missing. */
#include "common/job/draft.h"
#include "common/job/scaling.h"
#include "common/job/tables.h"

#include <string.h>

/* As it stands in the file; its kind follows from which of compass, cycle and categories is given. */
typedef struct missing_draft {
    int     fill; /* wm_fill_rule */
    int64_t limit;
    bool    mask;
} missing_draft;

typedef struct column_draft {
    wm_reals      range;
    missing_draft missing;
    int64_t       compass, cycle_ms;
    wm_words      categories;
    const char   *alphabet;
    bool          other, index;
    int           transform;
    int           scale; /* 0: as the job says; else 1 + wm_scale_rule */
} column_draft;

static const char *const fills[] = { "none", "last", "linear", "zero", NULL };
static const char *const transforms[] = { "none", "log", NULL };
static const char *const scales[] = { "job", "federated", "client", "none", NULL };

static const wm_option missing_options[] = {
    { .name = "fill",
      .kind = WM_CHOICE,
      .offset = offsetof(missing_draft, fill),
      .words = fills,
      .main = true,
      .doc =
          "What stands in for it: the last value, a line from the last to the next, zero, or none: the gap stays a "
          "gap." },
    { .name = "limit",
      .kind = WM_WHOLE,
      .offset = offsetof(missing_draft, limit),
      .least = 1,
      .most = 1000000,
      .standard = "6",
      .doc = "How many steps in a row may be filled; no window crosses a longer gap." },
    { .name = "mask",
      .kind = WM_BOOL,
      .offset = offsetof(missing_draft, mask),
      .standard = "false",
      .doc = "Adds a channel that is 1 where a value was filled and 0 where it was read." },
};

static const wm_member missing_table = {
    .name = "missing",
    .doc = "What becomes of a reading that is absent or out of range. Without it, a gap stays a gap.",
    .options = missing_options,
    .n_options = sizeof missing_options / sizeof *missing_options,
    .options_size = sizeof(missing_draft),
};

static wm_column_kind kind_of(const column_draft *c)
{
    if (c->compass > 0)
        return WM_COLUMN_COMPASS;
    if (c->cycle_ms > 0)
        return WM_COLUMN_CYCLE;
    return c->categories.count > 0 || c->alphabet != NULL ? WM_COLUMN_CATEGORIES : WM_COLUMN_NUMBER;
}

static void check_categories(const column_draft *c, wm_faults *faults, wm_place place, const char *path)
{
    const wm_words *words = &c->categories;

    if (words->count == 1 && !c->other)
        wm_faults_add(faults, place, path,
                      "one category says nothing; give two or more, or other: true for all other words");
    if ((c->other || c->index) && words->count == 0 && c->alphabet == NULL)
        wm_faults_add(faults, place, path, "`other` and `index` are for categories");
    for (size_t i = 1; i < words->count; i++) {
        wm_words before = { .items = words->items, .count = i };

        if (wm_words_have(&before, words->items[i]))
            wm_faults_add(faults, place, path, "the category \"%.64s\" is there twice", words->items[i]);
    }
}

/* Characters are bytes: what is beyond ASCII would be cut in pieces. */
static void check_alphabet(const char *alphabet, wm_faults *faults, wm_place place, const char *path)
{
    size_t n = alphabet != NULL ? strlen(alphabet) : 0;

    if (alphabet != NULL && n < 2)
        wm_faults_add(faults, place, path, "an alphabet has two characters or more");
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)alphabet[i] >= 0x80) {
            wm_faults_add(faults, place, path, "the alphabet has a character that is not ASCII");
            return;
        } else if (memchr(alphabet, alphabet[i], i) != NULL) {
            wm_faults_add(faults, place, path, "the character \"%c\" is in the alphabet twice", alphabet[i]);
            return;
        }
}

static void check_range(const wm_reals *range, wm_faults *faults, wm_place place, const char *path)
{
    if (range->count == 0)
        return;
    if (range->count != 2)
        wm_faults_add(faults, place, path, "a range has two ends, as in [0, 1000], not %zu", range->count);
    else if (!(range->items[0] < range->items[1]))
        wm_faults_add(faults, place, path, "the range's lower end %g is not below its upper end %g",
                      range->items[0], range->items[1]);
}

static void check_column(const void *options, wm_faults *faults, wm_place place, const char *path)
{
    const column_draft *c = options;
    bool                number = kind_of(c) == WM_COLUMN_NUMBER;

    if ((c->compass > 0) + (c->cycle_ms > 0) + (c->categories.count > 0) + (c->alphabet != NULL) > 1)
        wm_faults_add(faults, place, path, "a column is one of compass, cycle, categories and alphabet, not more");
    if (c->compass != 0 && c->compass != 4 && c->compass != 8 && c->compass != 16)
        wm_faults_add(faults, place, path, "a compass has 4, 8 or 16 points, not %lld", (long long)c->compass);
    check_categories(c, faults, place, path);
    check_alphabet(c->alphabet, faults, place, path);
    check_range(&c->range, faults, place, path);
    if (c->range.count > 0 && !number)
        wm_faults_add(faults, place, path, "a range is for a column of numbers");
    if (c->scale != 0 && !number)
        wm_faults_add(faults, place, path, "only a column of numbers is scaled");
    if (c->transform != 0 && !number)
        wm_faults_add(faults, place, path, "only a column of numbers has a transform");
    if (c->cycle_ms > 0 && c->missing.fill != WM_FILL_NONE)
        wm_faults_add(faults, place, path, "a cycle follows from the time and is never missing");
    if (c->missing.fill == WM_FILL_LINEAR && !number)
        wm_faults_add(faults, place, path, "a line can be drawn between numbers only; fill with the last value");
    if (c->missing.mask && c->missing.fill == WM_FILL_NONE)
        wm_faults_add(faults, place, path, "a mask says what was filled, and nothing is filled here");
}

static const wm_option column_options[] = {
    { .name = "range",
      .kind = WM_REALS,
      .offset = offsetof(column_draft, range),
      .optional = true,
      .doc =
          "What is possible, as [lowest, highest]; a reading outside it counts as missing. Federated scaling needs "
          "it." },
    { .name = "missing",
      .kind = WM_SECTION,
      .offset = offsetof(column_draft, missing),
      .section = &missing_table,
      .optional = true,
      .doc = "What becomes of a reading that is absent or out of range. Without it, a gap stays a gap." },
    { .name = "compass",
      .kind = WM_WHOLE,
      .offset = offsetof(column_draft, compass),
      .optional = true,
      .doc = "A direction of 4, 8 or 16 points (N, NNE, ...): two channels, its sine and cosine." },
    { .name = "cycle",
      .kind = WM_DURATION,
      .offset = offsetof(column_draft, cycle_ms),
      .least = 60000,
      .most = 366.0 * 86400000,
      .optional = true,
      .doc =
          "Not read but taken from the time: where in a day (24h) or week (7d) a reading lies, as sine and cosine." },
    { .name = "categories",
      .kind = WM_WORDS,
      .offset = offsetof(column_draft, categories),
      .optional = true,
      .doc =
          "One of these words: a channel for each, 1 for the word that was read. All clients agree on this list." },
    { .name = "alphabet",
      .kind = WM_WORD,
      .offset = offsetof(column_draft, alphabet),
      .optional = true,
      .doc = "The same for single characters: \"abc\" is [a, b, c]." },
    { .name = "other",
      .kind = WM_BOOL,
      .offset = offsetof(column_draft, other),
      .standard = "false",
      .doc =
          "One more category, the last, for every word that is not in the list; without it such a word counts as "
          "missing." },
    { .name = "index",
      .kind = WM_BOOL,
      .offset = offsetof(column_draft, index),
      .standard = "false",
      .doc = "The category's number in one channel, as an embedding takes it, and not a channel for each." },
    { .name = "transform",
      .kind = WM_CHOICE,
      .offset = offsetof(column_draft, transform),
      .words = transforms,
      .standard = "none",
      .doc = "log: sign(x) log(1 + |x|) stands for x from the reading on, for numbers of very different sizes; the "
             "range is of x itself." },
    { .name = "scale",
      .kind = WM_CHOICE,
      .offset = offsetof(column_draft, scale),
      .words = scales,
      .standard = "job",
      .doc = "Another rule than data.scale for this column." },
};

const wm_member wm_job_column_table = {
    .name = "column",
    .doc = "One column of the readings. Without any option it is a number.",
    .options = column_options,
    .n_options = sizeof column_options / sizeof *column_options,
    .options_size = sizeof(column_draft),
    .check = check_column,
};

/* A column's name is that of the file's heading and may be anything that fits on a line. */
static void check_heading(wm_reader *reader, const wm_yaml *node, const char *path)
{
    size_t n = strlen(node->key);

    if (n == 0 || n > 200)
        wm_faults_add(reader->faults, node->key_place, path, "a column's name has 1 to 200 bytes, not %zu", n);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)node->key[i] < 0x20 || node->key[i] == 0x7f) {
            wm_faults_add(reader->faults, node->key_place, path, "a control character stands in the column's name");
            return;
        }
}

/* Each character of an alphabet as a word. */
static wm_words words_of(wm_reader *reader, const char *alphabet)
{
    size_t       n = strlen(alphabet);
    const char **words = wm_reader_alloc(reader, n + 1, sizeof *words);
    char        *text = wm_reader_alloc(reader, 2 * n + 1, 1);

    if (words == NULL || text == NULL)
        return (wm_words){ 0 };
    for (size_t i = 0; i < n; i++) {
        text[2 * i] = alphabet[i];
        words[i] = &text[2 * i];
    }
    return (wm_words){ words, n };
}

static void read_column(wm_reader *reader, wm_scale_rule scale, const wm_yaml *node, wm_job_column *ret)
{
    const char  *path = wm_path_key(reader, "data.columns", node->key);
    column_draft c = { 0 };
    size_t       faults = reader->faults->count;

    check_heading(reader, node, path);
    wm_table_read(reader, &wm_job_column_table, node, node->place, path, &c);
    *ret = (wm_job_column){
        .name = node->key,
        .kind = kind_of(&c),
        .has_range = c.range.count > 0 || reader->faults->count > faults, /* of a faulty column no more is asked */
        .fill = (wm_fill_rule)c.missing.fill,
        .fill_limit = c.missing.limit,
        .mask = c.missing.mask,
        .scale = c.scale == 0 ? scale : (wm_scale_rule)(c.scale - 1),
        .compass_points = c.compass,
        .cycle_ms = c.cycle_ms,
        .categories = c.alphabet != NULL ? words_of(reader, c.alphabet) : c.categories,
        .other = c.other,
        .index = c.index,
        .log = c.transform == 1,
        .place = node->key_place,
    };
    if (c.range.count == 2) { /* else there was a fault */
        ret->low = wm_job_transform(ret, c.range.items[0]);
        ret->high = wm_job_transform(ret, c.range.items[1]);
    }
}

void wm_job_read_columns(wm_job_draft *draft)
{
    wm_job_data   *data = &draft->job.data;
    wm_job_column *columns;

    if (draft->columns == NULL || wm_yaml_is_empty(draft->columns) ||
        !wm_job_check_entries(&draft->reader, draft->columns, "data.columns", "columns"))
        return;
    columns = wm_reader_alloc(&draft->reader, draft->columns->count, sizeof *columns);
    if (columns == NULL)
        return;
    data->columns = columns;
    for (const wm_yaml *node = draft->columns->first; node != NULL; node = node->next)
        read_column(&draft->reader, data->scale, node, &columns[data->n_columns++]);
}

void wm_job_check_ranges(wm_job_draft *draft)
{
    const wm_job_data *data = &draft->job.data;

    for (size_t i = 0; i < data->n_columns; i++)
        if (wm_scaling_covers(&draft->job, i) && !data->columns[i].has_range)
            wm_faults_add(draft->reader.faults, data->columns[i].place,
                          wm_path_key(&draft->reader, "data.columns", data->columns[i].name),
                          "federated scaling needs a range, such as range: [0, 1000]; or say scale: client");
}

/* common/config/scalar.c
 *
 * One value by its option: the part of options.h that looks at characters. The words of the faults are here.
 */
#include "common/config/options.h"
#include "common/config/values.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* What belongs where the option stands. */
static const char *belongs(wm_kind kind)
{
    switch (kind) {
    case WM_BOOL:
        return "true or false";
    case WM_WHOLE:
        return "a whole number";
    case WM_REAL:
        return "a number";
    case WM_DURATION:
        return "a duration such as 90s, 15m or 24h";
    case WM_BYTES:
        return "a size such as 64KiB or 500MB";
    case WM_WORDS:
    case WM_FLAGS:
        return "a list of words";
    case WM_REALS:
        return "a list of numbers";
    case WM_WHOLES:
        return "a list of whole numbers";
    case WM_DURATIONS:
        return "a list of durations";
    default:
        return "a word";
    }
}

static void fault_kind(wm_reader *reader, const wm_yaml *node, wm_kind kind, const char *path)
{
    char quote[WM_YAML_QUOTE];

    if (node->kind == WM_YAML_SCALAR && !wm_yaml_is_empty(node))
        wm_faults_add(reader->faults, node->place, path, "%s is not %s", wm_yaml_quote(node, quote), belongs(kind));
    else
        wm_faults_add(reader->faults, node->place, path, "%s stands here, where %s belongs",
                      wm_yaml_quote(node, quote), belongs(kind));
}

static const char *bound_words(wm_kind kind, double bound, char text[32])
{
    char words[WM_DURATION_WORDS];

    if (kind == WM_DURATION)
        snprintf(text, 32, "%s", wm_duration_words((int64_t)bound, words));
    else
        snprintf(text, 32, "%.15g", bound);
    return text;
}

static bool in_range(const wm_option *option, double value)
{
    if (option->least == 0 && option->most == 0)
        return true;
    return value >= option->least && (option->most < option->least || value <= option->most);
}

static void fault_range(wm_reader *reader, const wm_option *option, wm_kind kind, const wm_yaml *node,
                        const char *path)
{
    char quote[WM_YAML_QUOTE], least[32], most[32];

    if (option->most < option->least || isinf(option->most))
        wm_faults_add(reader->faults, node->place, path, "%s is out of range: it must be %s or more",
                      wm_yaml_quote(node, quote), bound_words(kind, option->least, least));
    else
        wm_faults_add(reader->faults, node->place, path, "%s is out of range: it must be from %s to %s",
                      wm_yaml_quote(node, quote), bound_words(kind, option->least, least),
                      bound_words(kind, option->most, most));
}

/* A whole number all right, of more digits than are counted with. */
static void fault_huge(wm_reader *reader, const wm_option *option, const wm_yaml *node, const char *path)
{
    char quote[WM_YAML_QUOTE];

    if (option->most > option->least && !isinf(option->most))
        fault_range(reader, option, WM_WHOLE, node, path);
    else
        wm_faults_add(reader->faults, node->place, path, "%s is out of range: it has too many digits",
                      wm_yaml_quote(node, quote));
}

/* Slips that have a better answer than "is not a number": quotes, a decimal comma, a duration without a unit.
 */
static bool fault_slip(wm_reader *reader, const wm_yaml *node, wm_kind kind, const char *path)
{
    double number;
    char   text[40];

    if (strlen(node->text) >= sizeof text || (kind == WM_CHOICE || kind == WM_WORD || kind == WM_BOOL))
        return false;
    if (wm_real_parse(node->text, &number)) {
        if (node->quoted && (kind == WM_WHOLE || kind == WM_REAL)) {
            wm_faults_add(reader->faults, node->place, path,
                          "\"%s\" is a word because of its quotes; write %s without them", node->text, node->text);
            return true;
        }
        if (kind == WM_DURATION && number >= 0) {
            wm_faults_add(reader->faults, node->place, path, "\"%s\" has no unit; write %ss, %sm or %sh",
                          node->text, node->text, node->text, node->text);
            return true;
        }
        return false;
    }
    snprintf(text, sizeof text, "%s", node->text);
    if (kind == WM_REAL && strchr(text, ',') != NULL) {
        *strchr(text, ',') = '.';
        if (wm_real_parse(text, &number)) {
            wm_faults_add(reader->faults, node->place, path, "\"%s\" has a comma; write %s", node->text, text);
            return true;
        }
    }
    return false;
}

/* The characters as a number of the kind; false if they are none. *value is for the range. */
static bool parse_number(wm_kind kind, const wm_yaml *node, void *field, double *value)
{
    int64_t whole = 0;
    bool    good;

    if (kind == WM_REAL) {
        double real = 0;

        good = !node->quoted && wm_real_parse(node->text, &real);
        if (good)
            *(double *)field = *value = real;
        return good;
    }
    if (kind == WM_WHOLE)
        good = !node->quoted && wm_whole_parse(node->text, &whole);
    else
        good = kind == WM_DURATION ? wm_duration_parse(node->text, &whole) : wm_bytes_parse(node->text, &whole);
    if (good) {
        *(int64_t *)field = whole;
        *value = (double)whole;
    }
    return good;
}

static void read_number(wm_reader *reader, const wm_option *option, wm_kind kind, const wm_yaml *node,
                        const char *path, void *field)
{
    union {
        int64_t whole;
        double  real;
    } parsed;
    double value = 0;

    if (wm_yaml_is_empty(node) || !parse_number(kind, node, &parsed, &value)) {
        if (kind == WM_WHOLE && !node->quoted && wm_whole_is_written(node->text))
            fault_huge(reader, option, node, path);
        else if (wm_yaml_is_empty(node) || !fault_slip(reader, node, kind, path))
            fault_kind(reader, node, kind, path);
    } else if (!in_range(option, value)) {
        fault_range(reader, option, kind, node, path);
    } else {
        memcpy(field, &parsed, sizeof parsed);
    }
}

static size_t count_words(const char *const *words)
{
    size_t n = 0;

    while (words[n] != NULL)
        n++;
    return n;
}

/* *ret <- the index of the word; false after a fault. */
static bool read_listed_word(wm_reader *reader, const wm_option *option, const wm_yaml *node, const char *path,
                             size_t *ret)
{
    size_t  n = count_words(option->words);
    wm_text words = WM_TEXT_INIT;
    char    quote[WM_YAML_QUOTE];

    for (size_t i = 0; i < n; i++)
        if (strcmp(option->words[i], node->text) == 0) {
            *ret = i;
            return true;
        }
    for (size_t i = 0; i < n; i++)
        wm_text_printf(&words, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " or ", option->words[i]);
    wm_faults_add(reader->faults, node->place, path, "%s is not %s", wm_yaml_quote(node, quote),
                  wm_text_chars(&words));
    wm_text_release(&words);
    return false;
}

/* One scalar of `kind`, which is the option's or that of its list's items. */
static void read_scalar(wm_reader *reader, const wm_option *option, wm_kind kind, const wm_yaml *node,
                        const char *path, void *field)
{
    size_t index;

    if (node->kind != WM_YAML_SCALAR || wm_yaml_is_empty(node)) {
        fault_kind(reader, node, kind, path);
        return;
    }
    switch (kind) {
    case WM_BOOL:
        if (!node->quoted && strcmp(node->text, "true") == 0)
            *(bool *)field = true;
        else if (!node->quoted && strcmp(node->text, "false") == 0)
            *(bool *)field = false;
        else
            fault_kind(reader, node, kind, path);
        break;
    case WM_WORD:
        *(const char **)field = node->text;
        break;
    case WM_CHOICE:
        if (read_listed_word(reader, option, node, path, &index))
            *(int *)field = (int)index;
        break;
    case WM_FLAGS: /* one word of the list */
        if (read_listed_word(reader, option, node, path, &index))
            *(unsigned *)field |= 1u << index;
        break;
    default:
        read_number(reader, option, kind, node, path, field);
    }
}

static wm_kind item_kind(wm_kind kind)
{
    switch (kind) {
    case WM_WORDS:
        return WM_WORD;
    case WM_REALS:
        return WM_REAL;
    case WM_WHOLES:
        return WM_WHOLE;
    case WM_DURATIONS:
        return WM_DURATION;
    default:
        return kind;
    }
}

/* {items, count} of any of the list records: they have one layout. */
typedef struct any_list {
    const void *items;
    size_t      count;
} any_list;

_Static_assert(sizeof(any_list) == sizeof(wm_words) && sizeof(any_list) == sizeof(wm_reals) &&
                   sizeof(any_list) == sizeof(wm_wholes) && sizeof(any_list) == sizeof(wm_durations) &&
                   offsetof(any_list, count) == offsetof(wm_words, count),
               "lists are {items, count}");

enum { ITEM_SIZE = 8 };
_Static_assert(sizeof(double) == ITEM_SIZE && sizeof(int64_t) == ITEM_SIZE && sizeof(char *) <= ITEM_SIZE,
               "numbers of a list take eight bytes");

/* A list with a fault in it stays empty: what asks for its entries later need not ask whether they are there. */
static void read_list(wm_reader *reader, const wm_option *option, const wm_yaml *node, const char *path,
                      void *field)
{
    bool           list = node->kind == WM_YAML_LIST;
    size_t         n = list ? node->count : 1, size = option->kind == WM_WORDS ? sizeof(char *) : ITEM_SIZE;
    size_t         faults_before = reader->faults->count;
    const wm_yaml *item = list ? node->first : node;
    char          *items;
    any_list       whole;

    if (n == 0 || (items = wm_reader_alloc(reader, n, size)) == NULL)
        return;
    for (size_t i = 0; i < n; i++, item = item->next)
        read_scalar(reader, option, item_kind(option->kind), item, list ? wm_path_item(reader, path, i) : path,
                    items + i * size);
    if (reader->faults->count != faults_before)
        return;
    whole = (any_list){ .items = items, .count = n };
    memcpy(field, &whole, sizeof whole);
}

/* Words that are or-ed into one place. */
static void read_flags(wm_reader *reader, const wm_option *option, const wm_yaml *node, const char *path,
                       unsigned *field)
{
    bool           list = node->kind == WM_YAML_LIST;
    size_t         n = list ? node->count : 1;
    const wm_yaml *item = list ? node->first : node;

    for (size_t i = 0; i < n; i++, item = item->next)
        read_scalar(reader, option, WM_FLAGS, item, list ? wm_path_item(reader, path, i) : path, field);
}

void wm_value_read(wm_reader *reader, const wm_option *option, const wm_yaml *node, const char *path, void *field)
{
    switch (option->kind) {
    case WM_WORDS:
    case WM_REALS:
    case WM_WHOLES:
    case WM_DURATIONS:
        read_list(reader, option, node, path, field);
        break;
    case WM_FLAGS:
        read_flags(reader, option, node, path, field);
        break;
    default:
        assert(option->kind < WM_SECTION);
        read_scalar(reader, option, option->kind, node, path, field);
    }
}

/* common/config/values.c */
#include "common/config/values.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char DIGITS[] = "0123456789";

bool wm_whole_is_written(const char *text)
{
    const char *digits = text + (text[0] == '-' || text[0] == '+');

    return digits[0] != '\0' && digits[strspn(digits, DIGITS)] == '\0';
}

bool wm_whole_parse(const char *text, int64_t *ret)
{
    bool        negative = text[0] == '-';
    const char *digits = text + (text[0] == '-' || text[0] == '+');
    int64_t     value = 0;

    if (!wm_whole_is_written(text))
        return false;
    for (; *digits != '\0'; digits++) {
        int digit = *digits - '0';

        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value))
            return false;
    }
    *ret = value;
    return true;
}

/* Characters of [+-] digits [. digits] [e [+-] digits] at the front of `text`; 0 if there is no number. So
 * neither "inf", "nan" nor 0x10 gets as far as strtod. */
static size_t number_length(const char *text)
{
    const char *at = text + (text[0] == '-' || text[0] == '+');
    size_t      whole = strspn(at, DIGITS), after = 0;

    at += whole;
    if (*at == '.') {
        after = strspn(at + 1, DIGITS);
        at += 1 + after;
    }
    if (whole + after == 0)
        return 0;
    if (*at == 'e' || *at == 'E') {
        const char *power = at + 1 + (at[1] == '-' || at[1] == '+');
        size_t      n = strspn(power, DIGITS);

        if (n > 0)
            at = power + n;
    }
    return (size_t)(at - text);
}

bool wm_real_parse(const char *text, double *ret)
{
    size_t n = number_length(text);
    double value;

    if (n == 0 || text[n] != '\0')
        return false;
    value = strtod(text, NULL); /* the programs never leave the C locale for numbers */
    if (!isfinite(value))
        return false;
    *ret = value;
    return true;
}

typedef struct unit {
    const char *name;
    int64_t     times;
} unit;

static const unit durations[] = {
    { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 }, { "w", 604800000 },
};

static const unit sizes[] = {
    { "", 1 },
    { "B", 1 },
    { "kB", 1000 },
    { "KB", 1000 },
    { "MB", 1000000 },
    { "GB", 1000000000 },
    { "TB", 1000000000000 },
    { "KiB", 1 << 10 },
    { "MiB", 1 << 20 },
    { "GiB", 1 << 30 },
    { "TiB", (int64_t)1 << 40 },
};

/* A number that is not negative and a unit; the product must be whole, so that 0.5ms is refused, not rounded.
 */
static bool parse_with_unit(const char *text, const unit *units, size_t n, int64_t *ret)
{
    size_t length = number_length(text);
    char   number[32];
    double value, product;

    if (length == 0 || length >= sizeof number)
        return false;
    memcpy(number, text, length);
    number[length] = '\0';
    value = strtod(number, NULL);
    for (size_t i = 0; i < n; i++)
        if (strcmp(text + length, units[i].name) == 0) {
            product = value * (double)units[i].times;
            if (!(product >= 0 && product <= 0x1p53) || product != floor(product))
                return false;
            *ret = (int64_t)product;
            return true;
        }
    return false;
}

bool wm_duration_parse(const char *text, int64_t *ret)
{
    if (strcmp(text, "0") == 0) {
        *ret = 0;
        return true;
    }
    return parse_with_unit(text, durations, sizeof durations / sizeof *durations, ret);
}

bool wm_bytes_parse(const char *text, int64_t *ret)
{
    return parse_with_unit(text, sizes, sizeof sizes / sizeof *sizes, ret);
}

const char *wm_duration_words(int64_t ms, char text[WM_DURATION_WORDS])
{
    const unit *best = &durations[0];

    for (size_t i = 1; i < sizeof durations / sizeof *durations && ms != 0; i++)
        if (ms % durations[i].times == 0)
            best = &durations[i];
    snprintf(text, WM_DURATION_WORDS, "%lld%s", (long long)(ms / best->times), ms == 0 ? "" : best->name);
    return text;
}

enum { NEAREST_MAX = 48 };

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Optimal string alignment (Damerau 1964 without repeated edits of one place), whatever the case of the
 * letters; both at most NEAREST_MAX long. */
static size_t distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
    size_t  rows[3][NEAREST_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];

    for (size_t j = 0; j <= n_b; j++)
        last[j] = j;
    for (size_t i = 1; i <= n_a; i++) {
        size_t *oldest = before;

        row[0] = i;
        for (size_t j = 1; j <= n_b; j++) {
            row[j] = least_of(last[j - 1] + !same(a[i - 1], b[j - 1]), least_of(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
                row[j] = least_of(row[j], before[j - 2] + 1);
        }
        before = last;
        last = row;
        row = oldest;
    }
    return last[n_b];
}

const char *wm_nearest(const char *word, const char *const *names, size_t n)
{
    size_t      n_word = strlen(word), best = SIZE_MAX;
    const char *nearest = NULL;

    if (n_word == 0 || n_word > NEAREST_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t n_name = strlen(names[i]), n_longer, n_shorter, d;

        if (n_name > NEAREST_MAX)
            continue;
        d = distance(word, n_word, names[i], n_name);
        /* One letter and a third of the longer word may differ, but never more than half of the shorter. */
        n_longer = n_word > n_name ? n_word : n_name;
        n_shorter = n_word + n_name - n_longer;
        if (d < best && d <= 1 + n_longer / 3 && 2 * d <= n_shorter) {
            best = d;
            nearest = names[i];
        }
    }
    return nearest;
}

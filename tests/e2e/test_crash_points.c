/* tests/e2e/test_crash_points.c
 *
 * The matrix of kills is whole: every crash point that the sources have is a row of a test in which a process dies there
 * (tests/e2e/test_*_dies.c), each row's point is in the sources, and what has a "before" has an "after".
 *
 * A point is a text in a call of one of the functions below; a store's transition X is the points store-X-before and
 * store-X-after, which server/store/store.c makes. */
#include "tests/unit.h"

#include "common/files.h"
#include "common/text.h"

#include <ctype.h>
#include <dirent.h>

enum { SOURCE_MAX = 1 << 20, POINTS_MAX = 200, POINT_TEXT = 64 };

static const struct {
    const char *call;
    bool        transition;
} calls[] = {
    { "wm_crash_point(", false }, { "wm_run_dies(", false }, { "wm_issuer_store_finish(", false },
    { "wm_store_commit(", true }, { "wm_store_end(", true },
};

typedef struct points {
    char   names[POINTS_MAX][POINT_TEXT];
    size_t n;
} points;

static bool has(const points *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->names[i], name) == 0)
            return true;
    return false;
}

static void add(points *p, const char *before, const char *name, size_t n, const char *after)
{
    char text[POINT_TEXT];

    assert_true(p->n < POINTS_MAX && n + strlen(before) + strlen(after) < POINT_TEXT);
    snprintf(text, sizeof text, "%s%.*s%s", before, (int)n, name, after);
    if (!has(p, text))
        strcpy(p->names[p->n++], text);
}

/* The texts between `at`, behind the bracket of a call, and the bracket that closes it. */
static void texts_of_call(const char *at, bool transition, points *ret)
{
    for (int depth = 1; depth > 0 && *at != '\0'; at++) {
        depth += (*at == '(') - (*at == ')');
        if (*at == '"') {
            const char *begin = at + 1;

            at = strchr(begin, '"');
            assert_non_null(at);
            if (transition) {
                add(ret, "store-", begin, (size_t)(at - begin), "-before");
                add(ret, "store-", begin, (size_t)(at - begin), "-after");
            } else {
                add(ret, "", begin, (size_t)(at - begin), "");
            }
        }
    }
}

static void points_of_source(const char *text, void *context)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        for (const char *at = text; (at = strstr(at, calls[i].call)) != NULL; at++)
            texts_of_call(at + strlen(calls[i].call), calls[i].transition, context);
}

/* Anything in quotes that has the form of a point; "@N" says which passage. */
static void points_of_test(const char *text, void *context)
{
    for (const char *at = text; (at = strchr(at, '"')) != NULL; at++) {
        const char *begin = at + 1, *end = begin + strspn(begin, "abcdefghijklmnopqrstuvwxyz-");

        if (end - begin < POINT_TEXT && memchr(begin, '-', (size_t)(end - begin)) != NULL && *begin != '-' &&
            (*end == '"' || (*end == '@' && isdigit((unsigned char)end[1]))))
            add(context, "", begin, (size_t)(end - begin), "");
        if ((at = strchr(begin, '"')) == NULL)
            break;
    }
}

static void look_into(const char *path, void (*look)(const char *text, void *context), void *context)
{
    uint8_t *bytes;
    char    *text;
    size_t   n;
    wm_error err;

    assert_ok(wm_files_system()->read(wm_files_system(), path, SOURCE_MAX, &bytes, &n, &err), &err);
    text = strndup((const char *)bytes, n);
    assert_non_null(text);
    look(text, context);
    free(text);
    free(bytes);
}

/* All C files below a folder of the sources whose names end so. */
static void walk(const char *folder, const char *ending, void (*look)(const char *text, void *context),
                 void *context)
{
    char           path[4200];
    const char    *top = getenv("WM_SOURCE");
    DIR           *dir;
    struct dirent *entry;

    assert_non_null(top);
    assert_true(snprintf(path, sizeof path, "%s/%s", top, folder) < (int)sizeof path);
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        size_t n = strlen(entry->d_name), m = strlen(ending);
        char   inner[4200];

        if (entry->d_name[0] == '.')
            continue;
        assert_true(snprintf(inner, sizeof inner, "%s/%s", folder, entry->d_name) < (int)sizeof inner);
        if (entry->d_type == DT_DIR)
            walk(inner, ending, look, context);
        else if (n > m && strcmp(entry->d_name + n - m, ending) == 0) {
            assert_true(snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) < (int)sizeof inner);
            look_into(inner, look, context);
        }
    }
    closedir(dir);
}

static void every_crash_point_is_a_row_of_a_test(void **state)
{
    static const char *const folders[] = { "common", "models", "client", "server" };
    points                   sources = { .n = 0 }, rows = { .n = 0 };
    wm_text                  without = WM_TEXT_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        walk(folders[i], ".c", points_of_source, &sources);
    walk("tests/e2e", "_dies.c", points_of_test, &rows);
    assert_true(sources.n > 50); /* or the calls have other names now */
    for (size_t i = 0; i < sources.n; i++) {
        char *name = sources.names[i], *before = strstr(name, "-before"), after[POINT_TEXT];

        if (!has(&rows, name))
            wm_text_printf(&without, " %s", name);
        if (before == NULL)
            continue;
        snprintf(after, sizeof after, "%.*s-after%s", (int)(before - name), name, before + strlen("-before"));
        if (!has(&sources, after))
            wm_text_printf(&without, " (no %s)", after);
    }
    if (without.size > 0)
        fail_msg("crash points that no test of tests/e2e/test_*_dies.c dies at:%s", wm_text_chars(&without));
    print_message("# %zu crash points, each of them a row\n", sources.n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_crash_point_is_a_row_of_a_test),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* common/job/names.c
 *
 * Names that the analyst gives, and mappings from them. */
#include "common/job/draft.h"

#include <string.h>

bool wm_words_have(const wm_words *words, const char *word)
{
    for (size_t i = 0; i < words->count; i++)
        if (strcmp(words->items[i], word) == 0)
            return true;
    return false;
}

bool wm_job_check_name(wm_reader *reader, const char *name, wm_place place, const char *path, const char *what)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789-";
    enum { LETTERS = 26 + 26 + 1, NAME_MAX_CHARS = 63 };
    size_t n = strlen(name);
    bool   good = n > 0 && n <= NAME_MAX_CHARS && name[strspn(name, letters)] == '\0' &&
                memchr(letters, name[0], LETTERS) != NULL;

    if (!good)
        wm_faults_add(
            reader->faults, place, path,
            "\"%.64s\" does not do as the name of %s: a letter, then letters, digits, _ and -, %d at most", name,
            what, NAME_MAX_CHARS);
    return good;
}

bool wm_job_check_entries(wm_reader *reader, const wm_yaml *map, const char *path, const char *what)
{
    char quote[WM_YAML_QUOTE];

    if (map->kind == WM_YAML_MAP && map->count > 0)
        return true;
    if (map->kind == WM_YAML_MAP)
        wm_faults_add(reader->faults, map->place, path, "there are none; at least one is needed");
    else
        wm_faults_add(reader->faults, map->place, path, "%s stands here, where a mapping from names to %s belongs",
                      wm_yaml_quote(map, quote), what);
    return false;
}

void wm_job_fault_column(wm_job_draft *draft, const char *name, wm_place place, const char *path)
{
    const wm_job_data *data = &draft->job.data;
    /* Nothing is suggested for faults that are only counted: a hostile file may have thousands. */
    size_t       n = draft->reader.faults->count < WM_FAULTS_SHOWN ? data->n_columns : 0;
    const char **names = wm_reader_alloc(&draft->reader, n + 1, sizeof *names);

    if (names == NULL)
        return;
    for (size_t i = 0; i < n; i++)
        names[i] = data->columns[i].name;
    wm_fault_unknown(&draft->reader, place, path, "is not one of data.columns", name, names, n);
}

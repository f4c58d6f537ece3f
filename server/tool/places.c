/* server/tool/places.c */
#include "server/tool/places.h"

#include "common/config/document.h"

#include <string.h>

enum { TREE_BYTES_MAX = 16 << 20 };

/* The entry of the mapping whose key the path begins with, as a whole: keys may have dots in them. */
static const wm_yaml *entry_of(const wm_yaml *map, const char *path, const char **rest)
{
    for (const wm_yaml *node = map->first; node != NULL; node = node->next) {
        size_t n = strlen(node->key);

        if (strncmp(path, node->key, n) == 0 && (path[n] == '.' || path[n] == ':')) {
            *rest = path + n + 1;
            return node;
        }
    }
    return NULL;
}

/* The innermost value on the path "data.owner: what is wrong" that is in the file; NULL if not even `data` is. */
static const wm_yaml *find(const wm_yaml *root, const char *path)
{
    const wm_yaml *found = NULL, *node = root;
    const char    *rest = path;

    while (node != NULL && node->kind == WM_YAML_MAP && (found == NULL || rest[-1] == '.')) {
        node = entry_of(node, rest, &rest);
        if (node != NULL)
            found = node;
    }
    return found;
}

/* Behind "owner NAME: ", if it begins so. */
static const char *path_in(const char *sentence)
{
    const char *colon = strncmp(sentence, "owner ", 6) == 0 ? strstr(sentence, ": ") : NULL;

    return colon != NULL ? colon + 2 : sentence;
}

void wm_places_add(const char *file, const char *text, size_t n, wm_error *err)
{
    const char    *path = path_in(err->text);
    wm_arena      *arena = NULL;
    wm_faults      faults;
    wm_yaml       *root;
    const wm_yaml *at;

    if (strncmp(path, "data.", 5) != 0 || wm_arena_new_growing(TREE_BYTES_MAX, &arena, NULL) != WM_OK)
        return;
    wm_faults_init(&faults, file);
    if (wm_document_read(text, n, WM_JOB_TEXT_MAX, arena, &faults, &root, NULL) == WM_OK &&
        (at = find(root, path)) != NULL)
        wm_error_prefix(err, "%s:%u:%u", file, at->place.line, at->place.column);
    wm_faults_release(&faults);
    wm_arena_free(arena);
}

/* client/owner_names.c */
#include "client/owner_names.h"

#include <ctype.h>
#include <string.h>

bool wm_owner_name(const char *text, size_t n, char ret[WM_OWNER_NAME_MAX + 1])
{
    size_t size = 0;

    for (size_t i = 0; i < n && size < WM_OWNER_NAME_MAX; i++) {
        unsigned char c = (unsigned char)text[i];
        bool          plain = c < 0x80 && isalnum(c);

        if (plain)
            ret[size++] = (char)tolower(c);
        else if (size > 0 && ret[size - 1] != '-')
            ret[size++] = '-';
    }
    while (size > 0 && ret[size - 1] == '-')
        size--;
    ret[size] = '\0';
    return size > 0;
}

/* Backtracking over the stars; patterns are short and file names too. */
static bool match_part(const char *pattern, const char *name, const char **begin, size_t *n)
{
    if (*pattern == '\0')
        return *name == '\0';
    if (pattern[0] == '{' && pattern[1] == '}') {
        for (size_t size = 1; size <= strlen(name); size++) {
            if (match_part(pattern + 2, name + size, begin, n)) {
                *begin = name;
                *n = size;
                return true;
            }
        }
        return false;
    }
    if (*pattern == '*') {
        for (;; name++) {
            if (match_part(pattern + 1, name, begin, n))
                return true;
            if (*name == '\0')
                return false;
        }
    }
    return *pattern == *name && match_part(pattern + 1, name + 1, begin, n);
}

bool wm_file_part(const char *pattern, const char *name, const char **begin, size_t *n)
{
    static const char *const endings[] = { ".csv", ".gz", ".txt" };

    if (pattern != NULL)
        return strstr(pattern, "{}") != NULL && match_part(pattern, name, begin, n);
    *begin = name;
    *n = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const char *end = strstr(name, endings[i]);

        if (end != NULL && (size_t)(end - name) < *n)
            *n = (size_t)(end - name);
    }
    return *n > 0;
}

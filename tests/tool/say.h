/* tests/tool/say.h: the analyst's tool, called as from a shell. */
#ifndef WM_TESTS_TOOL_SAY_H
#define WM_TESTS_TOOL_SAY_H

#include "server/tool/tool.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { SAY_WORDS_MAX = 20 };

/* The exit code; *out and *said (NULL, or of the call before) become what was written to the two streams, to be freed. */
static inline int say(const char *const *words, char **out, char **said)
{
    char  *argv[SAY_WORDS_MAX + 1];
    size_t n_out, n_said;
    int    argc = 0, code;
    FILE  *to_out, *to_said;

    free(*out);
    free(*said);
    to_out = open_memstream(out, &n_out);
    to_said = open_memstream(said, &n_said);
    for (; words[argc] != NULL; argc++) {
        assert(argc < SAY_WORDS_MAX);
        argv[argc] = (char *)(uintptr_t)words[argc];
    }
    argv[argc] = NULL;
    code = wm_tool_main(argc, argv, to_out, to_said);
    fclose(to_out);
    fclose(to_said);
    return code;
}

/* What is said to it. */
#define WARDMOTE(...) ((const char *const[]){ "wardmote", __VA_ARGS__, NULL })

#endif

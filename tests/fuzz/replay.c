/* tests/fuzz/replay.c
 *
 * replay FOLDER...: every file of a seed corpus through the fuzz target once, whatever the compiler; so a crash that was
 * found once stays found. libFuzzer brings a main of its own. */
#include "common/files.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { SEED_MAX = 8 << 20 };

static int replay(const char *folder)
{
    const wm_files *files = wm_files_system();
    char          **names;
    size_t          n_names;
    wm_error        err;

    if (wm_folder_names(folder, &names, &n_names, &err) != WM_OK || n_names == 0) {
        fprintf(stderr, "%s: no seeds\n", folder);
        return 1;
    }
    for (size_t i = 0; i < n_names; i++) {
        char    *path = wm_path_join(folder, names[i]);
        uint8_t *bytes = NULL;
        size_t   n;

        if (path == NULL || files->read(files, path, SEED_MAX, &bytes, &n, &err) != WM_OK) {
            fprintf(stderr, "%s\n", err.text);
            return 1;
        }
        printf("%s\n", path);
        fflush(stdout); /* the last line names the one that crashed */
        LLVMFuzzerTestOneInput(bytes, n);
        free(bytes);
        free(path);
    }
    wm_names_free(names, n_names);
    return 0;
}

int main(int argc, char **argv)
{
    int failed = argc < 2;

    if (failed)
        fprintf(stderr, "usage: replay FOLDER...\n");
    for (int i = 1; i < argc; i++)
        failed |= replay(argv[i]);
    return failed;
}

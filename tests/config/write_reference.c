/* tests/config/write_reference.c
 *
 * write_reference FILE: makes the blocks of docs/configuration.md anew (see reference.h). */
#include "common/files.h"
#include "tests/config/reference.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    const wm_files *files = wm_files_system();
    wm_text         document = WM_TEXT_INIT, why = WM_TEXT_INIT;
    uint8_t        *bytes = NULL;
    size_t          n;
    wm_error        err;
    int             ret = 1;

    if (argc != 2) {
        fprintf(stderr, "usage: write_reference docs/configuration.md\n");
        return 2;
    }
    if (files->read(files, argv[1], 1 << 20, &bytes, &n, &err) != WM_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    if (!reference_renew((const char *)bytes, &document, &why))
        fprintf(stderr, "%s", wm_text_chars(&why));
    else if (document.bad || files->replace(files, argv[1], document.chars, document.size, 0644, &err) != WM_OK)
        fprintf(stderr, "%s\n", document.bad ? "out of memory" : err.text);
    else
        ret = 0;
    wm_text_release(&document);
    wm_text_release(&why);
    free(bytes);
    return ret;
}

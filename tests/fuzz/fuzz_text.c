/* tests/fuzz/fuzz_text.c
 *
 * libFuzzer's bytes as a play: speeches, speakers as owners, characters as rows. The first byte says how many speeches a
 * speaker must have. Nothing may happen but examples or a refusal. */
#include "tests/fuzz/bytes_file.h"

#include "client/owners.h"

typedef struct text_options {
    wm_words files;
    int64_t  speeches_min;
} text_options;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char *const names[] = { "character" }, *const letters[] = { "a", "b", "\n" };
    static const int64_t       steps[] = { 1 };
    static const wm_job_column column = { .name = "character",
                                          .kind = WM_COLUMN_CATEGORIES,
                                          .categories = { letters, 3 },
                                          .other = true,
                                          .index = true };
    static const wm_job_input  input = {
         .name = "past", .kind = WM_INPUT_WINDOW, .length = 3, .columns = { names, 1 }
    };
    static const wm_job_target target = {
        .name = "next", .column = "character", .ahead = { steps, 1 }, .rows_ahead = true, .classes = 4
    };
    const wm_job       job = { .data = { .columns = &column,
                                         .n_columns = 1,
                                         .inputs = &input,
                                         .n_inputs = 1,
                                         .targets = &target,
                                         .n_targets = 1,
                                         .series = "speech",
                                         .split = { .train = 0.5, .validate = 0.2, .test = 0.3 } } };
    const char        *path, *speaker = "speaker";
    char               text[BYTES_FILE_PATH];
    text_options       options = { .speeches_min = 1 };
    wm_choice          source = { .member = wm_family_find(&wm_sources, "text"), .options = &options };
    wm_choice          owner = { .member = wm_family_find(&wm_owner_rules, "column"), .options = &speaker };
    wm_owners_settings settings = { .folder = "/", .source = &source, .owner = &owner };
    wm_owners         *owners;
    int                fd;
    wm_error           err;

    if (n < 1)
        return 0;
    options.speeches_min = 1 + (bytes[0] & 3);
    path = bytes_file(bytes + 1, n - 1, &fd, text);
    options.files = (wm_words){ &path, 1 };
    if (wm_owners_open(&job, &settings, &owners, &err) == WM_OK) {
        for (size_t k = 0; k < wm_owners_count(owners); k++)
            if (wm_examples_scale(wm_owners_examples(owners, k), NULL, &err) != WM_OK)
                abort();
        wm_owners_free(owners);
    }
    close(fd);
    return 0;
}

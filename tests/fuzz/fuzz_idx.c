/* tests/fuzz/fuzz_idx.c
 *
 * libFuzzer's bytes as a pair of idx files, plain or gzip: the first byte says how many of the
 * others are the labels, at most 127; with 128 in it both are packed here. */
#include "tests/fuzz/bytes_file.h"

#include "client/owners.h"
#include "client/sources/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const wm_job_input  input = { .name = "image", .kind = WM_INPUT_PIXELS, .pixels = { 3, { 2, 2, 1 } } };
    static const wm_job_target target = { .name = "class", .column = "label", .classes = 4 };
    const wm_job               job = { .data = { .inputs = &input,
                                                 .n_inputs = 1,
                                                 .targets = &target,
                                                 .n_targets = 1,
                                                 .split = { .kind = WM_SPLIT_RANDOM, .train = 0.5, .test = 0.5 } } };
    const char                *images, *labels;
    char                       images_text[BYTES_FILE_PATH], labels_text[BYTES_FILE_PATH];
    wm_idx_options             options;
    wm_choice                  source = { .member = wm_family_find(&wm_sources, "idx"), .options = &options };
    wm_owners_settings         settings = { .folder = "/", .source = &source };
    wm_owners                 *owners;
    size_t                     n_labels;
    int                        images_fd, labels_fd;
    const char *(*file)(const uint8_t *, size_t, int *, char *);
    wm_error err;

    if (n < 1)
        return 0;
    n_labels = (bytes[0] & 127) < n - 1 ? bytes[0] & 127 : n - 1;
    file = bytes[0] & 128 ? bytes_file_packed : bytes_file;
    labels = file(bytes + 1, n_labels, &labels_fd, labels_text);
    images = file(bytes + 1 + n_labels, n - 1 - n_labels, &images_fd, images_text);
    options = (wm_idx_options){ { &images, 1 }, { &labels, 1 } };
    if (wm_owners_open(&job, &settings, &owners, &err) == WM_OK)
        wm_owners_free(owners);
    close(images_fd);
    close(labels_fd);
    return 0;
}

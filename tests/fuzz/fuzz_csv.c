/* tests/fuzz/fuzz_csv.c
 *
 * libFuzzer's bytes as a CSV file, plain or gzip (with 16 in the first byte, packed here): rows, owners, times, a grid and windows of whatever can be read. The
 * first byte picks the dialect: with 32 rows that repeat are left out, with 64 the table is wide, with 128 it has no header. Nothing may happen but examples or a refusal. */
#include "tests/fuzz/bytes_file.h"

#include "client/owners.h"
#include "client/sources/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char *const separators[] = { ",", ";", "tab", "space" };
    static const char *const time[] = { "t" }, *const names[] = { "x", "wd", "day" }, *const missing[] = { "NA" };
    static const char *const   header[] = { "t", "x", "wd", "who" };
    static const int64_t       ahead[] = { 3600000 };
    static const wm_job_column columns[] = {
        { .name = "x", .fill = WM_FILL_LINEAR, .fill_limit = 3, .mask = true, .scale = WM_SCALE_CLIENT },
        { .name = "wd", .kind = WM_COLUMN_COMPASS, .compass_points = 8, .fill = WM_FILL_LAST, .fill_limit = 2 },
        { .name = "day", .kind = WM_COLUMN_CYCLE, .cycle_ms = 86400000 },
    };
    static const wm_job_input input = {
        .name = "in", .kind = WM_INPUT_WINDOW, .length = 2, .columns = { names, 3 }
    };
    static const wm_job_target target = { .name = "x", .column = "x", .ahead = { ahead, 1 } };
    const wm_job               job = { .data = { .time_columns = { time, 1 },
                                                 .columns = columns,
                                                 .n_columns = 3,
                                                 .inputs = &input,
                                                 .n_inputs = 1,
                                                 .targets = &target,
                                                 .n_targets = 1,
                                                 .split = { .train = 0.5, .validate = 0.2, .test = 0.3 } } };
    const char                *path, *owner_column = "who";
    char                       text[BYTES_FILE_PATH];
    wm_csv_options             options = { .missing = { missing, 1 } };
    wm_choice                  source = { .member = wm_family_find(&wm_sources, "csv"), .options = &options };
    wm_choice          owner = { .member = wm_family_find(&wm_owner_rules, "column"), .options = &owner_column };
    wm_owners_settings settings = { .folder = "/", .source = &source };
    wm_owners         *owners;
    wm_batch_room     *room;
    int                fd;
    wm_error           err;

    if (n < 1)
        return 0;
    options.separator = separators[bytes[0] & 3];
    options.decimal = bytes[0] >> 2 & 1;
    options.distinct = bytes[0] >> 5 & 1;
    if (bytes[0] & 64) {
        options.melt.name = "sensor";
        options.melt.value = "x";
    }
    if (bytes[0] & 128)
        options.header = (wm_words){ header, 4 };
    if (bytes[0] & 8)
        settings.owner = &owner;
    path = bytes[0] & 16 ? bytes_file_packed(bytes + 1, n - 1, &fd, text) : bytes_file(bytes + 1, n - 1, &fd, text);
    options.files = (wm_words){ &path, 1 };
    if (wm_owners_open(&job, &settings, &owners, &err) == WM_OK) {
        if (wm_batch_room_new(&job, 1, &room, &err) != WM_OK)
            abort();
        for (size_t k = 0; k < wm_owners_count(owners); k++) {
            wm_examples *examples = wm_owners_examples(owners, k);

            if (wm_examples_scale(examples, NULL, &err) != WM_OK)
                abort();
            for (int p = 0; p < WM_PARTS; p++) {
                for (uint32_t i = 0; i < wm_examples_count(examples, (wm_part)p); i++) {
                    wm_batch batch;

                    wm_examples_gather(examples, (wm_part)p, &i, 1, room, &batch);
                }
            }
        }
        wm_batch_room_free(room);
        wm_owners_free(owners);
    }
    close(fd);
    return 0;
}

/* tests/client/test_idx.c */
#include "tests/client/data_job.h"

#include <zlib.h>

/* Three images of 2 x 2 and their labels. */
static const uint8_t images_file[] = { 0, 0, 8, 3, 0, 0, 0,  3,  0,  0,  0,   2,   0,   0,
                                       0, 2, 0, 1, 2, 3, 10, 11, 12, 13, 255, 254, 253, 252 };
static const uint8_t labels_file[] = { 0, 0, 8, 1, 0, 0, 0, 3, 2, 0, 1 };

enum { IMAGES = sizeof images_file, LABELS = sizeof labels_file, IMAGES_HEADER = 16, LABELS_HEADER = 8 };

static wm_job idx_job(void)
{
    static const wm_job_input  input = { .name = "image", .kind = WM_INPUT_PIXELS, .pixels = { 3, { 2, 2, 1 } } };
    static const wm_job_target target = { .name = "digit", .column = "label", .classes = 3 };

    return (wm_job){
        .data = { .inputs = &input, .n_inputs = 1, .targets = &target, .n_targets = 1, .split = { .train = 1 } }
    };
}

static wm_status open_pair(const char *folder, const void *images, size_t n_images, const void *labels,
                           size_t n_labels, wm_owners **ret, wm_error *err)
{
    wm_idx_options     idx = { WORDS("images"), WORDS("labels") };
    wm_choice          source = test_choice(&wm_sources, "idx", &idx);
    wm_owners_settings settings = { .folder = folder, .source = &source };
    static wm_job      job; /* outlives the owners */

    job = idx_job();
    test_write(folder, "images", images, n_images);
    test_write(folder, "labels", labels, n_labels);
    return wm_owners_open(&job, &settings, ret, err);
}

static void expect_three(wm_owners *owners)
{
    static const float    want[12] = { 0, 1, 2, 3, 10, 11, 12, 13, 255, 254, 253, 252 };
    static const int32_t  classes[3] = { 2, 0, 1 };
    static const uint32_t index[3] = { 0, 1, 2 };
    wm_job                job = idx_job();
    wm_batch_room        *room;
    wm_batch              batch;
    wm_error              err;

    assert_int_equal(wm_examples_count(wm_owners_examples(owners, 0), WM_TRAIN), 3);
    assert_ok(wm_batch_room_new(&job, 3, &room, &err), &err);
    wm_examples_gather(wm_owners_examples(owners, 0), WM_TRAIN, index, 3, room, &batch);
    for (size_t v = 0; v < 12; v++)
        assert_true(batch.inputs[0][v] == want[v] / 255.0f);
    assert_memory_equal(batch.classes[0], classes, sizeof classes);
    wm_batch_room_free(room);
}

static void images_and_labels_are_read_plain_and_packed(void **state)
{
    char       folder[4096], *path;
    wm_owners *owners;
    wm_error   err;
    gzFile     file;

    (void)state;
    wm_test_folder(folder);
    assert_ok(open_pair(folder, images_file, IMAGES, labels_file, LABELS, &owners, &err), &err);
    expect_three(owners);
    wm_owners_free(owners);

    path = wm_path_join(folder, "packed");
    file = gzopen(path, "wb");
    assert_int_equal(gzwrite(file, images_file, IMAGES), IMAGES);
    assert_int_equal(gzclose(file), Z_OK);
    {
        uint8_t *packed;
        size_t   n;

        assert_ok(wm_files_system()->read(wm_files_system(), path, 4096, &packed, &n, &err), &err);
        assert_ok(open_pair(folder, packed, n, labels_file, LABELS, &owners, &err), &err);
        expect_three(owners);
        wm_owners_free(owners);
        for (size_t cut = 2; cut < n; cut++) /* of a packed file nothing may be missing, not even its checksum */
            assert_int_equal(open_pair(folder, packed, cut, labels_file, LABELS, &owners, &err), WM_E_MALFORMED);
        free(packed);
    }
    free(path);
    wm_folder_remove(folder, NULL);
}

static bool is_refusal(wm_status st)
{
    return st == WM_E_MALFORMED || st == WM_E_SHAPE;
}

/* The pixels of client k's only training image. */
static void image_of(wm_owners *owners, size_t k, float pixels[4], int32_t *class)
{
    static const uint32_t first = 0;
    wm_job                job = idx_job();
    wm_batch_room        *room;
    wm_batch              batch;
    wm_error              err;

    assert_int_equal(wm_examples_count(wm_owners_examples(owners, k), WM_TRAIN), 1);
    assert_ok(wm_batch_room_new(&job, 1, &room, &err), &err);
    wm_examples_gather(wm_owners_examples(owners, k), WM_TRAIN, &first, 1, room, &batch);
    memcpy(pixels, batch.inputs[0], 4 * sizeof *pixels);
    *class = batch.classes[0][0];
    wm_batch_room_free(room);
}

static void images_in_no_file_for_the_test_divide_by_their_place(void **state)
{
    static const size_t want[WM_PARTS] = { 1, 2, 3 };
    char                folder[4096];
    wm_idx_options      idx = { WORDS("*-images"), WORDS("*-labels") };
    wm_choice           source = test_choice(&wm_sources, "idx", &idx);
    wm_owners_settings  settings = { .folder = wm_test_folder(folder), .source = &source };
    wm_job              job = idx_job();
    wm_owners          *owners;
    wm_error            err;

    (void)state;
    test_write(folder, "a-images", images_file, IMAGES);
    test_write(folder, "a-labels", labels_file, LABELS);
    test_write(folder, "b-images", images_file, IMAGES);
    test_write(folder, "b-labels", labels_file, LABELS);
    job.data.split = (wm_job_split){ .kind = WM_SPLIT_FILES, .train = 0.4, .validate = 0.6, .test_files = "a-*" };
    assert_ok(wm_owners_open(&job, &settings, &owners, &err), &err);
    for (int p = 0; p < WM_PARTS; p++)
        assert_int_equal(wm_examples_count(wm_owners_examples(owners, 0), (wm_part)p), want[p]);
    wm_owners_free(owners);
    wm_folder_remove(folder, NULL);
}

static void a_gateway_keeps_the_images_that_it_is_dealt_and_no_others(void **state)
{
    static const struct {
        int64_t clients;
    } iid = { 3 };
    static const char *const column = "label";
    char                     folder[4096], name[] = "client-00?";
    wm_idx_options           idx = { WORDS("images"), WORDS("labels") };
    wm_choice source = test_choice(&wm_sources, "idx", &idx), owner = test_choice(&wm_owner_rules, "iid", &iid);
    wm_owners_settings settings = { .folder = wm_test_folder(folder), .source = &source, .owner = &owner };
    wm_job             job = idx_job();
    wm_owners         *all, *own;
    wm_error           err;

    (void)state;
    test_write(folder, "images", images_file, IMAGES);
    test_write(folder, "labels", labels_file, LABELS);
    assert_ok(wm_owners_open(&job, &settings, &all, &err), &err);
    for (size_t k = 0; k < 3; k++) {
        float   of_all[4], of_own[4];
        int32_t class_of_all, class_of_own;

        name[strlen(name) - 1] = (char)('0' + k);
        settings.only = name;
        assert_ok(wm_owners_open(&job, &settings, &own, &err), &err);
        assert_int_equal(wm_owners_count(own), 1);
        image_of(all, k, of_all, &class_of_all);
        image_of(own, 0, of_own, &class_of_own);
        assert_memory_equal(of_own, of_all, sizeof of_own);
        assert_int_equal(class_of_own, class_of_all);
        wm_owners_free(own);
    }
    wm_owners_free(all);
    settings.only = NULL;
    owner = test_choice(&wm_owner_rules, "column", &column);
    assert_int_equal(wm_owners_open(&job, &settings, &own, &err), WM_E_INVALID);
    assert_non_null(strstr(err.text, "images name no owner"));
    wm_folder_remove(folder, NULL);
}

static void images_and_rows_are_not_taken_for_each_other(void **state)
{
    wm_csv_options     csv = { WORDS("*.csv"), WORDS("NA"), ",", 0 };
    wm_choice          source = test_choice(&wm_sources, "csv", &csv);
    wm_owners_settings settings = { .folder = "/nowhere", .source = &source };
    wm_job             job = idx_job();
    wm_owners         *owners;
    wm_error           err;

    (void)state;
    assert_int_equal(wm_owners_open(&job, &settings, &owners, &err), WM_E_INVALID);
    assert_non_null(strstr(err.text, "csv has rows of readings and no images"));
}

static void every_flipped_header_byte_is_refused(void **state)
{
    char       folder[4096];
    uint8_t    images[IMAGES], labels[LABELS];
    wm_owners *owners;
    wm_error   err;

    (void)state;
    wm_test_folder(folder);
    for (int flip = 1; flip < 256; flip = flip * 2 + 1) {
        for (size_t i = 0; i < IMAGES_HEADER; i++) {
            memcpy(images, images_file, IMAGES);
            images[i] ^= (uint8_t)flip;
            assert_true(is_refusal(open_pair(folder, images, IMAGES, labels_file, LABELS, &owners, &err)));
            assert_non_null(strstr(err.text, "images"));
        }
        for (size_t i = 0; i < LABELS_HEADER; i++) {
            memcpy(labels, labels_file, LABELS);
            labels[i] ^= (uint8_t)flip;
            assert_true(is_refusal(open_pair(folder, images_file, IMAGES, labels, LABELS, &owners, &err)));
            assert_non_null(strstr(err.text, "labels"));
        }
    }
    wm_folder_remove(folder, NULL);
}

static void every_truncation_and_every_addition_is_refused(void **state)
{
    char       folder[4096];
    uint8_t    more[IMAGES + 1] = { 0 };
    wm_owners *owners;
    wm_error   err;

    (void)state;
    wm_test_folder(folder);
    for (size_t cut = 0; cut < IMAGES; cut++)
        assert_true(is_refusal(open_pair(folder, images_file, cut, labels_file, LABELS, &owners, &err)));
    for (size_t cut = 0; cut < LABELS; cut++)
        assert_true(is_refusal(open_pair(folder, images_file, IMAGES, labels_file, cut, &owners, &err)));
    memcpy(more, images_file, IMAGES);
    assert_int_equal(open_pair(folder, more, IMAGES + 1, labels_file, LABELS, &owners, &err), WM_E_MALFORMED);
    memcpy(more, labels_file, LABELS);
    assert_int_equal(open_pair(folder, images_file, IMAGES, more, LABELS + 1, &owners, &err), WM_E_MALFORMED);
    wm_folder_remove(folder, NULL);
}

static void labels_beyond_the_classes_and_odd_pairs_are_refused(void **state)
{
    char       folder[4096];
    uint8_t    labels[LABELS], huge[IMAGES];
    wm_owners *owners;
    wm_error   err;

    (void)state;
    wm_test_folder(folder);
    memcpy(labels, labels_file, LABELS);
    labels[LABELS - 1] = 3;
    assert_int_equal(open_pair(folder, images_file, IMAGES, labels, LABELS, &owners, &err), WM_E_MALFORMED);
    assert_non_null(strstr(err.text, "label 3 of entry 2"));
    memcpy(labels, labels_file, LABELS);
    labels[7] = 2;
    assert_int_equal(open_pair(folder, images_file, IMAGES, labels, LABELS - 1, &owners, &err), WM_E_MALFORMED);
    assert_non_null(strstr(err.text, "are they a pair"));
    /* A header that promises gigabytes is doubted before memory is taken. */
    memcpy(huge, images_file, IMAGES);
    huge[5] = 0x70;
    assert_int_equal(open_pair(folder, huge, IMAGES, labels_file, LABELS, &owners, &err), WM_E_MALFORMED);
    assert_non_null(strstr(err.text, "cannot hold"));
    wm_folder_remove(folder, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_and_labels_are_read_plain_and_packed),
        cmocka_unit_test(images_in_no_file_for_the_test_divide_by_their_place),
        cmocka_unit_test(a_gateway_keeps_the_images_that_it_is_dealt_and_no_others),
        cmocka_unit_test(images_and_rows_are_not_taken_for_each_other),
        cmocka_unit_test(every_flipped_header_byte_is_refused),
        cmocka_unit_test(every_truncation_and_every_addition_is_refused),
        cmocka_unit_test(labels_beyond_the_classes_and_odd_pairs_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/tool/predict/test_predict_refusals.c: what cannot be predicted, and how that is said. */
#include "tests/tool/predict/scene.h"

#include "common/files.h"

#include <math.h>

/* The last four bytes of the file, which are of the last layer's bias, become NaN. */
static void a_model_with_a_nan_in_it_is_refused_by_its_tensor(void **state)
{
    static const char *const commands[] = { "evaluate", "predict" };
    scene                   *s = *state;
    uint8_t                 *bytes;
    size_t                   n;
    float                    value = NAN;
    wm_error                 err;

    train(s, forecaster);
    assert_ok(wm_files_system()->read(wm_files_system(), s->model, 1 << 20, &bytes, &n, &err), &err);
    memcpy(bytes + n - sizeof value, &value, sizeof value);
    assert_ok(wm_files_system()->replace(wm_files_system(), s->model, bytes, n, 0600, &err), &err);
    free(bytes);
    for (size_t c = 0; c < 2; c++) {
        SAY(s, commands[c], s->model, s->folder);
        assert_int_not_equal(s->code, 0);
        assert_non_null(strstr(s->said, "tensor 3.dense.bias holds a value that is not finite"));
        assert_string_equal(s->out, "");
    }
}

/* A file of another program: the same tensors, and nothing about the job. */
static void write_foreign(const char *path)
{
    static const char header[] =
        "{\"1.dense.weight\":{\"dtype\":\"F32\",\"shape\":[16,8],\"data_offsets\":[0,512]},"
        "\"1.dense.bias\":{\"dtype\":\"F32\",\"shape\":[16],\"data_offsets\":[512,576]},"
        "\"3.dense.weight\":{\"dtype\":\"F32\",\"shape\":[1,16],\"data_offsets\":[576,640]},"
        "\"3.dense.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[640,644]}}";
    uint8_t bytes[8 + sizeof header - 1 + 644] = { 0 };
    FILE   *file = fopen(path, "w");

    bytes[0] = (uint8_t)((sizeof header - 1) & 0xff);
    bytes[1] = (uint8_t)((sizeof header - 1) >> 8);
    memcpy(bytes + 8, header, sizeof header - 1);
    assert_int_equal(fwrite(bytes, 1, sizeof bytes, file), sizeof bytes);
    fclose(file);
}

static void expect_refusal(const scene *s, const char *part)
{
    assert_int_equal(s->code, 1);
    assert_non_null(strstr(s->said, part));
}

static void what_cannot_be_predicted_is_said(void **state)
{
    static const char other_columns[] = "time,ozone\n2024-03-01 00:00,1\n2024-03-01 01:00,2\n";
    static const char short_one[] = "time,no2\n2024-03-01 00:00,1\n2024-03-01 01:00,2\n";
    scene            *s = *state;
    char              foreign[4300], other[4300], folder[4300], text[4096], data[4400];

    train(s, forecaster);
    snprintf(foreign, sizeof foreign, "%s/foreign.safetensors", s->folder);
    snprintf(folder, sizeof folder, "%s/new", s->folder);
    assert_ok(wm_files_system()->make_folder(wm_files_system(), folder, 0755, NULL), NULL);

    SAY(s, "predict", foreign, s->folder);
    expect_refusal(s, "foreign.safetensors");

    write_foreign(foreign);
    SAY(s, "predict", foreign, s->folder);
    expect_refusal(s, "holds no job, so no run of wardmote has left it");
    SAY(s, "predict", foreign, s->folder, "--job", s->job);
    expect_refusal(s, "holds no scaling, but the job's columns are scaled");
    SAY(s, "predict", "/nowhere/model.safetensors", s->folder);
    expect_refusal(s, "cannot open /nowhere/model.safetensors");

    snprintf(text, sizeof text, "%s%s%s", job_head, forecaster, job_tail);
    memcpy(strstr(text, "dense: 16"), "dense: 17", 9);
    write_text(s->folder, "other.yaml", text);
    snprintf(other, sizeof other, "%s/other.yaml", s->folder);
    SAY(s, "predict", s->model, s->folder, "--job", other);
    expect_refusal(s, "1.dense.weight");

    write_text(folder, "a.csv", other_columns);
    SAY(s, "predict", s->model, folder);
    expect_refusal(s, "a.csv:1: there is no column no2 in the header: time, ozone");

    write_text(folder, "a.csv", short_one);
    SAY(s, "predict", s->model, folder);
    expect_refusal(s, "nothing to predict from");

    snprintf(data, sizeof data, "%s/nowhere", s->folder);
    SAY(s, "predict", s->model, data);
    expect_refusal(s, "nowhere");
    SAY(s, "predict", s->model, s->folder, "--out", "/nowhere/at/all.csv");
    expect_refusal(s, "/nowhere/at/all.csv cannot be written");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_model_with_a_nan_in_it_is_refused_by_its_tensor),
        TEST(what_cannot_be_predicted_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

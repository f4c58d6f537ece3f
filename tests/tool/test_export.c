/* tests/tool/test_export.c: `wardmote export` of a run's model: the file holds what the model does, and says how its data
 * were scaled. That other runtimes say the same is tests/models/test_onnx.c's. */
#include "tests/tool/say.h"
#include "tests/unit.h"

#include "client/city.h"
#include "common/files.h"
#include "onnx.pb-c.h"

static void a_model_is_exported_with_its_scaling(void **state)
{
    char     folder[4096], city[4200], job[4300], run[4200], model[4300], to[4200], *out = NULL, *said = NULL;
    uint8_t *bytes;
    size_t   n, weights = 0;
    Onnx__ModelProto *file;
    wm_error          err;

    (void)state;
    wm_test_folder(folder);
    snprintf(city, sizeof city, "%s/city", folder);
    snprintf(job, sizeof job, "%s/city.yaml", city);
    snprintf(run, sizeof run, "%s/run", folder);
    snprintf(model, sizeof model, "%s/model.safetensors", run);
    snprintf(to, sizeof to, "%s/city.onnx", folder);
    assert_ok(wm_city_write(city, &(wm_city_settings){ .gateways = 2, .days = 20, .seed = 5 }, &err), &err);
    if (say(WARDMOTE("simulate", job, "--out", run, "--rounds", "1", "--set", "evaluate.baselines=[naive]", "--set",
                     "evaluate.anomaly={false_alarms: 0.1}"),
            &out, &said) != 0)
        fail_msg("%s", said);
    assert_int_equal(say(WARDMOTE("export", model), &out, &said), 2);
    assert_non_null(strstr(said, "say where to: --onnx FILE"));
    assert_int_equal(say(WARDMOTE("export", model, "--onnx", to), &out, &said), 0);
    assert_ok(wm_files_system()->read(wm_files_system(), to, 1 << 24, &bytes, &n, &err), &err);
    file = onnx__model_proto__unpack(NULL, n, bytes);
    assert_non_null(file);
    assert_int_equal(file->n_metadata_props, 3);
    assert_string_equal(file->metadata_props[0]->key, "job");
    assert_string_equal(file->metadata_props[1]->key, "scaling");
    assert_string_equal(file->metadata_props[2]->key, "threshold");
    assert_string_equal(file->graph->input[0]->name, "past");
    assert_string_equal(file->graph->output[0]->name, "pm25");
    for (size_t t = 0; t < file->graph->n_initializer; t++)
        weights += file->graph->initializer[t]->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    assert_int_equal(weights, 6); /* three dense layers */
    onnx__model_proto__free_unpacked(file, NULL);
    free(bytes);
    assert_int_equal(say(WARDMOTE("export", model, "--onnx", "/nowhere/at/all.onnx"), &out, &said), 1);
    assert_non_null(strstr(said, "/nowhere/at/all.onnx"));
    free(out);
    free(said);
    assert_ok(wm_folder_remove(folder, &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_is_exported_with_its_scaling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/models/test_start.c: models that begin with what a file has, of ours and of PyTorch (golden/start.safetensors, which
 * golden/make.py writes), and what is said of files that do not fit. */
#include "tests/models/golden.h"
#include "tests/models/words.h"

#include "models/safetensors.h"
#include "models/start.h"

#include <math.h>
#include <stdio.h>

typedef struct fixture {
    char     folder[4096], path[4200];
    wm_error err;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    wm_test_folder(f->folder);
    snprintf(f->path, sizeof f->path, "%s/base.safetensors", f->folder);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;

    assert_ok(wm_folder_remove(f->folder, &f->err), &f->err);
    free(f);
    return 0;
}

typedef struct net {
    wm_job   *job;
    wm_model *model;
    float    *params;
} net;

static net net_of(const char *layers, const char *more)
{
    wm_text text = WM_TEXT_INIT;
    net     ret;

    net_text(&text, &(net_words){ .shape = "4", .layers = layers, .loss = "mse", .width = 2, .model = more });
    ret.job = net_job("net.yaml", wm_text_chars(&text));
    ret.model = net_model_of("net.yaml", ret.job);
    ret.params = calloc(wm_model_n_params(ret.model) + 1, sizeof *ret.params);
    assert_non_null(ret.params);
    wm_text_release(&text);
    return ret;
}

static void net_release(net *n)
{
    wm_model_free(n->model);
    wm_job_free(n->job);
    free(n->params);
}

static const wm_tensor *tensor_of(const net *n, const char *name)
{
    for (size_t i = 0; i < wm_model_n_tensors(n->model); i++)
        if (strcmp(wm_model_tensor(n->model, i)->name, name) == 0)
            return wm_model_tensor(n->model, i);
    fail_msg("no tensor %s", name);
    return NULL;
}

static bool same_tensor(const net *a, const net *b, const char *name)
{
    const wm_tensor *x = tensor_of(a, name), *y = tensor_of(b, name);

    return x->n == y->n && memcmp(a->params + x->offset, b->params + y->offset, x->n * sizeof(float)) == 0;
}

static wm_status start(const fixture *f, net *n, wm_faults *faults, wm_error *err)
{
    wm_faults_init(faults, "net.yaml");
    return wm_start_read(wm_files_system(), f->path, n->model, faults, n->params, err);
}

static void started(const fixture *f, net *n)
{
    wm_faults faults;
    wm_error  err;

    if (start(f, n, &faults, &err) != WM_OK)
        fail_msg("%s %s", err.text, wm_text_chars(&faults.lines));
    wm_faults_release(&faults);
}

static const char layers[] = "[{name: a, dense: 5}, tanh, {name: b, dense: 3}, tanh, {name: y, dense: 2}]";

static void write_base(fixture *f)
{
    net base = net_of(layers, NULL);

    wm_model_init(base.model, 77, base.params);
    assert_ok(wm_safetensors_write(wm_files_system(), f->path, base.model, base.params, NULL, &f->err), &f->err);
    net_release(&base);
}

/* Whatever the order in the vector, and beside what begins anew. */
static void a_model_begins_with_what_the_file_has(void **state)
{
    static const struct {
        const char *layers, *more;
        const char *same[4], *fresh[2]; /* tensors that are the file's, and that are the seed's */
    } rows[] = {
        { layers, "start: base.safetensors", { "a.weight", "a.bias", "b.weight", "y.bias" }, { NULL } },
        { layers,
          "start: base.safetensors\n  freeze: b",
          { "a.weight", "a.bias", "b.weight", "y.bias" },
          { NULL } },
        { layers, "start: base.safetensors\n  personal: y", { "a.weight", "a.bias", "b.weight" }, { NULL } },
        { layers, "start: {file: base.safetensors, fresh: y}", { "a.weight", "b.weight" }, { "y.weight" } },
        { "[{name: a, dense: 5}, tanh, {name: b, dense: 3}, tanh, {name: c, dense: 9}, {name: y, dense: 2}]",
          "start: {file: base.safetensors, fresh: [y, c]}",
          { "a.weight", "b.weight" },
          { "y.weight", "c.weight" } },
    };
    fixture *f = *state;
    net      base = net_of(layers, NULL);

    write_base(f);
    wm_model_init(base.model, 77, base.params);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        net n = net_of(rows[i].layers, rows[i].more), plain = net_of(rows[i].layers, NULL);

        wm_model_init(plain.model, n.job->seed, plain.params);
        started(f, &n);
        for (size_t k = 0; k < 4 && rows[i].same[k] != NULL; k++)
            assert_case(rows[i].more, same_tensor(&n, &base, rows[i].same[k]));
        for (size_t k = 0; k < 2 && rows[i].fresh[k] != NULL; k++)
            assert_case(rows[i].more, same_tensor(&n, &plain, rows[i].fresh[k]));
        net_release(&n);
        net_release(&plain);
    }
    net_release(&base);
}

/* With a batch norm, whose count of batches is a whole number, and in torch's own order of tensors. */
static void a_file_of_pytorch_begins_a_model(void **state)
{
    fixture *f = *state;
    net      n = net_of("[{name: a, dense: 5}, {name: n, batch_norm: {}}, tanh, {name: y, dense: 2}]",
                        "personal: n\n  start: start.safetensors");
    uint64_t s = 1;

    snprintf(f->path, sizeof f->path, "%s/tests/models/golden/start.safetensors", wm_test_source());
    started(f, &n);
    assert_int_equal(wm_model_n_params(n.model), 37);
    for (size_t p = 0; p < 37; p++)
        assert_true(n.params[p] == golden_number(&s));
    net_release(&n);
}

static void files_that_do_not_fit_are_told_with_both_shapes(void **state)
{
    static const struct {
        const char *layers, *more, *says[3];
    } rows[] = {
        { "[{name: a, dense: 6}, tanh, {name: b, dense: 3}, tanh, {name: y, dense: 2}]",
          "start: base.safetensors",
          { "tensor a.weight is 5 x 4 there, and 6 x 4 in the model",
            "tensor a.bias is 5 there, and 6 in the model",
            "tensor b.weight is 3 x 5 there, and 3 x 6 in the model" } },
        { "[{name: a, dense: 5}, tanh, {name: c, dense: 3}, tanh, {name: y, dense: 2}]",
          "start: base.safetensors",
          { "tensor c.weight of the model, 3 x 5, is missing", "tensor b.weight is of no layer of the model",
            "tensor b.bias is of no layer of the model" } },
        { "[{name: a, dense: 5}, tanh, {name: y, dense: 2}]",
          "start: base.safetensors",
          { "tensor y.weight is 2 x 3 there, and 2 x 5 in the model", "tensor b.weight is of no layer" } },
    };
    fixture *f = *state;

    write_base(f);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        net       n = net_of(rows[i].layers, rows[i].more);
        wm_faults faults;

        assert_int_equal(start(f, &n, &faults, &f->err), WM_E_INVALID);
        for (size_t k = 0; k < 3 && rows[i].says[k] != NULL; k++)
            if (strstr(wm_text_chars(&faults.lines), rows[i].says[k]) == NULL ||
                strncmp(wm_text_chars(&faults.lines), "net.yaml:10:10: model.start: ", 29) != 0)
                fail_msg("wanted: %s\n%s", rows[i].says[k], wm_text_chars(&faults.lines));
        wm_faults_release(&faults);
        net_release(&n);
    }
}

static void write_file(fixture *f, const char *header, size_t n_data, float value)
{
    uint64_t length = strlen(header);
    wm_text  text = WM_TEXT_INIT;

    wm_text_add_bytes(&text, &length, sizeof length);
    wm_text_add(&text, header);
    for (size_t i = 0; i < n_data / sizeof value; i++)
        wm_text_add_bytes(&text, &value, sizeof value);
    assert_ok(
        wm_files_system()->replace(wm_files_system(), f->path, wm_text_chars(&text), text.size, 0600, &f->err),
        &f->err);
    wm_text_release(&text);
}

#define Y_BIAS "\"y.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[32,40]}"

static void damaged_files_are_refused(void **state)
{
    static const struct {
        const char *header;
        size_t      n_data;
        float       value;
        const char *says;
    } rows[] = {
        { "{\"y.weight\":{\"dtype\":\"F32\",\"shape\":[2,4],\"data_offsets\":[0,32]}," Y_BIAS "}", 40, NAN,
          "tensor y.weight holds a value that is not finite" },
        { "{\"y.weight\":{\"dtype\":\"F16\",\"shape\":[2,4],\"data_offsets\":[0,32]}," Y_BIAS "}", 40, 1,
          "tensor y.weight is not of type F32" },
        { "{\"y.weight\":{\"dtype\":\"F32\",\"shape\":[2,4],\"data_offsets\":[0,36]}," Y_BIAS "}", 40, 1,
          "overlap" },
        { "{\"y.weight\":{\"dtype\":\"F32\",\"shape\":[2,4],\"data_offsets\":[0,28]}," Y_BIAS "}", 40, 1,
          "leave a hole" },
        { "{\"y.weight\":{\"dtype\":\"F32\",\"shape\":[2,4],\"data_offsets\":[0,32]}," Y_BIAS "}", 44, 1,
          "4 bytes behind the last tensor" },
        { "{\"y.weight\":{\"dtype\":\"F32\",\"shape\":[2,4],\"data_offsets\":[0,99]}," Y_BIAS "}", 40, 1,
          "does not lie within" },
        { "{\"y.weight\":{\"dtype\":\"F32\",\"shape\":\"none\",\"data_offsets\":[0,32]}," Y_BIAS "}", 40, 1,
          "tensor y.weight is of no dimension there, and 2 x 4 in the model" },
        { "{\"y.weight\":3," Y_BIAS "}", 40, 1, "does not lie within" },
        { "[]", 0, 1, "does not begin with {" },
    };
    fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        net       n = net_of("[{name: y, dense: 2}]", "start: base.safetensors");
        wm_faults faults;
        wm_status st;

        write_file(f, rows[i].header, rows[i].n_data, rows[i].value);
        st = start(f, &n, &faults, &f->err);
        assert_case(rows[i].says, st == WM_E_INVALID || st == WM_E_MALFORMED);
        if (strstr(f->err.text, rows[i].says) == NULL && strstr(wm_text_chars(&faults.lines), rows[i].says) == NULL)
            fail_msg("wanted: %s\n%s %s", rows[i].says, f->err.text, wm_text_chars(&faults.lines));
        wm_faults_release(&faults);
        net_release(&n);
    }
}

static void words_that_cannot_be_are_refused_at_their_place(void **state)
{
    static const net_mistake rows[] = {
        { "{name: a, dense: 5}, {dense: 2}", "b]", "\"b\" is not the name of a layer",
          "start: {file: f, fresh: [a, b]}" },
        { "{name: a, dense: 5}, {dense: 2}", "a}", "\"a\" is personal: it begins by its initialiser anyway",
          "personal: a\n  start: {file: f, fresh: a}" },
        { "{name: a, dense: 5}, {dense: 2}", "0123", "is no SHA-256", "start: {file: f, parameters: 0123}" },
        { "{name: a, dense: 5}, {dense: 2}", "{fresh", "must be given", "start: {fresh: a}" },
        { "{name: a, dense: 5}, {dense: 2}", "path", "unknown key", "start: {file: f, path: a}" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        net_assert_mistake(&rows[i], "4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_model_begins_with_what_the_file_has, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_of_pytorch_begins_a_model, setup, teardown),
        cmocka_unit_test_setup_teardown(files_that_do_not_fit_are_told_with_both_shapes, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_files_are_refused, setup, teardown),
        cmocka_unit_test(words_that_cannot_be_are_refused_at_their_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

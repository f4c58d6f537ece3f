/* tests/models/test_safetensors.c: what is written comes back; what a stranger wrote is checked byte by byte. */
#include "tests/models/net.h"

#include "models/safetensors.h"

#include <math.h>

/* ---- a disk of one file in memory ---- */

typedef struct memory {
    uint8_t *bytes;
    size_t   n;
} memory;

static wm_status memory_replace(const wm_files *self, const char *path, const void *bytes, size_t n, unsigned mode,
                                wm_error *err)
{
    memory *at = self->state;

    (void)path;
    (void)mode;
    (void)err;
    free(at->bytes);
    at->bytes = malloc(n + 1);
    assert_non_null(at->bytes);
    memcpy(at->bytes, bytes, n);
    at->n = n;
    return WM_OK;
}

static wm_status memory_read(const wm_files *self, const char *path, size_t limit, uint8_t **ret, size_t *n,
                             wm_error *err)
{
    const memory *at = self->state;

    if (at->n > limit)
        return wm_fail(err, WM_E_RANGE, "%s is over %zu bytes", path, limit);
    *ret = malloc(at->n + 1);
    assert_non_null(*ret);
    memcpy(*ret, at->bytes, at->n);
    (*ret)[at->n] = 0;
    *n = at->n;
    return WM_OK;
}

typedef struct shelf {
    memory    disk;
    wm_files  files;
    test_net  net;
    wm_model *model;
    float    *params, *back;
} shelf;

/* "a": {2, 3} and {2}; "b": {1, 2} and {1}; 11 parameters, 44 bytes */
static void shelf_init(shelf *s)
{
    memset(s, 0, sizeof *s);
    s->files = (wm_files){ .replace = memory_replace, .read = memory_read, .state = &s->disk };
    net_init(&s->net);
    net_input(&s->net, "x", (wm_shape){ .rank = 1, .dim = { 3 } });
    s->net.units[0] = 2;
    net_member_layer(&s->net, "a", NULL, net_member(&wm_layers, "dense"), &s->net.units[0]);
    s->net.units[1] = 1;
    net_member_layer(&s->net, "b", NULL, net_member(&wm_layers, "dense"), &s->net.units[1]);
    net_target(&s->net, "y", 1, 0, net_member(&wm_losses, "mse"), "b", 1);
    s->model = net_model(&s->net);
    s->params = net_params(s->model, 1);
    s->back = calloc(wm_model_n_params(s->model), sizeof *s->back);
    assert_non_null(s->back);
}

static void shelf_release(shelf *s)
{
    free(s->disk.bytes);
    free(s->params);
    free(s->back);
    wm_model_free(s->model);
}

/* The file becomes a header and 44 bytes of data, or `n_data`. */
static void put(shelf *s, const char *header, size_t n_data)
{
    size_t n = strlen(header);

    free(s->disk.bytes);
    s->disk.n = 8 + n + n_data;
    s->disk.bytes = calloc(1, s->disk.n + 1);
    assert_non_null(s->disk.bytes);
    for (int i = 0; i < 8; i++)
        s->disk.bytes[i] = (uint8_t)(n >> (8 * i));
    memcpy(s->disk.bytes + 8, header, n);
}

static void what_is_written_comes_back(void **state)
{
    static const wm_metadata metadata[] = { { "job", "job: \"air\"\nrounds: 3 # \xc3\xa4\n" },
                                            { "scaling", "" },
                                            { 0 } };
    shelf                    s;
    char                    *text = NULL;
    wm_error                 err;

    (void)state;
    shelf_init(&s);
    s.params[0] = -0.0f;
    s.params[1] = 1e-42f;
    s.params[10] = INFINITY;
    assert_ok(wm_safetensors_write(&s.files, "m", s.model, s.params, metadata, &err), &err);
    assert_int_equal((s.disk.n - 44) % 8, 0); /* the data is aligned */
    assert_ok(wm_safetensors_read(&s.files, "m", s.model, s.back, &err), &err);
    assert_memory_equal(s.params, s.back, 11 * sizeof(float));
    assert_ok(wm_safetensors_metadata(&s.files, "m", "job", &text, &err), &err);
    assert_string_equal(text, metadata[0].text);
    free(text);
    text = NULL;
    assert_int_equal(wm_safetensors_metadata(&s.files, "m", "seed", &text, &err), WM_E_MISSING);
    assert_null(text);
    assert_ok(wm_safetensors_write(&s.files, "m", s.model, s.params, NULL, &err), &err);
    assert_int_equal(wm_safetensors_metadata(&s.files, "m", "job", &text, &err), WM_E_MISSING);
    shelf_release(&s);
}

/* The layout as its description has it, byte by byte. */
static void the_file_is_what_the_format_says(void **state)
{
    static const char want[] = "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
                               "\"a.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[24,32]},"
                               "\"b.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[32,40]},"
                               "\"b.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[40,44]}}";
    size_t            n = sizeof want - 1, padded = (n + 7) / 8 * 8;
    shelf             s;
    wm_error          err;

    (void)state;
    shelf_init(&s);
    s.params[0] = 1.0f;
    assert_ok(wm_safetensors_write(&s.files, "m", s.model, s.params, NULL, &err), &err);
    assert_int_equal(s.disk.n, 8 + padded + 44);
    assert_int_equal(s.disk.bytes[0] | s.disk.bytes[1] << 8, padded);
    assert_memory_equal(s.disk.bytes + 8, want, n);
    for (size_t i = n; i < padded; i++)
        assert_int_equal(s.disk.bytes[8 + i], ' ');
    assert_memory_equal(s.disk.bytes + 8 + padded, "\x00\x00\x80\x3f", 4);
    shelf_release(&s);
}

static void a_text_that_is_not_utf8_is_not_written(void **state)
{
    static const wm_metadata metadata[] = { { "job", "\xff\xfe" }, { 0 } };
    shelf                    s;
    wm_error                 err;

    (void)state;
    shelf_init(&s);
    assert_int_equal(wm_safetensors_write(&s.files, "m", s.model, s.params, metadata, &err), WM_E_INVALID);
    assert_int_equal(s.disk.n, 0);
    shelf_release(&s);
}

#define A_WEIGHT        "\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}"
#define A_BIAS          "\"a.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[24,32]}"
#define B_WEIGHT        "\"b.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[32,40]}"
#define B_BIAS          "\"b.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[40,44]}"
#define WITH_BIAS(bias) "{" A_WEIGHT "," A_BIAS "," B_WEIGHT ",\"b.bias\":" bias "}"

static void wrong_files_are_refused_by_name(void **state)
{
    static const struct {
        const char *header, *want;
        size_t      n_data;
        wm_status   status;
    } rows[] = {
        { "", "does not begin with {", 44, WM_E_MALFORMED },
        { "[]", "does not begin with {", 44, WM_E_MALFORMED },
        { " {}", "does not begin with {", 44, WM_E_MALFORMED },
        { "{\"a", "header:", 44, WM_E_MALFORMED },
        { "{}", "a.weight of the model, 2 x 3, is missing", 44, WM_E_SHAPE },
        { "{" A_WEIGHT "," A_WEIGHT "," A_BIAS "," B_WEIGHT "," B_BIAS "}", "duplicate", 44, WM_E_MALFORMED },
        { "{" A_WEIGHT "," A_BIAS "," B_WEIGHT "}", "b.bias of the model, 1, is missing", 40, WM_E_SHAPE },
        { "{" A_WEIGHT "," A_BIAS "," B_WEIGHT "," B_BIAS
          ",\"c\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[44,44]}}",
          "5 tensors, the model has 4", 44, WM_E_SHAPE },
        { WITH_BIAS("7"), "not of type F32", 44, WM_E_SHAPE },
        { WITH_BIAS("{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[40,44]}"), "not of type F32", 44,
          WM_E_SHAPE },
        { WITH_BIAS("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[40,44]}"),
          "b.bias is 2 there, and 1 in the model", 44, WM_E_SHAPE },
        { WITH_BIAS("{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[40,44]}"),
          "b.bias is 1 x 1 there, and 1 in the model", 44, WM_E_SHAPE },
        { WITH_BIAS("{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[40,44]}"), ", and 1 in the model", 44,
          WM_E_SHAPE },
        { WITH_BIAS("{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[40,44]}"), ", and 1 in the model", 44,
          WM_E_SHAPE },
        { WITH_BIAS("{\"dtype\":\"F32\",\"shape\":[4294967297],\"data_offsets\":[40,44]}"), ", and 1 in the model",
          44, WM_E_SHAPE },
        { WITH_BIAS("{\"dtype\":\"F32\",\"shape\":[1]}"), "does not lie within", 44, WM_E_MALFORMED },
        { WITH_BIAS("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[40]}"), "does not lie within", 44,
          WM_E_MALFORMED },
        { WITH_BIAS("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[44,40]}"), "does not lie within", 44,
          WM_E_MALFORMED },
        { WITH_BIAS("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}"), "does not lie within", 44,
          WM_E_MALFORMED },
        { WITH_BIAS("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[40,48]}"), "does not lie within", 44,
          WM_E_MALFORMED },
        { WITH_BIAS("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[40,9223372036854775807]}"),
          "does not lie within", 44, WM_E_MALFORMED },
        { WITH_BIAS("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[40,18446744073709551660]}"), "header:", 44,
          WM_E_MALFORMED },
        { WITH_BIAS("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[40,NaN]}"), "header:", 44, WM_E_MALFORMED },
        { WITH_BIAS("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[36,44]}"), "has 8 bytes, its shape needs 4",
          44, WM_E_MALFORMED },
        { WITH_BIAS("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[36,40]}"), "overlap at byte 36", 44,
          WM_E_MALFORMED },
        { WITH_BIAS("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[44,48]}"), "leave a hole at byte 44", 48,
          WM_E_MALFORMED },
        { WITH_BIAS("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[40,44]}"), "4 bytes behind the last tensor",
          48, WM_E_MALFORMED },
        { WITH_BIAS("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[40,44]}"), "does not lie within", 43,
          WM_E_MALFORMED },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static const float zeros[11] = { 0 };
        shelf              s;
        wm_status          st;
        wm_error           err;

        shelf_init(&s);
        put(&s, rows[i].header, rows[i].n_data);
        memset(s.disk.bytes + s.disk.n - rows[i].n_data, 0x3f, rows[i].n_data);
        st = wm_safetensors_read(&s.files, "m.safetensors", s.model, s.back, &err);
        if (st != rows[i].status || strstr(err.text, rows[i].want) == NULL ||
            strncmp(err.text, "m.safetensors: ", 15) != 0)
            fail_msg("%s: want \"%s\", have %s: \"%s\"", rows[i].header, rows[i].want, wm_status_name(st),
                     st != WM_OK ? err.text : "");
        assert_memory_equal(s.back, zeros, sizeof zeros);
        shelf_release(&s);
    }
}

static void lengths_of_the_header_are_checked_first(void **state)
{
    static const uint64_t lengths[] = { 3, 1000, (8 << 20) + 1, UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 63 };
    shelf                 s;
    wm_error              err;

    (void)state;
    shelf_init(&s);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        put(&s, "{}", 0);
        for (int b = 0; b < 8; b++)
            s.disk.bytes[b] = (uint8_t)(lengths[i] >> (8 * b));
        assert_int_equal(wm_safetensors_read(&s.files, "m", s.model, s.back, &err), WM_E_MALFORMED);
    }
    for (s.disk.n = 0; s.disk.n < 8; s.disk.n++)
        assert_int_equal(wm_safetensors_read(&s.files, "m", s.model, s.back, &err), WM_E_MALFORMED);
    shelf_release(&s);
}

/* Cut off anywhere it is refused; with any byte of the header changed it is refused or it is the same model. */
static void damaged_files_are_refused_or_read_right(void **state)
{
    shelf    s;
    size_t   n, header;
    uint8_t *whole;
    wm_error err;

    (void)state;
    shelf_init(&s);
    assert_ok(wm_safetensors_write(&s.files, "m", s.model, s.params, NULL, &err), &err);
    n = s.disk.n;
    header = n - 44;
    whole = malloc(n);
    assert_non_null(whole);
    memcpy(whole, s.disk.bytes, n);
    for (s.disk.n = 0; s.disk.n < n; s.disk.n++)
        assert_int_not_equal(wm_safetensors_read(&s.files, "m", s.model, s.back, &err), WM_OK);
    for (size_t at = 0; at < header; at++)
        for (int bit = 0; bit < 8; bit++) {
            s.disk.bytes[at] ^= (uint8_t)(1 << bit);
            if (wm_safetensors_read(&s.files, "m", s.model, s.back, &err) == WM_OK)
                assert_memory_equal(s.back, s.params, 44);
            s.disk.bytes[at] = whole[at];
        }
    free(whole);
    shelf_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_comes_back),
        cmocka_unit_test(the_file_is_what_the_format_says),
        cmocka_unit_test(a_text_that_is_not_utf8_is_not_written),
        cmocka_unit_test(wrong_files_are_refused_by_name),
        cmocka_unit_test(lengths_of_the_header_are_checked_first),
        cmocka_unit_test(damaged_files_are_refused_or_read_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/config/test_job.c
 *
 * The job file: the grammar's examples as records, every default, every setting that is handed in. */
#include "tests/config/jobs.h"

static void test_the_first_example(void **state)
{
    wm_job              *job = parse_well(example, NULL, 0);
    const wm_job_column *c;
    wm_shape             shape;

    (void)state;
    assert_string_equal(job->name, "air-quality");
    assert_string_equal(job->data.source.member->name, "csv");
    assert_string_equal(((const test_words *)job->data.source.options)->first, "*.csv.gz");
    assert_string_equal(((const test_words *)job->data.source.options)->second, ",");
    assert_string_equal(job->data.owner.member->name, "column");
    assert_int_equal(job->data.time_columns.count, 4);
    assert_string_equal(job->data.zone, "Asia/Shanghai");
    assert_null(job->data.time_format);
    assert_int_equal(job->data.step_ms, 0);

    assert_int_equal(job->data.n_columns, 4);
    c = wm_job_find_column(job, "PM2.5");
    assert_true(c->kind == WM_COLUMN_NUMBER && c->has_range && c->low == 0 && c->high == 1000);
    assert_true(c->fill == WM_FILL_LAST && c->fill_limit == 6 && c->mask && c->scale == WM_SCALE_FEDERATED);
    assert_int_equal(wm_job_channels(c), 2); /* and the mask */
    c = wm_job_find_column(job, "TEMP");
    assert_true(c->low == -40 && c->fill == WM_FILL_NONE && !c->mask);
    c = wm_job_find_column(job, "wd");
    assert_true(c->kind == WM_COLUMN_COMPASS && c->compass_points == 16 && wm_job_channels(c) == 2);
    c = wm_job_find_column(job, "hour");
    assert_true(c->kind == WM_COLUMN_CYCLE && c->cycle_ms == 86400000);
    assert_int_equal(c->place.line, 10);
    assert_null(wm_job_find_column(job, "month"));

    assert_int_equal(job->data.n_inputs, 1);
    wm_job_input_shape(job, 0, &shape);
    assert_true(shape.rank == 2 && shape.dim[0] == 24 && shape.dim[1] == 2 + 1 + 2 + 2);
    assert_int_equal(job->data.n_targets, 1);
    assert_int_equal(job->data.targets[0].ahead.items[0], 6 * 3600000);
    assert_int_equal(wm_job_target_width(job, 0), 1);
    assert_true(wm_job_needs_statistics(job));
    assert_int_equal(job->data.rows_min, 100);
    assert_int_equal(job->data.split.kind, WM_SPLIT_TIME);
    assert_true(job->data.split.train == 0.7 && job->data.split.validate == 0.1 && job->data.split.test == 0.2);

    assert_int_equal(job->model.n_layers, 4);
    assert_string_equal(job->model.layers[1].name, "1.dense");
    assert_string_equal(job->model.layers[1].layer.path, "model.layers[1]");
    assert_int_equal(((const test_dense *)job->model.layers[1].layer.options)->units, 64);
    assert_int_equal(job->model.layers[1].from.count, 0);
    assert_int_equal(job->model.n_losses, 1);
    assert_string_equal(job->model.losses[0].target, "pm25");
    assert_string_equal(job->model.losses[0].head, "3.dense");
    assert_true(job->model.losses[0].weight == 1);

    assert_string_equal(job->training.rate.member->name, "constant");
    assert_true(((const test_number *)job->training.rate.options)->value == 0.05);
    assert_true(job->training.batch == 32 && job->training.epochs == 1 && job->training.clip == 0);
    assert_int_equal(job->rounds, 30);
    assert_true(job->cohort.quorum == 0.7 && job->cohort.deadline_ms == 60000);
    assert_string_equal(job->strategy.member->name, "fedavg");
    assert_int_equal(job->evaluate.n_metrics, 2);
    assert_string_equal(job->evaluate.metrics[1].member->name, "mae");
    assert_int_equal(job->evaluate.baselines, WM_BASELINE_NAIVE | WM_BASELINE_ALONE | WM_BASELINE_POOLED);
    assert_int_equal(job->seed, 1);

    /* nothing was set: the text is the file's, comments and all */
    assert_int_equal(job->n_text, strlen(example));
    assert_string_equal(job->text, example);
    wm_job_free(job);
}

static void test_several_inputs_and_targets(void **state)
{
    wm_job  *job = parse_well(river, NULL, 0);
    wm_shape shape;

    (void)state;
    assert_int_equal(job->data.time_columns.count, 1);
    assert_string_equal(job->data.zone, "UTC");
    assert_int_equal(job->data.columns[0].scale, WM_SCALE_CLIENT);
    assert_true(job->data.columns[1].fill == WM_FILL_LINEAR && job->data.columns[1].fill_limit == 6);
    assert_true(job->data.columns[2].fill == WM_FILL_ZERO && wm_job_channels(&job->data.columns[2]) == 2);
    assert_int_equal(job->data.inputs[0].every_ms, 600000);
    wm_job_input_shape(job, 0, &shape);
    assert_true(shape.rank == 2 && shape.dim[0] == 36 && shape.dim[1] == 3);
    wm_job_input_shape(job, 1, &shape);
    assert_true(shape.rank == 1 && shape.dim[0] == 2);
    assert_true(job->data.targets[0].difference);
    assert_int_equal(wm_job_target_width(job, 0), 2);
    assert_int_equal(job->data.targets[1].classes, 2); /* as many as there are categories */
    assert_int_equal(wm_job_target_width(job, 1), 2);
    assert_int_equal(job->data.split.kind, WM_SPLIT_TIME); /* there is a time */
    assert_false(wm_job_needs_statistics(job));

    assert_string_equal(job->model.layers[1].from.items[1], "when");
    assert_string_equal(job->model.layers[2].name, "2.relu");
    assert_false(((const test_dense *)job->model.layers[4].layer.options)->bias);
    assert_int_equal(job->model.n_losses, 2);
    assert_string_equal(job->model.losses[0].head, "rise");
    assert_int_equal(((const test_list *)job->model.losses[0].loss.options)->values.count, 3);
    assert_string_equal(job->model.losses[1].head, "alarm");
    assert_true(job->model.losses[1].weight == 0.2);
    assert_true(((const test_number *)job->training.optimiser.options)->value == 0.9);
    assert_true(job->training.clip == 1);
    assert_true(job->cohort.over == 1.3);
    assert_true(((const test_number *)job->strategy.options)->value == 0.5);
    assert_true(job->evaluate.n_metrics == 1 && job->evaluate.patience == 10 && job->evaluate.every == 5);
    wm_job_free(job);
}

static const char least[] = "job: a\n"
                            "data:\n"
                            "  inputs: {image: {pixels: [28, 28, 1]}}\n"
                            "  targets: {digit: {column: label, classes: 10}}\n"
                            "model: {layers: [flatten, {dense: 10}], loss: cross_entropy}\n"
                            "training: {rate: 0.1}\n"
                            "rounds: 5\n"
                            "evaluate: {metrics: accuracy}\n";

static void test_the_defaults(void **state)
{
    wm_job  *job = parse_well(least, NULL, 0), *again;
    wm_shape shape;

    (void)state;
    wm_job_input_shape(job, 0, &shape);
    assert_true(shape.rank == 3 && shape.dim[0] == 28 && shape.dim[2] == 1);
    assert_int_equal(wm_job_target_width(job, 0), 10);
    assert_null(job->data.source.member);
    assert_null(job->data.owner.member);
    assert_int_equal(job->data.time_columns.count, 0);
    assert_int_equal(job->data.scale, WM_SCALE_NONE);
    assert_int_equal(job->data.split.kind, WM_SPLIT_RANDOM); /* there is no time */
    assert_true(job->data.split.train == 0.7);
    assert_string_equal(job->training.optimiser.member->name, "sgd");
    assert_int_equal(job->training.batch, 32);
    assert_int_equal(job->training.epochs, 1);
    assert_string_equal(job->cohort.select.member->name, "all");
    assert_true(job->cohort.over == 1 && job->cohort.quorum == 0.5 && job->cohort.bound == 16);
    assert_int_equal(job->cohort.deadline_ms, 600000);
    assert_int_equal(job->cohort.attempts, 10);
    assert_int_equal(job->cohort.minimum, 1);
    assert_int_equal(job->cohort.weight_cap, 1 << 20);
    assert_string_equal(job->strategy.member->name, "fedavg");
    assert_string_equal(job->evaluate.select.member->name, "all");
    assert_true(job->evaluate.every == 1 && job->evaluate.baselines == 0 && job->evaluate.patience == 0);
    assert_int_equal(job->keep, 5);
    assert_int_equal(job->seed, 1);

    /* the seed that was taken is recorded, and what is recorded is a job that records itself */
    assert_non_null(strstr(job->text, "\nseed: 1\n"));
    again = parse_well(job->text, NULL, 0);
    assert_string_equal(again->text, job->text);
    wm_job_free(again);
    wm_job_free(job);
}

static void test_families_that_are_not_handed_in(void **state)
{
    wm_job_families server = test_families;
    wm_job         *job = NULL;
    wm_faults       faults;
    wm_error        err;

    (void)state;
    server.sources = server.owners = NULL;
    wm_faults_init(&faults, "air.yaml");
    assert_ok(wm_job_parse("air.yaml", example, strlen(example), &server, NULL, 0, &faults, &job, &err), &err);
    assert_null(job->data.source.member);
    wm_job_free(job);
}

static void test_a_warm_start(void **state)
{
    static const char sum[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    char              whole[256];
    wm_setting        bare = { "model.start", "base.safetensors" }, beside = { "model.start", whole };
    wm_job           *job;

    (void)state;
    job = parse_well(example, NULL, 0);
    assert_null(job->model.start.file);
    wm_job_free(job);

    job = parse_well(example, &bare, 1);
    assert_string_equal(job->model.start.file, "base.safetensors");
    assert_false(job->model.start.has_parameters);
    for (size_t i = 0; i < job->model.n_layers; i++)
        assert_false(job->model.layers[i].fresh);
    wm_job_free(job);

    snprintf(whole, sizeof whole, "{file: base.safetensors, fresh: 3.dense, parameters: %s}", sum);
    job = parse_well(example, &beside, 1);
    assert_string_equal(job->model.start.file, "base.safetensors");
    assert_true(job->model.layers[3].fresh && !job->model.layers[1].fresh);
    assert_true(job->model.start.has_parameters && job->model.start.parameters.bytes[0] == 0xba &&
                job->model.start.parameters.bytes[31] == 0xad);
    wm_job_free(job);
}

static void test_settings_are_checked_and_recorded(void **state)
{
    const wm_setting settings[] = {
        { "seed", "42" },
        { "model.layers[1].dense", "32" },
        { "data.owner", "{iid: {clients: 10}}" },
        { "data.columns.PM2.5.range", "[0, 500]" },
        { "cohort.select", "{uniform: 0.1}" },
    };
    const wm_setting wrong[] = { { "training.rate", "fast" }, { "rounds", "0" }, { "data.colums", "{}" } };
    wm_job          *job = parse_well(example, settings, 5), *again;
    wm_faults        faults;

    (void)state;
    assert_int_equal(job->seed, 42);
    assert_int_equal(((const test_dense *)job->model.layers[1].layer.options)->units, 32);
    assert_string_equal(job->data.owner.member->name, "iid");
    assert_true(wm_job_find_column(job, "PM2.5")->high == 500);
    again = parse_well(job->text, NULL, 0);
    assert_int_equal(again->seed, 42);
    assert_int_equal(((const test_dense *)again->model.layers[1].layer.options)->units, 32);
    assert_string_equal(again->text, job->text);
    wm_job_free(again);
    wm_job_free(job);

    job = NULL;
    assert_int_equal(parse(example, wrong, 3, &faults, &job), WM_E_INVALID);
    assert_null(job);
    assert_string_equal(wm_text_chars(&faults.lines),
                        "--set: training.rate: \"fast\" is not a known schedule; known here: constant, halving\n"
                        "--set: rounds: \"0\" is out of range: it must be from 1 to 1000000000\n"
                        "--set: data.colums: unknown key; did you mean \"columns\"?\n");
    wm_faults_release(&faults);
}

static void test_splits(void **state)
{
    const wm_setting files[] = { { "data.split", "{files: {test: 't10k-*', validate: v-*}}" } };
    const wm_setting file[] = { { "data.split", "{files: 't10k-*'}" } };
    const wm_setting rest[] = { { "data.split", "{files: {test: 't10k-*', shares: [0.7, 0.3, 0]}}" } };
    const wm_setting owners[] = { { "data.split", "{owners: [Dingling, Huairou]}" } };
    const wm_setting random_order[] = { { "data.split", "{random: [0.8, 0, 0.2]}" } };
    wm_job          *job = parse_well(example, files, 1);

    (void)state;
    assert_int_equal(job->data.split.kind, WM_SPLIT_FILES);
    assert_string_equal(job->data.split.test_files, "t10k-*");
    assert_string_equal(job->data.split.validate_files, "v-*");
    wm_job_free(job);
    job = parse_well(example, file, 1);
    assert_string_equal(job->data.split.test_files, "t10k-*");
    assert_null(job->data.split.validate_files);
    assert_true(job->data.split.train == 1 && job->data.split.validate == 0);
    wm_job_free(job);
    job = parse_well(example, rest, 1);
    assert_int_equal(job->data.split.kind, WM_SPLIT_FILES);
    assert_true(job->data.split.train == 0.7 && job->data.split.validate == 0.3 && job->data.split.test == 0);
    wm_job_free(job);
    job = parse_well(example, owners, 1);
    assert_int_equal(job->data.split.kind, WM_SPLIT_OWNERS);
    assert_int_equal(job->data.split.owners.count, 2);
    wm_job_free(job);
    job = parse_well(example, random_order, 1);
    assert_int_equal(job->data.split.kind, WM_SPLIT_RANDOM);
    assert_true(job->data.split.validate == 0 && job->data.split.test == 0.2);
    wm_job_free(job);
}

/* What the report, the progress and early stops go by. */
static void test_which_splits_have_a_validation_part(void **state)
{
    static const struct {
        const char *split;
        bool        validates;
    } cases[] = {
        { "{time: [0.7, 0.1, 0.2]}", true },
        { "{time: [0.8, 0, 0.2]}", false },
        { "{random: [0.7, 0.1, 0.2]}", true },
        { "{random: [0.8, 0, 0.2]}", false },
        { "{files: 't10k-*'}", false },
        { "{files: {test: 't10k-*', validate: v-*}}", true },
        { "{files: {test: 't10k-*', shares: [0.8, 0.2, 0]}}", true },
        { "{owners: {names: [Huairou], shares: [0.9, 0.1, 0]}}", true },
        { "{owners: {names: [Huairou], shares: [1, 0, 0]}}", false },
        { "{rows: {train: 300, validate: 100}}", true },
        { "{rows: {train: 300}}", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const wm_setting split[] = { { "data.split", cases[i].split } };
        wm_job          *job = parse_well(example, split, 1);

        if (wm_job_validates(job) != cases[i].validates)
            fail_msg("%s: %s", cases[i].split, cases[i].validates ? "validates" : "does not validate");
        wm_job_free(job);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_example),
        cmocka_unit_test(test_several_inputs_and_targets),
        cmocka_unit_test(test_the_defaults),
        cmocka_unit_test(test_families_that_are_not_handed_in),
        cmocka_unit_test(test_a_warm_start),
        cmocka_unit_test(test_settings_are_checked_and_recorded),
        cmocka_unit_test(test_splits),
        cmocka_unit_test(test_which_splits_have_a_validation_part),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

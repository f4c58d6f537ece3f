/* tests/tool/predict/test_predict.c: a run's model.safetensors, alone, says of readings what it was measured to say, in columns
 * that each head has of its own. */
#include "tests/tool/predict/scene.h"

#include "common/files.h"

#include <math.h>

/* Joined with what came of it, the predictions of the test part have the error that the run reported. */
static void predictions_are_what_the_run_was_measured_by(void **state)
{
    static const struct {
        const char *client;
        int         base;
    } clients[] = { { "north", NORTH }, { "south", SOUTH } };
    scene *s = *state;

    train(s, forecaster);
    SAY(s, "predict", s->model, s->folder, "--verbose");
    if (s->code != 0)
        fail_msg("%s", s->said);
    assert_non_null(strstr(s->said, "one alone takes "));
    assert_memory_equal(s->out, "time,client,no2\n", 16);
    for (size_t k = 0; k < 2; k++) {
        int    examples, first = HOURS, last = 0, count = 0;
        double want = measured(s, clients[k].client, &examples), squares = 0;

        for (const char *line = strchr(s->out, '\n') + 1; *line != '\0'; line = strchr(line, '\n') + 1) {
            const char *client = strchr(line, ',') + 1, *value = strchr(client, ',') + 1;
            int         hour = hour_of(line);

            if (strncmp(client, clients[k].client, strlen(clients[k].client)) != 0)
                continue;
            first = hour < first ? hour : first;
            last = hour > last ? hour : last;
            if (hour + AHEAD < HOURS && hour + AHEAD >= HOURS - examples) {
                double off = atof(value) - no2_at(clients[k].base, hour + AHEAD);

                squares += off * off;
                count++;
            }
        }
        assert_int_equal(first, 7);        /* the first whole window */
        assert_int_equal(last, HOURS - 1); /* a forecast: what comes of it nobody knows yet */
        assert_int_equal(count, examples);
        if (!(fabs(sqrt(squares / count) - want) < 1e-5 * want))
            fail_msg("%s: %g by the predictions, %g by the run", clients[k].client, sqrt(squares / count), want);
    }
}

static void one_file_is_enough_and_the_model_is_evaluated_alone(void **state)
{
    scene *s = *state;
    char   data[4300], out[4300], *together;

    train(s, forecaster);
    snprintf(data, sizeof data, "%s/south.csv", s->folder);
    snprintf(out, sizeof out, "%s/predictions.txt", s->folder);
    SAY(s, "predict", s->model, data, "--out", out);
    assert_int_equal(s->code, 0);
    assert_string_equal(s->out, "");
    assert_int_equal(wm_files_system()->exists(wm_files_system(), out), true);
    SAY(s, "evaluate", s->model, s->folder, "--model-only");
    assert_int_equal(s->code, 0);
    together = strdup(strstr(s->out, "together"));
    SAY(s, "evaluate", s->model, s->job, "--data", s->folder, "--model-only");
    assert_int_equal(s->code, 0);
    assert_string_equal(strstr(s->out, "together"), together);
    free(together);
}

static void every_head_has_columns_of_its_own(void **state)
{
    static const struct {
        const char *says, *middle, *header;
    } rows[] = {
        { "horizons, in the job's words",
          "  targets: {no2: {column: no2, ahead: [1h, 3h, 2d]}}\n  scale: none\n"
          "model: {layers: [flatten, {dense: 3}], loss: mse}\n",
          "time,client,no2_1h,no2_3h,no2_2d\n" },
        { "quantiles of each",
          "  targets: {no2: {column: no2, ahead: [1h, 3h]}}\n  scale: none\n"
          "model: {layers: [flatten, {dense: 4}], loss: {pinball: [0.1, 0.9]}}\n",
          "time,client,no2_1h_q0.1,no2_1h_q0.9,no2_3h_q0.1,no2_3h_q0.9\n" },
        { "a class and its probabilities, beside a value",
          "  targets: {high: {column: flag, classes: 2, ahead: 1h}, no2: {column: no2, ahead: 1h}}\n  scale: none\n"
          "model: {layers: [{name: x, flatten: {}}, {name: high, from: x, dense: 2}, {name: no2, from: x, dense: 1}], "
          "losses: {high: cross_entropy, no2: mse}}\n",
          "time,client,high,high_0,high_1,no2\n" },
        { "a hinge says no probabilities",
          "  targets: {high: {column: flag, classes: 2, ahead: 1h}}\n  scale: none\n"
          "model: {layers: [flatten, {dense: 2}], loss: hinge}\n",
          "time,client,high\n" },
        { "a detector's score and its alarm",
          "  targets: {no2: {column: no2, ahead: 1h}}\n  scale: federated\n"
          "model: {layers: [flatten, {dense: 1}], loss: mse}\n",
          "time,client,no2,score,alarm\n" },
        { "what is given back, at the newest step, and how far off all of it was",
          "  scale: federated\nmodel: {layers: [flatten, {dense: 8}], loss: reconstruction}\n",
          "time,client,reconstruction_no2,reconstruction_error\n" },
        { "an autoencoder that is a detector, beside a forecast",
          "  targets: {again: {input: past}, no2: {column: no2, ahead: 1h}}\n  scale: federated\n"
          "model: {layers: [{name: x, flatten: {}}, {name: again, from: x, dense: 8}, {name: no2, from: x, dense: 1}], "
          "losses: {again: reconstruction, no2: mse}}\n",
          "time,client,again_no2,score,alarm,no2\n" },
    };
    scene *s = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char middle[2048];
        bool detector = strstr(rows[i].header, "alarm") != NULL,
             classes = strstr(rows[i].middle, "classes") != NULL;

        snprintf(middle, sizeof middle,
                 "%straining: {optimiser: adam, rate: 0.001, batch: 16, epochs: 1}\nevaluate: {metrics: [%s]%s}\n",
                 rows[i].middle, classes ? "accuracy" : "rmse",
                 detector ? strstr(rows[i].header, "again") != NULL
                                ? ", anomaly: {false_alarms: 0.05, label: flag, of: again}"
                                : ", anomaly: {false_alarms: 0.05, label: flag}"
                          : "");
        assert_true(!wm_files_system()->exists(wm_files_system(), s->run) ||
                    wm_folder_remove(s->run, NULL) == WM_OK);
        train(s, middle);
        /* What is to be predicted need not be there: neither the classes nor the labels. */
        write_gateways(s, false);
        SAY(s, "predict", s->model, s->folder);
        if (s->code != 0 || strncmp(s->out, rows[i].header, strlen(rows[i].header)) != 0)
            fail_msg("%s: %.200s%s", rows[i].says, s->out, s->said);
        for (const char *line = strchr(s->out, '\n') + 1; *line != '\0'; line = strchr(line, '\n') + 1) {
            int    high;
            double p0, p1, score, value;
            char   client[8], alarm;

            if (strstr(rows[i].header, "high_0") != NULL) {
                assert_int_equal(sscanf(line, "%*[^,],%7[^,],%d,%lf,%lf", client, &high, &p0, &p1), 4);
                assert_true(fabs(p0 + p1 - 1) < 1e-6 && (high == 1) == (p1 > p0));
            } else if (detector && sscanf(line, "%*[^,],%7[^,],%lf,%lf,%c", client, &value, &score, &alarm) == 4) {
                assert_true(alarm == '0' || alarm == '1');
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(predictions_are_what_the_run_was_measured_by),
        TEST(one_file_is_enough_and_the_model_is_evaluated_alone),
        TEST(every_head_has_columns_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

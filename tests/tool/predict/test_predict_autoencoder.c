/* tests/tool/predict/test_predict_autoencoder.c: what an autoencoder gives back, and that its layers' dice are nobody's. */
#include "tests/tool/predict/scene.h"

#include "common/files.h"

#include <math.h>

/* The window's last step alone, so that each line tells all: its error is the square of how far off the value was, in
 * deviations, which are the same for all. */
static void what_is_given_back_is_in_the_datas_units(void **state)
{
    scene *s = *state;
    char   text[4096];
    double deviation = 0, scores = 0, want;
    int    examples, count = 0;

    write_gateways(s, true);
    snprintf(text, sizeof text,
             "%s  scale: federated\n  split: {time: [0.7, 0.1, 0.2]}\n"
             "model: {layers: [{noise: 0.1}, {dense: 4}, tanh, {dense: 4}, {sample: 0.0001}, {dense: 1}], "
             "loss: reconstruction}\n"
             "training: {optimiser: adam, rate: 0.01, batch: 16, epochs: 2}\n"
             "evaluate: {metrics: [rmse, {detection: auroc}], baselines: [naive], "
             "anomaly: {false_alarms: 0.05, label: flag}}\n%s",
             job_head, job_tail);
    memcpy(strstr(text, "length: 8"), "length: 1", 9);
    write_text(s->folder, "no2.yaml", text);
    SAY(s, "simulate", s->job, "--out", s->run);
    if (s->code != 0)
        fail_msg("%s", s->said);
    SAY(s, "predict", s->model, s->folder);
    assert_int_equal(s->code, 0);
    for (const char *line = strchr(s->out, '\n') + 1; *line != '\0'; line = strchr(line, '\n') + 1) {
        const char *client = strchr(line, ',') + 1;
        double      back, score, off, one;

        assert_int_equal(sscanf(strchr(client, ',') + 1, "%lf,%lf,", &back, &score), 2);
        off = back - no2_at(strncmp(client, "north", 5) == 0 ? NORTH : SOUTH, hour_of(line));
        if (strncmp(client, "north", 5) == 0 && hour_of(line) >= HOURS - HOURS / 5) {
            scores += score;
            count++;
        }
        if (fabs(off) < 0.1)
            continue; /* too little is left of its digits */
        one = fabs(off) / sqrt(score);
        deviation = deviation > 0 ? deviation : one;
        if (!(fabs(one - deviation) < 1e-3 * deviation))
            fail_msg("off by %g with an error of %g: a deviation of %g, and once of %g", off, score, one,
                     deviation);
    }
    assert_true(deviation > 5 && deviation < 10); /* 30, ten up and down: all that train, as 60 is flagged */
    want = measured(s, "north", &examples);
    assert_int_equal(examples, count);
    if (!(fabs(sqrt(scores / count) - want) < 1e-4 * want))
        fail_msg("%g by the scores, %g by the run", sqrt(scores / count), want);
}

static uint8_t *model_of(scene *s, const char *out, const char *workers, size_t *n)
{
    char     path[4400];
    uint8_t *bytes = NULL;
    wm_error err;

    snprintf(path, sizeof path, "%s/%s", s->folder, out);
    SAY(s, "simulate", s->job, "--out", path, "--workers", workers);
    if (s->code != 0)
        fail_msg("%s", s->said);
    strcat(path, "/model.safetensors");
    assert_ok(wm_files_system()->read(wm_files_system(), path, 1 << 20, &bytes, n, &err), &err);
    return bytes;
}

/* Dice that layers throw follow from the job's seed, the round and the client's name, not from who trains it when. */
static void noise_is_the_same_with_any_number_of_workers(void **state)
{
    static const char middle[] =
        "  scale: federated\n"
        "model: {layers: [flatten, {noise: {deviation: 0.2, masked: 0.2}}, {dense: 6}, {sample: 0.01}, {dense: 8}], "
        "loss: reconstruction}\n"
        "training: {optimiser: adam, rate: 0.003, batch: 16, epochs: 1}\nevaluate: {metrics: rmse}\n";
    scene   *s = *state;
    uint8_t *one, *three;
    uint64_t header;
    size_t   n, m;

    train(s, middle);
    one = model_of(s, "one", "1", &n);
    three = model_of(s, "three", "3", &m);
    assert_int_equal(n, m);
    memcpy(&header, one, sizeof header); /* in it stands the run's own name, behind it the parameters */
    assert_true(header < n - 8);
    assert_memory_equal(one + 8 + header, three + 8 + header, n - 8 - header);
    free(one);
    free(three);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_given_back_is_in_the_datas_units),
        TEST(noise_is_the_same_with_any_number_of_workers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

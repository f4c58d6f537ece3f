/* tests/fuzz/fuzz_plan.c
 *
 * A job as a stranger to this gateway may write it, with the families that a gateway has: read, and then made into a
 * model and into the sizes of what training it takes; a small one is trained a step. Nothing of that may depend on the
 * numbers being sensible: a layer of 10^18 units is a fault, not an allocation, and a window that does not fit is no read
 * behind the end. */
#include "client/workplace.h"
#include "common/job/job.h"
#include "models/model.h"
#include "models/plan.h"

#include "tests/fuzz/take.h"

#include <math.h>

enum {
    SMALL = 1 << 20,
    FEW = 1 << 16
}; /* bytes, and parameters: such a plan is made, too, and taken a step on zeros */

static void step(const wm_job *job, const wm_model *model)
{
    wm_batch batch = { .n = 1 };
    wm_plan *plan = NULL;
    float   *params = calloc(wm_model_n_whole(model), sizeof *params), *zeros = calloc(SMALL / 4, sizeof *zeros);
    int32_t *classes = calloc(1, sizeof *classes);
    double   loss;
    wm_error err = { WM_OK, "" };
    wm_shape shape;
    size_t   n;

    for (size_t i = 0; i < job->data.n_inputs; i++) {
        wm_job_input_shape(job, i, &shape);
        must(wm_shape_count(&shape, &n));
        if (n > SMALL / 4)
            goto out;
        batch.inputs[i] = zeros;
    }
    for (size_t t = 0; t < job->data.n_targets; t++) {
        if (wm_job_target_width(job, t) > SMALL / 4)
            goto out;
        batch.targets[t] = job->data.targets[t].classes > 0 ? NULL : zeros;
        batch.classes[t] = job->data.targets[t].classes > 0 ? classes : NULL;
    }
    if (params == NULL || zeros == NULL || classes == NULL ||
        wm_plan_new(model, 1, WM_PLAN_TRAIN, &plan, &err) != WM_OK)
        goto out;
    wm_model_init(model, 1, params);
    wm_model_init_own(model, 1, params + wm_model_n_params(model));
    must(wm_plan_step(plan, params, &batch, &(wm_step){ .rate = 0.01, .clip = 1 }, &loss, &err) == WM_OK
             ? isfinite(loss)
             : err.text[0] != '\0');
out:
    wm_plan_free(plan);
    free(params);
    free(zeros);
    free(classes);
}

static void use(const wm_job *job, wm_faults *faults)
{
    wm_model *model = NULL;
    wm_plan  *plan;
    wm_text   text = WM_TEXT_INIT;
    size_t    bytes;
    wm_error  err = { WM_OK, "" };

    if (wm_model_new(job, faults, &model, &err) != WM_OK) {
        must(model == NULL && err.text[0] != '\0');
        return;
    }
    must(wm_model_n_params(model) <= (size_t)1 << 31);
    must(wm_model_describe(model, (size_t)job->training.batch, &text, &err) == WM_OK || err.text[0] != '\0');
    wm_text_release(&text);
    if (wm_plan_bytes(model, (size_t)job->training.batch, WM_PLAN_TRAIN, &bytes, &err) == WM_OK && bytes < SMALL &&
        wm_plan_new(model, (size_t)job->training.batch, WM_PLAN_TRAIN, &plan, &err) == WM_OK)
        wm_plan_free(plan);
    if (wm_model_n_whole(model) < FEW && wm_plan_bytes(model, 1, WM_PLAN_TRAIN, &bytes, &err) == WM_OK &&
        bytes < SMALL)
        step(job, model);
    wm_model_free(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    taker     from = { bytes, n };
    uint8_t  *copy = take_copy(&from);
    wm_faults faults;
    wm_job   *job = NULL;
    wm_error  err = { WM_OK, "" };
    wm_status st;

    wm_faults_init(&faults, "fuzz");
    st = wm_job_parse("fuzz", (const char *)copy, n, &wm_client_families, NULL, 0, &faults, &job, &err);
    must((st == WM_OK) == (job != NULL) && (st != WM_E_INVALID || faults.count > 0));
    if (job != NULL)
        use(job, &faults);
    wm_job_free(job);
    wm_faults_release(&faults);
    free(copy);
    return 0;
}

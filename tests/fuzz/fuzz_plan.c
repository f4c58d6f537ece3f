/* tests/fuzz/fuzz_plan.c
 *
 * A job as a stranger to this gateway may write it, with the families that a gateway has: read, and then made into a
 * model and into the sizes of what training it takes. Nothing of that may depend on the numbers being sensible: a layer
 * of 10^18 units is a fault, not an allocation. */
#include "client/workplace.h"
#include "common/job/job.h"
#include "models/model.h"
#include "models/plan.h"

#include "tests/fuzz/take.h"

enum { SMALL = 1 << 20 }; /* bytes: such a plan is made, too */

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

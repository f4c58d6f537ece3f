/* server/admission.c */
#include "server/admission.h"

#include "common/job/scaling.h"
#include "server/accumulator.h"
#include "server/selection/selection.h"

const wm_job_families wm_server_families = {
    .layers = &wm_layers,
    .initialisers = &wm_initialisers,
    .losses = &wm_losses,
    .optimisers = &wm_optimisers,
    .schedules = &wm_schedules,
    .metrics = &wm_metrics,
    .selections = &wm_selections,
    .strategies = &wm_strategies,
};

static wm_status check_spec(const wm_update_spec *spec, const wm_admission_limits *limits, wm_error *err)
{
    size_t    size;
    int       shift;
    wm_status st = WM_OK;

    if (!wm_update_size(spec, &size))
        return wm_fail(err, WM_E_RANGE, "an update of this model does not fit into memory");
    if (limits->update_bytes > 0 && size > limits->update_bytes)
        return wm_fail(err, WM_E_RANGE,
                       "an update of this job has %zu bytes, and server.yaml's uploads.room takes %llu: make that "
                       "larger, or the model smaller",
                       size, (unsigned long long)limits->update_bytes);
    for (size_t i = 0; st == WM_OK && limits->n_clients > 0 && i < spec->n_parts; i++)
        st = wm_part_shift(&spec->parts[i], spec->weight_cap, limits->n_clients, &shift, err);
    return st;
}

wm_status wm_admit(const char *file, const char *text, size_t n, const wm_admission_limits *limits,
                   wm_faults *faults, wm_admitted *ret, wm_error *err)
{
    return wm_admit_changed(file, text, n, NULL, 0, limits, faults, ret, err);
}

wm_status wm_admit_changed(const char *file, const char *text, size_t n, const wm_setting *settings,
                           size_t n_settings, const wm_admission_limits *limits, wm_faults *faults,
                           wm_admitted *ret, wm_error *err)
{
    wm_admitted    admitted = { 0 };
    wm_update_spec spec;
    wm_status      st =
        wm_job_parse(file, text, n, &wm_server_families, settings, n_settings, faults, &admitted.job, err);

    if (st == WM_OK)
        st = wm_model_new(admitted.job, faults, &admitted.model, err);
    if (st == WM_OK) {
        wm_strategy_spec(admitted.job, wm_model_n_trained(admitted.model), &spec);
        st = check_spec(&spec, limits, err);
    }
    if (st == WM_OK && wm_job_needs_statistics(admitted.job)) {
        wm_statistics_spec(admitted.job, &spec);
        st = check_spec(&spec, limits, err);
    }
    if (st != WM_OK) {
        wm_admitted_release(&admitted);
        return st;
    }
    *ret = admitted;
    return WM_OK;
}

void wm_admitted_release(wm_admitted *admitted)
{
    wm_model_free(admitted->model);
    wm_job_free(admitted->job);
    *admitted = (wm_admitted){ 0 };
}

/* models/metrics.c: the registry of metrics, and what they share. */
#include "models/metric.h"
#include "models/model.h"

#include <math.h>

extern const wm_metric_ops wm_metric_accuracy, wm_metric_auroc, wm_metric_balanced_accuracy, wm_metric_coverage,
    wm_metric_detection, wm_metric_f1, wm_metric_false_alarms, wm_metric_mae, wm_metric_mase, wm_metric_rmse;

static const wm_member *const members[] = {
    &wm_metric_accuracy.member,     &wm_metric_auroc.member,     &wm_metric_balanced_accuracy.member,
    &wm_metric_coverage.member,     &wm_metric_detection.member, &wm_metric_f1.member,
    &wm_metric_false_alarms.member, &wm_metric_mae.member,       &wm_metric_mase.member,
    &wm_metric_rmse.member,
};

const wm_family wm_metrics = {
    .name = "metric",
    .members = members,
    .n_members = sizeof members / sizeof *members,
};

int32_t wm_metric_class(const float *z, size_t width)
{
    size_t best = 0;

    for (size_t j = 0; j < width; j++) {
        if (isnan(z[j]))
            return -1;
        if (z[j] > z[best])
            best = j;
    }
    return (int32_t)best;
}

/* models/metrics.c: the registry of metrics. */
#include "models/metric.h"
#include "models/model.h"

extern const wm_metric_ops wm_metric_accuracy, wm_metric_mae, wm_metric_rmse;

static const wm_member *const members[] = {
    &wm_metric_accuracy.member,
    &wm_metric_mae.member,
    &wm_metric_rmse.member,
};

const wm_family wm_metrics = {
    .name = "metric",
    .members = members,
    .n_members = sizeof members / sizeof *members,
};

/* models/schedules.c: the registry of schedules. */
#include "models/model.h"
#include "models/schedule.h"

extern const wm_schedule_ops wm_schedule_constant, wm_schedule_cosine, wm_schedule_decay;

static const wm_member *const members[] = {
    &wm_schedule_constant.member,
    &wm_schedule_cosine.member,
    &wm_schedule_decay.member,
};

const wm_family wm_schedules = {
    .name = "schedule",
    .members = members,
    .n_members = sizeof members / sizeof *members,
};

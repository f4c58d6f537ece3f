/* tests/server/level.h: what the jobs of tests that have no readings begin with. One column; who trains it is played. */
#ifndef WM_TESTS_SERVER_LEVEL_H
#define WM_TESTS_SERVER_LEVEL_H

/* rest: from its `model` on. All are texts. */
#define LEVEL_JOB(name, length, scale, rest)                       \
    "job: " name "\n"                                              \
    "data:\n"                                                      \
    "  columns:\n"                                                 \
    "    level: {range: [0, 100]}\n"                               \
    "  inputs:\n"                                                  \
    "    past: {window: {columns: [level], length: " length "}}\n" \
    "  targets:\n"                                                 \
    "    next: {column: level, ahead: 1h, missing: skip}\n"        \
    "  time: {column: t}\n"                                        \
    "  scale: " scale "\n"                                         \
    "  split: {time: [0.7, 0.1, 0.2]}\n" rest

#endif

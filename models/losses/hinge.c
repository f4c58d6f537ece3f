/* models/losses/hinge.c
 *
 * The multi-class hinge of Crammer and Singer's kind, as torch.nn.MultiMarginLoss with p = 1: the mean over all classes
 * of max(0, margin - z_c + z_j) for j != c. */
#include "models/loss.h"

typedef struct hinge_options {
    double margin;
} hinge_options;

static double hinge_sum(const void *options, const float *predicted, const float *truth, const int32_t *classes,
                        size_t n, size_t width, float *grad, double scale)
{
    double margin = ((const hinge_options *)options)->margin, sum = 0, slope = scale / (double)width;

    (void)truth;
    for (size_t i = 0; i < n; i++) {
        const float *z = predicted + i * width;
        size_t       c = (size_t)classes[i], over = 0;

        for (size_t j = 0; j < width; j++) {
            double short_of = j == c ? (double)z[c] - (double)z[c] : margin - (double)z[c] + (double)z[j];
            bool   counts = !(short_of <= 0); /* a NaN counts, and stays one */

            sum += counts ? short_of : 0;
            over += counts;
            if (grad != NULL)
                grad[i * width + j] = (float)(counts ? slope : 0);
        }
        if (grad != NULL)
            grad[i * width + c] = (float)(-slope * (double)over);
    }
    return sum / (double)width;
}

static const wm_option options[] = {
    { .name = "margin",
      .kind = WM_REAL,
      .offset = offsetof(hinge_options, margin),
      .least = 1e-9,
      .most = 1e9,
      .standard = "1",
      .main = true,
      .doc = "By how much the true class's value must be above the others to cost nothing." },
};

const wm_loss_ops wm_loss_hinge = {
    .member = { .name = "hinge",
                .doc = "Multi-class hinge of a class target: the true class is to win by a margin.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(hinge_options) },
    .for_classes = true,
    .sum = hinge_sum,
};

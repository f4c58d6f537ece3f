/* models/kernel.h
 *
 * How the inner loops of this folder are compiled. What is shipped is built for any machine of its architecture, so a
 * loop that pays is compiled several times and the widest that the machine has is picked when the program is loaded
 * (target_clones of gcc and clang). Only for static functions, since clang gives the one that picks a name that other
 * files do not find; and of a name that no other file has, since for its linker that name is global. Without -ffast-math
 * and without contraction an element-wise loop gives the same bits in each of them; NaN stays NaN.
 *
 * exp, tanh, erf and the logistic function are written so that loops over them vectorise, which libm's do not without
 * -ffast-math. Errors: within 2.5 units in the last place (tests/models/test_kernel.c). */
#ifndef WM_MODELS_KERNEL_H
#define WM_MODELS_KERNEL_H

#include "common/sanitized.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Sanitizers instrument the function that picks, which runs before they are ready. */
#if defined(__x86_64__) && defined(__gnu_linux__) && !WM_SANITIZED
#define WM_KERNEL __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WM_KERNEL
#endif

/* e^x: x = n ln 2 + r with |r| <= ln 2 / 2; 2^n from the bits, in two halves so that the ends of the range come out
 * right, e^r by the polynomial of Cephes' expf. Rounding by adding 1.5 * 2^23, whose low bits then hold n, needs no
 * conversion that would be undefined for NaN. */
static inline float wm_exp(float x)
{
    float    t = x < -104.0f ? -104.0f : x > 89.0f ? 89.0f : x; /* NaN passes */
    float    shifted = t * 1.44269504f + 12582912.0f, n = shifted - 12582912.0f;
    float    r = (t - n * 0.693359375f) + n * 2.12194440e-4f, p = 1.9875691500e-4f, low, high;
    uint32_t bits, one, two;
    int32_t  whole, half;

    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = (p * (r * r) + r) + 1.0f;
    memcpy(&bits, &shifted, sizeof bits);
    whole = (int32_t)(bits - 0x4b400000u); /* n */
    half = whole >> 1;
    one = (uint32_t)(half + 127) << 23;
    two = (uint32_t)(whole - half + 127) << 23;
    memcpy(&low, &one, sizeof low);
    memcpy(&high, &two, sizeof high);
    return p * low * high;
}

/* 1 / (1 + e^-x) */
static inline float wm_sigmoid(float x)
{
    return 1.0f / (1.0f + wm_exp(-x));
}

/* Cephes' tanhf: an odd polynomial near zero, where 1 - 2 / (e^2x + 1) would lose digits; both are computed and one is
 * taken, which a vector unit likes better than a branch. */
static inline float wm_tanh(float x)
{
    float a = fabsf(x), z = x * x, far = 1.0f - 2.0f / (wm_exp(2.0f * a) + 1.0f), near = -5.70498872745e-3f;

    near = near * z + 2.06390887954e-2f;
    near = near * z - 5.37397155531e-2f;
    near = near * z + 1.33314422036e-1f;
    near = near * z - 3.33332819422e-1f;
    near = near * z * x + x;
    return a < 0.625f ? near : copysignf(far, x);
}

/* Cephes' erff: an odd polynomial up to 1, and 1 - exp(-x^2) times a polynomial in 1 / x^2 beyond, of which there are
 * two that meet at 2. All are computed and one is taken. */
static inline float wm_erf(float x)
{
    float a = fabsf(x), z = x * x, q = 1.0f / (a > 1.0f ? a : 1.0f), y = q * q, near = 7.853861353153693e-5f;
    float middle = 2.326819970068386e-2f, outer = -1.047766399936249e+1f, far;

    near = near * z - 8.010193625184903e-4f;
    near = near * z + 5.188327685732524e-3f;
    near = near * z - 2.685381193529856e-2f;
    near = near * z + 1.128358514861418e-1f;
    near = near * z - 3.761262582423300e-1f;
    near = near * z + 1.128379165726710f;
    middle = middle * y - 1.387039388740657e-1f;
    middle = middle * y + 3.687424674597105e-1f;
    middle = middle * y - 5.824733027278666e-1f;
    middle = middle * y + 6.210004621745983e-1f;
    middle = middle * y - 4.944515323274145e-1f;
    middle = middle * y + 3.404879937665872e-1f;
    middle = middle * y - 2.741127028184656e-1f;
    middle = middle * y + 5.638259427386472e-1f;
    outer = outer * y + 1.297719955372516e+1f;
    outer = outer * y - 7.495518717768503f;
    outer = outer * y + 2.921019019210786f;
    outer = outer * y - 1.015265279202700f;
    outer = outer * y + 4.218463358204948e-1f;
    outer = outer * y - 2.820767439740514e-1f;
    outer = outer * y + 5.641895067754075e-1f;
    far = copysignf(1.0f - wm_exp(-z) * q * (a < 2.0f ? middle : outer), x);
    return a < 1.0f ? near * x : far;
}

#endif

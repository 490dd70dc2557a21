// What the outputs of a convolution read along one axis of the image, forwards and on the way back.
#pragma once

#include "../../simd.hpp"

namespace maillon::MAILLON_ISA::convolution {

MAILLON_INLINE int64_t common_divisor(int64_t a, int64_t b) {
    while (b != 0) {
        const int64_t rest = a % b;
        a = b, b = rest;
    }
    return a;
}
MAILLON_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
MAILLON_INLINE int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
MAILLON_INLINE int64_t divided_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Outputs that see the same taps (places in the kernel). The i-th of them is the output first_output + i·output_step;
// its t-th tap, kernel + t·kernel_step in the kernel, reads the input i·step + first + t·tap_step: zero outside
// 0 ≤ input < inputs.
struct Phase {
    int64_t outputs, first_output, output_step;
    int64_t taps, first, tap_step;
    int64_t kernel, kernel_step;
};

// One axis. Forwards all outputs see the whole kernel. Back, from the outputs of a convolution (here: inputs) to its
// inputs (here: outputs), each sees every stride-th tap, and outputs a stride apart see the same.
struct Axis {
    int64_t inputs, outputs;
    int64_t kernel, stride, padding, dilation;
    bool back;
    int64_t step;                              // of the inputs, from one output of a phase to the next
    int64_t phases, phase_outputs;             // phase_outputs: of the phase that has most
    int64_t first = 0, tap_step = 1, taps = 0; // all phases' taps are among first, first + tap_step, …

    Axis(int64_t inputs, int64_t outputs, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation, bool back)
        : inputs(inputs), outputs(outputs), kernel(kernel), stride(stride), padding(padding), dilation(dilation),
          back(back), step(back ? 1 : stride), phases(back ? larger(smaller(stride, outputs), 1) : 1),
          phase_outputs(back ? divided_up(outputs, stride) : outputs) {
        int64_t last = 0;
        for (int64_t i = 0; i < phases; ++i) {
            const Phase p = phase(i);
            if (p.taps == 0) continue;
            const int64_t end = p.first + (p.taps - 1) * p.tap_step;
            const int64_t low = smaller(p.first, end), high = larger(p.first, end);
            const int64_t distance = p.taps > 1 ? larger(p.tap_step, -p.tap_step) : 0;
            const bool known = taps != 0;
            const int64_t apart = known ? larger(low - first, first - low) : 0;
            tap_step = common_divisor(common_divisor(known ? tap_step : 0, distance), apart);
            first = known ? smaller(first, low) : low;
            last = known ? larger(last, high) : high;
            taps = 1;
        }
        tap_step = larger(tap_step, 1);
        if (taps != 0) taps = (last - first) / tap_step + 1;
    }

    Phase phase(int64_t index) const {
        if (!back) return {outputs, 0, 1, kernel, -padding, dilation, 0, 1};
        Phase p{index < outputs ? (outputs - 1 - index) / stride + 1 : 0, index, stride, 0, 0, 0, 0, 0};
        p.kernel_step = stride / common_divisor(stride, dilation);
        p.tap_step = -(p.kernel_step * dilation / stride);
        for (int64_t k = 0; k < smaller(kernel, p.kernel_step); ++k)
            if ((index + padding - k * dilation) % stride == 0) { // the first tap; the others are kernel_step apart
                p.kernel = k;
                p.taps = (kernel - 1 - k) / p.kernel_step + 1;
                p.first = (index + padding - k * dilation) / stride;
                break;
            }
        return p;
    }

    // The number of a phase's t-th tap among the axis's taps.
    int64_t tap_of(const Phase& p, int64_t t) const { return (p.first + t * p.tap_step - first) / tap_step; }

    Axis some_taps(int64_t begin, int64_t count) const {
        Axis axis = *this;
        axis.first += begin * tap_step;
        axis.taps = count;
        return axis;
    }
};

} // namespace maillon::MAILLON_ISA::convolution

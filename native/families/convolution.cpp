// Convolution and its transpose, over images of one row or many: the values, and the gradients of input and weight.
// Windows as columns, and columns added up to images.
#include "../operations/convolution.hpp"

#include "../entry.hpp"
#include "convolution/planes.hpp"
#include "convolution/samples.hpp"
#include "convolution/values.hpp"
#include "convolution/weights.hpp"

namespace maillon::MAILLON_ISA {

using namespace convolution;

namespace {

template <class Op> Axis rows(const Op& op, bool back) {
    return {op.height, op.out_height, op.kernel_h, op.stride_h, op.padding_h, op.dilation_h, back};
}
template <class Op> Axis columns(const Op& op, bool back) {
    return {op.width, op.out_width, op.kernel_w, op.stride_w, op.padding_w, op.dilation_w, back};
}

template <class T> void correlate_anyhow(const T* x, const T* x_last, Correlation<T> c, const Team& team) {
    c.x = x_last != nullptr ? x_last : x;
    if (x_last != nullptr) correlate_samples(c, team);
    else if (suits_planes(c)) correlate_planes(c, team);
    else correlate(c, team);
}

// From x to y forwards; weight (outputs, channels / groups, kernel).
template <class T, class Op>
void forwards(const Op& op, const T* x, const T* x_last, const T* bias, T* y, const Epilogue<T>& epilogue,
              const Team& team) {
    const int64_t channels = op.channels / op.groups, outputs = op.outputs / op.groups;
    const int64_t kernel = op.kernel_h * op.kernel_w;
    const Axis h = rows(op, false), w = columns(op, false);
    correlate_anyhow<T>(x, x_last,
                        {x, op.weight, bias, y, op.samples, op.groups, channels, outputs, h, w,
                         outputs * channels * kernel, channels * kernel, kernel, epilogue},
                        team);
}

// From x to y as back through a convolution from y to x; weight (channels, outputs / groups, kernel).
template <class T, class Op>
void backwards(const Op& op, const T* x, const T* x_last, const T* bias, T* y, const Epilogue<T>& epilogue,
               const Team& team) {
    const int64_t channels = op.channels / op.groups, outputs = op.outputs / op.groups;
    const int64_t kernel = op.kernel_h * op.kernel_w;
    const Axis h = rows(op, true), w = columns(op, true);
    correlate_anyhow<T>(x, x_last,
                        {x, op.weight, bias, y, op.samples, op.groups, channels, outputs, h, w,
                         channels * outputs * kernel, kernel, outputs * kernel, epilogue},
                        team);
}

template <class T, class Op> Epilogue<T> epilogue(const Op& op, const T* reference) {
    return {Activation(op.activation), T(op.slope), reference};
}

template <class T> bool conv(const op::Conv<T>& op, const Team& team) {
    forwards<T>(op, op.x, op.x_last, op.bias, op.y, epilogue<T>(op, nullptr), team);
    return true;
}

template <class T> bool conv_grad_input(const op::ConvGradInput<T>& op, const Team& team) {
    backwards<T>(op, op.dy, op.dy_last, nullptr, op.dx, epilogue<T>(op, op.reference), team);
    return true;
}

template <class T> bool conv_transposed(const op::ConvTransposed<T>& op, const Team& team) {
    backwards<T>(op, op.x, op.x_last, op.bias, op.y, epilogue<T>(op, nullptr), team);
    return true;
}

template <class T> bool conv_transposed_grad_input(const op::ConvTransposedGradInput<T>& op, const Team& team) {
    forwards<T>(op, op.dy, op.dy_last, nullptr, op.dx, epilogue<T>(op, op.reference), team);
    return true;
}

template <class T> bool conv_grad_weight(const op::ConvGradWeight<T>& op, const Team& team) {
    WeightGradient<T> g{op.x, op.dy, op.dweight, op.samples, op.groups, op.channels / op.groups, op.outputs / op.groups,
                        rows(op, false), columns(op, false), op.keep != 0};
    if (op.x_last != nullptr) {
        g.x = op.x_last;
        g.dy = op.dy_last;
        weight_gradient_samples(g, team);
    } else {
        weight_gradient(g, team);
    }
    return true;
}

template <class T> bool channel_sums(const op::ChannelSums<T>& op, const Team& team) {
    sums_of_channels(op.x, op.samples, op.channels, op.places, op.sums, op.keep != 0, team);
    return true;
}

template <class T> bool samples_last(const op::SamplesLast<T>& op, const Team& team) {
    const int64_t padded = padded_samples(op.samples);
    const Span own = share(op.values, 16, team);
    pack_transposed(op.x + own.begin, op.values, int(op.samples), own.end - own.begin, op.y + own.begin * padded,
                    int(padded), int(padded));
    return true;
}

// step(plane, row of the image or out of it, its first column, where the row of columns begins) for rows of columns.
template <class Op, class Step> MAILLON_INLINE void each_window_row(const Op& op, Span taps, Step step) {
    const int64_t kernel = op.kernel_h * op.kernel_w;
    for (int64_t tap = taps.begin; tap < taps.end; ++tap) {
        const int64_t i = tap % kernel / op.kernel_w, j = tap % op.kernel_w;
        const int64_t first = j * op.dilation_w - op.padding_w;
        for (int64_t r = 0; r < op.out_height; ++r)
            step(tap / kernel, r * op.stride_h + i * op.dilation_h - op.padding_h, first,
                 (tap * op.out_height + r) * op.out_width);
    }
}

template <class T> bool unfold(const op::Unfold<T>& op, const Team& team) {
    const Span own = share(op.planes * op.kernel_h * op.kernel_w, 1, team);
    each_window_row(op, own, [&](int64_t plane, int64_t row, int64_t first, int64_t at) {
        const bool inside = row >= 0 && row < op.height;
        copy_line<T, true>(op.x + (plane * op.height + (inside ? row : 0)) * op.width, inside ? op.width : 0, first,
                           op.stride_w, op.y + at, op.out_width);
    });
    return true;
}

template <class T> bool fold(const op::Fold<T>& op, const Team& team) {
    const int64_t kernel = op.kernel_h * op.kernel_w, stride = op.stride_w;
    const Span own = share(op.planes, 1, team);
    const int64_t image = op.height * op.width;
    std::memset(op.y + own.begin * image, 0, size_t((own.end - own.begin) * image) * sizeof(T));
    const Span taps{own.begin * kernel, own.end * kernel};
    each_window_row(op, taps, [&](int64_t plane, int64_t row, int64_t first, int64_t at) {
        if (row < 0 || row >= op.height) return;
        int64_t i = first < 0 ? divided_up(-first, stride) : 0;
        const int64_t end = first < op.width ? smaller(op.out_width, (op.width - 1 - first) / stride + 1) : 0;
        T* to = op.y + (plane * op.height + row) * op.width + first;
        const T* from = op.x + at;
        if (stride == 1) {
            for (; i < end; i += lanes<T>) {
                const int64_t n = smaller(end - i, lanes<T>);
                store_up_to(to + i, load_up_to(to + i, n) + load_up_to(from + i, n), n);
            }
        } else {
            for (; i < end; ++i) to[i * stride] += from[i];
        }
    });
    return true;
}

const Entry entries[] = {ENTRY(Conv, conv),
                         ENTRY(ConvGradInput, conv_grad_input),
                         ENTRY(ConvTransposed, conv_transposed),
                         ENTRY(ConvTransposedGradInput, conv_transposed_grad_input),
                         ENTRY(ConvGradWeight, conv_grad_weight),
                         ENTRY(ChannelSums, channel_sums),
                         ENTRY(SamplesLast, samples_last),
                         ENTRY(Unfold, unfold),
                         ENTRY(Fold, fold)};

} // namespace

FAMILY(convolution)

} // namespace maillon::MAILLON_ISA

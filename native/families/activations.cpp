// The activations, one functor each: the value, and the gradient from dy and the input x or, where it says so, the output
// y. Then the operations: value by value, the softmaxes, slopes that are learnt or drawn, and the gated unit.
#include "../operations/activations.hpp"

#include "../activations.hpp"
#include "../entry.hpp"
#include "../lanes.hpp"
#include "../math.hpp"
#include "../softmax.hpp"

namespace maillon::MAILLON_ISA {

namespace {

template <class T> MAILLON_INLINE Vec<T> number(double value) { return broadcast(T(value)); }

template <class T> struct Same {
    explicit Same(const Numbers&) {}
    MAILLON_INLINE Vec<T> value(Vec<T> x) const { return x; }
    MAILLON_INLINE Vec<T> gradient(Vec<T> dy, Vec<T>) const { return dy; }
};

template <class T> struct Tanh {
    explicit Tanh(const Numbers&) {}
    MAILLON_INLINE Vec<T> value(Vec<T> x) const { return tanh(x); }
    MAILLON_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> y) const { return (T(1) - y * y) * dy; }
};

template <class T> struct Sigmoid {
    explicit Sigmoid(const Numbers&) {}
    MAILLON_INLINE Vec<T> value(Vec<T> x) const { return sigmoid(x); }
    MAILLON_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> y) const { return y * (T(1) - y) * dy; }
};

template <class T> struct ReLU {
    explicit ReLU(const Numbers&) {}
    MAILLON_INLINE Vec<T> value(Vec<T> x) const { return at_least<T>(T(0), x); }
    MAILLON_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> y) const { return keep<T>(y > Vec<T>{}, dy); }
};

template <class T> struct LeakyReLU { // from x, or from y where the slope is not negative
    Vec<T> slope;
    explicit LeakyReLU(const Numbers& n) : slope(number<T>(n.a)) {}
    MAILLON_INLINE Vec<T> value(Vec<T> x) const { return x > Vec<T>{} ? x : slope * x; }
    MAILLON_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> y) const { return y > Vec<T>{} ? dy : slope * dy; }
};

// For those below NumPy multiplies dy by the derivative, be it 0: NaN and infinity in dy stay visible.
template <class T> MAILLON_INLINE Vec<T> one_unless(Bits<T> flat) { return flat ? Vec<T>{} : broadcast(T(1)); }

template <class T> struct Hardtanh { // from y
    T high, low;
    explicit Hardtanh(const Numbers& n) : high(T(n.a)), low(T(n.b)) {}
    MAILLON_INLINE Vec<T> value(Vec<T> x) const { return at_most<T>(high, at_least<T>(low, x)); }
    MAILLON_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> y) const {
        return one_unless<T>((y <= broadcast(low)) | (y >= broadcast(high))) * dy;
    }
};

template <class T> struct ExponentialUnit { // ELU, SELU, CELU
    Vec<T> scale, below, rate, below_back, rate_back;
    explicit ExponentialUnit(const Numbers& n) // scale, scale · α, the rate of the value and of the derivative
        : scale(number<T>(n.a)), below(number<T>(n.b)), rate(number<T>(n.c)), below_back(number<T>(n.b * n.d)),
          rate_back(number<T>(n.d)) {}
    MAILLON_INLINE Vec<T> value(Vec<T> x) const {
        return x <= Vec<T>{} ? below * expm1(at_most<T>(T(0), x) * rate) : scale * x;
    }
    MAILLON_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> x) const {
        return (x <= Vec<T>{} ? below_back * exp(at_most<T>(T(0), x) * rate_back) : scale) * dy;
    }
};

template <class T> struct GELU {
    explicit GELU(const Numbers&) {}
    MAILLON_INLINE Vec<T> value(Vec<T> x) const { return x * normal<T>(x).distribution; }
    MAILLON_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> x) const {
        const Normal<T> law = normal<T>(x);
        return fma(x, law.density, law.distribution) * dy;
    }
};

template <class T> struct TanhGELU { // x σ(2u), u = √(2/π) (x + 0.044715 x³); beyond ±40 σ is 0 or 1
    static constexpr double root = 0.7978845608028653558799, cubic = 0.044715, far = 40;
    explicit TanhGELU(const Numbers&) {}
    MAILLON_INLINE static Vec<T> near(Vec<T> x) { return at_most<T>(T(far), at_least<T>(T(-far), x)); }
    MAILLON_INLINE static Vec<T> share(Vec<T> near) {
        return sigmoid(T(2 * root) * fma(T(cubic) * near * near, near, near));
    }
    MAILLON_INLINE Vec<T> value(Vec<T> x) const { return x * share(near(x)); }
    MAILLON_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> x) const {
        const Vec<T> v = near(x), s = share(v);
        const Vec<T> density = T(2 * root) * s * (T(1) - s) * fma(T(3 * cubic) * v, v, broadcast(T(1)));
        return fma(x, density, s) * dy;
    }
};

template <class T> struct SiLU {
    explicit SiLU(const Numbers&) {}
    MAILLON_INLINE Vec<T> value(Vec<T> x) const { return x * sigmoid(x); }
    MAILLON_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> x) const {
        const Vec<T> s = sigmoid(x);
        return s * fma(x, T(1) - s, broadcast(T(1))) * dy;
    }
};

// tanh(log(1 + e)) = n / (n + 2) with n = e (e + 2), e = e^x. Its derivative by x is 4 e (1 + e) / (n + 2)².
template <class T> struct Mish {
    static constexpr T most = Number<T>::sigmoid_most; // from here on it is 1
    explicit Mish(const Numbers&) {}
    MAILLON_INLINE Vec<T> value(Vec<T> x) const {
        const Vec<T> e = exp(at_most<T>(most, x)), n = e * (e + T(2));
        return x * (n / (n + T(2)));
    }
    MAILLON_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> x) const {
        const Vec<T> e = exp(at_most<T>(most, x)), n = e * (e + T(2)), part = T(1) / (n + T(2));
        const Vec<T> slope = fma(x, T(4) * e * (e + T(1)) * part * part, n * part);
        return (x > broadcast(most) ? broadcast(T(1)) : slope) * dy;
    }
};

template <class T> struct Softplus {
    Vec<T> beta, threshold;
    explicit Softplus(const Numbers& n) : beta(number<T>(n.a)), threshold(number<T>(n.b)) {}
    MAILLON_INLINE Vec<T> value(Vec<T> x) const {
        const Vec<T> scaled = x * beta;
        return scaled > threshold ? x : softplus(scaled) / beta;
    }
    MAILLON_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> x) const {
        const Vec<T> scaled = x * beta;
        return (scaled > threshold ? broadcast(T(1)) : sigmoid(scaled)) * dy;
    }
};

template <class T> struct LogSigmoid {
    explicit LogSigmoid(const Numbers&) {}
    MAILLON_INLINE Vec<T> value(Vec<T> x) const { return -softplus(-x); }
    MAILLON_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> x) const { return sigmoid(-x) * dy; }
};

template <class T> struct Softsign {
    explicit Softsign(const Numbers&) {}
    MAILLON_INLINE static Vec<T> whole(Vec<T> x) { return max(x, -x) + T(1); }
    MAILLON_INLINE Vec<T> value(Vec<T> x) const { return x / whole(x); }
    MAILLON_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> x) const {
        const Vec<T> share = T(1) / whole(x);
        return share * share * dy;
    }
};

template <class T> struct Tanhshrink {
    explicit Tanhshrink(const Numbers&) {}
    MAILLON_INLINE Vec<T> value(Vec<T> x) const { return x - tanh(x); }
    MAILLON_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> x) const {
        const Vec<T> t = tanh(x);
        return t * t * dy;
    }
};

template <class T> MAILLON_INLINE Vec<T> hard_sigmoid(Vec<T> x) {
    return at_most<T>(T(6), at_least<T>(T(0), x + T(3))) / T(6);
}

template <class T> struct Hardsigmoid {
    explicit Hardsigmoid(const Numbers&) {}
    MAILLON_INLINE Vec<T> value(Vec<T> x) const { return hard_sigmoid<T>(x); }
    MAILLON_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> x) const {
        const Vec<T> sixth = broadcast(T(1.0f / 6)); // PyTorch's, rounded to a float
        return keep<T>((x > broadcast(T(-3))) & (x < broadcast(T(3))), sixth) * dy;
    }
};

template <class T> struct Hardswish {
    explicit Hardswish(const Numbers&) {}
    MAILLON_INLINE Vec<T> value(Vec<T> x) const { return x * hard_sigmoid<T>(x); }
    MAILLON_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> x) const {
        const Vec<T> bent = x < broadcast(T(3)) ? x / T(3) + T(0.5) : broadcast(T(1));
        return (x <= broadcast(T(-3)) ? Vec<T>{} : bent) * dy;
    }
};

template <class T> struct Threshold {
    Vec<T> threshold, below;
    explicit Threshold(const Numbers& n) : threshold(number<T>(n.a)), below(number<T>(n.b)) {}
    MAILLON_INLINE Vec<T> value(Vec<T> x) const { return x <= threshold ? below : x; }
    MAILLON_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> x) const { return one_unless<T>(x <= threshold) * dy; }
};

template <class T> struct Shrink { // what Hardshrink and Softshrink share
    Vec<T> most;
    explicit Shrink(const Numbers& n) : most(number<T>(n.a)) {}
    MAILLON_INLINE Bits<T> small(Vec<T> x) const { return (x >= -most) & (x <= most); }
    MAILLON_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> x) const { return one_unless<T>(small(x)) * dy; }
};

template <class T> struct Hardshrink : Shrink<T> {
    using Shrink<T>::Shrink;
    MAILLON_INLINE Vec<T> value(Vec<T> x) const { return this->small(x) ? Vec<T>{} : x; }
};

template <class T> struct Softshrink : Shrink<T> {
    using Shrink<T>::Shrink;
    MAILLON_INLINE Vec<T> value(Vec<T> x) const { return x - min(this->most, max(-this->most, x)); }
};

// The smallest networks read and write their numbers one by one: who stores or loads through a mask waits for that.
template <class T> inline constexpr int64_t few = lanes<T> < 4 ? lanes<T> : 4;

template <class T> MAILLON_INLINE Vec<T> load_few(const T* from, int64_t n) {
    Vec<T> v = broadcast(from[0]);
#pragma GCC unroll 4
    for (int64_t i = 1; i < few<T>; ++i)
        if (i < n) v[i] = from[i];
    return v;
}
template <class T> MAILLON_INLINE void store_few(T* to, Vec<T> v, int64_t n) {
    to[0] = v[0];
#pragma GCC unroll 4
    for (int64_t i = 1; i < few<T>; ++i)
        if (i < n) to[i] = v[i];
}
template <class T> MAILLON_INLINE bool is_few(const Block& block) {
    return block.rows == 1 && block.columns >= 1 && block.columns <= few<T>;
}

template <class F, class T> void values(const Numbers& numbers, const T* x, T* y, const Block& block) {
    const F f(numbers);
    if (is_few<T>(block)) return store_few<T>(y, f.value(load_few(x, block.columns)), block.columns);
    for (int64_t row = 0; row < block.rows; ++row, x += block.stride, y += block.stride)
        each_register<T>(block.columns, [=](int64_t i, int64_t count) __attribute__((always_inline)) {
            store_up_to(y + i, f.value(load_up_to(x + i, count)), count);
        });
}

template <class F, class T>
void gradients(const Numbers& numbers, const T* dy, const T* reference, T* dx, const Block& block) {
    const F f(numbers);
    if (const int64_t n = block.columns; is_few<T>(block))
        return store_few<T>(dx, f.gradient(load_few(dy, n), load_few(reference, n)), n);
    for (int64_t row = 0; row < block.rows; ++row) {
        each_register<T>(block.columns, [=](int64_t i, int64_t count) __attribute__((always_inline)) {
            store_up_to(dx + i, f.gradient(load_up_to(dy + i, count), load_up_to(reference + i, count)), count);
        });
        dy += block.stride, reference += block.stride, dx += block.stride;
    }
}

template <class T, template <class> class... Functors> constexpr Curve<T> curves[] = {
    {values<Functors<T>, T>, gradients<Functors<T>, T>}...};

template <class T>
constexpr const Curve<T>* in_order = // of the enum
    curves<T, Same, Tanh, Sigmoid, ReLU, LeakyReLU, Hardtanh, ExponentialUnit, GELU, TanhGELU, SiLU, Mish, Softplus,
           LogSigmoid, Softsign, Tanhshrink, Hardsigmoid, Hardswish, Threshold, Hardshrink, Softshrink>;

} // namespace

template <> constinit const Curve<float>* const Curves<float>::all = in_order<float>;
template <> constinit const Curve<double>* const Curves<double>::all = in_order<double>;

namespace {

template <class T> bool activation(const op::Activation<T>& op, const Team& team) {
    const Span own = share(op.n, grain, team);
    const int64_t n = own.end - own.begin;
    curve<T>(op.activation).value({op.a, op.b, op.c, op.d}, op.x + own.begin, op.y + own.begin, {1, n, n});
    return true;
}

template <class T> bool activation_grad(const op::ActivationGrad<T>& op, const Team& team) {
    const Span own = share(op.n, grain, team);
    const int64_t n = own.end - own.begin;
    const T* reference = op.reference + own.begin;
    curve<T>(op.activation).gradient({op.a, op.b, op.c, op.d}, op.dy + own.begin, reference, op.dx + own.begin, {1, n, n});
    return true;
}

template <class T> bool softmax(const op::Softmax<T>& op, const Team& team) {
    const Span lines = share(op.outer * op.inner, grain, team);
    MAILLON_ISA::softmax<T>(op.x, op.y, op.size, op.inner, lines, op.log != 0);
    return true;
}

template <class T> bool softmax_grad(const op::SoftmaxGrad<T>& op, const Team& team) {
    const Span lines = share(op.outer * op.inner, grain, team);
    MAILLON_ISA::softmax_grad<T>(op.dy, op.y, op.dx, op.size, op.inner, lines, op.log != 0);
    return true;
}

// step(line, begin, count) for the part of each line of `size` elements that lies within `own` of all.
template <class Step> MAILLON_INLINE void each_part(Span own, int64_t size, Step step) {
    for (int64_t at = own.begin; at < own.end;) {
        const int64_t line = at / size, rest = (line + 1) * size - at;
        const int64_t count = rest < own.end - at ? rest : own.end - at;
        step(line, at, count);
        at += count;
    }
}

// x as (outer, channels, inner), a slope for each channel.
template <class T> bool prelu(const op::Prelu<T>& op, const Team& team) {
    const auto part = [&op](int64_t at, int64_t count, auto slope) __attribute__((always_inline)) {
        each_register<T>(count, [=, x = op.x + at, y = op.y + at](int64_t i, int64_t n) __attribute__((always_inline)) {
            const Vec<T> v = load_up_to(x + i, n);
            store_up_to(y + i, v > Vec<T>{} ? v : slope(i, n) * v, n);
        });
    };
    if (op.inner == 1) { // the slopes lie side by side
        const Span own = share(op.outer, 1, team);
        for (int64_t row = own.begin; row < own.end; ++row)
            part(row * op.channels, op.channels, [&op](int64_t i, int64_t n) { return load_up_to(op.weight + i, n); });
        return true;
    }
    each_part(share(op.outer * op.channels * op.inner, grain, team), op.inner,
              [&](int64_t line, int64_t at, int64_t count) __attribute__((always_inline)) {
                  const Vec<T> slope = broadcast(op.weight[line % op.channels]);
                  part(at, count, [=](int64_t, int64_t) { return slope; });
              });
    return true;
}

// dx, where it is wanted, and the terms of dweight.
template <class T> MAILLON_INLINE Vec<T> prelu_step(const op::PreluGrad<T>& op, int64_t at, int64_t n, Vec<T> slope) {
    const Vec<T> dy = load_up_to(op.dy + at, n), x = load_up_to(op.x + at, n), zero{};
    if (op.dx != nullptr) store_up_to(op.dx + at, x > zero ? dy : slope * dy, n);
    return x > zero ? zero : x * dy;
}

constexpr int64_t prelu_block = 1024; // elements of a line that are added up by one thread

// Channels side by side: each thread goes down some columns.
template <class T> void prelu_grad_columns(const op::PreluGrad<T>& op, const Team& team) {
    const Span own = share(op.channels, grain, team);
    for (int64_t j = own.begin; j < own.end; j += lanes<T>) {
        const int64_t n = own.end - j < lanes<T> ? own.end - j : lanes<T>;
        const Vec<T> slope = load_up_to(op.weight + j, n);
        Vec<T> sum{};
        for (int64_t row = 0; row < op.outer; ++row) sum += prelu_step(op, row * op.channels + j, n, slope);
        if (op.dweight == nullptr) continue;
        if (op.keep) sum += load_up_to(op.dweight + j, n);
        store_up_to(op.dweight + j, sum, n);
    }
}

// Blocks of each line make sums, and a channel's sums make its dweight.
template <class T> bool prelu_grad(const op::PreluGrad<T>& op, const Team& team) {
    if (op.inner == 1) {
        prelu_grad_columns(op, team);
        return true;
    }
    const int64_t blocks = (op.inner + prelu_block - 1) / prelu_block, lines = op.outer * op.channels;
    const Span own = share(lines * blocks, 1, team);
    for (int64_t k = own.begin; k < own.end; ++k) {
        const int64_t line = k / blocks, begin = k % blocks * prelu_block;
        const int64_t n = op.inner - begin < prelu_block ? op.inner - begin : prelu_block;
        const int64_t at = line * op.inner + begin;
        const Vec<T> slope = broadcast(op.weight[line % op.channels]);
        op.workspace[k] = double(sum_terms<T>(n, [=, &op](int64_t i, int64_t count) __attribute__((always_inline)) {
            return prelu_step(op, at + i, count, slope);
        }));
    }
    team.wait();
    const Span channels = op.dweight == nullptr ? Span{0, 0} : share(op.channels, grain, team);
    for (int64_t c = channels.begin; c < channels.end; ++c) {
        double sum = op.keep ? double(op.dweight[c]) : 0;
        for (int64_t line = c; line < lines; line += op.channels)
            for (int64_t b = 0; b < blocks; ++b) sum += op.workspace[line * blocks + b];
        op.dweight[c] = T(sum);
    }
    return true;
}

// A slope is drawn for each x ≤ 0, in order, as a double of two words, the upper one first: this cannot be shared.
template <class T> bool rrelu(const op::Rrelu<T>& op, const Team&) {
    const double width = op.upper - op.lower;
    each_block(*op.words, op.n, [=, &op](int64_t i) __attribute__((always_inline)) {
        T slope = T(1);
        if (op.x[i] <= 0) {
            const uint64_t high = op.words->next(), word = (high << 32 | op.words->next()) & ((uint64_t(1) << 53) - 1);
            slope = T(fma(double(word) * 0x1p-53, width, op.lower));
        }
        op.slopes[i] = slope;
        op.y[i] = slope * op.x[i];
    });
    return true;
}

// x as (outer, 2, size): y = a σ(b).
template <class T> bool glu(const op::Glu<T>& op, const Team& team) {
    each_part(share(op.outer * op.size, grain, team), op.size,
              [&op](int64_t line, int64_t at, int64_t count) __attribute__((always_inline)) {
                  const T *a = op.x + at + line * op.size, *b = a + op.size;
                  T* y = op.y + at;
                  each_register<T>(count, [=](int64_t i, int64_t n) __attribute__((always_inline)) {
                      store_up_to(y + i, load_up_to(a + i, n) * sigmoid(load_up_to(b + i, n)), n);
                  });
              });
    return true;
}

template <class T> bool glu_grad(const op::GluGrad<T>& op, const Team& team) {
    each_part(share(op.outer * op.size, grain, team), op.size,
              [&op](int64_t line, int64_t at, int64_t count) __attribute__((always_inline)) {
                  const int64_t first = at + line * op.size;
                  const T *a = op.x + first, *b = a + op.size, *dy = op.dy + at;
                  T *da = op.dx + first, *db = da + op.size;
                  each_register<T>(count, [=](int64_t i, int64_t n) __attribute__((always_inline)) {
                      const Vec<T> gate = sigmoid(load_up_to(b + i, n)), d = gate * load_up_to(dy + i, n);
                      store_up_to(da + i, d, n);
                      store_up_to(db + i, load_up_to(a + i, n) * (T(1) - gate) * d, n);
                  });
              });
    return true;
}

const Entry entries[] = {
    ENTRY(Activation, activation), ENTRY(ActivationGrad, activation_grad),
    ENTRY(Softmax, softmax),       ENTRY(SoftmaxGrad, softmax_grad),
    ENTRY(Prelu, prelu),           ENTRY(PreluGrad, prelu_grad),
    ENTRY(Rrelu, rrelu),           ENTRY(Glu, glu),
    ENTRY(GluGrad, glu_grad),
};

} // namespace

FAMILY(activations)

} // namespace maillon::MAILLON_ISA

// Dropout: of values, or of channels, whose places share one factor.
#include "../operations/dropout.hpp"

#include "../entry.hpp"
#include "../lanes.hpp"
#include "../words.hpp"

namespace maillon::MAILLON_ISA {

namespace {

template <class T> MAILLON_INLINE Bits<T> words_of(const uint32_t* from, int64_t count) {
    typedef uint32_t Few __attribute__((vector_size(lanes<T> * 4)));
    Few words{};
    if (count >= lanes<T>) std::memcpy(&words, from, sizeof words);
    else std::memcpy(&words, from, size_t(count) * 4);
    return __builtin_convertvector(words, Bits<T>);
}

// What becomes of x: x · factor + shift, both as the value is kept or not.
template <class T> struct Law {
    T kept, shift_kept, shift_dropped;
    bool shifts;
};

constexpr double saturation = 1.7580993408473766; // SELU's λ α

// Alpha dropout keeps mean 0 and variance 1: what it drops becomes -saturation, then all are scaled and shifted.
template <class T> Law<T> law_of(double p, bool alpha) {
    if (p == 1) return {T(1), T(0), T(0), false}; // none is kept
    if (!alpha) return {T(1) / T(1 - p), T(0), T(0), false};
    const double a = 1 / __builtin_sqrt((saturation * saturation * p + 1) * (1 - p));
    const T far = T(saturation * a), mean = T(1 - p);
    return {T(a), (T(1) - mean) * far, -mean * far, true};
}

// One word of the generator for each factor, in order: a value is kept where the word's low 24 bits, over 2^24, are at
// least p.
template <class T> bool dropout(const op::Dropout<T>& op, const Team& team) {
    using Int = typename Native<T>::Int;
    const Law<T> law = law_of<T>(op.p, op.alpha != 0);
    const double limit = double(float(op.p)) * 0x1p24;
    const Int least = Int(limit) + (double(Int(limit)) < limit);
    const Vec<T> kept = broadcast(law.kept), shift_kept = broadcast(law.shift_kept), shift_dropped = broadcast(law.shift_dropped);
    const auto shifted = [=](Vec<T> x, Vec<T> factor) __attribute__((always_inline)) {
        if (!law.shifts) return x * factor;
        return x * factor + (factor == Vec<T>{} ? shift_dropped : shift_kept);
    };
    if (team.rank == 0)
        each_words(*op.words, op.count, [=, &op](int64_t begin, const uint32_t* words, int64_t count) {
            each_register<T>(count, [=, &op](int64_t i, int64_t m) {
                const Bits<T> units = words_of<T>(words + i, m) & Int(0xffffff);
                const Vec<T> factor = keep<T>(units >= (Bits<T>{} + least), kept);
                store_up_to(op.factor + begin + i, factor, m);
                if (op.places == 1)
                    store_up_to(op.y + begin + i, shifted(load_up_to(op.x + begin + i, m), factor), m);
            });
        });
    if (op.places == 1) return true;
    team.wait();
    const Span own = share(op.count, 1, team);
    for (int64_t c = own.begin; c < own.end; ++c) {
        const Vec<T> factor = broadcast(op.factor[c]);
        const T* x = op.x + c * op.places;
        T* y = op.y + c * op.places;
        each_register<T>(op.places, [=](int64_t i, int64_t m) {
            store_up_to(y + i, shifted(load_up_to(x + i, m), factor), m);
        });
    }
    return true;
}

// dx may be dy.
template <class T> bool dropout_grad(const op::DropoutGrad<T>& op, const Team& team) {
    if (op.places == 1) {
        const Span own = share(op.count, 64, team);
        each_register<T>(own.end - own.begin, [=, &op](int64_t i, int64_t m) {
            const int64_t k = own.begin + i;
            store_up_to(op.dx + k, load_up_to(op.dy + k, m) * load_up_to(op.factor + k, m), m);
        });
        return true;
    }
    const Span own = share(op.count, 1, team);
    for (int64_t c = own.begin; c < own.end; ++c) {
        const Vec<T> factor = broadcast(op.factor[c]);
        const T* dy = op.dy + c * op.places;
        T* dx = op.dx + c * op.places;
        each_register<T>(op.places, [=](int64_t i, int64_t m) { store_up_to(dx + i, load_up_to(dy + i, m) * factor, m); });
    }
    return true;
}

const Entry entries[] = {ENTRY(Dropout, dropout), ENTRY(DropoutGrad, dropout_grad)};

} // namespace

FAMILY(dropout)

} // namespace maillon::MAILLON_ISA

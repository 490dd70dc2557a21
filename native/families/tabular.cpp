// Links for tables: periodic embeddings of the features. A feature is computed whole by one thread, its rows side by
// side in the lanes of a register: the numbers of `tile` rows are gathered first.
#include "../operations/tabular.hpp"

#include "../entry.hpp"
#include "../math.hpp"
#include "../runs.hpp"

namespace maillon::MAILLON_ISA {

namespace {

// Rows of a tile: whole registers, whatever their width.
int64_t tile(int64_t rows) {
    const int64_t whole = (rows + 31) / 32 * 32;
    return whole < 128 ? whole : 128;
}

// step(row, n) for the tiles of all rows.
template <class Step> MAILLON_INLINE void each_tile(int64_t rows, Step step) {
    for (int64_t row = 0, length = tile(rows); row < rows; row += length)
        step(row, rows - row < length ? rows - row : length);
}

// n numbers that lie `stride` apart, and zeros to the end of the last register.
template <class T> void gather(const T* from, int64_t stride, int64_t n, T* to) {
    int64_t i = 0;
    for (; i < n; ++i) to[i] = from[i * stride];
    for (; i % lanes<T> != 0; ++i) to[i] = 0;
}
template <class T> void scatter(const T* from, int64_t n, T* to, int64_t stride) {
    for (int64_t i = 0; i < n; ++i) to[i * stride] = from[i];
}

// 2π w x + p without whole turns, which are left out exactly; as NumPy has it.
template <class T> MAILLON_INLINE Vec<T> angle(Vec<T> x, T frequency, T phase) {
    const T round = T(uint64_t(3) << (Number<T>::mantissa_bits - 1)); // added to a number this large, turns are whole
    const Vec<T> turns = x * frequency, part = turns - ((turns + round) - round);
    return part * Number<T>::two_pi + phase;
}

// y = (x, V cos(2π w x + p) + c)
template <class T> bool periodic_embedding(const op::PeriodicEmbedding<T>& op, const Team& team) {
    const Span own = share(op.features, 1, team);
    const int64_t length = tile(op.rows), outs = op.out - 1, width = op.features * op.out;
    T *x = op.workspace + own.begin * op.out * length, *sums = x + length;
    for (int64_t f = own.begin; f < own.end; ++f) {
        const T *frequency = op.frequency + f * op.hidden, *phase = op.phase + f * op.hidden;
        const T *weight = op.weight + f * outs * op.hidden, *bias = op.bias + f * outs;
        each_tile(op.rows, [=, &op](int64_t row, int64_t n) {
            gather(op.x + row * op.features + f, op.features, n, x);
            for (int64_t j = 0; j < outs; ++j)
                for (int64_t i = 0; i < n; i += lanes<T>) store(sums + j * length + i, broadcast(bias[j]));
            for (int64_t k = 0; k < op.hidden; ++k)
                for (int64_t i = 0; i < n; i += lanes<T>) {
                    const Vec<T> h = sin_cos<T>(angle<T>(load(x + i), frequency[k], phase[k])).cos;
                    for (int64_t j = 0; j < outs; ++j) {
                        T* sum = sums + j * length + i;
                        store(sum, fma(h, broadcast(weight[j * op.hidden + k]), load(sum)));
                    }
                }
            T* y = op.y + row * width + f * op.out;
            scatter(x, n, y, width);
            for (int64_t j = 0; j < outs; ++j) scatter(sums + j * length, n, y + 1 + j, width);
        });
    }
    return true;
}

// This feature's part of a gradient, `size` numbers: zeros unless it is added to what is there; null stays null.
template <class T> T* begun(T* gradient, int64_t feature, int64_t size, int64_t keep) {
    if (gradient == nullptr) return nullptr;
    T* part = gradient + feature * size;
    if (!keep) std::memset(part, 0, size_t(size) * sizeof(T));
    return part;
}

// Of the angle: da = -sin(2π w x + p) Vᵀ dv, for dy = (dy₀, dv)
template <class T> bool periodic_embedding_grad(const op::PeriodicEmbeddingGrad<T>& op, const Team& team) {
    const Span own = share(op.features, 1, team);
    const int64_t length = tile(op.rows), outs = op.out - 1, width = op.features * op.out, hidden = op.hidden;
    T* const x = op.workspace + own.begin * (op.out + 2) * length;
    T *const dx = x + length, *const h = dx + length, *const dv = h + length;
    const T two_pi = Number<T>::two_pi;
    for (int64_t f = own.begin; f < own.end; ++f) {
        const T *frequency = op.frequency + f * hidden, *phase = op.phase + f * hidden;
        const T* weight = op.weight + f * outs * hidden;
        T* dfrequency = begun(op.dfrequency, f, hidden, op.keep_frequency);
        T* dphase = begun(op.dphase, f, hidden, op.keep_phase);
        T* dweight = begun(op.dweight, f, outs * hidden, op.keep_weight);
        T* dbias = begun(op.dbias, f, outs, op.keep_bias);
        each_tile(op.rows, [=, &op](int64_t row, int64_t n) {
            const T* dy = op.dy + row * width + f * op.out;
            gather(op.x + row * op.features + f, op.features, n, x);
            gather(dy, width, n, dx);
            for (int64_t j = 0; j < outs; ++j) {
                gather(dy + 1 + j, width, n, dv + j * length);
                if (dbias != nullptr) dbias[j] += sum(dv + j * length, n);
            }
            for (int64_t k = 0; k < hidden; ++k) {
                Runs<T, 2> sums;
                sums.add(n, [=](int64_t i, int64_t) __attribute__((always_inline)) {
                    const Vec<T> value = load(x + i);
                    const SinCos<T> wave = sin_cos<T>(angle<T>(value, frequency[k], phase[k]));
                    Vec<T> dh{};
                    for (int64_t j = 0; j < outs; ++j)
                        dh = fma(load(dv + j * length + i), broadcast(weight[j * hidden + k]), dh);
                    const Vec<T> da = -wave.sin * dh;
                    store(h + i, wave.cos);
                    store(dx + i, fma(da, broadcast(two_pi * frequency[k]), load(dx + i)));
                    return Terms<T, 2>{{value * da, da}};
                });
                if (dfrequency != nullptr) dfrequency[k] += two_pi * sums.total(0);
                if (dphase != nullptr) dphase[k] += sums.total(1);
                for (int64_t j = 0; dweight != nullptr && j < outs; ++j)
                    dweight[j * hidden + k] += dot(dv + j * length, h, n);
            }
            if (op.dx != nullptr) scatter(dx, n, op.dx + row * op.features + f, op.features);
        });
    }
    return true;
}

const Entry entries[] = {ENTRY(PeriodicEmbedding, periodic_embedding),
                         ENTRY(PeriodicEmbeddingGrad, periodic_embedding_grad)};

} // namespace

FAMILY(tabular)

} // namespace maillon::MAILLON_ISA

// Recurrent layers, one layer in one direction: the loop over time, forward and backward. The input's share of the
// gates at all steps is one product before it, and the gradients of the weights are products after it.
//
// All is laid out (steps, batch, …), but y and dy may be (batch, steps, …), and hold the features of both directions.
// Threads share the samples, which know nothing of each other: no barrier stands inside the loop.
#include "../operations/recurrent.hpp"

#include "../entry.hpp"
#include "../gemm.hpp"
#include "../math.hpp"

namespace maillon::MAILLON_ISA {

namespace {

// ── The product of every step ───────────────────────────────────────────────────────────────────────────────────────

// The right factor of the products of all steps: `groups` groups of `columns` columns each, k long, element (p, j) of
// them all at b[p·b_k + j·b_col]. It is packed once, every group into panels of its own.
template <class T> struct Factor {
    const T* b;
    int64_t k, b_k, b_col, groups, columns;
    T* panels; // null: so few rows that packing does not pay

    int64_t blocks() const { return (columns + tile_columns<T> - 1) / tile_columns<T>; }
    int width(int64_t j) const { return columns - j < tile_columns<T> ? int(columns - j) : tile_columns<T>; }
    int64_t packed_size() const { return groups * blocks() * tile_columns<T> * k; }

    void pack(const Team& team) const {
        if (b == nullptr || panels == nullptr) return;
        const Product<T> g{0, 0, k, nullptr, 0, 0, b, b_k, b_col, nullptr, 0, nullptr, Begin::zero};
        const Span own = share(groups * blocks(), 1, team);
        for (int64_t panel = own.begin; panel < own.end; ++panel) {
            const int64_t j = panel % blocks() * tile_columns<T>;
            pack_b(g, 0, k, panel / blocks() * columns + j, width(j), panels + panel * k * tile_columns<T>);
        }
    }

    // c = bias + a · the columns from j on of a group, as many as a tile has.
    void multiply(const T* a, int64_t rows, int64_t group, int64_t j, const T* bias, T* c, int64_t c_row) const {
        const int64_t column = group * columns + j;
        const int n = width(j);
        const T* start = bias ? bias + column : nullptr;
        if (panels == nullptr)
            return product_plain<T>({rows, n, k, a, k, 1, b + column * b_col, b_k, b_col, c, c_row, start,
                                     bias ? Begin::bias : Begin::zero},
                                    {});
        const int64_t panel = group * blocks() + j / tile_columns<T>;
        times_panel<T>(a, k, rows, panels + panel * k * tile_columns<T>, k, n, start, c, c_row);
    }
};

// By the weights of the state, (groups · columns, k): from h to the gates.
template <class T, class Op>
Factor<T> state_factor(const Op& op, const T* weight, int64_t k, int64_t groups, int64_t columns, T* panels) {
    return {weight, k, 1, k, groups, columns, op.steps * op.batch > 4 ? panels : nullptr};
}

// By the same weights, (k, columns), the other way: from the gates' gradients to that of h.
template <class T, class Op>
Factor<T> gate_factor(const Op& op, const T* weight, int64_t k, int64_t columns, T* panels) {
    return {weight, k, columns, 1, 1, columns, op.steps * op.batch > 4 ? panels : nullptr};
}

// finish(block, sample, unit, count) for all samples and tiles of units: block + g · tile_columns holds the product of
// the sample's row of a (null: zeros) with `count` columns of group g from `unit` on.
template <class T, int groups, class Finish>
MAILLON_INLINE void each_tile(const Factor<T>& factor, const T* a, const T* bias, Span samples, Finish finish) {
    constexpr int64_t row = groups * tile_columns<T>, most = 3 * tile_rows;
    alignas(64) T block[most * row];
    for (int64_t j = 0; j < factor.columns; j += tile_columns<T>) {
        for (int64_t n = samples.begin; n < samples.end; n += most) {
            const int64_t rows = samples.end - n < most ? samples.end - n : most;
            if (a == nullptr) std::memset(block, 0, sizeof block);
            for (int g = 0; g < groups && a != nullptr; ++g)
                factor.multiply(a + n * factor.k, rows, g, j, bias, block + g * tile_columns<T>, row);
            for (int64_t r = 0; r < rows; ++r) finish(block + r * row, n + r, j, int64_t(factor.width(j)));
        }
    }
}

// ── Where the numbers of a step lie ─────────────────────────────────────────────────────────────────────────────────

template <class Op> struct Walk {
    const Op& op;
    int64_t features; // of h

    int64_t time(int64_t step) const { return op.direction ? op.steps - 1 - step : step; }
    int64_t row(int64_t step, int64_t n) const { return time(step) * op.batch + n; }
    int64_t y(int64_t step, int64_t n) const {
        const int64_t place = op.y_by_sample ? n * op.steps + time(step) : row(step, n);
        return (place * op.directions + op.direction) * features;
    }
    // This direction's half of a state, `size` features of each sample.
    template <class T> T* part(T* state, int64_t size) const {
        return state ? state + op.direction * op.batch * size : nullptr;
    }
};

template <class T> MAILLON_INLINE Vec<T> load_or_zero(const T* from, int64_t at, int64_t count) {
    return from ? load_up_to(from + at, count) : Vec<T>{};
}

// This thread's samples of a state, from another one, which may be absent: zeros.
template <class T> void copy_state(const T* from, T* to, int64_t size, Span samples) {
    each_register<T>((samples.end - samples.begin) * size, [=](int64_t i, int64_t count) {
        const int64_t at = samples.begin * size + i;
        store_up_to(to + at, load_or_zero(from, at, count), count);
    });
}

// The gradient of the initial state: what goes past the gates (null: nothing), and what comes through them.
template <class T>
void grad_initial(const Factor<T>& weight, const T* dgates, const T* past, T* dinitial, Span samples) {
    const int64_t size = weight.columns;
    each_tile<T, 1>(weight, dgates, nullptr, samples, [=](const T* block, int64_t n, int64_t j, int64_t units) {
        each_register<T>(units, [=](int64_t u, int64_t count) {
            const int64_t at = n * size + j + u;
            store_up_to(dinitial + at, load_or_zero(past, at, count) + load_up_to(block + u, count), count);
        });
    });
}

// h of a step goes where the next one reads it, into y and into the last state.
template <class T, class Op> struct Output {
    const Walk<Op>& walk;
    int64_t step;

    MAILLON_INLINE void operator()(int64_t n, int64_t at, Vec<T> h, int64_t count) const {
        const Op& op = walk.op;
        const int64_t features = walk.features;
        if (step + 1 < op.steps) store_up_to(op.before + walk.row(step + 1, n) * features + at, h, count);
        else if (op.last) store_up_to(walk.part(op.last, features) + n * features + at, h, count);
        if (op.y) store_up_to(op.y + walk.y(step, n) + at, h, count);
    }
};

// ── RNN ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

template <class T, bool relu> void rnn_steps(const op::Rnn<T>& op, const Factor<T>& weight, Span samples, const Team& team) {
    const int64_t size = op.units;
    const Walk<op::Rnn<T>> walk{op, size};
    copy_state<T>(walk.part(op.initial, size), op.before + walk.row(0, 0) * size, size, samples);
    for (int64_t step = 0; step < op.steps && !team.leaving(); ++step) {
        const Output<T, op::Rnn<T>> output{walk, step};
        const auto cells = [&](const T* block, int64_t n, int64_t j, int64_t units) {
            const int64_t at = walk.row(step, n) * size + j;
            each_register<T>(units, [&](int64_t u, int64_t count) {
                const Vec<T> a = load_up_to(op.share + at + u, count) + load_up_to(block + u, count);
                const Vec<T> h = relu ? max(Vec<T>{}, a) : tanh(a);
                store_up_to(op.hidden + at + u, h, count);
                output(n, j + u, h, count);
            });
        };
        each_tile<T, 1>(weight, op.before + walk.row(step, 0) * size, op.bias, samples, cells);
    }
}

template <class T> bool rnn(const op::Rnn<T>& op, const Team& team) {
    const Factor<T> weight = state_factor(op, op.weight, op.units, 1, op.units, op.workspace);
    weight.pack(team);
    team.wait();
    const Span samples = share(op.batch, 1, team);
    if (op.relu) rnn_steps<T, true>(op, weight, samples, team);
    else rnn_steps<T, false>(op, weight, samples, team);
    return true;
}

template <class T> bool rnn_grad(const op::RnnGrad<T>& op, const Team& team) {
    const int64_t size = op.units;
    const Walk<op::RnnGrad<T>> walk{op, size};
    const Factor<T> weight = gate_factor(op, op.weight, size, size, op.workspace);
    weight.pack(team);
    team.wait();
    const Span samples = share(op.batch, 1, team);
    const T* da = nullptr; // of the step after
    for (int64_t step = op.steps - 1; step >= 0 && !team.leaving(); --step) {
        const T* dlast = da ? nullptr : walk.part(op.dlast, size);
        const auto cells = [&](const T* block, int64_t n, int64_t j, int64_t units) {
            const int64_t at = walk.row(step, n) * size + j, y_at = walk.y(step, n) + j;
            each_register<T>(units, [&](int64_t u, int64_t count) {
                const Vec<T> h = load_up_to(op.hidden + at + u, count), zero{}, one = broadcast(T(1));
                const Vec<T> slope = op.relu ? select(h > zero, one, zero) : one - h * h;
                const Vec<T> dh = load_up_to(block + u, count) + load_or_zero(op.dy, y_at + u, count) +
                                  load_or_zero(dlast, n * size + j + u, count);
                store_up_to(op.dshare + at + u, slope * dh, count);
            });
        };
        each_tile<T, 1>(weight, da, nullptr, samples, cells);
        da = op.dshare + walk.row(step, 0) * size;
    }
    if (T* dinitial = walk.part(op.dinitial, size)) grad_initial<T>(weight, da, nullptr, dinitial, samples);
    return true;
}

// ── LSTM ────────────────────────────────────────────────────────────────────────────────────────────────────────────

template <class T> bool lstm(const op::Lstm<T>& op, const Team& team) {
    const int64_t size = op.units, features = op.features;
    const Walk<op::Lstm<T>> walk{op, features};
    const Factor<T> weight = state_factor(op, op.weight, features, 4, size, op.workspace);
    const Factor<T> projection = state_factor(op, op.weight_hr, size, 1, features, op.workspace + weight.packed_size());
    weight.pack(team);
    projection.pack(team);
    team.wait();
    const Span samples = share(op.batch, 1, team);
    copy_state<T>(walk.part(op.initial, features), op.before + walk.row(0, 0) * features, features, samples);
    const T* initial_cell = walk.part(op.initial_cell, size);
    for (int64_t step = 0; step < op.steps && !team.leaving(); ++step) {
        const Output<T, op::Lstm<T>> output{walk, step};
        const T* cells_before = step ? op.cells + walk.row(step - 1, 0) * size : initial_cell;
        T* last_cell = step + 1 == op.steps ? walk.part(op.last_cell, size) : nullptr;
        const auto cells = [&](const T* block, int64_t n, int64_t j, int64_t units) {
            const int64_t row = walk.row(step, n), at = n * size + j;
            const T* share = op.share + row * 4 * size + j;
            T *gates = op.gates + row * 4 * size + j, *cell = op.cells + row * size + j;
            const auto gate = [&](int g, int64_t u, int64_t count) {
                return load_up_to(share + g * size + u, count) + load_up_to(block + g * tile_columns<T> + u, count);
            };
            each_register<T>(units, [&](int64_t u, int64_t count) {
                const Vec<T> i = sigmoid(gate(0, u, count)), f = sigmoid(gate(1, u, count));
                const Vec<T> g = tanh(gate(2, u, count)), o = sigmoid(gate(3, u, count));
                const Vec<T> c = fma(f, load_or_zero(cells_before, at + u, count), i * g), h = o * tanh(c);
                store_up_to(gates + u, i, count);
                store_up_to(gates + size + u, f, count);
                store_up_to(gates + 2 * size + u, g, count);
                store_up_to(gates + 3 * size + u, o, count);
                store_up_to(cell + u, c, count);
                if (last_cell) store_up_to(last_cell + at + u, c, count);
                if (op.made) store_up_to(op.made + row * size + j + u, h, count);
                else output(n, j + u, h, count);
            });
        };
        each_tile<T, 4>(weight, op.before + walk.row(step, 0) * features, op.bias, samples, cells);
        if (op.made == nullptr) continue;
        const auto project = [&](const T* block, int64_t n, int64_t j, int64_t units) {
            each_register<T>(units, [&](int64_t u, int64_t count) {
                output(n, j + u, load_up_to(block + u, count), count);
            });
        };
        each_tile<T, 1>(projection, op.made + walk.row(step, 0) * size, nullptr, samples, project);
    }
    return true;
}

// From the gradient of h (before a projection) of some units to those of their gates; dcell goes from step to step.
template <class T> struct LstmCellGrad {
    const T *gates, *cell, *cell_before;
    T *dgates, *dcell;
    int64_t size;

    MAILLON_INLINE void operator()(int64_t j, Vec<T> dh, int64_t count) const {
        const Vec<T> i = load_up_to(gates + j, count), f = load_up_to(gates + size + j, count);
        const Vec<T> g = load_up_to(gates + 2 * size + j, count), o = load_up_to(gates + 3 * size + j, count);
        const Vec<T> one = broadcast(T(1)), through = tanh(load_up_to(cell + j, count));
        const Vec<T> dc = fma(o * (one - through * through), dh, load_up_to(dcell + j, count));
        store_up_to(dgates + j, i * (one - i) * g * dc, count);
        store_up_to(dgates + size + j, f * (one - f) * load_or_zero(cell_before, j, count) * dc, count);
        store_up_to(dgates + 2 * size + j, (one - g * g) * i * dc, count);
        store_up_to(dgates + 3 * size + j, o * (one - o) * through * dh, count);
        store_up_to(dcell + j, f * dc, count);
    }
};

template <class T> bool lstm_grad(const op::LstmGrad<T>& op, const Team& team) {
    const int64_t size = op.units, features = op.features;
    const Walk<op::LstmGrad<T>> walk{op, features};
    T *dcells = op.workspace, *panels = dcells + op.batch * size;
    const Factor<T> weight = gate_factor(op, op.weight, 4 * size, features, panels);
    const Factor<T> projection = gate_factor(op, op.weight_hr, features, size, panels + weight.packed_size());
    weight.pack(team);
    projection.pack(team);
    team.wait();
    const Span samples = share(op.batch, 1, team);
    const T* initial_cell = walk.part(op.initial_cell, size);
    copy_state<T>(walk.part(op.dlast_cell, size), dcells, size, samples);
    const T* da = nullptr; // of the step after
    for (int64_t step = op.steps - 1; step >= 0 && !team.leaving(); --step) {
        const T* dlast = da ? nullptr : walk.part(op.dlast, features);
        const T* cells_before = step ? op.cells + walk.row(step - 1, 0) * size : initial_cell;
        const auto cell = [&](int64_t n) {
            const int64_t row = walk.row(step, n);
            return LstmCellGrad<T>{op.gates + row * 4 * size,
                                   op.cells + row * size,
                                   cells_before ? cells_before + n * size : nullptr,
                                   op.dgates + row * 4 * size,
                                   dcells + n * size,
                                   size};
        };
        const auto outputs = [&](const T* block, int64_t n, int64_t j, int64_t units) {
            const int64_t at = n * features + j, y_at = walk.y(step, n) + j;
            const LstmCellGrad<T> back = cell(n);
            each_register<T>(units, [&](int64_t u, int64_t count) {
                const Vec<T> dh = load_up_to(block + u, count) + load_or_zero(op.dy, y_at + u, count) +
                                  load_or_zero(dlast, at + u, count);
                if (op.dprojected) store_up_to(op.dprojected + walk.row(step, 0) * features + at + u, dh, count);
                else back(j + u, dh, count);
            });
        };
        each_tile<T, 1>(weight, da, nullptr, samples, outputs);
        da = op.dgates + walk.row(step, 0) * 4 * size;
        if (op.dprojected == nullptr) continue;
        const auto cells = [&](const T* block, int64_t n, int64_t j, int64_t units) {
            const LstmCellGrad<T> back = cell(n);
            each_register<T>(units, [&](int64_t u, int64_t count) { back(j + u, load_up_to(block + u, count), count); });
        };
        each_tile<T, 1>(projection, op.dprojected + walk.row(step, 0) * features, nullptr, samples, cells);
    }
    if (T* dinitial = walk.part(op.dinitial, features)) grad_initial<T>(weight, da, nullptr, dinitial, samples);
    if (T* dinitial_cell = walk.part(op.dinitial_cell, size)) copy_state<T>(dcells, dinitial_cell, size, samples);
    return true;
}

// ── GRU ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

template <class T> bool gru(const op::Gru<T>& op, const Team& team) {
    const int64_t size = op.units;
    const Walk<op::Gru<T>> walk{op, size};
    const Factor<T> weight = state_factor(op, op.weight, size, 3, size, op.workspace);
    weight.pack(team);
    team.wait();
    const Span samples = share(op.batch, 1, team);
    copy_state<T>(walk.part(op.initial, size), op.before + walk.row(0, 0) * size, size, samples);
    for (int64_t step = 0; step < op.steps && !team.leaving(); ++step) {
        const Output<T, op::Gru<T>> output{walk, step};
        const auto cells = [&](const T* block, int64_t n, int64_t j, int64_t units) {
            const int64_t row = walk.row(step, n);
            const T *share = op.share + row * 3 * size + j, *before = op.before + row * size + j;
            T *gates = op.gates + row * 3 * size + j, *candidate = op.candidates + row * size + j;
            each_register<T>(units, [&](int64_t u, int64_t count) {
                const auto a = [&](int g) { return load_up_to(share + g * size + u, count); };
                const auto b = [&](int g) { return load_up_to(block + g * tile_columns<T> + u, count); };
                const Vec<T> r = sigmoid(a(0) + b(0)), z = sigmoid(a(1) + b(1)), through = b(2);
                const Vec<T> c = tanh(fma(r, through, a(2))), h = fma(load_up_to(before + u, count) - c, z, c);
                store_up_to(gates + u, r, count);
                store_up_to(gates + size + u, z, count);
                store_up_to(gates + 2 * size + u, c, count);
                store_up_to(candidate + u, through, count);
                output(n, j + u, h, count);
            });
        };
        each_tile<T, 3>(weight, op.before + walk.row(step, 0) * size, op.bias, samples, cells);
    }
    return true;
}

template <class T> bool gru_grad(const op::GruGrad<T>& op, const Team& team) {
    const int64_t size = op.units;
    const Walk<op::GruGrad<T>> walk{op, size};
    T* carried = op.workspace; // z dh, which passes by the gates
    const Factor<T> weight = gate_factor(op, op.weight, 3 * size, size, carried + op.batch * size);
    weight.pack(team);
    team.wait();
    const Span samples = share(op.batch, 1, team);
    copy_state<T>(walk.part(op.dlast, size), carried, size, samples);
    const T* db = nullptr; // of the step after
    for (int64_t step = op.steps - 1; step >= 0 && !team.leaving(); --step) {
        const auto cells = [&](const T* block, int64_t n, int64_t j, int64_t units) {
            const int64_t row = walk.row(step, n), y_at = walk.y(step, n) + j;
            const T *gates = op.gates + row * 3 * size + j, *before = op.before + row * size + j;
            const T* candidate = op.candidates + row * size + j;
            T *dgates = op.dgates + row * 3 * size + j, *drecurrent = op.drecurrent + row * 3 * size + j;
            T* carry = carried + n * size + j;
            each_register<T>(units, [&](int64_t u, int64_t count) {
                const Vec<T> dh = load_up_to(carry + u, count) + load_up_to(block + u, count) +
                                  load_or_zero(op.dy, y_at + u, count);
                const Vec<T> r = load_up_to(gates + u, count), z = load_up_to(gates + size + u, count);
                const Vec<T> c = load_up_to(gates + 2 * size + u, count), one = broadcast(T(1));
                const Vec<T> slope = (one - c * c) * (one - z), dc = slope * dh;
                const Vec<T> dr = r * (one - r) * (load_up_to(candidate + u, count) * slope) * dh;
                const Vec<T> dz = z * (one - z) * (load_up_to(before + u, count) - c) * dh;
                store_up_to(dgates + u, dr, count);
                store_up_to(dgates + size + u, dz, count);
                store_up_to(dgates + 2 * size + u, dc, count);
                store_up_to(drecurrent + u, dr, count);
                store_up_to(drecurrent + size + u, dz, count);
                store_up_to(drecurrent + 2 * size + u, r * dc, count);
                store_up_to(carry + u, z * dh, count);
            });
        };
        each_tile<T, 1>(weight, db, nullptr, samples, cells);
        db = op.drecurrent + walk.row(step, 0) * 3 * size;
    }
    if (T* dinitial = walk.part(op.dinitial, size)) grad_initial<T>(weight, db, carried, dinitial, samples);
    return true;
}

const Entry entries[] = {ENTRY(Rnn, rnn),         ENTRY(RnnGrad, rnn_grad), ENTRY(Lstm, lstm),
                         ENTRY(LstmGrad, lstm_grad), ENTRY(Gru, gru),       ENTRY(GruGrad, gru_grad)};

} // namespace

FAMILY(recurrent)

} // namespace maillon::MAILLON_ISA

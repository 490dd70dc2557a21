// Products with weights. Layers of a few numbers have functions of their own: for a network such as 2–4–1, trained
// sample by sample, what a vector costs to fill is more than what it saves. Their arithmetic is that of the products: in
// the order of k, fused.
#include "../operations/linear.hpp"

#include "../entry.hpp"
#include "../gemm.hpp"

namespace maillon::MAILLON_ISA {

namespace {

template <class T> Epilogue<T> epilogue(choice::Epilogue kind, double slope, const T* reference) {
    return {Activation(kind), T(slope), reference};
}

template <class T> bool linear(const op::Linear<T>& op, const Team& team) {
    product<T>({op.rows, op.outputs, op.inputs, op.x, op.inputs, 1, op.weight, 1, op.inputs, op.y, op.outputs, op.bias,
                op.bias ? Begin::bias : Begin::zero, op.zeros ? Zeros::many_in_a : Zeros::few},
               op.workspace, team, epilogue<T>(op.activation, op.slope, nullptr));
    return true;
}

template <class T> bool linear_grad_input(const op::LinearGradInput<T>& op, const Team& team) {
    product<T>({op.rows, op.inputs, op.outputs, op.dy, op.outputs, 1, op.weight, op.inputs, 1, op.dx, op.inputs,
                nullptr, Begin::zero},
               op.workspace, team, epilogue<T>(op.activation, op.slope, op.reference));
    return true;
}

template <class T> bool linear_grad_weight(const op::LinearGradWeight<T>& op, const Team& team) {
    product<T>({op.outputs, op.inputs, op.rows, op.dy, 1, op.outputs, op.x, op.inputs, 1, op.dweight, op.inputs,
                nullptr, op.keep ? Begin::keep : Begin::zero, op.zeros ? Zeros::many_in_b : Zeros::few},
               op.workspace, team);
    if (op.dbias) column_sums<T>(op.dy, op.rows, op.outputs, op.dbias, op.keep != 0, team);
    return true;
}

// A weight's gradient, and the rule after it, part by part: what the rule takes is still in the nearest cache, and goes
// nowhere else.
template <class T> bool linear_step(const Operation& first, const Team& team) {
    constexpr int64_t most = 8192 / int64_t(sizeof(T));
    const auto& op = first.as<op::LinearGradWeight<T>>();
    const Operation& rule = *first.after(first.stride);
    alignas(64) T grad[most];
    const int64_t tall = most / op.inputs < 1 ? 1 : most / op.inputs, width = op.inputs < most ? op.inputs : most;
    const Span own = share(op.outputs, 1, team);
    for (int64_t i = own.begin; i < own.end; i += tall) {
        const int64_t rows = own.end - i < tall ? own.end - i : tall;
        for (int64_t j = 0; j < op.inputs; j += width) {
            const int64_t columns = op.inputs - j < width ? op.inputs - j : width;
            product_plain<T>({rows, columns, op.rows, op.dy + i, 1, op.outputs, op.x + j, op.inputs, 1, grad, columns,
                              nullptr, Begin::zero}, Team{});
            rule.part(rule, grad, i * op.inputs + j, rows * columns);
        }
    }
    if (op.dbias) column_sums<T>(op.dy, op.rows, op.outputs, op.dbias, false, team);
    return true;
}

// ── Two factors: y_k = x₁ᵀ W_k x₂ + b_k. For each output one product; `half` holds x₁ᵀ W_k. ────────────────────────

template <class T> bool bilinear(const op::Bilinear<T>& op, const Team& team) {
    const int64_t n1 = op.inputs1, n2 = op.inputs2, width = op.outputs * n2;
    for (int64_t k = 0; k < op.outputs; ++k) {
        product<T>({op.rows, n2, n1, op.x1, n1, 1, op.weight + k * n1 * n2, n2, 1, op.half + k * n2, width, nullptr,
                    Begin::zero}, op.workspace, team);
        team.wait(); // the workspace serves the next one
    }
    const Span own = share(op.rows, 4, team);
    for (int64_t i = own.begin; i < own.end; ++i)
        for (int64_t k = 0; k < op.outputs; ++k) {
            const T y = dot(op.half + i * width + k * n2, op.x2 + i * n2, n2);
            op.y[i * op.outputs + k] = op.bias ? y + op.bias[k] : y;
        }
    return true;
}

// dx₂ = Σ dy_k W_kᵀ x₁; with dy_k x₂, the products: dx₁ = Σ W_k (dy_k x₂), dW_k = Σ x₁ (dy_k x₂)ᵀ over the rows.
template <class T> bool bilinear_grad(const op::BilinearGrad<T>& op, const Team& team) {
    const int64_t n1 = op.inputs1, n2 = op.inputs2, width = op.outputs * n2;
    const Span own = share(op.rows, 4, team);
    for (int64_t i = own.begin; i < own.end; ++i) {
        const T *dy = op.dy + i * op.outputs, *x2 = op.x2 + i * n2, *half = op.half + i * width;
        T* products = op.products + i * width;
        each_register<T>(n2, [=, &op](int64_t j, int64_t m) {
            const Vec<T> x = load_up_to(x2 + j, m);
            Vec<T> sum{};
            for (int64_t k = 0; k < op.outputs; ++k) {
                store_up_to(products + k * n2 + j, x * dy[k], m);
                sum = fma(load_up_to(half + k * n2 + j, m), broadcast(dy[k]), sum);
            }
            if (op.dx2 != nullptr) store_up_to(op.dx2 + i * n2 + j, sum, m);
        });
    }
    team.wait();
    for (int64_t k = 0; k < op.outputs; ++k) {
        const T *weight = op.weight + k * n1 * n2, *products = op.products + k * n2;
        if (op.dx1 != nullptr) {
            product<T>({op.rows, n1, n2, products, width, 1, weight, 1, n2, op.dx1, n1, nullptr,
                        k == 0 ? Begin::zero : Begin::keep}, op.workspace, team);
            team.wait();
        }
        if (op.dweight != nullptr) {
            product<T>({n1, n2, op.rows, op.x1, 1, n1, products, width, 1, op.dweight + k * n1 * n2, n2, nullptr,
                        op.keep_weight ? Begin::keep : Begin::zero}, op.workspace, team);
            team.wait();
        }
    }
    if (op.dbias != nullptr) column_sums<T>(op.dy, op.rows, op.outputs, op.dbias, op.keep_bias != 0, team);
    return true;
}

// ── A few numbers ───────────────────────────────────────────────────────────────────────────────────────────────────

constexpr int64_t few = 64; // multiplications, up to which this pays

template <class T> bool linear_few(const op::Linear<T>& op, const Team&) {
    for (int64_t i = 0; i < op.rows; ++i)
        for (int64_t j = 0; j < op.outputs; ++j) {
            T sum = op.bias ? op.bias[j] : T(0);
#pragma GCC unroll 1
            for (int64_t k = 0; k < op.inputs; ++k) sum = fma(op.x[i * op.inputs + k], op.weight[j * op.inputs + k], sum);
            op.y[i * op.outputs + j] = sum;
        }
    if (op.activation != choice::Epilogue::none)
        activate<T>(Activation(op.activation), T(op.slope), op.y, op.y, op.rows * op.outputs);
    return true;
}

template <class T> bool linear_grad_input_few(const op::LinearGradInput<T>& op, const Team&) {
    for (int64_t i = 0; i < op.rows; ++i)
        for (int64_t j = 0; j < op.inputs; ++j) {
            T sum = 0;
#pragma GCC unroll 1
            for (int64_t k = 0; k < op.outputs; ++k)
                sum = fma(op.dy[i * op.outputs + k], op.weight[k * op.inputs + j], sum);
            op.dx[i * op.inputs + j] = sum;
        }
    if (op.activation != choice::Epilogue::none)
        activate_grad<T>(Activation(op.activation), T(op.slope), op.dx, op.reference, op.dx, op.rows * op.inputs);
    return true;
}

// One sample, nothing to add to.
template <class T>
MAILLON_INLINE void outer_product(const T* dy, const T* x, T* dweight, T* dbias, int64_t inputs, int64_t outputs) {
#pragma GCC unroll 1
    for (int64_t i = 0; i < outputs; ++i, dweight += inputs) {
        const T d = dy[i];
#pragma GCC unroll 1
        for (int64_t j = 0; j < inputs; ++j) dweight[j] = d * x[j];
        if (dbias != nullptr) dbias[i] = d;
    }
}

template <class T> bool linear_grad_weight_few(const op::LinearGradWeight<T>& op, const Team&) {
    const int64_t rows = op.rows, inputs = op.inputs, outputs = op.outputs;
    const bool keep = op.keep != 0;
    const T *dy = op.dy, *x = op.x;
    if (rows == 1 && !keep) {
        outer_product(dy, x, op.dweight, op.dbias, inputs, outputs);
        return true;
    }
    for (int64_t i = 0; i < outputs; ++i) {
        for (int64_t j = 0; j < inputs; ++j) {
            T sum = keep ? op.dweight[i * inputs + j] : T(0);
#pragma GCC unroll 1
            for (int64_t k = 0; k < rows; ++k) sum = fma(dy[k * outputs + i], x[k * inputs + j], sum);
            op.dweight[i * inputs + j] = sum;
        }
        if (op.dbias == nullptr) continue;
        T sum = keep ? op.dbias[i] : T(0);
#pragma GCC unroll 1
        for (int64_t k = 0; k < rows; ++k) sum += dy[k * outputs + i];
        op.dbias[i] = sum;
    }
    return true;
}

template <class Fields, bool (*small)(const Fields&, const Team&)> Carry if_few(const void* fields) {
    const auto& op = *static_cast<const Fields*>(fields);
    return op.rows * op.inputs * op.outputs <= few ? carried<Fields, small> : nullptr;
}

template <class T> Carry grad_weight_for(const void* fields) {
    if (static_cast<const op::LinearGradWeight<T>*>(fields)->passes) return linear_step<T>;
    return if_few<op::LinearGradWeight<T>, linear_grad_weight_few<T>>(fields);
}

#define IF_FEW(Struct, small) \
    .pick = { if_few<op::Struct<float>, small<float>>, if_few<op::Struct<double>, small<double>> }

const Entry entries[] = {ENTRY(Linear, linear, IF_FEW(Linear, linear_few)),
                         ENTRY(LinearGradInput, linear_grad_input, IF_FEW(LinearGradInput, linear_grad_input_few)),
                         ENTRY(LinearGradWeight, linear_grad_weight,
                               .pick = {grad_weight_for<float>, grad_weight_for<double>},
                               .through = {linear_step<float>, linear_step<double>}),
                         ENTRY(Bilinear, bilinear),
                         ENTRY(BilinearGrad, bilinear_grad)};

} // namespace

FAMILY(linear)

} // namespace maillon::MAILLON_ISA

// Everything hot, for one instruction set.
#include "gemm.hpp"
#include "math.hpp"
#include "operations.hpp"
#include "tiny.hpp"
#include "training.hpp"

namespace maillon::MAILLON_ISA {

namespace {

// Roughly half a microsecond of work: what sharing it among threads costs.
constexpr double worth_sharing = 20e3;

double cost(const Operation& op) {
    const int64_t* size = op.sizes;
    switch (op.kind) {
    case Kind::linear:
    case Kind::linear_grad_input:
    case Kind::linear_grad_weight: return 2.0 * double(size[0]) * double(size[1]) * double(size[2]);
    case Kind::softmax:
    case Kind::softmax_grad:
    case Kind::class_loss: return 20.0 * double(size[0]) * double(size[1]) * double(size[2]);
    case Kind::element_loss: return 10.0 * double(size[0]) * double(size[1]);
    case Kind::sgd:
    case Kind::adam: return 10.0 * double(size[0]);
    default: return 5.0 * double(size[0]);
    }
}

template <class T> Carry tiny_function_of(const Operation& op) {
    switch (op.kind) {
    case Kind::linear: return linear_tiny<T>;
    case Kind::linear_grad_input: return linear_grad_input_tiny<T>;
    case Kind::linear_grad_weight: return linear_grad_weight_tiny<T>;
    case Kind::element_loss: return op.buffers[8] ? squared_error_tiny<T, true> : squared_error_tiny<T, false>;
    default: return sgd_tiny<T>;
    }
}

bool tiny(const Operation& op) {
    switch (op.kind) {
    case Kind::linear:
    case Kind::linear_grad_input:
    case Kind::linear_grad_weight: return cost(op) <= 2.0 * tiny_product;
    case Kind::element_loss:
        return op.sizes[2] <= int64_t(ElementLoss::half_mse) && op.sizes[0] * op.sizes[1] <= tiny_update &&
               op.buffers[2] == nullptr && op.buffers[4] == nullptr;
    case Kind::sgd: return op.buffers[2] == nullptr && op.sizes[0] <= tiny_update;
    default: return false;
    }
}

template <class T> Carry function_of(const Operation& op) {
    if (tiny(op)) return tiny_function_of<T>(op);
    switch (op.kind) {
    case Kind::linear: return linear<T>;
    case Kind::linear_grad_input: return linear_grad_input<T>;
    case Kind::linear_grad_weight: return linear_grad_weight<T>;
    case Kind::activation: return activation<T>;
    case Kind::activation_grad: return activation_grad<T>;
    case Kind::softmax: return softmax_values<T>;
    case Kind::softmax_grad: return softmax_values_grad<T>;
    case Kind::dropout: return dropout<T>;
    case Kind::multiply: return multiplication<T>;
    case Kind::element_loss: return element_loss_value<T>;
    case Kind::class_loss: return class_loss_value<T>;
    case Kind::sgd: return sgd_update<T>;
    case Kind::adam: return adam_update<T>;
    case Kind::clip_norm: return clip_norm<T>;
    case Kind::clip_value: return clip_value<T>;
    case Kind::clear: return clear_gradients<T>;
    case Kind::divide: return divide_gradients<T>;
    case Kind::count_: break;
    }
    return nullptr;
}

bool shared(const Operation& op) {
    if (op.kind == Kind::dropout || op.kind == Kind::clip_norm || op.kind == Kind::clip_value) return false;
    return cost(op) >= worth_sharing;
}

void prepare(Program& program) {
    for (int64_t i = 0; i < program.count; ++i) {
        Operation& op = program.operations[i];
        op.carry = program.wide ? function_of<double>(op) : function_of<float>(op);
        op.alone = !shared(op);
        program.flops += cost(op);
    }
    program.clear = program.divide = 0;
    for (int64_t i = 0, clear = 0; i < program.count; ++i) {
        if (program.operations[i].kind == Kind::clear) clear = i;
        if (program.operations[i].kind != Kind::divide || clear == 0) continue;
        program.clear = clear;
        program.divide = i;
    }
    for (int64_t i = program.count - 1; i > 0; --i) { // small updates in a row are one call
        Operation &op = program.operations[i], &before = program.operations[i - 1];
        if (op.kind == Kind::sgd && before.kind == Kind::sgd && tiny(op) && tiny(before))
            before.followers = op.followers + 1;
    }
    for (int64_t i = 0; i < program.count; ++i) {
        const bool next_alone = i + 1 < program.count && program.operations[i + 1].alone;
        const bool last = i + 1 == program.count; // `run_team` waits for all
        program.operations[i].wait_after = !last && !(program.operations[i].alone && next_alone);
    }
}

template <class T>
void matmul(const T* a, const T* b, T* c, T* workspace, int64_t m, int64_t n, int64_t k, bool transposed,
            const Team& team) {
    product<T>({m, n, k, a, k, 1, b, transposed ? 1 : n, transposed ? k : 1, c, n, nullptr, Begin::zero}, workspace,
               team);
}

template <class T> using Elementary = Vec<T> (*)(Vec<T>);

bool same(const char* a, const char* b) {
    while (*a && *a == *b) ++a, ++b;
    return *a == *b;
}

template <class T> bool elementary(const char* name, const T* x, T* y, int64_t n) {
    const struct {
        const char* name;
        Elementary<T> function;
    } known[] = {{"exp", [](Vec<T> v) { return exp(v); }},
                 {"log", [](Vec<T> v) { return log(v); }},
                 {"log1p", [](Vec<T> v) { return log1p(v); }},
                 {"tanh", [](Vec<T> v) { return tanh(v); }},
                 {"sigmoid", [](Vec<T> v) { return sigmoid(v); }}};
    for (const auto& entry : known) {
        if (!same(entry.name, name)) continue;
        for (int64_t i = 0; i < n; i += lanes<T>) {
            const int rest = int(n - i < lanes<T> ? n - i : lanes<T>);
            store_partial(y + i, entry.function(load_partial(x + i, rest)), rest);
        }
        return true;
    }
    return false;
}

} // namespace

#define MAILLON_TEXT_(x) #x
#define MAILLON_TEXT(x) MAILLON_TEXT_(x)

extern const Core core;
const Core core{MAILLON_TEXT(MAILLON_ISA), prepare,        run_once,          train,             flush,
                matmul<float>,             matmul<double>, elementary<float>, elementary<double>};

} // namespace maillon::MAILLON_ISA

// What the core offers, for one instruction set: the families of operations, the loop over steps.
#include "gemm.hpp"
#include "math.hpp"
#include "training.hpp"
#include "two_loops.hpp"

namespace maillon::MAILLON_ISA {

extern const Family linear_family,
    activations_family,
    joints_family,
    dropout_family,
    norms_family,
    embedding_family,
    distances_family,
    tabular_family,
    padding_family,
    pooling_family,
    convolution_family,
    recurrent_family,
    attention_family,
    losses_family,
    rules_family,
    gradients_family;

namespace {

// By their addresses: nothing of one instruction set may run while the library is loaded.
const Family* const families[] = {
    &linear_family,
    &activations_family,
    &joints_family,
    &dropout_family,
    &norms_family,
    &embedding_family,
    &distances_family,
    &tabular_family,
    &padding_family,
    &pooling_family,
    &convolution_family,
    &recurrent_family,
    &attention_family,
    &losses_family,
    &rules_family,
    &gradients_family,
};

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
                 {"sigmoid", [](Vec<T> v) { return sigmoid(v); }},
                 {"expm1", [](Vec<T> v) { return expm1(v); }},
                 {"softplus", [](Vec<T> v) { return softplus(v); }},
                 {"normal", [](Vec<T> v) { return normal<T>(v).distribution; }},
                 {"density", [](Vec<T> v) { return normal<T>(v).density; }},
                 {"sin", [](Vec<T> v) { return sin_cos<T>(v).sin; }},
                 {"cos", [](Vec<T> v) { return sin_cos<T>(v).cos; }},
                 {"x^-0.75", [](Vec<T> v) { return pow(v, broadcast(T(-0.75))); }}};
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
const Core core{MAILLON_TEXT(MAILLON_ISA),
                families,
                int(sizeof families / sizeof families[0]),
                run_once,
                begin_program,
                put_back,
                train,
                flush,
                evaluate,
                two_loops<float>,
                two_loops<double>,
                matmul<float>,
                matmul<double>,
                elementary<float>,
                elementary<double>};

} // namespace maillon::MAILLON_ISA

// The rules: how a gradient moves a parameter.
#include "../rules.hpp"

#include "../entry.hpp"
#include "../operations/rules.hpp"

namespace maillon::MAILLON_ISA {

namespace {

// options: lr, momentum, dampening, weight decay
template <class T> bool sgd(const op::Sgd<T>& op, const Team& team) {
    const Span part = share(op.n, grain, team);
    const double* option = op.options;
    MAILLON_ISA::sgd<T>(op.parameter + part.begin, op.grad + part.begin, op.velocity ? op.velocity + part.begin : nullptr,
           *op.count == 0, option[0], option[1], option[2], option[3], op.nesterov != 0, op.maximize != 0,
           part.end - part.begin);
    if (op.velocity) {
        team.wait();
        if (team.rank == 0) ++*op.count;
    }
    return true;
}

// options: lr, beta1, beta2, eps, weight decay
template <class T> bool adam(const op::Adam<T>& op, const Team& team) {
    const Span part = share(op.n, grain, team);
    const double* option = op.options;
    const int64_t step = *op.count + 1;
    MAILLON_ISA::adam<T>(op.parameter + part.begin, op.grad + part.begin, op.mean + part.begin, op.square + part.begin,
            op.largest ? op.largest + part.begin : nullptr, step, option[0], option[1], option[2], option[3], option[4],
            op.maximize != 0, part.end - part.begin);
    team.wait();
    if (team.rank == 0) *op.count = step;
    return true;
}

// Plain gradient descent of a few numbers, one parameter after the other; with decay `sgd` does it.
constexpr int64_t few = 8;

template <class T> bool sgd_few(const Operation& first, const Team& team) {
    const Operation* const end = first.after(first.skip);
    for (const Operation* each = &first; each != end; each = each->after(each->stride)) {
        const auto& op = each->as<op::Sgd<T>>();
        if (op.options[3] != 0 || op.maximize != 0) {
            sgd<T>(op, team);
            continue;
        }
        const T rate = T(-op.options[0]);
#pragma GCC unroll 1
        for (int64_t i = 0; i < op.n; ++i) op.parameter[i] = fma(rate, op.grad[i], op.parameter[i]);
    }
    return true;
}

template <class T> Carry if_few(const void* fields) {
    const auto& op = *static_cast<const op::Sgd<T>*>(fields);
    return op.velocity == nullptr && op.n <= few ? sgd_few<T> : nullptr;
}

const Entry entries[] = {ENTRY(Sgd, sgd, .pick = {if_few<float>, if_few<double>},
                               .joined = {sgd_few<float>, sgd_few<double>}),
                         ENTRY(Adam, adam)};

} // namespace

FAMILY(rules)

} // namespace maillon::MAILLON_ISA

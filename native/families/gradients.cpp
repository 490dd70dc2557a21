// What is done to all gradients together. They lie side by side, with zeros between them.
#include "../operations/gradients.hpp"

#include "../entry.hpp"
#include "../rules.hpp"

namespace maillon::MAILLON_ISA {

namespace {

template <class T> bool clip_norm(const op::ClipNorm<T>& op, const Team&) {
    const double norm = __builtin_sqrt(square_sum<T>(op.gradients, op.n));
    const double factor = op.options[0] / (norm + 1e-6);
    scale<T>(op.gradients, T(factor > 1 ? 1 : factor), op.n); // a norm of NaN makes all gradients NaN, as in NumPy
    return true;
}

template <class T> bool clip_value(const op::ClipValue<T>& op, const Team&) {
    clip<T>(op.gradients, T(op.options[0]), op.n);
    return true;
}

template <class T> bool clear(const op::Clear<T>& op, const Team& team) {
    const Span part = share(op.n, grain, team);
    std::memset(op.gradients + part.begin, 0, size_t(part.end - part.begin) * sizeof(T));
    return true;
}

// The divisor is used once: the next mini-batches begin a sum of their own.
template <class T> bool divide(const op::Divide<T>& op, const Team& team) {
    const Span part = share(op.n, grain, team);
    if (*op.divisor == *op.divisor) MAILLON_ISA::divide<T>(op.gradients + part.begin, T(*op.divisor), part.end - part.begin);
    team.wait();
    if (team.rank == 0) *op.divisor = __builtin_nan("");
    return true;
}

const Entry entries[] = {ENTRY(ClipNorm, clip_norm), ENTRY(ClipValue, clip_value), ENTRY(Clear, clear),
                         ENTRY(Divide, divide)};

} // namespace

FAMILY(gradients)

} // namespace maillon::MAILLON_ISA

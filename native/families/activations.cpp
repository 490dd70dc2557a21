// The non-linear links.
#include "../operations/activations.hpp"

#include "../activations.hpp"
#include "../entry.hpp"

namespace maillon::MAILLON_ISA {

namespace {

template <class T> bool activation(const op::Activation<T>& op, const Team& team) {
    const Span part = share(op.n, grain, team);
    activate<T>(op.activation, T(op.slope), op.x + part.begin, op.y + part.begin, part.end - part.begin);
    return true;
}

template <class T> bool activation_grad(const op::ActivationGrad<T>& op, const Team& team) {
    const Span part = share(op.n, grain, team);
    activate_grad<T>(op.activation, T(op.slope), op.dy + part.begin, op.reference + part.begin, op.dx + part.begin,
                     part.end - part.begin);
    return true;
}

template <class T> bool softmax(const op::Softmax<T>& op, const Team& team) {
    MAILLON_ISA::softmax<T>(op.x, op.y, op.size, op.inner, share(op.outer * op.inner, grain, team), op.log != 0);
    return true;
}

template <class T> bool softmax_grad(const op::SoftmaxGrad<T>& op, const Team& team) {
    MAILLON_ISA::softmax_grad<T>(op.dy, op.y, op.dx, op.size, op.inner, share(op.outer * op.inner, grain, team), op.log != 0);
    return true;
}

const Entry entries[] = {ENTRY(Activation, activation), ENTRY(ActivationGrad, activation_grad),
                         ENTRY(Softmax, softmax), ENTRY(SoftmaxGrad, softmax_grad)};

} // namespace

FAMILY(activations)

} // namespace maillon::MAILLON_ISA

// What joins values.
#include "../operations/joints.hpp"

#include "../activations.hpp"
#include "../entry.hpp"

namespace maillon::MAILLON_ISA {

namespace {

template <class T> bool add(const op::Add<T>& op, const Team& team) {
    const Span part = share(op.n, grain, team);
    MAILLON_ISA::add<T>(op.a + part.begin, op.b + part.begin, op.out + part.begin, part.end - part.begin);
    return true;
}

template <class T> bool multiply(const op::Multiply<T>& op, const Team& team) {
    const Span part = share(op.n, grain, team);
    MAILLON_ISA::multiply<T>(op.a + part.begin, op.b + part.begin, op.out + part.begin, part.end - part.begin);
    return true;
}

const Entry entries[] = {ENTRY(Add, add), ENTRY(Multiply, multiply)};

} // namespace

FAMILY(joints)

} // namespace maillon::MAILLON_ISA

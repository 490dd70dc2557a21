// The rules: how a gradient moves a parameter.
#include "../operations/rules.hpp"

#include "rules/adagrad.hpp"
#include "rules/adam.hpp"
#include "rules/descent.hpp"

namespace maillon::MAILLON_ISA {

namespace {

template <class T> bool count_step(const op::CountStep<T>& op, const Team&) {
    ++*op.steps;
    return true;
}

const Entry entries[] = {
    ENTRY(CountStep, count_step),
    ENTRY(Sgd, sgd, .pick = {if_few<float>, if_few<double>}, .joined = {sgd_few<float>, sgd_few<double>}),
    ENTRY(AsgdRates, asgd_rates),
    ENTRY(Asgd, asgd),
    ENTRY(Rprop, rprop),
    ENTRY(Lion, lion),
    ENTRY(AdamRates, adam_rates),
    ENTRY(Adam, adam),
    ENTRY(NadamRates, nadam_rates),
    ENTRY(Nadam, nadam),
    ENTRY(RadamRates, radam_rates),
    ENTRY(Radam, radam),
    ENTRY(AdamaxRates, adamax_rates),
    ENTRY(Adamax, adamax),
    ENTRY(AdagradRates, adagrad_rates),
    ENTRY(Adagrad, adagrad),
    ENTRY(Rmsprop, rmsprop),
    ENTRY(Adadelta, adadelta),
};

} // namespace

FAMILY(rules)

} // namespace maillon::MAILLON_ISA

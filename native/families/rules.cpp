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

template <class T, template <class> class Fields, bool (*kernel)(const Fields<T>&, const Team&)>
void part(const Operation& op, const void* grad, int64_t begin, int64_t count) {
    kernel(op.as<Fields<T>>().part(begin, count, static_cast<const T*>(grad)), Team{});
}

#define RULE(Struct, kernel, ...)                                                                                      \
    ENTRY(Struct, kernel, __VA_ARGS__ __VA_OPT__(, )                                                                   \
          .part = {part<float, op::Struct, kernel<float>>, part<double, op::Struct, kernel<double>>})

const Entry entries[] = {
    ENTRY(CountStep, count_step),
    RULE(Sgd, sgd, .pick = {if_few<float>, if_few<double>}, .joined = {sgd_few<float>, sgd_few<double>}),
    ENTRY(AsgdRates, asgd_rates),
    RULE(Asgd, asgd),
    RULE(Rprop, rprop),
    RULE(Lion, lion),
    ENTRY(AdamRates, adam_rates),
    RULE(Adam, adam),
    ENTRY(NadamRates, nadam_rates),
    RULE(Nadam, nadam),
    ENTRY(RadamRates, radam_rates),
    RULE(Radam, radam),
    ENTRY(AdamaxRates, adamax_rates),
    RULE(Adamax, adamax),
    ENTRY(AdagradRates, adagrad_rates),
    RULE(Adagrad, adagrad),
    RULE(Rmsprop, rmsprop),
    RULE(Adadelta, adadelta),
};

} // namespace

FAMILY(rules)

} // namespace maillon::MAILLON_ISA

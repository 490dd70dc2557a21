// Written by `make operations` from src/maillon/engine/families/recurrent.py: change that, and run it again.
#pragma once

#include "../program.hpp"
#include "choices.hpp"

namespace maillon::op {

// hₜ = f(shareₜ + W hₜ₋₁ + b), f = tanh or relu; before holds hₜ₋₁ of all steps, y all hₜ, last the last one
template <class T> struct Rnn {
    const T* share; // r steps * batch * units
    const T* weight; // r units * units
    const T* bias; // may be null; r units
    const T* initial; // may be null; r directions * batch * units
    T* hidden; // w steps * batch * units
    T* before; // w steps * batch * units
    T* y; // may be null; w steps * batch * directions * units
    T* last; // may be null; w directions * batch * units
    T* workspace; // w (steps * batch > 4) * (units + 31) * units
    int64_t steps, batch, units, y_by_sample, directions, direction, relu;
};

// dshareₜ = f'(aₜ) dhₜ, dhₜ = dyₜ + Wᵀ dshareₜ₊₁
template <class T> struct RnnGrad {
    const T* dy; // may be null; r steps * batch * directions * units
    const T* dlast; // may be null; r directions * batch * units
    const T* hidden; // r steps * batch * units
    const T* weight; // r units * units
    T* dshare; // w steps * batch * units
    T* dinitial; // may be null; w directions * batch * units
    T* workspace; // w (steps * batch > 4) * (units + 31) * units
    int64_t steps, batch, units, y_by_sample, directions, direction, relu;
};

// cₜ = f cₜ₋₁ + i g, hₜ = [W_hr] (o tanh cₜ); i, f, o = σ(a), g = tanh(a), a = shareₜ + W hₜ₋₁ + b
template <class T> struct Lstm {
    const T* share; // r 4 * steps * batch * units
    const T* weight; // r 4 * units * features
    const T* bias; // may be null; r 4 * units
    const T* weight_hr; // may be null; r features * units
    const T* initial; // may be null; r directions * batch * features
    const T* initial_cell; // may be null; r directions * batch * units
    T* gates; // w 4 * steps * batch * units
    T* cells; // w steps * batch * units
    T* before; // w steps * batch * features
    T* made; // may be null; w steps * batch * units
    T* y; // may be null; w steps * batch * directions * features
    T* last; // may be null; w directions * batch * features
    T* last_cell; // may be null; w directions * batch * units
    T* workspace; // w (steps * batch > 4) * 4 * (units + 31) * features + (steps * batch > 4) * (features + 31) * units * (features < units)
    int64_t steps, batch, units, features, y_by_sample, directions, direction;
};

// the gradients of the gates, dcₜ₋₁ = f dcₜ, dhₜ = dyₜ + Wᵀ dgatesₜ₊₁, which dprojected holds
template <class T> struct LstmGrad {
    const T* dy; // may be null; r steps * batch * directions * features
    const T* dlast; // may be null; r directions * batch * features
    const T* dlast_cell; // may be null; r directions * batch * units
    const T* gates; // r 4 * steps * batch * units
    const T* cells; // r steps * batch * units
    const T* weight; // r 4 * units * features
    const T* weight_hr; // may be null; r features * units
    const T* initial_cell; // may be null; r directions * batch * units
    T* dgates; // w 4 * steps * batch * units
    T* dprojected; // may be null; w steps * batch * features
    T* dinitial; // may be null; w directions * batch * features
    T* dinitial_cell; // may be null; w directions * batch * units
    T* workspace; // w batch * units + (steps * batch > 4) * 4 * units * (features + 31) + (steps * batch > 4) * (units + 31) * features * (features < units)
    int64_t steps, batch, units, features, y_by_sample, directions, direction;
};

// hₜ = n + z (hₜ₋₁ - n); r, z = σ(a + c), n = tanh(a_n + r c_n), a = shareₜ, c = W hₜ₋₁ + b
template <class T> struct Gru {
    const T* share; // r 3 * steps * batch * units
    const T* weight; // r 3 * units * units
    const T* bias; // may be null; r 3 * units
    const T* initial; // may be null; r directions * batch * units
    T* gates; // w 3 * steps * batch * units
    T* candidates; // w steps * batch * units
    T* before; // w steps * batch * units
    T* y; // may be null; w steps * batch * directions * units
    T* last; // may be null; w directions * batch * units
    T* workspace; // w (steps * batch > 4) * 3 * (units + 31) * units
    int64_t steps, batch, units, y_by_sample, directions, direction;
};

// the gradients of a and b, dhₜ = dyₜ + zₜ₊₁ dhₜ₊₁ + Wᵀ dbₜ₊₁
template <class T> struct GruGrad {
    const T* dy; // may be null; r steps * batch * directions * units
    const T* dlast; // may be null; r directions * batch * units
    const T* gates; // r 3 * steps * batch * units
    const T* candidates; // r steps * batch * units
    const T* before; // r steps * batch * units
    const T* weight; // r 3 * units * units
    T* dgates; // w 3 * steps * batch * units
    T* drecurrent; // w 3 * steps * batch * units
    T* dinitial; // may be null; w directions * batch * units
    T* workspace; // w batch * units + (steps * batch > 4) * 3 * units * (units + 31)
    int64_t steps, batch, units, y_by_sample, directions, direction;
};

} // namespace maillon::op

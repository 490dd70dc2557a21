// Written by `make operations`, as the other headers here.
#pragma once

#include <cstdint>

namespace maillon::choice {

enum class Epilogue : int64_t { none, tanh, sigmoid, relu, leaky_relu, hardtanh, elu, gelu, gelu_tanh, silu, mish, softplus, log_sigmoid, softsign, tanhshrink, hardsigmoid, hardswish, threshold, hardshrink, softshrink };
enum class Activation : int64_t { none, tanh, sigmoid, relu, leaky_relu, hardtanh, elu, gelu, gelu_tanh, silu, mish, softplus, log_sigmoid, softsign, tanhshrink, hardsigmoid, hardswish, threshold, hardshrink, softshrink };
enum class VectorNorm : int64_t { power, largest, smallest };
enum class ElementLoss : int64_t { mse, half_mse, l1, bce, bce_logits };
enum class Reduction : int64_t { mean, sum };

} // namespace maillon::choice

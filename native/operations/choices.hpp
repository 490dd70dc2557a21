// Written by `make operations`, as the other headers here.
#pragma once

#include <cstdint>

namespace maillon::choice {

enum class Epilogue : int64_t { none, tanh, sigmoid, relu, leaky_relu, hardtanh, elu, gelu, gelu_tanh, silu, mish, softplus, log_sigmoid, softsign, tanhshrink, hardsigmoid, hardswish, threshold, hardshrink, softshrink };
enum class Activation : int64_t { none, tanh, sigmoid, relu, leaky_relu, hardtanh, elu, gelu, gelu_tanh, silu, mish, softplus, log_sigmoid, softsign, tanhshrink, hardsigmoid, hardswish, threshold, hardshrink, softshrink };
enum class VectorNorm : int64_t { power, largest, smallest };
enum class ElementLoss : int64_t { mse, half_mse, l1, bce, bce_logits, multi_label_soft_margin, huber, smooth_l1, kl_div, kl_div_log, poisson, poisson_full, poisson_log, poisson_log_full, hinge_embedding, soft_margin, margin_ranking };
enum class Reduction : int64_t { mean, sum };

} // namespace maillon::choice

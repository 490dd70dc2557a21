"""What the docstrings of several estimators have in common, once."""

from collections.abc import Callable
from textwrap import indent
from typing import TypeVar

Kind = TypeVar("Kind", bound=type)

LAYERS = """\
hidden_layer_sizes : int or array_like of int
    The units of each hidden layer, from the input on.
activation : str, type, Module or list of them
    What follows each hidden layer: 'relu', 'tanh', 'logistic' or 'identity', any other of maillon by its name
    ('gelu', 'silu', 'selu', 'mish' …), a class or an instance, copied for each layer; a list has one for each.
"""
LEARNING = """\
solver : str or Rule
    'adam' or 'sgd', by mini-batches; 'lbfgs', on all samples at once, for small data; or any rule of maillon as a
    recipe, such as ``maillon.AdamW(lr=1e-3, weight_decay=0.01)``, whose options then replace alpha,
    learning_rate_init, momentum and betas.
alpha : float
    ½ alpha ‖W‖² / n is added to the loss, ≥ 0: n is the number of samples of a mini-batch, W the weights without
    the biases.
batch_size : int or 'auto'
    Samples of a mini-batch; 'auto' is min(200, n_samples). Not for 'lbfgs'.
learning_rate : str
    Of 'sgd': 'constant'; 'invscaling', learning_rate_init / (t + 1)^power_t after t samples; 'adaptive', a fifth of
    it each time that `n_iter_no_change` epochs have not improved, until it is below 10⁻⁶.
learning_rate_init : float
    The rate of 'sgd' and 'adam', > 0.
power_t : float
    The exponent of 'invscaling', ≥ 0.
max_iter : int
    Epochs at most; iterations of 'lbfgs'.
shuffle : bool
    Whether each epoch goes through the samples in another order.
random_state : int, RandomState or None
    Where the first weights, the split of `early_stopping` and the orders come from: with the same state they are
    scikit-learn's. What `dropout` draws is derived from it.
tol : float
    What counts as an improvement of the loss, or of the validation score; the bound on the gradient of 'lbfgs'.
verbose : bool or int
    Whether to print each epoch's loss.
warm_start : bool
    Whether `fit` goes on from the weights of the fit before.
momentum : float
    Of 'sgd', in [0, 1].
nesterovs_momentum : bool
    Whether this is Nesterov's.
early_stopping : bool
    Hold out `validation_fraction` of the samples and stop when the score on them does not improve any more; the
    best weights are kept.
validation_fraction : float
    The part to hold out, in [0, 1).
beta_1 : float
    Of 'adam': the decay of the mean of gradients, in [0, 1).
beta_2 : float
    That of the mean of their squares, in [0, 1).
epsilon : float
    What 'adam' adds to the square root, > 0.
n_iter_no_change : int or numpy.inf
    Training stops after more than so many epochs without improvement by `tol`.
max_fun : int
    Evaluations of the loss at most, of 'lbfgs'.
"""
BEYOND = """\
dropout : float
    The part of each hidden layer's outputs that is dropped in training, in [0, 1).
norm : str or None
    'batch' or 'layer': BatchNorm1d or LayerNorm before each activation.
residual : bool
    Add each hidden layer's input to its output, where both are of one size.
schedule : callable or LRScheduler, optional
    Factor on the rate by the epoch, or a schedule such as ``maillon.optim.lr_scheduler.OneCycleLR(…)``, as in
    `maillon.fit`. Neither for 'lbfgs' nor in `partial_fit`.
callbacks : Callback, callable or list of them, optional
    maillon's callbacks, as in `maillon.fit`. Neither for 'lbfgs' nor in `partial_fit`. scikit-learn's are given to
    `set_callbacks`, and are told of iterations of 'lbfgs' as well.
n_jobs : int or None
    Threads of the compiled core: None leaves `maillon.get_num_threads()`, -1 takes all processors. It changes no
    result.
"""
ATTRIBUTES = """\
network_ : Sequential
    The network: for `maillon.save`, `summary`, `to_onnx`, `to_c`.
history_ : History
    The course of the last fit by mini-batches: losses without the part of alpha, rates, `engine`.
coefs_ : list of array
    The weights of each layer, (units before, units after), which are the network's own arrays.
intercepts_ : list of array
    Its biases.
loss_ : float
    The loss of the last epoch, the part of alpha included.
best_loss_ : float or None
    The least of all epochs; None with early_stopping.
loss_curve_ : list of float
    That of each epoch.
validation_scores_ : list of float or None
    With early_stopping the score of each epoch on what is held out.
best_validation_score_ : float or None
    The best of them.
validation_loss_curve_ : list of float
    With early_stopping the loss of each epoch on what is held out, without the part of alpha.
n_iter_ : int
    Epochs, or iterations of 'lbfgs', of the last fit.
t_ : int
    Samples learnt from, each counted in every epoch.
n_layers_ : int
    Layers, input and output included.
n_outputs_ : int
    Outputs of the network.
out_activation_ : str
    What follows them: 'identity', 'logistic', 'softmax' or 'exp'.
n_features_in_ : int
    Features.
feature_names_in_ : array of str
    Their names, where X had names.
"""


def worded(**own: str) -> Callable[[Kind], Kind]:
    """Put these texts into the class's docstring, each in the place of its name in braces."""

    def filled(kind: Kind) -> Kind:
        text = kind.__doc__ or ""
        for name, lines in own.items():
            text = text.replace(f"    {{{name}}}\n", indent(lines, "    "))
        kind.__doc__ = text
        return kind

    return filled

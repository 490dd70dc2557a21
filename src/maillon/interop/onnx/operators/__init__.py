"""What each operator of ONNX becomes, by family; and those that are refused, with the reason."""

from maillon.interop.onnx.operators import activations, linear, norms, sequence, shapes, spatial
from maillon.interop.onnx.reader import NO_LINK, Converter

CONVERTERS: dict[str, Converter] = {
    **activations.CONVERTERS,
    **linear.CONVERTERS,
    **norms.CONVERTERS,
    **sequence.CONVERTERS,
    **shapes.CONVERTERS,
    **spatial.CONVERTERS,
}
REASONS = {
    "control flow, which no chain of links has": "If Loop Scan SequenceMap",
    "it works on sequences or optional values, and maillon's links on arrays": (
        "ConcatFromSequence Optional OptionalGetElement OptionalHasElement ReverseSequence SequenceAt "
        "SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength SplitToSequence"
    ),
    "it works on texts or encoded images, and maillon's links on numbers": (
        "ImageDecoder RegexFullMatch StringConcat StringNormalizer StringSplit TfIdfVectorizer"
    ),
    "it computes in integers, which do not learn: export the network before it is quantised": (
        "BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor ConvInteger DequantizeLinear "
        "DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul QuantizeLinear"
    ),
    "its output has no derivative: no link before it could learn": (
        "And ArgMax ArgMin Compress Equal Hardmax IsInf NonMaxSuppression NonZero Not OneHot Or TopK Unique Xor"
    ),
    "it is a loss: train the network with one of maillon's": "NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss",
    "it draws numbers, where a network's mode and generator should": (
        "Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike"
    ),
}
REFUSED: dict[str, str] = {name: reason for reason, names in REASONS.items() for name in names.split()}

__all__ = ["CONVERTERS", "NO_LINK", "REFUSED"]

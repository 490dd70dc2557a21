"""How each link is written down, by family; and those that cannot be, with the reason."""

from maillon.interop.onnx.exporters import activations, joints, linear, norms, sequence, spatial
from maillon.interop.onnx.trace import Exporter
from maillon.nn.containers import ModuleDict, ModuleList

EXPORTERS: dict[type, Exporter] = {
    **activations.EXPORTERS,
    **joints.EXPORTERS,
    **linear.EXPORTERS,
    **norms.EXPORTERS,
    **sequence.EXPORTERS,
    **spatial.EXPORTERS,
}
REFUSED: dict[type, str] = {
    ModuleList: "it computes nothing itself: export the link that holds it",
    ModuleDict: "it computes nothing itself: export the link that holds it",
}

"""The graph: nodes, edges, hooks of groups of tensors and on saved values."""
import contextlib

from .._context import check, local
from .._graph import GradientEdge, Node, get_gradient_edge                 # noqa: F401
from .._hooks import add_multi_hook as register_multi_grad_hook            # noqa: F401
from .._hooks import save_on_cpu, saved_tensors_hooks                      # noqa: F401
from .._library import lib


def increment_version(tensor):
    """Counts a write that somebody else did in the tensor's memory."""
    for t in [tensor] if hasattr(tensor, "_h") else tensor:
        check(lib.gradus_tensor_increment_version(local.ctx, t._h))


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message):
    """Inside, saved_tensors_hooks is refused."""
    before, local.saved_hooks_refused = local.saved_hooks_refused, error_message
    try:
        yield
    finally:
        local.saved_hooks_refused = before

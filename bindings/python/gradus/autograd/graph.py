"""The graph: nodes, edges, hooks of groups of tensors and on saved values, and what runs now."""
import contextlib
import ctypes as C

from .. import _graph
from .._context import check, local
from .._graph import GradientEdge, Node, get_gradient_edge                 # noqa: F401
from .._hooks import add_multi_hook as register_multi_grad_hook            # noqa: F401
from .._hooks import save_on_cpu, saved_tensors_hooks                      # noqa: F401
from .._hooks import queue_callback                                        # noqa: F401
from .._library import Handle, lib
from ._export import graph_dot, graph_json, saved_table                    # noqa: F401
from ._mutation import allow_mutation_on_saved_tensors                     # noqa: F401


def increment_version(tensor):
    """Counts a write that somebody else did in the tensor's memory."""
    for t in [tensor] if hasattr(tensor, "_h") else tensor:
        check(lib.gradus_tensor_increment_version(local.ctx, t._h))


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message):
    """Inside, saved_tensors_hooks and all that works through them are refused with this message, as is this block inside such hooks."""
    text = str(error_message).encode()
    check(lib.gradus_context_refuse_saved_hooks(local.ctx, text, len(text)))
    try:
        yield
    finally:
        check(lib.gradus_context_permit_saved_hooks(local.ctx))


def current_node():
    """The node whose rule or hooks run on this thread, or None outside of a backward pass."""
    h = Handle()
    try:
        check(lib.gradus_backward_node(local.ctx, C.byref(h)))
    except RuntimeError:
        return None
    return _graph.node(h) if h else None


def will_execute(node):
    """Inside a backward pass: whether a gradient of this node is on its way."""
    yes = C.c_int32()
    check(lib.gradus_backward_reaches(local.ctx, node._h, C.byref(yes)))
    return bool(yes.value)

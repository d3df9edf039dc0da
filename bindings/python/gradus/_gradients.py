"""What a tensor has of gradients: flags, .grad, its place in the graph, hooks."""
import ctypes as C
import warnings
import weakref

from . import _graph, _hooks, _ops
from ._context import check, local
from ._library import Handle, lib, release

REQUIRES_GRAD, LEAF, RETAINS_GRAD = 0x1, 0x2, 0x80


class Gradients:
    """The part of Tensor that is about gradients."""

    __slots__ = ()
    _execution_engine = _hooks.Engine

    @property
    def requires_grad(self):
        return bool(self._info().flags & REQUIRES_GRAD)

    @requires_grad.setter
    def requires_grad(self, on):
        _ops.unseen("requires_grad_")
        check(lib.gradus_tensor_set_requires_grad(local.ctx, self._h, bool(on)))
        if on:
            _ops.leaves[self._h.value] = self

    @requires_grad.deleter
    def requires_grad(self):
        raise RuntimeError("cannot delete requires_grad")

    def requires_grad_(self, requires_grad=True):
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self):
        return bool(self._info().flags & LEAF)

    @property
    def grad(self):
        h = Handle()
        check(lib.gradus_tensor_grad(local.ctx, self._h, C.byref(h)))
        if not h:
            if self._info().flags & (LEAF | RETAINS_GRAD) == 0:
                warnings.warn("The .grad attribute of a Tensor that is not a leaf Tensor is being accessed: it is not filled by backward(), "
                              "unless retain_grad() was called", stacklevel=2)
            return None
        _ops.unseen("reading .grad")
        known = self.__dict__.get("_grad")
        known = known and known()
        if known is not None and known._h.value == h.value:
            release(h)
            return known
        t = _ops.wrap(h)
        self.__dict__["_grad"] = weakref.ref(t)
        return t

    @grad.setter
    def grad(self, value):
        if value is not None and not isinstance(value, _ops.Tensor):
            raise TypeError(f"assigned grad expected to be a Tensor or None but got {type(value).__name__}")
        if value is self:
            raise RuntimeError("can't assign Variable as its own grad")
        _ops.unseen("writing .grad")
        check(lib.gradus_tensor_set_grad(local.ctx, self._h, None if value is None else value._h))
        self.__dict__["_grad"] = None if value is None else weakref.ref(value)

    @grad.deleter
    def grad(self):
        self.grad = None

    @property
    def grad_fn(self):
        h = Handle()
        check(lib.gradus_tensor_grad_fn(local.ctx, self._h, C.byref(h)))
        return _graph.node(h) if h else None

    @property
    def output_nr(self):
        return _graph.get_gradient_edge(self).output_nr if self.requires_grad else 0

    def backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
        """Adds the gradient of this tensor to the .grad of the leaves it was computed from."""
        _graph.backward(self, gradient, retain_graph, create_graph, inputs=inputs)

    def retain_grad(self):
        _ops.unseen("retain_grad")
        if not self.requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if not self.is_leaf:
            check(lib.gradus_tensor_retain_grad(local.ctx, self._h))

    @property
    def retains_grad(self):
        return bool(self._info().flags & RETAINS_GRAD)

    def register_hook(self, hook):
        """Calls hook(grad) in every pass that reaches this tensor; what it returns, if not None, takes the gradient's place."""
        return _hooks.add_tensor_hook(self, hook)

    def register_post_accumulate_grad_hook(self, hook):
        """Calls hook(self) each time a pass has added to .grad of this leaf."""
        return _hooks.add_leaf_hook(self, hook)

    def detach(self):
        if not _ops.usual:
            return _ops.registry_call("detach", self)
        h = Handle()
        check(lib.gradus_tensor_detach(local.ctx, self._h, C.byref(h)))
        return _ops.wrap(h)

    def detach_(self):
        _ops.unseen("detach_")
        check(lib.gradus_tensor_detach_in_place(local.ctx, self._h))
        return self

    @property
    def data(self):
        return self.detach()

    @data.deleter
    def data(self):
        raise RuntimeError("cannot delete data")

    @data.setter
    def data(self, value):
        if not isinstance(value, _ops.Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        _ops.unseen("writing .data")
        check(lib.gradus_tensor_set_data(local.ctx, self._h, value._h))

    @property
    def _base(self):
        h = Handle()
        _ops.unseen("_base")
        check(lib.gradus_tensor_base(local.ctx, self._h, C.byref(h)))
        return _graph.known(h) if h else None

"""Hooks on the backward pass of a module: its inputs and outputs go through a function of the graph that changes nothing."""
from .. import _ops
from ..autograd.function import Function


class _Same(Function):
    """One node for several tensors, so that their gradients are seen together."""

    @staticmethod
    def forward(ctx, *tensors):
        ctx.set_materialize_grads(False)
        return tuple(t.view_as(t) for t in tensors)

    @staticmethod
    def backward(ctx, *gradients):
        return gradients


class Pass:
    """One call of a module with such hooks."""

    def __init__(self, module):
        self.module, self.outgoing, self.count, self.places = module, None, 0, []

    def _through(self, values):
        """(the values with those tensors replaced that need a gradient, their places, the node)"""
        places = [i for i, v in enumerate(values) if isinstance(v, _ops.Tensor) and v.requires_grad]
        if not places:
            return values, places, None
        made, node, values = _Same.apply(*[values[i] for i in places]), None, list(values)
        for i, t in zip(places, made):
            values[i] = t
            node = t.grad_fn or node
        return tuple(values), places, node

    def inputs(self, args):
        args, self.places, node = self._through(args)
        self.count = len(args)
        if node is not None:
            node.register_hook(lambda gradients, _: self._ended(gradients))
        return args

    def outputs(self, result):
        alone = isinstance(result, _ops.Tensor)
        values, places, node = self._through((result,) if alone else tuple(result) if isinstance(result, (list, tuple)) else ())
        if node is None:
            return result
        count = len(values)                                                # the hook must not hold the values: they hold the node, and it the hook
        node.register_prehook(lambda gradients: self._began(gradients, places, count))
        if not self.places:                                                # nothing further down will come by
            node.register_hook(lambda gradients, _: self._ended(None))
        if alone:
            return values[0]
        return type(result)(*values) if hasattr(result, "_fields") else type(result)(values)

    def _began(self, gradients, places, count):
        full = _spread(gradients, places, count)
        for hook in list(self.module._backward_pre_hooks.values()):
            changed = hook(self.module, full)
            if changed is not None:
                full = changed if isinstance(changed, tuple) else (changed,)
        self.outgoing = full
        return tuple(full[i] for i in places)

    def _ended(self, gradients):
        if self.outgoing is None:                                          # a gradient of a gradient, which did not come through the outputs
            return None
        full = (None,) * self.count if gradients is None else _spread(gradients, self.places, self.count)
        changed_by_any, outgoing = False, self.outgoing
        self.outgoing = None                                               # it may hold the graph
        for hook in list(self.module._backward_hooks.values()):
            changed = hook(self.module, full, outgoing)
            if changed is not None:
                if gradients is None:
                    raise RuntimeError("Backward hook for Modules where no input requires gradient should always return None or "
                                       "None for all gradients.")
                full, changed_by_any = changed if isinstance(changed, tuple) else (changed,), True
                if len(full) != self.count:
                    raise RuntimeError(f"Backward hook returned an invalid number of grad_input, got {len(full)}, but expected {self.count}")
        return tuple(full[i] for i in self.places) if changed_by_any else None


def _spread(gradients, places, count):
    full = [None] * count
    for i, g in zip(places, gradients):
        full[i] = g
    return tuple(full)

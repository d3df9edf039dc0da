"""What gradcheck accepts and what it finds."""
import unittest
import warnings

import gradus as torch
from gradus.autograd import Function, gradcheck, gradgradcheck
from gradus.autograd.gradcheck import GradcheckError
from support import Case, double, leaf, ramp


def with_backward(rule, outputs=1):
    """x * 2 (as often as outputs says) with a backward of one's own: rule(*gradients)."""
    class Own(Function):
        @staticmethod
        def forward(ctx, x):
            out = tuple(x * 2 for _ in range(outputs))
            return out[0] if outputs == 1 else out

        @staticmethod
        def backward(ctx, *gradients):
            return rule(*gradients)
    return Own.apply


class TestAutograd(Case):
    def finds(self, words, function, inputs, check=gradcheck, **options):
        with self.assertRaisesRegex(GradcheckError, words):
            check(function, inputs, **options)
        self.assertIs(check(function, inputs, raise_exception=False, **options), False)

    def test_gradcheck_single_input(self):
        x = ramp(2, 3)
        for inputs in (x, (x,), [x]):
            self.assertIs(gradcheck(lambda t: t.mul(5), inputs), True)
        self.assertIs(gradgradcheck(lambda t: t.mul(5) ** 2, x), True)

    def test_gradcheck_input(self):
        # some that require grad, some that don't, other things than tensors
        x, y, w = ramp(2, 2), leaf([[0.5, -1.0]]), double([[2.0], [3.0]])
        self.assertTrue(gradcheck(lambda a, b, c: (a * b * c, a.sin() + c), (x, y, w)))
        self.assertTrue(gradgradcheck(lambda a, b, c: a * b * c, (x, y, w)))
        self.assertTrue(gradcheck(lambda a, k: a ** k, (x, 3)))
        self.assertTrue(gradcheck(lambda a: a.t().exp(), ramp(3, 2, start=-2)))
        self.assertTrue(gradcheck(lambda a: a * a, double([[1.0, 2.0], [3.0, 4.0]]).t().requires_grad_()))   # any layout
        self.same(x, [[1, 2], [3, 4]])                                     # what was given is as it was

    def test_gradcheck_nondeterministic(self):
        jitter = [0.0]

        def unsteady(g):
            jitter[0] += 1e-5
            return g * 2 * (1 + jitter[0])
        self.finds("not reentrant", with_backward(unsteady), leaf([1.0]))
        jitter[0] = 0.0
        self.assertTrue(gradcheck(with_backward(unsteady), leaf([1.0]), nondet_tol=1.0))

    def test_gradcheck_validates_inputs(self):
        with self.assertRaisesRegex(ValueError, "at least one input"):
            gradcheck(lambda t: t, double([1.0]))
        with self.assertRaisesRegex(ValueError, "at least one input"):
            gradcheck(lambda t: t, double([1.0]), raise_exception=False)   # not what is checked, but how it is called
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            gradcheck(lambda t: t * 2, leaf([1.0], dtype=torch.float32), eps=1e-2, atol=1e-1, rtol=1e-1)
        self.assertTrue(any("double" in str(w.message) for w in caught))
        with self.refused("stride|overlap"):
            gradcheck(lambda t: t * 2, double([1.0]).expand(3).requires_grad_())

    def test_gradcheck_test_outputs(self):
        # outputs that are no floating numbers are no part of it
        self.assertTrue(gradcheck(lambda t: (t * 2, t.argmax(), "text"), leaf([1.0, 2.0])))

    def test_gradcheck_check_no_differentiable_outputs(self):
        x = leaf([1.0, 2.0])
        self.assertTrue(gradcheck(lambda t: torch.ones(2, dtype=torch.float64), x))
        self.finds("expected to be zero", lambda t: t.detach() * 2, x)
        self.assertTrue(gradcheck(lambda t: (t > 0), x))

    def test_gradcheck_backward_mul_by_grad_output(self):
        # a rule that forgets the incoming gradient is found even where the output is one number
        self.finds("grad_output", with_backward(lambda g: torch.full([1], 2.0, dtype=torch.float64)), leaf([1.0]))
        self.finds("grad_output|mismatch", with_backward(lambda g: torch.full([2], 2.0, dtype=torch.float64)), leaf([1.0, 2.0]))
        self.assertTrue(gradcheck(with_backward(lambda g: 2 * g), leaf([1.0, 2.0])))

    def test_gradcheck_undefined_grad(self):
        # an output without gradient counts as one with zeros
        def careless(g, h):
            return (g * 2 + h * 2) if bool((h != 0).any()) and bool((g != 0).any()) else g * 2 + h * 5
        self.assertTrue(gradcheck(with_backward(lambda g, h: 2 * g + 2 * h, outputs=2), leaf([1.0, 2.0])))
        self.finds("mismatch|missing", with_backward(careless, outputs=2), leaf([1.0, 2.0]))

        class Fragile(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.set_materialize_grads(False)
                return x * 2, x * 3

            @staticmethod
            def backward(ctx, g, h):
                if g is None or h is None:
                    raise LookupError("no gradient")
                return 2 * g + 3 * h
        with self.assertRaises(LookupError):
            gradcheck(Fragile.apply, leaf([1.0, 2.0]))

    def test_gradcheck_jacobian_mismatch(self):
        self.finds("Jacobian mismatch for output 0 with respect to input 0", with_backward(lambda g: 3 * g), leaf([1.0, 2.0]))
        second = with_backward(lambda g: 3 * g)
        self.finds("Jacobian mismatch for output 1 with respect to input 1", lambda a, b: (a * 2, a * second(b)), (leaf([1.0]), leaf([5.0])))
        # one right at the first order and wrong at the second
        class Wrong(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x ** 3

            @staticmethod
            def backward(ctx, g):
                x, = ctx.saved_tensors
                return 3 * x.detach() ** 2 * g
        self.assertTrue(gradcheck(Wrong.apply, leaf([1.0, 2.0])))
        with self.assertRaises(GradcheckError):
            gradgradcheck(Wrong.apply, leaf([1.0, 2.0]))
        # tolerances
        nearly = with_backward(lambda g: 2.01 * g)
        self.assertIs(gradcheck(nearly, leaf([1.0]), raise_exception=False), False)
        self.assertTrue(gradcheck(nearly, leaf([1.0]), rtol=0.1))
        self.assertTrue(gradcheck(nearly, leaf([1.0]), atol=0.1))

    def test_gradcheck_output_shape_or_dtype_depend_on_values(self):
        x = leaf([1.0, 2.0])
        with self.refused("same shape|shape"):
            gradcheck(lambda t: t if bool((t >= 1).all()) else torch.cat([t, t]), x)
        with self.refused("same dtype|dtype"):
            gradcheck(lambda t: t if bool((t >= 1).all()) else t.float(), x)

    def test_gradcheck_custom_error(self):
        self.assertTrue(issubclass(GradcheckError, RuntimeError))
        with self.assertRaises(GradcheckError):
            gradcheck(with_backward(lambda g: 3 * g), leaf([1.0]))

        def fails(t):
            raise RuntimeError("not a mismatch")
        for raise_exception in (True, False):                              # the function's own errors come through
            with self.refused("not a mismatch"):
                gradcheck(fails, leaf([1.0]), raise_exception=raise_exception)

    def test_gradcheck_finds_a_rule_that_writes_what_it_saved(self):
        class Own(Function):
            @staticmethod
            def forward(ctx, x):
                out = x * x
                ctx.held = x.detach().clone()
                return out

            @staticmethod
            def backward(ctx, g):
                rule = 2 * ctx.held * g
                ctx.held.mul_(1.5)
                return rule
        self.finds("not reentrant|mismatch", Own.apply, leaf([1.0]))

    def test_gradcheck_check_batched_grad(self):
        self.assertTrue(gradcheck(lambda a, b: (a * b, (a * b).sum()), (ramp(2, 3), ramp(3)), check_batched_grad=True))
        self.assertTrue(gradcheck(lambda z: (z.exp(), z.abs()), torch.view_as_complex(ramp(2, 2)).detach().requires_grad_(), check_batched_grad=True))
        self.assertTrue(gradgradcheck(lambda a: a.sin(), ramp(2, 3), check_batched_grad=True))

        class Batched(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.passes = 0
                return x * 2

            @staticmethod
            def backward(ctx, g):
                ctx.passes += 1
                return g * (2 if ctx.passes <= rows[0] else 3)             # wrong from a certain pass on: the batch's rows come last
        rows = [10 ** 9]
        self.assertTrue(gradcheck(Batched.apply, leaf([1.0, 2.0]), check_batched_grad=True))
        rows[0] = 2
        self.assertIs(_batched_alone(Batched.apply, leaf([1.0, 2.0])), False)
        rows[0] = 10 ** 9
        self.assertIs(_batched_alone(Batched.apply, leaf([1.0, 2.0])), True)

    def test_gradcheck_fast_mode(self):
        calls = []

        def counted(t):
            calls.append(1)
            return t.sin() * t.sum()
        x = ramp(40)
        self.assertIs(gradcheck(counted, x), True)
        slow = len(calls)
        calls.clear()
        self.assertIs(gradcheck(counted, x, fast_mode=True), True)
        self.assertGreater(slow, 80)
        self.assertLess(len(calls), 10)
        self.finds("Jacobian mismatch for output 0 with respect to input 0", with_backward(lambda g: 3 * g), x, fast_mode=True)
        self.assertTrue(gradgradcheck(counted, ramp(5), fast_mode=True))

    def test_gradcheck_report(self):
        with self.assertRaisesRegex(GradcheckError, r"(?s)output 0 with respect to input 0.*1 by backward, 2 by differences.*analytical:.*numerical:"):
            gradcheck(with_backward(lambda g: g), leaf([1.0]))
        # PyTorch counts the inputs that require grad, and outputs that do
        wrong = with_backward(lambda g: 3 * g)
        self.finds("Jacobian mismatch for output 0 with respect to input 1", lambda a, n, b, c: (a.detach(), a * n * wrong(c) + b),
                   (leaf([1.0]), 2, double([1.0]), leaf([1.0])))
        self.finds("Jacobian mismatch for output 0 with respect to input 1,\nthe gradient of the gradient of input 0 with respect to the gradient of output 0",
                   with_backward(wrong), leaf([1.0]), gradgradcheck)

    def test_gradcheck_the_functions_own_objects(self):
        x, seen = leaf([1.0, 2.0]), set()
        product = leaf([1.0, 2.0]) * 2
        self.assertTrue(gradcheck(lambda a, b: seen.update((a is x, b is product)) or a * b, (x, product)))
        self.assertEqual(seen, {True})

    def test_gradcheck_tolerances_of_zero(self):
        self.finds("mismatch", lambda t: t.sin(), leaf([1.0]), atol=0, rtol=0)
        with self.assertRaisesRegex(ValueError, "eps"):
            gradcheck(lambda t: t, leaf([1.0]), eps=0)

    def test_gradcheck_of_several_seeds(self):
        self.assertTrue(gradgradcheck(lambda a, b: (a * b, b.sin()), (ramp(2), ramp(2)), grad_outputs=(leaf([1.0, 2.0]), double([3.0, 4.0]))))
        self.assertTrue(gradgradcheck(lambda a: a.t().exp(), ramp(2, 3, start=-2), gen_non_contig_grad_outputs=True))
        with self.refused("2 gradients for 1 output"):
            gradgradcheck(lambda a: a * a, ramp(2), grad_outputs=(ramp(2), ramp(2)))

    def test_gradcheck_what_is_not_there(self):
        for check, names in ((gradcheck, ("check_forward_ad", "check_batched_forward_grad", "masked")), (gradgradcheck, ("check_fwd_over_rev", "masked"))):
            for name in names:
                with self.assertRaisesRegex(NotImplementedError, name):
                    check(lambda t: t * t, leaf([1.0]), **{name: True})
                self.assertTrue(check(lambda t: t * t, leaf([1.0]), **{name: False}))
            with self.assertRaises(TypeError):
                check(lambda t: t * t, leaf([1.0]), chek_undefined_grad=True)
        for check, name in ((gradcheck, "check_backward_ad"), (gradgradcheck, "check_rev_over_rev")):
            with self.assertRaisesRegex(ValueError, "at least one"):
                check(lambda t: t * t, leaf([1.0]), **{name: False})


def _batched_alone(function, x):
    """What check_batched_grad finds, for a function whose other passes don't count."""
    from gradus.autograd.gradcheck import _batched
    return _batched(function, (x,), 1e-5, 1e-3) is None


if __name__ == "__main__":
    unittest.main()

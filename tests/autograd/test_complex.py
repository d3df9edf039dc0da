"""Complex numbers: the behaviours of PyTorch's tests of them."""
import support
from support import torch


def parts(*shape):
    return torch.complex(torch.randn(*shape, dtype=torch.float64), torch.randn(*shape, dtype=torch.float64))


def slopes(f, x, step=1e-6):
    """The conjugate gradient of a real function by differences along both parts of each element."""
    flat, grads = x.detach().clone(), []
    for i in range(flat.numel()):
        found = []
        for unit in (1, 1j):
            values = []
            for sign in (1, -1):
                moved = flat.clone().reshape(-1)
                moved[i] = moved[i] + sign * step * unit
                values.append(f(moved.reshape(flat.shape)).item())
            found.append((values[0] - values[1]) / (2 * step))
        grads.append(complex(*found))
    return torch.tensor(grads, dtype=torch.complex128).reshape(flat.shape)


class TestAutogradComplex(support.Case):
    def agrees(self, f, *inputs):
        """Gradients of a real function of complex and real tensors against differences."""
        found = torch.autograd.grad(f(*inputs), [x for x in inputs if x.requires_grad])
        for x, g in zip([x for x in inputs if x.requires_grad], found):
            place = next(i for i, y in enumerate(inputs) if y is x)

            def alone(v):
                values = [y.detach() for y in inputs]
                values[place] = v if x.is_complex() else v.real
                return f(*values)
            self.assertIs(g.dtype, x.dtype)
            want = slopes(alone, x if x.is_complex() else x.detach().to(torch.complex128))
            want = want if x.is_complex() else want.real
            self.assertTrue(torch.allclose(g, want, rtol=1e-5, atol=1e-6), f"{g} is not {want}")

    def test_view_func_for_complex_views(self):
        x = torch.randn(2, 2, 2, dtype=torch.float64, requires_grad=True)
        y = x.detach().requires_grad_(True)
        pairs = torch.view_as_real(torch.view_as_complex(x.clone()))
        pairs.mul_(2)
        pairs.sum().abs().backward()
        doubled = y.clone()
        doubled.mul_(2)
        doubled.sum().abs().backward()
        self.same(x.grad, y.grad)

        def written(of):
            whole = of.clone()
            view = torch.view_as_real(whole.reshape(5, 2))
            view.mul_(2)
            return view.sum().abs() + whole.abs().sum()
        z = parts(10).requires_grad_()
        self.agrees(written, z)

    def test_view_with_multi_output(self):
        x = torch.randn(2, 2, 2, dtype=torch.float64)
        for wants in (False, True):
            res = torch.view_as_complex(x.detach().requires_grad_(wants)).unbind(0)
            self.assertEqual(len(res), 2)                                  # to have such views is allowed; to write through one is not
            with self.refused("several outputs|view of a leaf"):
                res[0].add_(torch.rand(2, requires_grad=True))


class TestAutogradDeviceType(support.Case):
    def test_complex_scalar_backward(self):
        a = torch.zeros(1, requires_grad=True)
        b = a * 0.5j
        with self.refused("only for a real output"):
            b.backward()
        with self.refused("only for a real output"):
            torch.autograd.grad(b, a)
        b.backward(torch.ones(1, dtype=torch.complex64) * 1j)
        self.same(a.grad, [0.5])

    def test_copy_r_to_c(self):
        to = torch.empty(3, 2, dtype=torch.complex128)
        x = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
        to.copy_(x)
        total = to.sum()
        total.abs().backward()
        self.close(x.grad, torch.ones_like(x) * torch.sgn(total.detach()).real)

    def test_to_r_to_c(self):
        x = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
        total = x.to(torch.complex128).sum()
        total.abs().backward()
        self.close(x.grad, torch.ones_like(x) * torch.sgn(total.detach()).real)

    def test_pow_real_negative_base_complex_exponent(self):
        exponent = parts(2).requires_grad_()
        weights = parts(2)
        for base in (-torch.ones(2, dtype=torch.float64), -1):
            found = torch.autograd.grad((torch.pow(base, exponent) * weights).real.sum(), exponent)[0]
            want = slopes(lambda e: (torch.pow(base, e) * weights).real.sum(), exponent)
            self.assertTrue(torch.allclose(found, want, rtol=1e-5, atol=1e-6), f"{found} is not {want}")


class TestAutograd(support.Case):
    def test_gradcheck_complex_non_complex_outputs(self):
        def both(x, y):
            z = torch.complex(x, y)
            return z, x + 1

        x, y = torch.randn(3, dtype=torch.float64, requires_grad=True), torch.randn(3, dtype=torch.float64, requires_grad=True)
        self.assertTrue(torch.autograd.gradcheck(both, (x, y)))
        self.assertTrue(torch.autograd.gradgradcheck(lambda z, w: ((z * w).exp(), (z - w).abs()), (parts(2).requires_grad_(), x[:2].detach().requires_grad_())))
        z = parts(3).requires_grad_()
        self.assertTrue(torch.autograd.gradcheck(lambda z: (z.real * z.imag, z.conj() * z), z))
        with self.assertRaisesRegex(RuntimeError, "Jacobian mismatch for output 0 with respect to input 0"):
            torch.autograd.gradcheck(lambda z: (z.conj() * z.detach()).real, z)


class TestMultithreadAutograd(support.Case):
    def test_cat_stack_r_to_c(self):
        for join in (torch.cat, torch.stack):
            c, r = parts(3, 2).requires_grad_(), torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
            for both in ((c, r), (r, c)):
                joined = join(both, dim=-1)
                self.assertIs(joined.dtype, torch.complex128)
                weights = parts(*joined.shape)
                grads = torch.autograd.grad((joined * weights).real.sum(), both)
                mine = torch.chunk(weights, 2, -1) if join is torch.cat else weights.unbind(-1)
                for x, g, w in zip(both, grads, mine):
                    self.assertIs(g.dtype, x.dtype)
                    self.assertTrue(torch.allclose(g, w.conj() if x.is_complex() else w.real, rtol=1e-12))


if __name__ == "__main__":
    support.unittest.main()

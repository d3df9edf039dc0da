"""Convolutions and their transposes in one, two and three dimensions."""
from . import _initial, functional as F
from ._module import Module


def sizes(value, dims, what):
    """A number for every dimension as a tuple."""
    if isinstance(value, int):
        return (value,) * dims
    value = tuple(value)
    if len(value) != dims:
        raise ValueError(f"{what}: {len(value)} numbers for {dims} dimensions")
    return value


class _Conv(Module):
    transposed, dims = False, 0

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True, padding_mode="zeros",
                 device=None, dtype=None):
        super().__init__()
        self._settings(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, padding_mode)
        self._parameters_made(bias, dtype, device)

    def _settings(self, in_channels, out_channels, kernel_size, stride, padding, dilation, groups, padding_mode):
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups:
            raise ValueError("out_channels must be divisible by groups")
        if padding_mode not in ("zeros", "reflect", "replicate", "circular"):
            raise ValueError(f"padding_mode must be one of 'zeros', 'reflect', 'replicate', 'circular', but got padding_mode='{padding_mode}'")
        self.in_channels, self.out_channels, self.groups, self.padding_mode = in_channels, out_channels, groups, padding_mode
        self.kernel_size, self.stride = sizes(kernel_size, self.dims, "kernel_size"), sizes(stride, self.dims, "stride")
        self.dilation = sizes(dilation, self.dims, "dilation")
        if isinstance(padding, str) and padding not in ("same", "valid"):
            raise ValueError(f"Invalid padding string {padding!r}, should be one of 'valid', 'same'")
        if padding == "same" and any(s != 1 for s in self.stride):
            raise ValueError("padding='same' is not supported for strided convolutions")
        self.padding = padding if isinstance(padding, str) else sizes(padding, self.dims, "padding")

    def _parameters_made(self, bias, dtype, device):
        first, second = (self.in_channels, self.out_channels) if self.transposed else (self.out_channels, self.in_channels)
        self.weight = _initial.made((first, second // self.groups, *self.kernel_size), dtype, device)
        self.register_parameter("bias", _initial.made((self.out_channels,), dtype, device) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        _initial.by_fan_in(self.weight, self.bias)

    def _around(self):
        """How much is added in front and behind, the last dimension first."""
        found = []
        for k, d, p in reversed(list(zip(self.kernel_size, self.dilation, self.padding if isinstance(self.padding, tuple) else (0,) * self.dims))):
            total = d * (k - 1) if self.padding == "same" else 2 * p
            found += [total // 2, total - total // 2]
        return found

    def forward(self, input):
        padding = self.padding if isinstance(self.padding, str) else list(self.padding)
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._around(), self.padding_mode), [0] * self.dims
        return getattr(F, f"conv{self.dims}d")(input, self.weight, self.bias, list(self.stride), padding, list(self.dilation), self.groups)

    def extra_repr(self):
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        for name, usual in (("padding", (0,) * self.dims), ("dilation", (1,) * self.dims), ("output_padding", (0,) * self.dims), ("groups", 1)):
            if getattr(self, name, usual) != usual:
                text += f", {name}={getattr(self, name)}"
        text += "" if self.bias is not None else ", bias=False"
        return text + ("" if self.padding_mode == "zeros" else f", padding_mode={self.padding_mode}")


class Conv1d(_Conv):
    dims = 1


class Conv2d(_Conv):
    dims = 2


class Conv3d(_Conv):
    dims = 3


class _ConvTranspose(_Conv):
    transposed = True

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True, dilation=1,
                 padding_mode="zeros", device=None, dtype=None):
        Module.__init__(self)
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        if isinstance(padding, str):
            raise TypeError(f"{type(self).__name__}: padding is a number or one for each dimension")
        self._settings(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, padding_mode)
        self.output_padding = sizes(output_padding, self.dims, "output_padding")
        self._parameters_made(bias, dtype, device)

    def forward(self, input, output_size=None):
        return getattr(F, f"conv_transpose{self.dims}d")(input, self.weight, self.bias, list(self.stride), list(self.padding),
                                                         self._output_padding(input, output_size), self.groups, list(self.dilation))

    def _output_padding(self, input, output_size):
        """What makes the result as large as output_size."""
        if output_size is None:
            return list(self.output_padding)
        found = []
        for i, wanted in enumerate(list(output_size)[-self.dims:]):
            least = ((input.shape[i - self.dims] - 1) * self.stride[i] - 2 * self.padding[i] + self.dilation[i] * (self.kernel_size[i] - 1) + 1)
            if not least <= wanted < least + self.stride[i]:
                raise ValueError(f"requested an output size of {list(output_size)}, but valid sizes in dimension {i} range from {least} to "
                                 f"{least + self.stride[i] - 1} (for an input of {list(input.shape)})")
            found.append(wanted - least)
        return found


class ConvTranspose1d(_ConvTranspose):
    dims = 1


class ConvTranspose2d(_ConvTranspose):
    dims = 2


class ConvTranspose3d(_ConvTranspose):
    dims = 3

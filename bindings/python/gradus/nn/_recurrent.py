"""Recurrent layers: RNN, LSTM, GRU over sequences, and their cells."""
import math

import gradus

from . import _initial
from ._module import Module
from .utils.rnn import PackedSequence, run_packed

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


class RNNBase(Module):
    """Layers of one kind. A sequence is [time, batch, feature], with batch_first [batch, time, feature]; without a batch [time, feature]."""

    def __init__(self, mode, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False, proj_size=0,
                 device=None, dtype=None):
        super().__init__()
        if proj_size:
            raise NotImplementedError(f"{mode}: proj_size is not there")
        if not 0 <= dropout <= 1:
            raise ValueError("dropout should be a number in range [0, 1] representing the probability of an element being zeroed")
        if hidden_size <= 0 or num_layers <= 0:
            raise ValueError(f"{mode}: hidden_size and num_layers must be greater than zero, not {hidden_size} and {num_layers}")
        self.mode, self.input_size, self.hidden_size, self.num_layers, self.bias = mode, input_size, hidden_size, num_layers, bias
        self.batch_first, self.dropout, self.bidirectional = batch_first, float(dropout), bidirectional
        self._flat_names = []
        rows, ways = _GATES[mode] * hidden_size, 2 if bidirectional else 1
        for layer in range(num_layers):
            columns = input_size if layer == 0 else hidden_size * ways
            for ending in ("", "_reverse")[:ways]:
                shapes = {"weight_ih": (rows, columns), "weight_hh": (rows, hidden_size)}
                if bias:
                    shapes.update(bias_ih=(rows,), bias_hh=(rows,))
                for name, shape in shapes.items():
                    self._flat_names.append(f"{name}_l{layer}{ending}")
                    setattr(self, self._flat_names[-1], _initial.made(shape, dtype, device))
        self.reset_parameters()

    def reset_parameters(self):
        for p in self.parameters():
            _initial.uniform(p, 1 / math.sqrt(self.hidden_size))

    def flatten_parameters(self):
        """Nothing to do here: weights need not lie side by side."""

    def _first_state(self, input):
        batch = input.shape[0 if self.batch_first else 1]
        return input.new_zeros([self.num_layers * (2 if self.bidirectional else 1), batch, self.hidden_size])

    def _check(self, input, states):
        if input.dim() not in (2, 3):
            raise ValueError(f"{type(self).__name__}: Expected input to be 2D or 3D, got {input.dim()}D instead")
        if input.shape[-1] != self.input_size:
            raise RuntimeError(f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.shape[-1]}")
        for state in states:
            if state.dim() != input.dim():
                raise RuntimeError(f"For {'batched 3-D' if input.dim() == 3 else 'unbatched 2-D'} input, hx should also be {input.dim()}-D "
                                   f"but got {state.dim()}-D tensor")

    def forward(self, input, hx=None):
        """(what each time step gives, the last state); hx: the first state, zeros where it is not given. Packed sequences give packed ones."""
        two = self.mode == "LSTM"
        if isinstance(input, PackedSequence):
            if input.data.shape[-1] != self.input_size:
                raise RuntimeError(f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.data.shape[-1]}")
            out, last = run_packed(self, input, hx)
            return out, tuple(last) if two else last[0]
        states = [] if hx is None else list(hx) if two else [hx]
        self._check(input, states)
        alone = input.dim() == 2
        at = 0 if self.batch_first else 1
        if alone:
            input, states = input.unsqueeze(at), [s.unsqueeze(1) for s in states]
        if not states:
            states = [self._first_state(input)] * (2 if two else 1)
        out, *last = getattr(gradus, self.mode.lower())(
            input, states if two else states[0], [getattr(self, n) for n in self._flat_names], self.bias, self.num_layers, self.dropout,
            self.training, self.bidirectional, self.batch_first)
        if alone:
            out, last = out.squeeze(at), [s.squeeze(1) for s in last]
        return out, tuple(last) if two else last[0]

    def extra_repr(self):
        text = f"{self.input_size}, {self.hidden_size}"
        for name, usual in (("num_layers", 1), ("bias", True), ("batch_first", False), ("dropout", 0), ("bidirectional", False)):
            if getattr(self, name) != usual:
                text += f", {name}={getattr(self, name)}"
        return text


class LSTM(RNNBase):
    """Long short-term memory; the state is a pair (h, c). Rows of the weights: input, forget, cell, output."""

    def __init__(self, *args, **kwargs):
        super().__init__("LSTM", *args, **kwargs)


class GRU(RNNBase):
    """Gated recurrent units. Rows of the weights: reset, update, new."""

    def __init__(self, *args, **kwargs):
        super().__init__("GRU", *args, **kwargs)


class RNN(RNNBase):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu."""

    def __init__(self, input_size, hidden_size, num_layers=1, nonlinearity="tanh", *args, **kwargs):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__("RNN_" + nonlinearity.upper(), input_size, hidden_size, num_layers, *args, **kwargs)
        self.nonlinearity = nonlinearity


class _Cell(Module):
    """One step of one layer."""

    def __init__(self, function, gates, input_size, hidden_size, bias, dtype, device):
        super().__init__()
        self.input_size, self.hidden_size, self.bias, self._function = input_size, hidden_size, bias, function
        self.weight_ih = _initial.made((gates * hidden_size, input_size), dtype, device)
        self.weight_hh = _initial.made((gates * hidden_size, hidden_size), dtype, device)
        self.register_parameter("bias_ih", _initial.made((gates * hidden_size,), dtype, device) if bias else None)
        self.register_parameter("bias_hh", _initial.made((gates * hidden_size,), dtype, device) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        for p in self.parameters():
            _initial.uniform(p, 1 / math.sqrt(self.hidden_size))

    def forward(self, input, hx=None):
        two, alone = self._function == "lstm_cell", input.dim() == 1
        input = input.unsqueeze(0) if alone else input
        if hx is None:
            zeros = input.new_zeros([input.shape[0], self.hidden_size])
            hx = [zeros, zeros] if two else zeros
        elif alone:
            hx = [s.unsqueeze(0) for s in hx] if two else hx.unsqueeze(0)
        found = getattr(gradus, self._function)(input, list(hx) if two else hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        if not alone:
            return found
        return tuple(s.squeeze(0) for s in found) if two else found.squeeze(0)

    def extra_repr(self):
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class LSTMCell(_Cell):
    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__("lstm_cell", 4, input_size, hidden_size, bias, dtype, device)


class GRUCell(_Cell):
    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__("gru_cell", 3, input_size, hidden_size, bias, dtype, device)


class RNNCell(_Cell):
    def __init__(self, input_size, hidden_size, bias=True, nonlinearity="tanh", device=None, dtype=None):
        if nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {nonlinearity}")
        super().__init__(f"rnn_{nonlinearity}_cell", 1, input_size, hidden_size, bias, dtype, device)
        self.nonlinearity = nonlinearity

    def extra_repr(self):
        return super().extra_repr() + ("" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}")

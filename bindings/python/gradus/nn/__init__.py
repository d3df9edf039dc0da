"""Modules with PyTorch's names, arguments, first values and state dicts; nn.functional, nn.init and nn.utils."""
import importlib

from ._containers import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from ._conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from ._linear import Bilinear, Embedding, EmbeddingBag, Flatten, Identity, Linear, Unflatten
from ._module import Module
from ._norm import (BatchNorm1d, BatchNorm2d, BatchNorm3d, GroupNorm, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d, LayerNorm, RMSNorm)
from .parameter import Buffer, Parameter
from ._recurrent import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNBase, RNNCell
from ._simple import *                                                     # noqa: F403
from ._transformer import MultiheadAttention, Transformer, TransformerDecoder, TransformerDecoderLayer, TransformerEncoder, TransformerEncoderLayer


def __getattr__(name):
    if name in ("functional", "utils", "init"):
        return importlib.import_module("." + name, __name__)
    raise AttributeError(f"module 'gradus.nn' has no attribute '{name}'")


def __dir__():
    return sorted({*globals(), "functional", "init", "utils"})

"""Attention with several heads, and the layers of a transformer."""
import copy
import math

import gradus

from . import _initial, functional as F
from ._containers import ModuleList
from ._linear import Linear
from ._module import Module
from ._norm import LayerNorm
from ._simple import Dropout


def _additive(mask, like):
    """A mask of bool (true: not allowed) as one that is added."""
    return like.new_zeros(mask.shape).masked_fill(mask, -math.inf) if mask is not None and mask.dtype is gradus.bool else mask


class MultiheadAttention(Module):
    """Attention with num_heads heads of embed_dim / num_heads each. Sequences are [time, batch, feature], with batch_first [batch, time,
    feature], without a batch [time, feature]. True in a mask of bool means: not looked at."""

    def __init__(self, embed_dim, num_heads, dropout=0.0, bias=True, add_bias_kv=False, add_zero_attn=False, kdim=None, vdim=None,
                 batch_first=False, device=None, dtype=None):
        super().__init__()
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and num_heads={num_heads} instead")
        if embed_dim % num_heads:
            raise AssertionError("embed_dim must be divisible by num_heads")
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.kdim, self.vdim = kdim or embed_dim, vdim or embed_dim
        self.head_dim, self.add_zero_attn = embed_dim // num_heads, add_zero_attn
        self._same = self.kdim == embed_dim == self.vdim
        self.register_parameter("in_proj_weight", _initial.made((3 * embed_dim, embed_dim), dtype, device) if self._same else None)
        for name, columns in (("q", embed_dim), ("k", self.kdim), ("v", self.vdim)):
            self.register_parameter(name + "_proj_weight", None if self._same else _initial.made((embed_dim, columns), dtype, device))
        self.register_parameter("in_proj_bias", _initial.made((3 * embed_dim,), dtype, device) if bias else None)
        self.out_proj = Linear(embed_dim, embed_dim, bias, dtype=dtype, device=device)
        for name in ("bias_k", "bias_v"):
            self.register_parameter(name, _initial.made((1, 1, embed_dim), dtype, device) if add_bias_kv else None)
        self._reset_parameters()

    def _reset_parameters(self):
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                _initial.xavier_uniform(weight)
        _initial.fill(self.in_proj_bias, 0)
        _initial.fill(self.out_proj.bias, 0)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                bias.detach().normal_(0, math.sqrt(2 / (bias.shape[0] * self.embed_dim + bias.shape[1] * self.embed_dim)))

    def _project(self, query, key, value):
        weights = self.in_proj_weight.chunk(3) if self._same else (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        if self._same and query is key and key is value:
            return F.linear(query, self.in_proj_weight, self.in_proj_bias).chunk(3, -1)
        biases = (None,) * 3 if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        return [F.linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases)]

    def _heads(self, x):
        """[batch, time, feature] as [batch, head, time, feature of a head]."""
        return x.reshape(x.shape[0], x.shape[1], self.num_heads, self.head_dim).transpose(1, 2)

    def _more(self, k, v, mask):
        """One more key and value that is learned, and one of zeros; every query may look at them."""
        more = int(self.bias_k is not None)
        if more:
            k, v = (gradus.cat([x, b.expand(x.shape[0], 1, self.embed_dim)], 1) for x, b in ((k, self.bias_k), (v, self.bias_v)))
        if self.add_zero_attn:
            k, v = (gradus.cat([x, x.new_zeros([x.shape[0], 1, self.embed_dim])], 1) for x in (k, v))
            more += 1
        return k, v, F.pad(mask, (0, more)) if mask is not None and more else mask

    def _mask(self, attn_mask, key_padding_mask, like, batch):
        attn_mask, padding = _additive(attn_mask, like), _additive(key_padding_mask, like)
        if attn_mask is not None and attn_mask.dim() == 3:
            attn_mask = attn_mask.reshape(batch, self.num_heads, *attn_mask.shape[1:])
        if padding is not None:
            padding = padding.reshape(batch, 1, 1, -1)
            attn_mask = padding if attn_mask is None else attn_mask + padding
        return attn_mask

    def forward(self, query, key, value, key_padding_mask=None, need_weights=True, attn_mask=None, average_attn_weights=True, is_causal=False):
        """(result, weights or None). attn_mask: [query, key] or [batch * head, query, key]; key_padding_mask: [batch, key]."""
        if query.dim() not in (2, 3) or key.dim() != query.dim() or value.dim() != query.dim():
            raise AssertionError(f"MultiheadAttention: query, key and value of {query.dim()}, {key.dim()} and {value.dim()} dimensions; "
                                 "all have 2 or all have 3")
        if is_causal and attn_mask is None:
            raise RuntimeError("Need attn_mask if specifying the is_causal hint.")
        alone, same = query.dim() == 2, query is key and key is value
        turn = (lambda x: x.unsqueeze(0)) if alone else (lambda x: x) if self.batch_first else (lambda x: x.transpose(0, 1))
        q = turn(query)
        k, v = (q, q) if same else (turn(key), turn(value))
        if key_padding_mask is not None and alone:
            key_padding_mask = key_padding_mask.unsqueeze(0)
        mask = self._mask(attn_mask, key_padding_mask, q, q.shape[0])
        q, k, v = self._project(q, k, v)
        k, v, mask = self._more(k, v, mask)
        out, weights = self._attend(self._heads(q), self._heads(k), self._heads(v), mask, need_weights)
        out = self.out_proj(out.transpose(1, 2).flatten(2))
        if weights is not None and average_attn_weights:
            weights = weights.mean(1)
        if alone:
            return out.squeeze(0), None if weights is None else weights.squeeze(0)
        return out if self.batch_first else out.transpose(0, 1), weights

    def _attend(self, q, k, v, mask, need_weights):
        share = self.dropout if self.training else 0.0
        if not need_weights:
            return F.scaled_dot_product_attention(q, k, v, mask, share), None
        scores = (q / math.sqrt(self.head_dim)) @ k.transpose(-2, -1)
        weights = F.softmax(scores if mask is None else scores + mask, -1)
        weights = F.dropout(weights, share, self.training) if share else weights
        return weights @ v, weights


def _activation(activation):
    if isinstance(activation, str):
        if activation not in ("relu", "gelu"):
            raise RuntimeError(f"activation should be relu/gelu, not {activation}")
        return getattr(F, activation)
    return activation


class _Layer(Module):
    """Blocks that are added to their input: normalized before with norm_first, after it otherwise."""

    def _common(self, d_model, dim_feedforward, dropout, activation, layer_norm_eps, norm_first, dtype, device, norms):
        self.linear1, self.dropout = Linear(d_model, dim_feedforward, dtype=dtype, device=device), Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, dtype=dtype, device=device)
        self.norm_first, self.activation = norm_first, _activation(activation)
        for i in range(1, norms + 1):
            setattr(self, f"norm{i}", LayerNorm(d_model, layer_norm_eps, dtype=dtype, device=device))
        for i in range(1, norms + 1):
            setattr(self, f"dropout{i}", Dropout(dropout))

    def _add(self, x, number, block):
        norm, dropout = getattr(self, f"norm{number}"), getattr(self, f"dropout{number}")
        return x + dropout(block(norm(x))) if self.norm_first else norm(x + dropout(block(x)))

    def _feedforward(self, x):
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(_Layer):
    """Attention of a sequence to itself, then two linear layers at every place."""

    def __init__(self, d_model, nhead, dim_feedforward=2048, dropout=0.1, activation=F.relu, layer_norm_eps=1e-5, batch_first=False,
                 norm_first=False, device=None, dtype=None):
        super().__init__()
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, batch_first=batch_first, dtype=dtype, device=device)
        self._common(d_model, dim_feedforward, dropout, activation, layer_norm_eps, norm_first, dtype, device, 2)

    def forward(self, src, src_mask=None, src_key_padding_mask=None, is_causal=False):
        def attend(x):
            return self.self_attn(x, x, x, src_key_padding_mask, False, src_mask)[0]
        return self._add(self._add(src, 1, attend), 2, self._feedforward)


class TransformerDecoderLayer(_Layer):
    """Attention to itself, attention to memory, then two linear layers at every place."""

    def __init__(self, d_model, nhead, dim_feedforward=2048, dropout=0.1, activation=F.relu, layer_norm_eps=1e-5, batch_first=False,
                 norm_first=False, device=None, dtype=None):
        super().__init__()
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, batch_first=batch_first, dtype=dtype, device=device)
        self.multihead_attn = MultiheadAttention(d_model, nhead, dropout, batch_first=batch_first, dtype=dtype, device=device)
        self._common(d_model, dim_feedforward, dropout, activation, layer_norm_eps, norm_first, dtype, device, 3)

    def forward(self, tgt, memory, tgt_mask=None, memory_mask=None, tgt_key_padding_mask=None, memory_key_padding_mask=None):
        def attend(x):
            return self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask)[0]

        def look(x):
            return self.multihead_attn(x, memory, memory, memory_key_padding_mask, False, memory_mask)[0]
        return self._add(self._add(self._add(tgt, 1, attend), 2, look), 3, self._feedforward)


class _Stack(Module):
    """Copies of a layer, one after the other, and a norm at the end."""

    def __init__(self, layer, num_layers, norm=None):
        super().__init__()
        self.layers, self.num_layers, self.norm = ModuleList(copy.deepcopy(layer) for _ in range(num_layers)), num_layers, norm

    def _run(self, x, step):
        for layer in self.layers:
            x = step(layer, x)
        return x if self.norm is None else self.norm(x)


class TransformerEncoder(_Stack):
    def forward(self, src, mask=None, src_key_padding_mask=None, is_causal=False):
        return self._run(src, lambda layer, x: layer(x, mask, src_key_padding_mask))


class TransformerDecoder(_Stack):
    def forward(self, tgt, memory, tgt_mask=None, memory_mask=None, tgt_key_padding_mask=None, memory_key_padding_mask=None):
        return self._run(tgt, lambda layer, x: layer(x, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask))


def generate_square_subsequent_mask(sz, device=None, dtype=None):
    """0 on and below the diagonal, -inf above: each place looks at itself and at what came before."""
    return gradus.full([sz, sz], -math.inf, device=device, dtype=dtype or gradus.get_default_dtype()).triu(1)


class Transformer(Module):
    """An encoder of src, and a decoder of tgt that looks at what it gives. The result is what a last linear layer would take."""

    generate_square_subsequent_mask = staticmethod(generate_square_subsequent_mask)

    def __init__(self, d_model=512, nhead=8, num_encoder_layers=6, num_decoder_layers=6, dim_feedforward=2048, dropout=0.1, activation=F.relu,
                 custom_encoder=None, custom_decoder=None, layer_norm_eps=1e-5, batch_first=False, norm_first=False, device=None, dtype=None):
        super().__init__()
        common = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, device, dtype)

        def stack(kind, layer, count):
            return kind(layer(*common), count, LayerNorm(d_model, layer_norm_eps, device=device, dtype=dtype))
        self.encoder = custom_encoder or stack(TransformerEncoder, TransformerEncoderLayer, num_encoder_layers)
        self.decoder = custom_decoder or stack(TransformerDecoder, TransformerDecoderLayer, num_decoder_layers)
        for p in self.parameters():
            if p.dim() > 1:
                _initial.xavier_uniform(p)
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(self, src, tgt, src_mask=None, tgt_mask=None, memory_mask=None, src_key_padding_mask=None, tgt_key_padding_mask=None,
                memory_key_padding_mask=None, src_is_causal=None, tgt_is_causal=None, memory_is_causal=False):
        if src.dim() == 3 and src.shape[0 if self.batch_first else 1] != tgt.shape[0 if self.batch_first else 1]:
            raise RuntimeError("the batch number of src and tgt must be equal")
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise RuntimeError("the feature number of src and tgt must be equal to d_model")
        memory = self.encoder(src, src_mask, src_key_padding_mask)
        return self.decoder(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)

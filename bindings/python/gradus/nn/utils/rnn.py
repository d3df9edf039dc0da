"""Sequences of different lengths in one batch: padded, or packed step by step so that nothing is computed for the padding."""
from collections import namedtuple

from ... import _ops

Tensor = _ops.Tensor
_Packed = namedtuple("PackedSequence", ("data", "batch_sizes", "sorted_indices", "unsorted_indices"))


class PackedSequence(_Packed):
    """The elements of all sequences in the order of their steps: data[:batch_sizes[0]] are the first ones, of the longest sequence first.

    sorted_indices says which sequence of the batch stands where in that order, unsorted_indices the other way; None: as they were.

    >>> import gradus as torch
    >>> packed = pack_sequence([torch.tensor([1, 2, 3]), torch.tensor([4])])
    >>> packed.data, packed.batch_sizes
    (tensor([1, 4, 2, 3]), tensor([2, 1, 1]))
    >>> pad_packed_sequence(packed, batch_first=True)
    (tensor([[1, 2, 3],
            [4, 0, 0]]), tensor([3, 1]))
    """

    __slots__ = ()

    def __new__(cls, data, batch_sizes=None, sorted_indices=None, unsorted_indices=None):
        if batch_sizes is None:
            raise ValueError("PackedSequence: batch_sizes is needed; pack_padded_sequence makes one")
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args, **kwargs):
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else self._with(data)

    def _with(self, data):
        return type(self)(data, *self[1:])

    def double(self):
        return self.to(_dtype("float64"))

    def float(self):
        return self.to(_dtype("float32"))

    def half(self):
        return self.to(_dtype("float16"))

    def cpu(self):
        return self

    is_cuda = False


def _dtype(name):
    import gradus
    return getattr(gradus, name)


def invert_permutation(permutation):
    return None if permutation is None else _ops.function("argsort")(permutation)


def _lengths(lengths, batch):
    lengths = [int(n) for n in (lengths.tolist() if isinstance(lengths, Tensor) else lengths)]
    if len(lengths) != batch:
        raise RuntimeError(f"Expected `len(lengths)` to be equal to batch_size, but got {len(lengths)} (batch_size={batch})")
    if min(lengths, default=0) <= 0:
        raise RuntimeError("Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0")
    return lengths


def pack_padded_sequence(input, lengths, batch_first=False, enforce_sorted=True):
    """Of a padded batch [time, batch, ...]. enforce_sorted: the lengths fall already; else the sequences are put in that order."""
    import gradus
    if input.dim() < 2:
        raise ValueError(f"pack_padded_sequence: a batch of sequences has two dimensions at least, not {input.dim()}")
    input = input.transpose(0, 1) if batch_first else input
    lengths, order = _lengths(lengths, input.shape[1]), None
    if not enforce_sorted:
        ordered = sorted(range(len(lengths)), key=lambda i: -lengths[i])
        order, lengths = gradus.tensor(ordered), [lengths[i] for i in ordered]
        input = input.index_select(1, order)
    if any(a < b for a, b in zip(lengths, lengths[1:])):
        raise RuntimeError("`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
                           "`enforce_sorted=False` to pack_padded_sequence to sidestep this requirement")
    if lengths[0] > input.shape[0]:
        raise RuntimeError(f"Expected all lengths to be at most the {input.shape[0]} steps of the batch, but got {lengths[0]}")
    sizes = _sizes_of(lengths)
    return PackedSequence(gradus.cat([input[t, :n] for t, n in enumerate(sizes)]), gradus.tensor(sizes), order, None)


def _sizes_of(lengths):
    """How many sequences have a step, for each step; the lengths fall."""
    return [sum(n > t for n in lengths) for t in range(lengths[0])]


def pad_packed_sequence(sequence, batch_first=False, padding_value=0.0, total_length=None):
    """(the padded batch in its first order, the lengths)"""
    import gradus
    sizes = sequence.batch_sizes.tolist()
    if total_length is not None and total_length < len(sizes):
        raise ValueError(f"Expected total_length to be at least the length of the longest sequence in input, but got total_length={total_length} "
                         f"and max sequence length being {len(sizes)}")
    lengths = [sum(n > i for n in sizes) for i in range(sizes[0])]
    steps = _steps(sequence.data, sizes)
    rows = [gradus.cat([step, step.new_full([sizes[0] - len(step), *step.shape[1:]], padding_value)]) if len(step) < sizes[0] else step
            for step in steps]
    rows += [sequence.data.new_full([sizes[0], *sequence.data.shape[1:]], padding_value)] * ((total_length or len(sizes)) - len(sizes))
    padded, lengths = gradus.stack(rows), gradus.tensor(lengths)
    if sequence.unsorted_indices is not None:
        padded, lengths = padded.index_select(1, sequence.unsorted_indices), lengths[sequence.unsorted_indices]
    return (padded.transpose(0, 1) if batch_first else padded), lengths


def _steps(data, sizes):
    return data.split(sizes)


def pad_sequence(sequences, batch_first=False, padding_value=0.0):
    """Sequences [length, ...] as one padded batch."""
    import gradus
    sequences = list(sequences)
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    longest = max(len(s) for s in sequences)
    rest = sequences[0].shape[1:]
    if any(s.shape[1:] != rest for s in sequences):
        shapes = ", ".join(str(list(s.shape)) for s in sequences)
        raise RuntimeError(f"pad_sequence: the sequences may differ in their first dimension only, but are of {shapes}")
    return gradus.stack([gradus.cat([s, s.new_full([longest - len(s), *rest], padding_value)]) if len(s) < longest else s for s in sequences],
                        0 if batch_first else 1)


def unpad_sequence(padded_sequences, lengths, batch_first=False):
    """The sequences of a padded batch."""
    padded = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [s[:n] for s, n in zip(padded, _lengths(lengths, len(padded)))]


def pack_sequence(sequences, enforce_sorted=True):
    sequences = list(sequences)
    return pack_padded_sequence(pad_sequence(sequences), [len(s) for s in sequences], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences):
    return unpad_sequence(*pad_packed_sequence(packed_sequences))


# ---- recurrent layers over packed sequences

def run_packed(layer, sequence, hx):
    """What a recurrent layer gives for a packed sequence: (packed outputs, last states as a list).

    Steps with the same sequences in them are one call of the layer's operation; a sequence that ends leaves its state behind, or, in the other
    direction, enters with its first one.
    """
    import gradus
    sizes, two = sequence.batch_sizes.tolist(), layer.mode == "LSTM"
    ways = 2 if layer.bidirectional else 1
    if hx is None:
        states = [sequence.data.new_zeros([layer.num_layers * ways, sizes[0], layer.hidden_size])] * (2 if two else 1)
    else:
        states = list(hx) if two else [hx]
        wanted = [layer.num_layers * ways, sizes[0], layer.hidden_size]
        for s in states:
            if list(s.shape) != wanted:
                raise RuntimeError(f"Expected hidden size {wanted}, got {list(s.shape)}")
        if sequence.sorted_indices is not None:
            states = [s.index_select(1, sequence.sorted_indices) for s in states]
    data, last = sequence.data, []
    if ways == 1:
        data, last = _direction(layer, data, sizes, states, [getattr(layer, n) for n in layer._flat_names], layer.num_layers, False)
    else:
        per, found = len(layer._flat_names) // (layer.num_layers * ways), []
        for at in range(layer.num_layers):
            both = []
            for way in range(ways):
                place = at * ways + way
                weights = [getattr(layer, n) for n in layer._flat_names[place * per:(place + 1) * per]]
                out, ended = _direction(layer, data, sizes, [s[place:place + 1] for s in states], weights, 1, way == 1)
                both.append(out)
                found.append(ended)
            data = gradus.cat(both, -1)
            if layer.dropout and at + 1 < layer.num_layers:
                data = gradus.nn.functional.dropout(data, layer.dropout, layer.training)
        last = [gradus.cat(list(s)) for s in zip(*found)]
    if sequence.unsorted_indices is not None:
        last = [s.index_select(1, sequence.unsorted_indices) for s in last]
    return sequence._with(data), last


def _direction(layer, data, sizes, states, weights, layers, backwards):
    """Layers in one direction: (outputs in the order of data, last states)."""
    import gradus
    run, two = getattr(gradus, layer.mode.lower()), layer.mode == "LSTM"
    outputs, ended, now = [], [], [s[:, :0] if backwards else s for s in states]
    parts = _parts(sizes)
    for begin, steps, size in reversed(parts) if backwards else parts:
        here = now[0].shape[1]
        if here < size:                                                    # sequences enter
            now = [gradus.cat([s, first[:, here:size]], 1) for s, first in zip(now, states)]
        elif here > size:                                                  # sequences have ended
            ended.insert(0, [s[:, size:] for s in now])
            now = [s[:, :size] for s in now]
        piece = data[begin:begin + steps * size].view(steps, size, data.shape[-1])
        out, *now = run(piece.flip(0) if backwards else piece, now if two else now[0], weights, layer.bias, layers,
                        layer.dropout if layers > 1 else 0.0, layer.training, False, False)
        outputs.append((out.flip(0) if backwards else out).reshape(steps * size, out.shape[-1]))
    ended.insert(0, now)
    return gradus.cat(outputs[::-1] if backwards else outputs), [gradus.cat(list(s), 1) for s in zip(*ended)]


def _parts(sizes):
    """(first element, steps, sequences) for each run of steps with the same sequences."""
    parts, begin = [], 0
    for size in sizes:
        if parts and parts[-1][2] == size:
            parts[-1] = (parts[-1][0], parts[-1][1] + 1, size)
        else:
            parts.append((begin, 1, size))
        begin += size
    return parts

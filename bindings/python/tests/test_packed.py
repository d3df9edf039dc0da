"""Packed sequences: a recurrent layer gives for each of them what it gives for that sequence alone."""
import itertools
import unittest

import gradus as torch

rnn = torch.nn.utils.rnn


class Packing(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(7)
        self.sequences = [torch.randn(n, 3) for n in (2, 4, 1, 4)]

    def test_there_and_back(self):
        padded = rnn.pad_sequence(self.sequences, padding_value=9.0)
        self.assertEqual((padded.shape, padded[2:, 0].tolist()), ((4, 4, 3), [[9] * 3] * 2))
        self.assertEqual(rnn.pad_sequence(self.sequences, batch_first=True).shape, (4, 4, 3))
        packed = rnn.pack_sequence(self.sequences, enforce_sorted=False)
        self.assertEqual((packed.data.shape, packed.batch_sizes.tolist(), packed.sorted_indices.tolist()), ((11, 3), [4, 3, 2, 2], [1, 3, 0, 2]))
        for mine, theirs in zip(rnn.unpack_sequence(packed), self.sequences):
            self.assertTrue(torch.equal(mine, theirs))
        again, lengths = rnn.pad_packed_sequence(packed, batch_first=True, padding_value=9.0, total_length=6)
        self.assertEqual((again.shape, lengths.tolist(), again[2, 1:].unique().tolist()), ((4, 6, 3), [2, 4, 1, 4], [9]))
        self.assertIs(packed.double().data.dtype, torch.float64)
        self.assertIs(packed.to(torch.float32), packed)

    def test_gradients_come_back_to_the_sequences(self):
        for s in self.sequences:
            s.requires_grad_()
        padded, _ = rnn.pad_packed_sequence(rnn.pack_sequence(self.sequences, enforce_sorted=False), padding_value=5.0)
        (padded * 2).sum().backward()
        for s in self.sequences:
            self.assertTrue(torch.equal(s.grad, torch.full_like(s, 2.0)))

    def test_each_kind_of_layer(self):
        for kind, layers, both, bias, states in itertools.product(("LSTM", "GRU", "RNN"), (1, 2), (False, True), (True, False), (True, False)):
            layer = getattr(torch.nn, kind)(3, 5, layers, bias=bias, bidirectional=both)
            first = torch.randn(layers * (2 if both else 1), 4, 5)
            hx = None if not states else (first, first * 0.5) if kind == "LSTM" else first
            out, last = layer(rnn.pack_sequence(self.sequences, enforce_sorted=False), hx)
            outputs, last = rnn.unpack_sequence(out), last if kind == "LSTM" else (last,)
            for i, s in enumerate(self.sequences):
                mine = None if not states else (first[:, i], first[:, i] * 0.5) if kind == "LSTM" else first[:, i]
                alone, ends = layer(s, mine)
                for a, b in zip((outputs[i], *[x[:, i] for x in last]), (alone, *(ends if kind == "LSTM" else (ends,)))):
                    self.assertTrue(torch.allclose(a, b, atol=1e-6), (kind, layers, both, bias, states, i))

    def test_first_states_of_another_shape(self):
        packed = rnn.pack_sequence(self.sequences, enforce_sorted=False)
        for both, shape in itertools.product((False, True), ((9, 4, 5), (4, 5), (2, 3, 5), (2, 4, 6))):
            gru, lstm = torch.nn.GRU(3, 5, bidirectional=both), torch.nn.LSTM(3, 5, bidirectional=both)
            right, wrong = torch.zeros(2 if both else 1, 4, 5), torch.zeros(shape)
            for layer, hx in ((gru, wrong), (lstm, (wrong, right)), (lstm, (right, wrong))):
                with self.assertRaises(RuntimeError) as caught:
                    layer(packed, hx)
                self.assertIn(f"Expected hidden size {list(right.shape)}, got {list(shape)}", str(caught.exception))

    def test_dropout_between_layers(self):
        layer = torch.nn.LSTM(3, 50, 2, dropout=0.5, bidirectional=True)
        packed = rnn.pack_sequence(self.sequences, enforce_sorted=False)
        self.assertFalse(torch.equal(layer(packed)[0].data, layer(packed)[0].data))
        layer.eval()
        self.assertTrue(torch.equal(layer(packed)[0].data, layer(packed)[0].data))

    def test_what_is_refused(self):
        padded = torch.zeros(4, 2, 3)
        for call, kind in ((lambda: rnn.pack_padded_sequence(padded, [1, 4]), RuntimeError), (lambda: rnn.pack_padded_sequence(padded, [4, 0]), RuntimeError),
                           (lambda: rnn.pack_padded_sequence(padded, [4]), RuntimeError), (lambda: rnn.pack_padded_sequence(padded, [5, 1]), RuntimeError),
                           (lambda: rnn.pack_padded_sequence(torch.zeros(4), [4]), ValueError), (lambda: rnn.pad_sequence([]), RuntimeError),
                           (lambda: rnn.pad_sequence([torch.zeros(1, 2), torch.zeros(1, 3)]), RuntimeError),
                           (lambda: rnn.pad_packed_sequence(rnn.pack_sequence(self.sequences[:1]), total_length=1), ValueError),
                           (lambda: torch.nn.GRU(2, 2)(rnn.pack_sequence(self.sequences[:1])), RuntimeError),
                           (lambda: torch.nn.GRU(3, 2)(rnn.pack_sequence(self.sequences[:1]), torch.zeros(1, 2, 2)), RuntimeError)):
            with self.assertRaises(kind):
                call()


if __name__ == "__main__":
    unittest.main()

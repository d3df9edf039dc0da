"""Signals during a long call: what the handler raises ends the call, and everything works afterwards. Each case is a process of its own."""
import os
import subprocess
import sys
import textwrap
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The signal comes while `work` computes: it is sent again and again until something was raised, from a thread that waits between.
START = """
import os, signal, threading, time
import gradus as torch

done = threading.Event()

def send(number):
    def again():
        while not done.wait(0.3):
            os.kill(os.getpid(), number)
    threading.Thread(target=again, daemon=True).start()

def ended(work, expected, number=signal.SIGINT):
    send(number)
    try:
        work()
    except expected as error:
        done.set()
        return error
    raise SystemExit("nothing was raised")
"""


@unittest.skipIf(os.name == "nt", "os.kill sends no signals on Windows")
class Signals(unittest.TestCase):
    def run_in_process(self, code):
        out = subprocess.run([sys.executable, "-c", START + textwrap.dedent(code)], env={**os.environ, "PYTHONPATH": ROOT}, capture_output=True,
                             text=True, timeout=300)
        self.assertEqual((out.returncode, out.stdout.strip(), out.stderr), (0, "usable", ""))

    def test_one_long_operation(self):
        self.run_in_process("""
            a = torch.ones(1500, 1500)
            for _ in range(2):
                done.clear()
                error = ended(lambda: torch.linalg.matrix_power(a, 1 << 62), KeyboardInterrupt)   # sixty products in one call
                assert type(error) is KeyboardInterrupt, type(error)       # Python's own handler raised it
            assert torch.equal(torch.ones(2) + 1, torch.full((2,), 2.0))
            print("usable")
        """)

    def test_a_backward_pass_leaves_no_half_gradient(self):
        self.run_in_process("""
            w = torch.ones(900, 900, requires_grad=True)
            x = w
            for _ in range(400):
                x = x @ w * 1e-3
            loss = x.sum()
            before = torch.live_counts()
            ended(lambda: loss.backward(retain_graph=True), KeyboardInterrupt)
            y = torch.ones(2, requires_grad=True)
            (y * y).sum().backward()
            assert y.grad.tolist() == [2, 2]
            print("usable")
        """)

    def test_a_pass_that_is_all_hooks(self):
        self.run_in_process("""
            w = torch.ones(100, 100, requires_grad=True)
            x = w
            for _ in range(2000):
                x = x @ w * 1e-2
                x.register_hook(lambda g: None)
            loss = x.sum()
            def work():
                while True:
                    loss.backward(retain_graph=True)
            ended(work, KeyboardInterrupt)
            w.grad = None
            loss.backward()
            assert w.grad.shape == (100, 100)
            print("usable")
        """)

    def test_any_handler_that_raises(self):
        self.run_in_process("""
            class Late(Exception):
                pass
            def handler(number, frame):
                torch.ones(300, 300) @ torch.ones(300, 300)                # a handler may compute
                raise Late("too long")
            signal.signal(signal.SIGALRM, handler)
            a = torch.ones(1500, 1500)
            error = ended(lambda: torch.linalg.matrix_power(a, 1 << 62), Late, signal.SIGALRM)
            assert error.args == ("too long",)
            print("usable")
        """)

    def test_a_handler_that_returns_lets_the_call_go_on(self):
        self.run_in_process("""
            seen = []
            signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
            send(signal.SIGUSR1)
            a = torch.eye(700)
            while len(seen) < 3:
                assert torch.equal(torch.linalg.matrix_power(a, 1 << 20), a)
            done.set()
            print("usable")
        """)

    def test_a_batch_and_another_context(self):
        self.run_in_process("""
            torch.set_num_threads(1)
            def chain(x):
                for _ in range(300):
                    x = x @ x
                return x
            again = torch.batch(chain, torch.ones(2, 2))
            ended(lambda: again(torch.ones(1200, 1200)), KeyboardInterrupt)
            assert again(torch.eye(2)).tolist() == [[1, 0], [0, 1]]
            print("usable")
        """)


if __name__ == "__main__":
    unittest.main()

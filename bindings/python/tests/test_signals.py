"""Signals during a long call: what the handler raises ends the call, and everything works afterwards. Each case is a process of its own."""
import os
import subprocess
import sys
import textwrap
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The signal is sent again and again, by a thread that waits between, until something was raised. ended() goes on until it was raised inside a call,
# which the frames of the exception tell.
START = """
import os, signal, threading, time
import gradus as torch

done = threading.Event()

def send(number):
    def again():
        while not done.wait(0.2):
            os.kill(os.getpid(), number)
    sender = threading.Thread(target=again, daemon=True)
    sender.start()
    return sender

def stop(sender, expected):
    while True:
        try:                                                               # a last signal may be on its way
            done.set()
            sender.join()
            return time.sleep(0.01)
        except expected:
            pass

def inside_a_call(error):
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.endswith("_signals.py"):
            return True
        trace = trace.tb_next
    return False

def ended(work, expected, number=signal.SIGINT):
    for _ in range(100):
        done.clear()
        sender = send(number)
        try:
            while True:
                work()
        except expected as error:
            stop(sender, expected)
            if inside_a_call(error):
                return error
    raise SystemExit("nothing was raised inside a call")
"""


@unittest.skipIf(os.name == "nt", "os.kill sends no signals on Windows")
class Signals(unittest.TestCase):
    def run_in_process(self, code, errors=""):
        out = subprocess.run([sys.executable, "-c", START + textwrap.dedent(code)], env={**os.environ, "PYTHONPATH": ROOT}, capture_output=True,
                             text=True, timeout=300)
        said = "" if errors and out.stderr.startswith(errors) else out.stderr
        self.assertEqual((out.returncode, out.stdout.strip(), said), (0, "usable", ""), out.stderr)

    def test_one_long_operation(self):
        self.run_in_process("""
            a = torch.ones(900, 900)
            for _ in range(2):
                error = ended(lambda: torch.linalg.matrix_power(a, 1 << 62), KeyboardInterrupt)   # sixty products in one call
                assert type(error) is KeyboardInterrupt, type(error)       # Python's own handler raised it
            assert torch.equal(torch.ones(2) + 1, torch.full((2,), 2.0))
            print("usable")
        """)

    def test_a_backward_pass(self):
        self.run_in_process("""
            w = torch.ones(200, 200, requires_grad=True)
            x = w
            for _ in range(300):
                x = x @ w * 1e-3
            loss = x.sum()
            ended(lambda: loss.backward(retain_graph=True), KeyboardInterrupt)
            y = torch.ones(2, requires_grad=True)
            (y * y).sum().backward()
            assert y.grad.tolist() == [2, 2]
            w.grad = None
            loss.backward()                                                # the graph is whole
            assert w.grad.shape == (200, 200)
            print("usable")
        """)

    def test_a_pass_that_is_all_hooks(self):
        self.run_in_process("""
            w = torch.ones(50, 50, requires_grad=True)
            x, calls = w, []
            for _ in range(500):
                x = x @ w * 1e-2
                x.register_hook(lambda g: calls.append(1))
            loss = x.sum()
            ended(lambda: loss.backward(retain_graph=True), KeyboardInterrupt)
            calls.clear()
            loss.backward()
            assert len(calls) == 500, len(calls)
            print("usable")
        """, errors="Exception ignored")                                  # Python runs a handler before the first line of a callback, too: ctypes says so

    def test_any_handler_that_raises(self):
        self.run_in_process("""
            class Late(Exception):
                pass
            def handler(number, frame):
                torch.ones(100, 100) @ torch.ones(100, 100)                # a handler may compute
                raise Late("too long")
            signal.signal(signal.SIGALRM, handler)
            a = torch.ones(900, 900)
            error = ended(lambda: torch.linalg.matrix_power(a, 1 << 62), Late, signal.SIGALRM)
            assert error.args == ("too long",)
            print("usable")
        """)

    def test_a_handler_that_returns_lets_the_call_go_on(self):
        self.run_in_process("""
            seen = []
            signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
            send(signal.SIGUSR1)
            a = torch.eye(300)
            while len(seen) < 3:
                assert torch.equal(torch.linalg.matrix_power(a, 1 << 20), a)
            done.set()
            print("usable")
        """)

    def test_a_replay_and_another_context(self):
        self.run_in_process("""
            torch.set_num_threads(1)
            def chain(x):
                for _ in range(300):
                    x = x @ x
                return x
            again = torch.replay(chain, torch.ones(2, 2))
            ended(lambda: again(torch.ones(200, 200)), KeyboardInterrupt)
            assert again(torch.eye(2)).tolist() == [[1, 0], [0, 1]]
            print("usable")
        """)


if __name__ == "__main__":
    unittest.main()

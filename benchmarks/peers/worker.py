"""One side of train.py: a process that trains one task in one library. It takes a line from its input, and answers with one line of JSON.

    train N     N more steps; loss, wall-clock and processor seconds of each
    test        share of the test digits read right, in percent
    peak        the process's peak memory so far in MiB
    pin         from now on its threads stay on processors of their own
"""
import argparse
import dataclasses
import importlib
import json
import os
import platform
import re
import resource
import sys
import time

import numpy as np

import models


class Side:
    def __init__(self, args):
        self.torch = torch = importlib.import_module(args.library)
        torch.set_num_threads(args.threads)
        if args.plain:
            torch.backends.mkldnn.set_flags(False)
        torch.set_default_dtype(getattr(torch, args.dtype))
        self.task, self.dtype, self.reverse = models.TASKS[args.task], args.dtype, args.reverse
        if args.batch:
            self.task = dataclasses.replace(self.task, batch=args.batch)
        self.data, self.step = self.task.data(args.data), 0
        self.model = self.task.module(torch)
        generator = np.random.default_rng(models.SEED)
        with torch.no_grad():
            for name, p in self.model.named_parameters():
                p.copy_(self.tensor(models.first_values(name, tuple(p.shape), generator).astype(np.float32)))
        settings = {} if args.foreach is None else {"foreach": bool(args.foreach)}
        self.optimizer = self.task.optimizer(torch, self.model, **settings)
        self.rates = self.task.rates(torch, self.optimizer, self.task.steps)

    def tensor(self, array):
        return self.torch.from_numpy(array.astype(self.dtype) if array.dtype == np.float32 else array)

    def one(self, arrays):
        self.optimizer.zero_grad()
        loss = self.task.loss(self.torch, self.model, *arrays)
        loss.backward()
        if self.task.clip:
            self.torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.task.clip)
        self.optimizer.step()
        if self.rates and self.step + 1 < self.task.steps:
            self.rates.step()
        return loss.item()

    def train(self, count):
        losses, wall, processor, began = [], [], [], time.process_time()
        for _ in range(count):
            arrays = self.data.batch(self.step, self.task.batch)
            if self.reverse:                                              # the same sums, in another order
                arrays = [np.ascontiguousarray(a[::-1]) for a in arrays]
            arrays = [self.tensor(a) for a in arrays]
            start, used = time.perf_counter(), time.process_time()
            losses.append(self.one(arrays))
            wall.append(time.perf_counter() - start)
            processor.append(time.process_time() - used)
            self.step += 1
        return {"loss": losses, "wall": wall, "processor": processor, "used": time.process_time() - began}

    def test(self):
        self.model.eval()
        images, labels = map(self.tensor, self.data.test)
        with self.torch.no_grad():
            right = (self.model(images).argmax(1) == labels).float().mean().item()
        self.model.train()
        return {"right": 100 * right}

    def peak(self):
        return {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}

    def pin(self):
        """The first thread on the first processor, the others, of which those of one pool work at a time, on the other ones in turn."""
        processors, threads = sorted(os.sched_getaffinity(0)), sorted(map(int, os.listdir("/proc/self/task")))
        others = processors[1:self.torch.get_num_threads()] or processors
        for i, thread in enumerate(threads):
            os.sched_setaffinity(thread, {others[(i - 1) % len(others)] if i else processors[0]})
        return {"threads": len(threads)}

    def about(self):
        """The versions, and the BLAS in this process's memory with the kernels it chose."""
        with open("/proc/self/maps", encoding="utf-8") as maps:
            blas = sorted(set(re.findall(r"/\S*openblas\S*", maps.read())))
        config = self.torch.__config__.show() if hasattr(self.torch, "__config__") else ""
        vectors = re.findall(r"CPU capability usage: (\S+)", config)
        return {"version": self.torch.__version__, "blas": blas, "vectors": vectors[0] if vectors else "", "python": platform.python_version(),
                "threads": self.torch.get_num_threads()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("library", choices=("torch", "gradus"))
    parser.add_argument("task", choices=models.TASKS)
    parser.add_argument("--data")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, help="default: the task's own")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--foreach", type=int)
    parser.add_argument("--reverse", action="store_true", help="each batch backwards")
    parser.add_argument("--plain", action="store_true", help="PyTorch without oneDNN")
    side = Side(parser.parse_args())
    print(json.dumps(side.about()), flush=True)
    for line in sys.stdin:
        word, *count = line.split()
        print(json.dumps(getattr(side, word)(*map(int, count))), flush=True)


if __name__ == "__main__":
    main()

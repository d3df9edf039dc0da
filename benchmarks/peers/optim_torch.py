"""The work of optim_bench in PyTorch: optim_torch.py [threads]"""
import statistics
import sys
import time

import torch


def median(call, runs):
    times = []
    for i in range(runs + 3):
        start = time.perf_counter()
        call()
        if i >= 3:
            times.append((time.perf_counter() - start) * 1e6)
    return statistics.median(times)


def measure(what, shapes, runs):
    parameters = [torch.randn(*shape, requires_grad=True) for shape in shapes]
    for p in parameters:
        p.grad = torch.randn_like(p)
    for foreach in (False, True):
        sgd = torch.optim.SGD(parameters, lr=1e-6, momentum=0.9, foreach=foreach)
        adam = torch.optim.Adam(parameters, lr=1e-6, foreach=foreach)
        print(f"{what}, foreach={foreach}: SGD with momentum {median(sgd.step, runs):.1f} us, Adam {median(adam.step, runs):.1f} us")
    clip = median(lambda: torch.nn.utils.clip_grad_norm_(parameters, 1e3), runs // 4)
    print(f"{what}: clip_grad_norm {clip:.1f} us")


torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
print("PyTorch", torch.__version__, torch.get_num_threads(), "thread(s)")
measure("MLP 784-256-128-10", [(256, 784), (256,), (128, 256), (128,), (10, 128), (10,)], 400)
measure("10^7 floats in 100 tensors", [(100000,)] * 100, 40)

"""Worker processes: a crash or a hang is a failure of the sample at hand, and the next process goes on behind it."""
import multiprocessing as mp
import multiprocessing.connection
import resource
import signal
import time

PATIENCE = 120                                                              # seconds for one sample


class Worker:
    def __init__(self, serve):
        self.progress = mp.RawArray("q", 2)                                 # the sample at hand; how many were begun
        self.pipe, far = mp.Pipe()
        self.process = mp.Process(target=serve, args=(far, self.progress), daemon=True)
        self.process.start()
        far.close()
        self.task, self.seen, self.since = None, -1, time.monotonic()

    def give(self, task):
        self.task, self.seen, self.since = task, -1, time.monotonic()
        self.pipe.send(task)

    def hangs(self):
        if self.progress[1] != self.seen:
            self.seen, self.since = self.progress[1], time.monotonic()
        return time.monotonic() - self.since > PATIENCE


def death(process):
    code = process.exitcode
    return "crash: " + (signal.Signals(-code).name if code is not None and code < 0 else "exit %s" % code)


def limit_memory(gigabytes):
    resource.setrlimit(resource.RLIMIT_AS, (gigabytes << 30, gigabytes << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(serve, tasks, count):
    """serve(pipe, progress) answers tasks [entry index, {sample: how it ended a process}]; yields the answers."""
    waiting = [[t, {}] for t in tasks]
    workers = [Worker(serve) for _ in range(min(count, max(len(waiting), 1)))]
    for w in list(workers):
        w.give(waiting.pop(0)) if waiting else workers.remove(w)
    while workers:
        ready = mp.connection.wait([w.pipe for w in workers], timeout=1)
        for w in list(workers):
            answer, ended = None, None
            if w.pipe in ready:
                try:
                    answer = w.pipe.recv()
                except (EOFError, ConnectionResetError):
                    w.process.join()
                    ended = death(w.process)
            elif w.hangs():
                w.process.kill()
                w.process.join()
                ended = "hangs: no end after %d seconds" % PATIENCE
            if ended:
                task = w.task
                if str(w.progress[0]) in task[1]:
                    raise RuntimeError("the worker for %s ends without a sample at fault: %s" % (task, ended))
                task[1][str(w.progress[0])] = ended
                workers[workers.index(w)] = fresh = Worker(serve)
                fresh.give(task)
            elif answer is not None:
                yield answer
                if waiting:
                    w.give(waiting.pop(0))
                else:
                    w.pipe.send(None)
                    w.process.join()
                    workers.remove(w)

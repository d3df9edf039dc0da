"""Replays the samples of one OpInfo entry and says for each part whether it agreed."""
import re

import numpy as np

import library as L
from backend import NotServed, Refused

KINDS = {"fwd": "forward", "inplace": "in-place", "out": "out", "promo": "promotion", "error": "error"}
PARTS = {"grads": "gradient", "second": "second-order"}


def is_complex(sample):
    """Whether a complex number occurs anywhere: those samples are skipped where an operation says that it does not take any."""
    entries = sample.T + sample.rec.get("outs", []) + sample.rec.get("pouts", [])
    if any(e.get("d", "").startswith("complex") for e in entries) or sample.rec["dtype"].startswith("complex"):
        return True
    text = repr([c[1] for c in sample.calls])
    return "{'c': [" in text or "'dtype': 'complex" in text


def overloads_of(sample):
    return [c[0] for c in sample.calls]


def blamed(entry, sample):
    """The overloads a wrong value is put down to: those named like the entry, or else all of the sample."""
    found = sorted(set(overloads_of(sample)))
    own = {re.sub(r"\W+", "_", n).split("_with")[0] for n in [entry["name"], entry["aten_name"] or "", *entry["aliases"]]}
    own |= {n.rsplit("nn_functional_", 1)[-1] for n in own} | {entry["name"].rsplit(".", 1)[-1]}
    mine = [o for o in found if o[6:].split(".")[0].strip("_") in {n.strip("_") for n in own}]
    return mine or found


def misplaced(conformance, sample, ranked, output):
    """None if the places in a result, though others than PyTorch's, are those of the same values, each named once; else what is wrong."""
    entry, (given, dim, places) = sample.rec["outs"][output], ranked
    values, got, want = given[0], places[0].astype(int), sample.array(entry).astype(int)
    if dim is None or not values.ndim:
        return "output %d: places without a dimension" % output
    lone = got.ndim < values.ndim                                           # keepdim is false
    got, want = (np.expand_dims(a, dim) if lone else a for a in (got, want))
    values = conformance.bf16_to_f32(values) if given[1] == "bfloat16" else values
    found, meant = (np.take_along_axis(values, a, dim) for a in (got, want))
    if not np.array_equal(found, meant, equal_nan=found.dtype.kind == "f"):
        return "output %d: not the places of the values" % output
    ranks = np.sort(got, dim)
    return "output %d: a place is named twice" % output if (np.diff(ranks, axis=dim) == 0).any() else None


class Entry:
    """One OpInfo entry under replay: the tallies by kind and by overload, and what went wrong."""

    def __init__(self, conformance, entry, backend, progress, poisoned):
        self.conformance, self.entry, self.backend = conformance, entry, backend
        self.progress, self.poisoned = progress, poisoned                    # samples that ended an earlier process, and how
        self.kinds, self.overloads, self.failures, self.missing = {}, {}, [], {}

    def count(self, kind, what):
        tally = self.kinds.setdefault(kind, {"run": 0, "passed": 0, "skipped": 0})
        tally[what] += 1

    def finish(self, sample, kind, message, guilty=None):
        self.count(kind, "run")
        for overload in set(overloads_of(sample)):
            self.overloads.setdefault(overload, [0, 0])[0] += 1
        if message is None:
            self.count(kind, "passed")
            return
        guilty = guilty or blamed(self.entry, sample)
        for overload in guilty:
            self.overloads.setdefault(overload, [0, 0])[1] += 1
        self.failures.append({"op": self.entry["op"], "family": self.entry["family"], "sample": sample.rec["i"], "id": sample.id, "kind": kind,
                              "overloads": guilty, "message": message[:400]})

    def replay(self, sample):
        kind = KINDS[sample.kind]
        self.progress[0] = sample.rec["i"]
        self.progress[1] += 1
        calls = overloads_of(sample) + [c[0] for c in sample.rec.get("post", [])]
        missing = [o for o in calls if self.backend.overloads.plan(o) is None]
        for o in missing:
            self.missing[o] = self.missing.get(o, 0) + 1
        if missing or sample.rec.get("raised_in") == "python":
            self.count(kind, "skipped")
            return
        if str(sample.rec["i"]) in self.poisoned:
            self.finish(sample, kind, self.poisoned[str(sample.rec["i"])])
            return
        try:
            self.attempt(sample, kind, ("forward", "grads", "second"))
        except NotServed:
            self.count(kind, "skipped")

    def attempt(self, sample, kind, parts):
        backend = self.backend
        backend.runs, backend.in_grad, backend.last_call, backend.ranked = 0, False, None, None
        try:
            result = self.conformance.replay(sample, backend, parts=parts)
        except (L.GradusError, Refused) as problem:
            self.stopped(sample, kind, parts, problem)
            return
        if sample.kind == "error":
            raised = getattr(sample, "last_error", None)
            internal = isinstance(raised, L.GradusError) and raised.status == L.INTERNAL
            result["error"] = ["internal: " + str(raised)] if internal else result["error"]
            if raised is not None and not isinstance(raised, (L.GradusError, Refused)):
                result["error"] = ["the runner failed: %r" % raised]
        for part, problems in result.items():
            if part == "second" and not any(v is not None for v in sample.rec["second"]["v"]):
                continue
            if part == "forward" and "grads" not in parts:
                continue                                                    # counted by the first attempt
            self.finish(sample, PARTS.get(part, kind), self.looked_into(sample, part, problems[0]) if problems else None)

    def looked_into(self, sample, part, message):
        """The message of a failure; another one where a place differs that is not merely another of equal values."""
        output = re.match(r"output (\d+): \d+ of", message) if part == "forward" and self.backend.ranked else None
        if not output or "int64" not in sample.rec["outs"][int(output[1])]["d"] or int(output[1]) != len(sample.rec["outs"]) - 1:
            return message
        given, dim, places = self.backend.ranked
        return misplaced(self.conformance, sample, (self.backend.export(given), dim, self.backend.export(places)), int(output[1])) or message

    def stopped(self, sample, kind, parts, problem):
        """An exception in a step that should have worked: which step it was follows from how far the replay came."""
        if getattr(problem, "status", 0) == L.UNSUPPORTED and "complex" in str(problem) and sample.kind != "error" and is_complex(sample):
            self.count(kind, "skipped")
            return
        if sample.kind == "error" and getattr(problem, "status", 0) != L.INTERNAL:
            self.finish(sample, kind, None)                                 # already its tensors are refused
            return
        guilty = [self.backend.last_call] if self.backend.last_call and not self.backend.in_grad else None
        if self.backend.runs >= 2 or "grads" not in parts:
            if "grads" in parts:                                            # the earlier steps agreed or were compared
                self.attempt_without_second(sample, kind)
            self.finish(sample, "second-order", str(problem), guilty)
        elif self.backend.in_grad:
            self.finish(sample, "gradient", str(problem), guilty)
            self.forward_alone(sample, kind)
            if "second" in sample.rec:
                self.attempt(sample, kind, ("forward", "second"))
        else:
            self.finish(sample, kind, str(problem), guilty)

    def attempt_without_second(self, sample, kind):
        result = self.conformance.replay(sample, self.backend, parts=("forward", "grads"))
        for part, problems in result.items():
            self.finish(sample, PARTS.get(part, kind), problems[0] if problems else None)

    def forward_alone(self, sample, kind):
        problems = self.conformance.replay(sample, self.backend, parts=("forward",))["forward"]
        self.finish(sample, kind, problems[0] if problems else None)

    def result(self):
        return {"op": self.entry["op"], "family": self.entry["family"], "kinds": self.kinds, "overloads": self.overloads,
                "failures": self.failures, "missing": self.missing}


def replay_entry(conformance, suite, entry, backend, options, progress, poisoned):
    work = Entry(conformance, entry, backend, progress, poisoned)
    for sample in suite.samples(entry):
        if options.kind and sample.kind not in options.kind:
            continue
        work.replay(sample)
    return work.result()

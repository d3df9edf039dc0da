"""Which operation of the library answers an ATen overload, and where each of the overload's arguments goes."""
import collections
import re

DROPPED = {"Layout", "Device", "Generator", "MemoryFormat"}                 # types that a library for strided CPU tensors has no use for
DROPPED_NAMES = {"pin_memory", "non_blocking"}
CONSTANTS = {"None": None, "True": True, "False": False, "Mean": 1, "Sum": 2}

Argument = collections.namedtuple("Argument", "name type written keyword default")
Plan = collections.namedtuple("Plan", "op places outs returns")  # places: per argument a position, "drop", or ("default", value)


def split_top(text):
    """'a, b[1, 2], c' at its top-level commas."""
    parts, depth, current = [], 0, ""
    for c in text:
        depth += (c in "([") - (c in ")]")
        if c == "," and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += c
    return [p for p in parts + [current.strip()] if p]


def constant(text):
    if text in CONSTANTS:
        return CONSTANTS[text]
    if text.startswith("["):
        return [constant(t) for t in split_top(text[1:-1])]
    if text[:1] in "'\"":
        return text[1:-1]
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return {"constant": text}                                           # contiguous_format, long, ...


def parse(schema):
    """(arguments, what is returned) of an ATen schema."""
    opening, closing = schema.index("("), schema.rindex(") -> ")
    arguments, keyword = [], False
    for text in split_top(schema[opening + 1:closing]):
        if text == "*":
            keyword = True
            continue
        text, _, default = text.partition("=")
        kind, name = text.rsplit(" ", 1)
        arguments.append(Argument(name, re.sub(r"\(.*?\)", "", kind), "!" in kind, keyword, constant(default) if default else ...))
    return arguments, schema[closing + 5:]


class Overloads:
    """The map from ATen overloads to operations, made from the registry."""

    def __init__(self, registry, schemas):
        self.ops = {op["name"]: op for op in registry}
        self.schemas = {name[6:].removesuffix(".default"): text for name, text in schemas.items() if name.startswith("aten::")}
        self.full_names = set(schemas)
        self.claimed, self.plans = {}, {}
        for op in registry:
            if op["in_place"]:
                continue
            for overload in op["serves"]:
                into_self = overload.split(".")[0].endswith("_") and not overload.startswith("__")
                target = self.ops.get(op["name"] + "_") if into_self else op
                if target:
                    self.claimed[overload] = target

    def plan(self, overload):
        """How 'aten::sum.dim_IntList' is called here, or None."""
        if overload not in self.plans:
            self.plans[overload] = self._plan(overload)
        return self.plans[overload]

    def _plan(self, overload):
        if not overload.startswith("aten::"):
            return None
        name = overload[6:].removesuffix(".default")
        arguments, returns = parse(self.schemas[name])
        outs = [i for i, a in enumerate(arguments) if a.written and a.keyword]
        given = [a for a in arguments if not (a.written and a.keyword)]
        for op, claimed in self._candidates(name, given, bool(outs)):
            places = self._places(op, given, claimed)
            if places is None:
                continue
            full = iter(places)
            all_places = ["drop" if i in outs else next(full) for i in range(len(arguments))]
            return Plan(op, all_places, outs, returns)
        return None

    def _candidates(self, name, given, has_outs):
        """(operation, whether it claims the overload in so many words), best first."""
        base, _, variant = name.partition(".")
        if name in self.claimed:
            yield self.claimed[name], True
            return
        if not variant and base in self.ops and not self.ops[base]["in_place"]:
            yield self.ops[base], False
        if given and given[0].written and not has_outs:                     # add_.Tensor, __iand__.Tensor
            plain = "__" + base[3:] if base.startswith("__i") else base.removesuffix("_")
            bases = [self.claimed.get(n) for n in (plain + ("." + variant if variant else ""),)] + self._of_base(plain)
            for op in bases:
                if op and op["name"] + "_" in self.ops:
                    yield self.ops[op["name"] + "_"], False
        if has_outs:
            names = [a.name for a in given]
            for claim, op in self.claimed.items():                          # the functional overload with the same arguments
                if claim.split(".")[0] == base and claim in self.schemas and [a.name for a in parse(self.schemas[claim])[0]
                                                                              if a.type not in DROPPED and a.name != "pin_memory"] == names:
                    yield op, True
            for op in self._of_base(base):
                yield op, False

    def _of_base(self, base):
        found = [self.ops[base]] if base in self.ops else []
        return found + [op for claim, op in self.claimed.items() if claim.split(".")[0] == base and op not in found]

    @staticmethod
    def _places(op, given, claimed):
        names = {a["schema_name"]: k for k, a in enumerate(op["arguments"])}
        scales = [k for k, a in enumerate(op["arguments"]) if a["schema_name"].startswith("scales")]
        places = []
        for i, a in enumerate(given):
            if i == 0 and op["in_place"]:                                   # "self" of dropout_, "input" of dropout
                places.append(0)
            elif a.name in names and (claimed or a.type != "Tensor" or op["arguments"][names[a.name]]["type"] == "tensor"):
                places.append(names[a.name])
            elif a.name == "scale_factors" and scales:                      # upsample_*.vec: one number per dim
                places.append(("spread", scales))
            elif a.name == "unbiased" and "correction" in names:            # std.dim and its kin: unbiased is correction 1
                places.append(("correction", names["correction"]))
            elif a.type.rstrip("?") in DROPPED or a.name in DROPPED_NAMES:
                places.append("drop")
            elif claimed and a.default is not ...:
                places.append(("default", a.default))
            else:
                places.append(None)
        required = {k for k, a in enumerate(op["arguments"]) if "default" not in a and not a["optional"] and a["type"] != "other"}
        if None not in places and required <= {p for p in places if isinstance(p, int)}:
            return places
        if not claimed:
            return None
        free = [k for k, a in enumerate(op["arguments"]) if not a["keyword_only"]]
        if None in places:                                                  # those without a namesake, by position among the rest
            unnamed, free = [i for i, p in enumerate(places) if p is None], [k for k in free if k not in places]
        else:
            unnamed = [i for i, a in enumerate(given) if not a.keyword]
        for i, k in zip(unnamed, free):
            places[i] = k
        return places if None not in places else None

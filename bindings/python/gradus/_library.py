"""Finds libgradus, loads it, and declares the functions and structs of include/gradus/*.h that the package uses."""
import atexit
import ctypes as C
import glob
import os
import sys

LEVEL = 1                                                                  # the API level that the package needs

Handle = C.c_void_p
_P, _I, _U, _L, _Z = C.c_void_p, C.c_int32, C.c_uint32, C.c_int64, C.c_size_t
HOOK = C.CFUNCTYPE(_I, _P, _P, _P, _P)
LEAF_HOOK = C.CFUNCTYPE(_I, _P, _P, _P)
MULTI_HOOK = C.CFUNCTYPE(_I, _P, _P, _P, _Z)
NODE_HOOK = C.CFUNCTYPE(_I, _P, _P, _P, _Z, _P, _Z, _P)
DEFERRED = C.CFUNCTYPE(_I, _P, _P)
PACK = C.CFUNCTYPE(_I, _P, _P, _P, _P, _P, _P)
SEGMENT = C.CFUNCTYPE(_I, _P, _P, _P, _Z, _P, _Z, _P)
KEEP = C.CFUNCTYPE(_I, _P, _P, _P, _P, _Z, _P)
STEP = C.CFUNCTYPE(_I, _P, _P, _L, _P, _Z, _P)
FUNCTION = C.CFUNCTYPE(_I, _P, _P, _P, _P, _Z, _P, _Z, _P)
CLOSURE = C.CFUNCTYPE(_I, _P, _P, _P)
UNPACK = C.CFUNCTYPE(_I, _P, _P, _P, _P, _P)
DISCARD = C.CFUNCTYPE(None, _P, _P)
DESTROY = C.CFUNCTYPE(None, C.c_void_p)


class ContextInfo(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flags", C.c_uint32), ("threads", C.c_int32), ("log_level", C.c_int32), ("seed", C.c_uint64),
                ("random_offset", C.c_uint64), ("saved_copies", C.c_uint64)]


class ContextOptions(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flags", C.c_uint32), ("threads", C.c_int32), ("log_level", C.c_int32), ("seed", C.c_uint64),
                ("log", C.c_void_p), ("alloc", C.c_void_p), ("dealloc", C.c_void_p), ("interrupt", C.c_void_p), ("user", C.c_void_p),
                ("destroy", C.c_void_p)]


class ErrorInfo(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("status", C.c_int32), ("argument", C.c_int32), ("reserved0", C.c_int32),
                ("message_length", C.c_uint64), ("user_code", C.c_int64), ("message", C.c_char_p), ("origin", C.c_char_p)]


class TensorInfo(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("dtype", C.c_int32), ("rank", C.c_int32), ("flags", C.c_uint32), ("count", C.c_int64),
                ("identity", C.c_uint64), ("storage", C.c_uint64), ("version", C.c_uint64), ("shape", C.POINTER(C.c_int64)),
                ("strides", C.POINTER(C.c_int64)), ("data", C.c_void_p), ("dtype_name", C.c_char_p)]


class NodeInfo(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flags", C.c_uint32), ("edge_count", C.c_uint32), ("output_count", C.c_uint32),
                ("identity", C.c_uint64), ("sequence", C.c_uint64)]


class BackwardOptions(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flags", C.c_uint32), ("input_count", C.c_uint64), ("inputs", C.c_void_p),
                ("reserved0", C.c_void_p)]


class Edge(C.Structure):
    _fields_ = [("output_nr", C.c_uint64), ("node", C.c_void_p), ("reserved0", C.c_void_p)]


class Value(C.Structure):
    _fields_ = [("kind", C.c_int32), ("aux", C.c_uint32), ("word", C.c_uint64), ("length", C.c_uint64)]


class Kind:
    """What a gradus_value is: GRADUS_VALUE_..."""

    DEFAULT, NONE, BOOL, I64, F64, TEXT, DTYPE, TENSOR, I64_LIST, F64_LIST, TENSOR_LIST, RESULT_OF, COMPLEX = range(13)


class Call(C.Structure):
    """One call of gradus_invoke_batch."""

    _fields_ = [("argument_count", C.c_uint64), ("result_capacity", C.c_uint64), ("result_count", C.c_uint64), ("reserved0", C.c_uint64),
                ("op", C.c_void_p), ("arguments", C.c_void_p), ("results", C.c_void_p), ("label", C.c_char_p)]


class SavedHooks(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flags", C.c_uint32), ("pack", PACK), ("unpack", UNPACK), ("discard", DISCARD), ("user", C.c_void_p),
                ("destroy", DESTROY), ("reserved0", C.c_void_p)]


class CheckpointOptions(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flags", C.c_uint32), ("kept_count", C.c_uint64), ("kept", C.c_void_p), ("keep", KEEP),
                ("reserved0", C.c_void_p)]


class GradcheckOptions(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flags", C.c_uint32), ("eps", C.c_double), ("atol", C.c_double), ("rtol", C.c_double),
                ("nondet_tol", C.c_double), ("seed", C.c_uint64)]


class ProfileOptions(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flags", C.c_uint32), ("max_events", C.c_uint64)]


class ProfileInfo(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flags", C.c_uint32), ("event_count", C.c_uint64), ("dropped", C.c_uint64), ("duration_ns", C.c_int64)]


class ProfileEvent(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("kind", C.c_int32), ("flags", C.c_uint32), ("thread", C.c_int32), ("parent", C.c_int64),
                ("start_ns", C.c_int64), ("duration_ns", C.c_int64), ("self_ns", C.c_int64), ("first_sequence", C.c_uint64), ("sequence", C.c_uint64),
                ("bytes", C.c_int64), ("memory", C.c_int64), ("name", C.c_char_p), ("shapes", C.c_char_p)]


class TableOptions(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flags", C.c_uint32), ("row_limit", C.c_uint64), ("sort_by_length", C.c_uint64),
                ("sort_by", C.c_char_p), ("reserved0", C.c_void_p)]


class FunctionDefinition(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flags", C.c_uint32), ("name", C.c_char_p), ("forward", FUNCTION), ("vjp", FUNCTION),
                ("user", C.c_void_p), ("destroy", DESTROY), ("jvp", FUNCTION)]


class Setting(C.Structure):
    _fields_ = [("value", C.c_double), ("name", C.c_char_p), ("reserved0", C.c_void_p)]


class StateInfo(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("reserved0", C.c_uint32), ("param", C.c_uint64), ("name", C.c_char_p), ("reserved1", C.c_void_p)]


class Counts(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("reserved0", C.c_uint32)] + [
        (name, C.c_uint64) for name in ("contexts", "tensors", "graph_nodes", "foreign_blocks", "callbacks", "bytes_live", "bytes_peak",
                                        "bytes_kept", "profiles", "optimizers", "schedulers", "files",
                                        "function_calls")]


def candidates():
    """Where the library may lie: the environment, beside the package (a wheel), the build trees of a checkout, the system."""
    if os.environ.get("GRADUS_LIBRARY"):
        yield os.environ["GRADUS_LIBRARY"]
        return
    here = os.path.dirname(os.path.realpath(__file__))
    name = {"darwin": "libgradus.1.dylib", "win32": "gradus.dll"}.get(sys.platform, "libgradus.so.1")
    yield os.path.join(here, name)
    root = os.path.dirname(os.path.dirname(os.path.dirname(here)))
    if os.path.exists(os.path.join(root, "include", "gradus", "gradus.h")):
        built = [path for path in glob.glob(os.path.join(root, "build", "*", "capi", name)) if "san" not in path.split(os.sep)[-3]]
        yield from sorted(built, key=os.path.getmtime, reverse=True)
    from ctypes.util import find_library                                   # starts programs, so only here
    yield find_library("gradus") or name


def load():
    last = None
    for path in candidates():
        if os.sep in path and not os.path.exists(path):
            last = OSError(f"{path}: no such file")
            continue
        try:
            return C.CDLL(path), path
        except OSError as error:
            last = error
    raise ImportError(f"gradus: the library was not found ({last}); set GRADUS_LIBRARY to its path") from last


lib, path = load()
_holding = C.PyDLL(path)                                                   # short calls that keep the interpreter lock

_STATUS = {
    "context_create": (_P, _P), "context_set_recording": (_P, _I, _P), "context_set_inference": (_P, _I, _P),
    "context_set_seed": (_P, C.c_uint64), "context_set_random_state": (_P, C.c_uint64, C.c_uint64), "context_describe": (_P, _P),
    "context_fail": (_P, _I, _L, C.c_char_p, _Z),
    "tensor_zeros": (_P, _I, _I, _P, _P), "tensor_empty": (_P, _I, _I, _P, _P),
    "tensor_copy_in": (_P, _I, _I, _P, _P, _P, _Z, _P), "tensor_wrap": (_P, _I, _I, _P, _P, _P, _Z, _U, _P, _P, _P),
    "tensor_copy_out": (_P, _P, _I, _P, _Z), "tensor_item_f64": (_P, _P, _P), "tensor_item_i64": (_P, _P, _P),
    "tensor_print": (_P, _P, _P, _Z, _P), "tensor_to_dlpack": (_P, _P, _U, _P), "tensor_from_dlpack": (_P, _P, _U, _P),
    "tensor_set_requires_grad": (_P, _P, _I), "tensor_detach": (_P, _P, _P), "tensor_detach_in_place": (_P, _P),
    "tensor_grad": (_P, _P, _P), "tensor_set_grad": (_P, _P, _P), "tensor_retain_grad": (_P, _P),
    "tensor_add_hook": (_P, _P, HOOK, _P, DESTROY, _P), "tensor_remove_hook": (_P, _P, C.c_uint64),
    "backward": (_P, _P, _Z, _P, _P), "grad": (_P, _P, _Z, _P, _Z, _P, _P, _P),
    "tensor_grad_fn": (_P, _P, _P), "node_name": (_P, _P, _P, _Z, _P), "node_next": (_P, _P, _U, _P, _P), "node_variable": (_P, _P, _P),
    "node_call": (_P, _P, _P, _Z, _P, _Z, _P), "node_saved": (_P, _P, C.c_char_p, _Z, _P), "tensor_edge": (_P, _P, _P), "tensor_base": (_P, _P, _P),
    "backward_edges": (_P, _P, _Z, _Z, _P, _P), "grad_edges": (_P, _P, _Z, _P, _Z, _Z, _P, _P, _P),
    "tensor_increment_version": (_P, _P), "tensor_set_data": (_P, _P, _P),
    "node_add_hook": (_P, _P, _I, NODE_HOOK, _P, DESTROY, _P), "node_remove_hook": (_P, _P, C.c_uint64),
    "tensor_add_grad_hook": (_P, _P, LEAF_HOOK, _P, DESTROY, _P),
    "tensors_add_hook": (_P, _P, _Z, _I, MULTI_HOOK, _P, DESTROY, _P), "backward_defer": (_P, DEFERRED, _P, DESTROY),
    "backward_node": (_P, _P), "backward_reaches": (_P, _P, _P),
    "context_push_saved_hooks": (_P, _P), "context_pop_saved_hooks": (_P,), "context_refuse_saved_hooks": (_P, C.c_char_p, _Z),
    "context_permit_saved_hooks": (_P,), "context_set_mutation_on_saved": (_P, _I, _P), "node_hook_saved": (_P, _P, C.c_char_p, _Z, _P),
    "function_apply": (_P, _P, _P, _Z, _P, _Z, _P), "function_save_for_backward": (_P, _P, _P, _Z), "function_mark_dirty": (_P, _P, _P, _Z),
    "function_mark_non_differentiable": (_P, _P, _P, _Z), "function_set_materialize": (_P, _P, _I), "function_saved": (_P, _P, _Z, _P),
    "function_needs_input_grad": (_P, _P, _Z, _P),
    "context_set_anomaly": (_P, _U, _P), "checkpoint": (_P, SEGMENT, _P, DESTROY, _P, _Z, _P, _P, _Z, _P),
    "checkpoint_loop": (_P, STEP, _P, DESTROY, _L, _P, _Z, _P, _P), "graph_export": (_P, _P, _Z, _P, _I, _P, _Z, _P),
    "gradcheck": (_P, SEGMENT, _P, _P, _Z, _P, _P, _P, _Z, _P), "gradgradcheck": (_P, SEGMENT, _P, _P, _Z, _P, _Z, _P, _P, _P, _Z, _P),
    "profile_start": (_P, _P, _P), "profile_stop": (_P, _P), "profile_describe": (_P, _P, _P), "profile_event_at": (_P, _P, C.c_uint64, _P),
    "profile_table": (_P, _P, _P, _P, _Z, _P), "profile_trace": (_P, _P, _P, _Z, _P), "profile_range_begin": (_P, C.c_char_p, _Z),
    "profile_range_end": (_P,),
    "optimizer_create": (_P, C.c_char_p, _Z, _P, _Z, _P, _Z, _Z, _P), "optimizer_add_group": (_P, _P, _P, _Z, _P, _Z, _Z),
    "optimizer_step": (_P, _P), "optimizer_step_closure": (_P, _P, CLOSURE, _P, _P), "optimizer_zero_grad": (_P, _P, _I),
    "optimizer_set": (_P, _P, _L, C.c_char_p, _Z, C.c_double), "optimizer_get": (_P, _P, _L, C.c_char_p, _Z, _P),
    "optimizer_state_count": (_P, _P, _P), "optimizer_state_at": (_P, _P, _Z, _P, _P),
    "optimizer_load_state": (_P, _P, C.c_uint64, C.c_char_p, _Z, _P),
    "scheduler_create": (_P, _P, C.c_char_p, _Z, _P, _Z, _Z, _P), "scheduler_step": (_P, _P), "scheduler_step_metric": (_P, _P, C.c_double),
    "scheduler_state_at": (_P, _P, _Z, _P), "scheduler_load_state": (_P, _P, C.c_char_p, _Z, C.c_double),
    "clip_grad_norm": (_P, _P, _Z, C.c_double, C.c_double, _I, _P), "clip_grad_value": (_P, _P, _Z, C.c_double),
    "init_xavier": (_P, _P, _I, C.c_double), "init_kaiming": (_P, _P, _I, C.c_double, _I, C.c_char_p, _Z),
    "init_orthogonal": (_P, _P, C.c_double), "init_trunc_normal": (_P, _P, C.c_double, C.c_double, C.c_double, C.c_double),
    "init_gain": (_P, C.c_char_p, _Z, C.c_double, _P),
    "invoke": (_P, _P, _P, _Z, _P, _Z, _P), "invoke_out": (_P, _P, _P, _Z, _P, _Z), "invoke_batch": (_P, _P, _Z, _Z, _P), "registry_json": (_P, _Z, _P),
}


def declare(name, arguments, result=C.c_int32, source=lib):
    function = getattr(source, "gradus_" + name)
    function.argtypes, function.restype = arguments, result
    return function


for _name, _arguments in _STATUS.items():
    if hasattr(lib, "gradus_" + _name):
        declare(_name, _arguments)
declare("context_error", (_P, _P), None)
declare("op_find", (C.c_char_p, _Z), C.c_void_p)
declare("version_string", (), C.c_char_p)
declare("api_level", (), C.c_uint32)
declare("live_counts", (_P,), None)
declare("memory_trim", (), None)
release = declare("release", (_P,), None, _holding)
retain = declare("retain", (_P,), None, _holding)
describe_tensor, describe_node = _holding["gradus_tensor_describe"], _holding["gradus_node_describe"]   # given C objects alone

if lib.gradus_api_level() < LEVEL:
    raise ImportError(f"gradus: {path} offers API level {lib.gradus_api_level()}, the package needs {LEVEL}")


_releasing = []


def releases(cls):
    """Decorates a class whose __del__ calls the library. At exit such objects are left to the system: what they would call back is gone."""
    _releasing.append(cls)
    return cls


@atexit.register
def _let_go():
    for cls in _releasing:
        del cls.__del__


def lasting(callback):
    """A C callback that is never freed: the library may hold it until the process ends."""
    C.pythonapi.Py_IncRef(C.py_object(callback))
    return callback


def handles(tensors):
    """An array of the tensors' handles, for calls during which they live; null for None."""
    return (C.c_void_p * max(1, len(tensors)))(*[None if t is None else t._h.value for t in tensors])


def registry_text():
    """The operations as JSON."""
    capacity, length = 1 << 20, C.c_size_t()
    while True:
        text = C.create_string_buffer(capacity)
        lib.gradus_registry_json(text, capacity, C.byref(length))
        if length.value < capacity:
            return text.raw[:length.value]
        capacity = length.value + 1


def live_counts():
    """What lives in the process: contexts, tensors, graph_nodes, foreign_blocks, callbacks, bytes_..."""
    counts = Counts(struct_size=C.sizeof(Counts))
    lib.gradus_live_counts(C.byref(counts))
    return {name: getattr(counts, name) for name, _ in Counts._fields_[2:]}

"""Switches of other libraries that programs read and write; results here are the same for any setting."""
import types

cudnn = types.SimpleNamespace(enabled=False, benchmark=False, deterministic=True, allow_tf32=False, is_available=lambda: False, version=lambda: None)
cuda = types.SimpleNamespace(is_built=lambda: False, matmul=types.SimpleNamespace(allow_tf32=False))
mps = types.SimpleNamespace(is_available=lambda: False, is_built=lambda: False)
mkl = types.SimpleNamespace(is_available=lambda: False)

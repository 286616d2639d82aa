"""Machine code of lanes: compiled by LLVM for the processor it runs on, and kept where JAX keeps what it compiled.

A kept file bears the hash of what it was compiled from, for which processor and by which LLVM, and begins with that of
its own content, so that a damaged one is compiled again.
"""

import contextlib
import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path

import jax
from llvmlite import binding as llvm

EMPTY = ""  # a module without content, which an engine is made of
IN_ORDER = "-misched-prera-direction=topdown"  # LLVM puts instructions in order from the first to the last


def machine() -> str:
    """What lanes are compiled for: processor and its vector instructions."""
    wanted = ("avx2", "avx512f", "fma", "neon", "sve")
    features = llvm.get_host_cpu_features()
    return " ".join([llvm.get_host_cpu_name(), *(name for name in wanted if features.get(name))])


def wide() -> bool:
    """Whether vector registers have 512 bits; those that do not are also half as many."""
    return "avx512f" in machine().split()


def named(text: str) -> str:
    """A name for what a module computes, for which machine, and how it was compiled."""
    how = f"{llvm.llvm_version_info} {machine()} {_options()}"
    return "cutis_lanes_" + hashlib.sha256(f"{how}\n{text}".encode()).hexdigest()[:24]


def compiled(text: str, name: str | None = None) -> llvm.ExecutionEngine:
    """Machine code of a module in LLVM's language; name: under which it is kept, None if it is not."""
    folder = jax.config.jax_compilation_cache_dir if name else None  # pyright: ignore[reportAttributeAccessIssue]
    file = Path(folder) / f"{name}.o" if folder else None
    target = _target()
    content = _kept(file) if file else None
    if content is None:
        content = target.emit_object(optimised(text))
        if file:
            _keep(file, content)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(EMPTY), target)
    engine.add_object_file(llvm.ObjectFileRef.from_data(content))
    engine.finalize_object()
    return engine


def optimised(text: str) -> llvm.ModuleRef:
    """The module as LLVM improves it for this machine."""
    target = _target()
    module = llvm.parse_assembly(text)
    module.verify()
    passes = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(speed_level=2))
    passes.getModulePassManager().run(module, passes)
    return module


def assembly(text: str) -> str:
    """The machine code of a module in words."""
    return _target().emit_assembly(optimised(text))


def _target() -> llvm.TargetMachine:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    _tell()
    features = llvm.get_host_cpu_features().flatten()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=3, jit=True
    )


def _options() -> tuple[str, ...]:
    """What LLVM is told; with 512 bits it makes no difference that was measured, so nothing."""
    return () if wide() else (IN_ORDER,)


@cache
def _tell() -> None:
    """Options are the whole process's, and LLVM takes each once. They move instructions and change no number."""
    for option in _options():
        llvm.set_option("lanes", option)


def _kept(file: Path) -> bytes | None:
    """What was compiled before; None if it is not there or is damaged."""
    try:
        seal, content = file.read_bytes().split(b"\n", 1)
    except (OSError, ValueError):
        return None
    return content if seal == _seal(content) else None


def _keep(file: Path, content: bytes) -> None:
    """Write what was compiled, in one step; a folder that cannot be written only costs the next process time."""
    with contextlib.suppress(OSError):
        number, part = tempfile.mkstemp(dir=file.parent)
        try:
            with os.fdopen(number, "wb") as out:
                out.write(_seal(content) + b"\n" + content)
            os.replace(part, file)
        except OSError:
            os.unlink(part)
            raise


def _seal(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()

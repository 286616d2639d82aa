"""From the user's words to a valid job: Hydra composes our configuration, or a study file is read; both are then
checked against the schema, and every mistake is named before any work starts.

A study file is plain data: no tags, no interpolation and no configuration of Hydra's own reach anything that runs.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ..cluster.settings import Cluster
from ..population.messages import explain, nearest
from ..population.plain import read_mapping
from .errors import BadInput
from .study import Study

CONF = Path(__file__).parent.parent / "conf"
GROUPS = ("trial", "population", "cluster")
WITH_A_FILE = ("out", "seed", "cluster", "population.size", "model.draw")  # what may still be said beside --study


class Job(Study):
    """A study, and where it runs and is kept. Only the study decides the bytes."""

    cluster: Cluster = Cluster(kind="local")
    out: str | None = None

    def study(self) -> Study:
        """The plan alone."""
        return Study(seed=self.seed, population=self.population, trial=self.trial, model=self.model)


def from_configuration(overrides: Sequence[str]) -> Job:
    """Compose `conf/` with overrides such as `trial=psoriasis/il23_vs_tnf population.size=300`.

    Raises:
      BadInput: what is wrong, one line a mistake.
    """
    data, origins = _composed(overrides)
    return _valid(data, origins)


def from_file(file: Path, overrides: Sequence[str]) -> Job:
    """Read a study from its own file; the command line may only say where it runs, its seed and its size."""
    data = read_study(file)
    for override in overrides:
        key = override.lstrip("+~").split("=")[0]
        if not any(key == allowed or key.startswith(f"{allowed}.") for allowed in WITH_A_FILE):
            raise BadInput(
                f"{override}: beside --study only {', '.join(WITH_A_FILE)} can be given; change {file} instead"
            )
    composed, origins = _composed(overrides)
    told = {o.lstrip("+").split("=")[0] for o in overrides}
    data |= {"cluster": composed["cluster"], "out": composed["out"]}
    if "seed" in told:
        data["seed"] = composed["seed"]
    if "population.size" in told and isinstance(data.get("population"), Mapping):
        data["population"] = {**data["population"], "size": composed["population"]["size"]}
    if "model.draw" in told:
        data["model"] = composed["model"]
    parts = dict.fromkeys(("seed", "population", "trial", "model"), str(file))
    return _valid(data, parts | {k: v for k, v in origins.items() if k in told})


def read_study(file: Path) -> dict[str, Any]:
    """A YAML mapping from a file that somebody else may have written: plain data only, no key given twice."""
    try:
        return read_mapping(file, "a study")
    except ValueError as error:
        raise BadInput(str(error)) from None


def options(group: str) -> tuple[str, ...]:
    """What can be chosen in a configuration group, e.g. `psoriasis/il23_vs_tnf`."""
    folder = CONF / group
    return tuple(sorted(str(f.relative_to(folder).with_suffix("").as_posix()) for f in folder.rglob("*.yaml")))


def _composed(overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Plain data, and which file (or the command line) each part came from."""
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    words: list[str] = []
    origins: dict[str, str] = dict.fromkeys(("seed", "out"), "conf/config.yaml")
    defaults = yaml.safe_load((CONF / "config.yaml").read_text(encoding="utf-8"))["defaults"]
    chosen = {group: option for entry in defaults if isinstance(entry, dict) for group, option in entry.items()}
    for override in overrides:
        words.append(_word(override, chosen, origins))
    origins = {group: f"conf/{group}/{option}.yaml" for group, option in chosen.items()} | origins
    try:
        with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
            config = compose("config", overrides=words)
        data: Any = OmegaConf.to_container(config, resolve=False)
    except (HydraException, OmegaConfBaseException) as error:
        raise BadInput(f"{' '.join(overrides)}: {str(error).splitlines()[0]}") from None
    for path, value in _leaves(data):
        if isinstance(value, str) and "${" in value:
            raise BadInput(f"{path}: interpolation is not supported, got {value!r}; write the value itself")
    return data, origins


def _word(override: str, chosen: dict[str, str], origins: dict[str, str]) -> str:
    """The override as Hydra should take it. Keys are added freely: the schema is what refuses an unknown one."""
    key, equals, value = override.lstrip("+~").partition("=")
    if override.startswith("~"):
        origins[key] = "command line"
        return override
    if not equals or not key:
        raise BadInput(f"{override}: expected key=value, such as population.size=300")
    if key.split(".")[0] == "hydra" or "@" in key:
        raise BadInput(f"{override}: Hydra itself cannot be configured here")
    if key in GROUPS:
        if value not in options(key):
            raise BadInput(f"{override}: no such {key}; {nearest(value, options(key))}")
        chosen[key] = value
        return f"{key}={value}"
    origins[key] = "command line"
    return f"++{key}={value}"


def _valid(data: Mapping[str, Any], origins: Mapping[str, str]) -> Job:
    try:
        return Job.model_validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as error:
        raise BadInput("\n".join(explain(error, Job, data, origins))) from None
    except (TypeError, ValueError) as error:
        raise BadInput(f"{origins['trial']}: the study is not plain data: {error}") from None


def _leaves(node: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(node, dict):
        for key, child in node.items():
            yield from _leaves(child, f"{path}.{key}".lstrip("."))
    elif isinstance(node, list):
        for number, child in enumerate(node):
            yield from _leaves(child, f"{path}.{number}")
    else:
        yield path, node

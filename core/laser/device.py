"""Devices, what each can be set to, and settings that are checked against it; the devices stand in `devices.yaml`.

A device that is not in the table is put together as a `Device` of one's own. Fluences J/cm2, energies mJ, lengths mm,
times s (between sessions days), temperatures C.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ..parameters import STATUSES
from . import optics, spectra

HERE = Path(__file__).parent
DELIVERIES = {  # what must be set for each
    "beam": ("fluence", "pulse", "spot"),
    "fractional": ("energy", "density", "pulse", "spot"),
    "needles": ("power", "density", "pulse", "depth", "bare"),
}
COOLINGS = {  # what must be set for each
    "none": (),
    "cold_air": ("precool",),
    "cryogen": ("spurt", "delay"),
    "contact": ("precool", "window"),
}
USUAL = {"precool": 1.0, "spurt": 0.03, "delay": 0.03, "window": 5.0}  # of a cooling that a protocol does not use
LAMP_NODES = 10


@dataclass(frozen=True)
class Limit:
    """The least and the largest that can be set, and where that was read."""

    low: float
    high: float
    unit: str
    status: str
    source: str
    note: str = ""


@dataclass(frozen=True)
class Device:
    """A device. delivery: `beam`, `fractional` or `needles`. wavelengths: nm; of a lamp, those its filters pass from.

    cooling: kinds that it has. limits: by the name of a setting. protocol: a common use of it, as settings.
    """

    name: str
    about: str
    delivery: str
    wavelengths: tuple[float, ...]
    cooling: tuple[str, ...]
    limits: Mapping[str, Limit]
    protocol: Mapping[str, Any]
    lamp: bool = False


@dataclass(frozen=True)
class Settings:
    """What a device is set to; nothing where it does not apply.

    wavelength: nm. fluence: J/cm2, one or several to be compared. pulse: length of all light, s, in `pulses` equal
    parts with pauses of `gap` s. spot: diameter, of a fractional device of one beam, mm. energy: of a beam, mJ.
    density: beams or needles, 1/cm2. power: W. depth: of needles, mm. bare: tip of theirs without insulation, mm.
    spurt: of cryogen, s. delay: from it to the pulse, s. window: coolant of a contact window, C. precool: cooling
    before the pulse, s. interval: days.
    """

    device: Device
    wavelength: float | None
    pulse: float
    cooling: str
    fluence: float | tuple[float, ...] | None = None
    spot: float | None = None
    energy: float | None = None
    density: float | None = None
    power: float | None = None
    depth: float | None = None
    bare: float | None = None
    pulses: int = 1
    gap: float | None = None
    spurt: float | None = None
    delay: float | None = None
    window: float | None = None
    precool: float | None = None
    sessions: int = 1
    interval: float | None = None

    def __post_init__(self) -> None:
        _check(self)

    @property
    def fluences(self) -> np.ndarray:
        """Fluences, J/cm2, (fluences,); of a fractional device that inside one beam."""
        if self.energy is not None and self.spot is not None:
            return np.atleast_1d(self.energy * 1e-3 / (np.pi * (self.spot / 20) ** 2))
        return np.atleast_1d(np.asarray(self.fluence, float))

    @property
    def light(self) -> tuple[np.ndarray, np.ndarray]:
        """Wavelengths, nm, and their weights, of sum 1."""
        if self.device.lamp:
            return optics.broadband(float(self.wavelength or 0.0), nodes=LAMP_NODES)
        return np.array([float(self.wavelength or 0.0)]), np.ones(1)

    @property
    def above(self) -> float:
        """Refractive index of what the light comes through: sapphire, gel under a lamp, or air."""
        kind = "gel" if self.device.lamp else "sapphire" if self.cooling == "contact" else "air"
        return spectra.VALUES[f"refraction.{kind}"]


def settings(device: str | Device, **changes: Any) -> Settings:
    """The device's protocol with changes, such as `settings("alexandrite_long", fluence=(20.0, 30.0), pulse=0.01)`.

    Raises:
      ValueError: no such device or setting, or one outside the device's limits.
    """
    of = named(device) if isinstance(device, str) else device
    names = {field.name for field in fields(Settings)} - {"device"}
    unknown = set(changes) - names
    if unknown:
        raise ValueError(f"{of.name}: {', '.join(sorted(unknown))} is no setting; there are {', '.join(sorted(names))}")
    chosen: dict[str, Any] = {"wavelength": of.wavelengths[0] if of.wavelengths else None}
    chosen |= {name: value for name, value in of.protocol.items() if name in names} | changes
    wanted = COOLINGS.get(chosen.get("cooling", ""), ())
    for name in {part for parts in COOLINGS.values() for part in parts} - set(wanted) - set(changes):
        chosen.pop(name, None)
    chosen = {name: USUAL[name] for name in wanted} | chosen
    return Settings(of, **chosen)


def devices() -> dict[str, Device]:
    """All devices of the table by name."""
    return dict(_table())


def named(name: str) -> Device:
    """A device of the table.

    Raises:
      ValueError: no such device.
    """
    if name not in _table():
        raise ValueError(f"device: {name!r} is none of {', '.join(_table())}")
    return _table()[name]


@cache
def _table() -> dict[str, Device]:
    text = yaml.safe_load((HERE / "devices.yaml").read_text(encoding="utf-8"))
    sources = yaml.safe_load((HERE / "device_sources.yaml").read_text(encoding="utf-8"))

    def sourced(where: str, entry: Mapping[str, Any]) -> None:
        if entry.get("status") not in STATUSES or entry.get("source") not in sources:
            raise ValueError(f"devices.yaml: {where}: status {entry.get('status')!r}, source {entry.get('source')!r}")

    def limits(where: str, entries: Mapping[str, Any]) -> dict[str, Limit]:
        for name, entry in entries.items():
            sourced(f"{where}.{name}", entry)
        return {name: Limit(**entry) for name, entry in entries.items()}

    common, found = limits("common", text["common"]), {}
    for name, entry in text["devices"].items():
        sourced(f"{name}.protocol", entry["protocol"])
        found[name] = Device(
            name,
            entry["about"],
            entry["delivery"],
            tuple(float(nm) for nm in entry["wavelengths"]),
            tuple(entry["cooling"]),
            common | limits(name, entry["limits"]),
            entry["protocol"],
            entry.get("lamp", False),
        )
    return found


def _check(given: Settings) -> None:
    """Refuse what the device cannot do.

    Raises:
      ValueError: the setting, its value, and what the device allows.
    """
    of = given.device
    where = of.name
    if of.delivery not in DELIVERIES:
        raise ValueError(f"{where}: delivery {of.delivery!r} is none of {', '.join(DELIVERIES)}")
    if given.cooling not in of.cooling or given.cooling not in COOLINGS:
        raise ValueError(f"{where}.cooling: {given.cooling!r} is none of {', '.join(of.cooling)}")
    if of.wavelengths and given.wavelength not in of.wavelengths:
        raise ValueError(
            f"{where}.wavelength: {given.wavelength} nm is none of {', '.join(f'{nm:g}' for nm in of.wavelengths)} nm"
        )
    needed = (*DELIVERIES[of.delivery], *COOLINGS[given.cooling], *(("gap",) if given.pulses > 1 else ()))
    missing = [name for name in needed if getattr(given, name) is None]
    if missing:
        raise ValueError(f"{where}: {', '.join(missing)} is not set")
    for name, limit in of.limits.items():
        value = getattr(given, name)
        if value is None and name not in needed:
            continue
        values = np.atleast_1d(np.asarray(value, float))
        if values.ndim != 1 or values.size == 0:
            raise ValueError(f"{where}.{name}: expected one number or several, got the shape {values.shape}")
        bad = values[~((values >= limit.low) & (values <= limit.high))]
        if bad.size:
            raise ValueError(
                f"{where}.{name}: {bad[0]:g} {limit.unit} is outside the device's limits, "
                f"{limit.low:g} to {limit.high:g} {limit.unit}"
            )
    surplus = [name for name in ("fluence", "energy", "power", "depth", "density", "bare") if _surplus(given, name)]
    if surplus:
        raise ValueError(f"{where}: {', '.join(surplus)} cannot be set on it ({of.delivery})")


def _surplus(given: Settings, name: str) -> bool:
    return getattr(given, name) is not None and name not in DELIVERIES[given.device.delivery]

"""Where the work runs, as data. Nothing here changes a result, but for its last bits (`kernel`)."""

import os
import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

HOST_AND_PORT = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):(\d{1,5})")


class Cluster(BaseModel):
    """`local`: threads of this process. `ray`: processes, on this machine or on a Ray cluster.

    workers: shards worked on at the same time; None takes all cores (of this process; of the cluster at an address).
    address: of a running Ray cluster, `host:port`, or `auto` for the one this machine belongs to.
    gpus: share of a GPU that each Ray worker has, so that 0.25 puts four workers on one; 0 takes none.
    wheel: file of cutis itself, given to the machines of the cluster at an address; None if they have it installed.
    kernel: what computes the twins' courses: `lanes` of the processor's vector registers, `xla`, or `auto`, which takes
      lanes where they can compute the study. They agree to 1e-10, not in the last bits: the manifest says which it was.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: Literal["local", "ray"]
    workers: Annotated[int, Field(ge=1, le=100_000)] | None = None
    address: str | None = None
    gpus: Annotated[float, Field(ge=0, le=1)] = 0.0
    wheel: str | None = None
    kernel: Literal["auto", "lanes", "xla"] = "auto"

    @model_validator(mode="after")
    def shares_fit(self) -> "Cluster":
        if self.gpus and self.kind != "ray":
            raise ValueError(f"gpus {self.gpus:g}: shares of a GPU are for kind 'ray'; {self.kind!r} has none")
        if self.wheel is not None and self.address is None:
            raise ValueError(f"wheel {self.wheel!r}: only a cluster at an address is given one; no address is set")
        return self

    @model_validator(mode="after")
    def address_fits(self) -> "Cluster":
        if self.address is None:
            return self
        if self.kind != "ray":
            raise ValueError(f"address {self.address!r} is for kind 'ray'; kind {self.kind!r} has none")
        if self.address.startswith("ray://"):
            raise ValueError(
                f"address {self.address!r}: the Ray client protocol is not supported; start cutis on a machine "
                "of the cluster, with address 'auto'"
            )
        found = HOST_AND_PORT.fullmatch(self.address)
        if self.address != "auto" and not (found and 0 < int(found[2]) < 65536):
            raise ValueError(f"address {self.address!r}: expected 'host:port', such as '10.0.0.5:6379', or 'auto'")
        return self

    def cores(self) -> int:
        """Shards to work on at the same time on this machine."""
        return self.workers or available()


def available() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1

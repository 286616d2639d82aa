"""Where the work runs, as data. Nothing here changes a result."""

import os
import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

HOST_AND_PORT = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):(\d{1,5})")


class Cluster(BaseModel):
    """`local`: threads of this process. `ray`: processes, on this machine or on a Ray cluster.

    workers: shards worked on at the same time; None takes all cores (of this process; of the cluster at an address).
    address: of a running Ray cluster, `host:port`, or `auto` for the one this machine belongs to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: Literal["local", "ray"]
    workers: Annotated[int, Field(ge=1, le=100_000)] | None = None
    address: str | None = None

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

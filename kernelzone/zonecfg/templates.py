"""The two system templates of kernel zones.

Source: Oracle Solaris 11.3 templates (4 virtual CPUs and 4G; minimal 1 and 2G) with the device and network of
the export in oracle/puppet-solaris_providers. That the minimal one has the same device and network is assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kernelzone.zonecfg.model import Configuration, Property, Resource

BRAND: Final = "solaris-kz"


def _properties(**values: str) -> tuple[Property, ...]:
    return tuple(Property(name.replace("_", "-"), value) for name, value in values.items())


def _template(ncpus: str, physical: str) -> Configuration:
    return Configuration(
        _properties(brand=BRAND, autoboot="false", autoshutdown="shutdown"),
        (
            Resource(
                "anet",
                _properties(lower_link="auto", link_protection="mac-nospoof", mac_address="auto", id="0"),
            ),
            Resource(
                "device",
                _properties(
                    storage="dev:/dev/zvol/dsk/%{global-rootzpool}/VARSHARE/zones/%{zonename}/disk%{id}",
                    bootpri="0",
                    id="0",
                ),
            ),
            Resource("capped-memory", _properties(physical=physical)),
            Resource("virtual-cpu", _properties(ncpus=ncpus)),
        ),
    )


TEMPLATES: Final[Mapping[str, Configuration]] = {
    "SYSsolaris-kz": _template("4", "4G"),
    "SYSsolaris-kz-minimal": _template("1", "2G"),
}

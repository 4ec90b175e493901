"""`zonecfg`: command files read, written, compared; the key source found and taken out."""

from kernelzone.zonecfg.boot_storage import BootStorage, boot_storage
from kernelzone.zonecfg.comparison import Difference, compare
from kernelzone.zonecfg.editor import Editor, apply_commands, parse
from kernelzone.zonecfg.errors import ZoneCfgError
from kernelzone.zonecfg.key_source import key_source, redact, with_key_source
from kernelzone.zonecfg.lexer import MOST_BYTES, Command, read_commands
from kernelzone.zonecfg.model import (
    Complex,
    Configuration,
    Property,
    Resource,
    Value,
    ValueList,
    in_export_order,
    with_value,
)
from kernelzone.zonecfg.redaction import redact_lines, redact_output
from kernelzone.zonecfg.rules import verify
from kernelzone.zonecfg.summary import Summary, parsed_summary, plain_summary, summary
from kernelzone.zonecfg.templates import BRAND, TEMPLATES
from kernelzone.zonecfg.tokens import resolve
from kernelzone.zonecfg.writer import write, zonecfg_info

__all__ = [
    "BRAND",
    "MOST_BYTES",
    "TEMPLATES",
    "BootStorage",
    "Command",
    "Complex",
    "Configuration",
    "Difference",
    "Editor",
    "Property",
    "Resource",
    "Summary",
    "Value",
    "ValueList",
    "ZoneCfgError",
    "apply_commands",
    "boot_storage",
    "compare",
    "in_export_order",
    "key_source",
    "parse",
    "parsed_summary",
    "plain_summary",
    "read_commands",
    "redact",
    "redact_lines",
    "redact_output",
    "resolve",
    "summary",
    "verify",
    "with_key_source",
    "with_value",
    "write",
    "zonecfg_info",
]

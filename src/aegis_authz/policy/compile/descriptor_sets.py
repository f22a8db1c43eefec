"""The descriptor sets of a catalogue: each read once, whichever tools name it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from aegis_authz.core.catalogue import Tool
from aegis_authz.policy.compile.descriptors import Descriptors, DescriptorsUnusable, read_descriptors
from aegis_authz.policy.compile.message_actions import Fault, interface_of
from aegis_authz.policy.language.catalogue import ToolEntry
from aegis_authz.policy.source.binaries import content_of, is_binary, path_beside
from aegis_authz.policy.source.problems import did_you_mean, quoted
from aegis_authz.policy.source.reader import SourceDocument


def parted(texts: Mapping[str, str]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The documents among the texts of a catalogue, and the descriptor sets."""
    binaries = {path: text for path, text in texts.items() if is_binary(path)}
    return {path: text for path, text in texts.items() if path not in binaries}, binaries


class DescriptorSets:
    """Reads the sets that tools name."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        """`texts` are the sets as base64, by path."""
        self._texts = texts
        self._read: dict[str, Descriptors | str] = {}

    def completed(self, tool: Tool, entry: ToolEntry, source: SourceDocument) -> tuple[Tool | None, list[Fault]]:
        """The tool with what is known of its messages, or None and what is wrong with that."""
        descriptors = None
        if entry.descriptor_set is not None:
            path = path_beside(source.path, entry.descriptor_set)
            result = self._descriptors(path)
            if isinstance(result, str):
                return None, [(("descriptor_set",), f"{quoted(entry.descriptor_set)} {result}")]
            descriptors = result
        interface, faults = interface_of(entry, tool, descriptors)
        return (None, faults) if faults else (replace(tool, interface=interface), [])

    def _descriptors(self, path: str) -> Descriptors | str:
        """The set of a path, or what is wrong with it."""
        if path not in self._read:
            self._read[path] = self._reading(path)
        return self._read[path]

    def _reading(self, path: str) -> Descriptors | str:
        text = self._texts.get(path)
        if text is None:
            return f"is not among the files of the catalogue{did_you_mean(path, self._texts)}"
        try:
            return read_descriptors(content_of(text))
        except (DescriptorsUnusable, ValueError) as fault:
            return str(fault)

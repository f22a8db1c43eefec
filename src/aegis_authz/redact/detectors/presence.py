"""Which detectors can find anything in a text at all: one pass for all of them."""

from __future__ import annotations

from collections.abc import Mapping

import re2  # type: ignore[import-untyped]

_MEMORY = 64 << 20


class Presence:
    """Looks for the heads of detectors, all at once.

    `heads` maps a name to expressions of which one matches wherever the detector finds something; `examples` maps it to
    a text in which it does. Raises RuntimeError when the expressions take more memory than they may: then nothing would
    be found, and nothing would say so.
    """

    def __init__(self, heads: Mapping[str, tuple[str, ...]], examples: Mapping[str, bytes]) -> None:
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.max_mem = _MEMORY
        self._set = re2.Set.SearchSet(options)
        self._names: list[str] = []
        for name, expressions in heads.items():
            for expression in expressions:
                self._set.Add(expression.encode())
                self._names.append(name)
        self._set.Compile()
        missing = [name for name, example in examples.items() if name not in self.names_in(example)]
        if missing:
            raise RuntimeError(f"the detector {missing[0]} does not find its own example")

    def names_in(self, text: bytes) -> frozenset[str]:
        """The detectors that are worth asking."""
        return frozenset(self._names[place] for place in self._set.Match(text) or ())

"""Plain functions as tools: judged by the mesh each time they are called."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from aegis_agent.errors import ApprovalNeeded, ToolFailed
from aegis_agent.evaluation import Evaluations, Permit

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Asking:
    """Who is asked about a call, and what a held call gives, in a thread and in asyncio: each raises where it must."""

    evaluations: Evaluations
    answer: Callable[[ApprovalNeeded], Any]
    answer_async: Callable[[ApprovalNeeded], Awaitable[Any]]


def wrapped(function: F, asking: Asking, tool: str, action: str, unjudged: Collection[str]) -> F:
    """As `Aegis.wrap`."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError("the function gives its result piece by piece, and a result is judged as a whole")
    name = action or getattr(function, "__name__", "")
    judged = _Function(function, asking, tool, name, frozenset(unjudged))
    call: Any = judged.call_async if inspect.iscoroutinefunction(function) else judged.call
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def asynchronous(*args: Any, **kwargs: Any) -> Any:
            return await call(args, kwargs)

        return cast(F, asynchronous)

    @functools.wraps(function)
    def synchronous(*args: Any, **kwargs: Any) -> Any:
        return call(args, kwargs)

    return cast(F, synchronous)


class _Function:
    """A function with what its arguments are called."""

    def __init__(
        self, function: Callable[..., Any], asking: Asking, tool: str, action: str, unjudged: frozenset[str]
    ) -> None:
        self._function = function
        self._asking = asking
        self._tool = tool
        self._action = action
        self._unjudged = unjudged
        self._signature = inspect.signature(function)
        self._rest = ""
        for name, parameter in self._signature.parameters.items():
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                raise TypeError(f"{action} takes *{name}: arguments without names cannot be judged")
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                self._rest = name
        missing = unjudged - self._signature.parameters.keys()
        if missing:
            raise TypeError(f"{action} has no parameter {min(missing)!r}")

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        bound, arguments = self._bound(args, kwargs)
        try:
            permit = self._asking.evaluations.ask(self._tool, self._action, arguments)
        except ApprovalNeeded as error:
            error.repeat = lambda: self.call(args, kwargs)
            held = error
        else:
            return self._made(permit, bound)
        return self._asking.answer(held)

    async def call_async(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        bound, arguments = self._bound(args, kwargs)
        try:
            permit = await self._asking.evaluations.ask_async(self._tool, self._action, arguments)
        except ApprovalNeeded as error:
            error.is_async = True
            error.repeat = lambda: self.call_async(args, kwargs)
            held = error
        else:
            return await self._made_async(permit, bound)
        return await self._asking.answer_async(held)

    async def _made_async(self, permit: Permit, bound: inspect.BoundArguments) -> Any:
        self._replace(bound, permit)
        trouble: Exception | None = None  # a task that is cancelled tells nothing: what was done is not known
        try:
            result = await self._function(*bound.args, **bound.kwargs)
        except Exception as error:  # noqa: BLE001  # whatever it is, it goes on, or what may be shown of it does
            trouble = error
        if trouble is not None:
            shown = await asyncio.to_thread(permit.failed, trouble)
            raise trouble if permit.shows_result else ToolFailed(shown)
        return await asyncio.to_thread(permit.done, result)

    def _made(self, permit: Permit, bound: inspect.BoundArguments) -> Any:
        self._replace(bound, permit)
        trouble: Exception | None = None
        try:
            result = self._function(*bound.args, **bound.kwargs)
        except Exception as error:  # noqa: BLE001  # whatever it is, it goes on, or what may be shown of it does
            trouble = error
        if trouble is not None:
            shown = permit.failed(trouble)
            raise trouble if permit.shows_result else ToolFailed(shown)
        return permit.done(result)

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[inspect.BoundArguments, dict[str, Any]]:
        """The arguments as the function gets them, and by name as they are judged. Raises TypeError."""
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        arguments = {name: value for name, value in bound.arguments.items() if name not in self._unjudged}
        if self._rest:
            rest = arguments.pop(self._rest, {})
            double = min(rest.keys() & self._signature.parameters.keys(), default="")
            if double:
                raise TypeError(f"two arguments are called {double!r}: one of them would not be judged")
            arguments |= rest
        return bound, arguments

    def _replace(self, bound: inspect.BoundArguments, permit: Permit) -> None:
        """Put what may be passed in place of what was asked about."""
        for name, value in permit.arguments.items():
            if name in self._signature.parameters and name != self._rest:
                bound.arguments[name] = value
            else:
                bound.arguments[self._rest][name] = value

"""The words of a value condition, each declared once: every table of them is made of these declarations.

A new word is one more entry here, its field in `values`, and its rule in rego/comparisons.rego;
tests/policy/language/test_operators.py says what is still missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto


class Holder(Enum):
    """What may hold the word."""

    VALUE = auto()
    """A parameter, an element of a list, or a circumstance of the call."""
    PARAMETER = auto()
    """A parameter or a circumstance, and no element."""
    TIME = auto()
    """The time of the call."""


class Operand(Enum):
    """What the value is compared with."""

    KIND = auto()
    SCALAR = auto()
    SCALARS = auto()
    NUMBER = auto()
    PATTERN = auto()
    TEXT = auto()
    SIZE = auto()
    HOSTS = auto()
    RANGES = auto()
    PRESENCE = auto()
    ELEMENTS = auto()
    SCHEMA = auto()
    WINDOWS = auto()


class Direction(Enum):
    """Which side of its operand the word leaves to the value."""

    UPPER = auto()
    LOWER = auto()
    MEMBERSHIP = auto()
    """It says what is allowed."""
    NEGATIVE = auto()
    """It says what is forbidden."""
    NEITHER = auto()


OF_OPERAND = "operand"
"""Stands for the JSON type of what the value is compared with."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One word.

    `python_name` is its field in the model of its `holder` where the word can be none. `json_type` is the type a value
    must have, "any" or `OF_OPERAND`. `phrase` is what a refusal says is allowed, `{limit}` standing for what is
    compared with; `text` is for editors. `opposite` is the word a mutation puts in its place, "" for none. `reaches`: a
    bound may itself be the value. `settles_type`: no value of another type than that of the operand meets it.
    `asks_approval`: a failure always means that an approval is needed. `short_text` is what editors say of the short
    form `word_X`, `bare_text` of the word alone among conditions; "" where there is no such form.
    """

    word: str
    operand: Operand
    json_type: str
    direction: Direction
    phrase: str
    text: str
    holder: Holder = Holder.VALUE
    python_name: str = ""
    opposite: str = ""
    reaches: bool = True
    settles_type: bool = False
    asks_approval: bool = False
    short_text: str = ""
    bare_text: str = ""

    @property
    def field(self) -> str:
        """Its field in the model of its `holder`."""
        return self.python_name or self.word


_OF_VALUES = (
    Operator(
        word="type",
        operand=Operand.KIND,
        json_type="any",
        direction=Direction.NEITHER,
        phrase="of type {limit}",
        text="The value has this type; any: it is there at all.",
    ),
    Operator(
        word="equals",
        operand=Operand.SCALAR,
        json_type=OF_OPERAND,
        direction=Direction.MEMBERSHIP,
        phrase="exactly {limit}",
        text="Is exactly this, or the value of another parameter: {parameter: name}.",
        opposite="not",
        settles_type=True,
    ),
    Operator(
        word="not",
        python_name="differs",
        operand=Operand.SCALAR,
        json_type=OF_OPERAND,
        direction=Direction.NEGATIVE,
        phrase="other than {limit}",
        text="Is anything else of the same type.",
        opposite="equals",
    ),
    Operator(
        word="in",
        python_name="allowed",
        operand=Operand.SCALARS,
        json_type=OF_OPERAND,
        direction=Direction.MEMBERSHIP,
        phrase="one of {limit}",
        text="Is one of these, or of a list that is defined: {list: name}.",
        opposite="not_in",
        settles_type=True,
    ),
    Operator(
        word="not_in",
        operand=Operand.SCALARS,
        json_type=OF_OPERAND,
        direction=Direction.NEGATIVE,
        phrase="none of {limit}",
        text="Is none of these. Prefer in: not_in cannot know other spellings.",
        opposite="in",
    ),
    Operator(
        word="min",
        operand=Operand.NUMBER,
        json_type="number",
        direction=Direction.LOWER,
        phrase="at least {limit}",
        text="Is a number and at least this.",
        opposite="under",
        short_text="The parameter is at least this.",
    ),
    Operator(
        word="max",
        operand=Operand.NUMBER,
        json_type="number",
        direction=Direction.UPPER,
        phrase="at most {limit}",
        text="Is a number and at most this; negative values are refused unless a minimum is given.",
        opposite="over",
        short_text="The parameter is at most this; negative values are refused unless a min is given.",
    ),
    Operator(
        word="over",
        operand=Operand.NUMBER,
        json_type="number",
        direction=Direction.LOWER,
        phrase="more than {limit}",
        text="Is a number and more than this.",
        opposite="max",
        reaches=False,
    ),
    Operator(
        word="under",
        operand=Operand.NUMBER,
        json_type="number",
        direction=Direction.UPPER,
        phrase="less than {limit}",
        text="Is a number and less than this; negative values are refused unless a minimum is given.",
        opposite="min",
        reaches=False,
    ),
    Operator(
        word="matches",
        operand=Operand.PATTERN,
        json_type="string",
        direction=Direction.MEMBERSHIP,
        phrase="matching {limit}",
        text="Matches this RE2 pattern as a whole, or one that is defined: {pattern: name}.",
        settles_type=True,
    ),
    Operator(
        word="starts_with",
        operand=Operand.TEXT,
        json_type="string",
        direction=Direction.MEMBERSHIP,
        phrase="starting with {limit}",
        text="Begins with this text.",
        settles_type=True,
    ),
    Operator(
        word="ends_with",
        operand=Operand.TEXT,
        json_type="string",
        direction=Direction.MEMBERSHIP,
        phrase="ending with {limit}",
        text="Ends with this text.",
        settles_type=True,
    ),
    Operator(
        word="length",
        operand=Operand.SIZE,
        json_type="string",
        direction=Direction.NEITHER,
        phrase="of a length of {limit}",
        text="Is a text of that many characters.",
        settles_type=True,
    ),
    Operator(
        word="host_in",
        operand=Operand.HOSTS,
        json_type="string",
        direction=Direction.MEMBERSHIP,
        phrase="a host among {limit}",
        text="Is a host name in this list; *.bank.com is any host below bank.com.",
        settles_type=True,
    ),
    Operator(
        word="url_host_in",
        operand=Operand.HOSTS,
        json_type="string",
        direction=Direction.MEMBERSHIP,
        phrase="a URL of a host among {limit}",
        text="Is an http, https, ws or wss URL whose host is in this list.",
        settles_type=True,
    ),
    Operator(
        word="email_domain_in",
        operand=Operand.HOSTS,
        json_type="string",
        direction=Direction.MEMBERSHIP,
        phrase="an address of a domain among {limit}",
        text="Is an address whose domain is in this list.",
        settles_type=True,
    ),
    Operator(
        word="in_ranges",
        operand=Operand.RANGES,
        json_type="string",
        direction=Direction.MEMBERSHIP,
        phrase="an address in {limit}",
        text="Is an IP address in one of these ranges.",
        opposite="not_in_ranges",
        settles_type=True,
    ),
    Operator(
        word="not_in_ranges",
        operand=Operand.RANGES,
        json_type="string",
        direction=Direction.NEGATIVE,
        phrase="an address outside {limit}",
        text="Is an IP address in none of these ranges.",
        opposite="in_ranges",
        settles_type=True,
    ),
)

_OF_PARAMETERS = (
    Operator(
        word="count",
        holder=Holder.PARAMETER,
        operand=Operand.SIZE,
        json_type="array",
        direction=Direction.NEITHER,
        phrase="a list of {limit}",
        text="Is a list of that many elements.",
        settles_type=True,
    ),
    Operator(
        word="every",
        holder=Holder.PARAMETER,
        operand=Operand.ELEMENTS,
        json_type="array",
        direction=Direction.NEITHER,
        phrase="a list of which every element is {limit}",
        text="Is a list of which every element meets this; an empty one does.",
        opposite="any",
    ),
    Operator(
        word="any",
        python_name="any_element",
        holder=Holder.PARAMETER,
        operand=Operand.ELEMENTS,
        json_type="array",
        direction=Direction.NEITHER,
        phrase="a list of which at least one element is {limit}",
        text="Is a list of which at least one element meets this; an empty one does not.",
        opposite="every",
    ),
    Operator(
        word="schema",
        python_name="json_schema",
        holder=Holder.PARAMETER,
        operand=Operand.SCHEMA,
        json_type="any",
        direction=Direction.MEMBERSHIP,
        phrase="what the schema {limit} describes",
        text="Conforms to this JSON Schema.",
    ),
    Operator(
        word="exists",
        holder=Holder.PARAMETER,
        operand=Operand.PRESENCE,
        json_type="any",
        direction=Direction.NEITHER,
        phrase="leaving it out",
        text="true: is there; false: is not there.",
    ),
    Operator(
        word="approval_needed_over",
        holder=Holder.PARAMETER,
        operand=Operand.NUMBER,
        json_type="number",
        direction=Direction.UPPER,
        phrase="at most {limit} without an approval",
        text="Otherwise allowed, but above this needs an approval.",
        asks_approval=True,
        short_text="Above this, the call needs an approval.",
        bare_text="Above, the call needs an approval: of the one parameter with a max_ or min_, else of amount.",
    ),
    Operator(
        word="approval_needed_in",
        holder=Holder.PARAMETER,
        operand=Operand.SCALARS,
        json_type=OF_OPERAND,
        direction=Direction.NEITHER,
        phrase="other than {limit} without an approval",
        text="Otherwise allowed, but being one of these needs an approval.",
        asks_approval=True,
    ),
)

_OF_TIME = (
    Operator(
        word="within",
        holder=Holder.TIME,
        operand=Operand.WINDOWS,
        json_type="number",
        direction=Direction.MEMBERSHIP,
        phrase="within {limit}",
        text="Time windows, by name or written out: the call is made within one of them.",
        opposite="not_within",
    ),
    Operator(
        word="not_within",
        holder=Holder.TIME,
        operand=Operand.WINDOWS,
        json_type="number",
        direction=Direction.NEGATIVE,
        phrase="outside {limit}",
        text="Time windows, by name or written out: the call is made in none of them.",
        opposite="within",
    ),
)

OPERATORS: Mapping[str, Operator] = {operator.word: operator for operator in (*_OF_VALUES, *_OF_PARAMETERS, *_OF_TIME)}
"""Every word, in the order in which the conditions of a value are compiled."""


def words_of(*directions: Direction) -> tuple[str, ...]:
    """The words that leave one of these sides to the value, in order."""
    return tuple(word for word, operator in OPERATORS.items() if operator.direction in directions)


def words_with(*operands: Operand) -> tuple[str, ...]:
    """The words that compare with one of these, in order."""
    return tuple(word for word, operator in OPERATORS.items() if operator.operand in operands)


UPPER = words_of(Direction.UPPER)
"""The words that bound a number from above."""

LOWER = words_of(Direction.LOWER)
"""The words that bound a number from below."""

SHORT_FORMS = tuple(word for word, operator in OPERATORS.items() if operator.short_text)
"""The words that have a short form: `max_amount` for `max` of `amount`."""

BARE_FORMS = tuple(word for word, operator in OPERATORS.items() if operator.bare_text)
"""Those of them that may stand without a parameter."""

PHRASES: Mapping[str, str] = {
    **{word: operator.phrase for word, operator in OPERATORS.items()},
    "regions": "a tool in {limit}",
}
"""What a refusal says is allowed, by the word findings use: the words above, and what a document says as a whole."""

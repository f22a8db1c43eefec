"""A connection in conversation with h2."""

from __future__ import annotations

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
import pytest

from aegis_authz.server.http2 import frames
from aegis_authz.server.http2.connection import Cancelled, Connection, Event, Opened, Received
from aegis_authz.server.http2.frames import ConnectionBroken, frame
from tests.support.hostile_peer import BLOCK, ENDED, FIELDS, REQUEST, STARTED, Hostile, data, opened

WINDOW = 1024 * 1024


class Conversation:
    """An h2 client and our server, who hear each other at once."""

    def __init__(self, most_streams: int = 100) -> None:
        self.client = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        self.server = Connection(most_streams)
        self.client.initiate_connection()
        self.heard: list[h2.events.Event] = []

    def say(self) -> list[Event]:
        """What the server makes of all that the client said; the client hears what the server says to it."""
        events: list[Event] = []
        while data := self.client.data_to_send():
            events += self.server.receive(data)
            self.listen()
        return events

    def listen(self) -> None:
        self.heard += self.client.receive_data(b"".join(self.server.sending.take()))

    def of(self, kind: type[h2.events.Event]) -> list[h2.events.Event]:
        return [event for event in self.heard if type(event) is kind]

    def request(self, stream: int = 1, ended: bool = True) -> list[Event]:
        self.client.send_headers(stream, REQUEST, end_stream=ended)
        return self.say()


def test_a_request_is_answered() -> None:
    talk = Conversation()
    talk.client.send_headers(1, REQUEST)
    talk.client.send_data(1, b"question", end_stream=True)
    assert talk.say() == [Opened(1, FIELDS, False), Received(1, b"question", True)]
    sending = talk.server.sending
    sending.headers(1, STARTED)
    sending.data(1, b"answer")
    sending.end(1, ENDED)
    talk.listen()
    (began,) = talk.of(h2.events.ResponseReceived)
    assert began.headers == [(b":status", b"200")]
    (body,) = talk.of(h2.events.DataReceived)
    assert body.data == b"answer"
    (trailers,) = talk.of(h2.events.TrailersReceived)
    assert trailers.headers == [(b"grpc-status", b"0")]
    assert talk.of(h2.events.StreamEnded)


def test_settings_are_said_and_acknowledged() -> None:
    talk = Conversation(most_streams=7)
    talk.say()
    assert talk.client.remote_settings.max_concurrent_streams == 7
    assert talk.client.remote_settings.header_table_size == 0
    assert talk.of(h2.events.SettingsAcknowledged)


def test_a_ping_is_answered() -> None:
    talk = Conversation()
    talk.say()
    talk.client.ping(b"12345678")
    talk.say()
    (answer,) = talk.of(h2.events.PingAckReceived)
    assert answer.ping_data == b"12345678"


def test_a_request_may_have_no_body() -> None:
    assert Conversation().request() == [Opened(1, FIELDS, True)]


def test_a_body_may_end_in_trailers() -> None:
    talk = Conversation()
    talk.request(ended=False)
    talk.client.send_headers(1, [("x-checksum", "1")], end_stream=True)
    assert talk.say() == [Received(1, b"", True)]


def test_long_headers_come_in_continuations() -> None:
    talk = Conversation()
    long = [(f"x-{number}", "v" * 1_000) for number in range(40)]
    talk.client.send_headers(1, [*REQUEST, *long], end_stream=True)
    (event,) = talk.say()
    assert isinstance(event, Opened)
    assert event.fields[b"x-39"] == b"v" * 1_000


def test_padding_is_no_part_of_a_body_and_is_let_go_at_once() -> None:
    talk = Conversation()
    talk.request(ended=False)
    talk.client.send_data(1, b"body", pad_length=200)
    assert talk.say() == [Received(1, b"body", False)]
    talk.server.read(1, 4)
    talk.listen()
    assert talk.client.local_flow_control_window(1) == WINDOW


def test_a_peer_may_send_again_what_was_read() -> None:
    talk = Conversation()
    talk.request(ended=False)
    talk.client.send_data(1, bytes(16_384))
    talk.say()
    assert talk.client.local_flow_control_window(1) == WINDOW - 16_384
    talk.server.read(1, 16_384)
    talk.listen()
    assert talk.client.local_flow_control_window(1) == WINDOW


def test_the_window_of_the_connection_never_closes() -> None:
    talk = Conversation()
    piece, most = bytes(16_384), 0
    for stream in range(1, 2 * 100, 2):
        talk.request(stream, ended=False)
        for _ in range(WINDOW // len(piece)):
            talk.client.send_data(stream, piece)
        most = max(most, len(talk.say()))
        talk.client.end_stream(stream)
        talk.say()
        talk.server.sending.drop(stream)
    assert talk.client.outbound_flow_control_window > 2**29


def test_an_answer_keeps_to_the_windows_of_its_peer() -> None:
    talk = Conversation()
    talk.client.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 10})
    talk.request()
    body = bytes(range(256)) * 4
    talk.server.sending.headers(1, STARTED)
    talk.server.sending.data(1, body)
    talk.server.sending.end(1, ENDED)
    talk.listen()
    while not talk.of(h2.events.StreamEnded):
        talk.client.increment_flow_control_window(300, 1)
        talk.say()
    assert b"".join(event.data for event in talk.of(h2.events.DataReceived)) == body


def test_settings_are_acknowledged_before_they_are_used() -> None:
    """A peer counts what comes before the acknowledgement against its older window."""
    hostile = Hostile()
    hostile.say(opened(ended=True))
    hostile.server.sending.data(1, bytes(70_000))
    hostile.server.sending.take()
    hostile.say(frames.window_update(0, 100_000), frames.settings({frames.INITIAL_WINDOW_SIZE: 100_000}))
    assert hostile.heard() == [(frames.SETTINGS, frames.ACK, 0), (frames.DATA, 0, 1)]


def test_a_cancelled_call_is_told_once() -> None:
    talk = Conversation()
    talk.request()
    talk.client.reset_stream(1, frames.CANCEL)
    assert talk.say() == [Cancelled(1)]
    assert talk.server.sending.open == {}
    hostile = Hostile()
    assert hostile.say(opened(), frames.reset(1, 8), frames.reset(1, 8))[1:] == [Cancelled(1)]


def test_the_reset_of_an_answered_call_is_nobodys_business() -> None:
    talk = Conversation()
    talk.request()
    talk.server.sending.end(1, ENDED)
    assert _like(talk).say(frames.reset(1, frames.CANCEL)) == []


def _like(talk: Conversation) -> Hostile:
    hostile = Hostile()
    hostile.server = talk.server
    return hostile


def test_more_streams_than_agreed_are_refused_and_the_others_go_on() -> None:
    hostile = Hostile(most_streams=2)
    events = hostile.say(opened(1), opened(3, ended=True), opened(5), opened(7, ended=True))
    assert [event.stream for event in events] == [1, 3]
    assert hostile.heard() == [(frames.RST_STREAM, 0, 5), (frames.RST_STREAM, 0, 7)]
    hostile.server.sending.end(3, ENDED)
    assert [type(event) for event in hostile.say(data(1, b"a"), data(5, b"late"), opened(9))] == [Received, Opened]


def test_streams_whose_answer_is_complete_count_until_their_request_is() -> None:
    hostile = Hostile(most_streams=1)
    hostile.say(opened(1))
    hostile.server.sending.end(1, ENDED)
    assert hostile.say(opened(3)) == []
    hostile.say(data(1, b"", frames.END_STREAM))
    assert [type(event) for event in hostile.say(opened(5))] == [Opened]


def test_who_hears_no_more_says_so() -> None:
    talk = Conversation()
    talk.request(ended=False)
    talk.server.sending.headers(1, STARTED)
    talk.server.hear_no_more(1)
    talk.server.sending.end(1, ENDED)
    talk.server.hear_no_more(1)
    talk.server.hear_no_more(1)
    talk.listen()
    assert talk.of(h2.events.StreamEnded)
    (reset,) = talk.of(h2.events.StreamReset)
    assert reset.error_code == frames.NO_ERROR
    hostile = _like(talk)
    assert hostile.say(data(1, b"already under way"), frames.reset(1, frames.CANCEL)) == []


def test_a_refused_stream_is_forgotten() -> None:
    talk = Conversation()
    talk.request(ended=False)
    talk.server.refuse(1)
    talk.listen()
    (reset,) = talk.of(h2.events.StreamReset)
    assert reset.error_code == frames.REFUSED_STREAM
    assert talk.server.sending.open == {}


def test_a_connection_that_closes_takes_nothing_new_and_finishes_the_rest() -> None:
    talk = Conversation()
    talk.request(1, ended=False)
    talk.server.close()
    talk.listen()
    (goodbye,) = talk.of(h2.events.ConnectionTerminated)
    assert (goodbye.error_code, goodbye.last_stream_id) == (frames.NO_ERROR, 1)
    hostile = _like(talk)
    assert hostile.say(opened(3), data(1, b"a", frames.END_STREAM)) == [Received(1, b"a", True)]
    assert hostile.heard() == [(frames.RST_STREAM, 0, 3)]


def test_the_last_words_on_a_broken_connection_say_why() -> None:
    hostile = Hostile()
    with pytest.raises(ConnectionBroken) as fault:
        hostile.say(opened(2))
    hostile.server.broken(fault.value)
    assert hostile.heard() == [(frames.GOAWAY, 0, 0)]


def test_frames_that_mean_nothing_to_a_server_are_ignored() -> None:
    ignored = (
        frame(frames.PRIORITY, 0, 1, bytes(5)),
        frame(0xFE, 0xFF, 0, b"unknown"),
        frames.goaway(0, frames.NO_ERROR),
        frame(frames.PING, frames.ACK, 0, bytes(8)),
        frame(frames.SETTINGS, frames.ACK, 0),
        frames.settings({0x7777: 1}),
        frames.window_update(0, 10),
    )
    hostile = Hostile()
    assert hostile.say(*ignored, opened(ended=True)) == [Opened(1, FIELDS, True)]


def test_priority_and_padding_of_headers_are_taken_off() -> None:
    payload = b"\x03" + bytes(5) + BLOCK + bytes(3)
    flags = frames.END_HEADERS | frames.END_STREAM | frames.PADDED | frames.HAS_PRIORITY
    assert Hostile().say(frame(frames.HEADERS, flags, 1, payload)) == [Opened(1, FIELDS, True)]

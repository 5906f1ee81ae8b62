"""A TCP relay in front of the gateway that can cut or hold connections, as bad networks do."""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

PIECE_BYTES = 64 * 1024


@dataclass
class Relay:
    """Passes bytes both ways; connections that ask for events are treated as told.

    With `cut_after_events` each such connection but the last ones ends after so many events; with
    `hold` they pass nothing back at all.
    """

    upstream: tuple[str, int]
    cuts: int = 0
    hold: bool = False
    cut_after_bytes: int = 0
    """The connection that brings the byte of this number, counted over all of them, ends."""
    hold_uploads_from_bytes: int = 0
    """Nothing is passed on any more of a connection that has brought so many bytes."""
    patched_offsets: list[int] = field(default_factory=list)
    last_event_ids: list[str | None] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)
    uploading: threading.Event = field(default_factory=threading.Event)
    _listener: socket.socket = field(default_factory=socket.socket)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def open(self) -> None:
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            server = socket.create_connection(self.upstream)
            threading.Thread(target=self._send, args=(client, server), daemon=True).start()

    def _send(self, client: socket.socket, server: socket.socket) -> None:
        """Client to server; the answers go back in a thread of their own."""
        is_events = threading.Event()
        brought = 0
        back = threading.Thread(target=self._answer, args=(client, server, is_events), daemon=True)
        back.start()
        with contextlib.suppress(OSError):
            while piece := client.recv(PIECE_BYTES):
                if re.match(rb"GET /api/imports/\d+/events", piece):
                    found = re.search(rb"(?i)\r\nlast-event-id: ([^\r]*)", piece)
                    self.last_event_ids.append(found[1].decode() if found else None)
                    is_events.set()
                if piece.startswith(b"POST /api/imports "):
                    self.uploading.set()
                if found := re.search(rb"(?i)\r\nupload-offset: (\d+)", piece):
                    self.patched_offsets.append(int(found[1]))
                brought += len(piece)
                if 0 < self.hold_uploads_from_bytes <= brought:
                    self.held.set()
                    continue
                server.sendall(piece)
                if self._is_the_last(len(piece)):
                    self._reset(client, server)
                    return
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _answer(
        self, client: socket.socket, server: socket.socket, is_events: threading.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while piece := server.recv(PIECE_BYTES):
                if is_events.is_set() and self.hold:
                    self.held.set()
                    continue
                client.sendall(piece)
                if is_events.is_set() and b"data:" in piece and self.cuts:
                    self.cuts -= 1
                    break
        self._reset(client, server)

    def _is_the_last(self, sent_bytes: int) -> bool:
        before = self.cut_after_bytes
        self.cut_after_bytes = max(0, before - sent_bytes)
        return before > 0 and not self.cut_after_bytes

    def _reset(self, client: socket.socket, server: socket.socket) -> None:
        # A reset, not an orderly end: the client must not take this for the end of the stream.
        for end in (client, server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextlib.contextmanager
def relay_to(
    url: str, *, cuts: int = 0, hold: bool = False, cut_after_bytes: int = 0
) -> Iterator[Relay]:
    parts = urlsplit(url)
    relay = Relay(
        (parts.hostname or "", parts.port or 80),
        cuts=cuts,
        hold=hold,
        cut_after_bytes=cut_after_bytes,
    )
    relay.open()
    try:
        yield relay
    finally:
        relay.close()

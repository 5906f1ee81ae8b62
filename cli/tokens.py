"""Getting access tokens, and a new one when the old one is about to expire or is refused."""

import base64
import binascii
import json
import time
from collections.abc import Generator
from typing import Any

import httpx2

from cli.answers import TokenPair
from cli.credentials import CredentialStore, LogIn
from cli.errors import CommandError, NotSignedInError, ProblemAnswerError
from cli.problems import checked, transport_errors

EXPIRES_SOON_S = 60.0
"""A token with less to live is renewed first: an upload may take a while to begin."""
DEFAULT_LIFE_S = 300.0
"""Assumed for an access token that does not say; a refused one is renewed anyway."""


class SignIn:
    """The calls that need no token, for one server."""

    def __init__(self, http: httpx2.Client, url: str) -> None:
        self._http = http
        self._url = url

    def with_password(self, username: str, password: str) -> LogIn:
        """A person's user name and password; raises ProblemAnswerError when they do not fit."""
        return self._pair("/api/token/", {"username": username, "password": password})

    def ask_for_code(self, email: str) -> str:
        """Have a code mailed; returns the challenge that it belongs to."""
        return str(self._post("/api/auth/otp", {"email": email})["challenge_id"])

    def with_code(self, challenge_id: str, code: str) -> LogIn:
        """The mailed code; raises ProblemAnswerError when it is wrong, used or too old."""
        body = {"challenge_id": challenge_id, "code": code}
        return self._pair("/api/auth/otp/verify", body)

    def with_secret(self, client_id: str, client_secret: str) -> LogIn:
        """A machine client's own id and secret (RFC 6749, section 4.4)."""
        form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
        }
        with transport_errors(self._url):
            answer = checked(self._http.post("/api/auth/token", data=form))
        access = str(answer.json()["access_token"])
        return LogIn(
            access=access,
            expires_at=_expires_at(access),
            client_id=client_id,
            client_secret=client_secret,
        )

    def refreshed(self, refresh: str) -> LogIn:
        """The next pair of a family; the refresh token that was given is used up."""
        return self._pair("/api/token/refresh/", {"refresh": refresh})

    def revoke(self, refresh: str) -> None:
        """End the token's family on the server."""
        with transport_errors(self._url):
            checked(self._http.post("/api/auth/revoke", json={"refresh": refresh}))

    def _pair(self, path: str, body: dict[str, str]) -> LogIn:
        pair = TokenPair.model_validate(self._post(path, body))
        return LogIn(access=pair.access, refresh=pair.refresh, expires_at=_expires_at(pair.access))

    def _post(self, path: str, body: dict[str, str]) -> Any:
        with transport_errors(self._url):
            return checked(self._http.post(path, json=body)).json()


class StoredToken(httpx2.Auth):
    """Puts the stored access token on each request, and renews it when it must be.

    The new pair is stored before it is used: a refresh token works once.
    """

    def __init__(self, url: str, store: CredentialStore, sign_in: SignIn) -> None:
        self._url = url
        self._store = store
        self._sign_in = sign_in

    def sync_auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Send with a token; once more with a new one if that was refused."""
        log_in = self._current()
        request.headers["Authorization"] = f"Bearer {log_in.access}"
        response = yield request
        if response.status_code == 401:
            log_in = self._renewed(log_in)
            request.headers["Authorization"] = f"Bearer {log_in.access}"
            yield request

    def _current(self) -> LogIn:
        log_in = self._store.find(self._url)
        if log_in is None:
            raise NotSignedInError(f"sign in first: tabularium login --url {self._url}")
        if log_in.expires_at - time.time() < EXPIRES_SOON_S:
            return self._renewed(log_in)
        return log_in

    def _renewed(self, old: LogIn) -> LogIn:
        with self._store.locked():
            stored = self._store.find(self._url)
            if stored is not None and stored.access != old.access:
                return stored  # another command was faster
            try:
                fresh = self._again(old)
            except ProblemAnswerError as exc:
                if exc.problem.status >= 500 or exc.problem.status == 429:
                    raise
                raise NotSignedInError(
                    f"the log-in is over; sign in again: tabularium login --url {self._url}"
                ) from exc
            self._store.keep(self._url, fresh)
            return fresh

    def _again(self, old: LogIn) -> LogIn:
        if old.client_id is not None and old.client_secret is not None:
            return self._sign_in.with_secret(old.client_id, old.client_secret)
        if old.refresh is None:
            raise NotSignedInError(f"sign in again: tabularium login --url {self._url}")
        return self._sign_in.refreshed(old.refresh)


class GivenToken(httpx2.Auth):
    """An access token out of the environment, for scripts; it is never renewed or stored."""

    def __init__(self, token: str) -> None:
        self._token = token

    def sync_auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Send with the token."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


def _expires_at(access: str) -> float:
    """When a token ends by our clock; its own times are the server's.

    The claims are only read here, never believed: the server verifies them.
    """
    try:
        payload = access.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return time.time() + float(claims["exp"]) - float(claims["iat"])
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return time.time() + DEFAULT_LIFE_S


def without_newline(text: str) -> str:
    """A password out of a pipe: without the line's end, and refused when there is none."""
    line = text.rstrip("\r\n")
    if not line:
        raise CommandError("the password that came through the pipe is empty")
    return line

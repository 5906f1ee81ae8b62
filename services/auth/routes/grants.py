"""The token endpoint of RFC 6749: its form, read into calls of `Sessions`, and its answer."""

import base64
import binascii
from urllib.parse import unquote_plus

from pydantic import SecretStr

from services.auth.domain import scopes_of, spelled
from services.auth.errors import (
    InvalidClientError,
    InvalidCredentialsError,
    InvalidGrantError,
    InvalidRefreshTokenError,
    InvalidScopeError,
    InvalidTokenRequestError,
    UnsupportedGrantTypeError,
)
from services.auth.schemas import TokenAnswer, TokenForm
from services.auth.service.sessions import Sessions
from shared.contracts.auth import Scope
from shared.values.texts import is_storable


async def grant(
    sessions: Sessions, form: TokenForm, authorization: str | None, *, address: str | None
) -> TokenAnswer:
    """Answer the token endpoint; raises the errors of RFC 6749, section 5.2.

    A client that sends a secret with `password` or `refresh_token` is checked; one that sends
    only an id (Swagger UI does) is a public client, which has nothing to prove.
    """
    client_id, secret = _client(form, authorization)
    scopes = _scopes(form.scope)
    if form.grant_type == "client_credentials":
        if not client_id or not secret:
            raise InvalidClientError
        access, granted = await sessions.client_token(
            client_id, secret, address=address, scopes=scopes
        )
        return TokenAnswer(access_token=access, scope=spelled(granted))
    if form.grant_type not in ("password", "refresh_token"):
        if not form.grant_type:
            raise InvalidTokenRequestError("grant_type is missing")
        raise UnsupportedGrantTypeError("use password, refresh_token or client_credentials")
    if secret:
        await sessions.authenticated_client(client_id or "", secret, address=address)
    try:
        if form.grant_type == "password":
            pair = await sessions.sign_in(
                _given("username", form.username),
                _given("password", form.password),
                address=address,
                scopes=scopes,
            )
        else:
            pair = await sessions.refresh(
                _given("refresh_token", form.refresh_token), address=address, scopes=scopes
            )
    except (InvalidCredentialsError, InvalidRefreshTokenError) as exc:
        raise InvalidGrantError(exc.detail) from exc
    return TokenAnswer(
        access_token=pair.access, refresh_token=pair.refresh, scope=spelled(pair.scopes)
    )


def _client(form: TokenForm, authorization: str | None) -> tuple[str | None, str | None]:
    """Id and secret out of HTTP Basic (where both are form-encoded), else out of the form."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(encoded.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as exc:
            raise InvalidClientError from exc
        client_id, _, secret = map(unquote_plus, decoded.partition(":"))
        if not (is_storable(client_id) and is_storable(secret)):
            raise InvalidClientError
        return client_id, secret
    return form.client_id, form.client_secret.get_secret_value() if form.client_secret else None


def _scopes(words: str | None) -> frozenset[Scope] | None:
    if not words or not words.strip():
        return None
    try:
        return scopes_of(words.split())
    except ValueError as exc:
        raise InvalidScopeError(str(exc)) from exc


def _given(name: str, value: str | SecretStr | None) -> str:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not text:
        raise InvalidTokenRequestError(f"{name} is missing")
    return text

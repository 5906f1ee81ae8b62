"""The HTTP face of auth, by what it is about; `verbs` are the calls of the older systems."""

from services.auth.routes import (
    account,
    api_keys,
    clients,
    internal,
    keys,
    sign_in,
    trail,
    users,
    verbs,
)

routers = (
    verbs.router,
    sign_in.router,
    account.router,
    users.router,
    clients.router,
    api_keys.router,
    keys.router,
    trail.router,
    internal.router,
)

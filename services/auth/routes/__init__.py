"""The resource face, by what it is about."""

from services.auth.routes import account, clients, internal, keys, sign_in, trail, users

routers = (
    sign_in.router,
    account.router,
    users.router,
    clients.router,
    keys.router,
    trail.router,
    internal.router,
)

"""Why a webhook cannot be made or used as asked."""

from shared.errors import ConflictError


class TooManyWebhooksError(ConflictError):
    """The caller has as many webhooks as one may have."""

    code = "too_many_webhooks"


class WebhookDisabledError(ConflictError):
    """Nothing is sent to a disabled webhook."""

    code = "webhook_disabled"

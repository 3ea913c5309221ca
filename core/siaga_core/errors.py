"""The one base of Siaga's errors, and the mixin that says a retry may help."""


class SiagaError(Exception):
    """Something went wrong that a reader can act on; the message says what, which and what to do."""


class Transient(Exception):
    """Mixin: the cause lies outside and may pass; the caller may try again with back-off."""

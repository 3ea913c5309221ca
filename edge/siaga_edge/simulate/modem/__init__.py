"""A GSM modem on a pseudo-terminal, as honest as we can make the other side of the line."""

"""SMS and calls from citizens, through a GSM modem: committed before the modem may forget them."""

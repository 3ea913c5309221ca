"""Whether each camera shows a true picture: looks at the newest ones, asks over ONVIF, sends pictures up."""

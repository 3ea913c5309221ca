"""A camera that is not there: RTSP video and an ONVIF device with faults that can be switched on."""

"""What runs at a camera site or beside a modem: services that outlive the network."""

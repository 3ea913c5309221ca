"""The other sides of a node: a modem and cameras to train and test with, shipped in the product."""

"""What lossless and chaos have in common: pools that listen twice, crowds of clients, footprints."""

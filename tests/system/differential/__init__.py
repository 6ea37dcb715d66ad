"""Cases of the differential suite (tests/system/differential.py), and how they are compared."""

"""The engine: compiled kernels, pure and deterministic. Arrays in, arrays out; no clock, no chance, no file, no allocation.

``step`` settles orders, ``release`` closes periods, ``refund`` takes back; ``state`` lies between, ``out`` is what they write.
"""

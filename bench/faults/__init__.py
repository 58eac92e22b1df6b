"""Faults on purpose: real processes are killed, frozen and cut off under load.

python -m bench.faults [--seed N] [--quick] [--only NAME] [--poll]

A scenario is a function in `scenarios/`; whatever it does, what was accepted must be
applied exactly once and the books must balance in every read taken meanwhile.
"""

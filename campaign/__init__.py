"""Stress tests: real processes are killed, raced, starved and attacked; nothing may be lost, hang or grow.

``python -m campaign --minutes 9``; each file holds experiments of one kind, ``trial.py`` what all of them use.
"""

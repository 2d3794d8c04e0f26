"""Real processes that are killed, raced, starved and attacked, again and again: nothing may be lost, hang or grow.

``python -m campaign --minutes 9``; each file holds one kind of trouble, ``trial.py`` what every experiment is given.
"""

"""The support matrix: `python -m tools.matrix [--list] [cell ...]`.

Each cell is a set of tests with one thing that varies: a server, an Ansible, a Python. Cells are run in order, and each
leaves `.cache/junit/matrix-<cell>.xml`, its output in `.cache/log/`, and its line with the date in the
table of `docs/support.md`. A cell that is not run keeps its line.
"""

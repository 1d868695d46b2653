"""Real systemd hosts over SSH, for tests of playbooks: `python -m tests.hosts up`, or the pytest fixture `fleet`."""

"""What all tests share: the hosts, brought up when a test first asks for them."""

pytest_plugins = ["tests.hosts.plugin"]

"""What the families share: inputs, losses, trees, networks, and several models as one."""

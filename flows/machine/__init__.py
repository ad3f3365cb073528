"""What production needs on one machine: its parts, who keeps them running, and how they are reached."""

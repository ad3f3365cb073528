"""What the log of a release says: a canary held against the champion, and which of two versions is better."""

"""The HTTP service: answers from the released versions, logged and watched."""

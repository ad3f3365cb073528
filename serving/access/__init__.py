"""Who may ask the service: API keys, their scopes, and how often each may."""

"""From a source to accepted rows: deliveries, suites, quarantine, and what became of both later."""

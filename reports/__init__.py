"""What people look at: pages that open offline, and the plots in them."""

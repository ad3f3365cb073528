"""What one step of the lifecycle does to one batch or version: plain functions over the rooms."""

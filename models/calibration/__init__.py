"""What a calibration is, and how each kind is fitted; `models.calibrate` chooses among them."""

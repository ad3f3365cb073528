"""What a calibration is, and how each kind is fitted; `models.calibration.choose` chooses among them."""

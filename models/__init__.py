"""Models: families, fitting, calibration, evaluation, export, the gate and the registry."""

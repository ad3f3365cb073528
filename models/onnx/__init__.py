"""One ONNX graph a model: the raw row in, the calibrated probability out; quantized, compared, measured."""

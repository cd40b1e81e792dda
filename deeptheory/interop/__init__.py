"""Networks of other programs, read and written: architectures as TOML, tensors, ONNX and PyTorch.

The packages torch, safetensors and onnx are imported only when they are used: `pip install 'deeptheory[interop]'`
(and `deeptheory[torch]`).
"""

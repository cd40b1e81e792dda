"""Networks from elsewhere, and back: architectures as TOML, tensors, ONNX and PyTorch.

Nothing here needs torch, safetensors or onnx before it is used: `pip install 'deeptheory[interop]'` (and
`deeptheory[torch]`).
"""

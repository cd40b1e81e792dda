"""Maximum and average over square windows, as many as the output has."""

from deeptheory.system.compiled import njit, prange, signed


@njit(parallel=True)
def max_pool_forward(x, size, stride, padding, out, winner):
    """Largest element of each window, (N, H, W, C) -> (N, OH, OW, C); `winner` holds its place in the window.

    What a window has in common with the image counts. Of equal elements the first wins; NaN wins always.
    """
    n_images, out_height, out_width, n_channels = out.shape
    height, width = x.shape[1:3]
    for r in prange(n_images * out_height):
        row = signed(r)
        image, oy = row // out_height, row % out_height
        for ox in range(out_width):
            best, number, met = out[image, oy, ox], winner[image, oy, ox], False
            for k in range(size * size):
                y, z = oy * stride - padding + k // size, ox * stride - padding + k % size
                if y < 0 or y >= height or z < 0 or z >= width:
                    continue
                rival = x[image, y, z]
                if not met:
                    for c in range(n_channels):
                        best[c] = rival[c]
                        number[c] = k
                    met = True
                    continue
                for c in range(n_channels):
                    keep = rival[c] <= best[c] or best[c] != best[c]
                    best[c] = best[c] if keep else rival[c]
                    number[c] = number[c] if keep else k


@njit(parallel=True)
def max_pool_backward(dout, winner, size, stride, padding, dx):
    """Hand each window's gradient to its winner; `dx` (N, H, W, C) is overwritten."""
    n_images, out_height, out_width, n_channels = dout.shape
    height, width = dx.shape[1:3]
    for index in prange(n_images):
        image = signed(index)
        dx[image] = 0.0
        for oy in range(out_height):
            for ox in range(out_width):
                gradient, number = dout[image, oy, ox], winner[image, oy, ox]
                for k in range(size * size):
                    y, z = oy * stride - padding + k // size, ox * stride - padding + k % size
                    if y < 0 or y >= height or z < 0 or z >= width:
                        continue
                    target = dx[image, y, z]
                    for c in range(n_channels):
                        target[c] += gradient[c] if number[c] == k else 0.0


@njit(parallel=True)
def average_pool_forward(x, size, stride, out):
    """Mean of each window, (N, H, W, C) -> (N, OH, OW, C)."""
    n_images, out_height, out_width, n_channels = out.shape
    for r in prange(n_images * out_height):
        image, oy = r // out_height, r % out_height
        for ox in range(out_width):
            for c in range(n_channels):
                out[image, oy, ox, c] = 0.0
            for k in range(size * size):
                for c in range(n_channels):
                    out[image, oy, ox, c] += x[image, oy * stride + k // size, ox * stride + k % size, c]
            for c in range(n_channels):
                out[image, oy, ox, c] /= size * size


@njit(parallel=True)
def average_pool_backward(dout, size, stride, dx):
    """Share each window's gradient equally; `dx` (N, H, W, C) is overwritten."""
    n_images, out_height, out_width, n_channels = dout.shape
    for image in prange(n_images):
        dx[image] = 0.0
        for oy in range(out_height):
            for ox in range(out_width):
                for k in range(size * size):
                    for c in range(n_channels):
                        dx[image, oy * stride + k // size, ox * stride + k % size, c] += dout[
                            image, oy, ox, c
                        ] / (size * size)

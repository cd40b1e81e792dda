"""Maximum and average over square windows, without padding; a window that does not fit is left out."""

from deeptheory.system.compiled import njit, prange


@njit(parallel=True)
def max_pool_forward(x, size, stride, out, winner):
    """Largest element of each window, (N, H, W, C) -> (N, OH, OW, C); `winner` holds its place in the window.

    Of equal elements the first wins; NaN wins always.
    """
    n_images, out_height, out_width, n_channels = out.shape
    for r in prange(n_images * out_height):
        image, oy = r // out_height, r % out_height
        for ox in range(out_width):
            best, number = out[image, oy, ox], winner[image, oy, ox]
            corner = x[image, oy * stride, ox * stride]
            for c in range(n_channels):
                best[c] = corner[c]
                number[c] = 0
            for k in range(1, size * size):
                rival = x[image, oy * stride + k // size, ox * stride + k % size]
                for c in range(n_channels):
                    keep = rival[c] <= best[c] or best[c] != best[c]
                    best[c] = best[c] if keep else rival[c]
                    number[c] = number[c] if keep else k


@njit(parallel=True)
def max_pool_backward(dout, winner, size, stride, dx):
    """Hand each window's gradient to its winner; `dx` (N, H, W, C) is overwritten."""
    n_images, out_height, out_width, n_channels = dout.shape
    for image in prange(n_images):
        dx[image] = 0.0
        for oy in range(out_height):
            for ox in range(out_width):
                gradient, number = dout[image, oy, ox], winner[image, oy, ox]
                for k in range(size * size):
                    target = dx[image, oy * stride + k // size, ox * stride + k % size]
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

"""Links of signals and images: convolution, pooling, padding, upsampling, pixels, fold."""

#!/usr/bin/python3
"""Writes scikit-learn's 1,797 handwritten 8x8 digits as digits_x.npy (float32, [0, 1]) and digits_y.npy."""
import sys

try:
    import numpy
    from sklearn.datasets import load_digits
except ImportError:
    print("scikit-learn is not installed (Debian: python3-sklearn)", file=sys.stderr)
    sys.exit(3)

folder = sys.argv[1] if len(sys.argv) > 1 else "."
digits = load_digits()
numpy.save(folder + "/digits_x.npy", (digits.data / 16).astype(numpy.float32))
numpy.save(folder + "/digits_y.npy", digits.target.astype(numpy.uint8))

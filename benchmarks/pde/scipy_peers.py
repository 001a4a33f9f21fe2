"""SciPy on the problem of pde_peers: scipy_peers.py SOLVER POINTS, one JSON object on stdout.

SOLVER: scipy-dst (sine transforms both ways), scipy-lu-first, scipy-lu-again (sparse LU of the Kronecker sum)."""
import json
import resource
import sys
import time

import numpy as np
import scipy.fft
import scipy.sparse as sp
import scipy.sparse.linalg


def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def timed(body, least=0.3):
    result = body()
    seconds = []
    while len(seconds) < 3 or sum(seconds) < least:
        start = time.perf_counter()
        result = body()
        seconds.append(time.perf_counter() - start)
    return result, sorted(seconds)


solver, points = sys.argv[1], int(sys.argv[2])
n, m = points - 1, points - 2
x = np.arange(1, n) / n - 0.5
f = np.exp(-40 * (x[:, None] ** 2 + x[None, :] ** 2))
before = peak_bytes()
start = time.perf_counter()
if solver == "scipy-dst":
    s = 4 * n * n * np.sin(np.pi * np.arange(1, n) / (2 * n)) ** 2
    divisor = -(s[:, None] + s[None, :])
    body = lambda: scipy.fft.idstn(scipy.fft.dstn(f, type=1) / divisor, type=1)
else:
    d = sp.diags([np.ones(m - 1), -2 * np.ones(m), np.ones(m - 1)], [-1, 0, 1]) * n * n
    a = sp.csc_matrix(sp.kron(sp.identity(m), d) + sp.kron(d, sp.identity(m)))
    if solver == "scipy-lu-first":
        body = lambda: sp.linalg.splu(a).solve(f.ravel())
    else:
        factor = sp.linalg.splu(a)
        body = lambda: factor.solve(f.ravel())
setup = time.perf_counter() - start
u, seconds = timed(body)
u = np.pad(u.reshape(m, m), 1)
laplacian = n * n * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4 * u[1:-1, 1:-1])
per = 1e9 / m**2
print(json.dumps({
    "solver": solver, "dimensions": 2, "points": points, "unknowns": m * m, "best_ns_per_unknown": seconds[0] * per,
    "median_ns_per_unknown": seconds[len(seconds) // 2] * per, "setup_ns_per_unknown": setup * per,
    "solves": len(seconds), "iterations": 0, "residual_relative": float(np.abs(f - laplacian).max() / f.max()),
    "peak_bytes_beyond_problem": peak_bytes() - before, "details": ""}))

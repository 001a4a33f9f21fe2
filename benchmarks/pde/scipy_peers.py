"""Times SciPy on the problems of pde_peers: sparse LU (first and repeated) and DST in both directions."""
import sys
import time

import numpy as np
import scipy.fft
import scipy.sparse as sp
import scipy.sparse.linalg


def best(body, least=0.3):
    body()
    times = []
    while len(times) < 3 or sum(times) < least:
        start = time.perf_counter()
        body()
        times.append(time.perf_counter() - start)
    return min(times)


for points in [int(a) for a in sys.argv[1:]] or [40, 60, 80, 100, 127, 1023, 1024]:
    n = points - 1
    m = points - 2
    x = np.arange(1, n) / n - 0.5
    f = np.exp(-40 * (x[:, None] ** 2 + x[None, :] ** 2))

    def dst():
        s = 4 * n * n * np.sin(np.pi * np.arange(1, n) / (2 * n)) ** 2
        return scipy.fft.idstn(scipy.fft.dstn(f, type=1) / -(s[:, None] + s[None, :]), type=1)

    print(f"SciPy DST both ways     {points:5d}^2 {best(dst) / m**2 * 1e9:10.1f} ns/unknown", flush=True)
    if points > 600:
        continue
    d = sp.diags([np.ones(m - 1), -2 * np.ones(m), np.ones(m - 1)], [-1, 0, 1]) * n * n
    a = sp.csc_matrix(sp.kron(sp.identity(m), d) + sp.kron(d, sp.identity(m)))
    first = best(lambda: sp.linalg.splu(a).solve(f.ravel()))
    factor = sp.linalg.splu(a)
    print(f"SciPy sparse LU, first  {points:5d}^2 {first / m**2 * 1e9:10.1f} ns/unknown")
    print(f"SciPy sparse LU, again  {points:5d}^2 {best(lambda: factor.solve(f.ravel())) / m**2 * 1e9:10.1f} ns/unknown")

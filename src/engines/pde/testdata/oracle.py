"""Solves the problems named on the command line with SciPy and prints their values, one line each.

Names: "poisson KX KY [KZ] C": -nabla with ends of kind D, N, M (Dirichlet-Neumann), P or R on each axis;
"heat": expm of the 1-D operator; "ode NAME": solve_ivp.
"""
import sys

try:
    import numpy as np
    import scipy.integrate
    import scipy.linalg
    import scipy.sparse as sp
    import scipy.sparse.linalg
except ImportError as error:
    print(f"unavailable {error}")
    sys.exit(0)


def axis(kind, n):
    """Second difference on the unknown points of [0, 1] with n intervals, and those points."""
    h = 1.0 / n
    first = 1 if kind in "DM" else 0
    last = n - 1 if kind in "DP" else n
    m = last - first + 1
    a = sp.lil_matrix((m, m))
    for i in range(m):
        a[i, i] = -2
        if i > 0:
            a[i, i - 1] = 1
        if i < m - 1:
            a[i, i + 1] = 1
    if kind == "P":
        a[0, m - 1] = a[m - 1, 0] = 1
    if kind in "NR":
        a[0, 1] = 2
    if kind in "NRM":
        a[m - 1, m - 2] = 2
    if kind == "R":
        a[0, 0] = a[m - 1, m - 1] = -2 - 2 * h * 1.5 / 0.8
    return a.tocsr() / h**2, np.arange(first, last + 1) * h


def poisson(kinds, c):
    sizes = [17, 14, 9] if len(kinds) == 3 else [33, 26]
    axes = [axis(k, n) for k, n in zip(kinds, sizes)]
    total = sp.csr_matrix((1, 1))
    for a, _ in axes:  # later axes are slower
        total = sp.kron(sp.identity(a.shape[0]), total) + sp.kron(a, sp.identity(total.shape[0]))
    points = np.meshgrid(*[p for _, p in reversed(axes)], indexing="ij")
    x = points[-1]
    y = points[-2]
    z = points[-3] if len(kinds) == 3 else 0 * x
    f = np.exp(-3 * x) * np.cos(2 * y) + z * x - y**2
    matrix = (total + c * sp.identity(total.shape[0])).tocsc()
    return scipy.sparse.linalg.splu(matrix).solve(f.ravel())


def heat():
    a, x = axis("D", 20)
    return scipy.linalg.expm(0.05 * a.toarray()) @ (x * (1 - x))


def ode(name):
    if name == "lorenz":
        rhs = lambda t, y: [10 * (y[1] - y[0]), y[0] * (28 - y[2]) - y[1], y[0] * y[1] - 8 / 3 * y[2]]
        return scipy.integrate.solve_ivp(rhs, (0, 2), [1, 1, 1], method="DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
    mu = 1000
    rhs = lambda t, y: [y[1], mu * (1 - y[0] ** 2) * y[1] - y[0]]
    return scipy.integrate.solve_ivp(rhs, (0, 500), [2, 0], method="Radau", rtol=1e-10, atol=1e-12).y[:, -1]


for request in sys.argv[1:]:
    words = request.split()
    if words[0] == "poisson":
        values = poisson(words[1:-1], float(words[-1]))
    elif words[0] == "heat":
        values = heat()
    else:
        values = ode(words[1])
    print(" ".join(f"{v:.17g}" for v in values))

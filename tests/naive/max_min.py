"""Max-min fair rates on dense matrices: slow, obvious code that referees the kernels."""

import numpy as np


def matrix(capacity, paths):
    """(L, F) part of each flow on each link."""
    uses = np.zeros((capacity.size, paths.n_flows))
    fraction = np.ones(len(paths.link)) if paths.fraction is None else paths.fraction
    for flow in range(paths.n_flows):
        for hop in range(paths.start[flow], paths.start[flow + 1]):
            uses[paths.link[hop], flow] += fraction[hop]
    return uses


def naive_rates(uses, capacity, weight):
    """Raise all rates together, stop those on the first full link, again."""
    n_flows = uses.shape[1]
    rate, free = np.zeros(n_flows), np.ones(n_flows, bool)
    rate[uses.sum(axis=0) == 0] = np.inf
    free[uses.sum(axis=0) == 0] = False
    while free.any():
        fixed = (uses[:, ~free & np.isfinite(rate)] * (weight * rate)[~free & np.isfinite(rate)]).sum(axis=1)
        rising = (uses[:, free] * weight[free]).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            level = np.where(rising > 0, (capacity - fixed) / rising, np.inf)
        first = level.min()
        full = level <= first * (1 + 1e-12)
        stopped = free & (uses[full] > 0).any(axis=0)
        rate[stopped] = first
        free &= ~stopped
    return rate


def naive_completions(uses, capacity, size, begin):
    """Rates found anew for all flows at each start and end."""
    rest, finish = size.astype(float).copy(), np.full(size.size, np.nan)
    still = (size == 0) | (uses.sum(axis=0) == 0)
    finish[still] = begin[still]
    now = 0.0
    while np.isnan(finish).any():
        active = np.isnan(finish) & (begin <= now)
        upcoming = begin[np.isnan(finish) & (begin > now)]
        later = upcoming.min() if upcoming.size else np.inf
        if not active.any():
            now = later
            continue
        rate = naive_rates(uses[:, active], capacity, np.ones(active.sum()))
        step = min((rest[active] / rate).min(), later - now)
        rest[active] -= rate * step
        now += step
        ended = np.flatnonzero(active)[rest[active] <= 1e-9 * size[active]]
        finish[ended] = now
        rest[ended] = 0.0
    return finish


def naive_flows_on_links(start, link, n_links):
    """The flows on each link, a list for each."""
    flows: list[list[int]] = [[] for _ in range(n_links)]
    for flow in range(len(start) - 1):
        for hop in range(start[flow], start[flow + 1]):
            flows[link[hop]].append(flow)
    return flows
